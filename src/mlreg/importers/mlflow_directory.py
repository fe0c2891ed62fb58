"""The directory of mlflow, `mlruns`: a file for each param, tag, and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlreg.errors import MlregError, NotFoundError, UnsupportedError, explain
from mlreg.formats.yaml_document import parse_yaml
from mlreg.importers.foreign import Notices
from mlreg.importers.mlflow_store import ACTIVE, Experiment, Metric, ModelRecord, RunRecord, VersionRecord

META = "meta.yaml"
_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}


class MlflowDirectory:
    """A directory `mlruns`."""

    def __init__(self, path: Path, notices: Notices) -> None:
        """Name the directory.

        Raises:
            NotFoundError: `file_missing`.
            UnsupportedError: `not_readable`, it is no directory of mlflow.
        """
        self._path = path
        self._notices = notices
        if not path.is_dir():
            raise NotFoundError("file_missing", f"{path} does not exist", fix="check the spelling")
        if not any(path.glob(f"*/{META}")) and not (path / "models").is_dir():
            raise UnsupportedError(
                "not_readable",
                f"{path} is no directory of mlflow that can be read",
                why=f"no directory in it has a file {META}",
                fix="name the directory mlruns, or the file mlflow.db",
            )

    def experiments(self) -> list[Experiment]:
        """As `MlflowStore`."""
        found = []
        for directory, meta in self._described(self._path):
            if "experiment_id" in meta and _is_active(meta):
                tags = _texts(directory / "tags")
                number = _integer(meta.get("creation_time"))
                experiment = Experiment(directory.name, _text(meta, "name"), _text(meta, "artifact_location"), tags)
                found.append((number, directory.name, experiment))
        return [experiment for _, _, experiment in sorted(found, key=lambda one: one[:2])]

    def runs(self, experiment: str) -> Iterator[RunRecord]:
        """As `MlflowStore`."""
        records = [
            self._run(directory, meta)
            for directory, meta in self._described(self._path / experiment)
            if "artifact_uri" in meta and _is_active(meta)
        ]
        yield from sorted(records, key=lambda one: (one.start, one.id))

    def _run(self, directory: Path, meta: Mapping[str, Any]) -> RunRecord:
        status = meta.get("status")
        return RunRecord(
            id=directory.name,
            name=_text(meta, "run_name"),
            user=_text(meta, "user_id"),
            status=_STATUS.get(status, "RUNNING") if isinstance(status, int) else str(status),
            start=_integer(meta.get("start_time")),
            end=_integer(meta.get("end_time")),
            artifacts=_text(meta, "artifact_uri"),
            params=_texts(directory / "params"),
            tags=_texts(directory / "tags"),
            metrics=[point for name, path in _files(directory / "metrics") for point in self._points(name, path)],
        )

    def _points(self, name: str, path: Path) -> Iterator[Metric]:
        for line in _read(path).splitlines():
            try:
                time, value, *step = line.split()[:3]
                yield Metric(name, int(step[0]) if step else 0, int(time), float(value))
            except ValueError:
                self._notices.add("a line of a metric is no point")

    def models(self) -> Iterator[ModelRecord]:
        """As `MlflowStore`."""
        for directory, meta in self._described(self._path / "models"):
            aliases = {name: _integer(version) for name, version in _texts(directory / "aliases").items()}
            versions = [self._version(place, of_it) for place, of_it in self._described(directory)]
            yield ModelRecord(
                _text(meta, "name") or directory.name,
                _text(meta, "description"),
                _texts(directory / "tags"),
                aliases,
                sorted((one for one in versions if one.stage != "Deleted_Internal"), key=lambda one: one.version),
            )

    def _version(self, directory: Path, meta: Mapping[str, Any]) -> VersionRecord:
        return VersionRecord(
            version=_integer(meta.get("version")),
            run=_text(meta, "run_id"),
            source=_text(meta, "source"),
            storage=_text(meta, "storage_location"),
            stage=_text(meta, "current_stage"),
            description=_text(meta, "description"),
            tags=_texts(directory / "tags"),
        )

    def _described(self, directory: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Yield the directories that have a description, by name, and what it says."""
        try:
            places = sorted(place for place in directory.iterdir() if (place / META).is_file())
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise explain(error, str(directory)) from error
        for place in places:
            try:
                meta = parse_yaml(_read(place / META), str(place / META))
            except MlregError:
                self._notices.add(f"a file {META} cannot be read")
                continue
            if isinstance(meta, Mapping):
                yield place, meta


def _is_active(meta: Mapping[str, Any]) -> bool:
    return str(meta.get("lifecycle_stage", ACTIVE)) == ACTIVE


def _text(meta: Mapping[str, Any], key: str) -> str:
    value = meta.get(key)
    return "" if value is None else str(value)


def _integer(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0


def _texts(directory: Path) -> dict[str, str]:
    return {name: _read(path) for name, path in _files(directory)}


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files below a directory by their names, which have slashes in them."""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.relative_to(directory).as_posix(), path


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise explain(error, str(path)) from error
