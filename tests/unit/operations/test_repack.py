"""Versions in fewer bytes: every one comes back as it was, before, while and after packs are replaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.sniff import sniff
from mlreg.errors import IntegrityError, MlregError
from mlreg.formats.pack import PackIndex, PackKind, Sort
from mlreg.ids import CommitId, ContentId
from mlreg.operations import repack as repacking
from mlreg.registry import results
from mlreg.registry.collecting import collect
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.repacking import preview, repack
from mlreg.registry.sync import Sync
from mlreg.repository.log import Draft
from mlreg.stores.faulty import Fault, FaultyStore, fail_at
from mlreg.tensors.safetensors import encode_arrays

COUNT = 700_000
BASE = (np.random.default_rng(0).standard_normal(COUNT) * 0.02).astype(np.float32)


def tuned(step: int, size: float = 1e-5) -> bytes:
    """Return a file with the weights after some steps of training, and others that stay."""
    moved = BASE + np.random.default_rng(step).standard_normal(COUNT) * size * (step > 0)
    arrays = {
        "moved": moved.astype(ml_dtypes.bfloat16),
        "same": BASE[:100_000],
        "steps": np.full(20_000, step, np.int64),
    }
    return b"".join(encode_arrays(arrays))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return made(tmp_path)


def made(place: Path, name: str = "here") -> Registry:
    return Registry(init(place / name, shared=True)[0], "Ann", place / "cache")


def add(registry: Registry, version: str, data: bytes, entry: str = "model/net", **more: object) -> None:
    file = Path(registry.path).parent / "weights.safetensors"
    file.write_bytes(data)
    registry.add(entry, [file], version=version, **more)  # type: ignore[arg-type] # of several types


def run(registry: Registry, act: Callable[..., results.Repacked] = repack, grace: float = 0) -> results.Repacked:
    return act(registry, delta=True, grace=grace, report=lambda size: None)


def content(registry: Registry, ref: str) -> bytes:
    return b"".join(registry.cat(f"{ref}:weights.safetensors"))


def indexes(registry: Registry) -> list[PackIndex]:
    view = registry.repository.log.refresh()
    return [registry.repository.objects.index(pack.id) for pack in view.live_packs() if pack.kind is PackKind.DATA]


def size_of(registry: Registry) -> int:
    return sum(path.stat().st_size for path in Path(registry.path).glob("packs/*/*"))


def test_what_others_were_made_from_may_be_collected(registry: Registry) -> None:
    for step in range(3):
        add(registry, f"1.{step}.0", tuned(step))
    registry.remove(["model/net@1.0.0"])
    collect(registry, grace=0, report=lambda size: None)

    assert run(registry).pieces
    assert content(registry, "model/net@1.2.0") == tuned(2)
    assert registry.verify().problems == ()


def test_tuned_versions_take_a_fraction_and_come_back(registry: Registry) -> None:
    for step in range(4):
        add(registry, f"1.{step}.0", tuned(step))
    ids = [version.id for version in registry.versions("model/net")]
    before = size_of(registry)

    done = run(registry)
    done = done._replace(deleted=run(registry).deleted + done.deleted)

    assert done.pieces == 3
    assert size_of(registry) < 0.6 * before
    assert [version.id for version in registry.versions("model/net")] == ids
    for step in range(4):
        assert content(registry, f"model/net@1.{step}.0") == tuned(step)
    assert registry.verify().is_clean


def test_nothing_is_done_twice(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    assert run(registry).pieces == 1
    before = size_of(registry), registry.repository.log.refresh().number

    again = run(registry)

    assert (again.pieces, again.packs) == (0, 0)
    assert (size_of(registry), registry.repository.log.refresh().number) == before


def test_a_base_is_never_a_difference_itself(registry: Registry) -> None:
    """Whatever is added and repacked in whatever order."""
    for step in range(5):
        add(registry, f"1.{step}.0", tuned(step))
        run(registry)
    add(registry, "2.0.0", tuned(0, 0) + b"", entry="model/other", inputs=[("base", "model/net@1.4.0")])
    add(registry, "2.1.0", tuned(9), entry="model/other", inputs=[("base", "model/net@1.4.0")])
    run(registry)

    bases = {base for index in indexes(registry) for base in index.bases}
    differ = {
        item.id
        for index in indexes(registry)
        for item in index.items()
        if index.block(item.block).codec == DIFFERENCE.number
    }
    assert len(differ) == 5
    assert len(bases) == 1
    assert not bases & differ
    assert content(registry, "model/other@2.1.0") == tuned(9)


def test_what_is_declared_as_a_base_serves_as_one(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.0.0", tuned(1), entry="model/mine", inputs=[("base", "model/net@1.0.0")])

    assert run(registry).pieces == 1
    assert content(registry, "model/mine") == tuned(1)


def test_a_piece_that_lies_in_two_packs_is_there_once_when_both_are_replaced(registry: Registry) -> None:
    """As when two people who did not know of each other stored the same."""
    first, second = ([(BASE * scale + step * 1e-5).astype(ml_dtypes.bfloat16) for scale in (1, 3)] for step in range(2))
    for version, (one, other) in enumerate((first, second)):
        add(registry, f"1.{version}.0", b"".join(encode_arrays({"one": one, "other": other})))
    repository = registry.repository
    twice = second[0].tobytes()
    assert repository.objects.has(Sort.PIECE, ContentId.of(twice))
    with repository.writer() as writer:
        writer.add(Sort.PIECE, ContentId.of(twice), twice, sniff(twice))
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Bob", add=packs))

    done = run(registry)

    assert (done.pieces, done.packs) == (3, 2)
    assert registry.verify().problems == ()
    assert content(Registry(registry.path, "Eve"), "model/net@1.1.0") == b"".join(
        encode_arrays({"one": second[0], "other": second[1]})
    )


def test_what_does_not_pay_is_left_alone(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1, 1.0))

    done = run(registry)

    assert (done.pieces, done.packs, done.before, done.after) == (0, 0, 0, 0)


def test_after_a_leap_later_versions_differ_from_the_one_behind_it(registry: Registry) -> None:
    leapt = np.random.default_rng(77).standard_normal(COUNT).astype(ml_dtypes.bfloat16)
    moved = (leapt.astype(np.float32) * np.float32(1.003)).astype(ml_dtypes.bfloat16)
    for version, array in enumerate((BASE.astype(ml_dtypes.bfloat16), leapt, moved)):
        add(registry, f"1.{version}.0", b"".join(encode_arrays({"w": array})))

    assert run(registry).pieces == 1
    assert content(registry, "model/net") == b"".join(encode_arrays({"w": moved}))


def test_packs_stay_until_the_time_is_up_and_are_deleted_then(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    small = sum(pack.size for pack in registry.repository.log.refresh().live_packs() if pack.kind is PackKind.META)
    first = run(registry, grace=3600)
    size, replaced = size_of(registry), first.before + small

    assert (first.merged, first.merged_into) == (2, 1)
    assert (first.deleted, first.waiting) == (0, replaced)
    assert run(registry, grace=3600).waiting == replaced
    last = run(registry, grace=0)
    assert (last.deleted, last.waiting) == (replaced, 0)
    assert size_of(registry) == size - replaced
    assert registry.verify().is_clean
    assert registry.verify().orphans == 0


def test_a_trial_says_the_same_and_writes_nothing(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    files = sorted(Path(registry.path).rglob("*"))

    tried = run(registry, preview)
    assert sorted(Path(registry.path).rglob("*")) == files

    done = run(registry, grace=3600)
    assert tried == done._replace(waiting=0, dry_run=True)
    assert run(registry, preview).deleted == done.waiting
    assert run(registry).deleted == done.waiting


def test_who_opened_the_repository_before_reads_on(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    other = Registry(registry.path, "Bob")
    other.repository.log.refresh()
    objects = other.repository.objects
    for kind in PackKind:
        objects.take_up_indexes(kind)

    run(registry)

    assert content(other, "model/net@1.1.0") == tuned(1)
    add(other, "1.2.0", tuned(1), metadata={"note": "the same weights"})
    assert content(registry, "model/net@1.2.0") == tuned(1)
    assert registry.verify().is_clean


def test_what_was_is_read_from_where_it_is_now(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    run(registry)

    assert content(registry.at(moment), "model/net@1.1.0") == tuned(1)


@pytest.mark.parametrize("versions", [["model/net@1.1.0"], ["model/net"]])
def test_a_version_travels_without_its_base(registry: Registry, versions: list[str], tmp_path: Path) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    run(registry)
    there = made(tmp_path, "there")
    here = Registry(registry.path, "Ann", registry.cache, {"origin": there.path})

    Sync(here, "origin").push(versions)

    assert content(there, "model/net@1.1.0") == tuned(1)
    assert there.verify().is_clean


def test_a_lost_base_hurts_what_differs_from_it_and_verify_says_so(registry: Registry) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    run(registry)
    base = next(base for index in indexes(registry) for base in index.bases)
    for path in Path(registry.path).glob("packs/*/*.pack"):
        pack = next(pack for pack in registry.repository.log.view.live_packs() if pack.id == path.stem)
        index = registry.repository.objects.index(pack.id)
        if any(item.id == base for item in index.items()):
            path.chmod(0o600)
            path.write_bytes(bytes(path.stat().st_size))
    other = Registry(registry.path, "Ann")

    with pytest.raises(MlregError) as caught:
        content(other, "model/net@1.1.0")
    assert caught.value.code in ("object_damaged", "object_missing", "bad_pack")
    assert {"model/net@1.0.0", "model/net@1.1.0"} <= {ref for one in other.verify().problems for ref in one.hurts}


def test_a_version_whose_commit_cannot_be_read_is_named(registry: Registry) -> None:
    for step in range(2):
        add(registry, f"1.{step}.0", tuned(step))
    commit = CommitId.parse(registry.show("model/net").id)
    pack = registry.repository.log.view.places(Sort.COMMIT, commit)[0].pack
    next(Path(registry.path).glob(f"packs/*/{pack}.pack")).unlink()

    with pytest.raises(IntegrityError) as caught:
        run(Registry(registry.path, "Ann"))

    assert caught.value.code == "object_missing"


def test_a_failure_at_any_step_loses_nothing(tmp_path: Path) -> None:
    number = 0
    while True:
        number += 1
        registry = made(tmp_path, f"place{number}")
        add(registry, "1.0.0", tuned(0))
        add(registry, "1.1.0", tuned(1))
        faulty = FaultyStore(registry.repository.store, fail_at(number, Fault.BEFORE if number % 2 else Fault.AFTER))
        registry.repository.store = registry.repository.log._store = registry.repository.objects._store = faulty
        with suppress(MlregError):
            run(registry)
        fresh = Registry(registry.path, "Ann")
        assert fresh.verify().is_clean
        assert content(fresh, "model/net@1.1.0") == tuned(1)
        run(fresh)
        assert content(fresh, "model/net@1.0.0") == tuned(0)
        if len(faulty.calls) < number:
            break
    assert number > 10


def test_someone_who_replaces_the_same_packs_at_the_same_time_is_no_harm(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    other = Registry(registry.path, "Bob")
    real = repacking._Rewriting.rewrite
    raced: list[int] = []

    def race(self: repacking._Rewriting, pack: object) -> None:
        real(self, pack)  # type: ignore[arg-type] # what it is given
        if not raced:
            raced.append(1)
            raced.append(run(other).pieces)

    monkeypatch.setattr(repacking._Rewriting, "rewrite", race)
    done = run(registry)

    assert (done.pieces, raced) == (0, [1, 1])
    assert registry.verify().is_clean
    assert registry.verify().orphans == 0
    assert content(registry, "model/net@1.1.0") == tuned(1)


class Repacking(RuleBasedStateMachine):
    """Versions of two models, repacked and read by two people in any order."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self._scratch = tempfile.TemporaryDirectory()
        place = Path(self._scratch.name)
        self.registries = [made(place), Registry(str(place / "here"), "Bob")]
        self.there: dict[str, int] = {}

    who = st.integers(0, 1)

    @rule(who=who, entry=st.sampled_from(["model/net", "model/other"]), step=st.integers(0, 3))
    def add(self, who: int, entry: str, step: int) -> None:
        version = f"0.{len(self.there)}.0"
        inputs = [("base", ref) for ref in sorted(self.there)[:1]]
        add(self.registries[who], version, tuned(step), entry=entry, inputs=inputs)
        self.there[f"{entry}@{version}"] = step

    @rule(who=who, grace=st.sampled_from([0, 3600]))
    def repack(self, who: int, grace: float) -> None:
        run(self.registries[who], grace=grace)

    @rule(who=who, number=st.integers(0, 20))
    def read(self, who: int, number: int) -> None:
        if self.there:
            ref = sorted(self.there)[number % len(self.there)]
            assert content(self.registries[who], ref) == tuned(self.there[ref])

    def teardown(self) -> None:
        if hasattr(self, "registries"):
            assert self.registries[0].verify().is_clean
            assert all(content(self.registries[1], ref) == tuned(step) for ref, step in self.there.items())
            self._scratch.cleanup()


TestRepacking = Repacking.TestCase
TestRepacking.settings = settings(max_examples=8, stateful_step_count=10, deadline=None)
