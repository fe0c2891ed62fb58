"""Runs and registered models of mlflow, from `mlruns` or `mlflow.db`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.names import check_tag, quoted
from mlreg.formats.run import RunState, Status
from mlreg.importers.foreign import (
    ARTIFACTS,
    ForeignModel,
    ForeignRun,
    ForeignVersion,
    Notices,
    began_state,
    foreign_id,
)
from mlreg.importers.foreign_files import Roots, is_directory
from mlreg.importers.foreign_values import (
    Names,
    add_point,
    labels_of,
    moment,
    printable,
    run_word,
    segment_of,
    value_of,
)
from mlreg.importers.mlflow_database import MlflowDatabase
from mlreg.importers.mlflow_directory import MlflowDirectory
from mlreg.importers.mlflow_store import PROMPT, Experiment, MlflowStore, ModelRecord, RunRecord, VersionRecord
from mlreg.operations.scanning import Source

TOOL = "mlflow"
_STATUS: Mapping[str, Status] = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "killed"}
_OWN = "mlflow."
"""What its own tags begin with."""
_MAX_OWN = 1000
"""Characters of a tag of its own that is kept: `log-model.history` and such are long, and say what the files say."""
_STAGES = ("Production", "Staging")
_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]+)", re.ASCII)
_BESIDE = ("mlruns", "mlartifacts")
"""Where artifacts lie beside a database, if nothing else is said to mlflow."""


class MlflowImporter:
    """What mlflow keeps at one place."""

    tool = TOOL

    def __init__(self, where: str, artifacts: Path | None = None, experiment: str = "") -> None:
        """Open it.

        Args:
            where: a directory `mlruns`, a file `mlflow.db`, or `sqlite:///PATH`.
            artifacts: a directory below which artifacts may lie, besides the one that is imported, or those that are
                called `mlruns` and `mlartifacts` beside the database.
            experiment: only this one, by its name in mlflow; all if empty.

        Raises:
            NotFoundError: `file_missing`; `experiment_missing`.
            UnsupportedError: `not_readable`. UsageError: `bad_source`.
        """
        self.notices = Notices()
        path = _path_of(where)
        is_directory_ = is_directory(path)
        self._store: MlflowStore = MlflowDirectory(path, self.notices) if is_directory_ else MlflowDatabase(path)
        places = [path] if is_directory_ else [path.parent / name for name in _BESIDE]
        self._places = [*places, artifacts] if artifacts else places
        """Directories below which artifacts may lie."""
        self._roots = Roots(*self._places)
        self._only = experiment
        self._artifacts: dict[str, Path | None] = {}
        """Where the artifacts of each run lie that was seen."""
        known = self._store.experiments()
        names = Names("exp")
        # Those that are deleted or not asked for have their names, too, so that each keeps its own.
        self._named = {one.id: names.of(one.name) for one in known}
        self._experiments = [one for one in known if not one.is_deleted and experiment in ("", one.name)]
        if experiment and not self._experiments:
            there = [one.name for one in known if not one.is_deleted]
            fix = tuple(f"--exp {quoted(name)}" for name in there[:5])
            raise NotFoundError("experiment_missing", f"{where} has no experiment {quoted(experiment)}", fix=fix)

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        for experiment in self._experiments:
            for record in self._store.runs(experiment.id):
                yield self._run(experiment, record)

    def _run(self, experiment: Experiment, record: RunRecord) -> ForeignRun:
        state = began_state(TOOL, record.id, moment(record.start), moment(record.end), self._named[experiment.id])
        state.facts["source"]["experiment"] = printable(experiment.name)
        own = {key.removeprefix(_OWN): text for key, text in record.tags.items() if key.startswith(_OWN)}
        self._tell(state, record, own)
        state.params = {run_word(key): value_of(text) for key, text in record.params.items()}
        state.labels = self._labels({**experiment.tags, **record.tags})
        for point in record.metrics:
            add_point(state.metrics, point.name, point.step, point.time, point.value)
        place = self._place(record.artifacts, f"{experiment.id}/{record.id}/{ARTIFACTS}")
        self._artifacts[record.id] = place
        files = self._roots.files_below(place, ARTIFACTS, self.notices) if place else []
        return ForeignRun(record.id, state, _STATUS.get(record.status, "crashed"), files)

    def _labels(self, tags: Mapping[str, str]) -> dict[str, str]:
        return labels_of({key: text for key, text in tags.items() if not key.startswith(_OWN)}, self.notices)

    def _tell(self, state: RunState, record: RunRecord, own: Mapping[str, str]) -> None:
        told = {"name": record.name or own.get("runName", ""), "description": own.get("note.content", "")}
        # One that is deleted has nothing here that could be meant.
        if (parent := own.get("parentRunId", "")) in self._starts:
            told["parent"] = foreign_id(TOOL, parent, moment(self._starts[parent]))
        state.told = {key: printable(text) for key, text in told.items() if text}
        state.facts |= {"user": printable(record.user)} if record.user else {}
        if commit := own.get("source.git.commit"):
            state.facts["git"] = {"commit": printable(commit)}
        if program := own.get("source.name"):
            state.facts["command"] = [printable(program)]
        known = {"runName", "note.content", "parentRunId", "user", "source.name", "source.git.commit"}
        rest = {key: printable(text) for key, text in own.items() if key not in known and len(text) < _MAX_OWN}
        if rest:
            state.facts["source"]["tags"] = rest

    @cached_property
    def _starts(self) -> Mapping[str, int]:
        """When each run began, in experiments that are not asked for, too."""
        return self._store.starts()

    # Registered models.

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`; none if one experiment alone is imported."""
        names = Names("model")
        for model in () if self._only else self._store.models():
            name = names.of(model.name)
            if model.tags.get(PROMPT, "").lower() == "true":
                self.notices.add("prompt left out: it is no model")
                continue
            tags = self._tags(model)
            versions = [self._version(one, model, tags.get(one.version, [])) for one in model.versions]
            description = {"description": model.description} if model.description else {}
            yield ForeignModel(name, self._labels({**description, **model.tags}), versions)

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
        description = printable(record.description)
        metadata = {"source": source} | ({"description": description} if description else {})
        files = self._model_files(record)
        return ForeignVersion(record.version, record.run, files, metadata, self._labels(record.tags), tags)

    def _model_files(self, record: VersionRecord) -> list[Source]:
        for uri in (record.storage, record.source):
            if place := self._model_place(uri, record.run):
                return self._roots.files_below(place, "", self.notices)
        self.notices.add("a version of a model whose files are not on this disk")
        return []

    def _model_place(self, uri: str, run: str) -> Path | None:
        if uri.startswith("runs:/"):
            run, _, path = uri.removeprefix("runs:/").partition("/")
            return self._below(run, path)
        # Or where the run lay when the version was made.
        _, mark, path = uri.partition(f"/{run}/{ARTIFACTS}/")
        if mark and (found := self._below(run, path)):
            return found
        if logged := _LOGGED_MODEL.match(uri):
            below = f"models/{logged[1]}/{ARTIFACTS}"
            candidates = (self._find(f"{one.artifacts}/{below}", f"{one.id}/{below}") for one in self._experiments)
            return next(filter(None, candidates), None)
        place = _local_path(uri)
        return self._roots.directory(place) if place else None

    def _below(self, run: str, path: str) -> Path | None:
        artifacts = self._artifacts.get(run)
        return self._roots.directory(artifacts / path) if artifacts else None

    # Where files lie.

    def _place(self, uri: str, below: str) -> Path | None:
        """Return the directory of artifacts; one that lies where nothing may be read is noticed."""
        found = self._find(uri, below)
        if found is None and uri:
            path = _local_path(uri)
            if path is None or is_directory(path):
                self.notices.add("a run whose artifacts lie elsewhere: --artifacts DIRECTORY says where")
        return found

    def _find(self, uri: str, below: str) -> Path | None:
        """Return the directory that is meant: where the tool says, or where it stands if all was moved."""
        path = _local_path(uri)
        candidates = (*([path] if path else []), *(place / below for place in self._places))
        return next(filter(None, map(self._roots.directory, candidates)), None)


def _path_of(where: str) -> Path:
    scheme, mark, rest = where.partition("://")
    if not mark:
        return Path(where)
    if scheme == "sqlite" and rest.startswith("/"):
        return Path(rest[1:])
    if scheme == "file" and (path := _local_path(where)):
        return path
    raise UsageError(
        "bad_source",
        f"{scheme} is no place that is read",
        why="what mlflow keeps is read from its files",
        fix=("mlreg import mlflow mlruns", "mlreg import mlflow sqlite:///mlflow.db"),
    )


def _local_path(uri: str) -> Path | None:
    """Return the path that a URI names; None if it is not on this disk."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(uri) if uri and not parts.scheme else None
