"""Rows of tables in text, in batches, read by the standard library: CSV, TSV and JSON lines.

The text is UTF-8, perhaps with a mark at its start. A line without anything in it is no row. In CSV and TSV an empty
cell is null, quoted or not, and all others are text until someone looks closer; every row has as many cells as the
first. The first row names the columns, unless one of its cells is a number, is empty, or stands there twice: then
there are no names, and the columns are called `column_1` and so on. In JSON lines every line is an object, and a
key that it lacks is null.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import chain, islice
from typing import Any, NamedTuple

from mlreg.errors import UsageError
from mlreg.quality.inferring import is_number
from mlreg.quality.tables import Form, TableFile, bad_table

BATCH = 1024
"""Rows of a batch: few enough to stay in the caches of a processor, which makes reading twice as fast."""
MAX_CELL = 16 * 1024 * 1024
"""Characters of one cell: a quote that is never closed would eat the rest of the file."""
MAX_COLUMNS = 10_000
_SEPARATORS = ",;\t|"


class Batch(NamedTuple):
    """Some rows of a table."""

    names: tuple[str, ...]
    """Of the columns; in JSON lines, of those that were seen so far: later batches may have more behind them."""
    rows: list[tuple[Any, ...]]
    """A cell for each name: text or None in CSV and TSV, a JSON value in JSON lines."""
    lines: list[int]
    """The line on which each row begins, counted from 1."""


def text_batches(table: TableFile) -> Iterator[Batch]:
    """Yield the rows of a table in text. A table without rows has one batch, which is empty.

    Raises:
        UsageError: `bad_table`, with the line.
    """
    return _json_batches(table) if table.form is Form.JSONL else _separated_batches(table)


def rows_at(table: TableFile, lines: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield some rows of a table in text, with the lines on which they begin; no cell of another row is looked at.

    Args:
        table: one that was read to its end before, so that it is known to be sound.
        lines: as `Batch.lines` has them, in ascending order.
    """
    return _objects_at(table, lines) if table.form is Form.JSONL else _cells_at(table, lines)


# CSV and TSV.


def _separated_batches(table: TableFile) -> Iterator[Batch]:
    rows = _separated_rows(table)
    line, first = next(rows, (0, []))
    if not first:
        raise bad_table(table, "there is no line in it", fix="name the columns in the first line")
    if len(first) > MAX_COLUMNS:
        raise bad_table(table, f"there are {len(first)} cells, and {MAX_COLUMNS} are the limit", line=line)
    has_names = len({*first}) == len(first) and all(first) and not any(map(is_number, first))
    names = tuple(first) if has_names else tuple(f"column_{number}" for number in range(1, len(first) + 1))
    left = rows if has_names else chain([(line, first)], rows)
    begun = False
    while some := list(islice(left, BATCH)):
        begun = True
        yield Batch(names, _rows(table, len(names), some), [line for line, _ in some])
    if not begun:
        yield Batch(names, [], [])


def _rows(table: TableFile, width: int, some: Sequence[tuple[int, list[str]]]) -> list[tuple[str | None, ...]]:
    for line, row in some:
        if len(row) != width:
            raise bad_table(table, f"it has {len(row)} cells, and the first line has {width}", line=line)
    return [tuple(row) if all(row) else tuple([cell or None for cell in row]) for _, row in some]


def _separated_rows(table: TableFile) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, with the line on which it begins."""
    line = 1
    try:
        with _opened_lines(table) as (lines, separator):
            reader = csv.reader(lines, delimiter=separator, strict=True)
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1
    except csv.Error as error:
        raise bad_table(table, _told(error), line=line) from error
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise _unreadable(table, error) from error


@contextmanager
def _opened_lines(table: TableFile) -> Iterator[tuple[Iterator[str], str]]:
    """Yield the lines of a table, and what stands between its cells."""
    with table.open() as raw, TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        csv.field_size_limit(MAX_CELL)
        first = text.readline(MAX_CELL)
        yield chain([first], text), _separator(table, first)


def _cells_at(table: TableFile, lines: Iterable[int]) -> Iterator[tuple[int, dict[str, str | None]]]:
    names = next(text_batches(table)).names
    with _opened_lines(table) as (text, separator):
        at = 1
        for line in lines:
            # A line that is passed over is not taken apart.
            next(islice(text, line - at, line - at), None)
            reader = csv.reader(text, delimiter=separator, strict=True)
            (row,) = _rows(table, len(names), [(line, next(reader))])
            yield line, dict(zip(names, row, strict=True))
            at = line + reader.line_num


def _told(error: csv.Error) -> str:
    """Return what the module says, in words that name the cause."""
    text = str(error)
    if "unexpected end" in text or "field limit" in text:
        return "a quote that is opened there is never closed"
    return f"a quote stands where none may: {text}" if "expected after" in text else text


def _separator(table: TableFile, first: str) -> str:
    """Return what stands between the cells: a tab in TSV, and in CSV what the first line has most of outside quotes."""
    if table.form is Form.TSV:
        return "\t"
    plain = "".join(first.split('"')[::2])
    return max(_SEPARATORS, key=plain.count)


# JSON lines.


def _json_batches(table: TableFile) -> Iterator[Batch]:
    names: dict[str, None] = {}
    objects = _objects(table)
    begun = False
    while some := list(islice(objects, BATCH)):
        begun = True
        for line, one in some:
            names.update(dict.fromkeys(one))
            if len(names) > MAX_COLUMNS:
                raise bad_table(table, f"the lines have more than {MAX_COLUMNS} keys together", line=line)
        yield Batch(tuple(names), [tuple(map(one.get, names)) for _, one in some], [line for line, _ in some])
    if not begun:
        yield Batch((), [], [])


def _objects(table: TableFile) -> Iterator[tuple[int, dict[str, Any]]]:
    with table.open() as raw:
        try:
            for number, line in enumerate(raw, 1):
                if line.strip():
                    yield number, _object(table, number, line)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(table, error) from error


def _objects_at(table: TableFile, lines: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    with table.open() as raw:
        at = 1
        for line in lines:
            yield line, _object(table, line, next(islice(raw, line - at, None)))
            at = line + 1


def _object(table: TableFile, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise bad_table(table, f"byte {error.start + 1} of the line is no UTF-8", line=number) from error
    except json.JSONDecodeError as error:
        raise bad_table(table, f"{error.msg}, at character {error.colno}", line=number) from error
    except (ValueError, RecursionError) as error:
        raise bad_table(table, "it is nested too deeply, or holds a number of too many digits", line=number) from error
    if not isinstance(found, dict):
        raise bad_table(table, "it is no object: {…}", line=number)
    return found


# Both.


def _unreadable(table: TableFile, error: Exception) -> UsageError:
    if isinstance(error, UnicodeDecodeError):
        fix = "write it in UTF-8: iconv -f WHAT_IT_IS -t UTF-8"
        return bad_table(table, "there are bytes that are no UTF-8", line=_first_foreign_line(table), fix=fix)
    return bad_table(table, f"it cannot be read to its end: {error}")


def _first_foreign_line(table: TableFile) -> int:
    """Return the first line that is no UTF-8."""
    with table.open() as raw:
        for number, line in enumerate(raw, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def cells_by_column(batch: Batch) -> Sequence[tuple[Any, ...]]:
    """Return the cells of each column of a batch."""
    return list(zip(*batch.rows, strict=True)) if batch.rows else [()] * len(batch.names)
