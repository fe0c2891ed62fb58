"""Runs and other versions as what can be compared: something with metrics, and with facts that may explain them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mlreg.errors import MlregError, NotFoundError
from mlreg.formats.direction import better_of
from mlreg.formats.names import EXPERIMENT
from mlreg.formats.pack import Sort
from mlreg.ids import CommitId, ContentId
from mlreg.operations.best_run import goal_of
from mlreg.operations.lineage import present_commits
from mlreg.operations.run_facts import facts_of_run, flat
from mlreg.registry.describe import version_info
from mlreg.registry.results import InputInfo, VersionInfo
from mlreg.registry.run_place import Place
from mlreg.registry.run_results import RunInfo, document_of
from mlreg.registry.searching_runs import experiment_named, find, ref_of, sealed_run
from mlreg.repository.repository import Repository

METRICS = "metrics."
RUN = "run"
"""Role in which a run is an input of what it made."""
ENVIRONMENT = "facts.environment"
PACKAGE = "packages."
SURROUNDINGS = (
    *("facts.code.", ENVIRONMENT, PACKAGE, "facts.python", "facts.platform", "facts.host", "facts.command", "inputs."),
)
"""What the names of facts begin with that tell what a run ran in and what it used."""
_OF_A_RUN = (METRICS, "params.", "min.", "max.", *SURROUNDINGS)


class Measured(NamedTuple):
    """A run, or another version that has metrics, perhaps those of the run that made it."""

    ref: str
    name: str
    status: str
    """Empty of what is no run."""
    started: str
    experiment: str
    """Of the run; empty if there is none."""
    repository: Repository
    """Where it is."""
    facts: Mapping[str, Any]
    """By dotted keys as expressions name them."""
    inputs: tuple[InputInfo, ...]
    packages: Mapping[str, str] = {}
    """Of its environment, if they are known: versions by name."""


def measured(place: Place, text: str) -> Measured:
    """Return what a ref names.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `run_missing`.
    """
    try:
        return of_run(place, find(place, text))
    except NotFoundError as error:
        if error.code != "not_a_run":
            raise
    repository, ref, target = place.registry.find(ref_of(place, text))
    commit = present_commits(repository, [target.commit_id])[target.commit_id]
    found = of_version(repository, version_info(repository, target.commit_id, commit))
    return found._replace(ref=f"{ref.remote}::{found.ref}") if ref.remote else found


def of_run(place: Place, run: RunInfo) -> Measured:
    """Return a run as what can be compared."""
    facts, repository = facts_of_run(document_of(run)), place.registry.repository
    return Measured(run.ref, run.name, run.status, run.started, run.experiment, repository, facts, run.inputs)


def of_version(repository: Repository, version: VersionInfo) -> Measured:
    """Return a model or a dataset: with what its metadata says, and before that, what its run says."""
    run = _run_of(repository, version)
    facts = {} if run is None else facts_of_run(document_of(run))
    facts = {key: value for key, value in facts.items() if key.startswith(_OF_A_RUN)}
    for section, word in (("metrics", "metrics"), ("params", "hyperparameters"), ("params", "params")):
        values = version.metadata.get(word)
        facts |= flat(values, f"{section}.") if isinstance(values, Mapping) else {}
    # Each version has a run of its own: that says nothing.
    own = (one for one in version.inputs if one.role != RUN)
    inputs = tuple(dict.fromkeys((*(run.inputs if run else ()), *own)))
    experiment = run.experiment if run else ""
    return Measured(version.ref, "", "", version.time, experiment, repository, facts, inputs)


def _run_of(repository: Repository, version: VersionInfo) -> RunInfo | None:
    ids = [CommitId.parse(one.id) for one in version.inputs if one.role == RUN]
    commits = present_commits(repository, ids) if len(ids) == 1 else {}
    found = commits.get(ids[0]) if commits else None
    return sealed_run(repository, found) if found and found.entry.startswith(f"{EXPERIMENT}/") else None


def goals_of(place: Place, runs: Iterable[Measured | RunInfo]) -> dict[str, str]:
    """Return the goals of the experiments of runs: `min` or `max` by metric."""
    view = place.registry.repository.log.refresh()
    goals = (goal_of(view, experiment_named(name)) for name in sorted({run.experiment for run in runs}) if name)
    return {goal.metric: goal.direction for goal in goals if goal}


def better_in(goals: Mapping[str, str], metric: str) -> str:
    """Return whether the smallest or the largest value of a metric is best, `min` or `max`; empty if unknown."""
    return goals.get(metric) or better_of(metric)


# What makes a difference.


def spelled_out(runs: Sequence[Measured]) -> list[Measured]:
    """Return runs with the packages of their environments, where these differ, and with inputs among their facts.

    An input is told by its id, with one name, however it was called when it was used.
    """
    names: dict[str, str] = {}
    for one in (one for run in runs for one in run.inputs):
        names.setdefault(one.id, one.ref)
    environments = {str(run.facts.get(ENVIRONMENT, "")): run.repository for run in runs}
    packages = {name: _packages(where, name) for name, where in environments.items()} if len(environments) > 1 else {}
    return [
        run._replace(
            facts={**run.facts, **_inputs(run.inputs, names)},
            packages=packages.get(str(run.facts.get(ENVIRONMENT, "")), {}),
        )
        for run in runs
    ]


def comparable_facts(runs: Sequence[Measured]) -> list[Mapping[str, Any]]:
    """Return the facts of runs that were spelled out: packages, `packages.numpy`, or else ids of environments."""
    if not all(run.packages for run in runs):
        return [run.facts for run in runs]
    return [
        {key: value for key, value in run.facts.items() if key != ENVIRONMENT}
        | {f"{PACKAGE}{name}": version for name, version in run.packages.items()}
        for run in runs
    ]


def differing(facts: Sequence[Mapping[str, Any]], prefixes: tuple[str, ...]) -> list[str]:
    """Return the facts that are not the same in all of several, sorted."""
    keys = {key for some in facts for key in some if key.startswith(prefixes)}
    return sorted(key for key in keys if len({mark(some.get(key)) for some in facts}) > 1)


def mark(value: Any) -> str:  # noqa: ANN401 - a JSON value
    """Return a text that equal values have in common, and no others.

    >>> mark(1) == mark(1.0), mark(1) == mark(True), mark(1) == mark("1")
    (True, False, False)
    """
    is_whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if is_whole else value, sort_keys=True)


def _inputs(inputs: Iterable[InputInfo], names: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for one in inputs:
        found.setdefault(f"inputs.{one.role}", []).append(f"{names[one.id]} {one.id[:12]}")
    return {key: ", ".join(sorted(some)) for key, some in found.items()}


def _packages(repository: Repository, environment: str) -> dict[str, str]:
    """Return the packages of a list that some run kept, with their versions; none if the list is not here."""
    try:
        content = ContentId.parse(environment)
        if not repository.objects.has(Sort.PIECE, content):
            return {}
        lines = bytes(repository.objects.read(Sort.PIECE, content)).decode(errors="replace").splitlines()
    except MlregError:
        # Forged, or damaged: that something differs is known all the same.
        return {}
    # The first line is the Python, which is a fact of its own.
    return {name: version for name, equals, version in (line.partition("==") for line in lines) if equals}
