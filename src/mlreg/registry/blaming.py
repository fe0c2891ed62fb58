"""Why a metric fell: the runs or versions that lead to one are walked along, and what changed at each fall is named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.names import EXPERIMENT
from mlreg.formats.ref import parse_ref
from mlreg.formats.run import id_in
from mlreg.formats.versions import order
from mlreg.operations.history import sealed_versions, version_of
from mlreg.operations.naming import meant
from mlreg.operations.run_facts import as_number
from mlreg.registry.comparisons import Blame, Fall, Suspect
from mlreg.registry.measured import (
    METRICS,
    PACKAGE,
    SURROUNDINGS,
    Measured,
    better_in,
    comparable_facts,
    differing,
    goals_of,
    mark,
    measured,
    of_run,
    of_version,
    spelled_out,
)
from mlreg.registry.run_place import Place
from mlreg.registry.searching_runs import experiment_named, ref_of, sealed, search

DIRECTIONS = ("min", "max")
_LIKELY = ("inputs.", "facts.code.", "params.", PACKAGE, "facts.environment", "facts.python", "facts.", "")
"""What is looked at first, of changes that are equally suspicious."""


class _Point(NamedTuple):
    run: Measured
    value: Any
    quality: float
    """Larger is better; NaN is worse than any number."""


class _Step(NamedTuple):
    before: _Point
    after: _Point
    changed: Mapping[str, tuple[Any, Any]]
    """Facts that differ: before, after."""

    @property
    def fall(self) -> float:
        """By how much the metric got worse; 0 if it did not."""
        return self.before.quality - self.after.quality if self.after.quality < self.before.quality else 0.0


def blame(place: Place, text: str, metric: str = "", direction: str = "", limit: int = 0) -> Blame:
    """Return where a metric got worse on the way to a run or a version, and what changed there.

    The way to a run are the finished runs of its experiment that began before it; that to a version are the versions
    of its entry before it, whose metrics are their own, or those of the runs that made them.

    Args:
        place: where.
        text: a ref.
        metric: its name; by default that of the goal of the experiment.
        direction: `min` or `max`, which is better; empty for the goal of the experiment, or what the name says.
        limit: the most falls that are returned, the largest ones; 0 for all.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `run_missing`; `no_such_metric`.
        UsageError: `no_metric`; `bad_direction`; `no_direction`, nothing says whether small or large values are better.
    """
    way = _way(place, text)
    metric = metric or _goal(place, way)
    if not any(f"{METRICS}{metric}" in run.facts for run in way):
        raise _no_metric(way, metric)
    better, by = _direction(place, way, metric, direction)
    points = [point for run in way if (point := _point(run, metric, better))]
    steps = list(_steps(points))
    falls = sorted((step for step in reversed(steps) if step.fall), key=lambda step: -step.fall)
    return Blame(
        ref=way[-1].ref,
        metric=metric,
        better=better,
        better_by=by,
        looked_at=len(points),
        passed_over=len(way) - len(points),
        falls=tuple(_fall(step, steps, points) for step in falls[: limit or None]),
    )


def _goal(place: Place, way: Sequence[Measured]) -> str:
    """Return the metric that counts, if one is declared to."""
    goals = list(goals_of(place, way))
    if len(goals) == 1:
        return goals[0]
    why = f"the goals are {', '.join(goals)}" if goals else "there is no goal that says which one counts"
    fix = (*(f"-m {name}" for name in (goals or _known(way))[:3]), "mlreg exp set-goal EXPERIMENT METRIC min|max")
    raise UsageError("no_metric", "say which metric got worse", why=why, fix=fix)


def _known(way: Iterable[Measured]) -> list[str]:
    return sorted({key.removeprefix(METRICS) for run in way for key in run.facts if key.startswith(METRICS)})


def _direction(place: Place, way: Iterable[Measured], metric: str, asked: str) -> tuple[str, str]:
    """Return which values are better, and who says so."""
    if asked:
        if asked not in DIRECTIONS:
            raise UsageError("bad_direction", f"{asked!r:.80} is neither min nor max", fix=("use min", "use max"))
        return asked, "option"
    goals = goals_of(place, way)
    if better := better_in(goals, metric):
        return better, "goal" if metric in goals else "name"
    fix = ("--direction max, if large values are better", "--direction min, if small values are better")
    raise UsageError(
        "no_direction", f"nothing says whether {metric!r:.80} gets worse as it falls or as it grows", fix=fix
    )


def _no_metric(way: Sequence[Measured], metric: str) -> NotFoundError:
    known = _known(way)
    why = f"the metrics are {', '.join(known[:20]) or 'none'}"
    fix = tuple(f"use -m {name}" for name in known[:3]) or (f"mlreg show {way[-1].ref}",)
    return NotFoundError("no_such_metric", f"nothing up to {way[-1].ref} has a metric {metric!r:.80}", why=why, fix=fix)


# The way to a run, or to a version.


def _way(place: Place, text: str) -> list[Measured]:
    """Return what leads to what a ref names, the oldest first, and that itself at the end."""
    remote = parse_ref(ref_of(place, text)).remote
    if remote is not None:
        there = _way(Place(place.registry.elsewhere(remote)), text.removeprefix(f"{remote}::"))
        return [run._replace(ref=f"{remote}::{run.ref}") for run in there]
    end = measured(place, text)
    is_run = parse_ref(end.ref).kind == EXPERIMENT
    others = _runs(place, end.experiment) if is_run else _versions(place, end.ref)
    before = {run.ref: run for run in others if _order(run) < _order(end)}
    return spelled_out([*sorted(before.values(), key=_order), end])


def _order(run: Measured) -> bytes:
    return order(run.ref.rpartition("@")[2])


def _runs(place: Place, experiment: str) -> Iterator[Measured]:
    """Yield the runs of an experiment that finished; one that was resumed also as it was before."""
    for run in search(place, experiment, "status = 'finished'"):
        yield of_run(place, run)
        for version in _earlier(place, experiment, run.ref.rpartition("@")[2]):
            yield of_run(place, sealed(place, f"{EXPERIMENT}/{experiment}@{version}"))


def _earlier(place: Place, experiment: str, version: str) -> Iterator[str]:
    """Yield the versions that a run was sealed as before, if it was, and that were not removed."""
    if id_in(version) != version:
        view = place.registry.repository.log.view
        entry = meant(view, experiment_named(experiment))
        for name in sealed_versions(view, entry, id_in(version)):
            found = version_of(view, entry, name)
            if name != version and found and found.target:
                yield name


def _versions(place: Place, ref: str) -> Iterator[Measured]:
    for version in place.registry.versions(ref.rpartition("@")[0]):
        yield of_version(place.registry.repository, version)


# The steps on it.


def _point(run: Measured, metric: str, better: str) -> _Point | None:
    value = run.facts.get(f"{METRICS}{metric}")
    number = as_number(value)
    if number is None:
        return None
    quality = -math.inf if math.isnan(number) else number if better == "max" else -number
    return _Point(run, value, quality)


def _steps(points: Sequence[_Point]) -> Iterator[_Step]:
    for before, after in pairwise(points):
        one, other = comparable_facts([before.run, after.run])
        changed = {key: (one.get(key), other.get(key)) for key in differing([one, other], ("params.", *SURROUNDINGS))}
        yield _Step(before, after, changed)


def _fall(step: _Step, steps: Iterable[_Step], points: Iterable[_Point]) -> Fall:
    harmless = [one for one in steps if not one.fall]
    as_good = [point.run for point in points if point.quality >= step.before.quality]
    suspects = [
        Suspect(key, before, after, _changes(key, (before, after), harmless), _have(key, after, as_good))
        for key, (before, after) in step.changed.items()
    ]
    delta = _number(step.after.value) - _number(step.before.value)
    return Fall(
        before=step.before.run.ref,
        after=step.after.run.ref,
        value_before=step.before.value,
        value_after=step.after.value,
        delta=delta if math.isfinite(delta) else None,
        suspects=tuple(sorted(suspects, key=_innocence)),
    )


def _number(value: object) -> float:
    number = as_number(value)
    return math.nan if number is None else number


def _changes(key: str, change: tuple[Any, Any], steps: Iterable[_Step]) -> int:
    """Return in how many steps a fact changed, too; one that takes the change back speaks for no one's innocence."""
    back = tuple(map(mark, reversed(change)))
    return sum(key in step.changed and tuple(map(mark, step.changed[key])) != back for step in steps)


def _have(key: str, value: object, runs: Iterable[Measured]) -> int:
    wanted, package = mark(value), key.removeprefix(PACKAGE)
    facts = (run.packages if key.startswith(PACKAGE) else run.facts for run in runs)
    return sum(mark(some.get(package)) == wanted for some in facts)


def _innocence(suspect: Suspect) -> tuple[bool, int, int, str]:
    kind = next(number for number, prefix in enumerate(_LIKELY) if suspect.name.startswith(prefix))
    return suspect.as_good > 0, suspect.changed_elsewhere, kind, suspect.name
