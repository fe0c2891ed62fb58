"""Runs in a table: a row is a run, or a point of its curves.

A table with a column `step` or `epoch` has curves: a row is a point of one run, or of the run that a column `run_id`,
`run` or `name` says. In any other table a row is a run, as in what `mlflow.search_runs().to_csv()` writes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mlreg.errors import UsageError, explain
from mlreg.formats.names import quoted
from mlreg.formats.run import RunState, Series, Status
from mlreg.importers.foreign import ForeignModel, ForeignRun, Notices, began_state
from mlreg.importers.foreign_values import (
    Names,
    add_point,
    labels_of,
    moment,
    moment_in,
    printable,
    run_word,
    value_of,
)

TOOL = "csv"
_STEPS = ("step", "epoch")
_KEYS = ("run_id", "run id", "run", "id")
_NAMES = ("name", "run_name", "tags.mlflow.runname")
_STARTS = ("started", "start_time", "start time")
_ENDS = ("ended", "end_time", "end time")
_STATUS = "status"
_PASSED = ("experiment_id", "artifact_uri")
_STATUSES: Mapping[str, Status] = {"failed": "failed", "killed": "killed", "crashed": "crashed", "running": "crashed"}
_METRICS, _PARAMS, _LABELS = "metrics.", "params.", ("labels.", "tags.")


class CsvImporter:
    """One table, with the names of its columns in the first row."""

    tool = TOOL

    def __init__(self, path: Path, experiment: str = "", metrics: Sequence[str] = ()) -> None:
        """Read the table.

        Args:
            path: of the file, in UTF-8.
            experiment: what it is called; by default as the file.
            metrics: patterns of columns that are metrics, besides those that are called `metrics.NAME`; in a table
                of curves, all columns of numbers are.

        Raises:
            NotFoundError: `file_missing`.
            UsageError: `bad_table`; `no_metric`, no column is a metric.
        """
        self.notices = Notices()
        self._experiment = experiment or Names("exp").of(path.stem)
        self._patterns = metrics
        self._name = path.stem
        self._columns, self._rows = _read(path)
        self._has_curves = any(column.lower() in _STEPS for column in self._columns)
        if not self._has_curves and not any(map(self._is_metric, self._columns)):
            raise UsageError("no_metric", f"no column of {path} is a metric", fix="--metric 'val_*'")

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        return self._curves() if self._has_curves else self._each_row()

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`: there are none."""
        return iter(())

    def _is_metric(self, column: str) -> bool:
        return column.startswith(_METRICS) or any(fnmatchcase(column, pattern) for pattern in self._patterns)

    # A row is a run.

    def _each_row(self) -> Iterator[ForeignRun]:
        seen: dict[str, int] = {}
        for row in self._rows:
            told = {column.lower(): text for column, text in row.items()}
            said = _first(told, _KEYS) or repr(sorted(row.items()))
            seen[said] = seen.get(said, 0) + 1
            key = said if seen[said] == 1 else f"{said}#{seen[said]}"
            yield self._run(key, row, told)

    def _run(self, key: str, row: Mapping[str, str], told: Mapping[str, str]) -> ForeignRun:
        began, ended = (_milliseconds(_first(told, words)) for words in (_STARTS, _ENDS))
        state = began_state(TOOL, f"{self._experiment}:{key}", began, ended, self._experiment)
        state.facts["source"]["id"] = printable(key[:200])
        if name := _first(told, _NAMES):
            state.told["name"] = printable(name)
        for column, text in row.items():
            if text:
                self._cell(state, column, text)
        state.labels = dict(labels_of(state.labels, self.notices))
        return ForeignRun(key, state, _STATUSES.get(told.get(_STATUS, "").lower(), "finished"))

    def _cell(self, state: RunState, column: str, text: str) -> None:
        if self._is_metric(column):
            self._point(state.metrics, column.removeprefix(_METRICS), 0, state.first, text)
        elif column.startswith(_PARAMS):
            state.params[run_word(column.removeprefix(_PARAMS))] = value_of(text)
        elif column.startswith(_LABELS):
            label = column.partition(".")[2]
            if not label.startswith("mlflow."):
                state.labels[label] = text
        elif column.lower() not in (*_KEYS, *_NAMES, *_STARTS, *_ENDS, _STATUS, *_PASSED):
            state.params[run_word(column)] = value_of(text)

    def _point(self, metrics: dict[str, Series], name: str, step: int, time: int, text: str) -> None:
        try:
            add_point(metrics, name, step, time, float(text))
        except ValueError:
            self.notices.add("value left out that is no number")

    # A row is a point.

    def _curves(self) -> Iterator[ForeignRun]:
        groups: dict[str, list[Mapping[str, str]]] = {}
        names = [column for column in self._columns if column.lower() in (*_KEYS, *_NAMES)]
        for row in self._rows:
            groups.setdefault(row[names[0]] if names else self._name, []).append(row)
        for name, rows in groups.items():
            state = began_state(TOOL, f"{self._experiment}:{name}", 0, 0, self._experiment)
            state.facts["source"]["id"] = printable(name)
            state.told["name"] = printable(name)
            for number, point in enumerate(rows):
                self._points(state.metrics, point, number, names)
            yield ForeignRun(name, state, "finished")

    def _points(self, metrics: dict[str, Series], row: Mapping[str, str], number: int, names: Sequence[str]) -> None:
        words = {column.lower(): text for column, text in row.items()}
        step = _step(_first(words, _STEPS), number)
        for column, text in row.items():
            if text and column not in names and column.lower() != "step":
                self._point(metrics, column.removeprefix(_METRICS), step, 0, text)


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            rows: list[dict[str, Any]] = list(reader)
            columns = list(reader.fieldnames or ())
    except OSError as error:
        raise explain(error, str(path)) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise _no_table(path, quoted(str(error))) from error
    if not columns or len(set(columns)) < len(columns) or any("" in row for row in rows):
        raise _no_table(path, "the first row has to name each column, once, and no row may be longer")
    return columns, rows


def _no_table(path: Path, why: str) -> UsageError:
    fix = "save it as CSV in UTF-8, with a heading"
    return UsageError("bad_table", f"{path} is no table in CSV", why=why, fix=fix)


def _first(words: Mapping[str, str], names: Sequence[str]) -> str:
    return next((words[name] for name in names if words.get(name)), "")


def _step(text: str, number: int) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return number


def _milliseconds(text: str) -> int:
    """Return a time that is written as RFC 3339 has it, or in milliseconds since 1970; 0 if it is neither."""
    return moment(text) if text.isascii() and text.isdecimal() else moment_in(text)
