"""Numbers of a column, summed up so that the sums of several files make those of all of them.

Everything is a function of the numbers as a multiset: they are sorted first, so that neither the order of rows nor
the number of threads can show. At most `POINTS` different values are kept with their counts, and then all is exact,
of several files too. Of more, `POINTS` values are kept that stand for equally many numbers each: of one file all that
is told is still exact; of several, quantiles and histogram are estimates that are wrong by at most one number in
`2 * POINTS` of the ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 1024
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
BINS = 20

Number = int | float


class Histogram(NamedTuple):
    """How many numbers lie in each of some intervals."""

    edges: tuple[float, ...]
    """One more than there are counts; an interval begins at its edge, and the last one has both of its ends."""
    counts: tuple[int, ...]


class Numbers(NamedTuple):
    """What is known of some numbers; of those that are finite, unless it says otherwise."""

    size: int
    """How many there are."""
    not_finite: int
    """NaN and infinities."""
    zeros: int
    negatives: int
    min: Number | None
    """None, as all that follow, if there is no number."""
    max: Number | None
    mean: float | None
    """None if the sum is larger than a float64 holds."""
    squares: float | None
    """The sum of the squares of what lies between each number and the mean."""
    quantiles: tuple[float, ...]
    """At `QUANTILES`, between two numbers in proportion."""
    histogram: Histogram | None
    values: tuple[Number, ...]
    """Points, sorted: each stands for as many numbers as its weight says."""
    weights: tuple[int, ...]
    is_whole: bool
    """Whether the points are all the numbers there are."""
    is_exact: bool
    """Whether quantiles and histogram are of all numbers, and not of points that stand for others."""

    @property
    def sd(self) -> float | None:
        """The standard deviation of a sample; None of fewer than two numbers."""
        if self.squares is None or self.size < 2:
            return None
        return math.sqrt(self.squares / (self.size - 1))


NONE = Numbers(0, 0, 0, 0, None, None, None, None, (), None, (), (), is_whole=True, is_exact=True)


def in_order(found: NDArray[Any]) -> NDArray[Any]:
    """Return those of some numbers, int64 or float64, that are finite, sorted."""
    import numpy as np

    # There is one zero only.
    return np.sort(found if found.dtype.kind == "i" else found[np.isfinite(found)] + 0.0)


def numbers_of(finite: NDArray[Any], not_finite: int = 0) -> Numbers:
    """Sum numbers up that `in_order` returned, and that were not all there was."""
    import numpy as np

    if not len(finite):
        return NONE._replace(not_finite=not_finite)
    low, high, plain = finite[0].item(), finite[-1].item(), finite.astype(np.float64, copy=False)
    mean, squares = _moments(plain)
    values, weights, is_whole = _points(finite)
    edges = _edges(low, high)
    return Numbers(
        size=len(finite),
        not_finite=not_finite,
        zeros=int(np.searchsorted(finite, 0, "right") - np.searchsorted(finite, 0, "left")),
        negatives=int(np.searchsorted(finite, 0, "left")),
        min=low,
        max=high,
        mean=mean,
        squares=squares,
        quantiles=_quantiles(plain, np.arange(1, len(plain) + 1)),
        histogram=_histogram(edges, np.searchsorted(plain, edges), len(plain)),
        values=tuple(values.tolist()),
        weights=tuple(weights.tolist()),
        is_whole=is_whole,
        is_exact=True,
    )


def merged(parts: Sequence[Numbers]) -> Numbers:
    """Return what is known of all numbers of several files, in whatever order these are."""
    filled = [part for part in parts if part.size]
    if len(filled) <= 1:
        return (filled or [NONE])[0]._replace(not_finite=sum(part.not_finite for part in parts))
    import numpy as np

    low, high = min(part.min or 0 for part in filled), max(part.max or 0 for part in filled)
    mean, squares = _merged_moments(filled)
    values, weights = _united(filled)
    until = np.cumsum(weights)
    plain, is_whole = values.astype(np.float64), all(part.is_whole for part in filled)
    return Numbers(
        size=int(until[-1]),
        not_finite=sum(part.not_finite for part in parts),
        zeros=sum(part.zeros for part in filled),
        negatives=sum(part.negatives for part in filled),
        min=low,
        max=high,
        mean=mean,
        squares=squares,
        quantiles=_quantiles(plain, until),
        histogram=_spread(plain, until, low, high),
        values=tuple(values.tolist()),
        weights=tuple(weights.tolist()),
        is_whole=is_whole,
        is_exact=is_whole,
    )


def spread(found: Numbers | None, low: Number, high: Number) -> Histogram:
    """Return how numbers are spread between two ends that hold all of them; wrong by at most one in `2 * POINTS`."""
    import numpy as np

    values, weights = (found.values, found.weights) if found else ((), ())
    return _spread(np.asarray(values, np.float64), np.cumsum(weights, dtype=np.int64), low, high)


def runs_of(ordered: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the different values of a sorted array that is not empty, and how often each is there."""
    import numpy as np

    starts = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    return ordered[starts], np.diff(np.append(starts, len(ordered)))


def count_different(found: NDArray[Any]) -> int:
    """Return how many different numbers there are. Sorting them is several times faster than hashing them."""
    import numpy as np

    return len(runs_of(np.sort(found))[0]) if len(found) else 0


def _points(ordered: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], bool]:
    import numpy as np

    values, weights = runs_of(ordered)
    if len(values) <= POINTS:
        return values, weights, True
    bounds = np.arange(POINTS + 1) * len(ordered) // POINTS
    return ordered[(bounds[:-1] + bounds[1:] - 1) // 2], np.diff(bounds), False


def _united(parts: Sequence[Numbers]) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    values = np.concatenate([np.asarray(part.values) for part in parts])
    weights = np.concatenate([np.asarray(part.weights, np.int64) for part in parts])
    found, place = np.unique(values, return_inverse=True)
    total = np.zeros(len(found), np.int64)
    np.add.at(total, place, weights)
    return found, total


def _moments(plain: NDArray[Any]) -> tuple[float | None, float | None]:
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.sum(plain)) / len(plain)
        squares = float(np.sum(np.square(plain - mean)))
    return (mean, _finite(squares)) if math.isfinite(mean) else (None, None)


def _merged_moments(parts: Sequence[Numbers]) -> tuple[float | None, float | None]:
    """Return mean and squares of all; the sums are exact, so that the order of files cannot show."""
    if any(part.mean is None for part in parts):
        return None, None
    count = sum(part.size for part in parts)
    try:
        mean = math.fsum(part.size * (part.mean or 0.0) for part in parts) / count
        apart = [part.size * ((part.mean or 0.0) - mean) ** 2 for part in parts]
        known = [part.squares for part in parts if part.squares is not None]
        squares = _finite(math.fsum([*known, *apart])) if len(known) == len(parts) else None
    except OverflowError:
        return None, None
    return mean, squares


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _quantiles(ordered: NDArray[Any], until: NDArray[Any]) -> tuple[float, ...]:
    """Return the quantiles of values, each of which is there up to a rank that is not among them."""
    import numpy as np

    ranks = np.asarray(QUANTILES) * (int(until[-1]) - 1)
    below = np.floor(ranks)
    low = ordered[np.searchsorted(until, below, "right")]
    high = ordered[np.searchsorted(until, np.minimum(below + 1, until[-1] - 1), "right")]
    share = ranks - below
    return tuple((low * (1 - share) + high * share).tolist())


def _edges(low: Number, high: Number) -> NDArray[Any]:
    import numpy as np

    # Half of each: the distance may be larger than a float64 holds.
    edges = np.linspace(low / 2, high / 2, BINS + 1) * 2
    edges[0], edges[-1] = low, high
    return edges if np.all(np.diff(edges) > 0) else np.asarray([float(low), float(high)])


def _spread(plain: NDArray[Any], until: NDArray[Any], low: Number, high: Number) -> Histogram:
    """Return the histogram of values, each of which is there up to a rank that is not among them."""
    import numpy as np

    edges = _edges(low, high)
    below = np.concatenate([[0], until])[np.searchsorted(plain, edges)]
    return _histogram(edges, below, int(until[-1]) if len(until) else 0)


def _histogram(edges: NDArray[Any], below: NDArray[Any], count: int) -> Histogram:
    """Return the histogram of numbers of which so many lie below each edge."""
    import numpy as np

    bounds = below.copy()
    bounds[0], bounds[-1] = 0, count
    return Histogram(tuple(edges.tolist()), tuple(np.diff(bounds).tolist()))
