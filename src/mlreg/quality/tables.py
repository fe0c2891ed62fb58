"""What a table is: a file of rows that all have the same columns."""

from __future__ import annotations

import gzip
import shlex
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from mlreg.errors import UsageError, explain

MAGIC = b"PAR1"
"""How a Parquet file begins, and how it ends."""
GZIP = b"\x1f\x8b"


class Form(StrEnum):
    """How the rows of a table are written."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"


SUFFIXES = {
    ".csv": Form.CSV,
    ".tsv": Form.TSV,
    ".tab": Form.TSV,
    ".jsonl": Form.JSONL,
    ".ndjson": Form.JSONL,
    ".parquet": Form.PARQUET,
    ".pq": Form.PARQUET,
}
"""Forms of tables, by how names end; `.gz` may stand behind those of text."""


class Type(StrEnum):
    """What a column holds, whatever the form calls it."""

    EMPTY = "empty"
    """Nulls only."""
    BOOLEAN = "boolean"
    INTEGER = "integer"
    """Of 64 bits."""
    NUMBER = "number"
    """A float64, or what is rounded to one: decimals, integers of more bits."""
    DATE = "date"
    TIME = "timestamp"
    """A moment, in microseconds; in UTC if it has a zone."""
    TEXT = "text"
    JSON = "json"
    """Lists and objects; shown as canonical JSON."""
    BYTES = "bytes"
    MIXED = "mixed"
    """JSON values of several types, or files that do not agree."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    type: Type
    stored: str
    """The form's own word for the type: `DECIMAL(18,3)`. As `type` where the form has none."""


class TableFile(NamedTuple):
    """A file that is a table, by its name and its first bytes."""

    path: Path
    """Where the bytes lie."""
    name: str
    """What a reader knows it as: messages say it."""
    form: Form
    is_packed: bool = False
    """Whether gzip is around it."""
    printer: str = ""
    """The command that prints it, for messages; empty if `cat` does."""

    def look_at(self, line: int) -> str:
        """Return the command that shows a line."""
        printer = self.printer or f"cat {shlex.quote(self.name)}"
        unpacked = f"{printer} | gzip -dc" if self.is_packed else printer
        return f"{unpacked} | sed -n {line}p"

    def open(self) -> IO[bytes]:
        """Open it, with gzip taken away.

        Raises:
            NotFoundError, AccessError, UnavailableError: from the file system.
        """
        try:
            return cast(IO[bytes], gzip.open(self.path)) if self.is_packed else self.path.open("rb")
        except OSError as error:
            raise explain(error, self.name) from error


def form_by_name(name: str) -> Form | None:
    """Return the form that a name promises; None if it is no name of a table.

    >>> form_by_name("train/a.CSV.gz"), form_by_name("weights.bin"), form_by_name("x.parquet.gz")
    (<Form.CSV: 'csv'>, None, None)
    """
    path = PurePosixPath(name.lower())
    form = SUFFIXES.get(PurePosixPath(path.stem).suffix if path.suffix == ".gz" else path.suffix)
    return None if path.suffix == ".gz" and form is Form.PARQUET else form


def table_file(path: Path, name: str = "", printer: str = "") -> TableFile | None:
    """Return a file as a table; None if it is none. Its first bytes count more than its name.

    Args:
        path: where the bytes lie.
        name: of the file, if the path has another one.
        printer: the command that prints it, for messages, if it is not `cat`.

    Raises:
        NotFoundError, AccessError, UnavailableError: from the file system.
    """
    name = name or str(path)
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise explain(error, name) from error
    if head == MAGIC:
        return TableFile(path, name, Form.PARQUET, printer=printer)
    form = form_by_name(name)
    is_packed = head.startswith(GZIP) and form is not Form.PARQUET
    return TableFile(path, name, form, is_packed, printer) if form else None


def bad_table(table: TableFile, why: str, *, line: int = 0, fix: str = "") -> UsageError:
    """Return the error for a file that is not the table it promises to be.

    Args:
        table: the file.
        why: what is wrong there.
        line: where it is wrong, counted from 1; 0 if that cannot be said.
        fix: what to do; by default, to write that line anew.
    """
    place = f"{table.name}, line {line}," if line else table.name
    mend = fix or (f"look at it: {table.look_at(line)}" if line else "write the file again from its source")
    return UsageError("bad_table", f"{place} is no {_WORDS[table.form]}", why=why, fix=mend)


_WORDS = {
    Form.CSV: "sound CSV",
    Form.TSV: "sound TSV",
    Form.JSONL: "sound JSON lines",
    Form.PARQUET: "sound Parquet",
}
