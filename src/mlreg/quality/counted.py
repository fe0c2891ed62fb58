"""What the comparison of two tables counts, whatever reads them; and the rows that it shows."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from mlreg.quality.cells import text_of
from mlreg.quality.schema import rows_at
from mlreg.quality.table_changes import ADDED, CHANGED, REMOVED, CellChange, RowChange, RowPlace
from mlreg.quality.tables import Column, TableFile

LONGEST = 200
"""Characters of a cell that are shown."""


class Shard(NamedTuple):
    """A file of a table, on the disk."""

    path: str
    """In the dataset."""
    table: TableFile


Pair = tuple[Sequence[Shard], Sequence[Shard]]
"""The files of two tables: before, and after."""
Spot = tuple[int, int]
"""Where a row is: the number of the file in its table, and the line."""


class Found(NamedTuple):
    """A row that differs, by its place."""

    change: str
    before: Spot | None
    after: Spot | None
    columns: tuple[str, ...] = ()
    """Those that differ, of a row that is changed."""

    @property
    def order(self) -> Spot:
        """By which the first ones are known, whatever finds them in which order."""
        return self.after or self.before or (0, 0)


class Tally:
    """Counts rows that differ, and remembers the first ones."""

    def __init__(self, samples: int) -> None:
        """Have counted nothing yet; of each change, so many are remembered."""
        self._samples = samples
        self._first: dict[str, list[Found]] = {ADDED: [], REMOVED: [], CHANGED: []}
        self.counts: Counter[str] = Counter()
        self.cells: Counter[str] = Counter()
        """How often each column differs in rows that are changed."""
        self.unpaired = 0

    def count(self, found: Found) -> None:
        """Count a row, and remember it if it is one of the first."""
        self.counts[found.change] += 1
        self.cells.update(found.columns)
        self.remember(found)

    def remember(self, found: Found) -> None:
        """Remember a row that was counted, if it is one of the first."""
        first = self._first[found.change]
        if len(first) < self._samples or (first and found.order < first[-1].order):
            insort(first, found, key=lambda one: one.order)
            del first[self._samples :]

    @property
    def first(self) -> list[Found]:
        """The first rows that were added, removed and changed."""
        return [found for rows in self._first.values() for found in rows]


class Counted(NamedTuple):
    """What was found out about two tables."""

    rows: tuple[int, int]
    columns: tuple[Mapping[str, Column], Mapping[str, Column]]
    """Of each table by name, in order."""
    key: tuple[str, ...]
    """Empty if rows were compared whole: also if one of the tables lacks a column of the key."""
    tally: Tally


def key_in(key: Sequence[str], common: Collection[str]) -> tuple[str, ...]:
    """Return a key if both tables have its columns, else none."""
    return tuple(dict.fromkeys(key)) if {*key} <= {*common} else ()


# Rows that are shown.


def rows_of(found: Sequence[Found], pair: Pair, key: Sequence[str]) -> Iterator[RowChange]:
    """Yield rows with their cells, which are read again."""
    before = _read(pair[0], (one.before for one in found))
    after = _read(pair[1], (one.after for one in found))
    for one in found:
        old, new = (before[one.before] if one.before else {}), (after[one.after] if one.after else {})
        shown = {name: _shown((new or old).get(name)) for name in key}
        places = _place(pair[0], one.before), _place(pair[1], one.after)
        names = one.columns or [name for name, cell in (new or old).items() if cell is not None]
        cells = (CellChange(name, _shown(old.get(name)), _shown(new.get(name))) for name in names)
        yield RowChange(one.change, shown, *places, tuple(cells))


def _read(shards: Sequence[Shard], spots: Iterable[Spot | None]) -> dict[Spot, dict[str, Any]]:
    wanted = sorted({spot for spot in spots if spot})
    return {
        (file, line): row
        for file, some in groupby(wanted, key=itemgetter(0))
        for line, row in rows_at(shards[file].table, [line for _, line in some])
    }


def _place(shards: Sequence[Shard], spot: Spot | None) -> RowPlace | None:
    return RowPlace(shards[spot[0]].path, spot[1]) if spot else None


def _shown(value: object) -> str | float | bool | None:
    """Return a cell as JSON has it, in a few words."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = text_of(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
