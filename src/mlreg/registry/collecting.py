"""Cleaning up: what no version needs goes, and everything that goes is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.amounts import count_of
from mlreg.formats.names import parse_ref_name
from mlreg.formats.transaction import PackEntry
from mlreg.operations import collect as deleting
from mlreg.operations import sweeping
from mlreg.operations.naming import called
from mlreg.registry.registry import Registry
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository

LAST = "last"
"""The newest transaction that took something away."""


class LostVersion(NamedTuple):
    """A removed version that cannot be restored any more."""

    ref: str
    size: int
    """Bytes of its files that no other version has; what several have that go counts for one of them."""


class DeletedFile(NamedTuple):
    """A file of the repository that is deleted."""

    name: str
    size: int
    reason: str


class Collection(NamedTuple):
    """What `gc` did, or would do."""

    url: str
    versions: tuple[LostVersion, ...]
    packs: int
    """That were dropped: little or nothing of them is needed."""
    before: int
    """Bytes of those."""
    after: int
    """Bytes of the new packs that hold what is needed of them; estimated in a dry run."""
    transactions: tuple[int, ...]
    """Which `--undo` takes back, as long as the files are there."""
    files: tuple[DeletedFile, ...]
    deleted: int
    """Bytes of those files."""
    waiting: int
    """Bytes of files that are not needed any more, and stay for a while."""
    young: int
    """Files that no transaction names, and that stay because they are young: someone may be writing them."""
    young_size: int
    """Bytes of those."""
    dry_run: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.packs or self.files)


class Undone(NamedTuple):
    """What `gc --undo` did."""

    url: str
    transaction: int
    packs: int
    """That are read again."""
    size: int
    """Bytes of those."""
    dry_run: bool = False


def collect(registry: Registry, *, grace: float, report: Callable[[int], None]) -> Collection:
    """Take away what no version needs.

    Args:
        registry: here or elsewhere; nobody need keep off it meanwhile.
        grace: seconds for which files stay after they were dropped: others may be reading them.
        report: told about bytes of packs that were looked at.

    Raises:
        IntegrityError: something needed cannot be read; then nothing may go.
        UnavailableError: `busy_repository`.
    """
    repository = registry.repository
    done = sweeping.Swept((), (), ())
    if not sweeping.is_swept(repository):
        done = sweeping.sweep(repository, registry.author, lambda lost: _message(_versions(repository, lost)), report)
    deleted = deleting.collect(repository, registry.author, grace)
    return Collection(
        url=repository.url,
        versions=_versions(repository, done.lost),
        packs=len(done.dropped),
        before=sum(pack.size for pack in done.dropped),
        after=sum(pack.size for pack in done.written),
        transactions=done.slots,
        files=_files(deleted),
        deleted=deleted.size,
        waiting=deleted.waiting,
        young=len(deleted.young),
        young_size=sum(file.size for file in deleted.young),
    )


def preview(registry: Registry, *, grace: float, report: Callable[[int], None]) -> Collection:
    """Return what `collect` would do; nothing is changed. Errors as there."""
    repository = registry.repository
    doomed: list[sweeping.PackUse] = []
    versions: tuple[LostVersion, ...] = ()
    if not sweeping.is_swept(repository):
        found = sweeping.survey(repository, report)
        doomed, versions = found.doomed, _versions(repository, sweeping.losses(repository, found))
    before = sum(use.pack.size for use in doomed)
    files = deleting.preview(repository, grace)
    at_once = [use for use in doomed if grace == 0]
    gone = [
        deleting.Doomed(pack_key(use.pack.id), use.pack.size, deleting.REPLACED if use.needed else deleting.UNNEEDED)
        for use in at_once
    ]
    return Collection(
        url=repository.url,
        versions=versions,
        packs=len(doomed),
        before=before,
        after=sum(use.useful for use in doomed),
        transactions=(),
        files=(*_files(files), *map(_file, gone)),
        deleted=files.size + sum(file.size for file in gone),
        waiting=files.waiting + before - sum(file.size for file in gone),
        young=len(files.young),
        young_size=sum(file.size for file in files.young),
        dry_run=True,
    )


def undo(registry: Registry, transaction: str) -> Undone:
    """Bring back what a `gc` dropped; removed versions can then be restored.

    Args:
        registry: here or elsewhere.
        transaction: its number, or `last`.

    Raises:
        NotFoundError: `slot_missing`; `packs_deleted`, the files are gone; `nothing_dropped`, there is no last one.
        UsageError: `bad_transaction_number`.
    """
    repository = registry.repository
    number = _number_of(repository, transaction)
    return _undone(repository, number, sweeping.undo(repository, number, registry.author))


def preview_undo(registry: Registry, transaction: str) -> Undone:
    """Return what `undo` would do; nothing is changed. Errors as there."""
    repository = registry.repository
    number = _number_of(repository, transaction)
    back = sweeping.coming_back(repository, repository.log.refresh(), number)
    return _undone(repository, number, back)._replace(dry_run=True)


def _number_of(repository: Repository, transaction: str) -> int:
    if not transaction.isdecimal() and transaction != LAST:
        raise UsageError("bad_transaction_number", f"{transaction!r:.40} is no transaction", fix=f"--undo {LAST}")
    number = sweeping.last_sweep(repository) if transaction == LAST else int(transaction)
    if not number:
        fix = ("mlreg ls --removed, which says how each version comes back", "mlreg restore REF")
        raise NotFoundError("nothing_dropped", "nothing that a gc dropped waits to be deleted", fix=fix)
    return number


def _undone(repository: Repository, number: int, back: Sequence[PackEntry]) -> Undone:
    return Undone(repository.url, number, len(back), sum(pack.size for pack in back))


def _versions(repository: Repository, losses: Iterable[sweeping.Loss]) -> tuple[LostVersion, ...]:
    names = ((parse_ref_name(loss.name), loss.size) for loss in losses)
    return tuple(LostVersion(f"{called(repository.log.view, name.entry)}@{name.leaf}", size) for name, size in names)


def _message(versions: tuple[LostVersion, ...]) -> str:
    if not versions:
        return "collect what is not needed"
    shown = ", ".join(version.ref for version in versions[:3])
    return f"collect {shown}" + (f" and {count_of(len(versions) - 3, 'more version')}" if len(versions) > 3 else "")


def _files(found: deleting.Collected) -> tuple[DeletedFile, ...]:
    return tuple(map(_file, found.files))


def _file(file: deleting.Doomed) -> DeletedFile:
    return DeletedFile(file.key, file.size, file.reason)
