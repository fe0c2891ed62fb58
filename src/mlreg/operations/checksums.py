"""SHA-256 of files, for those who speak of files so: computed when it is first asked for, and kept.

What is kept is a cache: rows from content ids to checksums, in a file of the host that may be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from mlreg.formats.tree import File
from mlreg.ids import ContentId
from mlreg.repository.database import Database, Layout
from mlreg.repository.repository import Repository

_LAYOUT = Layout(1, "CREATE TABLE sums(id BLOB PRIMARY KEY, sha256 BLOB) WITHOUT ROWID")
NAME = "sha256.sqlite"
KEPT_AT_ONCE = 256
"""Sums that are written in one step."""


def checksums(repository: Repository, files: Iterable[File], report: Callable[[int], None]) -> dict[ContentId, str]:
    """Return the SHA-256 of files, 64 hexadecimal digits, by content id; those that are not known are read for it.

    Args:
        repository: that has the files.
        files: in any order.
        report: told about progress, in bytes.

    Raises:
        IntegrityError: the bytes of a file are damaged or gone.
    """
    path = None if repository.notes is None else repository.notes.parent / NAME
    database = Database(path, _LAYOUT)
    try:
        return dict(_found(database, repository, {file.id: file for file in files}.values(), report))
    finally:
        database.close()


def _found(
    database: Database, repository: Repository, files: Iterable[File], report: Callable[[int], None]
) -> Iterator[tuple[ContentId, str]]:
    new: list[tuple[bytes, bytes]] = []

    def keep() -> None:
        database.run_for_each("INSERT OR REPLACE INTO sums VALUES(?, ?)", new)

    for file in files:
        row = database.row("SELECT sha256 FROM sums WHERE id = ?", (file.id,))
        found = bytes(row[0]) if row and len(row[0]) == sha256().digest_size else _computed(repository, file)
        report(file.size)
        if not row:
            new.append((bytes(file.id), found))
        if len(new) == KEPT_AT_ONCE:
            database.step(keep)
            new.clear()
        yield file.id, found.hex()
    if new:
        database.step(keep)


def _computed(repository: Repository, file: File) -> bytes:
    hasher = sha256()
    for part in repository.objects.read_whole(file.id, file.size):
        hasher.update(part)
    return hasher.digest()
