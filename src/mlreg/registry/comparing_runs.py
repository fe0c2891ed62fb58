"""Runs side by side: what differs between them, how their metrics do, and whether one is worse than it may be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from mlreg.errors import RefusedError, UsageError
from mlreg.formats.expression import Field, SortKey
from mlreg.formats.matching import sorted_by
from mlreg.operations.run_facts import as_number
from mlreg.operations.spread import spread_of
from mlreg.registry import gating
from mlreg.registry.comparisons import ComparedFact, ComparedMetric, ComparedRun, Comparison, Group, GroupMetric
from mlreg.registry.measured import (
    METRICS,
    SURROUNDINGS,
    Measured,
    better_in,
    comparable_facts,
    differing,
    goals_of,
    mark,
    measured,
    of_run,
    spelled_out,
)
from mlreg.registry.run_place import Place
from mlreg.registry.searching_runs import best_first, key_of

LOAD = "system/"
"""What the names of metrics begin with that tell of the machine."""
EVALUATION = ("eval", "evaluation", "test", "val", "validation")
"""Roles of inputs on which metrics are measured."""


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


def compare(place: Place, question: Question) -> Comparison:
    """Compare runs, and other versions that have metrics, their own or those of the runs that made them.

    Raises:
        UsageError: `nothing_to_compare`, `no_baseline`, `bad_expression`, `bad_sort`.
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `run_missing`, `no_goal`.
        RefusedError: `not_comparable`, metrics were measured on different data, and the question is strict.
    """
    keys = [key_of(key) for key in question.group_by]
    runs = spelled_out(_runs(place, question))
    baseline = _baseline(place, runs, question)
    facts = comparable_facts(runs)
    warnings = _warnings(runs)
    if warnings and question.is_strict:
        raise RefusedError("not_comparable", "the metrics cannot be compared", why="; ".join(warnings))
    metrics = _metrics(goals_of(place, runs), facts, baseline, question.metrics)
    failed = gating.failing(question.gate, facts, baseline) if question.gate else {}
    return Comparison(
        runs=tuple(ComparedRun(run.ref, run.name, run.status, run.started) for run in runs),
        baseline=runs[baseline].ref,
        params=tuple(_differing(facts, ("params.",), question.params)),
        metrics=tuple(metrics),
        surroundings=tuple(_differing(facts, SURROUNDINGS)),
        group_by=tuple(question.group_by),
        groups=tuple(_groups([run.ref for run in runs], facts, keys, [metric.name for metric in metrics])),
        warnings=tuple(warnings),
        gate=question.gate,
        failed=tuple(runs[number].ref for number in failed),
        reasons=tuple(failed.values()),
    )


# What is compared.


def _runs(place: Place, question: Question) -> list[Measured]:
    found = [measured(place, ref) for ref in question.refs]
    if question.experiment or not question.refs:
        best = best_first(place, question.experiment, question.where, question.top)
        found.extend(of_run(place, info) for info in best)
    by_ref = {run.ref: run for run in found}
    if not by_ref:
        raise UsageError(
            "nothing_to_compare", "there is no run to compare", fix=("mlreg run ls", "mlreg compare --exp EXPERIMENT")
        )
    return list(by_ref.values())


def _baseline(place: Place, runs: Sequence[Measured], question: Question) -> int:
    if not question.baseline:
        return 0
    wanted = measured(place, question.baseline)
    for number, run in enumerate(runs):
        if run.ref == wanted.ref:
            return number
    raise UsageError(
        "no_baseline",
        f"{wanted.ref} is not among what is compared",
        fix=f"name it, too: mlreg compare {wanted.ref} ...",
    )


# How they differ.


def _differing(facts: Sequence[Mapping[str, Any]], prefixes: tuple[str, ...], pattern: str = "*") -> list[ComparedFact]:
    return [
        ComparedFact(key, tuple(some.get(key) for some in facts))
        for key in differing(facts, prefixes)
        if fnmatchcase(key.partition(".")[2], pattern)
    ]


def _metrics(
    goals: Mapping[str, str], facts: Sequence[Mapping[str, Any]], baseline: int, pattern: str
) -> list[ComparedMetric]:
    names = {key.removeprefix(METRICS) for some in facts for key in some if key.startswith(METRICS)}
    shown = sorted(
        name for name in names if fnmatchcase(name, pattern) and (pattern != "*" or not name.startswith(LOAD))
    )
    found = []
    for name in shown:
        values, better = tuple(some.get(f"{METRICS}{name}") for some in facts), better_in(goals, name)
        found.append(ComparedMetric(name, values, _deltas(values, baseline), better, _best(values, better)))
    # The metric that counts comes first.
    return sorted(found, key=lambda metric: metric.name not in goals)


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


def _warnings(runs: Sequence[Measured]) -> list[str]:
    """Return what stands against comparing the metrics of runs."""
    found = []
    for role in EVALUATION:
        used = {run.facts.get(f"inputs.{role}") for run in runs}
        if len(used) > 1:
            words = "; ".join(sorted(str(value or "nothing") for value in used))
            found.append(f"metrics were measured on different data: as {role}, {words}")
    return found


def _groups(
    refs: Sequence[str], facts: Sequence[Mapping[str, Any]], keys: Sequence[str], metrics: Sequence[str]
) -> list[Group]:
    """Return the runs with equal values of some facts, in the order of these; those that lack one come last."""
    if not keys:
        return []
    grouped: dict[tuple[str, ...], list[int]] = {}
    for place, own in enumerate(facts):
        grouped.setdefault(tuple(mark(own.get(key)) for key in keys), []).append(place)
    order = [SortKey(Field((key,))) for key in keys]
    return [
        Group(
            tuple(facts[places[0]].get(key) for key in keys),
            tuple(refs[place] for place in places),
            tuple(_group_metrics([facts[place] for place in places], metrics)),
        )
        for places in sorted_by(grouped.values(), order, lambda places: facts[places[0]])
    ]


def _group_metrics(facts: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> Iterator[GroupMetric]:
    for name in metrics:
        numbers = [as_number(own.get(f"{METRICS}{name}")) for own in facts]
        if spread := spread_of([number for number in numbers if number is not None and math.isfinite(number)]):
            yield GroupMetric(name, *spread)
