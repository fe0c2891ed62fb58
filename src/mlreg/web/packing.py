"""Curves as a page has them: what repeats in them is said once, and what is left is columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlreg.registry.reporting import ReportCurve

if TYPE_CHECKING:
    import numpy as np

    Column = np.ndarray[Any, Any]

_SAFE = (1 << 53) - 1
_FINE = 2.0**-12
"""Of the largest value: a curve that lies within less would be drawn in steps with floats of 32 bits."""


def packed(curves: Sequence[ReportCurve]) -> tuple[dict[str, Any], bytes]:
    """Return what is said of the curves of a metric, and their columns: first values, then moves.

    Values are floats of 32 bits, or of 64 where these would show another curve. Steps are said by their stride; those
    without one by their moves from step to step, beginning at 0, as integers of 32 or 64 bits. Bytes of equal weight
    stand together, which deflate likes better.
    """
    import numpy as np

    values = [np.asarray(curve.values, np.float64) for curve in curves]
    steps = [np.asarray(curve.steps, np.int64) for curve in curves]
    strides = [_stride(column) for column in steps]
    unequal = [
        np.diff(column, prepend=np.int64(0)) for column, stride in zip(steps, strides, strict=True) if stride is None
    ]
    moves = np.concatenate(unequal) if unequal else np.zeros(0, np.int64)
    floats = "<f8" if any(map(_needs_doubles, values)) else "<f4"
    integers = "<i4" if np.array_equal(moves, moves.astype("<i4")) else "<i8"
    columns = np.concatenate(values).astype(floats), moves.astype(integers)
    runs = [
        {
            "run": curve.run,
            "count": len(curve.steps),
            "first": int(column[0]),
            "stride": stride,
            "points": curve.points,
            "odd": curve.not_finite,
        }
        for curve, column, stride in zip(curves, steps, strides, strict=True)
    ]
    return {"widths": [column.itemsize for column in columns], "runs": runs}, b"".join(map(_planes, columns))


def _stride(steps: Column) -> int | None:
    """Return the one distance of all steps; None if there is none, or if JavaScript could not add it up."""
    first, last, count = int(steps[0]), int(steps[-1]), len(steps)
    stride, rest = divmod(last - first, count - 1 or 1)
    if rest or max(abs(first), abs(last)) > _SAFE or not bool((steps[1:] - steps[:-1] == stride).all()):
        return None
    return stride


def _needs_doubles(values: Column) -> bool:
    import numpy as np

    finite = values[np.isfinite(values)]
    sizes = np.abs(finite[finite != 0])
    if not len(sizes):
        return False
    largest, limits = float(sizes.max()), np.finfo(np.float32)
    # Half of everything, as a difference of the largest numbers has no value.
    span = 2 * (float(finite.max()) / 2 - float(finite.min()) / 2) if largest < float(limits.max) else 0.0
    return largest > float(limits.max) or float(sizes.min()) < float(limits.tiny) or 0 < span < largest * _FINE


def _planes(column: Column) -> bytes:
    import numpy as np

    width = column.itemsize
    return column.view(np.uint8).reshape(-1, width).T.tobytes()
