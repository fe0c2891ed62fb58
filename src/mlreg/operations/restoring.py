"""A backup as a repository again: copied beside its place, read whole and compared, and only then given its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import IntegrityError, RefusedError, explain
from mlreg.operations import beside
from mlreg.operations.backing_up import Backup, backups_in, past_of, verify, what_helps
from mlreg.operations.check import Checked, check
from mlreg.operations.looking_again import DAMAGE
from mlreg.operations.mirroring import Mirrored, Report, alone, mirror, point_of
from mlreg.repository.repository import Repository
from mlreg.stores.directory import DirectoryStore, flush_directory, full_path, make_directory
from mlreg.stores.store import Store

PROJECT = ".mlreg"
"""Where the repository of a project lies."""


class Restored(NamedTuple):
    """A repository that is there again."""

    path: Path
    mirrored: Mirrored
    checked: Checked
    files: int
    """That lay beside it, and do again."""


def refuse_taken(directory: Path) -> None:
    """Refuse a directory that has something in it.

    Raises:
        RefusedError: `not_empty`.
    """
    try:
        is_free = not os.path.lexists(directory) or not any(directory.iterdir())
    except OSError:
        is_free = False
    if not is_free:
        raise RefusedError(
            "not_empty",
            f"{directory} is not an empty directory",
            why="nothing is put over what is there",
            fix="name a directory that is new, and move what you need from there",
        )


def restore(store: Store, backup: Backup, directory: Path, report: Report) -> Restored:
    """Make a repository of a backup.

    Args:
        store: with all that the backup needs.
        backup: which.
        directory: new, or empty; the project, or a shared repository itself, as it was.
        report: told about bytes that were written, and then read.

    Raises:
        RefusedError: `not_empty`.
        IntegrityError: the backup is damaged; nothing stays of what was written.
        NotFoundError: `backup_base_missing`.
    """
    directory = full_path(directory)
    refuse_taken(directory)
    with damage_told(store, backup):
        return _restored(store, backup, directory, report)


@contextmanager
def damage_told(store: Store, backup: Backup) -> Iterator[None]:
    """Let an error say that it is the backup which is damaged, and what helps."""
    try:
        yield
    except IntegrityError as error:
        raise IntegrityError(
            error.code,
            f"backup {backup.number} in {store.url} is damaged, and was not restored",
            why=": ".join(filter(None, (error.message, error.why))),
            fix=(*_older_whole(store, backup), *what_helps(store.url)),
        ) from error


def _older_whole(store: Store, backup: Backup) -> Iterator[str]:
    """Yield how to restore the newest older backup of which log, indexes and names are whole, if there is one."""
    for older in reversed(backups_in(store)):
        with suppress(*DAMAGE):
            if older.number < backup.number and not verify(store, older, 0.0, lambda size: None).problems:
                yield f"restore an older one, whose log is whole: --at {older.number}"
                return


def _restored(store: Store, backup: Backup, directory: Path, report: Report) -> Restored:
    source = alone(past_of(store, backup))
    files = beside.read_list(store, backup.record.beside)
    temporary = directory.with_name(f".{directory.name}.restoring-{os.urandom(4).hex()}")
    inside = PROJECT if backup.record.is_project else ""
    try:
        make_directory(temporary / inside)
        target = DirectoryStore(temporary / inside)
        mirrored = mirror(source, target, None, report)
        beside.put_back(store, files, target.root, report)
        checked = _proven(target, backup, report)
        _put_into_place(temporary, directory, inside)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Restored(directory / inside, mirrored, checked, len(files))


def _proven(target: DirectoryStore, backup: Backup, report: Report) -> Checked:
    """Read all that was written, and compare it.

    Raises:
        IntegrityError: `damaged`.
    """
    found = check(Repository(target), 1.0, report)
    if found.problems or point_of(alone(target)) != backup.record.point:
        first = found.problems[0].message if found.problems else "its log does not end where it should"
        hurt = sorted({ref for problem in found.problems for ref in problem.hurts})
        raise IntegrityError(
            "damaged",
            first,
            why=f"versions that are hurt: {', '.join(hurt) or 'none'}",
            fix="mlreg backup verify PLACE",
        )
    return found


def _put_into_place(temporary: Path, directory: Path, inside: str) -> None:
    refuse_taken(directory)
    try:
        if inside and directory.is_dir():  # which may be where someone stands
            (temporary / inside).rename(directory / inside)
            flush_directory(str(directory))
        else:
            temporary.rename(directory)
        flush_directory(str(directory.parent))
    except OSError as error:
        raise explain(error, str(directory)) from error
