"""Cells of tables of all forms on one footing: what is written alike is equal, and text that reads as a number is one.

A cell of CSV is text, one of Parquet a value: the same data must answer the same in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from mlreg.quality.inferring import is_number, microseconds, moment_of
from mlreg.quality.reading import Batch


def text_of(value: object) -> str:
    """Return a cell as CSV would have it.

    >>> text_of(True), text_of(0.5), text_of({"b": 1, "a": [2]}), text_of(date(2026, 1, 2)), text_of(b"a")
    ('true', '0.5', '{"a":[2],"b":1}', '2026-01-02', '61')
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.hex()
        case list() | dict() | tuple():
            return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=text_of)
        case _:
            return str(value)  # of a time, with a blank between day and hour


def number_of(value: object) -> float | int | None:
    """Return a cell as a number; None if it is none.

    >>> number_of("1e3"), number_of(7), number_of(True), number_of("seven")
    (1000.0, 7, None, None)
    """
    match value:
        case bool():
            return None
        case int() | float():
            return value
        case Decimal():
            return float(value)
        case str() if is_number(value):
            return float(value)
        case _:
            return None


def instant_of(value: object) -> int | None:
    """Return a cell as microseconds since 1970, in UTC; None if it is no date and no time.

    >>> instant_of("1970-01-02"), instant_of(date(1970, 1, 2)), instant_of("soon")
    (86400000000, 86400000000, None)
    """
    match value:
        case datetime():
            return microseconds(value)
        case date():
            return microseconds(datetime(value.year, value.month, value.day))
        case str():
            return moment_of(value)
        case _:
            return None


def row_keys(batch: Batch, columns: Sequence[str] = ()) -> Iterator[bytes | None]:
    """Yield 128 bits of each row, whatever the order of its columns; nulls are as columns that are not there.

    Args:
        batch: the rows.
        columns: those that count; all if there are none. If all of them are null, so is the key.
    """
    wanted = sorted((name, at) for at, name in enumerate(batch.names) if not columns or name in columns)
    for row in batch.rows:
        found = [(name, text_of(row[at])) for name, at in wanted if row[at] is not None]
        yield key_of(found) if found else None


def key_of(value: object) -> bytes:
    """Return 128 bits of texts, or of lists of them."""
    return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def cells_of(batch: Batch, column: str) -> list[Any]:
    """Return the cells of a column; nulls if the rows before the first one that has it are asked for."""
    if column not in batch.names:
        return [None] * len(batch.rows)
    at = batch.names.index(column)
    return [row[at] for row in batch.rows]
