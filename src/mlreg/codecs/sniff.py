"""Numbers in bytes of which nothing is known: their width, and where the first one begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlreg.codecs.planes import WIDTHS, Shape

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

GAIN = 0.01
"""Share of the bytes that a wider number must save to be believed: a column of few bytes looks emptier than it is."""


def sniff(sample: bytes) -> Shape:
    """Return how numbers most probably lie in a sample; of width 1 if nothing speaks for more.

    For each width, the bytes at the same place of every number are counted. The width at which they say the least
    wins, and the place that says the least is taken for the highest byte. It may be wrong: that costs bytes.
    """
    import numpy

    data = numpy.frombuffer(sample, numpy.uint8)
    best, best_share = Shape(1, is_rotated=False), _entropy(data)
    for width in WIDTHS[1:]:
        numbers = data[: len(data) // width * width].reshape(-1, width)
        columns = [_entropy(numbers[:, at]) for at in range(width)]
        share = sum(columns) / width
        if share < best_share - GAIN:
            highest = columns.index(min(columns))
            best_share = share
            best = Shape(width, is_rotated=True, lead=(highest + 1) % width)
    if best.width > 1 and not _has_sign(data, best):
        return best._replace(is_rotated=False)
    return best


def _has_sign(data: NDArray[numpy.uint8], shape: Shape) -> bool:
    """Tell whether the highest bit says less of a number where it is the lowest one."""
    import numpy

    count = (len(data) - shape.lead) // shape.width
    words = numpy.frombuffer(data[shape.lead :].tobytes(), f"<u{shape.width}", count)
    bits = 8 * shape.width
    high = [(words >> (bits - shift)).astype(numpy.uint8) for shift in (8, 9)]
    return _entropy(high[1]) < _entropy(high[0])


def _entropy(values: NDArray[numpy.uint8]) -> float:
    """Return the bits that a byte says at least, by how often each value is there, as a share of eight."""
    import numpy

    counts: NDArray[Any] = numpy.bincount(values, minlength=256)
    shares = counts[counts > 0] / len(values)
    return -float((shares * numpy.log2(shares)).sum()) / 8
