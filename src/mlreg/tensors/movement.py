"""How far the numbers of a tensor moved between two versions, from their bytes, stretch by stretch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy
    from numpy.typing import NDArray

    Decode = Callable[[bytes | memoryview], NDArray[numpy.float64]]


class Movement(NamedTuple):
    """How far the numbers of a tensor moved."""

    share: float
    """Of its numbers, those whose bytes changed: 0.0 to 1.0."""
    max: float | None
    """The largest absolute change of a number, as float64; None if all are among `not_finite`."""
    mean: float | None
    """The mean of the absolute changes of all numbers, 0 of those that stayed; None as for max."""
    not_finite: int
    """Numbers that neither counts: they are or were NaN or infinite, or moved further than float64 reaches."""


class Meter:
    """Is given two tensors of equal dtype and shape, and says how far one is from the other."""

    def __init__(self, width: int, decode: Decode) -> None:
        """Have seen nothing yet.

        Args:
            width: bytes of a number.
            decode: returns the numbers that some bytes are.
        """
        self.width = width
        self._decode = decode
        self._seen = self._changed = self._not_finite = 0
        self._max = self._mean = 0.0

    def add(self, before: bytes | memoryview, after: bytes | memoryview) -> None:
        """Compare the next bytes of both: equally many, and whole numbers."""
        import numpy

        words = f"u{self.width}"
        changed = numpy.frombuffer(before, words) != numpy.frombuffer(after, words)
        self._seen += len(changed)
        self._changed += int(numpy.count_nonzero(changed))
        with numpy.errstate(all="ignore"):
            moved = abs(self._decode(after) - self._decode(before))
        finite = moved[numpy.isfinite(moved)]
        self._not_finite += len(moved) - len(finite)
        if len(finite):
            most = float(finite.max())
            # As shares of the largest: a sum may reach further than a float64.
            mean = most * float((finite / (most or 1.0)).mean())
            self._max = max(self._max, most)
            self._mean += (mean - self._mean) * (len(finite) / (self._seen - self._not_finite))

    def movement(self) -> Movement:
        """Return what was found."""
        share = self._changed / self._seen if self._seen else 0.0
        if self._seen == self._not_finite:
            return Movement(share, None, None, self._not_finite)
        return Movement(share, self._max, self._mean, self._not_finite)


def meter_of(numbers: str) -> Meter | None:
    """Return a meter for what `TensorFormat.numbers` names; None if no library here knows such numbers."""
    import numpy

    if numbers == "bfloat16":
        return Meter(2, _bfloat16)
    dtype = numpy.dtype(numbers) if numbers.startswith(("<", ">", "|")) else _small_float(numbers)
    if dtype is None:
        return None
    return Meter(dtype.itemsize, lambda data: numpy.frombuffer(data, dtype).astype(numpy.float64))


def _bfloat16(data: bytes | memoryview) -> NDArray[numpy.float64]:
    """Return numbers that are the upper halves of float32."""
    import numpy

    words = numpy.frombuffer(data, "<u2").astype(numpy.uint32) << 16
    return words.view(numpy.float32).astype(numpy.float64)


def _small_float(name: str) -> numpy.dtype[Any] | None:
    import numpy

    try:
        import ml_dtypes  # type: ignore[import-not-found,unused-ignore] # an extra: it may be there or not

        found: numpy.dtype[Any] = numpy.dtype(getattr(ml_dtypes, name))
    except (ImportError, AttributeError):
        return None
    return found
