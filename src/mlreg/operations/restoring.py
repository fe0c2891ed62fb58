"""A backup as a repository again: copied beside its place, read whole and compared, and only then given its name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import IntegrityError, RefusedError, explain
from mlreg.operations import beside
from mlreg.operations.backing_up import Backup, past_of
from mlreg.operations.check import Checked, check
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
            f"backup {backup.number} is damaged, and was not restored",
            why=f"{first}; versions that are hurt: {', '.join(hurt) or 'none'}",
            fix=("mlreg backup verify PLACE, which says all of it", "restore another one: --at N"),
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
