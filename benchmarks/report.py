"""A report on many runs: how large it is, how long it takes to write, and to open in a browser."""

from __future__ import annotations

import random
import statistics
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import chromium
from benchmarks.timing import Clock
from mlreg.registry import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.reporting import Asked, gather
from mlreg.web.packing import packed

RUNS, CURVES, POINTS = 200, 5, 2000
ROUNDS = 3
_IS_DRAWN = """() => document.documentElement.dataset.ready && [...document.querySelectorAll('.chart')]
  .filter(chart => chart.getBoundingClientRect().top < innerHeight).every(chart => chart.dataset.drawn)"""
"""Whether all is there, and each chart drawn that can be seen."""


class Row(NamedTuple):
    """One report."""

    title: str
    compressed: int
    """Bytes of the points alone: floats of 32 bits in planes, deflated."""
    size: int
    writing: float
    """Seconds of the command."""
    opening: float | None
    """Seconds until all that can be seen is drawn; None without a browser."""
    curves: float | None
    """Seconds until the curves are drawn, when one goes to them."""


def measure(clock: Clock, work: Path, mlreg: str, scale: float) -> list[Row]:
    """Write and open reports on many runs, and on one long run.

    Args:
        clock: what times.
        work: an empty directory.
        mlreg: the command.
        scale: of the number of runs and of points of the long one.
    """
    runs, long = max(2, int(RUNS * scale)), max(1000, int(100_000 * scale))
    init(work, shared=True)
    registry = ExperimentRegistry(work, "bench", work.parent / "cache")
    for number in range(runs):
        _log(registry, "many", POINTS, number)
    _log(registry, "long", long, 0)
    rows = []
    for name, count, points in (("many", runs, POINTS), ("long", 1, long)):
        file = work / f"{name}.html"
        for _ in range(ROUNDS):
            clock.run(name, [mlreg, "report", f"exp/{name}", "-o", str(file)], work)
        report = gather(registry.place, Asked([f"exp/{name}"]))
        compressed = sum(len(zlib.compress(packed(curves)[1], wbits=-15)) for curves in report.curves.values())
        title = f"{count:,} run{'s' * (count > 1)} x {CURVES} curves x {points:,} points"
        rows.append(Row(title, compressed, file.stat().st_size, clock.seconds(name), *_opened(file)))
    return rows


def _log(registry: ExperimentRegistry, experiment: str, points: int, seed: int) -> None:
    chance = random.Random(seed)
    params = {"lr": 10 ** chance.uniform(-4, -1), "layers": chance.choice([2, 4, 8]), "seed": seed}
    with registry.start_experiment(experiment, run_name=f"run {seed}", params=params) as run:
        for step in range(points):
            run.log_metrics(_values(chance, step), step)


def _values(chance: random.Random, step: int) -> Mapping[str, float]:
    """Return noisy curves that fall: noise is what cannot be compressed."""
    return {f"loss/{number}": 1 / (1 + step / 50) + chance.gauss(0, 0.02) for number in range(CURVES)}


def _opened(file: Path) -> tuple[float | None, float | None]:
    if chromium.missing():
        return None, None
    openings, curves = [], []
    with chromium.started() as browser:
        for _ in range(ROUNDS):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            start = time.perf_counter()
            page.goto(file.as_uri())
            page.wait_for_function(_IS_DRAWN)
            openings.append(time.perf_counter() - start)
            page.evaluate("() => document.getElementById('curves').scrollIntoView()")
            page.wait_for_function(_IS_DRAWN)
            curves.append(time.perf_counter() - start)
            page.close()
    return statistics.median(openings), statistics.median(curves)
