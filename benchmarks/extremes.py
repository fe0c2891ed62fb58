"""A million tiny files, and one file that is mostly a hole: memory, and whether time grows with size and no faster."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import Clock, size_of

IN_DIRECTORY = 1000
FILE_BYTES = 1024


class Extreme(NamedTuple):
    """What adding something took."""

    title: str
    seconds: float
    rate: str
    """What was done a second."""
    peak: float
    """MB of memory."""
    stored: int
    """Bytes."""


def many(clock: Clock, work: Path, mlreg: str, files: int) -> list[Extreme]:
    """Add a tenth of the files, then all of them to another repository, then all again with one changed."""
    rows = []
    for count in (files // 10, files):
        place = work / f"many{count}"
        place.mkdir()
        # In a process of its own: the memory of this one is the least that a peak can be.
        subprocess.run([sys.executable, "-m", "benchmarks.extremes", str(place / "data"), str(count)], check=True)
        clock.run("init", [mlreg, "init"], place)
        rows.append(_add(clock, place, mlreg, f"{count:,} files of 1 KB", count))
    clock.run("settle", [mlreg, "add", "data/set", "data", "--bump", "date"], place)
    middle = files // 2
    (place / "data" / f"{middle // IN_DIRECTORY:04d}" / f"{middle % IN_DIRECTORY:04d}").write_bytes(b"changed")
    rows.append(_add(clock, place, mlreg, f"one of {count:,} changed", count))
    return rows


def _add(clock: Clock, place: Path, mlreg: str, title: str, count: int) -> Extreme:
    before = size_of(place / ".mlreg")
    clock.run(title, [mlreg, "add", "data/set", "data", "--bump", "date"], place, then_sync=True)
    seconds = clock.seconds(title)
    rate = f"{count / seconds:,.0f} files"
    return Extreme(title, seconds, rate, clock.peak(title), size_of(place / ".mlreg") - before)


def sparse(clock: Clock, work: Path, mlreg: str, size: int) -> list[Extreme]:
    """Add a file of a tenth of the size, and one of all of it."""
    rows = []
    for length in (size // 10, size):
        place = work / f"sparse{length}"
        place.mkdir()
        with (place / "data").open("wb") as file:
            file.write(b"not all of it is a hole")
            file.truncate(length)
        clock.run("init", [mlreg, "init"], place)
        title = f"one file of {length / 1e9:g} GB, a hole"
        clock.run(title, [mlreg, "add", "data/set", "data", "--bump", "date"], place, then_sync=True)
        seconds = clock.seconds(title)
        rate = f"{length / seconds / 1e9:.2f} GB"
        rows.append(Extreme(title, seconds, rate, clock.peak(title), size_of(place / ".mlreg")))
        shutil.rmtree(place)
    return rows


def make(place: Path, count: int) -> None:
    """Write tiny files: words that differ from file to file, and numbers."""
    for start in range(0, count, IN_DIRECTORY):
        directory = place / f"{start // IN_DIRECTORY:04d}"
        directory.mkdir(parents=True)
        for number in range(start, min(start + IN_DIRECTORY, count)):
            text = f"row {number}, value {number * 2654435761 % 2**32}\n".encode()
            (directory / f"{number - start:04d}").write_bytes((text * 40)[:FILE_BYTES])


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
