"""Copies of one repository: an old one in place of a newer one, and two that both went on. Nothing of them is mixed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import ConflictError, IntegrityError, NotFoundError
from mlreg.formats.transaction import slot_key
from mlreg.registry import annotating, backups, collecting
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.standing import status
from mlreg.registry.sync import Sync
from mlreg.repository.heads import Client


class Place:
    """A repository with a cache that stays, whatever is put into its place."""

    def __init__(self, root: Path) -> None:
        self.root, self.path, self.cache = root, root / "registry", root / "cache"
        init(self.path, shared=True)

    @property
    def registry(self) -> Registry:
        """Opened anew, as each command does."""
        return Registry(self.path, "Ann", self.cache)

    def add(self, version: str, text: str, registry: Registry | None = None) -> None:
        (self.root / "weights").write_text(text)
        registry = registry or self.registry
        registry.add("model/net", [self.root / "weights"], version=version, tags=["production"])

    def keep(self, name: str) -> None:
        shutil.copytree(self.path, self.root / name)

    def put_back(self, name: str) -> None:
        shutil.rmtree(self.path)
        shutil.copytree(self.root / name, self.path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.add("1.0.0", "first")
    found.keep("old")
    found.add("1.1.0", "second")
    annotating.label(found.registry, "model/net@1.0.0", {"team": "vision"})
    found.registry.tag("model/net@1.0.0", "newer")
    return found


def seen(registry: Registry) -> dict[str, Any]:
    """Return what is read through caches."""
    return {
        "versions": registry.versions("model/net"),
        "tags": registry.tags("model/net"),
        "log": registry.log(),
        "lineage": registry.lineage("model/net@1.0.0"),
        "status": status(registry)._replace(path=""),
        "cat": b"".join(registry.cat("model/net@production:weights")),
    }


def test_an_old_copy_in_place_of_a_newer_one_is_read_as_it_is(place: Place) -> None:
    newer = seen(place.registry)
    place.put_back("old")

    assert seen(place.registry) == seen(Registry(place.root / "old", "Ann")) != newer
    place.add("1.1.0", "another second")
    assert seen(place.registry) == seen(Registry(place.path, "Ann"))
    assert place.registry.verify().problems == ()


def test_a_last_slot_that_was_cut_is_damage_and_no_other_log(place: Place) -> None:
    def opened() -> Registry:
        return Registry(place.path, "Ann", client=lambda: Client(place.root / "state"))

    number = opened().repository.log.refresh().number
    slot = place.path / slot_key(number)
    slot.write_bytes(slot.read_bytes()[:-20])

    with pytest.raises(IntegrityError) as caught:
        opened().repository.log.refresh()

    assert caught.value.code in ("bad_transaction", "bad_json")
    assert "backup" in caught.value.fix[0]


def test_a_process_that_goes_on_reads_the_copy_that_is_there_now(place: Place) -> None:
    registry = place.registry
    seen(registry)
    place.put_back("old")

    assert seen(registry) == seen(Registry(place.root / "old", "Ann"))


def length_of(place: Place) -> int:
    return place.registry.repository.log.refresh().number


@pytest.mark.parametrize("more", range(5))
def test_a_process_that_goes_on_writes_behind_the_copy_that_is_there_now(more: int, place: Place) -> None:
    """The other log is shorter than the one it knows, as long, or longer."""
    registry = place.registry
    seen(registry)
    place.put_back("old")
    for number in range(more):
        Registry(place.path, "Eve").tag("model/net@1.0.0", f"tag-{number}")

    place.add("1.2.0", "third", registry)

    assert length_of(place) == 2 + more
    assert place.registry.verify().problems == ()
    assert seen(registry) == seen(Registry(place.path, "Ann")) == seen(place.registry)
    assert {tag.ref for tag in registry.tags("model/net")} == {
        "model/net@production",
        *(f"model/net@tag-{number}" for number in range(more)),
    }


def test_a_log_that_is_as_long_and_another_one_is_read_from_its_beginning(place: Place) -> None:
    registry = place.registry
    seen(registry)
    place.put_back("old")
    other = Registry(place.path, "Eve")
    for number in range(3):
        other.tag("model/net@1.0.0", f"tag-{number}")
    assert length_of(place) == 4

    other.tag("model/net@1.0.0", "one-more")
    assert seen(registry) == seen(Registry(place.path, "Ann"))


def test_runs_are_found_as_the_copy_has_them(tmp_path: Path) -> None:
    place = Place(tmp_path)

    def log(value: float) -> None:
        with ExperimentRegistry(place.path, "Ann", place.cache).start_experiment("churn") as run:
            run.log_metric("auc", value)

    def found(cache: Path | None) -> list[float]:
        return [
            info.metrics["auc"]
            for info in ExperimentRegistry(place.path, "Ann", cache).list_runs(where="metrics.auc > 0")
        ]

    log(0.5)
    place.keep("old")
    log(0.6)
    assert sorted(found(place.cache)) == [0.5, 0.6]
    place.put_back("old")
    assert found(place.cache) == found(None) == [0.5]
    log(0.7)
    assert sorted(found(place.cache)) == sorted(found(None)) == [0.5, 0.7]


def test_what_was_added_to_the_newer_one_is_stored_again_in_the_old_one(place: Place) -> None:
    (place.root / "large").write_bytes(bytes(range(256)) * 1000)
    place.registry.add("model/large", [place.root / "large"], version="1.0.0")
    place.put_back("old")

    place.registry.add("model/large", [place.root / "large"], version="1.0.0")

    assert place.registry.verify().problems == ()


# Those who met the newer one.


def test_a_clone_notices_that_a_remote_was_restored_from_an_old_backup(place: Place) -> None:
    kept = f"{place.root}/kept/"
    backups.create(place.registry, kept, report=silent)
    place.add("2.0.0", "third")
    clone, _ = init(place.root / "clone", shared=True)
    registry = Registry(clone, "Bob", place.root / "cache of bob", {"origin": str(place.path)})
    Sync(registry, "origin").pull()
    shutil.rmtree(place.path)
    backups.restore(kept, place.path, report=silent)

    for act in (Sync(registry, "origin").pull, Sync(registry, "origin").push, Sync(registry, "origin").fetch):
        with pytest.raises(IntegrityError) as caught:
            act()
        assert caught.value.code == "remote_went_back"
    for number in range(3):
        place.registry.tag("model/net@1.0.0", f"other-{number}")
    with pytest.raises(IntegrityError) as caught:
        Sync(registry, "origin").push()
    assert caught.value.code == "remote_forked"


def test_a_collection_cannot_be_taken_back_where_the_files_did_not_come_along(place: Place) -> None:
    registry = place.registry
    registry.untag("model/net@newer")
    registry.remove(["model/net@1.0.0"])
    collecting.collect(registry, grace=3600, report=silent)
    backups.create(registry, f"{place.root}/kept/", report=silent)
    backups.restore(f"{place.root}/kept", place.root / "again", report=silent)
    again = Registry(place.root / "again", "Ann")

    with pytest.raises(NotFoundError) as caught:
        collecting.undo(again, collecting.LAST)

    assert caught.value.code == "packs_deleted"
    assert again.verify().problems == ()
    assert collecting.undo(registry, collecting.LAST).packs


# Two copies of one.


def copies(place: Place) -> tuple[Registry, Registry]:
    """Return two repositories with one id and one history, of which the first has the second as its remote."""
    place.keep("second")
    second = place.root / "second"
    one = Registry(place.path, "Ann", place.cache, {"copy": str(second)})
    return one, Registry(second, "Bob", place.root / "cache of bob")


def test_two_copies_that_both_went_on_are_united_by_push_and_pull(place: Place) -> None:
    one, two = copies(place)
    (place.root / "weights").write_text("of one")
    one.add("model/net", [place.root / "weights"], version="1.2.0")
    (place.root / "weights").write_text("of two")
    two.add("model/net", [place.root / "weights"], version="1.3.0")
    annotating.label(two, "model/net@1.0.0", {"seen": True})
    collecting.collect(two, grace=0, report=silent)

    Sync(one, "copy").pull()
    Sync(one, "copy").push()

    assert one.versions("model/net") == Registry(two.path, "Bob").versions("model/net")
    assert [info.version for info in one.versions("model/net")] == ["1.3.0", "1.2.0", "1.1.0", "1.0.0"]
    for registry in (one, two):
        assert b"".join(registry.cat("model/net@1.2.0:weights")) == b"of one"
        assert b"".join(registry.cat("model/net@1.3.0:weights")) == b"of two"
        assert registry.verify().problems == ()
    assert not Sync(one, "copy").push().changed
    assert not Sync(one, "copy").pull().changed


@pytest.mark.parametrize("word", ["push", "pull"])
def test_two_copies_that_contradict_each_other_are_refused_and_nothing_is_written(word: str, place: Place) -> None:
    one, two = copies(place)
    for registry, text in ((one, "of one"), (two, "of two")):
        place.add("1.2.0", text, registry)
    before = [registry.repository.log.refresh().number for registry in (one, two)]

    act: Callable[[], object] = getattr(Sync(one, "copy"), word)
    with pytest.raises(ConflictError) as caught:
        act()

    assert caught.value.code == "version_conflict"
    assert [registry.repository.log.refresh().number for registry in (one, two)] == before


def test_a_tag_that_both_copies_moved_is_for_people_to_decide(place: Place) -> None:
    one, two = copies(place)
    one.tag("model/net@1.0.0", "production")
    two.tag("model/net@1.1.0", "newer")
    for word in ("push", "pull"):
        with pytest.raises(ConflictError) as caught:
            getattr(Sync(one, "copy"), word)()
        assert caught.value.code == "tag_conflict"


def test_a_copy_in_place_of_a_remote_that_went_on_apart_is_noticed(place: Place) -> None:
    one, two = copies(place)
    Sync(one, "copy").push()
    two.tag("model/net@1.0.0", "more")
    Sync(one, "copy").pull()
    # The remote is replaced by a copy of the same repository that went another way.
    shutil.rmtree(two.path)
    shutil.copytree(place.root / "old", two.path)
    other = Registry(two.path, "Eve")
    for number in range(6):
        other.tag("model/net@1.0.0", f"other-{number}")

    with pytest.raises(IntegrityError) as caught:
        Sync(one, "copy").push()
    assert caught.value.code == "remote_forked"
