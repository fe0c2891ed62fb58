"""Directories of runs that live, written by hand as their writers would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlreg.formats.run import run_id
from mlreg.operations.live_runs import LiveRun, read_live_run
from mlreg.operations.processes import began_of
from tests.unit.formats.journals import lines

RUN = run_id(1_795_502_880_000, bytes(range(10)))
OTHER = run_id(1_795_502_880_001, bytes(range(10)))
NOW = 1_795_502_880_000
GONE: dict[str, Any] = {"pid": os.getpid(), "began": f"{began_of(os.getpid()).rpartition(':')[0]}:1"}
"""A process of this host that had the number of this one, and is gone."""
HERE: dict[str, Any] = {"pid": os.getpid(), "began": began_of(os.getpid())}


def start(time: int = 0, **more: object) -> dict[str, Any]:
    """Return the record with which a writer begins: one that began the run, in a process that is gone."""
    said = {"format": 1, "run": RUN, "host": "here", "experiment": "churn", **GONE, **more}
    return {"start": {key: value for key, value in said.items() if value is not None}, "time": NOW + time}


def end(time: int, status: str = "finished") -> dict[str, Any]:
    """Return the record with which a run is ended."""
    return {"end": {"status": status}, "time": NOW + time}


def left(time: int) -> dict[str, Any]:
    """Return the record with which a writer goes."""
    return {"left": {}, "time": NOW + time}


def logged(value: float, time: int, step: int = 0, name: str = "loss") -> dict[str, Any]:
    """Return the record of a point."""
    return {"metrics": {name: value}, "step": step, "time": NOW + time}


def write(runs: Path, journals: Mapping[str, list[dict[str, Any]]], files: Mapping[str, bytes] | None = None) -> Path:
    """Write the directory of a run; each journal by the name of its writer."""
    directory = runs / RUN
    directory.mkdir(parents=True, exist_ok=True)
    for name, said in journals.items():
        (directory / f"{name}.journal").write_bytes(lines(said))
    for name, data in (files or {}).items():
        (directory / "files").mkdir(exist_ok=True)
        (directory / "files" / name).write_bytes(data)
    return directory


def read(runs: Path, journals: Mapping[str, list[dict[str, Any]]], files: Mapping[str, bytes] | None = None) -> LiveRun:
    """Return a run that was written as `write` does."""
    write(runs, journals, files)
    return read_live_run(runs, RUN)
