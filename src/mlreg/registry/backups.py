"""Backups of a repository: made, listed, proven and restored, in a directory or as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import NotFoundError, RefusedError, UnavailableError, UsageError
from mlreg.formats import backup as backups
from mlreg.formats import identity as identities
from mlreg.operations import backing_up, restoring
from mlreg.operations.backing_up import Backup, Made, Maker
from mlreg.operations.beside import read_list
from mlreg.operations.collect import Doomed
from mlreg.operations.mirroring import Base, Mirrored, alone, base_of
from mlreg.operations.restoring import refuse_taken
from mlreg.registry import backup_notes, results
from mlreg.registry.collecting import DeletedFile
from mlreg.registry.places import DIRECTORY
from mlreg.registry.registry import Registry, Report
from mlreg.registry.verifying import told
from mlreg.repository.heads import NOBODY, Client, Heads
from mlreg.stores import open_store, path_of
from mlreg.stores.archive import ArchiveWriter, refuse_file
from mlreg.stores.directory import DirectoryStore, full_path, make_directory
from mlreg.stores.joined import JoinedStores
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store


class BackupInfo(NamedTuple):
    """A backup."""

    number: int
    """Counted from 1, in the place where it is."""
    time: str
    author: str
    host: str
    """The machine it was made on."""
    transaction: int
    """The last one that is in it."""
    since: int | None
    """The last one that is not in this file but in the backups before it; null if all is here."""
    versions: int
    size: int
    """Bytes of the packs that it needs."""
    copied: int
    """Bytes that were new in it."""
    repository: str
    """Its id, whatever its place."""

    @property
    def ref(self) -> str:
        """What names it in its place."""
        return str(self.number)


class BackedUp(NamedTuple):
    """What `backup create` did."""

    place: str
    backup: BackupInfo | None
    """The newest one now; null in a dry run."""
    changed: bool
    """False if nothing had changed since the newest one, and all of that was there."""
    packs: int
    """That were copied."""
    transactions: int
    """That were copied."""
    size: int
    """Bytes of those packs and transactions."""
    files: int
    """Files beside the repository that are kept: settings, open runs, counts of reads and the like."""
    left_out: tuple[str, ...]
    """Paths of those that changed all the time, have names that no version may have, or are links."""
    deleted: tuple[DeletedFile, ...]
    """What only backups needed that were let go."""
    dry_run: bool = False


class Restored(NamedTuple):
    """What `backup restore` did."""

    path: str
    """Where the repository is."""
    backup: BackupInfo
    versions: int
    tags: int
    packs: int
    size: int
    """Bytes of packs and transactions."""
    files: int
    """That lay beside the repository, and do again."""
    dry_run: bool = False


def create(
    registry: Registry, place: str, *, since: Sequence[str] = (), keep: int = 0, dry_run: bool = False, report: Report
) -> BackedUp:
    """Back up a repository, as it is at one moment, whoever writes to it meanwhile.

    Args:
        registry: the one here.
        place: a directory, which gets what it lacks; or a file that is made, of any other name.
        since: files of earlier backups, without whose content a file is made.
        keep: how many backups stay in a directory; 0 for all.
        dry_run: only say what would be copied.
        report: told about bytes that were copied.

    Raises:
        RefusedError: `not_a_backup`, `backup_of_another`, `backup_is_ahead`, `file_exists`.
        UsageError: `since_for_a_directory`, `keep_of_a_file`.
        IntegrityError: the repository is damaged, or `backup_damaged`.
        MlregError: as the place says.
    """
    store = registry.repository.store
    registry.repository.log.refresh()
    maker = Maker(
        store,
        store.root if isinstance(store, DirectoryStore) else None,
        store.url.endswith(f"/{DIRECTORY}"),
        registry.author,
    )
    if is_directory(place):
        done = _create_in_directory(maker, place, since, keep, dry_run, report)
    elif keep:
        raise UsageError(
            "keep_of_a_file",
            f"--keep says how many backups stay in a directory, and {place} is a file",
            fix=f"a directory is named with a slash: {place}/",
        )
    else:
        done = _create_file(maker, path_of(place), _base(maker, since), dry_run, report)
    if maker.root and not dry_run:
        backup_notes.note(maker.root, str(path_of(place)))
    return done


def is_directory(place: str) -> bool:
    """Tell whether backups go into a directory: one that is there, or a new one that is named with a slash."""
    return place.endswith("/") or path_of(place).is_dir()


def _create_in_directory(
    maker: Maker, place: str, since: Sequence[str], keep: int, dry_run: bool, report: Report
) -> BackedUp:
    if since:
        why = "a directory gets only what it lacks"
        raise UsageError("since_for_a_directory", "--since is for files", why=why, fix="leave --since out")
    root = _free_directory(path_of(place))
    target = DirectoryStore(root)
    if dry_run:
        found = backing_up.tried(maker, target, None)
        packs = backing_up.packs_of(maker.store) if keep else frozenset[str]()
        return _previewed(target.url, found, backing_up.outgoing(target, keep - 1, packs) if keep else [])
    make_directory(root)
    made, doomed = backing_up.create_and_let_go(maker, target, keep, report)
    return _told(target.url, made, doomed)


def _free_directory(root: Path) -> Path:
    """Return a directory, if there are backups in it, or nothing.

    Raises:
        UnavailableError: `store_missing`, what it lies in is not there. RefusedError: `not_a_backup`.
    """
    _refuse_unmounted(root)
    is_new = not root.exists() or (root.is_dir() and not any(root.iterdir()))
    if not is_new and not (root / identities.KEY).is_file() and not (root / backups.KEY).is_file():
        raise RefusedError(
            "not_a_backup",
            f"{root} is not an empty directory, and holds no backup",
            why="a backup has a directory of its own",
            fix="name a directory that is new, with / at its end",
        )
    return root


def _refuse_unmounted(path: Path) -> None:
    if not path.parent.is_dir():
        raise UnavailableError(
            "store_missing",
            f"{path.parent} does not exist",
            why="the disk may not be mounted, or the path is misspelt",
            fix=f"mkdir -p {path.parent}",
        )


def _create_file(maker: Maker, path: Path, base: Base | None, dry_run: bool, report: Report) -> BackedUp:
    _refuse_unmounted(path)
    if dry_run:
        refuse_file(path)
        return _previewed(str(path), backing_up.tried(maker, MemoryStore(), base), [])
    with ArchiveWriter(path) as target:
        made = backing_up.create(maker, target, base, report)
        target.finish()
    return _told(target.url, made, [])


def _base(maker: Maker, since: Sequence[str]) -> Base | None:
    if not since:
        return None
    return base_of(alone(maker.store), backing_up.point_before([_open(place) for place in since]))


def _previewed(place: str, found: Mirrored, doomed: Sequence[Doomed]) -> BackedUp:
    return BackedUp(
        place=place,
        backup=None,
        changed=bool(found.packs or found.slots),
        packs=found.packs,
        transactions=found.slots,
        size=found.size,
        files=0,
        left_out=(),
        deleted=tuple(DeletedFile(*file) for file in doomed),
        dry_run=True,
    )


def _told(place: str, made: Made, doomed: Sequence[Doomed]) -> BackedUp:
    return BackedUp(
        place=place,
        backup=_info(made.backup),
        changed=made.is_new or bool(made.mirrored.packs or made.mirrored.slots),
        packs=made.mirrored.packs,
        transactions=made.mirrored.slots,
        size=made.mirrored.size,
        files=made.files,
        left_out=made.left_out,
        deleted=tuple(DeletedFile(*file) for file in doomed),
    )


def _info(backup: Backup) -> BackupInfo:
    record = backup.record
    return BackupInfo(
        number=backup.number,
        time=record.time,
        author=record.author,
        host=record.host,
        transaction=record.point.number,
        since=record.since.number if record.since else None,
        versions=record.versions,
        size=record.size,
        copied=record.copied,
        repository=record.repository,
    )


def ls(place: str) -> list[BackupInfo]:
    """Return the backups in a place, the oldest first; those whose records are damaged are passed over.

    Raises:
        NotFoundError: `no_backup`. IntegrityError: `bad_archive`; `bad_backup` or `bad_json`, there is no other record.
    """
    store = _open(place)
    found = backing_up.backups_in(store)
    if not found and backing_up.damaged_in(store):
        backing_up.chosen(store, 0)
    return [_info(backup) for backup in found]


def damaged(place: str) -> list[str]:
    """Return what is wrong with the records of backups in a place, a sentence each. Errors as of `ls`."""
    return [problem.message for problem in backing_up.damaged_in(_open(place))]


def _open(place: str) -> Store:
    store = open_store(place)
    if store.size(backups.KEY) is None:
        fix = "check the path, and that the disk is mounted", f"mlreg backup create {place}"
        raise NotFoundError("no_backup", f"there is no backup in {place}", fix=fix)
    return store


def _joined(place: str, bases: Sequence[str]) -> Store:
    first = _open(place)
    return JoinedStores([first, *map(_open, bases)]) if bases else first


def verify(place: str, at: int, bases: Sequence[str], share: float, report: Report) -> results.Verified:
    """Read all of a backup, and say what is damaged.

    Args:
        place: where it is.
        at: its number; 0 for the newest.
        bases: files of earlier backups that it needs.
        share: of the stored blocks that are read, 0.0 to 1.0.
        report: told about bytes that were read.

    Raises:
        NotFoundError: `no_backup`, `backup_base_missing`. IntegrityError: `bad_archive`.
    """
    backup, store = backing_up.chosen(_open(place), at), _joined(place, bases)
    found = backing_up.verify(store, backup, share, report)
    return told(store.url, share, found, fix=backing_up.what_helps(store.url))


def restore(
    place: str,
    directory: Path,
    at: int = 0,
    bases: Sequence[str] = (),
    *,
    dry_run: bool = False,
    report: Report,
    client: Client = NOBODY,
) -> Restored:
    """Make a repository of a backup, in a new or empty directory; it is read and compared before it is put there.

    Args:
        place: where the backup is.
        directory: of the project, or of the shared repository, as it was when it was backed up.
        at: number of the backup; 0 for the newest.
        bases: files of earlier backups that it needs.
        dry_run: only say what would be restored.
        report: told about bytes that were written, and then read.
        client: who restores it, and so accepts that a log that was seen there may have gone further.

    Raises:
        RefusedError: `not_empty`. IntegrityError: `damaged`, and other damage; nothing is there then.
        NotFoundError: `no_backup`, `backup_base_missing`.
    """
    backup, store = backing_up.chosen(_open(place), at), _joined(place, bases)
    if not dry_run:
        done = restoring.restore(store, backup, directory, report)
        Heads(client.state, backup.record.repository, str(done.path)).forget()
        size = done.mirrored.size
        found = done.checked
        return Restored(str(done.path), _info(backup), found.versions, found.tags, found.packs, size, done.files)
    directory = full_path(directory)
    refuse_taken(directory)
    with restoring.damage_told(store, backup):
        view = alone(backing_up.past_of(store, backup)).log.view
        files = read_list(store, backup.record.beside)
    tags = sum(1 for ref in view.refs("tag/") if ref.target)
    inside = DIRECTORY if backup.record.is_project else ""
    record = backup.record
    return Restored(
        path=str(directory / inside),
        backup=_info(backup),
        versions=record.versions,
        tags=tags,
        packs=len(view.live_packs()),
        size=record.size,
        files=len(files),
        dry_run=True,
    )
