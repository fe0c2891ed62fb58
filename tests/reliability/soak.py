"""Processes that do random operations, are killed, run out of disk and of luck; and nothing acknowledged is lost.

    python -m tests.reliability.soak --operations 10000 --processes 8

Everything follows from the seed, but for when the system lets whom run: the same seed tries the same operations, with
the same faults prepared, in another order.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import NamedTuple

from mlreg.registry.places import init
from tests.reliability import soak_faults
from tests.reliability.ledger import Step, steps_in
from tests.reliability.soak_judge import PLACES, Judge
from tests.reliability.soak_work import OPERATIONS, SKIPPED, NotCleanError, work

FAULTS = (*soak_faults.WEIGHTS, "killed from outside")
ROOM = "4g"
"""Of the disk in memory, where there is one."""


class Asked(NamedTuple):
    """How much is tried."""

    operations: int
    processes: int = 8
    seed: int = 0


class Result(NamedTuple):
    """What came of it."""

    asked: Asked
    steps: tuple[Step, ...]
    kills: int
    """From outside."""
    squeezes: int
    """How often the disk was really full."""
    caches: int
    """How often what is kept for speed was taken away."""
    acknowledged: int
    """Changes that were looked for."""
    lost: tuple[str, ...]
    wrong: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def complaints(self) -> list[str]:
        """What must not be."""
        broken = [
            f"{step.worker} {step.number} {step.operation}, {step.fault}: {step.code}: {step.facts.get('what', '')}"
            for step in self.steps
            if step.end not in ("done", "died") and not _is_lawful(step)
        ]
        return [*self.lost, *self.wrong, *self.problems, *broken]


def _is_lawful(step: Step) -> bool:
    """Tell whether an operation may end so: nothing is damaged, and no two workers want different things."""
    if step.end == "broken":
        return step.code == NotCleanError.__name__ and step.fault != soak_faults.NONE
    # Others may change what a plan rests on.
    return step.code == "plan_changed" or step.exit not in (1, 5, 6)


def soak(place: Path, asked: Asked) -> Result:
    """Let processes work, kill them, and judge what they leave.

    Args:
        place: an empty directory.
        asked: how much.
    """
    for directory in ("disk", "journals", "workers"):
        (place / directory).mkdir()
    chance = random.Random(f"{asked.seed} from outside")
    with _small_disk(place / "disk") as is_mounted:
        for repository in PLACES:
            init(place / "disk" / repository, shared=True)
        happened = _Crew(place, asked, chance, is_mounted).work()
        steps = tuple(step for worker in range(asked.processes) for step in steps_in(place / "journals" / str(worker)))
        judge = Judge(place / "disk", steps)
        judge.look()
    return Result(
        asked,
        tuple(step for step in steps if step.end != SKIPPED),
        happened["kill"],
        happened["squeeze"],
        happened["cache"],
        judge.acknowledged,
        tuple(judge.lost),
        tuple(judge.wrong),
        tuple(judge.problems),
    )


@contextmanager
def _small_disk(disk: Path) -> Iterator[bool]:
    """Mount a disk that can be made too small, where one may; say whether."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(disk)]
    is_mounted = not os.geteuid() and not subprocess.run(command, capture_output=True, check=False).returncode
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(disk)], check=False)


class _Crew:
    """The processes, and what befalls them from outside."""

    def __init__(self, place: Path, asked: Asked, chance: random.Random, is_mounted: bool) -> None:
        self._place, self._asked, self._chance, self._is_mounted = place, asked, chance, is_mounted
        self._happened: Counter[str] = Counter()
        self._context = multiprocessing.get_context("fork")

    def work(self) -> Counter[str]:
        """Keep all at work until each has done its share; return what befell them."""
        workers = {number: self._start(number) for number in range(self._asked.processes)}
        try:
            while workers:
                time.sleep(self._chance.uniform(0.02, 0.3))
                self._interfere(list(workers.values()))
                for number, process in list(workers.items()):
                    if process.exitcode == 0:
                        del workers[number]
                    elif process.exitcode == -signal.SIGKILL:
                        workers[number] = self._start(number)
                    elif process.exitcode is not None:
                        raise RuntimeError(f"worker {number} ended with {process.exitcode}")
        finally:
            for process in workers.values():
                process.kill()
        return self._happened

    def _start(self, number: int) -> ForkProcess:
        share = -(-self._asked.operations // self._asked.processes)
        process = self._context.Process(target=work, args=(self._place, number, self._asked.seed, share))
        process.start()
        return process

    def _interfere(self, workers: Sequence[ForkProcess]) -> None:
        number = self._chance.random()
        if number < 0.5:
            process = self._chance.choice(workers)
            if process.is_alive():
                process.kill()
                process.join()
                self._happened["kill"] += 1
        elif number < 0.6 and self._is_mounted:
            self._squeeze()
        elif number < 0.63:
            # Whoever has it open goes on with what has no name any more.
            shutil.rmtree(self._place / "disk" / "cache", ignore_errors=True)
            self._happened["cache"] += 1

    def _squeeze(self) -> None:
        """Make the disk as small as what is on it, for a moment."""
        disk = self._place / "disk"
        status = os.statvfs(disk)
        used = (status.f_blocks - status.f_bfree) * status.f_frsize // 1024 + 4
        if not _resize(disk, f"{used}k"):
            self._happened["squeeze"] += 1
            time.sleep(self._chance.uniform(0.02, 0.2))
        _resize(disk, ROOM)


def _resize(disk: Path, size: str) -> int:
    command = ["mount", "-o", f"remount,size={size}", str(disk)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def table(result: Result) -> list[str]:
    """Return what happened as Markdown: done / tried, of each operation under each fault."""
    tried = Counter((step.operation, step.fault) for step in result.steps)
    done = Counter((step.operation, step.fault) for step in result.steps if step.end == "done")
    lines = [f"| operation | {' | '.join(FAULTS)} |", "|---" * (len(FAULTS) + 1) + "|"]
    for name in OPERATIONS:
        cells = [f"{done[name, fault]:,} / {tried[name, fault]:,}" if tried[name, fault] else "" for fault in FAULTS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def summary(result: Result) -> str:
    """Return the sum of it in one line."""
    ends = Counter(step.end for step in result.steps)
    return (
        f"{len(result.steps):,} operations by {result.asked.processes} processes, seed {result.asked.seed}: "
        f"{ends['done']:,} acknowledged, {ends['refused']:,} refused, {ends['died']:,} killed in the middle; "
        f"{result.kills:,} kills from outside, {result.squeezes:,} times a full disk, {result.caches:,} caches lost. "
        f"{result.acknowledged:,} states looked for: {len(result.lost)} lost, {len(result.wrong)} wrong bytes, "
        f"{len(result.problems)} problems."
    )


def main() -> None:
    """Soak, print the table, and fail if something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="leave the directory")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="mlreg-soak-"))
    sys.stdout.write(f"seed {options.seed}, in {place}\n")
    sys.stdout.flush()
    try:
        result = soak(place, Asked(options.operations, options.processes, options.seed))
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    sys.stdout.write("\n".join([*table(result), "", summary(result), *result.complaints[:40], ""]))
    sys.exit(bool(result.complaints))


if __name__ == "__main__":
    main()
