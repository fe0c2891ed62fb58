"""Runs of trackio, from its databases: one for each project. Source: its page on the storage schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlreg.errors import NotFoundError, UnsupportedError
from mlreg.formats.run import RunState
from mlreg.importers.foreign import ForeignModel, ForeignRun, Notices, began_state
from mlreg.importers.foreign_database import ForeignDatabase
from mlreg.importers.foreign_values import (
    Names,
    add_point,
    json_value,
    moment_in,
    number_of,
    printable,
    run_word,
    whole,
)

TOOL = "trackio"
SYSTEM = "system/"
_NOT_FINITE = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}
_OWN = "_"
"""What words of a config begin with that are its own."""


class TrackioImporter:
    """The projects of one directory, or one of them."""

    tool = TOOL

    def __init__(self, place: Path, experiment: str = "") -> None:
        """Name the directory, or the database of a project.

        Raises:
            NotFoundError: `file_missing`, there is no database.
            UnsupportedError: `not_readable`, of a database that was named.
        """
        self.notices = Notices()
        self._names = Names("exp")
        self._experiment = experiment
        paths = [place] if place.is_file() else sorted(place.glob("*.db"))
        if not paths:
            raise NotFoundError("file_missing", f"there are no databases of trackio in {place}", fix="set TRACKIO_DIR")
        self._projects = [_Project(place)] if paths == [place] else list(self._readable(paths))

    def _readable(self, paths: list[Path]) -> Iterator[_Project]:
        """Yield the projects of a directory, in which there may be other databases."""
        for path in paths:
            try:
                yield _Project(path)
            except UnsupportedError as error:
                self.notices.add(f"left out: {error.message}")

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        for project in self._projects:
            experiment = self._experiment or self._names.of(project.name)
            for run, name in project.runs():
                yield ForeignRun(run, self._state(project, run, name, experiment), "finished")

    def _state(self, project: _Project, run: str, name: str, experiment: str) -> RunState:
        config = project.config(run)
        points = project.points(run)
        times = [time for _, time, _ in points]
        created = moment_in(config.get("_Created")) or min(times, default=0)
        state = began_state(TOOL, project.key_of(run), created, max(times, default=created), experiment)
        state.facts["source"] |= {"id": printable(run), "project": printable(project.name)}
        group = config.get("_Group")
        state.told = {"name": printable(name)} | ({"group": printable(str(group))} if group else {})
        state.params = {run_word(key): json_value(value) for key, value in config.items() if key[:1] != _OWN}
        for step, time, values in points:
            self._add(state, step, time, values)
        return state

    def _add(self, state: RunState, step: int, time: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            number = _NOT_FINITE.get(value) if isinstance(value, str) else number_of(value)
            if number is None:
                self.notices.add("value left out that is no number")
            else:
                add_point(state.metrics, name, step, time, number)

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`: there are none."""
        return iter(())


class _Project:
    """The database of one project."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._db = ForeignDatabase(path, TOOL)
        self._tables = self._db.tables()
        columns = self._db.columns("metrics")
        if not {"run_name", "step", "timestamp", "metrics"} <= columns:
            raise self._db.unreadable("it has no table of metrics as trackio has it")
        # Before runs had ids they were known by their names.
        self._key = "run_id" if "run_id" in columns else "run_name"

    def key_of(self, run: str) -> str:
        """Return what tells a run from all others."""
        return run if self._key == "run_id" else f"{self.name}/{run}"

    def runs(self) -> list[tuple[str, str]]:
        """Return key and name of each run, in the order in which they began."""
        query = f"SELECT {self._key}, run_name FROM metrics GROUP BY {self._key} ORDER BY min(id)"  # noqa: S608 - ours
        return [(str(key), str(name)) for key, name in self._db.rows(query) if key is not None]

    def config(self, run: str) -> dict[str, Any]:
        """Return the params of a run; words that begin with _ are the tool's own."""
        query = f"SELECT config FROM configs WHERE {self._key} = ?"  # noqa: S608 - ours
        rows = self._db.rows(query, run) if "configs" in self._tables else []
        return _mapping(rows[-1][0]) if rows else {}

    def points(self, run: str) -> list[tuple[int, int, dict[str, Any]]]:
        """Return step, time and values of all that was logged, the machine's own measurements last."""
        query = f"SELECT step, timestamp, metrics FROM metrics WHERE {self._key} = ? ORDER BY id"  # noqa: S608 - ours
        found = [(whole(step), moment_in(time), _mapping(text)) for step, time, text in self._db.rows(query, run)]
        if "system_metrics" in self._tables:
            query = f"SELECT timestamp, metrics FROM system_metrics WHERE {self._key} = ? ORDER BY id"  # noqa: S608 - ours
            for step, (time, text) in enumerate(self._db.rows(query, run)):
                values = {f"{SYSTEM}{key}": value for key, value in _mapping(text).items()}
                found.append((step, moment_in(time), values))
        return found


def _mapping(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
