"""Runs of trackio, from its databases: one for each project. Source: its page on the storage schema."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlreg.errors import NotFoundError, UnsupportedError
from mlreg.formats.names import quoted
from mlreg.formats.run import RunState
from mlreg.importers.foreign import (
    ForeignModel,
    ForeignRun,
    Names,
    Notices,
    add_point,
    began_state,
    json_value,
    printable,
    run_word,
)
from mlreg.importers.mlflow_database import open_database

TOOL = "trackio"
SYSTEM = "system/"
_NOT_FINITE = {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}


class TrackioImporter:
    """The projects of one directory, or one of them."""

    tool = TOOL

    def __init__(self, place: Path, experiment: str = "") -> None:
        """Name the directory, or the database of a project.

        Raises:
            NotFoundError: `file_missing`, there is no database.
        """
        self.notices = Notices()
        self._names = Names("exp")
        self._experiment = experiment
        self._paths = [place] if place.is_file() else sorted(place.glob("*.db"))
        if not self._paths:
            raise NotFoundError("file_missing", f"there are no databases of trackio in {place}", fix="set TRACKIO_DIR")

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        for path in self._paths:
            project = _Project(path)
            for run, name in project.runs():
                experiment = self._experiment or self._names.of(path.stem)
                yield ForeignRun(run, self._state(project, run, name, experiment), "finished")

    def _state(self, project: _Project, run: str, name: str, experiment: str) -> RunState:
        config = project.config(run)
        points = project.points(run)
        times = [time for _, time, _ in points]
        created = _milliseconds(config.get("_Created")) or min(times, default=0)
        state = began_state(TOOL, run, created, max(times, default=created), experiment)
        state.facts["source"]["project"] = printable(project.name)
        group = config.get("_Group")
        state.told = {"name": printable(name)} | ({"group": printable(str(group))} if group else {})
        state.params = {run_word(key): json_value(value) for key, value in config.items() if not key.startswith("_")}
        for step, time, values in points:
            self._add(state, step, time, values)
        return state

    def _add(self, state: RunState, step: int, time: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            number = _NOT_FINITE.get(value, value) if isinstance(value, str) else value
            if isinstance(value, bool) or not (isinstance(number, int | float) or number in _NOT_FINITE.values()):
                self.notices.add("value left out that is no number")
            else:
                add_point(state.metrics, name, step, time, float(number))

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`: there are none."""
        return iter(())


class _Project:
    """The database of one project."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path
        self._db = open_database(path)
        columns = {row[1] for row in self._rows("PRAGMA table_info(metrics)")}
        # Before runs had ids they were known by their names.
        self._key = "run_id" if "run_id" in columns else "run_name"

    def runs(self) -> list[tuple[str, str]]:
        """Return key and name of each run, in the order in which they began."""
        query = f"SELECT {self._key}, run_name FROM metrics GROUP BY {self._key} ORDER BY min(id)"  # noqa: S608 - ours
        return [(str(key), str(name)) for key, name in self._rows(query)]

    def config(self, run: str) -> dict[str, Any]:
        """Return the params of a run; words that begin with _ are the tool's own."""
        query = f"SELECT config FROM configs WHERE {self._key} = ?"  # noqa: S608 - ours
        rows = self._rows(query, run) if ("configs",) in self._rows(_TABLES) else []
        return _mapping(rows[-1][0]) if rows else {}

    def points(self, run: str) -> list[tuple[int, int, dict[str, Any]]]:
        """Return step, time and values of all that was logged, the machine's own measurements last."""
        query = f"SELECT step, timestamp, metrics FROM metrics WHERE {self._key} = ? ORDER BY id"  # noqa: S608 - ours
        found = [(int(step), _milliseconds(time), _mapping(text)) for step, time, text in self._rows(query, run)]
        if ("system_metrics",) in self._rows(_TABLES):
            query = f"SELECT timestamp, metrics FROM system_metrics WHERE {self._key} = ? ORDER BY id"  # noqa: S608 - ours
            for step, (time, text) in enumerate(self._rows(query, run)):
                values = {f"{SYSTEM}{key}": value for key, value in _mapping(text).items()}
                found.append((step, _milliseconds(time), values))
        return found

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise UnsupportedError(
                "not_readable", f"{self._path} is no database of trackio that can be read", why=quoted(str(error))
            ) from error


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


def _mapping(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _milliseconds(time: object) -> int:
    try:
        moment = datetime.fromisoformat(str(time))
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
