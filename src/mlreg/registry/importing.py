"""Bringing along what other tools keep: runs become versions of experiments, models versions of models.

What was imported before and is as it was is not written again; a run of which there is more now is sealed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import ConflictError, UnavailableError
from mlreg.formats.names import EXPERIMENT, Entry
from mlreg.formats.run import next_version
from mlreg.formats.run_summary import summary
from mlreg.importers.foreign import ForeignModel, ForeignRun, ForeignVersion, Importer
from mlreg.operations.history import latest_of, sealed_versions, tags_of, version_of
from mlreg.operations.naming import meant
from mlreg.operations.register import Batch, Recorded
from mlreg.operations.sealing import run_version
from mlreg.registry import annotating
from mlreg.registry.registry import Registry

Origin = Importer
"""What is brought along: the files of another tool, opened."""

AT_ONCE = 100
"""Runs of one transaction."""
_ATTEMPTS = 10
SILENT: Callable[[int], None] = lambda size: None  # noqa: E731 - as short as it is


class Imported(NamedTuple):
    """What was found in another tool, and what of it was not here before."""

    tool: str
    refs: tuple[str, ...]
    """The entries, sorted."""
    experiments: int
    runs: int
    params: int
    metrics: int
    """Series, over all runs."""
    points: int
    artifacts: int
    models: int
    versions: int
    """Of models."""
    added: int
    """Runs and versions that were not here, or not so."""
    warnings: tuple[str, ...]
    """What could not be brought along."""
    dry_run: bool = False


class _Counts:
    """What was found so far."""

    def __init__(self) -> None:
        self.refs: set[str] = set()
        self.runs = self.params = self.metrics = self.points = self.artifacts = 0
        self.models = self.versions = self.added = 0

    def take(self, run: ForeignRun) -> None:
        self.refs.add(f"{EXPERIMENT}/{run.state.experiment}")
        self.runs += 1
        self.params += len(run.state.params)
        self.metrics += len(run.state.metrics)
        self.points += sum(map(len, run.state.metrics.values()))
        self.artifacts += len(run.files)


def bring(registry: Registry, importer: Origin, report: Callable[[int], None] = SILENT) -> Imported:
    """Import everything that an importer yields.

    Args:
        registry: where it goes.
        importer: says what there is.
        report: told how many runs were done, now and then.

    Raises:
        UnavailableError: `run_sealed`, others import the same.
        And what the importer raises.
    """
    counts = _Counts()
    here: dict[str, str] = {}
    runs = importer.runs()
    while some := list(islice(runs, AT_ONCE)):
        here |= _bring_runs(registry, importer, some, counts)
        report(counts.runs)
    for model in importer.models():
        _bring_model(registry, importer, model, here, counts)
    experiments = sum(ref.startswith(f"{EXPERIMENT}/") for ref in counts.refs)
    return Imported(
        tool=importer.tool,
        refs=tuple(sorted(counts.refs)),
        experiments=experiments,
        runs=counts.runs,
        params=counts.params,
        metrics=counts.metrics,
        points=counts.points,
        artifacts=counts.artifacts,
        models=counts.models,
        versions=counts.versions,
        added=counts.added,
        warnings=importer.notices.sentences(),
    )


def _bring_runs(registry: Registry, importer: Origin, runs: Sequence[ForeignRun], counts: _Counts) -> dict[str, str]:
    """Register runs; returns the ref of each by what the tool calls it."""
    for run in runs:
        counts.take(run)
    for _ in range(_ATTEMPTS):
        try:
            recorded = _register(registry, importer, runs)
        except ConflictError:
            # Others sealed one of them, or collected what they rely on.
            continue
        counts.added += sum(one.is_changed for one in recorded.values())
        importer.notices.add("run left out that was removed here", len(runs) - len(recorded))
        return {key: f"{one.commit.entry}@{one.commit.version}" for key, one in recorded.items()}
    raise UnavailableError("run_sealed", "others import the same runs", fix="do it again")


def _register(registry: Registry, importer: Origin, runs: Iterable[ForeignRun]) -> dict[str, Recorded]:
    with Batch(registry.repository) as batch:
        put = [run.key for run in runs if _put(registry, batch, run)]
        return dict(zip(put, batch.commit(f"import runs of {importer.tool}"), strict=True))


def _put(registry: Registry, batch: Batch, run: ForeignRun) -> Recorded | None:
    """Put a run into a transaction; None if it was here and was removed."""
    state, view = run.state, registry.repository.log.view
    metadata = summary(state, run.status, state.metrics)
    new = run_version(state, metadata, state.metrics, run.files, registry.author)
    entry = meant(view, new.entry)
    present = sealed_versions(view, entry, state.id)
    if present:
        known = version_of(view, entry, present[-1])
        if known is None or known.target is None:
            return None
        try:
            return batch.put(replace(new, version=present[-1]), SILENT)
        except ConflictError as error:
            if error.code != "version_exists":
                raise
    return batch.put(replace(new, version=next_version(state.id, present)), SILENT)


def _bring_model(
    registry: Registry, importer: Origin, model: ForeignModel, runs: Mapping[str, str], counts: _Counts
) -> None:
    entry = Entry.parse(f"model/{model.name}")
    view = registry.repository.log.refresh()
    is_new = latest_of(view, meant(view, entry)) is None
    known = set(tags_of(view, meant(view, entry)))
    counts.models += 1
    counts.refs.add(str(entry))
    for version in model.versions:
        counts.versions += 1
        try:
            # Where a tag points to is said here from the moment on in which it is here.
            counts.added += _bring_version(registry, entry, version, runs, known)
        except ConflictError as error:
            if error.code not in ("version_exists", "version_removed"):
                raise
            importer.notices.add(f"version left out: {error.message}")
    if is_new and model.versions and model.labels:
        annotating.label(registry, str(entry), model.labels)


def _bring_version(
    registry: Registry, entry: Entry, version: ForeignVersion, runs: Mapping[str, str], known: Collection[str]
) -> bool:
    """Register a version of a model, with the tags that are not known; tells whether it was not here."""
    added = registry.register(
        str(entry),
        version.files,
        "directory",
        version=version.version,
        metadata=version.metadata,
        inputs=[("run", runs[version.run])] if version.run in runs else [],
        tags=[tag for tag in version.tags if tag not in known],
        may_be_older=True,
    )
    if added.changed and version.labels:
        annotating.label(registry, added.version.ref, version.labels)
    return added.changed


# What can be imported; each module is loaded when it is asked for.


def mlflow(where: str, artifacts: Path | None = None, experiment: str = "") -> Origin:
    """Return what mlflow keeps in a directory `mlruns` or a database; arguments and errors as `MlflowImporter`."""
    from mlreg.importers.mlflow import MlflowImporter

    return MlflowImporter(where, artifacts, experiment)


def tensorboard(directory: Path, experiment: str = "") -> Origin:
    """Return the event files below a directory; arguments and errors as `TensorboardImporter`."""
    from mlreg.importers.tensorboard import TensorboardImporter

    return TensorboardImporter(directory, experiment)


def wandb(directory: Path, experiment: str = "") -> Origin:
    """Return the runs in a directory `wandb`; arguments and errors as `WandbImporter`."""
    from mlreg.importers.wandb import WandbImporter

    return WandbImporter(directory, experiment)


def trackio(place: Path, experiment: str = "") -> Origin:
    """Return the projects in a directory of trackio, or one; arguments and errors as `TrackioImporter`."""
    from mlreg.importers.trackio import TrackioImporter

    return TrackioImporter(place, experiment)


def csv(path: Path, experiment: str = "", metrics: Sequence[str] = ()) -> Origin:
    """Return the runs in a table; arguments and errors as `CsvImporter`."""
    from mlreg.importers.csv_table import CsvImporter

    return CsvImporter(path, experiment, metrics)
