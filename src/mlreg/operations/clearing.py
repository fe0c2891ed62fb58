"""Taking the directory of a run away once it is a version: at once, so that no one ever sees a part of it.

It is first put aside, and looked at once more: what was said meanwhile must not go with it. Then it is renamed,
which says that nothing in it is needed, and deleted. Whoever finds what an interrupt left goes on from there.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from mlreg.formats.run import is_run_id
from mlreg.operations.live_runs import LiveRun, sizes_in

_ASIDE = ".aside"
"""Ends the name of a directory that was put aside and not looked at yet."""
_DONE = ".done"
"""Ends the name of a directory in which nothing is needed any more."""


def take_away(run: LiveRun) -> None:
    """Delete the directory of a sealed run, unless more was said since it was read, or may be."""
    if run.is_written:
        return
    aside = _renamed(run.directory, _ASIDE)
    # There is none if it may only be read, or if someone was faster.
    if aside and not _is_as_read(aside, run):
        _put_back(aside)
    elif aside:
        delete(aside)


def _is_as_read(directory: Path, run: LiveRun) -> bool:
    try:
        return sizes_in(directory) == run.sizes
    except OSError:
        return False


def delete(directory: Path) -> None:
    """Delete the directory of a run of which nothing is needed, as far as that can be done."""
    if done := _renamed(directory, _DONE):
        shutil.rmtree(done, ignore_errors=True)


def tidy(runs: Path) -> None:
    """Go on where whoever took a directory away was interrupted."""
    with suppress(OSError):
        for entry in list(os.scandir(runs)):
            if not is_run_id(entry.name.partition(".")[0]):
                continue
            if entry.name.endswith(_ASIDE):
                _put_back(Path(entry.path))
            elif entry.name.endswith(_DONE):
                shutil.rmtree(entry.path, ignore_errors=True)


def _renamed(directory: Path, end: str) -> Path | None:
    run = directory.name.partition(".")[0]
    try:
        return directory.rename(directory.with_name(f"{run}.{os.urandom(4).hex()}{end}"))
    except OSError:
        return None


def _put_back(aside: Path) -> None:
    # If the run is there again, its writer wrote all of it once more.
    with suppress(OSError):
        aside.rename(aside.with_name(aside.name.partition(".")[0]))
