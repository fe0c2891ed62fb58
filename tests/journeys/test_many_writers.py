"""Sixteen processes add, tag and push to one registry at once: nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import ConflictError
from mlreg.formats.transaction import Transaction, slot_key
from mlreg.registry import collecting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync

Work = Callable[[Path, int, int], None]

PROCESSES = 16
ROUNDS = 4
"""Versions that each process adds, at scale 1."""


def work_and_push(root: Path, worker: int, rounds: int) -> None:
    """Add, tag and push from a repository of one's own, and note what was acknowledged."""
    place, _ = init(root / f"work{worker}", shared=False)
    registry = Registry(place, f"worker {worker}", root / "cache", {"origin": str(root / "registry")})
    file = root / f"weights{worker}"
    with (root / f"acknowledged{worker}").open("a") as note:
        for number in range(rounds):
            file.write_bytes(b"%d %d" % (worker, number) * 1000)
            entry = f"model/net{worker % 4}"
            version = f"{worker}.{number}.0"
            registry.add(entry, [file], version=version, tags=[f"of-{worker}"])
            Sync(registry, "origin").push()
            note.write(json.dumps([entry, version]) + "\n")
            note.flush()


def share_one(root: Path, worker: int, rounds: int) -> None:
    """Add and tag in one repository that all processes share; one tag is everybody's."""
    registry = Registry(root / "registry", f"worker {worker}", root / "cache")
    file = root / f"weights{worker}"
    with (root / f"acknowledged{worker}").open("a") as note:
        for number in range(rounds):
            file.write_bytes(b"%d %d" % (worker, number) * 1000)
            added = registry.add("model/net", [file], bump="minor", tags=["newest"])
            note.write(json.dumps(["model/net", added.version.version]) + "\n")
            note.flush()


def add_and_remove(root: Path, worker: int, rounds: int) -> None:
    """Add what others add, too, and remove every other version again; some collect, with no grace."""
    registry = Registry(root / "registry", f"worker {worker}", root / "cache" / str(worker % 2))
    file = root / f"weights{worker}"
    with (root / f"acknowledged{worker}").open("a") as note:
        for number in range(rounds):
            # The same bytes come and go under many names, so that what is collected is wanted again at once.
            file.write_bytes(b"%d" % (number % 3) * 100_000)
            entry, versions = f"model/net{worker}", [f"1.{number}.{patch}" for patch in range(2)]
            for version in versions:
                registry.add(entry, [file], version=version)
            registry.remove([f"{entry}@{versions[0]}"])
            note.write(json.dumps([entry, versions[1]]) + "\n")
            note.flush()
            if worker % 4 == 0:
                collecting.collect(registry, grace=0, report=lambda size: None)


def run(root: Path, work: Work, rounds: int, kill_some: bool = False) -> list[tuple[str, str]]:
    """Run sixteen processes, kill a third of them if asked to, and return what they had acknowledged."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(root, number, rounds)) for number in range(PROCESSES)]
    for worker in workers:
        worker.start()
    if kill_some:
        for worker in random.Random(0).sample(workers, PROCESSES // 3):
            worker.join(0.3)
            if worker.pid and worker.is_alive():
                os.kill(worker.pid, signal.SIGKILL)
    for worker in workers:
        worker.join()
    if not kill_some:
        assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    notes = (path.read_text().splitlines() for path in root.glob("acknowledged*"))
    return [(str(entry), str(version)) for lines in notes for entry, version in map(json.loads, lines)]


def assert_sound(root: Path) -> Registry:
    """Check that the log has no gap and no transaction twice, and that nothing is damaged."""
    registry = Registry(root / "registry", "check", None)
    length = registry.repository.log.refresh().number
    slots = sorted(path.name for path in (root / "registry" / "log").iterdir() if not path.name.startswith("."))
    assert slots == [slot_key(number).removeprefix("log/") for number in range(1, length + 1)]
    read = [Transaction.decode((root / "registry" / "log" / slot).read_bytes()) for slot in slots]
    assert len({slot.id for slot in read}) == length
    assert registry.verify().problems == ()
    return registry


@pytest.mark.parametrize("kill_some", [False, True], ids=["all live", "some killed"])
def test_nothing_that_is_needed_is_collected_while_all_write(kill_some: bool, tmp_path: Path, scale: int) -> None:
    init(tmp_path / "registry", shared=True)

    acknowledged = run(tmp_path, add_and_remove, ROUNDS * scale, kill_some)

    registry = assert_sound(tmp_path)
    assert len(acknowledged) > 0
    for entry, version in acknowledged:
        assert len(b"".join(registry.cat(f"{entry}@{version}:weights{entry.removeprefix('model/net')}"))) == 100_000
    done = collecting.collect(registry, grace=0, report=lambda size: None)
    assert done.waiting == 0
    assert assert_sound(tmp_path).verify().orphans == 0 or kill_some


@pytest.mark.parametrize("work", [work_and_push, share_one], ids=["a clone each", "one repository"])
@pytest.mark.parametrize("kill_some", [False, True], ids=["all live", "some killed"])
def test_no_acknowledged_version_is_lost(work: Work, kill_some: bool, tmp_path: Path, scale: int) -> None:
    init(tmp_path / "registry", shared=True)

    acknowledged = run(tmp_path, work, ROUNDS * scale, kill_some)

    registry = assert_sound(tmp_path)
    entries = {entry for entry, _ in acknowledged}
    there = {(entry, info.version) for entry in entries for info in registry.versions(entry)}
    assert set(acknowledged) <= there
    assert len(acknowledged) == len(set(acknowledged))
    if not kill_some:
        assert len(there) == len(acknowledged) == PROCESSES * ROUNDS * scale


def move_and_push(root: Path, worker: int) -> None:
    """Move one tag, each to a version of its own, and push; a conflict is the answer of all but one."""
    registry = Registry(root / f"work{worker}/.mlreg", "me", None, {"origin": str(root / "registry")})
    registry.tag(f"model/net@1.0.{worker + 1}", "production")
    try:
        Sync(registry, "origin").push()
    except ConflictError as error:
        os._exit(5 if error.code == "tag_conflict" else 1)


def test_of_two_that_push_different_moves_of_a_tag_one_gets_a_clear_conflict(tmp_path: Path) -> None:
    init(tmp_path / "registry", shared=True)
    for own in range(2):
        place, _ = init(tmp_path / f"work{own}", shared=False)
        registry = Registry(place, "me", None, {"origin": str(tmp_path / "registry")})
        if own == 0:
            for number in range(3):
                (tmp_path / "weights").write_text(str(number))
                registry.add("model/net", [tmp_path / "weights"], version=f"1.0.{number}")
            registry.tag("model/net@1.0.0", "production")
            Sync(registry, "origin").push()
        else:
            Sync(registry, "origin").pull()
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=move_and_push, args=(tmp_path, number)) for number in range(2)]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(worker.exitcode or 0 for worker in workers) == [0, 5]
    assert_sound(tmp_path)
