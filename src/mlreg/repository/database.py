"""A SQLite file that may be lost at any time, shared by the processes of one host.

Nothing here is the truth, so nothing here may get in the way of it: a damaged file is thrown away, and
where the disk is full or may not be written the work goes on in memory.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mlreg.errors import UnavailableError

WAIT_SECONDS = 30.0
"""How long a process waits for another one that is writing the same file."""
MEMORY = ":memory:"

_turn = threading.RLock()
"""Held by the thread that uses a database, or forks."""
_all: weakref.WeakSet[Database] = weakref.WeakSet()

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_Result = TypeVar("_Result")


class Layout(NamedTuple):
    """The tables, and the number that tells them from those of another release."""

    number: int
    statements: str
    """SQL, separated by semicolons."""


class Database:
    """Rows in a file, or in memory if there is no path or the file cannot be used. Threads take turns."""

    def __init__(self, path: Path | None, layout: Layout) -> None:
        """Open the file; one that is damaged or of another release is replaced by an empty one."""
        self._layout = layout
        self._path = path
        self._is_stepping = False
        self.incarnation = 0
        """How often everything was lost since it was opened."""
        self._opened: sqlite3.Connection | None = None
        with _turn:
            self._opened, self._inode = self._open()
            _all.add(self)

    def close(self) -> None:
        """Let go of the file."""
        with _turn:
            if self._opened:
                self._opened.close()

    def __del__(self) -> None:
        """Let go of the file: a connection lies in a circle with its statements, and would stay open for a while."""
        self.close()

    def rest(self) -> None:
        """Let go of the file until it is used again; not within a step, nor of what is in memory."""
        if self._opened and self._inode is not None and not self._is_stepping:
            self._opened.close()
            self._opened = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            before = self._inode
            self._opened, self._inode = self._open()
            self.incarnation += self._inode != before
        return self._opened

    # Reading and writing.

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a query gives.

        Raises:
            UnavailableError: `view_damaged`; everything was lost, and what follows begins empty.
        """
        with _turn:
            if self._is_stepping:  # then an error is for the step, which is undone as a whole
                return self._rows(query, values)
            return self._twice(lambda: self._rows(query, values))

    def _rows(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """Return the first row that a query gives; errors as `rows`."""
        found = self.rows(query, values)
        return found[0] if found else None

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        """Change rows. Only within a step."""
        self._connection.execute(statement, values)

    def run_for_each(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Change rows, once for each of `rows`. Only within a step."""
        self._connection.executemany(statement, rows)

    def step(self, action: Callable[[], _Result]) -> _Result:
        """Do all of an action or nothing, unseen by others before it is done; not to be nested.

        Args:
            action: may be called twice, if the file cannot be written. What it raises undoes it.

        Raises:
            UnavailableError: `view_damaged`; everything was lost, and what follows begins empty.
        """
        with _turn:
            return self._twice(lambda: self._step(action, "BEGIN IMMEDIATE"))

    def look(self, action: Callable[[], _Result]) -> _Result:
        """Do an action that only reads on one state of the rows, whatever others write meanwhile; errors as `step`."""
        with _turn:
            return self._twice(lambda: self._step(action, "BEGIN"))

    def _step(self, action: Callable[[], _Result], begin: str) -> _Result:
        self.settle()
        try:
            self._is_stepping = True
            self._connection.execute(begin)
            result = action()
            self._connection.execute("COMMIT")
            return result
        finally:
            self.settle()

    def settle(self) -> None:
        """Undo what an interrupt left of a step. Not within one."""
        with _turn:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._is_stepping = False

    # Trouble.

    def _twice(self, attempt: Callable[[], _Result]) -> _Result:
        """Try in the file, then in memory, and begin empty if neither can be."""
        try:
            return attempt()
        except sqlite3.Error as error:
            if _is_damage(error) or not self._move_to_memory():
                raise self._begin_anew(error) from error
        try:
            return attempt()
        except sqlite3.Error as error:
            raise self._begin_anew(error) from error

    def _move_to_memory(self) -> bool:
        """Go on in memory with all that the file holds."""
        memory = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
        try:
            self._connection.backup(memory)
        except sqlite3.Error:
            return False
        self._opened, self._inode = memory, None
        return True

    def _begin_anew(self, error: sqlite3.Error) -> UnavailableError:
        # Only the file that is open here: another process may have replaced it already.
        if self._path is not None and self._inode is not None and _inode(self._path) == self._inode:
            _discard(self._path)
        self._opened, self._inode = self._open()
        self.incarnation += 1
        return UnavailableError(
            "view_damaged",
            "the cached view of a repository could not be used",
            why=str(error),
            fix="do it again: the view was thrown away and will be rebuilt from the log",
        )

    def _open(self) -> tuple[sqlite3.Connection, int | None]:
        path = self._path
        for _ in range(2):
            if path is None:
                break
            try:
                return self._connect(str(path)), _inode(path)
            except OSError:
                break
            except sqlite3.Error as error:
                if not _is_damage(error):
                    break
                _discard(path)
        return self._connect(MEMORY), None

    def _connect(self, place: str) -> sqlite3.Connection:
        if place != MEMORY:
            Path(place).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(place, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        # Survives a crash of the process and of the machine, or is found damaged; WAL gives that for few flushes.
        connection.execute("PRAGMA synchronous = NORMAL")
        number = _layout_of(connection)
        if number == 0:
            connection.execute("PRAGMA journal_mode = WAL")
            self._create_tables(connection)
        elif number != self._layout.number:
            raise _OtherRelease
        return connection

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been faster.
        if _layout_of(connection) == 0:
            for statement in self._layout.statements.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._layout.number}")
        connection.execute("COMMIT")


def _before_fork() -> None:
    """Let go of all files: a child that had one open would think that it has the locks of its parent."""
    _turn.acquire()
    for database in list(_all):
        database.rest()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_turn.release, after_in_child=_turn.release)


class _OtherRelease(sqlite3.DatabaseError):
    """The tables are of another release."""


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    # What has no code, such as a table that is not there, is not what this release wrote either.
    return code is None or code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_ERROR


def _layout_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _discard(path: Path) -> None:
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        try:
            name.unlink(missing_ok=True)
        except OSError:
            return
