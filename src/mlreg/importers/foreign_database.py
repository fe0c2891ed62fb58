"""Databases of SQLite that others have written: read, whatever is in them, and never changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from mlreg.errors import NotFoundError, UnsupportedError
from mlreg.formats.names import quoted


class ForeignDatabase:
    """One file. It is closed with the last one who uses it."""

    def __init__(self, path: Path, tool: str, advice: str | tuple[str, ...] = ()) -> None:
        """Open it for reading; nothing in it is changed, whoever writes to it meanwhile.

        Args:
            path: of the file.
            tool: whose it should be.
            advice: what to do if it cannot be read.

        Raises:
            NotFoundError: `file_missing`.
            UnsupportedError: `not_readable`.
        """
        if not path.is_file():
            raise NotFoundError("file_missing", f"{path} does not exist", fix="check the spelling")
        self._path, self._tool, self._advice = path, tool, advice
        try:
            self._db = _opened(path)
            # Nothing that a schema calls may do more than compute.
            self._db.execute("PRAGMA trusted_schema = OFF")
        except sqlite3.Error as error:
            raise self.unreadable(str(error)) from error
        self._db.text_factory = lambda data: data.decode("utf-8", "replace")

    def __del__(self) -> None:
        """Close it."""
        if hasattr(self, "_db"):
            self._db.close()

    def tables(self) -> set[str]:
        """Return the names of the tables; a view may compute without an end, and is none."""
        return {name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def columns(self, table: str) -> set[str]:
        """Return the names of the columns of a table whose name is ours."""
        return {row[1] for row in self.rows(f"PRAGMA table_info({table})")}

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return what a query finds.

        Raises:
            UnsupportedError: `not_readable`.
        """
        try:
            return self._db.execute(query, values).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            raise self.unreadable(str(error)) from error

    def unreadable(self, why: str) -> UnsupportedError:
        """Return the error that says so."""
        what = f"{self._path} is no database of {self._tool} that can be read"
        return UnsupportedError("not_readable", what, why=quoted(why), fix=self._advice)


def _opened(path: Path) -> sqlite3.Connection:
    found = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        found.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError as error:
        found.close()
        log = path.with_name(f"{path.name}-wal")
        # One with a log beside it wants to write there. Where no one can, no one changes the database either.
        if error.sqlite_errorname != "SQLITE_CANTOPEN" or (log.exists() and log.stat().st_size):
            raise
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    return found
