"""What a table is like, whether it is one file or many: profiles of files, added up, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlreg.quality import numbers as sums
from mlreg.quality import values as counts
from mlreg.quality.file_profile import FileColumn, FileProfile
from mlreg.quality.inferring import shown_moment, united
from mlreg.quality.measuring import MEASURED
from mlreg.quality.numbers import QUANTILES, Number, Numbers
from mlreg.quality.tables import Type
from mlreg.quality.values import Value, Values

TOP = 20
"""Values that are shown."""
_MOMENTS = (Type.DATE, Type.TIME)

Shown = str | int | float
"""A value of a column: dates and times in ISO 8601."""


class ValueCount(NamedTuple):
    """A value, and in how many rows it is."""

    value: Shown
    rows: int


class Quantile(NamedTuple):
    """The value below which a share of the rows lies."""

    at: float
    value: Shown


class Bin(NamedTuple):
    """An interval of a histogram: its ends, and how many rows are in it. The upper end belongs to the next one."""

    low: Shown
    high: Shown
    rows: int


class Measures(NamedTuple):
    """What is known of the numbers of a column."""

    min: Shown | None
    max: Shown | None
    mean: Shown | None
    sd: float | None
    """Of a sample; of dates and times in seconds."""
    zeros: int
    negatives: int
    not_finite: int
    """NaN and infinities, which are in nothing else that is said here."""
    quantiles: tuple[Quantile, ...]
    histogram: tuple[Bin, ...]
    """Intervals of equal width, from the smallest value to the largest, which is in the last one."""


class ColumnProfile(NamedTuple):
    """What a column is like."""

    name: str
    type: str
    stored: str
    """The file's own word for the type."""
    nulls: int
    distinct: int
    """Different values; nulls and NaN are none."""
    top: tuple[ValueCount, ...]
    """The most frequent values."""
    numbers: Measures | None
    """Of numbers, dates and times."""
    lengths: Measures | None
    """Of text in characters, and of bytes."""
    estimated: tuple[str, ...]
    """What of all this is no exact number: `distinct`, `top`, `quantiles`, `histogram`."""


class TableProfile(NamedTuple):
    """What the files are like that have the same columns."""

    files: tuple[str, ...]
    rows: int
    duplicates: int
    """Rows that are equal to another one of the same file that is counted already."""
    columns: tuple[ColumnProfile, ...]


def added_up(parts: Sequence[FileProfile]) -> FileProfile:
    """Return the profile of files of the same columns, as that of one file; at least one.

    Beside the order of the columns, which is that of the first one, it does not depend on the order of the files.
    """
    if len(parts) == 1:
        return parts[0]
    by_name = [{column.name: column for column in part.columns} for part in parts]
    columns = tuple(_added([one[column.name] for one in by_name]) for column in parts[0].columns)
    return FileProfile(sum(part.rows for part in parts), sum(part.duplicates for part in parts), columns)


def _added(parts: Sequence[FileColumn]) -> FileColumn:
    kind = united([part.type for part in parts])
    stored = ", ".join(sorted({part.stored for part in parts if part.type is not Type.EMPTY})) or parts[0].stored
    nulls = sum(part.nulls for part in parts)
    values = counts.merged([_values_as(kind, part.values) for part in parts])
    numbers = [_numbers_as(kind, part.numbers) for part in parts if part.numbers]
    lengths = [part.lengths for part in parts if part.lengths]
    return FileColumn(
        name=parts[0].name,
        type=kind,
        stored=stored,
        nulls=nulls,
        values=values,
        numbers=sums.merged(numbers) if numbers and kind in MEASURED else None,
        lengths=sums.merged(lengths) if lengths and kind in (Type.TEXT, Type.BYTES) else None,
    )


def _values_as(kind: Type, values: Values) -> Values:
    """Return values as those of a type: 1 and 1.0 are one number, and in a column of all sorts all is text."""
    if kind is Type.NUMBER:
        return values._replace(counts=tuple((float(value), count) for value, count in values.counts))
    if kind is Type.MIXED:
        return values._replace(counts=tuple((str(value), count) for value, count in values.counts))
    return values


def _numbers_as(kind: Type, numbers: Numbers) -> Numbers:
    if kind is not Type.NUMBER or numbers.min is None or numbers.max is None:
        return numbers
    values = tuple(map(float, numbers.values))
    return numbers._replace(min=float(numbers.min), max=float(numbers.max), values=values)


# As it is shown.


def shown(profile: FileProfile, files: Sequence[str]) -> TableProfile:
    """Return a profile as a user reads it."""
    return TableProfile(tuple(files), profile.rows, profile.duplicates, tuple(map(_shown_column, profile.columns)))


def _shown_column(column: FileColumn) -> ColumnProfile:
    values = column.values
    told = [] if values.is_exact else ["distinct", "top"]
    found = column.numbers or column.lengths
    if found and not found.is_exact:
        told += ["quantiles", "histogram"]
    return ColumnProfile(
        name=column.name,
        type=column.type.value,
        stored=column.stored,
        nulls=column.nulls,
        distinct=values.distinct,
        top=tuple(ValueCount(shown_value(column.type, value), count) for value, count in values.counts[:TOP]),
        numbers=_measures(column.type, column.numbers) if column.numbers else None,
        lengths=_measures(Type.INTEGER, column.lengths) if column.lengths else None,
        estimated=tuple(told),
    )


def shown_value(kind: Type, value: Value) -> Shown:
    """Return a value of a column as a user reads it."""
    return shown_moment(value, kind) if kind in _MOMENTS and not isinstance(value, str) else value


def _measures(kind: Type, found: Numbers) -> Measures:
    def one(value: Number | None) -> Shown | None:
        return None if value is None else shown_value(kind, value)

    edges = found.histogram.edges if found.histogram else ()
    bins = zip(edges, edges[1:], found.histogram.counts if found.histogram else (), strict=False)
    is_moment = kind in _MOMENTS
    exactly = Type.TIME if is_moment else kind
    return Measures(
        min=one(found.min),
        max=one(found.max),
        mean=None if found.mean is None else shown_value(exactly, found.mean),
        sd=found.sd / 1e6 if is_moment and found.sd is not None else found.sd,
        zeros=0 if is_moment else found.zeros,
        negatives=0 if is_moment else found.negatives,
        not_finite=found.not_finite,
        quantiles=tuple(
            Quantile(at, shown_value(exactly, value)) for at, value in zip(QUANTILES, found.quantiles, strict=False)
        ),
        histogram=tuple(Bin(shown_value(exactly, low), shown_value(exactly, high), count) for low, high, count in bins),
    )
