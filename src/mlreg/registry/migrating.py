"""A repository in the newest format, as a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlreg.formats import identity
from mlreg.operations import migrating
from mlreg.operations.check import Checked
from mlreg.registry.places import find_repository


class Migrated(NamedTuple):
    """What became of a repository of an earlier format."""

    url: str
    before: int
    """The format it had."""
    after: int
    """The format it has."""
    kept: str
    """Where the old repository is, untouched; empty if there was nothing to do."""
    transactions: int
    versions: int
    packs: int
    size: int
    """Stored bytes that were read of the new one before it took the place of the old one."""


def migrate(directory: Path, report: Callable[[int], None]) -> Migrated:
    """Bring the repository of a directory, or of one above it, into the newest format; errors as `operations`."""
    root = find_repository(directory.absolute())
    done = migrating.migrate(root, report)
    new = done.checked or Checked()
    counts = (new.slots, new.versions, new.packs, new.size)
    return Migrated(str(root), done.before, identity.FORMAT, str(done.kept or ""), *counts)
