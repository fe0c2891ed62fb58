"""Numbers in bytes of which nothing is known: their width, and where the first one begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.codecs.planes import WIDTHS, Shape

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Counts = NDArray[numpy.intp]

GAIN = 0.01
"""Share of the bytes that a wider number must save to be believed: a column of few bytes looks emptier than it is."""


def sniff(sample: bytes) -> Shape:
    """Return how numbers most probably lie in a sample; of width 1 if nothing speaks for more.

    For each width, the bytes at the same place of every number are counted. The width at which they say the least
    wins, and the place that says the least is taken for the highest byte. It may be wrong: that costs bytes.
    """
    import numpy

    data = numpy.frombuffer(sample, numpy.uint8)
    columns = _columns(data)
    best, best_share = Shape(1, is_rotated=False), float(_entropy(_folded(columns, 1))[0])
    for width in WIDTHS[1:]:
        entropies = _entropy(_folded(columns, width))
        share = float(entropies.mean())
        if share < best_share - GAIN:
            best_share = share
            best = Shape(width, is_rotated=True, lead=(int(entropies.argmin()) + 1) % width)
    if best.width > 1 and not _has_sign(data, best):
        return best._replace(is_rotated=False)
    return best


def _columns(data: Bytes) -> Counts:
    """Count each value at each place of the widest numbers."""
    import numpy

    widest = WIDTHS[-1]
    whole = data[: len(data) // widest * widest].reshape(-1, widest).astype(numpy.intp)
    whole += numpy.arange(widest) * 256
    return numpy.bincount(whole.reshape(-1), minlength=widest * 256).reshape(widest, 256)


def _folded(columns: Counts, width: int) -> Counts:
    """Return the counts for narrower numbers, of which several stand where a wide one does."""
    folded: Counts = columns.reshape(-1, width, 256).sum(axis=0)
    return folded


def _has_sign(data: Bytes, shape: Shape) -> bool:
    """Tell whether the highest bit says less of a number where it is the lowest one."""
    import numpy

    count = (len(data) - shape.lead) // shape.width
    words = numpy.frombuffer(data[shape.lead :].tobytes(), f"<u{shape.width}", count)
    bits = 8 * shape.width
    high = [(words >> (bits - shift)).astype(numpy.uint8) for shift in (8, 9)]
    entropies = _entropy(numpy.stack([numpy.bincount(byte, minlength=256) for byte in high]))
    return bool(entropies[1] < entropies[0])


def _entropy(counts: Counts) -> NDArray[numpy.float64]:
    """Return the bits that a byte of each row says at least, as a share of eight."""
    import numpy

    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    bits = shares * numpy.log2(shares, where=counts > 0, out=numpy.zeros_like(shares))
    entropies: NDArray[numpy.float64] = -bits.sum(axis=1) / 8
    return entropies
