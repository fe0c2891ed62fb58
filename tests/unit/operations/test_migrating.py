"""A repository of an earlier format becomes one of the newest, with the same ids and history, or stays as it is.

There was no earlier format yet, so these tests make one up: format 0, whose `mlreg.json` says so, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import IntegrityError, MlregError, UnavailableError, UnsupportedError, UsageError
from mlreg.formats import identity as identities
from mlreg.formats.transaction import slot_key
from mlreg.ids import TransactionHash
from mlreg.operations import migrating
from mlreg.operations.migrating import migrate
from mlreg.registry.annotating import freeze
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.repository.repository import Repository
from mlreg.stores.directory import DirectoryStore


def files_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def events(root: Path) -> list[object]:
    """Return all that a registry says of versions, tags, statements and who did what when."""
    registry = Registry(root, "Bob")
    return [registry.log(), registry.tags(), registry.show("model/net@1.1.0"), registry.versions("model/net")]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository of format 0, which this release then reads."""
    root, _ = init(tmp_path, shared=False)
    registry = Registry(root, "Ann")
    (tmp_path / "weights").write_bytes(b"weights" * 1000)
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        (tmp_path / "note").write_text(version)
        registry.add("model/net", [tmp_path / "weights", tmp_path / "note"], version=version, tags=["best"])
    registry.remove(["model/net@1.0.0"])
    freeze(registry, "model/net@1.1.0", "in a product")
    (root / "config.yaml").write_text("author: Ann\n")
    (root / "runs" / "one").mkdir(parents=True)
    (root / "runs" / "one" / "host.journal").write_text("{}\n")
    store = DirectoryStore(root)
    with_log = Repository(store)
    slots = list(with_log.log.slots(1, with_log.identity.origin))
    identity = with_log.identity._replace(format=0)
    previous = identity.origin
    for slot, _ in slots:
        data = slot._replace(previous=previous).encode()
        previous = TransactionHash.of(data)
        store.delete(slot_key(slot.number))
        store.create(slot_key(slot.number), data)
    store.delete(identities.KEY)
    store.create(identities.KEY, identity.encode())
    with pytest.raises(UnsupportedError, match="format 0"):
        Repository(store)
    monkeypatch.setattr(identities, "OLDER", frozenset({0}))
    return root


def test_all_is_the_same_afterwards_and_the_old_one_is_untouched(old: Path) -> None:
    before, said = files_of(old), events(old)

    done = migrate(old, silent)

    assert (done.before, done.kept) == (0, old.with_name(".mlreg.before-migration"))
    assert done.kept
    assert files_of(done.kept) == before
    assert events(old) == said
    after = files_of(old)
    assert b'"format":1' in after[identities.KEY]
    assert {key for key in before if not key.startswith("snapshots/")} <= set(after)
    same = [key for key in before if key.startswith(("packs/", "runs/", "config.yaml"))]
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert Registry(old, "Bob").verify().is_clean
    # It goes on.
    Registry(old, "Bob").restore(["model/net@1.0.0"])


def test_a_repository_of_the_newest_format_stays_as_it_is(tmp_path: Path) -> None:
    root, _ = init(tmp_path, shared=False)
    before = files_of(root)

    assert migrate(root, silent).kept is None
    assert files_of(root) == before


def test_damage_in_the_old_one_is_found_and_nothing_is_changed(old: Path) -> None:
    pack = next(iter((old / "packs").rglob("*.pack")))
    pack.chmod(0o644)
    pack.write_bytes(bytes([pack.read_bytes()[0] ^ 1]) + pack.read_bytes()[1:])
    before = files_of(old)

    with pytest.raises(IntegrityError, match="is not what"):
        migrate(old, silent)

    assert files_of(old) == before


def test_a_name_that_was_lost_on_the_way_is_found(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = migrating._write

    def forgetting(repository: Repository, root: Path, place: Path, report: Callable[[int], None]) -> None:
        write(repository, root, place, report)
        (place / slot_key(repository.log.view.number)).unlink()
        for snapshot in (place / "snapshots").iterdir():
            snapshot.unlink()

    monkeypatch.setattr(migrating, "_write", forgetting)
    before = files_of(old)

    with pytest.raises(IntegrityError, match="is not what"):
        migrate(old, silent)
    assert files_of(old) == before


def test_who_writes_meanwhile_loses_nothing(old: Path) -> None:
    written: list[int] = []

    def write(size: int) -> None:
        if not written:
            written.append(size)
            freeze(Registry(old, "Bob"), "model/net", "meanwhile")

    with pytest.raises(UnavailableError, match="someone wrote"):
        migrate(old, write)

    assert Registry(old, "Bob").verify().is_clean
    assert not old.with_name(".mlreg.before-migration").exists()


@pytest.mark.parametrize("left", [".mlreg.migrating", ".mlreg.before-migration"])
def test_what_an_earlier_migration_left_is_not_overwritten(left: str, old: Path) -> None:
    old.with_name(left).mkdir()

    with pytest.raises(UsageError, match=r"cannot be migrated"):
        migrate(old, silent)


def test_one_that_was_stopped_left_the_old_one_as_it_was(old: Path) -> None:
    before = files_of(old)

    class Stopped(Exception):
        pass

    def stop(size: int) -> None:
        raise Stopped(size)

    with pytest.raises(Stopped):
        migrate(old, stop)

    assert files_of(old) == before
    # What it left is no repository yet.
    with pytest.raises(MlregError, match="no mlreg repository"):
        Repository(DirectoryStore(old.with_name(".mlreg.migrating")))
