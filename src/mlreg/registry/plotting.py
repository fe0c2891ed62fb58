"""What pictures of runs show: curves of a metric, or one fact of many runs beside others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.journal import spelled
from mlreg.formats.run import Series
from mlreg.operations.curves import smoothed, thinned
from mlreg.operations.run_facts import as_number
from mlreg.registry.measured import goals_of
from mlreg.registry.run_place import Place
from mlreg.registry.run_results import RunInfo, fact_of
from mlreg.registry.searching_runs import experiment_in, find, metrics, search

MOST_POINTS = 2000
"""Of a curve; the smallest and the largest of each stretch are among them."""
STEP, TIME = "step", "time"


class Chosen(NamedTuple):
    """The runs that are drawn."""

    refs: Sequence[str] = ()
    """`exp/NAME` are all runs of an experiment."""
    experiment: str = ""
    where: str = ""
    limit: int = 0


class Curve(NamedTuple):
    """A metric of one run."""

    ref: str
    name: str
    x: tuple[float, ...]
    """Steps, or seconds since the run began."""
    y: tuple[float, ...]
    smooth: tuple[float, ...]
    """`y` smoothed, over all points; empty if nothing was to be smoothed."""
    points: int
    """That there are, of which the ones here are those that are drawn."""
    not_finite: int
    """Points that are NaN or infinite, and not drawn."""
    last: Any
    """The last value, whether it is drawn or not."""


class Table(NamedTuple):
    """Facts of runs, one row for each run that has all of them."""

    keys: tuple[str, ...]
    refs: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def chosen_runs(place: Place, chosen: Chosen) -> list[RunInfo]:
    """Return the runs that are drawn.

    Raises:
        UsageError: `nothing_to_plot`. NotFoundError: `ref_not_found`, `run_missing`.
    """
    found: list[RunInfo] = []
    for ref in chosen.refs:
        whole = experiment_in(ref)
        found.extend(search(place, whole, chosen.where, "", chosen.limit) if whole else [find(place, ref)])
    if chosen.experiment or not chosen.refs:
        found.extend(search(place, chosen.experiment, chosen.where, "", chosen.limit))
    if not found:
        raise UsageError("nothing_to_plot", "there is no run to draw", fix=("mlreg run ls", "mlreg plot REF -m METRIC"))
    return list({info.ref: info for info in found}.values())


def metric_of(place: Place, chosen: Chosen, asked: Sequence[str]) -> str:
    """Return the one metric that is drawn: by default that of the goal.

    Raises:
        UsageError: `no_metric`, several are asked for, or none and there is no goal; and as `chosen_runs`.
    """
    if len(asked) == 1:
        return asked[0].removeprefix("metrics.")
    runs = chosen_runs(place, chosen)
    goals = [] if asked else list(goals_of(place, runs))
    if len(goals) == 1:
        return goals[0]
    known = asked or goals or sorted({name for run in runs for name in run.metrics})
    fix = tuple(f"-m {name}" for name in known[:3]) or "mlreg run ls"
    why = "a picture has the curves of one metric" if asked else "no goal says which one counts"
    raise UsageError("no_metric", "say which one metric is drawn", why=why, fix=fix)


def curves(place: Place, chosen: Chosen, metric: str, axis: str = STEP, smoothing: float = 0.0) -> list[Curve]:
    """Return the curves of a metric, those of runs that have it.

    Args:
        place: where.
        chosen: the runs.
        metric: its name.
        axis: `step`, or `time` for seconds since the run began.
        smoothing: weight of what came before, 0 to below 1.

    Raises:
        NotFoundError: `no_such_metric`, with the metrics that there are.
        UsageError: `bad_smoothing`; and as `chosen_runs`.
    """
    if not 0 <= smoothing < 1:
        raise UsageError(
            "bad_smoothing", f"{smoothing} is no weight", why="it is 0 or more, and less than 1", fix="--smooth 0.9"
        )
    runs = chosen_runs(place, chosen)
    # A metric that was stated afterwards has a value and no points.
    found = [
        _curve(run, series, axis, smoothing)
        for run in runs
        if metric in run.metrics and (series := metrics(place, run.ref if run.sealed else run.id).get(metric))
    ]
    if not found:
        known = sorted({name for run in runs for name in run.metrics} - {metric})
        raise NotFoundError(
            "no_such_metric",
            f"no run that is drawn has points of a metric {metric!r:.80}",
            why=f"their other metrics are {', '.join(known[:20]) or 'none'}",
            fix=tuple(f"use -m {name}" for name in known[:3]),
        )
    return found


def _curve(run: RunInfo, series: Series, axis: str, smoothing: float) -> Curve:
    start = series.times[0]
    x = [float(step) for step in series.steps] if axis == STEP else [(time - start) / 1000 for time in series.times]
    values = list(series.values)
    smooth = smoothed(values, smoothing) if smoothing else []
    drawn = [at for at in thinned(values, MOST_POINTS) if math.isfinite(values[at])]
    return Curve(
        ref=run.ref,
        name=run.name,
        x=tuple(x[at] for at in drawn),
        y=tuple(values[at] for at in drawn),
        smooth=tuple(smooth[at] for at in drawn) if smooth else (),
        points=len(values),
        not_finite=sum(not math.isfinite(value) for value in values),
        last=spelled(values[-1]),
    )


def table(place: Place, chosen: Chosen, keys: Sequence[str]) -> Table:
    """Return facts of runs: `params.lr`, `metrics.auc`; runs that lack one are left out.

    Raises:
        NotFoundError: `no_such_fact`, no run has all of them.
    """
    runs = chosen_runs(place, chosen)
    rows = {run.ref: tuple(_plain(fact_of(run, key)) for key in keys) for run in runs}
    whole = {ref: row for ref, row in rows.items() if None not in row}
    if not whole:
        raise NotFoundError("no_such_fact", f"no run has {' and '.join(keys)}", fix="mlreg run ls")
    return Table(tuple(keys), tuple(whole), tuple(whole.values()))


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON values
    number = as_number(value)
    if number is not None:
        return number if math.isfinite(number) else None
    return value if value is None or isinstance(value, str) else str(value)
