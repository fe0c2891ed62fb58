"""What a check found whole, and when: so that one that was stopped goes on, and a short one knows what to read.

Only a help, kept in the cache: what it says decides what is read first, and never that something is whole.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from mlreg.errors import UnavailableError
from mlreg.repository.database import Database, Layout
from mlreg.repository.repository import Repository

FILE = "whole.sqlite"
_LAYOUT = Layout(
    1, "CREATE TABLE found(thing BLOB, decoded INTEGER, time REAL, PRIMARY KEY(thing, decoded)) WITHOUT ROWID"
)


class FoundWhole:
    """Notes on the packs and large files of one repository. A note that cannot be kept is none."""

    def __init__(self, directory: Path | None) -> None:
        """Open the notes in a directory; None keeps them in memory."""
        self._db = Database(directory / FILE if directory else None, _LAYOUT)

    @classmethod
    def of(cls, repository: Repository) -> FoundWhole:
        """Open the notes of a repository, which lie beside its view."""
        return cls(repository.notes.parent if repository.notes else None)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def times(self, *, decoded: bool) -> dict[bytes, float]:
        """Return when things were last found whole, in seconds since 1970.

        Args:
            decoded: whether only what was decoded counts, or also what was as it was written.
        """
        query = "SELECT thing, max(time) FROM found WHERE decoded >= ? GROUP BY thing"
        with suppress(UnavailableError):
            return dict(self._db.rows(query, (int(decoded),)))
        return {}

    def note(self, things: Collection[bytes], time: float, *, decoded: bool) -> None:
        """Note that things were found whole at a time."""
        rows = [(thing, int(decoded), time) for thing in things]
        with suppress(UnavailableError):
            self._db.step(lambda: self._db.run_for_each("INSERT OR REPLACE INTO found VALUES(?, ?, ?)", rows))

    def forget(self, things: Collection[bytes]) -> None:
        """Forget what is damaged, or gone."""
        with suppress(UnavailableError):
            self._db.step(
                lambda: self._db.run_for_each("DELETE FROM found WHERE thing = ?", ((thing,) for thing in things))
            )
