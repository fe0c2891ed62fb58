"""Merging as its users meet it: here and not elsewhere, switched off by a setting, and no hindrance to a push."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mlreg.config import Config
from mlreg.operations.merging import MANY
from mlreg.registry import collecting
from mlreg.registry.model import ModelRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.repacking import preview, repack
from mlreg.registry.sync import Sync
from mlreg.repository.objects import pack_key


def silent(size: int) -> None:
    """Take no notice of progress."""


@pytest.fixture
def there(tmp_path: Path) -> Registry:
    return Registry(init(tmp_path / "there", shared=True)[0], "Eve")


@pytest.fixture
def here(tmp_path: Path, there: Registry) -> Registry:
    return Registry(init(tmp_path / "here", shared=True)[0], "Ann", tmp_path / "cache", {"origin": there.path})


def fill(registry: Registry, line: int, count: int) -> None:
    file = Path(registry.path).parent / "weights"
    for number in range(count):
        file.write_bytes(random.Random(f"{line} {number}").randbytes(1000))
        registry.add("model/net", [file], version=f"{line}.{number}.0")


def packs(registry: Registry) -> int:
    return len(registry.repository.log.refresh().live_packs())


def test_what_is_pushed_is_merged_here_and_not_there(here: Registry, there: Registry) -> None:
    for number in range(MANY + 1):
        fill(here, number, 1)
        Sync(here, "origin").push()

    assert packs(here) < 6
    assert packs(there) == 2 * (MANY + 1)


def test_what_is_pulled_is_merged_here(here: Registry, there: Registry) -> None:
    there.repository.merges = False
    fill(there, 1, 3 * MANY)

    Sync(here, "origin").pull()

    assert packs(there) == 6 * MANY
    assert packs(here) == 2
    assert here.verify().problems == ()
    assert here.verify().versions == 3 * MANY


def test_after_a_merge_a_push_sends_what_is_missing_and_no_more(here: Registry, there: Registry) -> None:
    fill(here, 1, 12)
    Sync(here, "origin").push()
    fill(here, 2, 3)
    repack(here, delta=False, grace=0, report=silent)
    assert packs(here) == 2

    done = Sync(here, "origin").push()

    assert len(done.versions) == 3
    assert 3 * 1000 < done.size < 6 * 1000
    assert there.verify().problems == ()
    assert Sync(here, "origin").push().size == 0


def test_a_clone_keeps_the_packs_of_before_and_of_after_a_merge_apart(
    here: Registry, there: Registry, tmp_path: Path
) -> None:
    """Both repositories merge the same packs, each for itself, and then meet again."""
    fill(here, 1, 5)
    Sync(here, "origin").push()
    for registry in (here, there):
        repack(registry, delta=False, grace=0, report=silent)
    fill(here, 2, 5)
    Sync(here, "origin").push()
    fresh = Registry(init(tmp_path / "fresh", shared=True)[0], "Bob", remotes={"origin": there.path})
    Sync(fresh, "origin").pull()
    Sync(here, "origin").pull()

    for registry in (here, there, fresh):
        assert registry.verify().problems == ()
        assert registry.verify().versions == 10


def test_another_repository_is_merged_when_it_is_asked_for(here: Registry, there: Registry) -> None:
    fill(there, 1, 5)
    tried = preview(here.elsewhere("origin"), delta=False, grace=0, report=silent)
    assert packs(there) == 10

    done = repack(here.elsewhere("origin"), delta=False, grace=3600, report=silent)

    assert (tried.merged, tried.merged_into) == (done.merged, done.merged_into) == (10, 2)
    assert packs(there) == 2


def test_a_setting_leaves_packs_to_who_asks(tmp_path: Path) -> None:
    place, _ = init(tmp_path / "project", shared=False)
    for value in ("false", "true"):
        Config(tmp_path / "project", {"HOME": str(tmp_path)}).set("repack.auto", value)
        config = Config(tmp_path / "project", {"HOME": str(tmp_path), "MLREG_AUTHOR": "Ann"})
        models = ModelRegistry(**config.get_registry_config())
        for number in range(MANY):
            models.register_model(b"%s %d" % (value.encode(), number), "net", f"{len(value)}.{number}.0")
        expected = {"false": 2 * MANY, "true": 2}[value]
        assert packs(Registry(place, "Eve")) == expected


def test_who_works_on_while_packs_are_merged_gets_what_was(here: Registry) -> None:
    fill(here, 1, 3)
    here.remove(["model/net@1.0.0"])
    here.tag("model/net@1.1.0", "production")
    repack(here, delta=False, grace=0, report=silent)

    done = collecting.collect(here, grace=3600, report=silent)
    repack(here, delta=False, grace=3600, report=silent)
    fill(here, 2, 1)
    repack(here, delta=False, grace=3600, report=silent)

    assert [version.ref for version in done.versions] == ["model/net@1.0.0"]
    back = collecting.undo(here, collecting.LAST)
    assert (back.transaction, back.packs) == (done.transactions[-1], done.packs)
    here.restore(["model/net@1.0.0"])
    assert b"".join(here.cat("model/net@1.0.0:weights")) == random.Random("1 0").randbytes(1000)
    assert here.verify().problems == ()


def test_a_merge_that_removes_no_file_yet_is_seen_in_what_waits(here: Registry) -> None:
    fill(here, 1, 3)
    before = here.repository.log.refresh().live_packs()

    done = repack(here, delta=False, grace=3600, report=silent)

    assert (done.deleted, done.waiting) == (0, sum(pack.size for pack in before))
    assert all(here.repository.store.size(pack_key(pack.id)) for pack in before)
    done = repack(here, delta=False, grace=0, report=silent)
    assert (done.deleted, done.waiting, done.merged) == (sum(pack.size for pack in before), 0, 0)
    assert not any(here.repository.store.size(pack_key(pack.id)) for pack in before)
