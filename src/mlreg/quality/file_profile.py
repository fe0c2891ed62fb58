"""What one file of a table is like: a function of its bytes, which can be kept, and added to that of other files."""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple

from mlreg.quality.numbers import Histogram, Numbers
from mlreg.quality.tables import Type
from mlreg.quality.values import Values

VERSION = 1
"""Of all that is computed here; a profile of another version is computed again."""


class FileColumn(NamedTuple):
    """A column of one file."""

    name: str
    type: Type
    stored: str
    """The form's own word for the type."""
    nulls: int
    values: Values
    numbers: Numbers | None
    """Of numbers; of dates and times, as microseconds since 1970."""
    lengths: Numbers | None
    """Of text in characters, and of bytes."""


class FileProfile(NamedTuple):
    """What a file of a table is like."""

    rows: int
    duplicates: int
    """Rows that are equal to one that is there already."""
    columns: tuple[FileColumn, ...]


def encode(profile: FileProfile) -> bytes:
    """Return a profile as bytes."""
    return zlib.compress(json.dumps([VERSION, profile], allow_nan=False, separators=(",", ":")).encode(), 1)


def decode(data: bytes) -> FileProfile | None:
    """Return a profile that `encode` wrote; None if the bytes are of another version, or damaged."""
    try:
        version, (rows, duplicates, columns) = json.loads(zlib.decompress(data))
        found = FileProfile(rows, duplicates, tuple(map(_column, columns)))
    except (zlib.error, ValueError, TypeError):
        return None
    return found if version == VERSION else None


def _column(item: Any) -> FileColumn:  # noqa: ANN401 - JSON
    name, kind, stored, nulls, (distinct, is_exact, counts, is_whole, registers), numbers, lengths = item
    values = Values(distinct, is_exact, tuple((value, count) for value, count in counts), is_whole, registers)
    return FileColumn(name, Type(kind), stored, nulls, values, _numbers(numbers), _numbers(lengths))


def _numbers(item: Any) -> Numbers | None:  # noqa: ANN401 - JSON
    if item is None:
        return None
    # What was written is a `Numbers`; where it is not, the number of fields or a sum that is made of it says so.
    fields: list[Any] = [tuple(one) if isinstance(one, list) else one for one in item]
    found = Numbers(*fields)
    if found.histogram is None:
        return found
    edges, counts = found.histogram
    return found._replace(histogram=Histogram(tuple(edges), tuple(counts)))
