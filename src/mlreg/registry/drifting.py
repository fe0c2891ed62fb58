"""What changed between two datasets: their tables, the columns of these, and how the values are spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from pathlib import PurePosixPath
from typing import NamedTuple

from mlreg.errors import UsageError
from mlreg.quality.drift import FAIL, FAILED, ORDER, WARN, WARNED, ColumnDrift, Limits, drift
from mlreg.quality.file_profile import FileColumn, FileProfile
from mlreg.quality.tables import Type
from mlreg.quality.values import of_texts
from mlreg.registry.getting import Finds
from mlreg.registry.profiling import Measured, Table, measured

FILES = "*"
"""What stands for the files of a dataset, compared as a table."""


class TableDrift(NamedTuple):
    """What changed in a table."""

    verdict: str
    """`ok`, `warn` or `fail`."""
    change: str
    """`added`, `removed`, or empty if it is there before and after."""
    files_before: tuple[str, ...]
    files_after: tuple[str, ...]
    rows_before: int
    rows_after: int
    columns: tuple[ColumnDrift, ...]
    """The worst first."""


class DataDrift(NamedTuple):
    """What changed between two datasets."""

    before: str
    before_id: str
    """Of the version; empty of files that are not registered."""
    after: str
    after_id: str
    passed: bool
    """Whether nothing fails."""
    verdict: str
    """`ok`, `warn` or `fail`: that of the worst table."""
    warn_at: float
    """The population stability index from which on a column is warned of."""
    fail_at: float
    tables: tuple[TableDrift, ...]
    """The worst first."""


def data_drift(registry: Finds, before: str, after: str, threshold: float = 0.0) -> DataDrift:
    """Say what changed between two datasets.

    A table that is gone fails, and so does a column that is gone or is of another type, and one whose stability
    index is as large as the threshold. What is new is warned of, and so is an index of two fifths of the threshold.

    If there is no table on either side, the files are compared as one: their folders and the ends of their names.

    Args:
        registry: where refs begin.
        before: a ref or a path, as `profiling.profile` takes it; it is the yardstick.
        after: another one.
        threshold: of the population stability index; 0 for 0.25.

    Raises:
        UsageError: `bad_threshold`; and what `profile` raises.
    """
    if not 0 <= threshold < inf:
        raise UsageError("bad_threshold", f"{threshold} is no threshold", why="it is 0 or more", fix="--threshold 0.25")
    limits = Limits(threshold * WARN / FAIL, threshold) if threshold else Limits()
    old, new = measured(registry, before), measured(registry, after)
    has_tables = old.tables or new.tables
    before_tables, after_tables = (one.tables if has_tables else [files_table(one)] for one in (old, new))
    tables = sorted(_tables(before_tables, after_tables, limits), key=lambda one: ORDER.index(one.verdict))
    worst = tables[0].verdict
    return DataDrift(old.ref, old.id, new.ref, new.id, worst != FAILED, worst, *limits, tuple(tables))


def files_table(found: Measured) -> Table:
    """Return the files of a dataset as a table of two columns: where folders are classes, that is their balance."""
    paths = [PurePosixPath(path) for path, _ in found.files]
    columns = ("folder", [str(path.parent) for path in paths]), ("suffix", [path.suffix.lower() for path in paths])
    kind = Type.TEXT
    filled = tuple(
        FileColumn(name, kind, kind.value, 0, of_texts(Counter(texts)), None, None) for name, texts in columns
    )
    return Table((FILES,), FileProfile(len(paths), 0, filled))


def _tables(old: Sequence[Table], new: Sequence[Table], limits: Limits) -> list[TableDrift]:
    """Compare each table with the one that has most of its columns; what is left was added or removed."""
    left, found = list(new), []
    for table in old:
        common = _common(table)
        best = max(left, key=common, default=None)
        if best is None or not common(best):
            found.append(TableDrift(FAILED, "removed", table.files, (), table.profile.rows, 0, ()))
        else:
            left.remove(best)
            one = drift(table.profile, best.profile, limits)
            found.append(
                TableDrift(one.verdict, "", table.files, best.files, one.rows_before, one.rows_after, one.columns)
            )
    found.extend(TableDrift(WARNED, "added", (), table.files, 0, table.profile.rows, ()) for table in left)
    return found


def _common(table: Table) -> Callable[[Table], int]:
    names = {column.name for column in table.profile.columns}
    return lambda other: len(names & {column.name for column in other.profile.columns})
