"""Runs side by side: what differs between them, how their metrics do, and whether one is worse than it may be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, RefusedError, UsageError
from mlreg.formats.names import EXPERIMENT, Entry
from mlreg.operations.best_run import better_of, goal_of
from mlreg.operations.run_facts import as_number, facts_of_run
from mlreg.operations.spread import spread_of
from mlreg.registry import gating
from mlreg.registry.comparisons import ComparedFact, ComparedMetric, ComparedRun, Comparison, Group, GroupMetric
from mlreg.registry.run_place import Place
from mlreg.registry.run_results import RunInfo, document_of
from mlreg.registry.searching_runs import best_first, find, key_of, ref_of

LOAD = "system/"
"""What the names of metrics begin with that tell of the machine."""
EVALUATION = ("eval", "evaluation", "test", "val", "validation")
"""Roles of inputs on which metrics are measured."""
_SURROUNDINGS = ("facts.code.", "facts.environment", "facts.python", "facts.platform", "facts.command", "inputs.")


class Question(NamedTuple):
    """What is to be compared, and how."""

    refs: Sequence[str] = ()
    experiment: str = ""
    """Instead of refs, or besides."""
    top: int = 0
    """Only so many runs of the experiment, the best ones; 0 for all."""
    where: str = ""
    metrics: str = "*"
    """Pattern of the metrics that are shown."""
    params: str = "*"
    baseline: str = ""
    """Ref; by default the first run."""
    group_by: Sequence[str] = ()
    """Facts: `params.lr`."""
    gate: str = ""
    """What no run may be."""
    is_strict: bool = False
    """Whether warnings are errors."""


class _Run(NamedTuple):
    info: ComparedRun
    facts: Mapping[str, Any]


def compare(place: Place, question: Question) -> Comparison:
    """Compare runs, and other versions that have metrics.

    Raises:
        UsageError: `nothing_to_compare`, `bad_expression`.
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `run_missing`, `no_goal`.
        RefusedError: `not_comparable`, metrics were measured on different data, and the question is strict.
    """
    runs = _runs(place, question)
    baseline = _baseline(place, runs, question)
    facts = [run.facts for run in runs]
    warnings = _warnings(runs)
    if warnings and question.is_strict:
        raise RefusedError("not_comparable", "the metrics cannot be compared", why="; ".join(warnings))
    metrics = _metrics(place, runs, baseline, question.metrics)
    failed = gating.failing(question.gate, facts, baseline) if question.gate else []
    return Comparison(
        runs=tuple(run.info for run in runs),
        baseline=runs[baseline].info.ref,
        params=tuple(_differing(facts, ("params.",), question.params)),
        metrics=tuple(metrics),
        surroundings=tuple(_differing(facts, _SURROUNDINGS)),
        group_by=tuple(question.group_by),
        groups=tuple(_groups(runs, question.group_by, [metric.name for metric in metrics])),
        warnings=tuple(warnings),
        gate=question.gate,
        failed=tuple(runs[number].info.ref for number in failed),
    )


# What is compared.


def _runs(place: Place, question: Question) -> list[_Run]:
    found = [_run_of(place, ref) for ref in question.refs]
    if question.experiment or not question.refs:
        found.extend(_of_experiment(place, question))
    by_ref = {run.info.ref: run for run in found}
    if not by_ref:
        raise UsageError(
            "nothing_to_compare", "there is no run to compare", fix=("mlreg run ls", "mlreg compare --exp EXPERIMENT")
        )
    return list(by_ref.values())


def _of_experiment(place: Place, question: Question) -> Iterable[_Run]:
    return [
        _Run(_shown(info), _facts(info))
        for info in best_first(place, question.experiment, question.where, question.top)
    ]


def _run_of(place: Place, text: str) -> _Run:
    try:
        info = find(place, text)
    except NotFoundError as error:
        if error.code != "not_a_run":
            raise
        return _version_of(place, text)
    return _Run(_shown(info), _facts(info))


def _shown(info: RunInfo) -> ComparedRun:
    return ComparedRun(info.ref, info.name, info.status, info.started)


def _facts(info: RunInfo) -> Mapping[str, Any]:
    # What an input is, and not what it was called, makes a difference.
    return facts_of_run(document_of(info)) | {f"inputs.{one.role}": f"{one.ref} {one.id[:12]}" for one in info.inputs}


def _version_of(place: Place, text: str) -> _Run:
    """Return a model or a dataset with the metrics and params of its metadata."""
    found = place.registry.show(ref_of(text))
    facts: dict[str, Any] = {}
    for section, words in (("metrics", ("metrics",)), ("params", ("params", "hyperparameters"))):
        for word in words:
            values = found.metadata.get(word)
            if isinstance(values, Mapping):
                facts |= {f"{section}.{name}": value for name, value in values.items()}
    facts |= {f"inputs.{one.role}": f"{one.ref} {one.id[:12]}" for one in found.inputs}
    return _Run(ComparedRun(found.ref, "", "", found.time), facts)


def _baseline(place: Place, runs: Sequence[_Run], question: Question) -> int:
    if not question.baseline:
        return 0
    wanted = _run_of(place, question.baseline)
    for number, run in enumerate(runs):
        if run.info.ref == wanted.info.ref:
            return number
    raise UsageError(
        "no_baseline",
        f"{wanted.info.ref} is not among what is compared",
        fix=f"name it, too: mlreg compare {wanted.info.ref} ...",
    )


# How they differ.


def _differing(facts: Sequence[Mapping[str, Any]], prefixes: tuple[str, ...], pattern: str = "*") -> list[ComparedFact]:
    keys = sorted({key for some in facts for key in some if key.startswith(prefixes)})
    found = []
    for key in keys:
        values = tuple(some.get(key) for some in facts)
        if (
            fnmatchcase(key.partition(".")[2], pattern)
            and len({json.dumps(value, sort_keys=True) for value in values}) > 1
        ):
            found.append(ComparedFact(key, values))
    return found


def _metrics(place: Place, runs: Sequence[_Run], baseline: int, pattern: str) -> list[ComparedMetric]:
    names = {key.removeprefix("metrics.") for run in runs for key in run.facts if key.startswith("metrics.")}
    shown = sorted(
        name for name in names if fnmatchcase(name, pattern) and (pattern != "*" or not name.startswith(LOAD))
    )
    goals = _goals(place, runs)
    found = []
    for name in shown:
        values = tuple(run.facts.get(f"metrics.{name}") for run in runs)
        better = goals.get(name) or better_of(name)
        found.append(ComparedMetric(name, values, _deltas(values, baseline), better, _best(values, better)))
    # The metric that counts comes first.
    return sorted(found, key=lambda metric: metric.name not in goals)


def _goals(place: Place, runs: Sequence[_Run]) -> dict[str, str]:
    """Return the goals of the experiments that runs are of, by metric."""
    view = place.registry.repository.log.refresh()
    entries = {Entry.parse(run.info.ref.partition("@")[0]) for run in runs}
    goals = (goal_of(view, entry) for entry in sorted(entries) if entry.kind == EXPERIMENT)
    return {goal.metric: goal.direction for goal in goals if goal}


def _deltas(values: Sequence[Any], baseline: int) -> tuple[float | None, ...]:
    start = as_number(values[baseline])
    return tuple(_delta(as_number(value), start) for value in values)


def _delta(one: float | None, other: float | None) -> float | None:
    if one is None or other is None or not math.isfinite(one - other):
        return None
    return one - other


def _best(values: Sequence[Any], better: str) -> tuple[int, ...]:
    numbers = {place: found for place, value in enumerate(values) if (found := as_number(value)) is not None}
    known = {place: value for place, value in numbers.items() if not math.isnan(value)}
    if not better or len(known) < 2:
        return ()
    best = (min if better == "min" else max)(known.values())
    return tuple(place for place, value in known.items() if value == best)


def _warnings(runs: Sequence[_Run]) -> list[str]:
    """Return what stands against comparing the metrics of runs."""
    found = []
    for role in EVALUATION:
        used = {run.info.ref: run.facts.get(f"inputs.{role}") for run in runs}
        if len(set(used.values())) > 1:
            words = ", ".join(sorted({str(value).partition(" ")[0] if value else "nothing" for value in used.values()}))
            found.append(f"metrics were measured on different data: as {role}, {words}")
    return found


def _groups(runs: Sequence[_Run], keys: Sequence[str], metrics: Sequence[str]) -> list[Group]:
    if not keys:
        return []
    names = [key_of(key) for key in keys]
    grouped: dict[str, list[_Run]] = {}
    for run in runs:
        grouped.setdefault(json.dumps([run.facts.get(name) for name in names], sort_keys=True), []).append(run)
    return [
        Group(
            tuple(some[0].facts.get(name) for name in names),
            tuple(run.info.ref for run in some),
            tuple(found for metric in metrics if (found := _group_metric(metric, some))),
        )
        for _, some in sorted(grouped.items())
    ]


def _group_metric(name: str, runs: Sequence[_Run]) -> GroupMetric | None:
    numbers = [as_number(run.facts.get(f"metrics.{name}")) for run in runs]
    spread = spread_of([number for number in numbers if number is not None and math.isfinite(number)])
    return GroupMetric(name, *spread) if spread else None
