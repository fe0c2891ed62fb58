"""The profile of a table in text: read twice by the standard library, first to its end to learn what it holds."""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mlreg.quality.file_profile import FileColumn, FileProfile
from mlreg.quality.inferring import moment_of
from mlreg.quality.measuring import MEASURED, column_of_numbers, column_of_values
from mlreg.quality.numbers import count_different
from mlreg.quality.reading import Batch, cells_by_column, text_batches
from mlreg.quality.schema import schema_of
from mlreg.quality.tables import Column, Form, TableFile, Type
from mlreg.quality.values import of_texts


def float_of(value: str | float) -> float:
    """Return a number as float64: one that is too large is infinite, as it is if it is written with an exponent.

    >>> float_of("1.5"), float_of(-(10**400)), float_of("1e400")
    (1.5, -inf, inf)
    """
    try:
        return float(value)
    except OverflowError:
        return math.inf if isinstance(value, int) and value > 0 else -math.inf


_CODES = {Type.NUMBER: "d"}
"""Of arrays; those of all other numbers hold 64 bits."""
_PARSERS: dict[Type, Callable[[Any], Any]] = {
    Type.INTEGER: int,
    Type.NUMBER: float_of,
    Type.DATE: moment_of,
    Type.TIME: moment_of,
}


def text_profile(table: TableFile) -> FileProfile:
    """Say what a file in CSV, TSV or JSON lines is like.

    Raises:
        UsageError: `bad_table`, with the line.
    """
    schema = schema_of(table)
    is_json = table.form is Form.JSONL
    gathered = [_Numbers(one) if one.type in MEASURED else _Texts(one, is_json=is_json) for one in schema.columns]
    rows = array("q")
    for batch in text_batches(table):
        rows.extend(_row_hashes(batch, is_json=is_json))
        for one, cells in zip(gathered, cells_by_column(batch), strict=False):
            one.see([cell for cell in cells if cell is not None])
    columns = tuple(one.column(schema.rows) for one in gathered)
    return FileProfile(schema.rows, schema.rows - _distinct(rows), columns)


def _row_hashes(batch: Batch, *, is_json: bool) -> Iterable[int]:
    """Return 64 bits of each row; an object of JSON is the same one whatever the order of its keys."""
    return map(hash, map(_canonical, _objects(batch)) if is_json else batch.rows)


def _objects(batch: Batch) -> Iterable[dict[str, Any]]:
    for row in batch.rows:
        yield {name: cell for name, cell in zip(batch.names, row, strict=True) if cell is not None}


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _distinct(hashes: array[int]) -> int:
    import numpy as np

    return count_different(np.frombuffer(hashes, np.int64)) if hashes else 0


class _Numbers:
    """Cells of a column of numbers, dates or times."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._found: array[Any] = array(_CODES.get(column.type, "q"))
        self._parse = _PARSERS[column.type]

    def see(self, cells: Sequence[Any]) -> None:
        """Take more cells, nulls left out."""
        self._found.extend(map(self._parse, cells))

    def column(self, rows: int) -> FileColumn:
        """Sum them up."""
        import numpy as np

        found = np.frombuffer(self._found, np.float64 if self._found.typecode == "d" else np.int64)
        return column_of_numbers(self._column, rows - len(found), found)


class _Texts:
    """Cells of a column of anything else, counted."""

    def __init__(self, column: Column, *, is_json: bool) -> None:
        self._column = column
        self._counts: Counter[str] = Counter()
        self._text = _canonical if is_json and column.type is not Type.TEXT else None

    def see(self, cells: Sequence[Any]) -> None:
        """Take more cells, nulls left out."""
        if self._text:
            cells = list(map(self._text, cells))
        elif self._column.type is Type.BOOLEAN:
            cells = list(map(str.lower, cells))
        self._counts.update(cells)

    def column(self, rows: int) -> FileColumn:
        """Sum them up."""
        import numpy as np

        counts = self._counts
        lengths = np.fromiter(map(len, counts), np.int64, len(counts))
        often = np.fromiter(counts.values(), np.int64, len(counts))
        return column_of_values(self._column, rows - counts.total(), of_texts(counts), lengths, often)
