"""Runs that are not sealed: the directories in which their writers keep journals.

Reading needs no lock and disturbs no writer: what is there so far is read, and a line that is being written is
left for the next time.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, explain
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.journal import SUFFIX, Reading, read_journal
from mlreg.formats.run import Points, RunState, Status, is_run_id
from mlreg.operations.journaling import FILES
from mlreg.operations.processes import is_alive

SILENT = 120.0
"""Seconds without a sign of life after which a process that cannot be seen from here counts as dead."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LASTING = ("start", "left", "end")
"""Records that say whether a writer is there."""


class LiveRun(NamedTuple):
    """A run that is not sealed, as it is at the moment."""

    directory: Path
    state: RunState
    status: Status
    damaged: int
    """Lines of its journals that are not as they were written, or half written."""
    is_written: bool
    """Whether a process lives that may say more."""
    sizes: tuple[tuple[str, int], ...]
    """Name and bytes of each journal that were read; who comes later sees whether more was said."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said of it, nor logged: it was killed before it began."""
        return not any(size for _, size in self.sizes) and not self.files.exists()

    @property
    def files(self) -> Path:
        """Where the files lie that were logged."""
        return self.directory / FILES

    def after(self, now: int) -> int:
        """Return a time that is later than all that was said of the run, and is now if the clock allows it."""
        return min(max(now, self.state.last + 1), MAX_INTEGER)


def live_ids(runs: Path) -> list[str]:
    """Return the ids of the runs below a directory, the oldest first."""
    try:
        with os.scandir(runs) as entries:
            return sorted(one.name for one in entries if is_run_id(one.name) and one.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise explain(error, str(runs)) from error


def has_run(runs: Path, run: str) -> bool:
    """Tell whether there is a run that is not sealed."""
    directory = runs / run
    return directory.is_dir() and not directory.is_symlink()


def read_live_run(runs: Path, run: str) -> LiveRun:
    """Return a run as its journals have it.

    Raises:
        NotFoundError: `run_missing`, there is no such directory, or no journal in it.
        AccessError: it may not be read.
    """
    directory = runs / run
    found = [(path, data) for path in _journals(directory) if (data := _read(path)) is not None]
    # Who seals a run takes its directory away as a whole: then what was read may be some of it.
    if not found or not directory.is_dir():
        raise NotFoundError("run_missing", f"there is no run {run} that lives", fix="mlreg run ls")
    readings = [read_journal(data) for _, data in found]
    state = RunState(run)
    for part in _in_order(readings):
        if isinstance(part, Points):
            state.take_points(part)
        else:
            state.take(part)
    writers = [_writer(path, reading) for (path, _), reading in zip(found, readings, strict=True)]
    return LiveRun(
        directory,
        state,
        state.ended or ("running" if _goes_on(writers) else "crashed"),
        sum(reading.damaged for reading in readings),
        any(writer.is_process and writer.may_write() for writer in writers),
        tuple((path.name, len(data)) for path, data in found),
    )


def _journals(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            return [directory / name for name in sorted(entry.name for entry in entries if entry.name.endswith(SUFFIX))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise explain(error, str(directory)) from error


def _read(path: Path) -> bytes | None:
    """Return what a journal holds; None if it was taken away, or is no file: a link, a pipe."""
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            return None
        raise explain(error, str(path)) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise explain(error, str(path)) from error
    finally:
        os.close(fd)


def _in_order(readings: Sequence[Reading]) -> Iterator[dict[str, Any] | Points]:
    """Yield the records of all writers by time; those of one writer stay in its order, whatever its clock did."""
    if len(readings) == 1:
        return iter(readings[0].parts)
    return (record for _, _, record in merge(*map(_timed, range(len(readings)), readings), key=lambda one: one[:2]))


def _timed(number: int, reading: Reading) -> Iterator[tuple[int, int, dict[str, Any]]]:
    latest = 0
    for record in reading.records:
        latest = max(latest, record["time"])
        yield latest, number, record


class _Writer(NamedTuple):
    """One who keeps a journal."""

    path: Path
    start: dict[str, Any]
    """What it said first, or when it began last; empty if that cannot be read."""
    is_gone: bool
    """Whether it said that it says no more."""

    @property
    def is_owner(self) -> bool:
        """Whether it began the run, or resumed it."""
        return bool(self.start.get("experiment"))

    @property
    def is_process(self) -> bool:
        return "pid" in self.start

    def may_write(self) -> bool:
        if self.is_gone or not self.is_process:
            return not self.is_gone
        alive = is_alive(self.start["pid"], self.start.get("began", ""))
        return _beats(self.path) if alive is None else alive


def _writer(path: Path, reading: Reading) -> _Writer:
    said = [one for one in reading.parts if isinstance(one, dict) and any(key in one for key in _LASTING)]
    start: dict[str, Any] = next((record["start"] for record in reversed(said) if "start" in record), {})
    return _Writer(path, start, bool(said) and "start" not in said[-1])


def _goes_on(writers: Sequence[_Writer]) -> bool:
    """Tell whether a run that was not ended may go on.

    The command line goes on with what it began for ever, and not with what it only spoke of.
    """
    if not any(writer.start for writer in writers):
        return any(_beats(writer.path) for writer in writers)
    return any(writer.may_write() for writer in writers if writer.is_process or writer.is_owner)


def _beats(path: Path) -> bool:
    """Tell whether a journal was touched a moment ago."""
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    # A time in the future is one of a clock that went back since.
    return abs(age) < SILENT


def sizes_in(directory: Path) -> tuple[tuple[str, int], ...]:
    """Return name and bytes of each journal in the directory of a run, as `LiveRun.sizes`."""
    found = ((path.name, path.lstat()) for path in _journals(directory))
    return tuple((name, status.st_size) for name, status in found if stat.S_ISREG(status.st_mode))
