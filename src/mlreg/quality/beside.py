"""A column before and after, counted in the same intervals or by the same values, so that both can be drawn as one."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.quality.file_profile import FileColumn
from mlreg.quality.numbers import Numbers, spread
from mlreg.quality.profile import TOP, Shown, shown_value
from mlreg.quality.tables import Type
from mlreg.quality.values import Value

_MOMENTS = (Type.DATE, Type.TIME)


class BinPair(NamedTuple):
    """An interval: its ends, and how many rows are in it before and after. The upper end belongs to the next one."""

    low: Shown
    high: Shown
    before: int
    after: int


class ValuePair(NamedTuple):
    """A value, and in how many rows it is before and after."""

    value: Shown
    before: int
    after: int


def histogram(before: FileColumn | None, after: FileColumn | None) -> tuple[BinPair, ...]:
    """Return where the numbers of both lie, or the lengths of their texts.

    Intervals are of equal width, from the smallest value of both to the largest, which is in the last one. There are
    none if there is no number, or if times stand beside what is no time.
    """
    columns = [column for column in (before, after) if column]
    are_moments = {column.type in _MOMENTS for column in columns if _numbers(column)}
    filled = [found for column in columns if (found := _numbers(column))]
    if len(are_moments) != 1:
        return ()
    ends = min(one.min or 0 for one in filled), max(one.max or 0 for one in filled)
    kind = Type.TIME if True in are_moments else Type.NUMBER
    (edges, old), (_, new) = (spread(_numbers(column), *ends) for column in (before, after))
    pairs = zip(edges, edges[1:], old, new, strict=False)
    return tuple(BinPair(shown_value(kind, low), shown_value(kind, high), *counts) for low, high, *counts in pairs)


def _numbers(column: FileColumn | None) -> Numbers | None:
    found = (column.numbers or column.lengths) if column else None
    return found if found and found.size else None


def top(before: FileColumn | None, after: FileColumn | None) -> tuple[ValuePair, ...]:
    """Return the most frequent values of both; of numbers and times in their order, else the most frequent first."""
    kinds: dict[Value, Type] = {}
    old, new = (_counts(column, kinds) for column in (before, after))
    chosen = sorted(kinds, key=lambda value: (-old.get(value, 0) - new.get(value, 0), str(value)))[:TOP]
    if not any(isinstance(value, str) for value in chosen):
        chosen.sort()
    return tuple(ValuePair(shown_value(kinds[value], value), old.get(value, 0), new.get(value, 0)) for value in chosen)


def _counts(column: FileColumn | None, kinds: dict[Value, Type]) -> dict[Value, int]:
    """Return how often each value is there, and note of what type it is."""
    found = dict(column.values.counts) if column else {}
    kinds.update(dict.fromkeys(found, column.type) if column else {})
    return found
