"""The columns of a table, and its rows in batches, whatever its form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mlreg.quality import reading
from mlreg.quality.engine import connected, explained, numbered, parquet_columns, quoted_name, relation
from mlreg.quality.inferring import Guess, fits, type_of_values, united
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


def rows_at(table: TableFile, lines: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield some rows of a table by their lines, as `batches` has them: a cell for the name of each column.

    Args:
        table: one that was read to its end before, so that it is known to be sound.
        lines: in ascending order.
    """
    return _parquet_rows_at(table, lines) if table.form is Form.PARQUET else reading.rows_at(table, lines)


def columns_ahead(table: TableFile) -> frozenset[str]:
    """Return the names of the columns, as far as the beginning of a table says; in JSON lines, it says none.

    Raises:
        UsageError: `bad_table`.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
    """
    if table.form is Form.JSONL:
        return frozenset()
    if table.form is not Form.PARQUET:
        return frozenset(next(text_batches(table)).names)
    with connected([table]) as connection:
        return frozenset(column.name for column in parquet_columns(connection, table))


def united_columns(schemas: Sequence[Schema]) -> dict[str, Column]:
    """Return the columns that files have together, by name: in the order of the first file, and then of the others."""
    found: dict[str, list[Column]] = {}
    for schema in schemas:
        for column in schema.columns:
            found.setdefault(column.name, []).append(column)
    return {name: _united(columns) for name, columns in found.items()}


def _united(columns: Sequence[Column]) -> Column:
    if len({*columns}) == 1:
        return columns[0]
    kind = united([column.type for column in columns])
    return Column(columns[0].name, kind, kind.value)


def _parquet_rows_at(table: TableFile, lines: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    with connected([table]) as connection, explained(table):
        names = [column.name for column in parquet_columns(connection, table)]
        rows = numbered(table, map(quoted_name, names))
        wanted = f"SELECT * FROM {rows} WHERE number IN (SELECT unnest(?)) ORDER BY number"  # noqa: S608 - quoted
        cursor = connection.execute(wanted, [list(lines)])
        while some := cursor.fetchmany(BATCH):
            yield from ((number, dict(zip(names, row, strict=True))) for *row, number in some)


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


class Noticed:
    """What is seen of the columns of a table in text, batch by batch."""

    def __init__(self, table: TableFile) -> None:
        """Have seen nothing yet."""
        self._is_json = table.form is Form.JSONL
        self._names: tuple[str, ...] = ()
        self._seen: list[_Seen] = []
        self._rows = 0

    def see(self, batch: Batch) -> None:
        """Look at more rows."""
        self._names = batch.names
        self._rows += len(batch.rows)
        self._seen.extend(_Seen() for _ in range(len(batch.names) - len(self._seen)))
        for one, cells in zip(self._seen, cells_by_column(batch), strict=True):
            one.of_json(cells) if self._is_json else one.of_text(cells)

    @property
    def schema(self) -> Schema:
        """What the table is made of, if all of it was seen."""
        types = [one.json_type() if self._is_json else one.guess.type for one in self._seen]
        columns = (Column(name, kind, kind.value) for name, kind in zip(self._names, types, strict=True))
        return Schema(tuple(columns), self._rows)


def _text_schema(table: TableFile) -> Schema:
    noticed = Noticed(table)
    for batch in text_batches(table):
        noticed.see(batch)
    return noticed.schema
