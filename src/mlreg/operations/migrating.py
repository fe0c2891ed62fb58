"""A repository of an earlier format, written anew in the newest one: proven before it takes the place of the old one.

Ids do not change: objects, commits, and what each slot of the log says are the same. What changes is what the format
says of the repository as a whole, so the log is chained anew, from the hash of the new `mlreg.json` on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copy2, copytree, ignore_patterns
from typing import Any, NamedTuple

from mlreg.errors import IntegrityError, UnavailableError, UsageError
from mlreg.formats import identity as identities
from mlreg.formats.snapshot import PREFIX as SNAPSHOTS
from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.formats.transaction import slot_key
from mlreg.ids import TransactionHash
from mlreg.operations.check import Checked, check
from mlreg.repository.repository import Repository, read_identity
from mlreg.stores.directory import DirectoryStore, make_directory

PACKS = "packs/"
AT_ONCE = 4 * 1024 * 1024
KEPT = ".before-migration"
"""What the name of the old repository ends in afterwards."""
MADE = ".migrating"
"""What the name of the new one ends in before it is proven."""


class Migration(NamedTuple):
    """What was migrated."""

    before: int
    """The format it had."""
    kept: Path | None
    """Where the old repository is; None if there was nothing to do."""
    checked: Checked | None
    """What was read of the new one."""


def migrate(root: Path, report: Callable[[int], None]) -> Migration:
    """Write a repository anew in the newest format, and put it in the place of the old one once it is proven.

    Args:
        root: the repository; no one writes to it meanwhile. It is only read, and kept beside the new one.
        report: told about bytes that were written, and read again.

    Raises:
        UsageError: `migration_in_the_way`, of an earlier one something is left.
        UnavailableError: `changed_meanwhile`, others wrote to it.
        IntegrityError: `migration_differs`, nothing was changed; what reading the old one raises.
    """
    before = read_identity(DirectoryStore(root)).format
    if before == identities.FORMAT:
        return Migration(before, None, None)
    made, kept = root.with_name(root.name + MADE), root.with_name(root.name + KEPT)
    for place in (made, kept):
        if place.exists():
            why = f"{place} was left by an earlier migration"
            raise UsageError("migration_in_the_way", f"{root} cannot be migrated", why=why, fix=f"move {place} away")
    with _opened(root) as old:
        facts = _facts(old)
        _write(old, root, made, report)
        with _opened(made) as new:
            checked, found = check(new, 1.0, report), _facts(new)
        if _facts(old) != facts:
            fix = f"move {made} away, and migrate again"
            raise UnavailableError("changed_meanwhile", f"someone wrote to {root}, which stayed as it is", fix=fix)
        if checked.problems or found != facts:
            why = checked.problems[0].message if checked.problems else "names, statements or packs are not the same"
            raise IntegrityError(
                "migration_differs",
                f"{made} is not what {root} is, which stayed so",
                why=why,
                fix=f"take {made} away, and migrate again; mlreg verify says whether the old one is whole",
            )
    os.sync()
    root.rename(kept)
    made.rename(root)
    os.sync()
    return Migration(before, kept, checked)


@contextmanager
def _opened(root: Path) -> Iterator[Repository]:
    with closing(Repository(DirectoryStore(root))) as repository:
        repository.log.with_history()
        yield repository


def _write(old: Repository, root: Path, place: Path, report: Callable[[int], None]) -> None:
    """Write a repository from the bottom to the top, as every writer does; `mlreg.json` makes it one, and is last."""
    make_directory(place)
    store = DirectoryStore(place)
    for key in old.store.list(PACKS):
        with store.upload(key) as upload:
            for start in range(0, old.store.size(key) or 0, AT_ONCE):
                upload.write(data := old.store.read(key, start, AT_ONCE))
                report(len(data))
    identity = old.identity._replace(format=identities.FORMAT)
    previous = identity.origin
    for slot, _ in old.log.slots(1, old.identity.origin):
        data = slot._replace(previous=previous, signatures=()).encode()
        store.create(slot_key(slot.number), data)
        previous = TransactionHash.of(data)
    ours = [prefix.rstrip("/") for prefix in (PACKS, SLOTS, SNAPSHOTS, identities.KEY)]
    for entry in os.scandir(root):
        if entry.name not in ours and entry.is_dir(follow_symlinks=False):
            copytree(entry.path, place / entry.name, symlinks=True, ignore=ignore_patterns(".tmp-*"))
        elif entry.name not in ours:
            copy2(entry.path, place / entry.name)
    store.create(identities.KEY, identity.encode())
    with closing(Repository(store)) as new:
        new.log.refresh()
        new.log.write_snapshot()


def _facts(repository: Repository) -> tuple[Any, ...]:
    """Return all that must be the same afterwards: names and their history, statements, packs, and who wrote when."""
    view = repository.log.refresh()
    snapshot = view.snapshot()
    return (*snapshot._replace(head=TransactionHash(bytes(32))), view.changes(""))
