"""What a report shows: runs with their curves, what they come from, cards of versions, and notes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mlreg.errors import MlregError, NotFoundError, UsageError
from mlreg.formats.direction import better_of
from mlreg.formats.run import Series
from mlreg.operations.curves import thinned
from mlreg.registry import noting, tracing
from mlreg.registry.measured import goals_of
from mlreg.registry.profiling import Profile, profile
from mlreg.registry.results import Graph, NoteInfo, VersionInfo
from mlreg.registry.run_place import Place
from mlreg.registry.run_results import RunInfo
from mlreg.registry.searching_runs import best_first, experiment_in, find, metrics, ref_of

MOST_POINTS = 4_000_000
"""In one report; of more, each curve is thinned so that no peak is lost."""
MOST_RUNS_TRACED = 500
"""Runs whose lineage is looked for."""
LEAST_POINTS = 100


class Asked(NamedTuple):
    """What a report is to show."""

    refs: Sequence[str] = ()
    """Of runs, experiments, and versions of models and datasets."""
    experiment: str = ""
    where: str = ""
    top: int = 0
    title: str = ""


class ReportCurve(NamedTuple):
    """A metric of one run."""

    run: int
    """Which run of the report."""
    steps: Sequence[int]
    values: Sequence[float]
    points: int
    """That there are, of which the ones here are those that are drawn."""
    not_finite: int


class ReportData(NamedTuple):
    """What a dataset is like."""

    ref: str
    profile: Profile | None
    problem: str
    """Why there is no profile; empty if there is one."""


class Report(NamedTuple):
    """All that a report shows."""

    title: str
    runs: tuple[RunInfo, ...]
    curves: Mapping[str, tuple[ReportCurve, ...]]
    """By metric, sorted."""
    goal: str
    """The metric that counts; empty if none was declared, or several."""
    directions: Mapping[str, str]
    """Of metrics, whether the smallest or the largest value is best: `min` or `max`."""
    cards: tuple[VersionInfo, ...]
    data: tuple[ReportData, ...]
    """Profiles of the datasets among them."""
    lineage: Graph
    asked: tuple[str, ...]
    """Ids of the versions whose lineage it is."""
    untraced: int
    """Runs whose lineage was not looked for."""
    notes: tuple[NoteInfo, ...]


class Reported(NamedTuple):
    """A report that was written."""

    path: str
    runs: int
    points: int
    size: int
    """Bytes of the file."""
    refs: tuple[str, ...]


def gather(place: Place, asked: Asked) -> Report:
    """Return what a report shows.

    Raises:
        UsageError: `nothing_to_report`. NotFoundError: `ref_not_found`, `ref_ambiguous`, `no_goal`.
    """
    runs, versions = _found(place, asked)
    if not runs and not versions:
        raise UsageError("nothing_to_report", "there is nothing to report on", fix=("mlreg run ls", "mlreg report REF"))
    names = {name for run in runs for name in run.metrics}
    goals = goals_of(place, runs)
    directions = {name: better for name in names if (better := goals.get(name) or better_of(name))}
    graph, ids, untraced = _lineage(place, runs, versions)
    shown = {*(run.ref for run in runs), *(version.ref for version in versions)}
    entries = {ref.partition("@")[0] for ref in shown}
    return Report(
        title=asked.title or _title(entries),
        runs=tuple(runs),
        curves=_curves(place, runs),
        goal=next(iter(goals)) if len(goals) == 1 else "",
        directions=directions,
        cards=tuple(versions),
        data=tuple(_data(place, version.ref) for version in versions if version.kind == "data"),
        lineage=graph,
        asked=ids,
        untraced=untraced,
        notes=tuple(note for note in noting.notes(place.registry) if note.ref in shown | entries) if entries else (),
    )


def reported(report: Report, path: str, size: int) -> Reported:
    """Return what is said of a report that was written."""
    points = sum(curve.points for curves in report.curves.values() for curve in curves)
    refs = (*(run.ref for run in report.runs), *(version.ref for version in report.cards))
    return Reported(path, len(report.runs), points, size, refs)


def _title(entries: Iterable[str]) -> str:
    names = sorted(entries)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _found(place: Place, asked: Asked) -> tuple[list[RunInfo], list[VersionInfo]]:
    runs: list[RunInfo] = []
    versions: list[VersionInfo] = []
    for text in asked.refs:
        if name := experiment_in(text):
            runs.extend(best_first(place, name, asked.where, asked.top))
            continue
        try:
            runs.append(find(place, text))
        except NotFoundError as error:
            if error.code != "not_a_run":
                raise
            versions.append(place.registry.show(ref_of(place, text)))
    if asked.experiment or not asked.refs:
        runs.extend(best_first(place, asked.experiment, asked.where, asked.top))
    return list({run.ref: run for run in runs}.values()), list({one.ref: one for one in versions}.values())


def _data(place: Place, ref: str) -> ReportData:
    try:
        return ReportData(ref, profile(place.registry, ref), "")
    except MlregError as error:
        # A table that cannot be read is no reason to show nothing of all else.
        return ReportData(ref, None, f"{error.message}: {error.why}" if error.why else error.message)


def _curves(place: Place, runs: Sequence[RunInfo]) -> dict[str, tuple[ReportCurve, ...]]:
    found: dict[str, list[ReportCurve]] = {}
    points = sum(_points(run) for run in runs)
    series = sum(len(run.ranges) for run in runs)
    most = MOST_POINTS if points <= MOST_POINTS else max(LEAST_POINTS, MOST_POINTS // (series or 1))
    for number, run in enumerate(runs):
        # A metric with one point is no curve.
        for name, one in metrics(place, run.ref if run.sealed else run.id).items() if run.ranges else ():
            if len(one) > 1:
                found.setdefault(name, []).append(_curve(number, one, most))
    return {name: tuple(curves) for name, curves in sorted(found.items())}


def _points(run: RunInfo) -> int:
    counts = (one.get("count") for one in run.ranges.values())
    return sum(count for count in counts if isinstance(count, int))


def _curve(number: int, series: Series, most: int) -> ReportCurve:
    steps: Sequence[int] = series.steps
    values: Sequence[float] = series.values
    if len(series) > most:
        drawn = thinned(values, most)
        steps, values = [steps[place] for place in drawn], [values[place] for place in drawn]
    return ReportCurve(number, steps, values, len(series), sum(not math.isfinite(value) for value in series.values))


def _lineage(
    place: Place, runs: Iterable[RunInfo], versions: Iterable[VersionInfo]
) -> tuple[Graph, tuple[str, ...], int]:
    """Return what versions come from and what came of them, their ids, and how many runs are left out."""
    sealed = [run.ref for run in runs if run.sealed]
    graph, ids = tracing.around(
        place.registry, dict.fromkeys([*(version.ref for version in versions), *sealed[:MOST_RUNS_TRACED]])
    )
    return graph, tuple(ids), len(sealed[MOST_RUNS_TRACED:])
