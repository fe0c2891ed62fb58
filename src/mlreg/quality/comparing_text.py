"""Two tables compared row by row by the standard library: in text, or of different forms.

All rows are read once, and 128 bits of each are kept, on the disk if they are many; what has an equal in the other
table goes. What is left is read again, by its lines, and paired by its key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from mlreg.quality.cells import key_of, text_of
from mlreg.quality.counted import Counted, Found, Pair, Spot, Tally, key_in
from mlreg.quality.digests import PARTS, Digests, Left, Parts
from mlreg.quality.reading import Batch, cells_by_column
from mlreg.quality.schema import Noticed, Schema, batches, rows_at, schema_of, united_columns
from mlreg.quality.table_changes import ADDED, CHANGED, REMOVED
from mlreg.quality.tables import Form, TableFile, bad_table

Cell = Callable[[Any], Any]
"""Returns what a cell is compared as; of equal cells, it has the same `repr`."""
_HEX = 32
"""Digits of the digest of a key."""


def compare_text(pair: Pair, key: Sequence[str], samples: int) -> Counted:
    """Compare two tables.

    Args:
        pair: the files of each.
        key: columns that say which rows belong together; perhaps none.
        samples: how many rows of each change to remember.

    Raises:
        UsageError: `bad_table`, with file and line.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
    """
    cell = _cell_of({shard.table.form for side in pair for shard in side})
    scan = _scan(pair, cell, None)
    before, after = (united_columns(schemas) for schemas in scan.schemas)
    common = {*before} & {*after}
    left = scan.left
    if all(pair) and {*before} != {*after}:
        # Which columns both have, only the end of the files says.
        left = _scan(pair, cell, common).left
    key, tally = key_in(key, common), Tally(samples)
    if key:
        _count_pairs(pair, left, key, _Reading(cell, common), tally)
    else:
        _count(left, tally, samples)
    rows = [sum(schema.rows for schema in schemas) for schemas in scan.schemas]
    return Counted((rows[0], rows[1]), (before, after), key, tally)


# What cells are compared as.


def _cell_of(forms: Collection[Form]) -> Cell | None:
    """Return what cells of some forms are compared as; None if they are as they are written."""
    if {*forms} <= {Form.CSV, Form.TSV}:
        return None
    return _of_json if {*forms} == {Form.JSONL} else _of_any


_PLAIN = {str, int, bool, type(None)}


def _of_json(value: object) -> object:
    """Return a value of JSON, of which it does not matter how it is written: the order of keys, and 1.0 for 1."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [*map(_of_json, value)]
    return {name: _of_json(value[name]) for name in sorted(value)} if isinstance(value, dict) else value


def _of_any(value: object) -> str | None:
    """Return a cell of any form as CSV would have it."""
    return None if value is None else text_of(value)


# What has no equal.


class _Scan(NamedTuple):
    left: tuple[Left, Left]
    schemas: tuple[list[Schema], list[Schema]]


def _scan(pair: Pair, cell: Cell | None, wanted: Collection[str] | None) -> _Scan:
    """Read two tables, and return what is left if rows are compared by the columns that are wanted, or by all."""
    with Parts() as parts:
        digests = Digests(parts)
        schemas = tuple(
            [_read(digests, side, number, shard.table, _Row(side, cell, wanted)) for number, shard in enumerate(shards)]
            for side, shards in enumerate(pair)
        )
        return _Scan(digests.left(), (schemas[0], schemas[1]))


def _read(digests: Digests, side: int, file: int, table: TableFile, row: _Row) -> Schema:
    noticed = None if table.form is Form.PARQUET else Noticed(table)
    for batch in batches(table):
        if noticed:
            noticed.see(batch)
        try:
            digests.add(side, file, batch.lines, row.digests(batch))
        except RecursionError as error:
            why = f"a value is nested too deeply, in one of {len(batch.lines)} rows from there on"
            raise bad_table(table, why, line=batch.lines[0]) from error
    return noticed.schema if noticed else schema_of(table)


class _Row:
    """What rows of a table are compared as: the names of the columns in which they are not null, and the cells."""

    def __init__(self, side: int, cell: Cell | None, wanted: Collection[str] | None) -> None:
        self._cell = cell
        self._wanted = wanted
        # Rows without a column in common have nothing in common.
        self._mark = str(side) if wanted is not None and not wanted else ""

    def digests(self, batch: Batch) -> list[bytes]:
        """Return 128 bits of each row."""
        return [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in self._texts(batch)]

    def _texts(self, batch: Batch) -> Iterator[str]:
        """Yield text that is equal if rows are, and else is not."""
        chosen = sorted(
            (name, at) for at, name in enumerate(batch.names) if self._wanted is None or name in self._wanted
        )
        if not chosen:
            yield from [self._head(())] * len(batch.rows)
            return
        cells = cells_by_column(batch)
        columns = [[*map(self._cell, cells[at])] if self._cell else cells[at] for _, at in chosen]
        names = tuple(name for name, _ in chosen)
        spelled = repr if self._cell else _joined
        head = self._head(names)
        for row in zip(*columns, strict=True):
            if None in row:
                found = [at for at, cell in enumerate(row) if cell is not None]
                yield self._head(tuple(names[at] for at in found)) + spelled(tuple(row[at] for at in found))
            else:
                yield head + spelled(row)

    def _head(self, names: tuple[str, ...]) -> str:
        return f"{names!r}{self._mark}"


def _joined(row: Sequence[str]) -> str:
    """Return cells of text as one text, from which they can be told: much faster than their `repr`."""
    text = "\0".join(row)
    return f"\0{text}" if text.count("\0") < len(row) else repr(row)


def _count(left: tuple[Left, Left], tally: Tally, samples: int) -> None:
    """Count the rows that are left, without a key."""
    before, after = left
    tally.counts.update({REMOVED: len(before), ADDED: len(after)})
    for spot in after.first(samples):
        tally.remember(Found(ADDED, None, spot))
    for spot in before.first(samples):
        tally.remember(Found(REMOVED, spot, None))


# What belongs together.


class _Reading(NamedTuple):
    cell: Cell | None
    common: Collection[str]

    def cells(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the cells of a row that are compared, nulls left out, as text that is equal if they are."""
        found = ((name, self.cell(row.get(name)) if self.cell else row.get(name)) for name in self.common)
        return {name: repr(cell) for name, cell in found if cell is not None}


def _count_pairs(pair: Pair, left: tuple[Left, Left], key: Sequence[str], reading: _Reading, tally: Tally) -> None:
    """Count the rows that are left, by their keys."""
    with Parts() as parts:
        for side, (shards, rows) in enumerate(zip(pair, left, strict=True)):
            for file, lines in rows.by_file():
                for line, row in rows_at(shards[file].table, lines):
                    _put(parts, key, reading.cells(row), (side, file, line))
        for data in parts.each():
            groups: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
            for one in data.splitlines():
                groups.setdefault(one[:_HEX], ([], []))[one[_HEX] - ord("0")].append(one[_HEX + 1 :])
            for rows_before, rows_after in groups.values():
                _count_group(rows_before, rows_after, tally)


def _put(parts: Parts, key: Sequence[str], cells: Mapping[str, str], place: tuple[int, int, int]) -> None:
    digest = key_of([cells.get(name) for name in key])
    side, *spot = place
    parts.add(digest[0] % PARTS, f"{digest.hex()}{side}{json.dumps([spot, cells])}\n".encode())


def _count_group(before: Sequence[bytes], after: Sequence[bytes], tally: Tally) -> None:
    """Count rows of one key."""
    if len(before) == len(after) == 1:
        (old_spot, old), (new_spot, new) = _taken(before[0]), _taken(after[0])
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        tally.count(Found(CHANGED, old_spot, new_spot, tuple(names)))
        return
    for one in before:
        tally.count(Found(REMOVED, _taken(one)[0], None))
    for one in after:
        tally.count(Found(ADDED, None, _taken(one)[0]))
    tally.unpaired += len(before) + len(after) if before and after else 0


def _taken(record: bytes) -> tuple[Spot, dict[str, str]]:
    (file, line), cells = json.loads(record)
    return (file, line), cells
