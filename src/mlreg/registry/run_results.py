"""What the registry answers about experiments and runs: frozen values, which `--json` prints as they are.

Numbers that are not finite are texts here, as JSON has none: `NaN`, `Infinity`, `-Infinity`. Times are UTC in
RFC 3339 with milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from mlreg.formats.run import OUR_WORDS
from mlreg.operations.run_facts import facts_of_run, flat
from mlreg.registry.results import InputInfo, TaintInfo


class RunInfo(NamedTuple):
    """One run, sealed or not."""

    ref: str
    """`exp/churn@0199ab3f-…`, which is a ref once the run is sealed."""
    id: str
    experiment: str
    name: str
    status: str
    """`running`, `finished`, `failed`, `killed`, or `crashed`: it was not ended, and its process is gone."""
    sealed: bool
    """Whether it is a version of its experiment; otherwise its journals are read."""
    started: str
    ended: str
    """When the last thing was said of it."""
    seconds: float
    """That it took so far."""
    group: str
    parent: str
    """Id of the run that this one is part of; empty if of none."""
    author: str
    """Who sealed it; empty if no one did yet."""
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    """The last value of each."""
    ranges: Mapping[str, Any]
    """Of metrics with more than one point: count, min, max, and the last step."""
    labels: Mapping[str, Any]
    inputs: tuple[InputInfo, ...]
    facts: Mapping[str, Any]
    """What else is known: host, command, code, environment, why it failed."""
    damaged: int = 0
    """Lines of its journals that cannot be read; they may be half written."""
    taints: tuple[TaintInfo, ...] = ()
    """Its own taint, and those of all that it used, the oldest first; empty if it is not tainted."""


def facts(run: RunInfo, name: str) -> list[tuple[str, Any]]:
    """Return the params, labels or facts of a run by dotted names, sorted."""
    return sorted(flat(getattr(run, name)), key=itemgetter(0))


def all_facts(run: RunInfo) -> dict[str, Any]:
    """Return all that expressions can ask of a run: `params.lr`, `metrics.auc`, `status`."""
    return facts_of_run(document_of(run))


def fact_of(run: RunInfo, field: str) -> Any:  # noqa: ANN401 - a JSON value
    """Return one fact of a run as expressions name it, `metrics.auc`; None if it has none."""
    first, dot, rest = field.partition(".")
    ours = OUR_WORDS.get(first, first)
    return all_facts(run).get(f"{ours}{dot if ours else ''}{rest}")


def document_of(run: RunInfo) -> dict[str, Any]:
    """Return a run as JSON values."""
    return {**run._asdict(), "inputs": [one._asdict() for one in run.inputs]}


def info_of(document: Mapping[str, Any]) -> RunInfo:
    """Return a run as a user sees it."""
    inputs = tuple(InputInfo(one["role"], one["ref"], one["id"]) for one in document["inputs"])
    return RunInfo(**{**document, "inputs": inputs})


class Logged(NamedTuple):
    """A run after something was logged to it."""

    id: str
    records: int
    """That were written."""


class Executed(NamedTuple):
    """A run whose command has ended."""

    ref: str
    run: RunInfo
    outputs: tuple[str, ...]
    """Refs of the versions that it made."""
    exit_code: int
    """As a shell has it: of a signal, 128 and its number."""


class ExperimentInfo(NamedTuple):
    """An experiment and where it stands."""

    ref: str
    """`exp/churn`."""
    runs: int
    """Sealed ones."""
    live: int
    """Runs that are not sealed yet, whether they still run or not."""
    goal: str
    """`max auc`: the metric that makes one run better than another; empty if none was declared."""
    best: str
    """Ref of the best run by the goal; empty if there is none."""
    time: str
    """When the newest run began."""


class GoalInfo(NamedTuple):
    """The goal of an experiment."""

    ref: str
    metric: str
    direction: str
    """`min` or `max`."""
    changed: bool

    @property
    def refs(self) -> tuple[str, ...]:
        """The experiment's ref."""
        return (self.ref,)
