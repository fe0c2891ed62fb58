"""Sealing: a run that ended becomes a version of its experiment, all of it or nothing, and its journals go.

What a version of an experiment holds, `docs/format/run.md` says. Sealing the same again changes nothing, so it
may be done by anyone, twice, or again after a crash in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlreg.errors import ConflictError, NotFoundError, UnavailableError, UsageError
from mlreg.formats import canonical
from mlreg.formats.commit import MAX_METADATA, Input
from mlreg.formats.names import EXPERIMENT, Entry
from mlreg.formats.run import RunState, Series, next_version
from mlreg.formats.run_summary import LONG, brief, summary
from mlreg.formats.series import FILE, encode_series
from mlreg.formats.snapshot import RefState
from mlreg.formats.versions import RUNS
from mlreg.ids import CommitId
from mlreg.operations.clearing import take_away
from mlreg.operations.earlier_part import Earlier, earlier_of
from mlreg.operations.history import read_commit, sealed_versions, version_of
from mlreg.operations.known_part import is_known
from mlreg.operations.live_runs import LiveRun
from mlreg.operations.naming import meant
from mlreg.operations.register import Batch, NewVersion, Recorded
from mlreg.operations.run_files import files_of_run
from mlreg.operations.scanning import Source
from mlreg.repository.repository import Repository

MAX_LABELS = 512 * 1024
"""Bytes of all labels of a run; the longest ones beyond that are facts of the run, and no labels."""
MAX_MESSAGE = 10_000
"""Characters of the description that are the message of the version."""

_ATTEMPTS = 10

More = Callable[[Batch, Recorded], None]
"""Puts what a run made into the same transaction."""


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
        view = repository.log.refresh()
        entry = meant(view, new.entry)
        present = sealed_versions(view, entry, run.state.id)
        if known := _known(repository, [version_of(view, entry, version) for version in present], run):
            take_away(run)
            return known
        # What it was sealed as before it went on may be all that is in this directory: a copy of it.
        for version in (*reversed(present), next_version(run.state.id, present)):
            if done := _sealed(repository, replace(new, version=version), more):
                take_away(run)
                return done
    raise UnavailableError("run_sealed", f"run {run.state.id} is being sealed by others", fix="do it again")


def _known(repository: Repository, sealed: Sequence[RefState | None], run: LiveRun) -> Recorded | None:
    """Return the version that holds all that is known of a run which no one ended; None if there is none."""
    if run.status != "crashed" or run.state.resumes:
        return None
    for ref in reversed(sealed):
        if ref and ref.target and is_known(repository, commit := read_commit(repository, ref.target), run):
            return Recorded(ref.target, commit, is_changed=False)
    return None


def add_more(repository: Repository, run: CommitId, more: More) -> None:
    """Register what a run made that was sealed by others."""
    with Batch(repository) as batch:
        more(batch, Recorded(run, read_commit(repository, run), is_changed=False))
        batch.commit()


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


def _new_version(repository: Repository, run: LiveRun, author: str) -> NewVersion:
    state = run.state
    if not state.experiment:
        raise UsageError(
            "no_experiment",
            f"the journals of run {state.id} do not say of which experiment it is",
            why="the one that began it is missing or damaged",
            fix="copy the whole directory of the run from where it was started",
        )
    earlier = earlier_of(repository, state)
    metrics = earlier.all_metrics(state)
    files = files_of_run(run.files, state.artifacts.values(), earlier.sources, (FILE, LONG))
    if files.missing and not run.directory.is_dir():
        raise NotFoundError("run_missing", f"run {state.id} was sealed by others", fix=f"mlreg run show {state.id}")
    labels, long = _labels(earlier.all_labels(state))
    metadata = summary(state, run.status, metrics, files.missing, earlier.metadata, files.moved)
    if long:
        metadata["run"]["long_labels"] = long
    new = run_version(state, metadata, metrics, files.sources, author)
    return replace(new, inputs=_inputs(earlier, state), facts={"labels": labels} if labels else {})


def _labels(labels: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the labels that can be stated together, and those for which there is no room."""
    sizes = {name: len(canonical.encode({name: value})) for name, value in labels.items()}
    total, long = sum(sizes.values()), {}
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if total <= MAX_LABELS:
            break
        long[name], total = labels[name], total - sizes[name]
    return {name: value for name, value in labels.items() if name not in long}, long


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
    body = canonical.encode(dict(metadata))
    fits = len(body) <= MAX_METADATA
    made = [_source(FILE, encode_series(metrics))] if metrics else []
    sources = [*files, *made, *([] if fits else [_source(LONG, body)])]
    return NewVersion(
        entry=Entry.parse(f"{EXPERIMENT}/{state.experiment}"),
        versions=RUNS,
        sources=list({source.path: source for source in sources}.values()),
        form="directory",
        author=author,
        metadata=metadata if fits else brief(metadata),
        message=str(metadata["run"].get("description", ""))[:MAX_MESSAGE],
        facts={"labels": state.labels} if state.labels else {},
    )


def _source(path: str, data: bytes) -> Source:
    return Source(path, lambda: [data])


def _inputs(earlier: Earlier, state: RunState) -> tuple[Input, ...]:
    given = (Input(one.role, CommitId.parse(one.commit), one.ref) for one in state.inputs)
    found = {(one.role, one.commit): one for one in (*earlier.inputs, *given)}
    return tuple(found.values())
