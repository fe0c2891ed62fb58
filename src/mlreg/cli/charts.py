"""Curves, scatters, histograms and parallel coordinates as lines of text."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from mlreg.cli.canvas import Canvas, Scale
from mlreg.registry.plotting import Curve, Table

COLUMNS, ROWS = 72, 18
"""Cells of a picture, without what stands beside it."""
BINS = 12
LETTERS = string.ascii_lowercase
_MARGIN = 11


def line_chart(curves: Sequence[Curve], title: str, axis: str, *, is_log: bool) -> Iterator[str]:
    """Yield a picture of curves; of a smoothed one, the points lie behind it as dots."""
    across = Scale.over(x for curve in curves for x in curve.x)
    up = Scale.over((y for curve in curves for y in (*curve.y, *curve.smooth)), is_log=is_log)
    canvas = Canvas(COLUMNS, ROWS)
    for number, curve in enumerate(curves):
        points = _places(across, up, curve.x, curve.y)
        line = _places(across, up, curve.x, curve.smooth) if curve.smooth else points
        for x, y in points:
            canvas.dot(x, y)
        for start, end in pairwise(line):
            canvas.line(start, end)
        if len(curves) > 1 and line:
            canvas.letter(*line[-1], LETTERS[number % len(LETTERS)])
    yield title
    yield from _framed(canvas, across, up, axis)
    yield from _legend(curves)


def _places(across: Scale, up: Scale, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    both = ((across.place(x), up.place(y)) for x, y in zip(xs, ys, strict=True))
    return [(x, y) for x, y in both if x is not None and y is not None]


def _framed(canvas: Canvas, across: Scale, up: Scale, axis: str) -> Iterator[str]:
    marks = {0: up.value(1), canvas.rows // 2: up.value(0.5), canvas.rows - 1: up.value(0)}
    for row, line in enumerate(canvas.lines()):
        yield f"{_number(marks[row]) if row in marks else '':>{_MARGIN - 2}} │{line}"
    yield f"{'':>{_MARGIN - 2}} └{'─' * canvas.columns}"
    low, high = _number(across.low), _number(across.high)
    yield f"{'':{_MARGIN}}{low}{axis:^{max(1, canvas.columns - len(low) - len(high))}}{high}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _legend(curves: Sequence[Curve]) -> Iterator[str]:
    for number, curve in enumerate(curves):
        letter = f"{LETTERS[number % len(LETTERS)]}  " if len(curves) > 1 else ""
        last = _number(curve.y[-1]) if curve.y else "nothing to draw"
        lost = f", {curve.not_finite} of them NaN or infinite" if curve.not_finite else ""
        yield f"{letter}{curve.ref}{f' {curve.name}' if curve.name else ''}: {last} ({curve.points} points{lost})"


def scatter(table: Table) -> Iterator[str]:
    """Yield a picture of two facts, a letter for each run."""
    xs, ys = (
        [float(row[column]) if _is_number(row[column]) else float("nan") for row in table.rows] for column in (0, 1)
    )
    across, up = Scale.over(xs), Scale.over(ys)
    canvas = Canvas(COLUMNS, ROWS)
    for number, (x, y) in enumerate(zip(xs, ys, strict=True)):
        for place in _places(across, up, [x], [y]):
            canvas.letter(*place, LETTERS[number] if len(xs) <= len(LETTERS) else "•")
    yield table.keys[1]
    yield from _framed(canvas, across, up, table.keys[0])
    if len(xs) <= len(LETTERS):
        for letter, ref, row in zip(LETTERS, table.refs, table.rows, strict=False):
            yield f"{letter}  {ref}: {_cell(row[0])}, {_cell(row[1])}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return _number(value) if _is_number(value) else str(value)


def histogram(table: Table) -> Iterator[str]:
    """Yield bars: how many runs have values of a fact in each of some intervals, or each word."""
    values = [row[0] for row in table.rows]
    yield f"{table.keys[0]} of {len(values)} runs"
    for word, count in _counts(values):
        most = max(number for _, number in _counts(values))
        yield f"{word:>24} │{'█' * round(count / most * (COLUMNS - 12))} {count}"


def _counts(values: Sequence[Any]) -> list[tuple[str, int]]:
    if not all(map(_is_number, values)):
        words = [_cell(value) for value in values]
        return [(word, words.count(word)) for word in sorted(set(words))]
    scale = Scale.over(values)
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int((scale.place(value) or 0) * BINS))] += 1
    ends = [scale.value(number / BINS) for number in range(BINS + 1)]
    return [(f"{_number(a)} to {_number(b)}", count) for (a, b), count in zip(pairwise(ends), counts, strict=True)]


def parallel(table: Table) -> Iterator[str]:
    """Yield a line for each run: where each fact lies between the smallest and the largest, as bars."""
    heights = "▁▂▃▄▅▆▇█"
    width = max(map(len, table.keys)) + 2
    columns = [_ranks([row[at] for row in table.rows]) for at in range(len(table.keys))]
    yield "".join(f"{key:<{width}}" for key in table.keys) + "run"
    for number, (ref, row) in enumerate(zip(table.refs, table.rows, strict=True)):
        cells = (f"{heights[round(columns[at][number] * 7)]} {_cell(value)}" for at, value in enumerate(row))
        yield "".join(f"{cell[: width - 1]:<{width}}" for cell in cells) + ref


def _ranks(values: Sequence[Any]) -> list[float]:
    """Return where values lie between the smallest and the largest; words in their order."""
    if all(map(_is_number, values)):
        scale = Scale.over(values)
        return [scale.place(value) or 0.0 for value in values]
    words = sorted({str(value) for value in values})
    return [words.index(str(value)) / max(1, len(words) - 1) for value in values]
