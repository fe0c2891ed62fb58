"""A dataset of a million files: what is asked of a few of them must not cost what all of them do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.extremes import IN_DIRECTORY
from benchmarks.timing import Clock
from mlreg.registry.registry import Registry
from mlreg.repository.repository import Repository
from mlreg.stores.directory import DirectoryStore

ROUNDS = 5
CHANGED = 100
"""Files in which the second version differs, each in a folder of its own, as far as there are so many."""


class Answer(NamedTuple):
    """What a question took."""

    title: str
    seconds: float
    peak: float
    """MB of memory."""
    read: float | None = None
    """MB that came from a repository elsewhere, with no clone and nothing kept from before."""


def measure(clock: Clock, work: Path, mlreg: str, files: int) -> list[Answer]:
    """Ask for a folder, a file, and what changed between two versions; then clean up."""
    place, folders = work / "dataset", files // IN_DIRECTORY
    place.mkdir()
    subprocess.run([sys.executable, "-m", "benchmarks.extremes", str(place / "data"), str(files)], check=True)
    add = [mlreg, "add", "data/set", "data", "--version"]
    clock.run("init", [mlreg, "init"], place)
    clock.run("add", [*add, "2026.01.01"], place)
    for number in range(CHANGED):
        (place / "data" / f"{number * folders // CHANGED:04d}" / f"{number:04d}").write_bytes(b"%d" % number)
    clock.run("add again", [*add, "2026.01.02"], place)
    folder, ref = f"{folders // 2:04d}", "data/set@2026.01.02"
    calls = {
        f"`ls` of one folder of {IN_DIRECTORY:,}": [mlreg, "ls", f"{ref}:{folder}"],
        "`get` of one file": [mlreg, "get", f"{ref}:{folder}/0500", "out", "--delete", "--yes"],
        f"`diff` of two versions, {CHANGED} files differ": [mlreg, "diff", "data/set@2026.01.01", ref],
        "`gc`, nothing to do": [mlreg, "gc"],
    }
    first = "`gc`, the first time: everything is looked through"
    clock.run(first, [mlreg, "gc"], place)
    for _ in range(ROUNDS):
        for title, command in calls.items():
            clock.run(title, command, place)
    answers = [Answer(title, clock.seconds(title), clock.peak(title)) for title in (*calls, first)]
    return [*answers, *_elsewhere(place / ".mlreg", f"{ref}:{folder}")]


class _Counting(DirectoryStore):
    """Counts the bytes that are read."""

    count = 0

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        data = super().read(key, start, size)
        self.count += len(data)
        return data


def _elsewhere(path: Path, ref: str) -> list[Answer]:
    """Read from a repository of which nothing is known here yet."""
    answers = []
    for title in ("`ls` of one folder, elsewhere", "`cat` of one file, elsewhere"):
        store = _Counting(path)
        registry = Registry(path, "bench")
        registry.repository = Repository(store)
        if title.startswith("`ls`"):
            registry.files(ref)
        else:
            list(registry.cat(f"{ref}/0500"))
        answers.append(Answer(title, 0.0, 0.0, store.count / 1e6))
    return answers
