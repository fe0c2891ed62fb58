"""Sealing: a run that ended becomes a version of its experiment, all of it or nothing, and its journals go.

What a version of an experiment holds, `docs/format/run.md` says. Sealing the same again changes nothing, so it
may be done by anyone, twice, or again after a crash in the middle.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import ConflictError, NotFoundError, UnavailableError, UsageError
from mlreg.formats import canonical
from mlreg.formats.commit import MAX_METADATA, Input
from mlreg.formats.names import EXPERIMENT, Entry
from mlreg.formats.run import RunState, Series
from mlreg.formats.run_summary import brief, summary
from mlreg.formats.series import FILE, decode_series, encode_series
from mlreg.formats.versions import RUNS
from mlreg.ids import CommitId
from mlreg.operations.history import files_of, read_commit, sealed_versions, version_of
from mlreg.operations.live_runs import LiveRun, same_as_read
from mlreg.operations.register import Batch, NewVersion, Recorded
from mlreg.operations.scanning import Source
from mlreg.repository.repository import Repository

LONG = "run.json"
"""Where the facts of a run stand that are too long for a commit."""

_ATTEMPTS = 10

More = Callable[[Batch, Recorded], None]
"""Puts what a run made into the same transaction."""


class Earlier(NamedTuple):
    """What was sealed of a run before it was resumed."""

    metadata: Mapping[str, Any] = {}
    metrics: Mapping[str, Series] = {}
    sources: tuple[Source, ...] = ()
    inputs: tuple[Input, ...] = ()


def nothing_more(batch: Batch, sealed: Recorded) -> None:
    """Register nothing but the run."""


def seal(repository: Repository, run: LiveRun, author: str, more: More = nothing_more) -> Recorded:
    """Register a run as a version of its experiment, and take its journals away: it is durable when this returns.

    Args:
        repository: where.
        run: as it was read after its writers had ended it, or died.
        author: who.
        more: as it says.

    Raises:
        UsageError: `bad_name`, `no_experiment`; and what `Batch.put` raises.
        NotFoundError: `version_missing`, what it resumes is not here.
        UnavailableError: `run_sealed`, others were faster each time.
    """
    new = _new_version(repository, run, author)
    for _ in range(_ATTEMPTS):
        present = sealed_versions(repository.log.refresh(), new.entry, run.state.id)
        for version in (*present[-1:], next_version(run.state.id, present)):
            if done := _sealed(repository, replace(new, version=version), more):
                _take_away(run)
                return done
    raise UnavailableError("run_sealed", f"run {run.state.id} is being sealed by others", fix="do it again")


def _sealed(repository: Repository, new: NewVersion, more: More) -> Recorded | None:
    try:
        return _register(repository, new, more)
    except ConflictError as error:
        # What is sealed already is not what is known now: more was said, or it goes on. Or others were faster.
        if error.code not in ("version_exists", "version_removed"):
            raise
    return None


def _register(repository: Repository, new: NewVersion, more: More) -> Recorded:
    while True:
        try:
            with Batch(repository) as batch:
                more(batch, batch.put(new, lambda size: None))
                return batch.commit()[0]
        except ConflictError as error:
            if error.code != "collected_meanwhile":
                raise


def next_version(run: str, present: Sequence[str]) -> str:
    """Return under which name a run is sealed next, if it was under some before: `ID`, `ID+2`, `ID+3`."""
    if not present:
        return run
    return f"{run}+{int(present[-1].partition('+')[2] or 1) + 1}"


def _new_version(repository: Repository, run: LiveRun, author: str) -> NewVersion:
    state = run.state
    if not state.experiment:
        raise UsageError(
            "no_experiment",
            f"the journals of run {state.id} do not say of which experiment it is",
            why="the one that began it is missing or damaged",
            fix="copy the whole directory of the run from where it was started",
        )
    entry = Entry.parse(f"{EXPERIMENT}/{state.experiment}")
    earlier = _earlier(repository, entry, state.resumes) if state.resumes else Earlier()
    metrics = _all_metrics(earlier, state)
    files, missing = _files(run)
    metadata = summary(state, run.status, metrics, missing, earlier.metadata)
    new = run_version(state, metadata, metrics, [*earlier.sources, *files], author)
    return replace(new, inputs=_inputs(earlier, state))


def run_version(
    state: RunState, metadata: Mapping[str, Any], metrics: Mapping[str, Series], files: Sequence[Source], author: str
) -> NewVersion:
    """Return what is registered of a run, without the name of its version.

    Args:
        state: of the run.
        metadata: that `summary` made.
        metrics: all of them.
        files: that were logged; of those with one path the last one counts.
        author: who.

    Raises:
        UsageError: `bad_name`.
    """
    sources = [*files, *_written(metadata, metrics)]
    return NewVersion(
        entry=Entry.parse(f"{EXPERIMENT}/{state.experiment}"),
        versions=RUNS,
        sources=list({source.path: source for source in sources}.values()),
        form="directory",
        author=author,
        metadata=metadata if _fits(metadata) else brief(metadata),
        message=str(metadata["run"].get("description", "")),
        facts={"labels": state.labels} if state.labels else {},
    )


def _fits(metadata: Mapping[str, Any]) -> bool:
    return len(canonical.encode(dict(metadata))) <= MAX_METADATA


def _written(metadata: Mapping[str, Any], metrics: Mapping[str, Series]) -> Iterator[Source]:
    """Yield the files that are made when a run is sealed."""
    if metrics:
        yield _source(FILE, encode_series(metrics))
    if not _fits(metadata):
        yield _source(LONG, canonical.encode(dict(metadata)))


def _source(path: str, data: bytes) -> Source:
    return Source(path, lambda: [data])


def _inputs(earlier: Earlier, state: RunState) -> tuple[Input, ...]:
    given = (Input(one.role, CommitId.parse(one.commit), one.ref) for one in state.inputs)
    found = {(one.role, one.commit): one for one in (*earlier.inputs, *given)}
    return tuple(found.values())


def _all_metrics(earlier: Earlier, state: RunState) -> dict[str, Series]:
    found = dict(earlier.metrics)
    for name, series in state.metrics.items():
        before = found.get(name)
        found[name] = before.joined(series) if before else series
    return found


def _earlier(repository: Repository, entry: Entry, version: str) -> Earlier:
    """Return what was sealed of a run that goes on."""
    found = version_of(repository.log.refresh(), entry, version)
    if found is None or found.target is None:
        raise NotFoundError("version_missing", f"{entry} has no run {version}", fix=f"mlreg run ls {entry.name}")
    commit = read_commit(repository, found.target)
    read = repository.objects.read_whole
    files = {file.path: file for file in files_of(repository, commit)}
    kept = [file for path, file in files.items() if path not in (FILE, LONG)]
    series, long = files.get(FILE), files.get(LONG)
    return Earlier(
        _json(b"".join(read(long.id, long.size))) if long else commit.metadata,
        decode_series(b"".join(read(series.id, series.size))) if series else {},
        tuple(Source(file.path, partial(read, file.id, file.size), file.mode) for file in kept),
        commit.inputs,
    )


def _json(data: bytes) -> Mapping[str, Any]:
    found = canonical.decode(data, len(data))
    return found if isinstance(found, dict) else {}


def _files(run: LiveRun) -> tuple[list[Source], list[str]]:
    """Return the files that were logged, and the paths of those that are not there any more."""
    found, missing = [], []
    for artifact in run.state.artifacts.values():
        place = run.files / artifact.place
        # A run may come from elsewhere: nothing but a file in its own directory is taken.
        if artifact.place == Path(artifact.place).name and _is_file(place):
            found.append(Source(artifact.path, str(place)))
        else:
            missing.append(artifact.path)
    return found, missing


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _take_away(run: LiveRun) -> None:
    """Delete the directory of a sealed run, unless more was said meanwhile: then it is sealed again later."""
    if same_as_read(run):
        shutil.rmtree(run.directory, ignore_errors=True)
