"""Curves, scatters, histograms and parallel coordinates as lines of text, which fit a terminal of 80 columns."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any
from unicodedata import east_asian_width

from mlreg.cli.canvas import Canvas, Scale
from mlreg.cli.output import safe
from mlreg.cli.run_views import short
from mlreg.formats.amounts import count_of
from mlreg.registry.plotting import Curve, Table

WIDTH = 79
"""Columns of the longest line."""
COLUMNS, ROWS = 66, 18
"""Cells of a picture, without what stands beside it."""
BINS = 12
MOST_WORDS = 20
"""Bars of a histogram of words."""
LETTERS = string.ascii_lowercase
_HEIGHTS = "▁▂▃▄▅▆▇█"
_LABEL, _BAR = 26, 40
_REF = 28


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
    yield fitted(title, WIDTH)
    yield from _framed(canvas, across, up, axis)
    yield from _legend(curves, is_log=is_log)


def _places(across: Scale, up: Scale, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    both = ((across.place(x), up.place(y)) for x, y in zip(xs, ys, strict=True))
    return [(x, y) for x, y in both if x is not None and y is not None]


def _framed(canvas: Canvas, across: Scale, up: Scale, axis: str) -> Iterator[str]:
    marks = {0: up.value(1), canvas.rows // 2: up.value(0.5), canvas.rows - 1: up.value(0)}
    labels = {row: _number(value) for row, value in marks.items()}
    margin = max(map(len, labels.values()))
    for row, line in enumerate(canvas.lines()):
        yield f"{labels.get(row, ''):>{margin}} │{line}"
    yield f"{'':>{margin}} └{'─' * canvas.columns}"
    low, high = _number(across.value(0)), _number(across.value(1))
    between = canvas.columns - len(low) - len(high)
    word = fitted(axis, between - 2)
    yield f"{'':{margin + 2}}{low}{padded(' ' * ((between - _width(word)) // 2) + word, between)}{high}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _legend(curves: Sequence[Curve], *, is_log: bool) -> Iterator[str]:
    for number, curve in enumerate(curves):
        letter = f"{LETTERS[number % len(LETTERS)]}  " if len(curves) > 1 else ""
        lost = f", {curve.not_finite} of them NaN or infinite" if curve.not_finite else ""
        hidden = ", not all above 0" if is_log and any(y <= 0 for y in curve.y) else ""
        told = f": {_cell(curve.last)} ({count_of(curve.points, 'point')}{lost}{hidden})"
        name = fitted(_named(curve.ref, curve.name), WIDTH - len(letter) - len(told))
        yield f"{letter}{name}{told}"


def _named(ref: str, name: str = "") -> str:
    """Return a ref with the beginning of a run's id, which tells it from others, and what it is called."""
    return f"{short(ref)} {name}".rstrip()


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
    yield fitted(table.keys[1], WIDTH)
    yield from _framed(canvas, across, up, table.keys[0])
    if len(xs) <= len(LETTERS):
        for letter, ref, row in zip(LETTERS, table.refs, table.rows, strict=False):
            yield fitted(f"{letter}  {_named(ref)}: {_cell(row[0])}, {_cell(row[1])}", WIDTH)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return _number(value) if _is_number(value) else str(value)


def histogram(table: Table) -> Iterator[str]:
    """Yield bars: how many runs have values of a fact in each of some intervals, or each of the commonest words."""
    values = [row[0] for row in table.rows]
    yield fitted(f"{table.keys[0]} of {len(values)} runs", WIDTH)
    counts = _counts(values)
    most = max(count for _, count in counts)
    for word, count in counts[:MOST_WORDS]:
        bar = "█" * max(bool(count), round(count / most * _BAR))
        yield f"{padded(word, _LABEL, is_right=True)} │{bar} {count}"
    if rest := len(counts[MOST_WORDS:]):
        yield f"{padded(f'{rest} others', _LABEL, is_right=True)} │ {sum(count for _, count in counts[MOST_WORDS:])}"


def _counts(values: Sequence[Any]) -> list[tuple[str, int]]:
    if not all(map(_is_number, values)):
        words = Counter(map(_cell, values))
        return sorted(words.items(), key=lambda item: (-item[1], item[0]))
    scale = Scale.over(values)
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int((scale.place(value) or 0) * BINS))] += 1
    ends = [scale.value(number / BINS) for number in range(BINS + 1)]
    return [(f"{_number(a)} to {_number(b)}", count) for (a, b), count in zip(pairwise(ends), counts, strict=True)]


def parallel(table: Table) -> Iterator[str]:
    """Yield a line for each run: where each fact lies between the smallest and the largest, as bars.

    What the letters above the bars stand for comes first, with the smallest and the largest value.
    """
    columns = [[row[at] for row in table.rows] for at in range(len(table.keys))]
    for letter, key, values in zip(LETTERS, table.keys, columns, strict=False):
        yield fitted(f"{letter}  {key}: {' to '.join(_ends(values))}", WIDTH)
    yield ""
    width = min(14, (WIDTH - _REF) // len(table.keys))
    yield "".join(f"{letter:<{width}}" for letter in LETTERS[: len(table.keys)]) + "run"
    ranks = [_ranks(values) for values in columns]
    for number, (ref, row) in enumerate(zip(table.refs, table.rows, strict=True)):
        cells = (f"{_HEIGHTS[round(ranks[at][number] * 7)]} {_cell(value)}" for at, value in enumerate(row))
        bars = "".join(padded(fitted(cell, width - 1), width) for cell in cells)
        yield bars + fitted(_named(ref), WIDTH - width * len(table.keys))


def _ends(values: Sequence[Any]) -> list[str]:
    is_numeric = all(map(_is_number, values))
    ends = (min(values), max(values)) if is_numeric else (min(map(str, values)), max(map(str, values)))
    return list(dict.fromkeys(fitted(_cell(end), 24) for end in ends))


def _ranks(values: Sequence[Any]) -> list[float]:
    """Return where values lie between the smallest and the largest; words in their order."""
    if all(map(_is_number, values)):
        scale = Scale.over(values)
        return [scale.place(value) or 0.0 for value in values]
    words = {word: place for place, word in enumerate(sorted({str(value) for value in values}))}
    return [words[str(value)] / max(1, len(words) - 1) for value in values]


# Text of any kind in so many columns.


def fitted(text: str, width: int) -> str:
    """Return text that a terminal may have, cut so that it takes at most so many columns.

    >>> fitted("learning rate", 8), fitted("lr", 8)
    ('learnin…', 'lr')
    """
    shown = safe(text)
    if _width(shown) <= width:
        return shown
    # No character takes less than one column.
    shown = shown[: max(0, width - 1)]
    while _width(shown) >= width > 0:
        shown = shown[:-1]
    return shown + "…" * (width > 0)


def padded(text: str, width: int, *, is_right: bool = False) -> str:
    """Return text that takes so many columns."""
    cut = fitted(text, width)
    space = " " * (width - _width(cut))
    return space + cut if is_right else cut + space


def _width(text: Iterable[str]) -> int:
    return sum(1 + (east_asian_width(character) in "WF") for character in text)
