"""The database of mlflow: SQLite, opened for reading alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mlreg.importers.foreign_database import ForeignDatabase
from mlreg.importers.foreign_values import number_of, whole
from mlreg.importers.mlflow_store import ACTIVE, Experiment, Metric, ModelRecord, RunRecord, VersionRecord

_LARGEST = 1.7976931348623157e308
"""What mlflow writes for an infinity, which its databases do not hold."""


class MlflowDatabase:
    """A file `mlflow.db`. SQLite keeps values of any type in any column: what is of another counts as missing."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            NotFoundError: `file_missing`.
            UnsupportedError: `not_readable`, it is no database of mlflow.
        """
        advice = ("name mlflow.db, or the directory mlruns", f"mlflow db upgrade sqlite:///{path}")
        self._db = ForeignDatabase(path, "mlflow", advice)
        self._tables = self._db.tables()
        if not {"experiments", "runs", "metrics", "params", "tags"} <= self._tables:
            raise self._db.unreadable("it has no tables of mlflow")

    def experiments(self) -> list[Experiment]:
        """As `MlflowStore`."""
        query = "SELECT experiment_id, name, artifact_location, lifecycle_stage FROM experiments ORDER BY experiment_id"
        tags = "SELECT key, value FROM experiment_tags WHERE experiment_id = ?"
        has_tags = "experiment_tags" in self._tables
        return [
            Experiment(
                _text(number), _text(name), _text(place), self._texts(tags, number) if has_tags else {}, stage != ACTIVE
            )
            for number, name, place, stage in self._db.rows(query)
        ]

    def starts(self) -> Mapping[str, int]:
        """As `MlflowStore`."""
        query = "SELECT run_uuid, start_time FROM runs WHERE lifecycle_stage = ?"
        return {_text(run): whole(start) for run, start in self._db.rows(query, ACTIVE)}

    def runs(self, experiment: str) -> Iterator[RunRecord]:
        """As `MlflowStore`."""
        query = """SELECT run_uuid, name, user_id, status, start_time, end_time, artifact_uri FROM runs
                   WHERE experiment_id = ? AND lifecycle_stage = ? ORDER BY start_time, run_uuid"""
        for run, name, user, status, start, end, artifacts in self._db.rows(query, experiment, ACTIVE):
            yield RunRecord(
                id=_text(run),
                name=_text(name),
                user=_text(user),
                status=_text(status),
                start=whole(start),
                end=whole(end),
                artifacts=_text(artifacts),
                params=self._texts("SELECT key, value FROM params WHERE run_uuid = ?", run),
                tags=self._texts("SELECT key, value FROM tags WHERE run_uuid = ?", run),
                metrics=self._metrics(run),
            )

    def _metrics(self, run: object) -> list[Metric]:
        query = "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY rowid"
        return [
            Metric(_text(key), whole(step), whole(time), _number(value, is_nan))
            for key, step, time, value, is_nan in self._db.rows(query, run)
        ]

    def models(self) -> Iterator[ModelRecord]:
        """As `MlflowStore`."""
        if not {"registered_models", "model_versions"} <= self._tables:
            return
        query = "SELECT name, description FROM registered_models ORDER BY creation_time, name"
        for name, description in self._db.rows(query):
            tags = self._texts("SELECT key, value FROM registered_model_tags WHERE name = ?", name)
            yield ModelRecord(_text(name), _text(description), tags, self._aliases(name), list(self._versions(name)))

    def _aliases(self, name: object) -> dict[str, int]:
        if "registered_model_aliases" not in self._tables:
            return {}
        query = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"
        return {_text(alias): whole(version) for alias, version in self._db.rows(query, name)}

    def _versions(self, name: object) -> Iterator[VersionRecord]:
        storage = "storage_location" if "storage_location" in self._db.columns("model_versions") else "''"
        query = f"""SELECT version, run_id, source, {storage}, current_stage, description
                    FROM model_versions WHERE name = ? AND current_stage IS NOT 'Deleted_Internal'
                    ORDER BY version"""  # noqa: S608 - one of two words of ours
        tags = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
        for version, *texts in self._db.rows(query, name):
            run, source, where, stage, description = map(_text, texts)
            labels = self._texts(tags, name, version)
            yield VersionRecord(whole(version), run, source, where, stage, description, labels)

    def _texts(self, query: str, *values: object) -> dict[str, str]:
        return {_text(key): _text(value) for key, value in self._db.rows(query, *values)}


def _text(value: object) -> str:
    return "" if value is None else value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(value: object, is_nan: object) -> float:
    number = number_of(value)
    if is_nan or number is None:
        return float("nan")
    return float("inf") if number >= _LARGEST else float("-inf") if number <= -_LARGEST else number
