"""Timing of whole processes: medians, because the machines that run this are shared and noisy."""

from __future__ import annotations

import os
import resource
import stat
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROUNDS = 3


class Timed(NamedTuple):
    """What one command took, over several rounds."""

    label: str
    seconds: float
    """Median, wall clock."""
    spread: tuple[float, float]
    """Fastest and slowest."""
    peak_mb: float
    """Largest resident memory of any round, in 10^6 bytes."""


class Clock:
    """Runs commands in turn, so that a slow minute of the machine hits all of them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Use an environment for every command."""
        self.environment = dict(environment)
        self.memory = 0
        """Bytes of memory that are taken and given back before each run, see `_take`."""
        self._seconds: dict[str, list[float]] = {}
        self._peak: dict[str, float] = {}

    def run(self, label: str, command: Sequence[str], where: Path, *, then_sync: bool = False) -> None:
        """Run a command once, with everything written before it on the disk already."""
        os.sync()
        _take(self.memory)
        start = time.perf_counter()
        with subprocess.Popen(
            command, cwd=where, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            message = process.stderr.read() if process.stderr else b""
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if then_sync:
            os.sync()
        self._seconds.setdefault(label, []).append(time.perf_counter() - start)
        self._peak[label] = max(self._peak.get(label, 0.0), _megabytes(usage))
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {message.decode(errors='replace')[-500:]}")

    def measure(self, label: str, action: Callable[[], None]) -> None:
        """Time something that is no process."""
        start = time.perf_counter()
        action()
        self._seconds.setdefault(label, []).append(time.perf_counter() - start)

    def results(self) -> list[Timed]:
        """Return what was timed, in the order of first use."""
        return [
            Timed(label, statistics.median(seconds), (min(seconds), max(seconds)), self._peak.get(label, 0.0))
            for label, seconds in self._seconds.items()
        ]

    def peak(self, label: str) -> float:
        """Return the largest resident memory of a label, in 10^6 bytes."""
        return self._peak[label]

    def seconds(self, label: str) -> float:
        """Return the median of a label."""
        return statistics.median(self._seconds[label])


def _take(size: int) -> None:
    """Take memory and give it back.

    A virtual machine gets its memory from the host page by page, and gives back what is free for two seconds: to
    write a file into memory that it does not have at the moment takes three times as long as the writing.
    """
    if size:
        # In a process of its own: the memory of this one is the least that a peak can be.
        script = "import mmap, sys; mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_POPULATE | 0x20)"
        subprocess.run([sys.executable, "-c", script, str(size)], check=True)


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * 1024 / 1e6


def size_of(directory: Path) -> int:
    """Return the bytes of all files below a directory."""
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            # A tool may still be tidying up behind its back.
            with suppress(FileNotFoundError):
                status = Path(place, name).lstat()
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
