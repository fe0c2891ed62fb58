"""DuckDB, locked: it reads the files that it is given, and nothing else, from nowhere else.

It would load extensions, and fetch them from the network, on the word of a file name. Here nothing is loaded, no
other file is opened or written, and no statement can change that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlreg.errors import MlregError, NoSpaceError, UnsupportedError, explain
from mlreg.quality.tables import MAGIC, Column, TableFile, Type, bad_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EXTRA = "pip install 'mlreg[data]'"
_TAIL = 8
"""Bytes behind the footer of a Parquet file: its length, and the magic word."""
_TYPES = {
    "BOOLEAN": Type.BOOLEAN,
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), Type.INTEGER),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE"), Type.NUMBER),
    "DATE": Type.DATE,
    "BLOB": Type.BYTES,
    '"NULL"': Type.EMPTY,
}


@contextmanager
def connected(tables: Sequence[TableFile], *, threads: int = 0, memory: str = "") -> Iterator[DuckDBPyConnection]:
    """Yield a connection in memory that may read these files only.

    Args:
        tables: the files.
        threads: of the engine; 0 for as many as there are cores.
        memory: what the engine may take before it writes to the disk, `1GB`; by default most of what there is.

    Raises:
        UnsupportedError: `missing_extra`.
    """
    try:
        import duckdb
    except ImportError as error:
        named = tables[0].name if tables else "a table"
        raise UnsupportedError(
            "missing_extra", f"{named} needs DuckDB to be read", why=str(error), fix=EXTRA
        ) from error
    paths = ", ".join(quoted_text(str(table.path.resolve())) for table in tables)
    settings = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    with TemporaryDirectory() as spill, duckdb.connect(":memory:", config=settings) as connection:
        # What does not fit into memory would go to a directory beside whoever calls.
        connection.execute(f"SET temp_directory = {quoted_text(spill)}")
        # Text of times with a zone would be another one on another machine.
        connection.execute("SET TimeZone = 'UTC'")
        # It would draw on standard output.
        connection.execute("SET enable_progress_bar = false")
        if threads:
            connection.execute(f"SET threads = {int(threads)}")
        if memory:
            connection.execute(f"SET memory_limit = {quoted_text(memory)}")
        connection.execute(f"SET allowed_paths = [{paths}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def quoted_text(text: str) -> str:
    """Return text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Return a name of a column as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def relation(table: TableFile) -> str:
    """Return what stands behind FROM for a Parquet file: its name says nothing about columns."""
    return f"read_parquet({quoted_text(str(table.path.resolve()))}, hive_partitioning = false)"


def numbered(table: TableFile, values: Iterable[str]) -> str:
    """Return what stands behind FROM for values of a Parquet file, `c0` and so on, and the `number` of a row, from 1.

    Args:
        table: the file.
        values: as SQL has them.
    """
    named = "".join(f"{value} AS c{at}, " for at, value in enumerate(values))
    return f"(SELECT {named}row_number() OVER () AS number FROM {relation(table)})"  # noqa: S608 - quoted


@contextmanager
def explained(table: TableFile) -> Iterator[None]:
    """Say of which file it was that the engine could not make sense.

    Raises:
        UsageError: `bad_table`.
        UnsupportedError: `missing_extra`: earlier releases of DuckDB need `pytz` for times with a zone.
        NoSpaceError: `no_space`, in memory and where it goes when that is full.
    """
    import duckdb

    try:
        yield
    except MlregError:
        raise
    except duckdb.Error as error:
        told = (str(error).splitlines() or [""])[0].replace(str(table.path.resolve()), table.name)
        if isinstance(error, duckdb.OutOfMemoryException):
            fix = "make room in the directory for temporary files"
            raise NoSpaceError("no_space", f"there is no room to read {table.name}", why=told, fix=fix) from error
        if "'pytz'" in told:
            packages = ("pip install --upgrade duckdb", "pip install pytz")
            message = f"{table.name} has times with a zone"
            raise UnsupportedError("missing_extra", message, why=told, fix=packages) from error
        raise bad_table(table, told[:300]) from error


def check_parquet(table: TableFile) -> None:
    """Refuse a Parquet file that is cut off, before anything is read of it.

    Raises:
        UsageError: `bad_table`.
    """
    try:
        size = table.path.stat().st_size
        with table.path.open("rb") as file:
            head = file.read(len(MAGIC))
            file.seek(max(0, size - _TAIL))
            tail = file.read(_TAIL)
    except OSError as error:
        raise explain(error, table.name) from error
    if head != MAGIC:
        raise bad_table(table, "it does not begin as a Parquet file does")
    if size < 2 * len(MAGIC) + 4 or tail[4:] != MAGIC:
        raise bad_table(table, f"it is cut off: its {size} bytes do not end as a Parquet file does")
    if int.from_bytes(tail[:4], "little") > size - _TAIL - len(MAGIC):
        raise bad_table(table, "it says that its footer is longer than the file")


def parquet_columns(connection: DuckDBPyConnection, table: TableFile) -> tuple[Column, ...]:
    """Return the columns of a Parquet file.

    Raises:
        UsageError: `bad_table`.
    """
    check_parquet(table)
    with explained(table):
        rows = connection.execute(f"DESCRIBE SELECT * FROM {relation(table)}").fetchall()  # noqa: S608 - quoted
    return tuple(Column(str(name), type_of(str(word)), str(word)) for name, word, *_ in rows)


def type_of(word: str) -> Type:
    """Return the type that a word of the engine stands for.

    >>> type_of("DECIMAL(18,3)"), type_of("STRUCT(a INTEGER)"), type_of("UUID")
    (<Type.NUMBER: 'number'>, <Type.JSON: 'json'>, <Type.TEXT: 'text'>)
    """
    if word.endswith("]") or word.startswith(("STRUCT", "MAP", "UNION", "LIST", "JSON", "VARIANT")):
        return Type.JSON
    if word.startswith(("TIMESTAMP", "DECIMAL")):
        return Type.TIME if word.startswith("TIMESTAMP") else Type.NUMBER
    return _TYPES.get(word, Type.TEXT)
