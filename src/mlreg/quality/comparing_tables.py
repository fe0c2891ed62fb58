"""What differs between two tables, each in one file or in several, of any forms: columns, and rows.

Rows are compared by the columns that both tables have, whatever their order: in CSV and TSV the cells as they are
written, in JSON lines the values, in Parquet the typed values; of different forms, the cells as CSV would have them.
A null is equal to a null, and a column that a file does not have is null there.

Every row takes an equal one of the other table with it; the files that they are in do not matter. Of what is left, with
a key, two rows are one that is changed if they have the same key and no other row that is left has it; all else was
removed or added.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence

from mlreg.quality.comparing_parquet import compare_parquet
from mlreg.quality.comparing_text import compare_text
from mlreg.quality.counted import Pair, rows_of
from mlreg.quality.table_changes import (
    ADDED,
    CHANGED,
    MOVED,
    REMOVED,
    ChangedCells,
    ColumnChange,
    ColumnInfo,
    TableChanges,
)
from mlreg.quality.tables import Column, Form

MOST_SAMPLES = 10_000
"""Of rows of each change that are shown."""
Columns = Mapping[str, Column]
"""Of a table by name, in order."""


def compare_tables(pair: Pair, key: Sequence[str] = (), samples: int = 0) -> TableChanges:
    """Say what differs between two tables.

    Args:
        pair: the files of the table before, and of the one after; one may have none.
        key: columns that say which rows belong together. A table that lacks one is compared without.
        samples: how many rows to show that were added, removed and changed, of each; at most `MOST_SAMPLES`.

    Raises:
        UsageError: `bad_table`, with file and line.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
    """
    forms = {shard.table.form for shards in pair for shard in shards}
    compare = compare_parquet if forms == {Form.PARQUET} else compare_text
    counted = compare(pair, key, max(0, min(samples, MOST_SAMPLES)))
    before, after = counted.columns
    tally = counted.tally
    return TableChanges(
        key=counted.key,
        compared=tuple(sorted({*before} & {*after})),
        rows_before=counted.rows[0],
        rows_after=counted.rows[1],
        added=tally.counts[ADDED],
        removed=tally.counts[REMOVED],
        changed=tally.counts[CHANGED],
        unpaired=tally.unpaired,
        columns=tuple(_column_changes(before, after, forms)),
        cells=tuple(ChangedCells(name, tally.cells[name]) for name in after if tally.cells[name]),
        samples=tuple(rows_of(tally.first, pair, counted.key)),
    )


def _column_changes(before: Columns, after: Columns, forms: Collection[Form]) -> Iterator[ColumnChange]:
    # In JSON lines, columns have no order.
    elsewhere = set() if Form.JSONL in forms else moved([*before], [*after])
    places = {name: at for at, name in enumerate(before, 1)}
    for at, (name, column) in enumerate(after.items(), 1):
        new = _info(column, at)
        if name not in before:
            yield ColumnChange(ADDED, name, None, new)
            continue
        old = _info(before[name], places[name])
        # Words of different forms differ for one type.
        is_other = old.type != new.type or (forms == {Form.PARQUET} and old.stored != new.stored)
        if is_other or name in elsewhere:
            yield ColumnChange(CHANGED if is_other else MOVED, name, old, new)
    for name, column in before.items():
        if name not in after:
            yield ColumnChange(REMOVED, name, _info(column, places[name]), None)


def _info(column: Column, at: int) -> ColumnInfo:
    return ColumnInfo(column.type.value, column.stored, at)


def moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """Return the fewest names that stand elsewhere, of those that are on both sides.

    >>> moved(["a", "b", "c", "d"], ["d", "a", "x", "b", "c"])
    {'d'}
    """
    places = {name: at for at, name in enumerate(after)}
    common = [name for name in before if name in places]
    # The longest run of names whose places ascend stays: of runs of each length, the one that ends first is kept.
    ends: list[int] = []
    runs: list[tuple[str, ...]] = []
    for name in common:
        length = bisect_left(ends, places[name])
        ends[length : length + 1] = [places[name]]
        runs[length : length + 1] = [(*(runs[length - 1] if length else ()), name)]
    return {*common} - {*(runs[-1] if runs else ())}
