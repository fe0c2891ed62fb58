"""A batch is one transaction: all of its versions or none, as if they had come one after the other."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.registry import ModelRegistry, annotating
from mlreg.registry.places import init
from mlreg.registry.standing import status
from mlreg.repository import packing
from mlreg.stores.faulty import Fault, FaultyStore
from tests.unit.registry.test_annotating import refused


@pytest.fixture
def models(tmp_path: Path) -> ModelRegistry:
    return made(tmp_path)


def made(place: Path) -> ModelRegistry:
    return ModelRegistry(init(place / "repo", shared=True)[0], "Ann")


def slots(models: ModelRegistry) -> int:
    return status(models.registry).transactions


def test_a_batch_is_one_transaction_with_all_versions(models: ModelRegistry) -> None:
    with models.batch("a sweep") as registered:
        promised = [models.register_model(b"%d" % n, f"net{n % 3}", bump="minor", tags=["newest"]) for n in range(9)]
        assert registered == []

    assert slots(models) == 1
    assert [one.ref for one in registered] == [one.ref for one in promised]
    assert [one.id for one in registered] == [one.id for one in promised]
    assert [one.version for one in models.list_versions("net0")] == ["0.3.0", "0.2.0", "0.1.0"]
    assert models.get_model("net1", "newest") == b"7"
    assert models.registry.show("model/net0@0.2.0").parents == (models.registry.show("model/net0@0.1.0").id,)
    assert {event.message for event in models.registry.log()} == {"a sweep"}
    assert models.registry.verify().is_clean


def test_nothing_is_registered_if_the_block_raises(models: ModelRegistry) -> None:
    def fail() -> None:
        with models.batch():
            models.register_model(b"one", "net", "1.0.0")
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert slots(models) == 0
    assert models.list_models() == []
    assert models.register_model(b"two", "net", "1.0.0").ref == "model/net@1.0.0"


def test_what_stands_against_a_version_is_said_where_it_is_registered_and_the_rest_goes_on(
    models: ModelRegistry,
) -> None:
    models.register_model(b"one", "net", "1.0.0")
    with models.batch() as registered:
        models.register_model(b"one", "net", "1.0.0")
        models.register_model(b"two", "net", "1.1.1")
        for model, version, code in (
            (b"other", "1.0.0", "version_exists"),
            (b"other", "1.1.1", "version_exists"),
            (b"other", "1.1.0", "version_goes_back"),
            (b"other", "one", "bad_version"),
        ):
            assert refused(partial(models.register_model, model, "net", version)) == code

    assert [one.version for one in registered] == ["1.0.0", "1.1.1"]
    assert [one.version for one in models.list_versions("net")] == ["1.1.1", "1.0.0"]


def test_someone_else_may_register_meanwhile(models: ModelRegistry) -> None:
    other = ModelRegistry(models.registry.path, "Bob")
    with models.batch() as registered:
        promised = models.register_model(b"mine", "net", bump="minor")
        other.register_model(b"his", "net", bump="minor")

    assert (promised.version, registered[0].version) == ("0.1.0", "0.2.0")
    assert [models.get_model("net", version) for version in ("0.1.0", "0.2.0")] == [b"his", b"mine"]
    assert registered[0].parents == (models.registry.show("model/net@0.1.0").id,)


def test_someone_else_may_take_the_name_meanwhile(models: ModelRegistry) -> None:
    other = ModelRegistry(models.registry.path, "Bob")

    def lose() -> None:
        with models.batch():
            models.register_model(b"mine", "net", "1.0.0")
            models.register_model(b"mine", "fine", "1.0.0")
            other.register_model(b"his", "net", "1.0.0")

    assert refused(lose) == "version_exists"
    assert models.list_models() == other.list_models()
    assert models.get_model("net") == b"his"
    assert models.registry.verify().orphans == 0


def test_a_batch_of_nothing_and_of_what_is_there_writes_nothing(models: ModelRegistry) -> None:
    with models.batch() as registered:
        pass
    assert (registered, slots(models)) == ([], 0)

    models.register_model(b"one", "net", "1.0.0")
    with models.batch() as registered:
        models.register_model(b"one", "net", "1.0.0")
    assert ([one.ref for one in registered], slots(models)) == (["model/net@1.0.0"], 1)


def test_batches_do_not_nest(models: ModelRegistry) -> None:
    with models.batch():
        assert refused(lambda: models.batch().__enter__()) == "nested_batch"


step = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["major", "minor", "patch"]), st.integers(0, 4))


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(step, max_size=8))
def test_a_batch_leads_to_what_one_after_the_other_leads_to(
    steps: list[tuple[str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    single, batched = (made(tmp_path_factory.mktemp("place")) for _ in range(2))
    for name, part, content in steps:
        single.register_model(b"%d" % content, name, bump=part, tags=["newest"])
    with batched.batch():
        for name, part, content in steps:
            batched.register_model(b"%d" % content, name, bump=part, tags=["newest"])

    def facts(models: ModelRegistry) -> list[tuple[object, ...]]:
        found = [version for entry in models.list_models() for version in models.registry.versions(entry.ref)]
        return [(one.ref, one.tree, one.tags, len(one.parents)) for one in found]

    assert facts(batched) == facts(single)


def test_versions_that_differ_in_their_build_are_equally_new(models: ModelRegistry) -> None:
    models.register_model(b"gpu", "net", "1.0.0+gpu")
    models.register_model(b"cpu", "net", "1.0.0+cpu")
    models.register_model(b"next", "net", "1.0.1")
    assert refused(lambda: models.register_model(b"late", "net", "1.0.0+tpu")) == "version_goes_back"


@pytest.mark.parametrize(
    ("version", "metadata", "code"), [(2.0, None, "bad_version"), ("1.0.0", [1], "bad_meta"), (None, {}, "bad_version")]
)
def test_what_is_no_text_and_no_mapping_is_refused(
    models: ModelRegistry, version: Any, metadata: Any, code: str
) -> None:
    assert refused(lambda: models.register_model(b"x", "net", version, metadata)) == code
    assert slots(models) == 0


def test_what_is_half_stored_is_never_registered(models: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who catches a full disk, makes room and goes on would rely on bytes that are not there."""
    full = models.registry.repository.store = FaultyStore(models.registry.repository.store)
    large = random.Random(0).randbytes(3_000_000)

    def go_on() -> None:
        with models.batch():
            models.register_model(b"small", "fine", "1.0.0")
            full.plan = lambda count, verb, key: Fault.BEFORE if verb == "upload" else None
            monkeypatch.setattr(packing, "IN_FLIGHT", 0)
            assert refused(lambda: models.register_model(large, "net", "1.0.0")) == "store_unavailable"
            full.plan = lambda count, verb, key: None
            assert refused(lambda: models.register_model(large, "net", "1.0.0")) == "half_stored"

    assert refused(go_on) == "half_stored"
    assert models.list_models() == []
    assert models.register_model(large, "net", "1.0.0").ref == "model/net@1.0.0"
    assert models.get_model("net") == large
    assert models.registry.verify().is_clean


def test_an_entry_may_be_renamed_meanwhile(models: ModelRegistry) -> None:
    models.register_model(b"one", "old", "1.0.0")
    other = ModelRegistry(models.registry.path, "Bob").registry
    with models.batch() as registered:
        models.register_model(b"two", "new", "1.1.0")
        models.register_model(b"three", "new", bump="minor")
        annotating.rename(other, "model/old", "model/new")

    assert [one.ref for one in registered] == ["model/new@1.1.0", "model/new@1.2.0"]
    assert [one.version for one in models.list_versions("new")] == ["1.2.0", "1.1.0", "1.0.0"]
    assert [entry.ref for entry in models.list_models()] == ["model/new"]


def test_a_batch_that_is_only_tried_leaves_nothing_behind(models: ModelRegistry, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"weights" * 100_000)
    place = Path(models.registry.path)
    before = sorted(place.rglob("*"))

    added = models.registry.rehearsal().add("model/net", [file], version="1.0.0")

    assert (added.version.ref, added.changed) == ("model/net@1.0.0", True)
    assert sorted(place.rglob("*")) == before
    assert models.list_models() == []
    assert refused(lambda: models.registry.at("2026-01-01").rehearsal()) == "past_change"
