"""`verify`, beside reading and hashing the same packs in one process; and `du` of many versions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.registry_speed import many_versions
from benchmarks.timing import Clock, size_of

ROUNDS = 5


class Verified(NamedTuple):
    """How fast a store was checked."""

    title: str
    size: int
    """Bytes of its packs."""
    plain: int
    """Bytes of its files."""
    hashed: float
    """Seconds that reading and hashing took."""
    stored: float
    """Seconds of `verify --stored`."""
    full: float
    """Seconds of `verify`, which decodes everything and computes every id."""
    peak: float
    """MB of memory of `verify`."""


def measure(clock: Clock, work: Path, mlreg: str, size: int, files: int) -> list[Verified]:
    """Check weights, small files, and bytes that do not compress; in memory, and read from the disk."""
    noise = ["dd", "if=/dev/urandom", "of=data/noise", "bs=1M", f"count={size >> 20}"]
    workload = [sys.executable, "-m", "benchmarks.workload"]
    made = {
        f"one file of {size / 1e6:.0f} MB of weights": [*workload, "weights", "data", str(size)],
        f"{files:,} files of 1 to 20 KB": [*workload, "files", "data", str(files)],
        f"one file of {size / 1e6:.0f} MB of noise": noise,
    }
    return [
        row for number, title in enumerate(made) for row in _store(clock, work / str(number), mlreg, title, made[title])
    ]


def _store(clock: Clock, place: Path, mlreg: str, title: str, make: Sequence[str]) -> Iterator[Verified]:
    (place / "data").mkdir(parents=True)
    environment = {**clock.environment, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    subprocess.run(make, cwd=place, env=environment, check=True, stderr=subprocess.DEVNULL)
    for words in (["init"], ["add", "data/set", "data", "--version", "2026.01.01"]):
        subprocess.run([mlreg, *words, "-q"], cwd=place, env=clock.environment, check=True, stdout=subprocess.DEVNULL)
    packs = place / ".mlreg" / "packs"
    calls = {
        "hash": [sys.executable, str(Path(__file__).with_name("hashing.py")), str(packs)],
        "stored": [mlreg, "verify", "--stored"],
        "full": [mlreg, "verify"],
    }
    for where, prepare in (("memory", _leave), ("disk", _forget)):
        for _ in range(ROUNDS):
            for call, command in calls.items():
                prepare(packs)
                clock.run(f"{title}, {where}, {call}", command, place)
        hashed, stored, full = (clock.seconds(f"{title}, {where}, {call}") for call in calls)
        plain, peak = size_of(place / "data"), clock.peak(f"{title}, {where}, full")
        yield Verified(f"{title}, from {where}", size_of(packs), plain, hashed, stored, full, peak)


def _leave(packs: Path) -> None:
    """Leave files in memory, where they are."""


def _forget(packs: Path) -> None:
    """Let the system forget what files hold, so that it is read from the disk; on a disk that is memory it cannot."""
    for path in packs.rglob("*.pack"):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def disk_use(clock: Clock, work: Path, mlreg: str, versions: int) -> tuple[float, float]:
    """Return how many seconds `du` of a repository with many versions takes: the first time, and later."""
    place = work / "many"
    many_versions(place, versions)
    clock.run("du, the first time", [mlreg, "du"], place)
    for _ in range(ROUNDS):
        clock.run("du", [mlreg, "du"], place)
    return clock.seconds("du, the first time"), clock.seconds("du")
