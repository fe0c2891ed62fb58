"""Where a transaction was written: a note of a slot that says which user of which machine wrote it.

Format page: `docs/format/log.md`. It is a claim of the writer, as the author is, and may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SORT = "origin"
MAX_NAME = 200
"""Characters of the name of a person or a host."""
_FIELDS = {"host", "sort", "user"}


def readable(name: str) -> str:
    """Return as much of a name as a record can have."""
    return "".join(filter(str.isprintable, name))[:MAX_NAME]


class Origin(NamedTuple):
    """Who was logged in, and where; both empty where that is not kept."""

    user: str = ""
    host: str = ""

    def notes(self) -> tuple[dict[str, Any], ...]:
        """Return what stands in a slot: one note, or none."""
        user, host = readable(self.user), readable(self.host)
        return ({"host": host, "sort": SORT, "user": user},) if user or host else ()


NOWHERE = Origin()
"""What is not kept."""


def origin_of(notes: Iterable[Mapping[str, Any]]) -> Origin:
    """Return what the notes of a slot say; no release writes another one, and such a one is passed over."""
    for note in notes:
        if set(note) == _FIELDS and note["sort"] == SORT and all(isinstance(one, str) for one in note.values()):
            return Origin(note["user"], note["host"])
    return NOWHERE
