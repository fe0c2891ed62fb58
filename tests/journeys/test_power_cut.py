"""A power cut right after a command reported that it is done, and at any moment: everything acknowledged is there.

The file systems are real, in image files; a control proves that what was not synced is really lost.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from mlreg.registry.places import init
from tests.reliability.disks import MAKE, Disk, opened
from tests.reliability.ledger import steps_in
from tests.reliability.soak_judge import PLACES, Judge
from tests.reliability.soak_work import work


@pytest.fixture(params=sorted(MAKE))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    yield from opened(request.param, tmp_path)


def mlreg(where: Path, *words: str) -> str:
    """Run the real command; what it reports as done is done."""
    command = [sys.executable, "-m", "mlreg", *words]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_not_synced_is_lost_so_that_the_cut_is_one(disk: Disk) -> None:
    (disk.mounted / "late").write_bytes(b"x" * 100_000)

    disk.cut()

    late = disk.mounted / "late"
    assert not late.exists() or late.stat().st_size == 0


def test_what_was_reported_as_done_is_there_after_a_cut(disk: Disk, tmp_path: Path) -> None:
    project, registry = disk.mounted / "project", disk.mounted / "registry"
    weights = tmp_path / "weights.bin"
    weights.write_bytes(os.urandom(9_000_000))
    mlreg(disk.mounted, "init", "project")
    disk.cut()

    mlreg(project, "add", "model/net", str(weights), "--version", "1.0.0")
    disk.cut()
    assert mlreg(project, "verify").startswith("clean: 1 transaction, 1 version")

    mlreg(project, "tag", "model/net@1.0.0", "production")
    disk.cut()
    assert mlreg(project, "rev-parse", "model/net@production") == "model/net@1.0.0\n"

    mlreg(project, "init", "--shared", str(registry))
    mlreg(project, "remote", "add", "origin", str(registry))
    os.sync()  # settings are no promise; the push is
    mlreg(project, "push")
    disk.cut()
    assert mlreg(project, "verify", str(registry)).startswith("clean: 1 transaction, 1 version")

    mlreg(project, "get", "model/net@production", "out")
    disk.cut()
    assert (project / "out" / "weights.bin").read_bytes() == weights.read_bytes()


def test_files_in_directories_that_get_has_made_are_there_after_a_cut(disk: Disk, tmp_path: Path) -> None:
    project, tree = disk.mounted / "project", tmp_path / "tree"
    mlreg(disk.mounted, "init", "project")
    for name in ("a/b/c/deep", "a/b/middle", "top"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    mlreg(project, "add", "data/tree", str(tree), "--bump", "date")
    mlreg(project, "get", "data/tree", "new/place")
    disk.cut()
    for name in ("a/b/c/deep", "a/b/middle", "top"):
        assert (project / "new" / "place" / name).read_text() == name


def test_many_files_that_get_has_written_are_there_after_a_cut(disk: Disk, tmp_path: Path) -> None:
    """They are flushed together, not one by one."""
    project, tree = disk.mounted / "project", tmp_path / "tree"
    mlreg(disk.mounted, "init", "project")
    for number in range(300):
        file = tree / str(number % 20) / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number} " * 100)
    mlreg(project, "add", "data/tree", str(tree), "--bump", "date")
    disk.cut()
    mlreg(project, "get", "data/tree", "new/place")
    disk.cut()

    there = project / "new" / "place"
    found = {path.relative_to(there): path.read_text() for path in there.rglob("*") if path.is_file()}
    assert found == {path.relative_to(tree): path.read_text() for path in tree.rglob("*") if path.is_file()}


WORKERS = 3


class Crew:
    """Workers on a disk, who write down elsewhere what was acknowledged; they go on where they were."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for directory in ("journals", "workers"):
            (place / directory).mkdir()
        for repository in PLACES:
            init(place / "disk" / repository, shared=True)
        os.sync()
        self.workers: list[ForkProcess] = []

    def lines(self) -> int:
        return sum(path.read_bytes().count(b"\n") for path in (self.place / "journals").iterdir())

    def start(self, seed: int) -> None:
        context = multiprocessing.get_context("fork")
        arguments = [(self.place, number, seed, 1 << 30, True) for number in range(WORKERS)]
        self.workers = [context.Process(target=work, args=some) for some in arguments]
        for worker in self.workers:
            worker.start()

    def work_until(self, lines: int) -> None:
        while self.lines() < lines:
            assert all(worker.is_alive() for worker in self.workers)
            time.sleep(0.001)
        for worker in self.workers:
            os.kill(worker.pid or 0, signal.SIGSTOP)

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.join()

    def judge(self) -> list[str]:
        paths = sorted((self.place / "journals").iterdir())
        judge = Judge(self.place / "disk", [step for path in paths for step in steps_in(path)])
        judge.look_after_a_cut()
        return [*judge.lost, *judge.wrong, *judge.problems]


def test_whenever_the_power_goes_what_was_acknowledged_is_there(disk: Disk, tmp_path: Path, scale: int) -> None:
    crew, chance = Crew(tmp_path), random.Random(disk.kind)
    for number in range(scale):
        crew.start(number)
        try:
            crew.work_until(crew.lines() + chance.randrange(60, 400))
            disk.cut(crew.end)
        finally:
            crew.end()

        assert crew.judge() == [], f"cut {number}"
