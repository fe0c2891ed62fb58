"""Columns of one file of a table, summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlreg.quality.file_profile import FileColumn
from mlreg.quality.numbers import Numbers, in_order, numbers_of, runs_of
from mlreg.quality.tables import Column, Type
from mlreg.quality.values import KEPT, Value, Values, counted, number_hashes, ranked

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURED = (Type.INTEGER, Type.NUMBER, Type.DATE, Type.TIME)
"""Types of columns that are numbers, or are counted from 1970 on."""


def column_of_numbers(column: Column, nulls: int, found: NDArray[Any], not_finite: int = 0) -> FileColumn:
    """Sum up a column of numbers.

    Args:
        column: name and type.
        nulls: how many there are.
        found: int64 or float64, in any order.
        not_finite: of values that are not among those found.
    """
    ordered = in_order(found)
    numbers = numbers_of(ordered, not_finite + len(found) - len(ordered))
    return FileColumn(*column, nulls, _values_of(ordered, numbers), numbers, None)


def _values_of(ordered: NDArray[Any], numbers: Numbers) -> Values:
    if numbers.is_whole:
        return counted(len(numbers.values), ranked(zip(numbers.values, numbers.weights, strict=True)))
    values, counts = runs_of(ordered)
    return counted(len(values), _most(values, counts), number_hashes(values))


def _most(values: NDArray[Any], counts: NDArray[Any]) -> list[tuple[Value, int]]:
    """Return the values that are there most often; none of which is there once only."""
    import numpy as np

    least = max(2, int(np.partition(counts, -KEPT)[-KEPT]))
    above = np.flatnonzero(counts > least)
    equal = np.flatnonzero(counts == least)[: KEPT - len(above)]
    chosen = np.concatenate([above, equal])
    return ranked(zip(values[chosen].tolist(), counts[chosen].tolist(), strict=True))


def column_of_values(
    column: Column, nulls: int, values: Values, lengths: NDArray[Any], counts: NDArray[Any]
) -> FileColumn:
    """Sum up a column of anything else.

    Args:
        column: name and type.
        nulls: how many there are.
        values: what is known of them.
        lengths: of values.
        counts: how many values have each of the lengths.
    """
    import numpy as np

    measured = column.type in (Type.TEXT, Type.BYTES)
    found = numbers_of(np.sort(np.repeat(lengths, counts))) if measured else None
    return FileColumn(*column, nulls, values, None, found)
