"""Runs that are not sealed: the directories in which their writers keep journals.

Reading needs no lock and disturbs no writer: what is there so far is read, and a line that is being written is
left for the next time.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, explain
from mlreg.formats.journal import SUFFIX, Reading, read_journal
from mlreg.formats.run import RunState, Status, is_run_id
from mlreg.operations.journaling import FILES
from mlreg.operations.processes import began_of

SILENT = 120.0
"""Seconds without a sign of life from another host after which a writer counts as dead."""


class LiveRun(NamedTuple):
    """A run that is not sealed, as it is at the moment."""

    directory: Path
    state: RunState
    status: Status
    damaged: int
    """Lines of its journals that are not as they were written, or half written."""
    sizes: tuple[tuple[str, int], ...]
    """Name and bytes of each journal that were read; who comes later sees whether more was said."""

    @property
    def files(self) -> Path:
        """Where the files lie that were logged."""
        return self.directory / FILES


def live_ids(runs: Path) -> list[str]:
    """Return the ids of the runs below a directory, the oldest first."""
    try:
        return sorted(entry.name for entry in os.scandir(runs) if is_run_id(entry.name) and entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise explain(error, str(runs)) from error


def read_live_run(runs: Path, run: str) -> LiveRun:
    """Return a run as its journals have it.

    Raises:
        NotFoundError: `run_missing`, there is no such directory, or no journal in it.
    """
    directory = runs / run
    found = dict(_journals(directory))
    if not found:
        raise NotFoundError("run_missing", f"there is no run {run} that lives", fix="mlreg run ls")
    readings = {path: read_journal(data) for path, data in found.items()}
    state = RunState(run)
    for record in _in_order(list(readings.values())):
        state.take(record)
    damaged = sum(reading.damaged for reading in readings.values())
    sizes = tuple((path.name, len(data)) for path, data in found.items())
    return LiveRun(directory, state, _status(state, readings), damaged, sizes)


def _journals(directory: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield each journal and what it holds; one that another process has just sealed and taken away is passed over."""
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith(SUFFIX))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        try:
            yield directory / name, (directory / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise explain(error, str(directory / name)) from error


def _in_order(readings: Sequence[Reading]) -> Iterator[dict[str, Any]]:
    """Yield the records of all writers by time; those of one writer stay in its order, whatever its clock did."""
    if len(readings) == 1:
        return iter(readings[0].records)
    return (record for _, _, record in merge(*map(_timed, range(len(readings)), readings), key=lambda one: one[:2]))


def _timed(number: int, reading: Reading) -> Iterator[tuple[int, int, dict[str, Any]]]:
    latest = 0
    for record in reading.records:
        latest = max(latest, record["time"])
        yield latest, number, record


def _status(state: RunState, readings: dict[Path, Reading]) -> Status:
    if state.ended:
        return state.ended
    starts = [(path, record["start"]) for path, one in readings.items() for record in one.records if "start" in record]
    return "running" if any(_lives(path, start) for path, start in starts) or not starts else "crashed"


def has_living_process(directory: Path) -> bool:
    """Tell whether a process works on a run, and not only the command line speaks of it."""
    for path, data in _journals(directory):
        starts = [record["start"] for record in read_journal(data).records if "start" in record]
        if any("pid" in start and _lives(path, start) for start in starts):
            return True
    return False


def _lives(path: Path, start: dict[str, Any]) -> bool:
    """Tell whether a writer may still write. One that is no process, but the command line, may always."""
    if "pid" not in start:
        return True
    if start.get("host") == socket.gethostname() and start.get("began"):
        return began_of(int(start["pid"])) == str(start["began"])
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    # A time in the future is one of a clock that went back since.
    return abs(age) < SILENT


def same_as_read(run: LiveRun) -> bool:
    """Tell whether nothing more was said of a run since it was read."""
    return tuple((path.name, len(data)) for path, data in _journals(run.directory)) == run.sizes
