"""What has gone wrong elsewhere, played here; `docs/reliability.md` lists all stories, and the tests of all."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mlreg import stores
from mlreg.errors import IntegrityError, MlregError
from mlreg.registry import collecting, pins
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.sync import Sync
from mlreg.repository.repository import Repository
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import Fault, FaultyStore, fail_at


def made(root: Path, name: str, *, remote: str = "") -> Registry:
    """Return a new registry, with a remote of that name or none."""
    place, _ = init(root / name, shared=True)
    return Registry(place, name, None, {"origin": str(root / remote)} if remote else {})


def add(registry: Registry, ref: str, data: bytes) -> None:
    entry, _, version = ref.partition("@")
    file = Path(registry.path).with_name("file")
    file.write_bytes(data)
    registry.add(entry, [file], version=version, reread=True)


def content(registry: Registry, ref: str) -> bytes:
    return b"".join(registry.cat(f"{ref}:file"))


def push(registry: Registry) -> None:
    Sync(registry, "origin").push()


def collect(registry: Registry) -> None:
    collecting.collect(registry, grace=0, report=silent)


def again(registry: Registry) -> Registry:
    """Return a registry that has read nothing yet."""
    return Registry(registry.path, "again", None, registry.remotes)


def packs(registry: Registry) -> list[Path]:
    return sorted(Path(registry.path).glob("packs/*/*.pack"), key=lambda path: path.stat().st_size)


def test_after_a_collection_that_was_cut_anywhere_the_same_bytes_are_stored_again(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(100_000)
    before = made(tmp_path, "before")
    add(before, "model/net@1.0.0", data)
    before.remove(["model/net@1.0.0"])

    for number in range(1, 1000):
        for fault in Fault:
            shutil.rmtree(tmp_path / "cut", ignore_errors=True)
            shutil.copytree(before.path, tmp_path / "cut")
            registry = Registry(tmp_path / "cut", "Ann")
            store = FaultyStore(DirectoryStore(tmp_path / "cut"), fail_at(number, fault))
            try:
                registry.repository = Repository(store)
                collect(registry)
            except MlregError:
                pass
            add(again(registry), "model/net@2.0.0", data)
            assert content(again(registry), "model/net@2.0.0") == data
            assert again(registry).verify().problems == ()
        if number > len(store.calls):
            return


def test_what_waits_to_become_a_version_and_runs_that_are_open_survive_a_collection(tmp_path: Path) -> None:
    registry = made(tmp_path, "here")
    experiments = ExperimentRegistry(registry.path, "Ann")
    run = experiments.start_experiment("churn")
    run.log_bytes(b"an artifact", "part.bin")
    run.log_metric("loss", 1)

    collect(registry)
    info = run.finish()

    assert b"".join(registry.cat(f"{info.ref}:artifacts/part.bin")) == b"an artifact"
    assert registry.verify().problems == ()


def test_a_push_goes_by_what_the_remote_has_and_not_by_what_was_sent_before(tmp_path: Path) -> None:
    registry, _ = made(tmp_path, "here", remote="there"), made(tmp_path, "there")
    add(registry, "model/net@1.0.0", b"weights" * 1000)
    push(registry)
    shutil.rmtree(tmp_path / "there")
    there = made(tmp_path, "there")

    with pytest.raises(IntegrityError) as caught:
        push(registry)
    assert caught.value.code == "remote_replaced"
    pins.forget(registry.path, "origin")
    push(again(registry))

    assert content(again(there), "model/net@1.0.0") == b"weights" * 1000


def test_a_collection_by_one_project_leaves_what_another_has_pushed(tmp_path: Path) -> None:
    shared = made(tmp_path, "shared")
    ann, bob = made(tmp_path, "ann", remote="shared"), made(tmp_path, "bob", remote="shared")
    add(ann, "model/of-ann@1.0.0", b"a" * 50_000)
    add(bob, "model/of-bob@1.0.0", b"b" * 50_000)
    push(ann)
    push(bob)
    there = Registry(shared.path, "ann")
    there.remove(["model/of-ann@1.0.0"])

    collect(there)

    assert content(again(shared), "model/of-bob@1.0.0") == b"b" * 50_000
    assert again(shared).verify().problems == ()


def spoil(registry: Registry) -> None:
    """Change a byte of the bytes of a file."""
    pack = packs(registry)[-1]
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[1000] ^= 1
    pack.write_bytes(data)


def assert_refused(send: Callable[[], object], receiver: Registry) -> None:
    with pytest.raises(IntegrityError):
        send()
    assert again(receiver).entries() == []
    assert again(receiver).verify().problems == ()


def test_a_pull_from_a_damaged_remote_brings_no_wrong_bytes(tmp_path: Path) -> None:
    there, here = made(tmp_path, "there"), made(tmp_path, "here", remote="there")
    add(there, "model/net@1.0.0", random.Random(1).randbytes(200_000))
    spoil(there)

    assert_refused(Sync(here, "origin").pull, here)


def test_a_push_of_what_is_damaged_brings_no_wrong_bytes(tmp_path: Path) -> None:
    there, here = made(tmp_path, "there"), made(tmp_path, "here", remote="there")
    add(here, "model/net@1.0.0", random.Random(1).randbytes(200_000))
    spoil(here)

    assert_refused(Sync(here, "origin").push, there)


def _always(store: FaultyStore, url: str) -> FaultyStore:  # noqa: ARG001 - whatever is opened
    return store


def test_a_push_of_nothing_asks_for_little_however_much_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for count in (1, 40):
        registry = made(tmp_path, f"here{count}", remote=f"there{count}")
        made(tmp_path, f"there{count}")
        for number in range(count):
            add(registry, f"model/net@1.{number}.0", b"%d" % number)
        registry.cache = tmp_path / "cache"
        push(again(registry))
        cached = Registry(registry.path, "Ann", tmp_path / "cache", registry.remotes)
        push(cached)
        store = FaultyStore(DirectoryStore(tmp_path / f"there{count}"))
        monkeypatch.setitem(stores.STORES, "file", partial(_always, store))
        Sync(cached, "origin").push()
        monkeypatch.undo()
        asked.append(len(store.calls))

    assert asked[0] == asked[1] <= 10


def test_what_is_stored_is_there_once(tmp_path: Path) -> None:
    registry, size = made(tmp_path, "here"), 2_000_000
    add(registry, "model/net@1.0.0", os.urandom(size))

    assert sum(path.stat().st_size for path in packs(registry)) < 1.01 * size
    assert [path.stat().st_size for path in Path(registry.path).rglob("*") if path.is_file()].count(size) == 0


def test_a_clone_reads_on_when_what_it_came_from_is_collected_and_gone(tmp_path: Path) -> None:
    there, here = made(tmp_path, "there"), made(tmp_path, "here", remote="there")
    add(there, "model/net@1.0.0", b"weights" * 10_000)
    Sync(here, "origin").pull()
    there.remove(["model/net@1.0.0"])
    collect(there)
    shutil.rmtree(there.path)

    assert content(again(here), "model/net@1.0.0") == b"weights" * 10_000


def test_nothing_is_ever_locked_by_a_file() -> None:
    sources = (Path(__file__).parents[2] / "src" / "mlreg").rglob("*.py")
    locks = ("fcntl", "flock", "lockf", "msvcrt")

    found = [path.name for path in sources if any(word in path.read_text(encoding="utf-8") for word in locks)]

    assert found == []
