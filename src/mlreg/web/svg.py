"""Curves and scatters as SVG, which opens anywhere and needs no script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from mlreg.registry.plotting import Curve, Table

WIDTH, HEIGHT = 800, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#444444")
"""Of Okabe and Ito, whom most people can tell apart, and two more."""


class Axis(NamedTuple):
    """From values to places in the picture."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, is_log: bool = False) -> Axis:
        """Return an axis that all finite values fit on, with a round number at each end."""
        fitting = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
        low, high = min(fitting, default=0.0), max(fitting, default=1.0)
        if is_log:
            return cls(
                10 ** math.floor(math.log10(low or 1)),
                10 ** math.ceil(math.log10(high or 1) + 1e-9),
                start,
                end,
                is_log,
            )
        step = _step(low, high)
        return cls(math.floor(low / step) * step, math.ceil(high / step + 1e-9) * step, start, end)

    def at(self, value: float) -> float | None:
        """Return where a value lies; None if it is on no such axis."""
        if not math.isfinite(value) or (self.is_log and value <= 0):
            return None
        low, high, value = (
            map(math.log10, (self.low, self.high, value)) if self.is_log else (self.low, self.high, value)
        )
        return round(self.start + (value - low) / ((high - low) or 1) * (self.end - self.start), 2)

    def ticks(self) -> list[float]:
        """Return the values that are marked."""
        if self.is_log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1, max(1, (last - first) // 6))]
        step = _step(self.low, self.high)
        return [self.low + step * number for number in range(round((self.high - self.low) / step) + 1)]


def _step(low: float, high: float) -> float:
    """Return a round distance of which about five lie between two values."""
    span = (high - low) or abs(low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)


def line_chart(curves: Sequence[Curve], title: str, axis: str, *, is_log: bool) -> str:
    """Return a picture of curves; the points of a smoothed one lie faintly behind it."""
    across = Axis.over([x for curve in curves for x in curve.x], LEFT, WIDTH - RIGHT)
    values = [y for curve in curves for y in (*curve.y, *curve.smooth)]
    up = Axis.over(values, HEIGHT - BOTTOM, TOP, is_log=is_log)
    drawn = [line for number, curve in enumerate(curves) for line in _curve(curve, across, up, _colour(number))]
    names = [curve.name or curve.ref for curve in curves]
    return _picture(title, [*_frame(across, up, axis), *drawn], names)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


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
    return f'<circle cx="{left:g}" cy="{top:g}" r="4" fill="{colour}"><title>{escape(name)}</title></circle>'


def _frame(across: Axis, up: Axis, axis: str) -> Iterator[str]:
    for value in up.ticks():
        y = up.at(value)
        yield f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="t" x="{LEFT - 8}" y="{y}" dy="4" text-anchor="end">{value:.4g}</text>'
    for value in across.ticks():
        place = f'x="{across.at(value)}" y="{HEIGHT - BOTTOM + 18}"'
        yield f'<text class="t" {place} text-anchor="middle">{value:.6g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="t" x="{middle}" y="{HEIGHT - BOTTOM + 38}" text-anchor="middle">{escape(axis)}</text>'


def scatter(table: Table) -> str:
    """Return a picture of two facts, a dot for each run."""
    xs, ys = ([_float(row[column]) for row in table.rows] for column in (0, 1))
    across, up = Axis.over(xs, LEFT, WIDTH - RIGHT), Axis.over(ys, HEIGHT - BOTTOM, TOP)
    dots = [_dot(across, up, x, y, COLOURS[0], ref) for x, y, ref in zip(xs, ys, table.refs, strict=True)]
    return _picture(table.keys[1], [*_frame(across, up, table.keys[0]), *dots], [])


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _picture(title: str, body: Sequence[str], names: Sequence[str]) -> str:
    height = HEIGHT + 18 * len(names)
    legend = (
        f'<rect x="{LEFT}" y="{HEIGHT + 18 * number - 6}" width="14" height="4" fill="{_colour(number)}"/>'
        f'<text class="t" x="{LEFT + 22}" y="{HEIGHT + 18 * number}">{escape(name)}</text>'
        for number, name in enumerate(names)
    )
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    words = 'role="img" font-family="system-ui, sans-serif" font-size="12"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {words}>',
        f"<title>{escape(title)}</title>",
        "<style>.g{stroke:#8884;stroke-width:1}.t{fill:#777}</style>",
        f'<text class="t" x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
    )
    return "\n".join([*head, *filter(None, body), *legend, "</svg>", ""])


def page(picture: str, title: str) -> str:
    """Return a page with a picture in it, and nothing that is fetched or run."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<style>:root{{color-scheme:light dark}}body{{margin:2rem}}svg{{max-width:100%;height:auto}}</style></head>\n"
        f"<body>\n{picture}</body></html>\n"
    )
