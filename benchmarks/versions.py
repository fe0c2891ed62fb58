"""Versions of files in and out, beside the tools that keep them: a large file, many small ones, a series, a remote."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import Clock, size_of
from benchmarks.tools import Commands, Tool, tools

ROUNDS = 3


class Workload(NamedTuple):
    """What is kept, and how it changes from version to version."""

    name: str
    size: int
    """What `benchmarks.workload` makes it of: bytes, or files."""
    leaves: Sequence[str] = ()
    """Tools that are left out, because they take minutes."""
    copies: tuple[str, ...] = ("cp", "-r")


STEPS = ("add", "again", "changed", "get")


def measure(clock: Clock, work: Path, mlreg: str, workload: Workload) -> list[dict[str, object]]:
    """Return a row for each tool: seconds of each step, and bytes of its store after the first one and the last.

    The data lie where the tool wants them. Every step ends with `sync`. Nothing is deleted before the end: a file
    system is slow for a while after many files were deleted.
    """
    origin = work / "origin"
    _make(origin, workload)
    clock.memory = 2 * size_of(origin)
    chosen = [tool for tool in tools(mlreg) if tool.name not in workload.leaves]
    stored: dict[str, tuple[int, int]] = {}
    for number in range(ROUNDS):
        clock.run("cp", [*workload.copies, str(origin), str(work / f"copy{number}")], work, then_sync=True)
        for tool in chosen:
            place = work / f"{tool.name}{number}"
            place.mkdir()
            shutil.copytree(origin, place / "data")
            stored[tool.name] = _run(clock, tool, place, workload)
            if workload.name == "weights":
                shutil.rmtree(place)
    rows = [_row(clock, tool, stored[tool.name], size_of(origin)) for tool in chosen]
    shutil.rmtree(work)
    return rows


def _make(place: Path, workload: Workload) -> None:
    # In a process of its own: the memory of this one is the least that a peak can be.
    command = [sys.executable, "-m", "benchmarks.workload", workload.name, str(place), str(workload.size)]
    subprocess.run(command, check=True)


def _change(place: Path, workload: Workload, version: int) -> None:
    command = [sys.executable, "-m", "benchmarks.workload", f"{workload.name}-changed", str(place), str(version)]
    subprocess.run(command, check=True)


def _run(clock: Clock, tool: Tool, place: Path, workload: Workload) -> tuple[int, int]:
    _all(clock, f"{tool.name} set-up", tool.prepare, place, 0)
    _all(clock, f"{tool.name} add", tool.add, place, 0)
    first = size_of(place / tool.store)
    # Right after they were written, files may not be taken for unchanged by their times.
    _all(clock, f"{tool.name} settle", tool.add, place, 1)
    _all(clock, f"{tool.name} again", tool.add, place, 2)
    _change(place / "data", workload, 1)
    _all(clock, f"{tool.name} changed", tool.add, place, 3)
    _all(clock, f"{tool.name} get", tool.get, place, 3)
    return first, size_of(place / tool.store)


def series(clock: Clock, work: Path, mlreg: str, size: int, versions: int = 10) -> list[dict[str, object]]:
    """Return a row for each tool: seconds of a version on average, and stored bytes of all."""
    workload, rows = Workload("weights", size), []
    for tool in tools(mlreg):
        place = work / tool.name
        place.mkdir()
        _make(place / "data", workload)
        _all(clock, f"{tool.name} set-up", tool.prepare, place, 0)
        first = 0
        for version in range(versions):
            _change(place / "data", workload, version) if version else None
            _all(clock, f"{tool.name} version", tool.add, place, version)
            first = first or size_of(place / tool.store)
        rows.append(
            {
                "tool": tool.name,
                "add": clock.seconds(f"{tool.name} version"),
                "first": first,
                "stored": size_of(place / tool.store),
                "raw": versions * size_of(place / "data"),
            }
        )
        shutil.rmtree(place)
    return rows


def remote(clock: Clock, work: Path, mlreg: str, workload: Workload) -> list[dict[str, object]]:
    """Return a row for each tool that has remotes: seconds to push all, nothing, and a change, and of a clone."""
    rows = []
    for tool in tools(mlreg):
        if not tool.push or tool.name in workload.leaves:
            continue
        for number in range(ROUNDS):
            place = work / f"{tool.name}{number}"
            place.mkdir()
            _make(place / "data", workload)
            clock.memory = 2 * size_of(place / "data")
            _all(clock, f"{tool.name} set-up", [*tool.prepare, *_filled(tool.add, 0)], place, 0)
            _all(clock, f"{tool.name} push", tool.push, place, 0)
            _all(clock, f"{tool.name} no-op", tool.push, place, 0)
            _change(place / "data", workload, 1)
            _all(clock, f"{tool.name} set-up", tool.add, place, 1)
            _all(clock, f"{tool.name} push changed", tool.push, place, 1)
            _all(clock, f"{tool.name} clone", tool.clone, place, 1)
        steps = ("push", "no-op", "push changed", "clone")
        rows.append({"tool": tool.name, **{step: clock.seconds(f"{tool.name} {step}") for step in steps}})
    shutil.rmtree(work)
    return rows


def _all(clock: Clock, label: str, commands: Commands, place: Path, version: int) -> None:
    if not commands:
        return
    # One process for all steps, so that the label has one time and one peak.
    script = " && ".join(" ".join(f"'{word}'" for word in command) for command in _filled(commands, version))
    clock.run(label, ["sh", "-c", script], place, then_sync=True)


def _filled(commands: Commands, version: int) -> list[list[str]]:
    return [[word.replace("{n}", str(version)) for word in command] for command in commands]


def _row(clock: Clock, tool: Tool, stored: tuple[int, int], raw: int) -> dict[str, object]:
    results = {timed.label: timed for timed in clock.results()}
    seconds = {step: results[label].seconds for step in STEPS if (label := f"{tool.name} {step}") in results}
    peak = max(results[f"{tool.name} {step}"].peak_mb for step in seconds)
    return {"tool": tool.name, **seconds, "first": stored[0], "grown": stored[1] - stored[0], "raw": raw, "peak": peak}
