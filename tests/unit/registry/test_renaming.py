"""A renamed entry is shown by its new name everywhere; every name that it ever had means it; nothing is rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.registry import annotating, tracing
from mlreg.registry.registry import Registry
from mlreg.registry.searching import search
from mlreg.registry.standing import status
from mlreg.registry.sync import Sync
from tests.unit.registry.test_annotating import made, refused

OLD, NEW = "model/net", "model/vision/net"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def registry(tmp_path: Path, file: Path) -> Registry:
    """A registry with 1.0.0, which is in production, and 2.0.0, made from it; renamed."""
    registry = made(tmp_path / "here")
    registry.add(OLD, [file], version="1.0.0", tags=["production"])
    registry.add(OLD, [file], version="2.0.0", inputs=[("base", f"{OLD}@1.0.0")], metadata={"x": 1})
    assert annotating.rename(registry, OLD, NEW, "by subject").changed
    return registry


def test_every_answer_has_the_new_name(registry: Registry) -> None:
    annotating.label(registry, OLD, {"team": "vision"})

    found = [
        *(entry.ref for entry in registry.entries()),
        *(version.ref for version in registry.versions(OLD)),
        registry.show(OLD).kind + "/" + registry.show(OLD).name,
        *(file.ref for file in registry.files(OLD)),
        *(tag.ref for tag in registry.tags()),
        *(tag.target for tag in registry.tags(OLD)),
        *(event.ref for event in registry.log()),
        *(event.target for event in registry.log(OLD)),
        *(version.ref for version in search(registry, where="name = 'vision/net' and labels.team = 'vision'")),
        *(node.ref for node in tracing.lineage(registry, OLD)),
        *(node.ref for node in tracing.log_graph(registry, OLD).nodes),
        str(registry.rev_parse("net@latest")),
        registry.tag(f"{OLD}@2.0.0", "production").ref,
        *registry.remove([f"{OLD}@1.0.0"]).refs,
        *registry.restore([f"{OLD}@1.0.0"]).refs,
        registry.untag(f"{OLD}@production").ref,
    ]

    assert {ref.partition("@")[0] for ref in found} == {NEW}
    assert len(found) > 20


@pytest.mark.parametrize("name", [OLD, NEW, "net", "vision/net"])
@pytest.mark.parametrize("selector", ["1.0.0", "production", "2.0.0~1", "2.0.0^base", "production@{0}"])
def test_old_refs_and_new_ones_mean_the_same(registry: Registry, name: str, selector: str) -> None:
    assert str(registry.rev_parse(f"{name}@{selector}")) == f"{NEW}@1.0.0"


def test_ids_stay(registry: Registry, tmp_path: Path, file: Path) -> None:
    other = made(tmp_path / "other")
    other.add(OLD, [file], version="1.0.0")
    assert registry.show(f"{NEW}@1.0.0").tree == other.show(OLD).tree
    assert registry.show(f"{NEW}@2.0.0").parents == (registry.show(f"{OLD}@1.0.0").id,)


@pytest.mark.parametrize("name", [OLD, NEW])
def test_what_is_added_under_either_name_is_a_version_of_the_same_entry(
    registry: Registry, file: Path, name: str
) -> None:
    file.write_bytes(b"more")

    added = registry.add(name, [file], bump="minor")

    assert added.version.ref == f"{NEW}@2.1.0"
    assert added.version.parents == (registry.show(f"{NEW}@2.0.0").id,)
    assert [entry.ref for entry in registry.entries()] == [NEW]


def test_a_day_before_the_rename_has_no_new_name(registry: Registry) -> None:
    assert refused(lambda: registry.at("2000-01-01").rev_parse(NEW)) == "ref_not_found"
    assert str(registry.at("2999-01-01").rev_parse(OLD)) == f"{NEW}@2.0.0"


def test_a_name_can_be_given_back_and_all_names_go_on_to_work(registry: Registry) -> None:
    annotating.rename(registry, NEW, "model/third")
    assert {str(registry.rev_parse(f"{name}@1.0.0")) for name in (OLD, NEW, "model/third")} == {"model/third@1.0.0"}

    assert annotating.rename(registry, "model/third", OLD).previous == "model/third"

    assert {str(registry.rev_parse(f"{name}@1.0.0")) for name in (OLD, NEW, "model/third")} == {f"{OLD}@1.0.0"}
    assert not annotating.rename(registry, NEW, OLD).changed


def test_names_of_others_are_refused(registry: Registry, file: Path) -> None:
    registry.add("model/other", [file], version="1.0.0")
    number = status(registry).transactions

    assert refused(lambda: annotating.rename(registry, "model/other", NEW)) == "entry_exists"
    assert refused(lambda: annotating.rename(registry, "model/other", OLD)) == "entry_exists"
    assert refused(lambda: annotating.rename(registry, NEW, "model/other")) == "entry_exists"
    assert refused(lambda: annotating.rename(registry, NEW, "data/net")) == "other_kind"
    assert refused(lambda: annotating.rename(registry, f"{NEW}@1.0.0", "model/third")) == "not_an_entry"
    assert refused(lambda: annotating.rename(registry, "model/nothing", "model/third")) == "ref_not_found"
    assert refused(lambda: annotating.rename(registry, NEW, "model/../up")) == "bad_name"
    assert status(registry).transactions == number


def test_a_rename_travels_and_work_under_the_old_name_joins_it(tmp_path: Path, file: Path) -> None:
    hub = tmp_path / "hub"
    made(hub)
    ann, bob = (made(tmp_path / name, name, hub) for name in ("ann", "bob"))
    ann.add(OLD, [file], version="1.0.0")
    Sync(ann, "origin").push()
    Sync(bob, "origin").pull()

    annotating.rename(ann, OLD, NEW)
    Sync(ann, "origin").push([NEW])
    bob.add(OLD, [file], version="1.1.0", metadata={"by": "bob"})
    Sync(bob, "origin").pull()
    pushed = Sync(bob, "origin").push()
    Sync(ann, "origin").pull()

    assert pushed.versions == (f"{NEW}@1.1.0",)
    for registry in (ann, bob, ann.elsewhere("origin")):
        assert [version.ref for version in registry.versions(NEW)] == [f"{NEW}@1.1.0", f"{NEW}@1.0.0"]


def test_where_two_clones_gave_one_name_to_two_entries_one_has_it(tmp_path: Path, file: Path) -> None:
    hub = tmp_path / "hub"
    made(hub)
    ann, bob = (made(tmp_path / name, name, hub) for name in ("ann", "bob"))
    for name in ("model/aa", "model/bb"):
        ann.add(name, [file], version="1.0.0")
    Sync(ann, "origin").push()
    Sync(bob, "origin").pull()
    annotating.rename(ann, "model/aa", "model/same")
    annotating.rename(bob, "model/bb", "model/same")
    for one in (ann, bob, ann):
        Sync(one, "origin").pull()
        Sync(one, "origin").push()

    for one in (ann, bob):
        assert [entry.ref for entry in one.entries()] == ["model/bb", "model/same"]
        assert str(one.rev_parse("model/aa")) == "model/same@1.0.0"
        assert str(one.rev_parse("model/bb")) == "model/bb@1.0.0"


def test_an_entry_that_another_clone_made_under_the_new_name_has_it(tmp_path: Path, file: Path) -> None:
    hub = tmp_path / "hub"
    made(hub)
    ann, bob = (made(tmp_path / name, name, hub) for name in ("ann", "bob"))
    ann.add(OLD, [file], version="1.0.0")
    bob.add(NEW, [file], version="7.0.0")
    annotating.rename(ann, OLD, NEW)
    Sync(ann, "origin").push()
    Sync(bob, "origin").pull()

    assert [entry.ref for entry in bob.entries()] == [OLD, NEW]
    assert [str(bob.rev_parse(name)) for name in (OLD, NEW)] == [f"{OLD}@1.0.0", f"{NEW}@7.0.0"]


@pytest.mark.parametrize("selector", ["latest", "2.0.0", "2.0.0~0"])
def test_the_log_of_a_version_is_found_by_any_of_its_refs(registry: Registry, selector: str) -> None:
    assert [event.ref for event in registry.log(f"{NEW}@{selector}")] == [f"{NEW}@2.0.0"]
