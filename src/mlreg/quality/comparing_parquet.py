"""Two tables in Parquet compared row by row by DuckDB, by values: what does not fit into memory goes to the disk.

NaN is equal to NaN, null to null. A column whose type differs is compared as what both types fit: numbers as numbers,
a date as a moment, all else as text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlreg.quality.counted import Counted, Found, Pair, Tally, key_in
from mlreg.quality.engine import connected, explained, numbered, parquet_columns, quoted_name
from mlreg.quality.schema import Schema, united_columns
from mlreg.quality.table_changes import ADDED, CHANGED, REMOVED
from mlreg.quality.tables import Column, TableFile, Type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GB"
"""What DuckDB may take before it writes to the disk."""
_NUMBERS, _MOMENTS = {Type.INTEGER, Type.NUMBER}, {Type.DATE, Type.TIME}


def compare_parquet(pair: Pair, key: Sequence[str], samples: int) -> Counted:
    """Compare two tables; the arguments and the errors are those of `compare_text`."""
    tables = [shard.table for side in pair for shard in side]
    with connected(tables, memory=MEMORY) as connection, explained(tables[0]):
        columns = tuple([_by_name(connection, shard.table) for shard in side] for side in pair)
        before, after = (united_columns([Schema(tuple(one.values()), 0) for one in side]) for side in columns)
        common = [name for name in before if name in after]
        key, tally = key_in(key, common), Tally(samples)
        compared = _Comparison(connection, pair, (columns[0], columns[1]), common)
        rows = compared.scan()
        if key:
            compared.count_pairs([common.index(name) for name in key], tally, samples)
        else:
            compared.count(tally, samples)
        return Counted(rows, (before, after), key, tally)


def _by_name(connection: DuckDBPyConnection, table: TableFile) -> dict[str, Column]:
    return {column.name: column for column in parquet_columns(connection, table)}


def _common_type(columns: Collection[Column]) -> str:
    """Return the type that columns of one name are compared as; empty if they have the same one."""
    types = {column.type for column in columns}
    if len({column.stored for column in columns}) == 1:
        return ""
    if types <= _NUMBERS:
        return "DOUBLE" if Type.NUMBER in types else "BIGINT"
    has_zone = any("TIME ZONE" in column.stored for column in columns)
    return "TIMESTAMP" if types <= _MOMENTS and not has_zone else "VARCHAR"


class _Comparison:
    """Two tables, open."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        pair: Pair,
        columns: tuple[Sequence[Mapping[str, Column]], Sequence[Mapping[str, Column]]],
        common: Sequence[str],
    ) -> None:
        self._connection = connection
        self._common = common
        self._files = [
            (side, file, shard.table, columns[side][file])
            for side, shards in enumerate(pair)
            for file, shard in enumerate(shards)
        ]
        every: dict[str, set[Column]] = {}
        for *_, found in self._files:
            for name, column in found.items():
                every.setdefault(name, set()).add(column)
        self._types = [_common_type(every[name]) for name in common]

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        # All names in queries are quoted, and all else are numbers.
        found: list[tuple[Any, ...]] = self._connection.execute(query).fetchall()
        return found

    def _values(self, columns: Mapping[str, Column]) -> Iterator[str]:
        """Yield what is compared of the rows of a file."""
        for name, word in zip(self._common, self._types, strict=True):
            value = quoted_name(name) if name in columns else "NULL"
            yield f"CAST({value} AS {word})" if word else value

    def scan(self) -> tuple[int, int]:
        """Read both tables, find the rows that have no equal in the other one, and return how many there are of all."""
        self._all("CREATE TEMP TABLE digests (side TINYINT, file INTEGER, line BIGINT, high UBIGINT, low UBIGINT)")
        for side, file, table, columns in self._files:
            values = [*self._values(columns)]
            # Rows without a column in common have nothing in common.
            names = [f"c{at}" for at in range(len(values))] or ["number"]
            digests = f"hash({', '.join(names)}), hash({', '.join(names[::-1])}, {0 if values else side})"
            with explained(table):
                self._all(
                    f"INSERT INTO digests SELECT {side}, {file}, number, {digests} FROM {numbered(table, values)}"
                )
        self._all(_REMAINING)
        ((before, after),) = self._all(f"SELECT {_COUNTS} FROM digests")
        return before, after

    def count(self, tally: Tally, samples: int) -> None:
        """Count the rows that are left, without a key."""
        ((removed, added),) = self._all(f"SELECT {_COUNTS} FROM remaining")
        tally.counts.update({REMOVED: removed, ADDED: added})
        self._remember("side = {side}", tally, samples)

    def _remember(self, condition: str, tally: Tally, samples: int) -> None:
        """Remember the first of rows that were added and removed."""
        for side in (0, 1) if samples else ():
            where = condition.format(side=side)
            for spot in self._all(
                f"SELECT file, line FROM remaining WHERE {where} ORDER BY file, line LIMIT {samples}"
            ):
                tally.remember(Found(ADDED, None, spot) if side else Found(REMOVED, spot, None))

    def count_pairs(self, key: Sequence[int], tally: Tally, samples: int) -> None:
        """Count the rows that are left, by their keys."""
        self._keep()
        self._all(_PAIRS.format(key=", ".join(f"c{at}" for at in key)))
        differs = [f"x.c{at} IS DISTINCT FROM y.c{at}" for at in range(len(self._common))]
        sums = ", ".join(f"count(*) FILTER (WHERE {differ})" for differ in differs)
        ((changed, *cells),) = self._all(f"SELECT count(*), {sums} FROM {_CHANGED}")
        tally.cells.update({name: count for name, count in zip(self._common, cells, strict=True) if count})
        ((removed, added, unpaired),) = self._all(_OTHERS)
        tally.counts.update({CHANGED: changed, REMOVED: int(removed), ADDED: int(added)})
        tally.unpaired = int(unpaired)
        first = f"SELECT f0, l0, f1, l1, [{', '.join(differs)}] FROM {_CHANGED} ORDER BY f1, l1 LIMIT {samples}"
        for *spots, found in self._all(first) if samples else ():
            names = sorted(name for name, is_other in zip(self._common, found, strict=True) if is_other)
            tally.remember(Found(CHANGED, (spots[0], spots[1]), (spots[2], spots[3]), tuple(names)))
        paired = "SELECT 1 FROM pairs WHERE n0 = 1 AND n1 = 1 AND f{side} = file AND l{side} = line"
        self._remember(f"side = {{side}} AND NOT EXISTS ({paired})", tally, samples)

    def _keep(self) -> None:
        """Keep the cells of the rows that are left."""
        parts = []
        for side, file, table, columns in self._files:
            rows = numbered(table, self._values(columns))
            where = f"side = {side} AND file = {file}"
            parts.append(f"SELECT remaining.*, x.* FROM remaining JOIN {rows} x ON line = number WHERE {where}")
        self._all(f"CREATE TEMP TABLE kept AS {' UNION ALL '.join(parts)}")


_COUNTS = "count(*) FILTER (WHERE side = 0), count(*) FILTER (WHERE side = 1)"
_REMAINING = """
    CREATE TEMP TABLE remaining AS SELECT side, file, line FROM (
        SELECT side, file, line, CASE WHEN side = 0 THEN n1 ELSE n0 END AS others,
            row_number() OVER (PARTITION BY side, high, low ORDER BY file, line) AS rank
        FROM digests JOIN (
            SELECT high, low, count(*) FILTER (WHERE side = 0) AS n0, count(*) FILTER (WHERE side = 1) AS n1
            FROM digests GROUP BY high, low
        ) USING (high, low) WHERE n0 <> n1
    ) WHERE rank > others
"""
_PAIRS = """
    CREATE TEMP TABLE pairs AS SELECT
        count(*) FILTER (WHERE side = 0) AS n0, count(*) FILTER (WHERE side = 1) AS n1,
        min(file) FILTER (WHERE side = 0) AS f0, min(line) FILTER (WHERE side = 0) AS l0,
        min(file) FILTER (WHERE side = 1) AS f1, min(line) FILTER (WHERE side = 1) AS l1
    FROM kept GROUP BY {key}
"""
_CHANGED = """pairs
    JOIN kept x ON x.side = 0 AND x.file = f0 AND x.line = l0
    JOIN kept y ON y.side = 1 AND y.file = f1 AND y.line = l1
    WHERE n0 = 1 AND n1 = 1
"""
_OTHERS = """
    SELECT coalesce(sum(n0), 0), coalesce(sum(n1), 0), coalesce(sum(n0 + n1) FILTER (WHERE n0 > 0 AND n1 > 0), 0)
    FROM pairs WHERE n0 <> 1 OR n1 <> 1
"""
