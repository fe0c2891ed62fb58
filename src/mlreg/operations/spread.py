"""How values that were measured several times spread: mean, deviation, and where the mean lies with 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""

_T = (
    *(12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139),
    *(2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963),
)
"""The 97.5 % quantiles of Student's t with 1 to 20 degrees of freedom."""


class Spread(NamedTuple):
    """Values of one metric over several runs."""

    runs: int
    mean: float
    std: float
    """Of the sample, with one less than there are runs; 0 of a single value."""
    low: float
    """The mean lies between `low` and `high` with 95 %, if the values are normally distributed."""
    high: float


def spread_of(values: Sequence[float]) -> Spread | None:
    """Return how finite values spread; None if there are none, or if they spread further than a double reaches.

    >>> spread_of([1.0, 2.0, 3.0])
    Spread(runs=3, mean=2.0, std=1.0, low=-0.48413786777955137, high=4.484137867779552)
    """
    if not values or not all(map(math.isfinite, values)):
        return None
    count = len(values)
    # Powers of two change no digit, and keep sums and squares of any doubles within doubles.
    scale = math.frexp(max(map(abs, values)))[1]
    small = [math.ldexp(value, -scale) for value in values]
    # Rounding must not lead out of the values: equal ones do not spread.
    mean = min(max(math.fsum(small) / count, min(small)), max(small))
    if count == 1:
        return Spread(1, values[0], 0.0, values[0], values[0])
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in small) / (count - 1))
    half = quantile(count - 1) * std / math.sqrt(count)
    try:
        return Spread(count, *(math.ldexp(value, scale) for value in (mean, std, mean - half, mean + half)))
    except OverflowError:
        return None


def quantile(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t, to 5 digits.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5, from 21 degrees of freedom on.
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    z, n = Z, freedom
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3
