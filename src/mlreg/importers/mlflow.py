"""Runs and registered models of mlflow, from `mlruns` or `mlflow.db`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlreg.errors import UsageError
from mlreg.formats.names import check_tag
from mlreg.formats.run import RunState, Status
from mlreg.importers.foreign import (
    ARTIFACTS,
    ForeignModel,
    ForeignRun,
    ForeignVersion,
    Names,
    Notices,
    add_point,
    began_state,
    files_below,
    foreign_id,
    printable,
    run_word,
    segment_of,
    value_of,
)
from mlreg.importers.mlflow_database import MlflowDatabase
from mlreg.importers.mlflow_directory import MlflowDirectory
from mlreg.importers.mlflow_store import Experiment, MlflowStore, ModelRecord, RunRecord, VersionRecord
from mlreg.operations.scanning import Source

TOOL = "mlflow"
_STATUS: Mapping[str, Status] = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "killed"}
_OWN = "mlflow."
"""What its own tags begin with."""
_STAGES = ("Production", "Staging")
_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]+)", re.ASCII)


class MlflowImporter:
    """What mlflow keeps at one place."""

    tool = TOOL

    def __init__(self, where: str, artifacts: Path | None = None, experiment: str = "") -> None:
        """Open it.

        Args:
            where: a directory `mlruns`, a file `mlflow.db`, or `sqlite:///PATH`.
            artifacts: a directory below which artifacts may lie, besides the one that is imported.
            experiment: only this one, by its name in mlflow; all if empty.

        Raises:
            NotFoundError: `file_missing`. UnsupportedError: `not_readable`. UsageError: `bad_source`.
        """
        self.notices = Notices()
        path = _path_of(where)
        self._store: MlflowStore = MlflowDirectory(path, self.notices) if path.is_dir() else MlflowDatabase(path)
        self._base = path if path.is_dir() else path.parent
        self._roots = [root.resolve() for root in (self._base, artifacts) if root]
        self._only = experiment
        self._names = Names("exp")
        self._started: dict[str, int] = {}
        self._places: dict[str, Path | None] = {}
        """Where the artifacts of each run lie that was seen."""
        self._experiments = [one for one in self._store.experiments() if experiment in ("", one.name)]

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        for experiment in self._experiments:
            name = self._names.of(experiment.name)
            for record in self._store.runs(experiment.id):
                self._started[record.id] = record.start
                yield self._run(experiment, name, record)

    def _run(self, experiment: Experiment, name: str, record: RunRecord) -> ForeignRun:
        state = began_state(TOOL, record.id, record.start, record.end, name)
        state.facts["source"]["experiment"] = printable(experiment.name)
        own = {key.removeprefix(_OWN): text for key, text in record.tags.items() if key.startswith(_OWN)}
        self._tell(state, record, own)
        state.params = {run_word(key): value_of(text) for key, text in record.params.items()}
        labels = {**experiment.tags, **record.tags}
        state.labels = {printable(key): printable(text) for key, text in labels.items() if not key.startswith(_OWN)}
        for point in record.metrics:
            add_point(state.metrics, point.name, point.step, point.time, point.value)
        self._places[record.id] = place = self._place(record.artifacts, f"{experiment.id}/{record.id}/artifacts")
        files = files_below(place, ARTIFACTS, self.notices) if place else []
        return ForeignRun(record.id, state, _STATUS.get(record.status, "crashed"), files)

    def _tell(self, state: RunState, record: RunRecord, own: Mapping[str, str]) -> None:
        told = {"name": record.name or own.get("runName", ""), "description": own.get("note.content", "")}
        if parent := own.get("parentRunId"):
            told["parent"] = foreign_id(TOOL, parent, self._start_of(parent))
        state.told = {key: printable(text) for key, text in told.items() if text}
        state.facts |= {"user": printable(record.user)} if record.user else {}
        if commit := own.get("source.git.commit"):
            state.facts["git"] = {"commit": printable(commit)}
        if program := own.get("source.name"):
            state.facts["command"] = [printable(program)]
        # `log-model.history` and such are long, and say what the files say.
        known = {"runName", "note.content", "parentRunId", "user", "source.name", "source.git.commit"}
        rest = {key: printable(text) for key, text in own.items() if key not in known and len(text) < 1000}
        if rest:
            state.facts["source"]["tags"] = rest

    def _start_of(self, run: str) -> int:
        """Return when a run began; one that comes later in the order is looked for."""
        if run not in self._started:
            for experiment in self._experiments:
                self._started.update((one.id, one.start) for one in self._store.runs(experiment.id))
        return self._started.setdefault(run, 0)

    # Registered models.

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`; none if one experiment alone is imported."""
        names = Names("model")
        for model in () if self._only else self._store.models():
            tags = self._tags(model)
            versions = [self._version(one, model, tags.get(one.version, [])) for one in model.versions]
            labels = {printable(key): printable(text) for key, text in model.tags.items()}
            yield ForeignModel(names.of(model.name), labels, versions)

    def _tags(self, model: ModelRecord) -> dict[int, list[str]]:
        """Return the tags of each version: the aliases, and the stages, which are the aliases of old."""
        wanted = dict(model.aliases)
        for version in model.versions:
            if version.stage in _STAGES and version.stage.lower() not in model.aliases:
                wanted[version.stage.lower()] = version.version
        found: dict[int, list[str]] = {}
        for alias, number in wanted.items():
            tag = segment_of(alias)
            try:
                check_tag(tag)
            except UsageError:
                self.notices.add("alias left out that cannot be a tag")
            else:
                found.setdefault(number, []).append(tag)
        return found

    def _version(self, record: VersionRecord, model: ModelRecord, tags: list[str]) -> ForeignVersion:
        source = {"model": printable(model.name), "source": printable(record.source), "tool": TOOL}
        description = printable(record.description or model.description)
        metadata = {"source": source} | ({"description": description} if description else {})
        labels = {printable(key): printable(text) for key, text in record.tags.items()}
        files = self._model_files(record)
        return ForeignVersion(f"{record.version}.0.0", record.run, files, metadata, labels, tags)

    def _model_files(self, record: VersionRecord) -> list[Source]:
        for uri in (record.storage, record.source):
            place = self._model_place(uri)
            if place and place.is_dir():
                return files_below(place, "", self.notices)
        self.notices.add("a version of a model whose files are not on this disk")
        return []

    def _model_place(self, uri: str) -> Path | None:
        if uri.startswith("runs:/"):
            run, _, path = uri.removeprefix("runs:/").partition("/")
            below = self._places.get(run)
            return self._allowed(below / path) if below else None
        if found := _LOGGED_MODEL.match(uri):
            candidates = (
                self._place(experiment.artifacts and f"{experiment.artifacts}/models/{found[1]}/artifacts", below)
                for experiment in self._experiments
                for below in (f"{experiment.id}/models/{found[1]}/artifacts",)
            )
            return next((place for place in candidates if place), None)
        return self._local(uri)

    # Where files lie.

    def _place(self, uri: str, below: str) -> Path | None:
        """Return the directory that is meant: where the tool says, or where it stands if all was moved."""
        moved = (self._base / below, self._base / "mlruns" / below, self._base / "mlartifacts" / below)
        candidates = (self._local(uri), *map(self._allowed, moved))
        found = next((place for place in candidates if place and place.is_dir()), None)
        if found is None and uri and self._is_elsewhere(uri):
            self.notices.add("a run whose artifacts lie elsewhere: --artifacts DIRECTORY says where")
        return found

    def _is_elsewhere(self, uri: str) -> bool:
        path = _local_path(uri)
        return path is None or (path.is_dir() and self._allowed(path) is None)

    def _local(self, uri: str) -> Path | None:
        path = _local_path(uri)
        return self._allowed(path) if path else None

    def _allowed(self, path: Path) -> Path | None:
        """Return a path that lies where it may: a database from elsewhere must not name any file of this disk."""
        resolved = path.resolve()
        return resolved if any(resolved.is_relative_to(root) for root in self._roots) else None


def _path_of(where: str) -> Path:
    scheme, mark, rest = where.partition("://")
    if not mark:
        return Path(where)
    if scheme == "sqlite" and rest.startswith("/"):
        return Path(rest[1:])
    raise UsageError(
        "bad_source",
        f"{scheme} is no place that is read",
        why="what mlflow keeps is read from its files",
        fix=("mlreg import mlflow mlruns", "mlreg import mlflow sqlite:///mlflow.db"),
    )


def _local_path(uri: str) -> Path | None:
    """Return the path that a URI names; None if it is not on this disk."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(uri) if uri and not parts.scheme else None
