"""How far two distributions are apart.

What is measured here says how much moved, not whether chance could have done it: with many rows every difference is
significant. The p-values are for those who ask for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.quality.numbers import Numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOOR = 1e-4
"""The least share that a bin counts as: an empty one would be infinitely far from any other."""
SERIES = 100
"""Terms of a series that are summed at most."""
_SMALL = 1e-15


def psi(before: Sequence[int], after: Sequence[int]) -> float:
    """Return the population stability index of counts in the same bins.

    >>> round(psi([50, 50], [60, 40]), 6), psi([1, 1], [5, 5])
    (0.040547, 0.0)
    """
    pairs = zip(_shares(before), _shares(after), strict=True)
    floored = ((max(one, FLOOR), max(other, FLOOR)) for one, other in pairs)
    return math.fsum((other - one) * math.log(other / one) for one, other in floored)


def jensen_shannon(before: Sequence[int], after: Sequence[int]) -> float:
    """Return the Jensen-Shannon distance of counts in the same bins, to base 2: 0 if they are alike, up to 1.

    >>> jensen_shannon([1, 0], [0, 1]), jensen_shannon([1, 2], [2, 4])
    (1.0, 0.0)
    """
    total = 0.0
    for one, other in zip(_shares(before), _shares(after), strict=True):
        middle = (one + other) / 2
        total += sum(share * math.log2(share / middle) for share in (one, other) if share)
    return math.sqrt(max(0.0, total / 2))


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts]


class Statistic(NamedTuple):
    """How far apart, and how likely that is, or more, if both are of one distribution."""

    value: float
    p: float


def kolmogorov_smirnov(before: Numbers, after: Numbers) -> Statistic:
    """Return the largest distance of two distribution functions; wrong by 0.001 at most where points stand for others.

    Both have numbers. The p-value is the limit for many of them.
    """
    import numpy as np

    places = np.union1d(np.asarray(before.values, np.float64), np.asarray(after.values, np.float64))
    one, other = (up_to(numbers, places) / numbers.size for numbers in (before, after))
    distance = float(np.max(np.abs(one - other)))
    return Statistic(distance, _kolmogorov(distance * math.sqrt(before.size * after.size / (before.size + after.size))))


def up_to(numbers: Numbers, places: NDArray[Any]) -> NDArray[Any]:
    """Return how many numbers are not above each of some places."""
    import numpy as np

    until = np.concatenate([[0], np.cumsum(numbers.weights, dtype=np.int64)])
    found: NDArray[Any] = until[np.searchsorted(np.asarray(numbers.values, np.float64), places, "right")]
    return found


def chi_square(before: Sequence[int], after: Sequence[int]) -> Statistic:
    """Return the statistic of a table of two rows of counts, without correction; of bins that one of them fills.

    >>> [round(one, 6) for one in chi_square([10, 20], [20, 20])]
    [1.944444, 0.163187]
    """
    filled = [(one, other) for one, other in zip(before, after, strict=True) if one + other]
    rows = [sum(column) for column in zip(*filled, strict=True)]
    total = sum(rows)
    statistic = 0.0
    for pair in filled:
        for count, row in zip(pair, rows, strict=True):
            expected = sum(pair) * row / total
            statistic += (count - expected) ** 2 / expected
    return Statistic(statistic, _upper_gamma((len(filled) - 1) / 2, statistic / 2))


def _kolmogorov(x: float) -> float:
    """Return how likely Kolmogorov's distribution lies above x."""
    if x < 0.2:
        return 1.0
    terms = ((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, SERIES))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def _upper_gamma(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function, by series or by Lentz's continued fraction."""
    if x <= 0 or a <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    return 1.0 - scale * _series(a, x) if x < a + 1 else scale * _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    at = a
    while abs(term) > abs(total) * _SMALL:
        at += 1
        term *= x / at
        total += term
    return total


def _fraction(a: float, x: float) -> float:
    b = x + 1 - a
    c, d = 1 / 1e-300, 1 / b
    found = d
    for k in range(1, 10_000):
        step = -k * (k - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        found *= d * c
        if abs(d * c - 1) < _SMALL:
            break
    return found
