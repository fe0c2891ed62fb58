"""What differs between two tables: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ADDED, REMOVED, CHANGED, MOVED = "added", "removed", "changed", "moved"


class ColumnInfo(NamedTuple):
    """A column of a table."""

    type: str
    """`integer`, `number`, `text` and so on; `mixed` if the files of the table do not agree."""
    stored: str
    """The form's own word for it: `DECIMAL(18,3)`; as `type` where the form has none."""
    at: int
    """Its place among the columns, from 1."""


class ColumnChange(NamedTuple):
    """A column that differs between two tables."""

    change: str
    """`added`, `removed`, `changed`, in its type, or `moved` among those that both have."""
    name: str
    before: ColumnInfo | None
    after: ColumnInfo | None


class ChangedCells(NamedTuple):
    """How often a column differs in rows that are changed."""

    column: str
    rows: int


class RowPlace(NamedTuple):
    """Where a row is."""

    file: str
    line: int
    """On which it begins, from 1; in Parquet, the number of the row."""


class CellChange(NamedTuple):
    """A cell that differs."""

    column: str
    before: Any
    """A number, a boolean or text, of which the end of a long one is left out; null if there is nothing."""
    after: Any


class RowChange(NamedTuple):
    """A row that differs."""

    change: str
    """`added`, `removed` or `changed`."""
    key: Mapping[str, Any]
    """Its cells in the key columns; empty if there are none."""
    before: RowPlace | None
    after: RowPlace | None
    cells: tuple[CellChange, ...]
    """Those that differ; of a row that is added or removed, all that are not null."""


class TableChanges(NamedTuple):
    """What differs between two tables."""

    key: tuple[str, ...]
    """The columns that say which rows belong together; empty if rows were compared whole."""
    compared: tuple[str, ...]
    """The columns that both tables have, sorted: rows are compared by these."""
    rows_before: int
    """In the files that were read: those that differ."""
    rows_after: int
    added: int
    removed: int
    changed: int
    """Pairs of rows with one key and other cells; 0 without a key."""
    unpaired: int
    """Rows, among those that are added and removed, whose key is on both sides and there not once: no pair is sure."""
    columns: tuple[ColumnChange, ...]
    """In the order of the columns after, those that were removed at the end."""
    cells: tuple[ChangedCells, ...]
    """In the order of the columns after, those that do not differ left out."""
    samples: tuple[RowChange, ...]
    """The first rows that were added, removed and changed, as many of each as were asked for."""

    @property
    def equal(self) -> int:
        """Rows that are on both sides."""
        return self.rows_before - self.removed - self.changed
