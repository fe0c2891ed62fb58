"""How the columns and rows in which tables differ look, a fact a row: counts first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from mlreg.cli.data_views import named
from mlreg.formats.amounts import count_of
from mlreg.quality.table_changes import ColumnChange, ColumnInfo, RowChange, RowPlace, TableChanges
from mlreg.registry.differences import TableDifference

SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">", "moved": ">"}
"""What stands before a difference."""
FAILED = "!"
WHOLE = ("row", "table")
"""Of what no value is too long to be shown."""

Row = tuple[str, str, str, str, str, str]
"""Sign, what it is, its name, before, after, and how far it moved."""


def table_rows(tables: Sequence[TableDifference]) -> Iterator[Row]:
    """Yield what differs in tables."""
    for one in tables:
        name = named(one.after or one.before)
        if one.problem:
            yield FAILED, "table", name, one.problem.code, f"{one.problem.message}: {one.problem.why}", ""
        if one.changes:
            yield from _counts(name, one.changes)
            yield from (_column(name, change) for change in one.changes.columns)
            for cells in one.changes.cells:
                yield SIGNS["changed"], "cells", f"{name}#{cells.column}", str(cells.rows), str(cells.rows), ""
            yield from map(_sample, one.changes.samples)


def _counts(name: str, changes: TableChanges) -> Iterator[Row]:
    if changes.added:
        yield SIGNS["added"], "rows", name, "", str(changes.added), ""
    if changes.removed:
        yield SIGNS["removed"], "rows", name, str(changes.removed), "", ""
    if changes.changed:
        yield SIGNS["changed"], "rows", name, str(changes.changed), str(changes.changed), ""
    if changes.unpaired:
        said = f"{count_of(changes.unpaired, 'row')} without a sure pair"
        yield FAILED, "rows", name, said, "their key is there more than once", ""
    equal = changes.equal
    yield "=", "rows", name, f"{equal} of {changes.rows_before}", f"{equal} of {changes.rows_after}", ""


def _column(name: str, change: ColumnChange) -> Row:
    shown = _place_of if change.change == "moved" else _type_of
    before, after = (shown(one) if one else "" for one in (change.before, change.after))
    return SIGNS[change.change], "column", f"{name}#{change.name}", before, after, ""


def _place_of(column: ColumnInfo) -> str:
    return f"at {column.at}"


def _type_of(column: ColumnInfo) -> str:
    return column.type if column.stored in ("", column.type) else f"{column.type} {column.stored}"


def _sample(row: RowChange) -> Row:
    place = row.after or row.before or RowPlace("", 0)
    cells = list(row.cells)
    before = _cells((cell.column, cell.before) for cell in cells if row.before)
    after = _cells((cell.column, cell.after) for cell in cells if row.after)
    name = f"{place.file}:{place.line}"
    key = f" {_cells(iter(row.key.items()))}" if row.key else ""
    return SIGNS[row.change], "row", name + key, before, after, ""


def _cells(cells: Iterator[tuple[str, object]]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in cells)
