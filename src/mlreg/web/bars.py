"""Pictures of how values are spread, as SVG without a word in it: what stands beside them is HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlreg.web.markup import Markup, make

_STEP, _HEIGHT = 10, 100
_LEAST = 2
"""Of the height, or the width, of a bar: what is there at all can be seen."""


def histogram(counts: Sequence[int], told: Sequence[str]) -> Markup:
    """Return a bar for each interval; the pointer on it shows what is told of it."""
    most = max(counts, default=0) or 1
    bars = (_bar(place, count / most, "rows") for place, count in enumerate(counts))
    return _picture(len(counts), [*bars, *_hints(told)])


def overlay(before: Sequence[int], after: Sequence[int], told: Sequence[str]) -> Markup:
    """Return two histograms over each other, each as shares of its own rows: bars, and a line of steps."""
    shares = [[count / (sum(counts) or 1) for count in counts] for counts in (before, after)]
    most = max(map(max, shares), default=0) or 1
    bars = (_bar(place, share / most, "before") for place, share in enumerate(shares[0]))
    line = _steps([share / most for share in shares[1]]) if any(after) else None
    return _picture(len(before), [*bars, *([line] if line else []), *_hints(told)])


def _bar(place: int, share: float, kind: str) -> Markup:
    height = round(max(share * _HEIGHT, _LEAST) if share else 0, 1)
    return make("rect", class_=kind, x=place * _STEP + 0.5, y=_HEIGHT - height, width=_STEP - 1, height=height)


def _steps(shares: Sequence[float]) -> Markup:
    heights = [round(_HEIGHT - max(share * (_HEIGHT - _LEAST), _LEAST if share else 0), 1) for share in shares]
    line = "".join(f"V{height}H{(place + 1) * _STEP}" for place, height in enumerate(heights))
    return make("path", class_="after", d=f"M0 {_HEIGHT}{line}V{_HEIGHT}")


def _hints(told: Sequence[str]) -> Iterator[Markup]:
    for place, text in enumerate(told):
        yield make("rect", make("title", text), class_="hint", x=place * _STEP, width=_STEP, height=_HEIGHT)


def _picture(steps: int, children: Sequence[Markup]) -> Markup:
    box = f"0 0 {max(steps, 1) * _STEP} {_HEIGHT}"
    return make("svg", *children, class_="spread", viewBox=box, preserveAspectRatio="none", aria_hidden="true")


def quantiles(places: Mapping[float, float]) -> Markup:
    """Return where the middle half lies, and the middle, and all but the outermost; by shares, places from 0 to 1."""
    ends, box = (0.01, 0.99), (0.25, 0.75)
    parts = [
        make(
            "rect", class_=kind, x=_percent(places[low]), y=y, width=_percent(places[high] - places[low]), height=height
        )
        for (low, high), kind, y, height in ((ends, "reach", 4, 2), (box, "half", 0, 10))
    ]
    middle = make("rect", class_="middle", x=min(max(_percent(places[0.5]) - 0.4, 0), 99.2), y=0, width=0.8, height=10)
    return _strip("quantiles", [*parts, middle])


def share(**shares: float) -> Markup:
    """Return bars one below the other, of a class and from 0 to 1 each."""
    height = 10 / len(shares)
    bars = [
        make("rect", class_=kind, y=place * height, width=max(_percent(one), _LEAST / 2) if one else 0, height=height)
        for place, (kind, one) in enumerate(shares.items())
    ]
    return _strip("share", bars)


def _strip(kind: str, children: Sequence[Markup]) -> Markup:
    return make("svg", *children, class_=kind, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def _percent(value: float) -> float:
    return round(100 * value, 2)
