"""Curves and scatters as SVG, which opens anywhere and needs no script."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlreg.registry.plotting import Curve, Table
from mlreg.web.document import escaped

WIDTH, HEIGHT = 800, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#444444")
"""Of Okabe and Ito, whom most people can tell apart, and two more; further ones lie around the wheel."""


_LARGEST = sys.float_info.max
_LONGEST = 12
"""Characters of a tick."""


class Axis(NamedTuple):
    """From values to places in the picture."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False
    """Whether `low` and `high` are powers of ten."""
    names: tuple[str, ...] = ()
    """What stands at 0, 1, 2, if values are no numbers."""

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, is_log: bool = False) -> Axis:
        """Return an axis that all finite values fit on, with a round number at each end."""
        fitting = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
        low, high = min(fitting, default=1.0 if is_log else 0.0), max(fitting, default=1.0)
        if is_log:
            return cls(math.floor(math.log10(low)), math.ceil(math.log10(high) + 1e-9), start, end, is_log)
        step = _step(low, high)
        ends = math.floor(low / step) * step, math.ceil(high / step + 1e-9) * step
        return cls(max(ends[0], -_LARGEST), min(ends[1], _LARGEST), start, end)

    def at(self, value: float) -> float | None:
        """Return where a value lies; None if it is on no such axis."""
        if not math.isfinite(value) or (self.is_log and value <= 0):
            return None
        found = math.log10(value) if self.is_log else value
        # Half of everything, as a difference of the largest numbers has no value.
        share = (found / 2 - self.low / 2) / ((self.high / 2 - self.low / 2) or 1)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self) -> list[tuple[str, float]]:
        """Return what is marked, and where."""
        if self.names:
            marked = [(name, float(number)) for number, name in enumerate(self.names)]
        else:
            marked = [(f"{value:.6g}", value) for value in (self._powers() if self.is_log else self._rounds())]
        return [(text, place) for text, value in marked if (place := self.at(value)) is not None]

    def _powers(self) -> list[float]:
        first, last = round(self.low), round(self.high)
        powers = range(first, last + 1, max(1, (last - first) // 6))
        return [10.0**power for power in powers if power <= sys.float_info.max_10_exp]

    def _rounds(self) -> list[float]:
        step = _step(self.low, self.high)
        first = math.ceil(self.low / step - 1e-9)
        return [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _step(low: float, high: float) -> float:
    """Return a round distance of which about five lie between two values."""
    share = high / 5 - low / 5 or abs(low) / 5 or 0.2
    power = 10.0 ** math.floor(math.log10(share))
    return next((power * factor for factor in (1, 2, 5) if share <= 1.2 * power * factor), 10 * power) or share


def line_chart(curves: Sequence[Curve], title: str, axis: str, *, is_log: bool) -> str:
    """Return a picture of curves; the points of a smoothed one lie faintly behind it."""
    across = Axis.over([x for curve in curves for x in curve.x], LEFT, WIDTH - RIGHT)
    values = [y for curve in curves for y in (*curve.y, *curve.smooth)]
    up = Axis.over(values, HEIGHT - BOTTOM, TOP, is_log=is_log)
    drawn = [line for number, curve in enumerate(curves) for line in _curve(curve, across, up, _colour(number))]
    names = [curve.name or curve.ref for curve in curves]
    return _picture(title, [*_frame(across, up, axis), *drawn], names)


def _colour(number: int) -> str:
    return COLOURS[number] if number < len(COLOURS) else f"hsl({number * 137.508 % 360:.0f},60%,50%)"


def _curve(curve: Curve, across: Axis, up: Axis, colour: str) -> Iterator[str]:
    if curve.smooth:
        yield _line(across, up, curve.x, curve.y, f'stroke="{colour}" stroke-opacity="0.25"')
    yield _line(across, up, curve.x, curve.smooth or curve.y, f'stroke="{colour}" stroke-width="1.6"')
    if len(curve.x) == 1:
        yield _dot(across, up, curve.x[0], curve.y[0], colour, curve.ref)


def _line(across: Axis, up: Axis, xs: Sequence[float], ys: Sequence[float], style: str) -> str:
    both = ((across.at(x), up.at(y)) for x, y in zip(xs, ys, strict=True))
    points = " ".join(f"{x:g},{y:g}" for x, y in both if x is not None and y is not None)
    return f'<polyline fill="none" {style} points="{points}"/>'


def _dot(across: Axis, up: Axis, x: float, y: float, colour: str, name: str) -> str:
    left, top = across.at(x), up.at(y)
    if left is None or top is None:
        return ""
    return f'<circle cx="{left:g}" cy="{top:g}" r="4" fill="{colour}"><title>{escaped(name)}</title></circle>'


def _frame(across: Axis, up: Axis, axis: str) -> Iterator[str]:
    for text, y in up.ticks():
        yield f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="t" x="{LEFT - 8}" y="{y}" dy="4" text-anchor="end">{escaped(text[:_LONGEST])}</text>'
    for text, x in across.ticks():
        place = f'x="{x}" y="{HEIGHT - BOTTOM + 18}"'
        yield f'<text class="t" {place} text-anchor="middle">{escaped(text[:_LONGEST])}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="t" x="{middle}" y="{HEIGHT - BOTTOM + 38}" text-anchor="middle">{escaped(axis)}</text>'


def scatter(table: Table) -> str:
    """Return a picture of two facts, a dot for each run."""
    across, xs = _column([row[0] for row in table.rows], LEFT, WIDTH - RIGHT)
    up, ys = _column([row[1] for row in table.rows], HEIGHT - BOTTOM, TOP)
    dots = [_dot(across, up, x, y, COLOURS[0], ref) for x, y, ref in zip(xs, ys, table.refs, strict=True)]
    return _picture(table.keys[1], [*_frame(across, up, table.keys[0]), *dots], [])


def _column(values: Sequence[object], start: float, end: float) -> tuple[Axis, list[float]]:
    """Return an axis for facts, and where they lie on it: numbers by size, anything else by name."""
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if len(numbers) == len(values):
        return Axis.over(numbers, start, end), numbers
    names = tuple(sorted(set(map(str, values))))
    return Axis(-0.5, len(names) - 0.5, start, end, names=names), [float(names.index(str(one))) for one in values]


def _picture(title: str, body: Sequence[str], names: Sequence[str]) -> str:
    height = HEIGHT + 18 * len(names)
    legend = (
        f'<rect x="{LEFT}" y="{HEIGHT + 18 * number - 6}" width="14" height="4" fill="{_colour(number)}"/>'
        f'<text class="t" x="{LEFT + 22}" y="{HEIGHT + 18 * number}">{escaped(name)}</text>'
        for number, name in enumerate(names)
    )
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    words = 'role="img" font-family="system-ui, sans-serif" font-size="12"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {words}>',
        f"<title>{escaped(title)}</title>",
        "<style>.g{stroke:#8884;stroke-width:1}.t{fill:#777}</style>",
        f'<text class="t" x="{LEFT}" y="22" font-size="15">{escaped(title)}</text>',
    )
    return "\n".join([*head, *filter(None, body), *legend, "</svg>", ""])


def page(picture: str, title: str) -> str:
    """Return a page with a picture in it, and nothing that is fetched or run."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escaped(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<style>:root{{color-scheme:light dark}}body{{margin:2rem}}svg{{max-width:100%;height:auto}}</style></head>\n"
        f"<body>\n{picture}</body></html>\n"
    )
