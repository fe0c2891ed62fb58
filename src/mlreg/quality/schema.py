"""The columns of a table, and its rows in batches, whatever its form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mlreg.quality.engine import connected, explained, parquet_columns, relation
from mlreg.quality.inferring import Guess, fits, type_of_values
from mlreg.quality.reading import BATCH, Batch, cells_by_column, text_batches
from mlreg.quality.tables import Column, Form, TableFile, Type

_MOMENTS = (Type.DATE, Type.TIME)


class Schema(NamedTuple):
    """What a table is made of."""

    columns: tuple[Column, ...]
    """In the order in which they stand there."""
    rows: int


def schema_of(table: TableFile) -> Schema:
    """Return the columns of a table; one in text is read to its end, so all of it is known to be sound.

    Raises:
        UsageError: `bad_table`.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
    """
    return _parquet_schema(table) if table.form is Form.PARQUET else _text_schema(table)


def batches(table: TableFile) -> Iterator[Batch]:
    """Yield the rows of a table: text or None of CSV and TSV, JSON values of JSON lines, Python values of Parquet.

    Where `lines` says on which line a row begins, Parquet has the number of the row, from 1.

    Raises:
        UsageError: `bad_table`.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
    """
    return _parquet_batches(table) if table.form is Form.PARQUET else text_batches(table)


def _parquet_schema(table: TableFile) -> Schema:
    with connected([table]) as connection:
        columns = parquet_columns(connection, table)
        with explained(table):
            found = connection.execute(f"SELECT count(*) FROM {relation(table)}").fetchone()  # noqa: S608 - quoted
    return Schema(columns, found[0] if found else 0)


def _parquet_batches(table: TableFile) -> Iterator[Batch]:
    with connected([table]) as connection, explained(table):
        names = tuple(column.name for column in parquet_columns(connection, table))
        cursor = connection.execute(f"SELECT * FROM {relation(table)}")  # noqa: S608 - quoted
        number = 1
        while rows := cursor.fetchmany(BATCH):
            yield Batch(names, rows, list(range(number, number + len(rows))))
            number += len(rows)
        if number == 1:
            yield Batch(names, [], [])


class _Seen:
    """What was seen of a column of text."""

    def __init__(self) -> None:
        self.guess = Guess()
        self.kinds: set[type] = set()

    def of_text(self, cells: Sequence[str | None]) -> None:
        """Look at cells of CSV or TSV."""
        self.guess.see([cell for cell in cells if cell is not None])

    def of_json(self, cells: Sequence[Any]) -> None:
        """Look at values of JSON: all numbers that no integer of 64 bits holds count as floats."""
        kinds = {*map(type, cells)} - {type(None)}
        if int in kinds and not all(fits(cell) for cell in cells if type(cell) is int):
            kinds.add(float)
        self.kinds |= kinds
        if str in kinds:
            self.guess.see([cell.replace("\n", " ") for cell in cells if type(cell) is str])

    def json_type(self) -> Type:
        """Return the type of a column of JSON; text that is a date everywhere is one."""
        found = type_of_values(self.kinds)
        return self.guess.type if found is Type.TEXT and self.guess.type in _MOMENTS else found


def _text_schema(table: TableFile) -> Schema:
    seen: list[_Seen] = []
    names: tuple[str, ...] = ()
    rows = 0
    is_json = table.form is Form.JSONL
    for batch in text_batches(table):
        names, rows = batch.names, rows + len(batch.rows)
        seen.extend(_Seen() for _ in range(len(names) - len(seen)))
        for one, cells in zip(seen, cells_by_column(batch), strict=True):
            one.of_json(cells) if is_json else one.of_text(cells)
    types = [one.json_type() if is_json else one.guess.type for one in seen]
    return Schema(tuple(Column(name, kind, kind.value) for name, kind in zip(names, types, strict=True)), rows)
