"""No writer puts a slot into the log that a reader could not fold: see docs/decisions/0012."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.errors import IntegrityError, RefusedError
from mlreg.formats.transaction import RefChange
from mlreg.ids import CommitId
from mlreg.operations import transfer
from mlreg.registry import Registry
from mlreg.registry.places import init
from mlreg.registry.sync import Sync
from mlreg.repository.log import Draft
from mlreg.repository.repository import Repository, create_repository
from mlreg.stores.memory import MemoryStore

COMMIT = CommitId(bytes(32))


@pytest.fixture
def repository() -> Repository:
    store = MemoryStore()
    create_repository(store)
    return Repository(store)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    place, _ = init(tmp_path / "here", shared=True)
    (tmp_path / "file").write_bytes(b"one")
    found = Registry(place, "Ann", tmp_path / "cache")
    found.add("model/net", [tmp_path / "file"], version="1.0.0", tags=["golden", "golden"])
    return found


def test_a_name_that_stands_twice_in_a_draft_gets_no_slot(repository: Repository) -> None:
    change = RefChange("tag/model/net/golden", None, COMMIT)

    with pytest.raises(IntegrityError) as caught:
        repository.log.append(lambda view: Draft("Ann", refs=(change, change)))
    assert caught.value.code == "bad_log"
    assert repository.log.refresh().number == 0


def test_a_transaction_that_is_too_large_gets_no_slot(repository: Repository) -> None:
    changes = tuple(RefChange(f"version/model/net/1.0.{n}", None, COMMIT) for n in range(80_000))

    with pytest.raises(RefusedError) as caught:
        repository.log.append(lambda view: Draft("Ann", refs=changes))
    assert caught.value.code == "transaction_too_large"
    assert repository.log.refresh().number == 0


def test_a_tag_that_is_given_twice_is_set_once(registry: Registry) -> None:
    assert [tag.ref for tag in registry.tags()] == ["model/net@golden"]


def test_a_version_that_is_named_twice_is_removed_and_restored_once(registry: Registry) -> None:
    registry.untag("model/net@golden")
    registry.remove(["model/net@1.0.0", "model/net@1.0.0"])
    registry.restore(["model/net@1.0.0", "model/net@1.0.0"])

    assert registry.verify().problems == ()


def test_two_who_push_the_same_pack_at_once_both_succeed(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second names a pack that became live while it was copied."""
    origin, shared = (str(init(tmp_path / name, shared=True)[0]) for name in ("origin", "shared"))
    remotes = {"origin": origin, "shared": shared}
    one = Registry(registry.path, "Ann", tmp_path / "cache", remotes)
    Sync(one, "origin").push()
    there, _ = init(tmp_path / "there", shared=True)
    other = Registry(there, "Bob", tmp_path / "cache", remotes)
    Sync(other, "origin").pull()
    other.add("model/other", [tmp_path / "file"], version="1.0.0", metadata={"by": "Bob"})
    copy = transfer._Copying.copy

    def copy_while_another_pushes(self: transfer._Copying, wanted: list[object]) -> None:
        copy(self, wanted)  # type: ignore[arg-type]  # what it was called with
        monkeypatch.setattr(transfer._Copying, "copy", copy)
        Sync(one, "shared").push()

    monkeypatch.setattr(transfer._Copying, "copy", copy_while_another_pushes)
    Sync(other, "shared").push()

    assert [entry.ref for entry in Registry(shared, "").entries()] == ["model/net", "model/other"]
    assert Registry(shared, "").verify().problems == ()
