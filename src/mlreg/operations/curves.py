"""Curves as they are drawn: smoothed, and thinned so that no peak is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average of values, without the pull to zero at its beginning.

    Args:
        values: what is not finite is passed over: there the average stays as it was.
        weight: of what came before, 0 to below 1; 0 changes nothing.

    Source: D. Kingma, J. Ba, "Adam", 2015, section 3, on the correction of the bias.
    """
    average = scale = 0.0
    found = []
    for value in values:
        if math.isfinite(value):
            average = weight * average + (1 - weight) * value
            scale = weight * scale + (1 - weight)
        found.append(average / scale if scale else math.nan)
    return found


def thinned(values: Sequence[float], most: int) -> list[int]:
    """Return the places of those values that are drawn: at most so many, the first and the last among them.

    Of each stretch the smallest and the largest are, in their order, so that a picture of what is returned
    covers what a picture of all would cover. What is not finite is left out, but one place for each stretch of it.

    Args:
        values: in the order in which they are drawn.
        most: 4 or more.
    """
    if len(values) <= most:
        return list(range(len(values)))
    stretches = max(1, (most - 2) // 2)
    ends = [round(number * len(values) / stretches) for number in range(stretches + 1)]
    chosen = {0, len(values) - 1}
    for start, end in pairwise(ends):
        chosen.update(_extremes(values, start, end))
    return sorted(chosen)


def _extremes(values: Sequence[float], start: int, end: int) -> Iterator[int]:
    finite = [place for place in range(start, end) if math.isfinite(values[place])]
    if finite:
        yield min(finite, key=values.__getitem__)
        yield max(finite, key=values.__getitem__)
    elif start < end:
        yield start
