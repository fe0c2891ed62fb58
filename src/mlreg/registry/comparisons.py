"""What `compare` and `blame` answer: frozen values, which `--json` prints as they are.

Lists of values are in the order of the runs; null stands where a run has none. Numbers that are not finite are
texts, as JSON has none.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class ComparedRun(NamedTuple):
    """A run, or another version with metrics, that is compared."""

    ref: str
    name: str
    status: str
    """Empty of what is no run."""
    started: str


class ComparedFact(NamedTuple):
    """A fact that differs: a param, the state of the code, the environment, an input."""

    name: str
    """`params.lr`, `facts.code.commit`, `inputs.data`."""
    values: tuple[Any, ...]


class ComparedMetric(NamedTuple):
    """A metric: its last value in each run."""

    name: str
    values: tuple[Any, ...]
    deltas: tuple[float | None, ...]
    """Each less that of the baseline; null where one of both is no finite number."""
    better: str
    """`min` or `max`: the goal of the experiment, or what the name says; empty if neither does."""
    best: tuple[int, ...]
    """Places of the runs with the best value; empty if it is not known what is better."""


class GroupMetric(NamedTuple):
    """A metric over the runs of a group."""

    name: str
    runs: int
    """That have a finite value."""
    mean: float
    std: float
    """Of the sample; 0 of a single run."""
    low: float
    """With 95 %, the mean lies between `low` and `high`, if values are normally distributed (Student's t)."""
    high: float


class Group(NamedTuple):
    """Runs with equal values of some facts."""

    values: tuple[Any, ...]
    """Of the facts that were grouped by."""
    runs: tuple[str, ...]
    metrics: tuple[GroupMetric, ...]


class Comparison(NamedTuple):
    """Runs side by side."""

    runs: tuple[ComparedRun, ...]
    baseline: str
    """Ref of the run that the others are compared with."""
    params: tuple[ComparedFact, ...]
    """Only those that differ."""
    metrics: tuple[ComparedMetric, ...]
    surroundings: tuple[ComparedFact, ...]
    """What else differs: code, environment, inputs."""
    group_by: tuple[str, ...]
    groups: tuple[Group, ...]
    warnings: tuple[str, ...]
    gate: str
    """What no run may be; empty if nothing was asked."""
    failed: tuple[str, ...]
    """Refs of the runs that are what they may not be, or of which it cannot be told."""
    reasons: tuple[str, ...]
    """Why each of them failed: the gate, or the metrics in it that are missing or NaN."""

    @property
    def passed(self) -> bool:
        """Whether no run is what it may not be."""
        return not self.failed

    @property
    def best(self) -> str:
        """Ref of the run that is best in the first metric of which it is known what is better; else empty."""
        known = next((metric for metric in self.metrics if metric.best), None)
        return self.runs[known.best[0]].ref if known else ""


class Suspect(NamedTuple):
    """Something that changed when a metric got worse."""

    name: str
    """`params.lr`, `inputs.train`, `facts.code.commit`, `packages.numpy`."""
    before: Any
    after: Any
    changed_elsewhere: int
    """Other steps in which it changed, and was not changed back, and the metric did not get worse."""
    as_good: int
    """Runs with the same value as after, whose metric is no worse than before."""


class Fall(NamedTuple):
    """A step from one run, or version, to the next in which a metric got worse."""

    before: str
    """Ref."""
    after: str
    value_before: Any
    value_after: Any
    delta: float | None
    """From before to after; null where one of both is no finite number."""
    suspects: tuple[Suspect, ...]
    """All that changed and is known, the most suspicious first."""


class Blame(NamedTuple):
    """Where a metric got worse on the way to a run or a version, and what changed there."""

    ref: str
    metric: str
    better: str
    """`min` or `max`."""
    better_by: str
    """Who says so: `option`, `goal` of the experiment, or `name` of the metric."""
    looked_at: int
    """Finished runs, or versions, up to this one that have the metric, this one too."""
    passed_over: int
    """Those that do not have it."""
    falls: tuple[Fall, ...]
    """The largest first; of equal ones, the last. One to NaN is larger than all others."""
