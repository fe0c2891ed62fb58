"""Processes at work on a real file system whose power is cut, again and again: they go on where they were."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import NamedTuple

from mlreg.registry.places import init
from tests.reliability.disks import Disk
from tests.reliability.ledger import steps_in
from tests.reliability.soak_judge import PLACES, Judge
from tests.reliability.soak_work import work

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

    def judge(self) -> Judge:
        """Look what is left."""
        paths = sorted((self.place / "journals").iterdir())
        judge = Judge(self.place / "disk", [step for path in paths for step in steps_in(path)])
        judge.look_after_a_cut()
        return judge


class Cuts(NamedTuple):
    """What came of several cuts of one disk."""

    cuts: int
    acknowledged: int
    """States that were looked for after them."""
    complaints: tuple[str, ...]


def cut_often(disk: Disk, place: Path, cuts: int) -> Cuts:
    """Let processes work on a disk, and cut its power at a moment of chance; look, and let them go on.

    Args:
        disk: below `place`.
        place: where they write down what was acknowledged, on another disk.
        cuts: how often.
    """
    crew, chance = Crew(place), random.Random(disk.kind)
    acknowledged = 0
    complaints: list[str] = []
    for number in range(cuts):
        crew.start(number)
        try:
            crew.work_until(crew.lines() + chance.randrange(40, 160))
            disk.cut(crew.end)
        finally:
            crew.end()
        judge = crew.judge()
        acknowledged += judge.acknowledged
        complaints += [f"cut {number}: {text}" for text in (*judge.lost, *judge.wrong, *judge.problems)]
    return Cuts(cuts, acknowledged, tuple(complaints))
