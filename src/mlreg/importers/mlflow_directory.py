"""The directory of mlflow, `mlruns`: a file for each param, tag, and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import MlregError, NotFoundError, UnsupportedError
from mlreg.formats.yaml_document import parse_yaml
from mlreg.importers.foreign import Notices
from mlreg.importers.foreign_files import Roots, is_directory, walk
from mlreg.importers.foreign_values import whole
from mlreg.importers.mlflow_store import ACTIVE, Experiment, Metric, ModelRecord, RunRecord, VersionRecord

META = "meta.yaml"
DELETED = ".trash"
"""Where experiments lie that are deleted."""
_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}


class _Described(NamedTuple):
    """A directory that has a description."""

    directory: Path
    meta: Mapping[str, Any]


class MlflowDirectory:
    """A directory `mlruns`. Links that lead out of it are not followed."""

    def __init__(self, path: Path, notices: Notices) -> None:
        """Name the directory.

        Raises:
            NotFoundError: `file_missing`.
            UnsupportedError: `not_readable`, it is no directory of mlflow.
        """
        self._path = path
        self._roots = Roots(path)
        self._notices = notices
        self._found: dict[str, list[_Described]] = {}
        """The runs of each experiment that was asked for, without what is in them."""
        if not path.is_dir():
            raise NotFoundError("file_missing", f"{path} does not exist", fix="check the spelling")
        if not any(path.glob(f"*/{META}")) and not (path / "models").is_dir():
            raise UnsupportedError(
                "not_readable",
                f"{path} is no directory of mlflow that can be read",
                why=f"no directory in it has a file {META}",
                fix="name the directory mlruns, or the file mlflow.db",
            )
        self._experiments = [self._experiment(one) for one in self._made(path) if "experiment_id" in one.meta]

    def _made(self, path: Path) -> list[_Described]:
        """Return what was made in a directory or deleted from it, in the order in which it was made."""
        found = [*self._described(path), *self._described(path / DELETED)]
        return sorted(found, key=lambda one: (whole(one.meta.get("creation_time")), one.directory.name))

    def _experiment(self, found: _Described) -> Experiment:
        directory, meta = found
        is_deleted = not _is_active(meta) or directory.parent.name == DELETED
        tags = self._texts(directory / "tags")
        return Experiment(directory.name, _text(meta, "name"), _text(meta, "artifact_location"), tags, is_deleted)

    def experiments(self) -> list[Experiment]:
        """As `MlflowStore`."""
        return self._experiments

    def starts(self) -> Mapping[str, int]:
        """As `MlflowStore`."""
        return {
            one.directory.name: _start(one)
            for experiment in self._experiments
            if not experiment.is_deleted
            for one in self._runs_of(experiment.id)
        }

    def runs(self, experiment: str) -> Iterator[RunRecord]:
        """As `MlflowStore`."""
        return map(self._run, self._runs_of(experiment))

    def _runs_of(self, experiment: str) -> list[_Described]:
        if experiment not in self._found:
            found = self._described(self._path / experiment)
            runs = [one for one in found if "artifact_uri" in one.meta and _is_active(one.meta)]
            self._found[experiment] = sorted(runs, key=lambda one: (_start(one), one.directory.name))
        return self._found[experiment]

    def _run(self, found: _Described) -> RunRecord:
        directory, meta = found
        status = meta.get("status")
        return RunRecord(
            id=directory.name,
            name=_text(meta, "run_name"),
            user=_text(meta, "user_id"),
            status=_STATUS.get(status, "RUNNING") if isinstance(status, int) else str(status),
            start=_start(found),
            end=whole(meta.get("end_time")),
            artifacts=_text(meta, "artifact_uri"),
            params=self._texts(directory / "params"),
            tags=self._texts(directory / "tags"),
            metrics=list(self._metrics(directory / "metrics")),
        )

    def _metrics(self, directory: Path) -> Iterator[Metric]:
        for path, name in walk(directory):
            if not (file := self._roots.file(path)):
                self._notices.add("a metric left out: it is a link that leads out of what is imported, or no file")
                continue
            with file.open("rb") as lines:
                yield from filter(None, (self._point(name, line) for line in lines))

    def _point(self, name: str, line: bytes) -> Metric | None:
        try:
            time, value, *step = line.decode().split()[:3]
            return Metric(name, int(step[0]) if step else 0, int(time), float(value))
        except ValueError:
            self._notices.add("a line of a metric is no point")
            return None

    def models(self) -> Iterator[ModelRecord]:
        """As `MlflowStore`."""
        found = self._described(self._path / "models")
        for directory, meta in sorted(found, key=lambda one: (whole(one.meta.get("creation_timestamp")), one[0].name)):
            aliases = {name: whole(version) for name, version in self._texts(directory / "aliases").items()}
            versions = [self._version(one) for one in self._described(directory)]
            yield ModelRecord(
                _text(meta, "name") or directory.name,
                _text(meta, "description"),
                self._texts(directory / "tags"),
                aliases,
                sorted((one for one in versions if one.stage != "Deleted_Internal"), key=lambda one: one.version),
            )

    def _version(self, found: _Described) -> VersionRecord:
        directory, meta = found
        return VersionRecord(
            version=whole(meta.get("version")),
            run=_text(meta, "run_id"),
            source=_text(meta, "source"),
            storage=_text(meta, "storage_location"),
            stage=_text(meta, "current_stage"),
            description=_text(meta, "description"),
            tags=self._texts(directory / "tags"),
        )

    def _described(self, directory: Path) -> list[_Described]:
        """Return the directories that have a description, by name, and what it says."""
        if not is_directory(directory):
            return []
        found = ((place, self._meta(place / META)) for place in sorted(directory.iterdir()))
        return [_Described(place, meta) for place, meta in found if isinstance(meta, Mapping)]

    def _meta(self, path: Path) -> Any:  # noqa: ANN401 - anything may stand there
        if (text := self._roots.text(path, self._notices)) is None:
            return None
        try:
            return parse_yaml(text, str(path))
        except MlregError:
            self._notices.add(f"a file {META} cannot be read")
            return None

    def _texts(self, directory: Path) -> dict[str, str]:
        """Return what stands in the files below a directory by their names, which have slashes in them."""
        found = ((name, self._roots.text(path, self._notices)) for path, name in walk(directory))
        return {name: text for name, text in found if text is not None}


def _is_active(meta: Mapping[str, Any]) -> bool:
    return str(meta.get("lifecycle_stage", ACTIVE)) == ACTIVE


def _start(found: _Described) -> int:
    return whole(found.meta.get("start_time"))


def _text(meta: Mapping[str, Any], key: str) -> str:
    value = meta.get(key)
    return "" if value is None else str(value)
