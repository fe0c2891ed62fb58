"""Bringing along what other tools keep: runs become versions of experiments, models versions of models.

What was imported before and is as it was is not written again; a run of which there is more now is sealed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import AccessError, ConflictError, NotFoundError, RefusedError, UnavailableError, UsageError
from mlreg.formats.commit import Input
from mlreg.formats.names import EXPERIMENT, Entry
from mlreg.formats.run import next_version
from mlreg.formats.run_summary import summary
from mlreg.formats.versions import VersionFormat
from mlreg.importers.foreign import ForeignModel, ForeignRun, ForeignVersion, Importer
from mlreg.operations.history import sealed_versions, tags_of, version_of
from mlreg.operations.naming import meant
from mlreg.operations.register import Batch, NewVersion, Recorded
from mlreg.operations.sealing import run_version
from mlreg.registry import annotating
from mlreg.registry.registry import Registry

Origin = Importer
"""What is brought along: the files of another tool, opened."""

AT_ONCE = 100
"""Runs of one transaction."""
MOST_POINTS = 2_000_000
"""Points after which a transaction takes no more runs: as many as memory has to hold."""
_ATTEMPTS = 10
_OF_THE_WHOLE = ("collected_meanwhile", "file_changed", "half_stored")
"""What befalls a transaction, and not one thing in it."""
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
        self.points += _points_of(run)
        self.artifacts += len(run.files)


def _points_of(run: ForeignRun) -> int:
    return sum(map(len, run.state.metrics.values()))


def bring(registry: Registry, importer: Origin, report: Callable[[int], None] = SILENT) -> Imported:
    """Import everything that an importer yields. What was done of it when it is interrupted is not done again.

    Args:
        registry: where it goes.
        importer: says what there is.
        report: told how many runs were done, now and then.

    Raises:
        UnavailableError: `run_sealed`, others import the same.
        And what the importer raises.
    """
    counts = _Counts()
    here: dict[str, Recorded] = {}
    for runs in _some(importer):
        here |= _bring_runs(registry, importer, runs, counts)
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


def _some(importer: Origin) -> Iterator[list[ForeignRun]]:
    """Yield runs for one transaction after the other: few enough for memory and for the log, and none twice."""
    seen: set[str] = set()
    some: list[ForeignRun] = []
    for run in importer.runs():
        named = f"{run.state.experiment}@{run.state.id}"
        if named in seen:
            importer.notices.add("run left out that is there twice")
            continue
        seen.add(named)
        some.append(run)
        if len(some) == AT_ONCE or sum(map(_points_of, some)) > MOST_POINTS:
            yield some
            some = []
    if some:
        yield some


def _bring_runs(
    registry: Registry, importer: Origin, runs: Sequence[ForeignRun], counts: _Counts
) -> dict[str, Recorded]:
    """Register runs; returns what each is here, by what the tool calls it."""
    for run in runs:
        counts.take(run)
    done = _registered(registry, importer, "run", [partial(_put_run, registry, run=run) for run in runs], counts)
    return {run.key: one for run, one in zip(runs, done, strict=True) if one}


Put = Callable[[Batch], Recorded]
"""Puts something into a transaction."""


def _registered(
    registry: Registry, importer: Origin, what: str, wanted: Sequence[Put], counts: _Counts
) -> list[Recorded | None]:
    """Register things in one transaction, and return what each is here; one that cannot be is noticed."""
    for _ in range(_ATTEMPTS):
        refused: list[str] = []
        try:
            with Batch(registry.repository) as batch:
                put = [_is_put(batch, one, refused) for one in wanted]
                done = iter(batch.commit(f"import from {importer.tool}"))
        except ConflictError as error:
            # Others sealed one of them, or collected what they rely on, or a file is being written.
            trouble = error
            continue
        for why in refused:
            importer.notices.add(f"{what} left out: {why}")
        found = [next(done) if is_put else None for is_put in put]
        counts.added += sum(one.is_changed for one in found if one)
        return found
    what = f"what is imported from {importer.tool} changes again and again"
    raise UnavailableError("run_sealed", what, why=trouble.message, fix="do it again")


def _is_put(batch: Batch, put: Put, refused: list[str]) -> bool:
    """Put one thing into a transaction; False, with the reason, if it cannot be."""
    try:
        put(batch)
    except (AccessError, ConflictError, NotFoundError, RefusedError, UsageError) as error:
        if error.code in _OF_THE_WHOLE:
            raise
        refused.append(error.message)
        return False
    return True


def _put_run(registry: Registry, batch: Batch, run: ForeignRun) -> Recorded:
    state, view = run.state, registry.repository.log.view
    metadata = summary(state, run.status, state.metrics)
    new = run_version(state, metadata, state.metrics, run.files, registry.author)
    entry = meant(view, new.entry)
    present = sealed_versions(view, entry, state.id)
    if present:
        known = version_of(view, entry, present[-1])
        if known is None or known.target is None:
            raise ConflictError("version_removed", "it was removed here", fix="mlreg restore REF")
        try:
            return batch.put(replace(new, version=present[-1]), SILENT)
        except ConflictError as error:
            if error.code != "version_exists":
                raise
    return batch.put(replace(new, version=next_version(state.id, present)), SILENT)


# Models.


def _bring_model(
    registry: Registry, importer: Origin, model: ForeignModel, runs: Mapping[str, Recorded], counts: _Counts
) -> None:
    """Register all versions of a model in one transaction, with their labels and tags."""
    entry = Entry.parse(f"model/{model.name}")
    view = registry.repository.log.refresh()
    known = tags_of(view, meant(view, entry))
    counts.models += 1
    counts.versions += len(model.versions)
    counts.refs.add(str(entry))
    wanted = [
        partial(_put_version, registry, entry=entry, version=version, runs=runs, known=set(known))
        for version in model.versions
    ]
    done = _registered(registry, importer, "version", wanted, counts)
    for version, here in zip(model.versions, done, strict=True):
        for tag in version.tags:
            # Where a tag points to is said here, from the moment on in which it is here.
            if here and tag in known and known[tag].target != here.commit_id:
                importer.notices.add(f"tag left as it is here: {entry}@{tag}")
    if any(done) and model.labels:
        _label(registry, entry, model.labels)


def _put_version(
    registry: Registry,
    batch: Batch,
    entry: Entry,
    version: ForeignVersion,
    runs: Mapping[str, Recorded],
    known: Collection[str],
) -> Recorded:
    registry.check_metadata(entry, version.metadata)
    versions = registry.format_of(entry)
    origin = runs.get(version.run)
    made_by = [Input("run", origin.commit_id, f"{origin.commit.entry}@{origin.commit.version}")] if origin else []
    new = NewVersion(
        entry=entry,
        versions=versions,
        sources=version.files,
        form="directory",
        author=registry.author,
        version=_called(versions, version.number),
        metadata=version.metadata,
        inputs=made_by,
        tags=[tag for tag in version.tags if tag not in known],
        may_be_older=True,
        facts={"labels": version.labels} if version.labels else {},
    )
    return batch.put(new, SILENT)


def _called(versions: VersionFormat, number: int) -> str:
    """Return what the version of a number is called: `3.0.0`, or as the format of the project has it."""
    for name in (f"{number}.0.0", f"{number}.0", str(number)):
        with suppress(UsageError):
            versions.check(name)
            return name
    raise UsageError(
        "bad_version",
        f"the format {versions.name} has no version for the number {number}",
        fix="mlreg config set KIND.version_format semver",
    )


def _label(registry: Registry, entry: Entry, labels: Mapping[str, str]) -> None:
    """Label an entry, but for labels of which anything was ever said here."""
    with suppress(NotFoundError):
        subject = annotating.Subject.to_change(registry, str(entry))
        said = {key for one in subject.annotations() for key in one.patch.get("labels") or {}}
        if new := {key: text for key, text in labels.items() if key not in said}:
            annotating.label(registry, str(entry), new)


# What can be imported; each module is loaded when it is asked for.


def mlflow(where: str, artifacts: Path | None = None, experiment: str = "") -> Origin:
    """Return what mlflow keeps in a directory `mlruns` or a database; arguments and errors as `MlflowImporter`."""
    from mlreg.importers.mlflow import MlflowImporter

    return MlflowImporter(where, artifacts, experiment)


def tensorboard(directory: Path, experiment: str = "") -> Origin:
    """Return the event files below a directory; arguments and errors as `TensorboardImporter`."""
    from mlreg.importers.tensorboard import TensorboardImporter

    return TensorboardImporter(directory, _checked(experiment))


def wandb(directory: Path, experiment: str = "") -> Origin:
    """Return the runs in a directory `wandb`; arguments and errors as `WandbImporter`."""
    from mlreg.importers.wandb import WandbImporter

    return WandbImporter(directory, _checked(experiment))


def trackio(place: Path, experiment: str = "") -> Origin:
    """Return the projects in a directory of trackio, or one; arguments and errors as `TrackioImporter`."""
    from mlreg.importers.trackio import TrackioImporter

    return TrackioImporter(place, _checked(experiment))


def csv(path: Path, experiment: str = "", metrics: Sequence[str] = ()) -> Origin:
    """Return the runs in a table; arguments and errors as `CsvImporter`."""
    from mlreg.importers.csv_table import CsvImporter

    return CsvImporter(path, _checked(experiment), metrics)


def _checked(experiment: str) -> str:
    """Return the name that an experiment shall have here.

    Raises:
        UsageError: `bad_name`.
    """
    return Entry.parse(f"{EXPERIMENT}/{experiment}").name if experiment else ""
