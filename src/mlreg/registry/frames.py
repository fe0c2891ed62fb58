"""Tables: what pandas, Arrow and Polars have in memory as files, and files of a version as what these have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.adapters.adapter import is_a, word
from mlreg.errors import NotFoundError, UnsupportedError, UsageError
from mlreg.operations.opened_file import OpenedFile
from mlreg.operations.scanning import Source, sources_below

PARQUET = "data.parquet"
"""What a table is called that was handed over alone."""
BYTES = "data.bin"
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")
TABLES = (*_SEPARATORS, *_LINES, ".parquet")
"""Ends of the names of files that are read as tables."""


_NO_TABLE = (Mapping, list, tuple, str, Path, bytes, bytearray, memoryview)
"""What is handed over as files or bytes; anything else should be a table."""


class Handed(NamedTuple):
    """What was handed over, as files."""

    sources: list[Source]
    form: str
    """One of `mlreg.formats.commit.FORMS`."""


def sources_of(data: object) -> Handed:
    """Return what someone hands over as the files of a version.

    Args:
        data: a path, a list of paths, bytes, a table of pandas, Arrow or Polars, or a mapping from paths in the
            version to any of these.

    Raises:
        UsageError: `bad_data`.
        UnsupportedError: `missing_extra`.
    """
    if isinstance(data, Mapping):
        if not data:
            raise UsageError("nothing_to_add", "there is no file in an empty mapping", fix="give one file at least")
        return Handed([source for name, one in data.items() for source in _under(str(name), one)], "directory")
    if isinstance(data, list | tuple):
        return Handed(sources_below([Path(one) for one in data]), "directory")
    if isinstance(data, str | Path):
        return Handed(sources_below([Path(data)]), "file" if Path(data).is_file() else "directory")
    if isinstance(data, bytes | bytearray | memoryview):
        return Handed([_in_memory(BYTES, bytes(data))], "bytes")
    return Handed([_in_memory(PARQUET, _parquet_of(data))], "file")


def _under(name: str, data: object) -> list[Source]:
    found = sources_of(data).sources
    if not isinstance(data, _NO_TABLE):
        _check_parquet(name)
    is_folder = isinstance(data, Mapping | list | tuple) or (isinstance(data, str | Path) and Path(data).is_dir())
    return [source._replace(path=f"{name}/{source.path}" if is_folder else name) for source in found]


def _check_parquet(name: str) -> None:
    """Refuse to keep a table, which becomes Parquet, under a name that says something else."""
    if _end_of(name) != ".parquet":
        own = Path(name).with_suffix(".parquet").as_posix() if Path(name).name else "data.parquet"
        raise UsageError(
            "bad_data",
            f"{name} would be Parquet, whatever its name says",
            why="a table becomes Parquet",
            fix=(f"call it {own}", "or hand over the bytes of another form: table.to_csv(index=False).encode()"),
        )


def _in_memory(name: str, data: bytes) -> Source:
    return Source(name, lambda: [data])


def _parquet_of(table: object) -> bytes:
    """Return a table as Parquet: of equal tables, the same releases of these libraries make equal bytes."""
    import io

    target = io.BytesIO()
    if is_a(table, "polars", "DataFrame"):
        table.write_parquet(target)  # type: ignore[attr-defined]  # polars is not imported
        return target.getvalue()
    with _needing("pandas"):
        if is_a(table, "pandas", "DataFrame"):
            table.to_parquet(target)  # type: ignore[attr-defined]  # pandas is not imported
            return target.getvalue()
        if is_a(table, "pyarrow", "Table"):
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, target)
            return target.getvalue()
    raise UsageError(
        "bad_data",
        f"mlreg does not know how to keep {word(table)} as a dataset",
        why="it keeps paths, bytes, tables of pandas, Arrow and Polars, and mappings from paths to these",
        fix="write it to a file, and register its path",
    )


@contextmanager
def _needing(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UnsupportedError(
            "missing_extra",
            "a table needs a package that cannot be imported",
            why=str(error),
            fix=f"pip install 'mlreg[{extra}]'",
        ) from error


def _end_of(path: str) -> str:
    return Path(path).suffix.lower()


def tables_in(ref: str, paths: Sequence[str]) -> list[str]:
    """Return those of some paths that are read as tables; all must be of one kind.

    Raises:
        NotFoundError: `no_table`.
        UsageError: `unlike_tables`.
    """
    found = [path for path in paths if _end_of(path) in TABLES]
    if not found:
        fix = ("name a file by path=", "get_dataset(...) for a path")
        raise NotFoundError("no_table", f"{ref} has no file that is read as a table", why=", ".join(TABLES), fix=fix)
    ends = sorted({_end_of(path) for path in found})
    if len(ends) > 1:
        raise UsageError(
            "unlike_tables",
            f"{ref} has tables of several kinds: {', '.join(ends)}",
            why="they are read one below the other",
            fix="say which by path=, of a file or a directory",
        )
    return found


Open = Callable[[str], OpenedFile]
"""Opens a file of a version by its path."""


def pandas_of(paths: Sequence[str], opened: Open) -> Any:
    """Return tables one below the other, as a `DataFrame` of pandas."""
    with _needing("pandas"):
        import pandas

        frames = []
        for path in paths:
            with opened(path) as file:
                frames.append(_pandas_table(pandas, path, file))
        return frames[0] if len(frames) == 1 else pandas.concat(frames, ignore_index=True)


def _pandas_table(pandas: Any, path: str, file: OpenedFile) -> Any:
    end = _end_of(path)
    if end in _SEPARATORS:
        return pandas.read_csv(file, sep=_SEPARATORS[end])
    return pandas.read_json(file, lines=True) if end in _LINES else pandas.read_parquet(file)


def arrow_of(paths: Sequence[str], opened: Open) -> Any:
    """Return tables one below the other, as a `Table` of Arrow."""
    with _needing("pandas"):
        import pyarrow

        tables = []
        for path in paths:
            with opened(path) as file:
                tables.append(_arrow_table(path, file))
        return tables[0] if len(tables) == 1 else pyarrow.concat_tables(tables, promote_options="default")


def _arrow_table(path: str, file: OpenedFile) -> Any:
    end = _end_of(path)
    if end in _SEPARATORS:
        from pyarrow import csv

        return csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=_SEPARATORS[end]))
    if end in _LINES:
        from pyarrow import json

        return json.read_json(file)
    from pyarrow import parquet

    return parquet.read_table(file)


def duckdb_of(places: Sequence[Path]) -> Any:
    """Return tables one below the other, as a relation of DuckDB on a connection of its own.

    Args:
        places: files on a disk, all of one kind.
    """
    with _needing("data"):
        import duckdb

        settings = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        connection = duckdb.connect(config=settings)
        end, names = _end_of(str(places[0])), [str(place) for place in places]
        if end in _SEPARATORS:
            # All is said, so that nothing is left to a guess from some rows.
            said = "delim = ?, quote = '\"', escape = '\"', header = true, sample_size = -1"
            return connection.sql(f"SELECT * FROM read_csv(?, {said})", params=[names, _SEPARATORS[end]])  # noqa: S608 - constant
        if end in _LINES:
            return connection.read_json(names, format="newline_delimited")
        return connection.read_parquet(names)
