"""The profile of a Parquet file: DuckDB counts and fetches; no sum is left to it that would depend on its threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlreg.quality.engine import connected, explained, parquet_columns, quoted_name, relation
from mlreg.quality.file_profile import FileColumn, FileProfile
from mlreg.quality.measuring import MEASURED, column_of_numbers, column_of_values
from mlreg.quality.numbers import count_different
from mlreg.quality.tables import Column, TableFile, Type
from mlreg.quality.values import KEPT, Values, counted, is_known

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

_TEXT = {Type.BYTES: "md5({name})", Type.TEXT: "CAST({name} AS VARCHAR)"}
"""What values are counted as; of the types that are not here, as their text."""


def parquet_profile(table: TableFile, threads: int) -> FileProfile:
    """Say what a Parquet file is like.

    Raises:
        UsageError: `bad_table`.
        UnsupportedError: `missing_extra`.
    """
    with connected([table], threads=threads) as connection:
        columns = parquet_columns(connection, table)
        with explained(table):
            measure = _Measure(connection, relation(table))
            found = tuple(measure.column(column) for column in columns)
            return FileProfile(measure.rows, measure.duplicates(columns), found)


class _Measure:
    """One file, open."""

    def __init__(self, connection: DuckDBPyConnection, source: str) -> None:
        self._connection = connection
        self._source = source
        ((rows,),) = connection.execute(f"SELECT count(*) FROM {source}").fetchall()  # noqa: S608 - quoted
        self.rows = int(rows)

    def _array(self, query: str) -> NDArray[Any]:
        """Return the one column of an answer, in which there is no null."""
        import numpy as np

        (found,) = self._connection.execute(query).fetchnumpy().values()
        return np.ma.getdata(found)

    def column(self, column: Column) -> FileColumn:
        """Sum up a column."""
        name = quoted_name(column.name)
        query = f"SELECT count({name}) FROM {self._source}"  # noqa: S608 - quoted
        ((filled,),) = self._connection.execute(query).fetchall()
        if column.type in MEASURED:
            return self._numbers(column, name, filled)
        return self._values(column, name, filled)

    def _numbers(self, column: Column, name: str, filled: int) -> FileColumn:
        is_time = column.type in (Type.DATE, Type.TIME)
        word = {Type.INTEGER: "BIGINT", Type.NUMBER: "DOUBLE"}.get(column.type)
        taken = f"CAST({name} AS {word})" if word else f"epoch_us({_moment(column, name)})"
        test = f"isfinite({_moment(column, name)})" if is_time else f"{name} IS NOT NULL"
        found = self._array(f"SELECT {taken} AS v FROM {self._source} WHERE {test}")  # noqa: S608 - quoted
        return column_of_numbers(column, self.rows - filled, found, filled - len(found))

    def _values(self, column: Column, name: str, filled: int) -> FileColumn:
        taken = _TEXT.get(column.type, _TEXT[Type.TEXT]).format(name=name)
        size = f"octet_length({name})" if column.type is Type.BYTES else f"length({taken})"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE counted AS SELECT {taken} AS v, count(*) AS n, any_value({size}) AS size"  # noqa: S608 - quoted
            f" FROM {self._source} WHERE {name} IS NOT NULL GROUP BY 1"
        )
        lengths = self._connection.execute(
            "SELECT CAST(size AS BIGINT) AS size, CAST(sum(n) AS BIGINT) AS n FROM counted GROUP BY 1"
        ).fetchnumpy()
        values = self._counted(column)
        return column_of_values(column, self.rows - filled, values, lengths["size"], lengths["n"])

    def _counted(self, column: Column) -> Values:
        ((distinct,),) = self._connection.execute("SELECT count(*) FROM counted").fetchall()
        most = self._connection.execute(f"SELECT v, n FROM counted ORDER BY n DESC, v LIMIT {KEPT}").fetchall()  # noqa: S608 - a number
        if column.type is Type.BYTES:
            most = []
        if is_known(distinct, most) and len(most) == distinct:
            return counted(distinct, most)
        return counted(distinct, most, self._array("SELECT md5_number_lower(v) AS h FROM counted"))

    def duplicates(self, columns: tuple[Column, ...]) -> int:
        """Return how many rows are equal to another one that is counted already, by 64 bits of each."""
        if not columns:
            return 0
        names = ", ".join(quoted_name(column.name) for column in columns)
        return self.rows - count_different(self._array(f"SELECT hash({names}) AS h FROM {self._source}"))  # noqa: S608 - quoted


def _moment(column: Column, name: str) -> str:
    """Return a date or a time as one of microseconds."""
    if column.stored in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        return name
    has_zone = "TZ" in column.stored or "WITH TIME ZONE" in column.stored
    return f"CAST({name} AS {'TIMESTAMPTZ' if has_zone else 'TIMESTAMP'})"
