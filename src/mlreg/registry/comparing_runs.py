"""Runs side by side: what differs between them, how their metrics do, and whether one is worse than it may be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, RefusedError, UsageError
from mlreg.formats.expression import Field, SortKey
from mlreg.formats.matching import sorted_by
from mlreg.formats.names import quoted
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
from mlreg.registry.searching_runs import best_first, experiment_in, key_of, near_to

LOAD = "system/"
"""What the names of metrics begin with that tell of the machine."""
PARAMS = "params."
ALL = "*"
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
    metrics: Sequence[str] = ()
    """Patterns of the metrics that are shown, perhaps several with `,` between; all but the load, if there is none."""
    params: Sequence[str] = ()
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
        raise RefusedError(
            "not_comparable",
            "the metrics cannot be compared",
            why="; ".join(warnings),
            fix="compare runs of the same data, or leave --strict out",
        )
    shown = _patterns(question.metrics, METRICS, facts)
    metrics = _metrics(goals_of(place, runs), facts, baseline, shown)
    failed = gating.failing(question.gate, facts, baseline) if question.gate else {}
    return Comparison(
        runs=tuple(ComparedRun(run.ref, run.name, run.status, run.started) for run in runs),
        baseline=runs[baseline].ref,
        params=tuple(_differing(facts, (PARAMS,), _patterns(question.params, PARAMS, facts))),
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
    found: list[Measured] = []
    for ref in question.refs:
        whole = experiment_in(ref)
        found.extend(_of_experiment(place, whole, question) if whole else [measured(place, ref)])
    if question.experiment or not question.refs:
        found.extend(_of_experiment(place, question.experiment, question))
    by_ref = {run.ref: run for run in found}
    if not by_ref:
        raise UsageError(
            "nothing_to_compare", "there is no run to compare", fix=("mlreg run ls", "mlreg compare --exp EXPERIMENT")
        )
    return list(by_ref.values())


def _of_experiment(place: Place, experiment: str, question: Question) -> Iterator[Measured]:
    return (of_run(place, info) for info in best_first(place, experiment, question.where, question.top))


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


def _patterns(texts: Sequence[str], section: str, facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the patterns that are asked for; one that fits nothing is refused, as it is misspelt."""
    known = {key.removeprefix(section) for some in facts for key in some if key.startswith(section)}
    patterns = [one.strip().removeprefix(section) for text in texts for one in text.split(",") if one.strip()]
    for pattern in patterns:
        if pattern != ALL and not any(fnmatchcase(name, pattern) for name in known):
            raise _no_such(pattern, section.removesuffix("."), sorted(known))
    return patterns


def _no_such(pattern: str, words: str, known: Sequence[str]) -> NotFoundError:
    why = f"the {words} are {', '.join(known[:20]) or 'none'}"
    fix = tuple(f"--{words} {name}" for name in near_to(pattern, known) or known[:3]) or "mlreg run ls"
    what = f"nothing that is compared has {words} like {quoted(pattern)}"
    return NotFoundError("no_such_metric" if f"{words}." == METRICS else "no_such_fact", what, why=why, fix=fix)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _differing(
    facts: Sequence[Mapping[str, Any]], prefixes: tuple[str, ...], patterns: Sequence[str] = ()
) -> list[ComparedFact]:
    return [
        ComparedFact(key, tuple(some.get(key) for some in facts))
        for key in differing(facts, prefixes)
        if _fits(key.partition(".")[2], patterns)
    ]


def _metrics(
    goals: Mapping[str, str], facts: Sequence[Mapping[str, Any]], baseline: int, patterns: Sequence[str]
) -> list[ComparedMetric]:
    names = {key.removeprefix(METRICS) for some in facts for key in some if key.startswith(METRICS)}
    is_chosen = bool({*patterns} - {ALL})
    shown = sorted(name for name in names if _fits(name, patterns) and (is_chosen or not name.startswith(LOAD)))
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
