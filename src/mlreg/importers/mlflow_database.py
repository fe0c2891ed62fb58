"""The database of mlflow: SQLite, opened for reading alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlreg.errors import NotFoundError, UnsupportedError
from mlreg.formats.names import quoted
from mlreg.importers.mlflow_store import ACTIVE, Experiment, Metric, ModelRecord, RunRecord, VersionRecord

_LARGEST = 1.7976931348623157e308
"""What mlflow writes for an infinity, which its databases do not hold."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database for reading; nothing in it is changed, whoever writes to it meanwhile.

    Raises:
        NotFoundError: `file_missing`.
    """
    if not path.is_file():
        raise NotFoundError("file_missing", f"{path} does not exist", fix="check the spelling")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


class MlflowDatabase:
    """A file `mlflow.db`."""

    def __init__(self, path: Path) -> None:
        """Name the file.

        Raises:
            NotFoundError: `file_missing`.
            UnsupportedError: `not_readable`, it is no database of mlflow.
        """
        self._path = path
        self._db = open_database(path)
        if not {"experiments", "runs", "metrics", "params", "tags"} <= {row[0] for row in self._rows(_TABLES)}:
            raise _unreadable(path, "it has no tables of mlflow")

    def experiments(self) -> list[Experiment]:
        """As `MlflowStore`."""
        query = """SELECT experiment_id, name, artifact_location FROM experiments WHERE lifecycle_stage = ?
                   ORDER BY experiment_id"""
        rows = self._rows(query, ACTIVE)
        tags = "SELECT key, value FROM experiment_tags WHERE experiment_id = ?"
        return [Experiment(str(row[0]), row[1], row[2] or "", self._texts(tags, row[0])) for row in rows]

    def runs(self, experiment: str) -> Iterator[RunRecord]:
        """As `MlflowStore`."""
        query = """SELECT run_uuid, name, user_id, status, start_time, end_time, artifact_uri FROM runs
                   WHERE experiment_id = ? AND lifecycle_stage = ? ORDER BY start_time, run_uuid"""
        for run, name, user, status, start, end, artifacts in self._rows(query, int(experiment), ACTIVE):
            params = self._texts("SELECT key, value FROM params WHERE run_uuid = ?", run)
            tags = self._texts("SELECT key, value FROM tags WHERE run_uuid = ?", run)
            yield RunRecord(
                run,
                name or "",
                user or "",
                status,
                start or 0,
                end or 0,
                artifacts or "",
                params,
                tags,
                self._metrics(run),
            )

    def _metrics(self, run: str) -> list[Metric]:
        query = "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY rowid"
        return [
            Metric(key, step, time, _number(value, is_nan)) for key, step, time, value, is_nan in self._rows(query, run)
        ]

    def models(self) -> Iterator[ModelRecord]:
        """As `MlflowStore`."""
        if not {"registered_models", "model_versions"} <= {row[0] for row in self._rows(_TABLES)}:
            return
        for name, description in self._rows("SELECT name, description FROM registered_models ORDER BY name"):
            tags = self._texts("SELECT key, value FROM registered_model_tags WHERE name = ?", name)
            query = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"
            aliases = {alias: int(version) for alias, version in self._rows(query, name)} if self._has_aliases() else {}
            yield ModelRecord(name, description or "", tags, aliases, list(self._versions(name)))

    def _has_aliases(self) -> bool:
        return ("registered_model_aliases",) in self._rows(_TABLES)

    def _versions(self, name: str) -> Iterator[VersionRecord]:
        columns = {row[1] for row in self._rows("PRAGMA table_info(model_versions)")}
        storage = "storage_location" if "storage_location" in columns else "''"
        query = f"""SELECT version, run_id, source, {storage}, current_stage, description
                    FROM model_versions WHERE name = ? AND current_stage IS NOT 'Deleted_Internal'
                    ORDER BY version"""  # noqa: S608 - one of two words of ours
        tags = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
        for version, *texts in self._rows(query, name):
            run, source, where, stage, description = (text or "" for text in texts)
            labels = self._texts(tags, name, version)
            yield VersionRecord(int(version), run, source, where, stage, description, labels)

    def _texts(self, query: str, *values: object) -> dict[str, str]:
        return {str(key): str(value) for key, value in self._rows(query, *values)}

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _unreadable(self._path, str(error)) from error


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


def _number(value: float, is_nan: object) -> float:
    if is_nan:
        return float("nan")
    return float("inf") if value >= _LARGEST else float("-inf") if value <= -_LARGEST else float(value)


def _unreadable(path: Path, why: str) -> UnsupportedError:
    return UnsupportedError(
        "not_readable",
        f"{path} is no database of mlflow that can be read",
        why=quoted(why),
        fix=("name mlflow.db, or the directory mlruns", f"mlflow db upgrade sqlite:///{path}"),
    )
