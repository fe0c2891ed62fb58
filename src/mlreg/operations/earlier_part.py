"""What was sealed of a run before it was resumed, and what it is together with what was said since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlreg.errors import MlregError, NotFoundError
from mlreg.formats.annotation import about_version, facts_of, merge_patch
from mlreg.formats.commit import Input
from mlreg.formats.names import EXPERIMENT, Entry
from mlreg.formats.run import RunState, Series
from mlreg.formats.run_summary import LONG
from mlreg.formats.series import FILE
from mlreg.operations.history import files_of, read_commit, version_of
from mlreg.operations.naming import meant
from mlreg.operations.run_metadata import metadata_of, metrics_of
from mlreg.operations.scanning import Source, Stored
from mlreg.repository.repository import Repository


class Earlier(NamedTuple):
    """What was sealed of a run before it was resumed; nothing of one that was not."""

    metadata: Mapping[str, Any] = {}
    metrics: Mapping[str, Series] = {}
    sources: tuple[Source, ...] = ()
    inputs: tuple[Input, ...] = ()
    labels: Mapping[str, Any] = {}

    def all_params(self, state: RunState) -> dict[str, Any]:
        """Return the params from before and from now on; the first value of each holds."""
        before = self.metadata.get("params")
        return {**state.params, **(before if isinstance(before, Mapping) else {})}

    def all_metrics(self, state: RunState) -> dict[str, Series]:
        """Return the points from before and from now on."""
        found = dict(self.metrics)
        for name, series in state.metrics.items():
            before = found.get(name)
            found[name] = before.joined(series) if before else series
        return found

    def all_labels(self, state: RunState) -> Mapping[str, Any]:
        """Return the labels from before, and what became of them."""
        found: Mapping[str, Any] = merge_patch(self.labels, state.labels)
        return found


def earlier_of(repository: Repository, state: RunState) -> Earlier:
    """Return what was sealed of a run that goes on.

    Raises:
        NotFoundError: `version_missing`, it is not here.
    """
    if not state.resumes:
        return Earlier()
    view, entry = repository.log.refresh(), Entry(EXPERIMENT, state.experiment)
    found = version_of(view, meant(view, entry), state.resumes)
    if found is None or found.target is None:
        raise NotFoundError("version_missing", f"{entry} has no run {state.resumes}", fix=f"mlreg run ls {entry.name}")
    commit = read_commit(repository, found.target)
    labels = facts_of(view.annotations(about_version(found.name, commit.content()))).get("labels")
    kept = [file for file in files_of(repository, commit) if file.path not in (FILE, LONG)]
    return Earlier(
        metadata_of(repository, commit),
        metrics_of(repository, commit),
        tuple(Source(file.path, Stored(file.id, file.size), file.mode) for file in kept),
        commit.inputs,
        labels if isinstance(labels, dict) else {},
    )


def what_is_here(repository: Repository, state: RunState) -> Earlier:
    """Return what was sealed of a run that goes on, as far as it is here and can be read: it may be elsewhere."""
    try:
        return earlier_of(repository, state)
    except MlregError:
        return Earlier()
