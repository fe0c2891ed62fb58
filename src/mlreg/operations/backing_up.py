"""Backups in one place: made, listed, proven, and let go.

A place is a directory, or a file that holds one backup. It has the layout of a repository, so that every program that
reads one reads it; beside it lie records of what was backed up when, and the bytes of files that are no part of a
repository. What no record names yet was left by an attempt that was cut, and the next one uses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import ConflictError, IntegrityError, MlregError, NoSpaceError, NotFoundError, RefusedError
from mlreg.formats import backup as backups
from mlreg.formats import identity as identities
from mlreg.formats.backup import Point, Record, base_missing, beside_key, record_key
from mlreg.operations import beside
from mlreg.operations.check import Checked, Problem, check
from mlreg.operations.collect import Doomed
from mlreg.operations.looking_again import DAMAGE
from mlreg.operations.mirroring import Base, Mirrored, Report, alone, last_slot, mirror, preview, prove
from mlreg.repository.holes import numbers_in
from mlreg.repository.log import now
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, REAPED, View
from mlreg.stores.joined import PastStore
from mlreg.stores.store import Store

LET_GO = "only backups that are let go need it"


class Backup(NamedTuple):
    """A backup in a place."""

    number: int
    """Counted from 1, in that place."""
    record: Record


class Made(NamedTuple):
    """What was done to make a backup."""

    backup: Backup
    mirrored: Mirrored
    files: int
    """Files beside the repository that the backup has."""
    left_out: tuple[str, ...]
    """Paths of those that could not be kept."""
    is_new: bool
    """Whether anything had changed since the newest one, which is this one otherwise."""


class Maker(NamedTuple):
    """Who backs up what."""

    store: Store
    """Of the repository."""
    root: Path | None
    """Its directory, with the files that lie beside it; None if it is in none."""
    is_project: bool
    author: str


def backups_in(store: Store) -> list[Backup]:
    """Return the backups in a place, the oldest first; records that are damaged are passed over."""
    return [Backup(number, found) for number, found in _records(store) if isinstance(found, Record)]


def damaged_in(store: Store) -> list[Problem]:
    """Return what is wrong with the records in a place that cannot be read."""
    return [Problem(*_told(store, number, error)) for number, error in _records(store) if not isinstance(error, Record)]


def _records(store: Store) -> Iterator[tuple[int, Record | IntegrityError]]:
    for number in _numbers(store):
        try:
            yield number, Record.decode(store.read(record_key(number), 0, backups.MAX_RECORD + 1))
        except IntegrityError as error:
            yield number, error


def _told(store: Store, number: int, error: IntegrityError) -> tuple[str, str, str]:
    return error.code, f"{record_key(number)} in {store.url} cannot be read", error.why or error.message


def _numbers(store: Store) -> Iterator[int]:
    return numbers_in(store.list(backups.PREFIX), backups.PREFIX)


def chosen(store: Store, number: int) -> Backup:
    """Return a backup by its number, or the newest for 0.

    Raises:
        NotFoundError: `no_backup`. IntegrityError: `bad_backup`, `bad_json`: its record is damaged.
    """
    records = dict(_records(store))
    if not records or (number and number not in records):
        what = f"backup {number}" if number else "backup"
        fix = f"mlreg backup ls {store.url}" if records else f"mlreg backup create {store.url}"
        raise NotFoundError("no_backup", f"there is no {what} in {store.url}", fix=fix)
    number = number or max(records)
    error = records[number]
    if isinstance(error, Record):
        return Backup(number, error)
    _, message, why = _told(store, number, error)
    others = [f"another one: --at {other}" for other, one in sorted(records.items()) if isinstance(one, Record)]
    clone = f"log and packs may be whole, and have the versions: mlreg clone {store.url} DIR"
    raise IntegrityError(error.code, message, why=why, fix=(*others[-1:], clone))


def what_helps(url: str) -> tuple[str, ...]:
    """Return what to do if a backup at a place is damaged, most useful first."""
    again = f"delete the file that is named, then copy it anew: mlreg backup create {url}"
    return (
        "make another one: mlreg backup create FILE" if Path(url).is_file() else again,
        f"an older one may be whole: mlreg backup verify {url} --at N",
        f"versions that are not hurt can be had: mlreg get {url}::REF DIR",
    )


def create(maker: Maker, target: Store, base: Base | None, report: Report) -> Made:
    """Back a repository up as it is at one slot of its log, whatever is written meanwhile.

    Args:
        maker: who, and what.
        target: a directory with backups of the same repository, or nothing; or a file that is being written.
        base: what a file need not hold, because earlier ones do.
        report: told about bytes that were copied.

    Raises:
        RefusedError: `not_a_backup`, `backup_of_another`, `backup_is_ahead`.
        IntegrityError: the repository is damaged, or `backup_damaged`. UnavailableError: `busy_repository`.
    """
    refuse_repository(target)
    preview(alone(maker.store), target, base)
    target.create(backups.KEY, backups.MARK)
    # Before the slot is chosen: a run that is sealed and taken away meanwhile is in the log then.
    kept = beside.keep(maker.root, target, report) if maker.root else beside.keep_nothing(target)
    source = alone(maker.store)
    mirrored = mirror(source, target, base, report)
    made = _record(maker, source, mirrored, base, kept)
    newest = max(backups_in(target), default=None)
    is_new = newest is None or not _is_same(newest.record, made)
    backup = _put(target, made) if newest is None or is_new else newest
    return Made(backup, mirrored, kept.files, kept.left_out, is_new)


def tried(maker: Maker, target: Store, base: Base | None) -> Mirrored:
    """Return what `create` would copy of the repository now; errors as there."""
    refuse_repository(target)
    return preview(alone(maker.store), target, base)


def refuse_repository(target: Store) -> None:
    """Refuse to make backups of a place that is a repository of its own.

    Raises:
        RefusedError: `not_a_backup`.
    """
    if target.size(identities.KEY) is not None and target.size(backups.KEY) is None:
        raise RefusedError(
            "not_a_backup",
            f"{target.url} is a repository, and no backup",
            why="what others write to it would be in the way of the next backup",
            fix=("name another place", f"to send versions to it: mlreg remote add NAME {target.url}, mlreg push NAME"),
        )


def _record(maker: Maker, source: Repository, mirrored: Mirrored, base: Base | None, kept: beside.Kept) -> Record:
    return Record(
        repository=source.identity.repository,
        point=mirrored.point,
        since=base.point if base else None,
        time=now(),
        author=maker.author,
        host=os.uname().nodename,
        is_project=maker.is_project,
        versions=sum(1 for ref in source.log.view.refs("version/") if ref.target),
        size=mirrored.needed,
        copied=mirrored.size + kept.copied,
        beside=kept.list_id,
    )


def _is_same(one: Record, other: Record) -> bool:
    return (one.point, one.beside, one.is_project) == (other.point, other.beside, other.is_project)


def _put(target: Store, record: Record) -> Backup:
    """Write a record under the next number that is free."""
    number = max(_numbers(target), default=0)
    while True:
        number += 1
        try:
            target.create(record_key(number), record.encode())
        except ConflictError:
            continue
        return Backup(number, record)


# Proof.


def verify(store: Store, backup: Backup, share: float, report: Report) -> Checked:
    """Read all of a backup, and compare it with what was written.

    Args:
        store: with all that the backup needs.
        backup: which.
        share: of the blocks that are read, 0.0 to 1.0.
        report: told about bytes that were read.
    """
    past = past_of(store, backup)
    found = check(Repository(past), share, report)
    # Packs of other backups are no orphans.
    found.orphans = 0
    problems = [*_of_log(past, backup), *damaged_in(store), *_of_files(store, backup)]
    found.problems.extend(problems)
    return found


def past_of(store: Store, backup: Backup) -> PastStore:
    """Return a place as it was when a backup was made.

    Raises:
        NotFoundError: `backup_base_missing`.
    """
    past, since = PastStore(store, backup.record.point.number), backup.record.since
    if since and last_slot(past) < since.number:
        raise base_missing(store.url, since)
    return past


def _of_log(past: PastStore, backup: Backup) -> Iterator[Problem]:
    repository, point = Repository(past), backup.record.point
    head = repository.log.hash_of(point.number) if point.number else repository.identity.origin
    if head != point.head:
        yield Problem("bad_log", f"slot {point.number} is not the one that backup {backup.number} ends with")
    if repository.identity.repository != backup.record.repository:
        yield Problem("bad_backup", f"backup {backup.number} is of another repository")


def _of_files(store: Store, backup: Backup) -> Iterator[Problem]:
    try:
        files = beside.read_list(store, backup.record.beside)
    except DAMAGE as error:
        yield Problem(error.code, f"the files beside the repository are not known: {error.message}", error.why)
        return
    for file in files:
        try:
            beside.check_file(store, file, len)
        except DAMAGE as error:
            yield Problem(error.code, f"{file.path}, which lay beside the repository, is damaged", error.why)


# Letting go.


def outgoing(store: Store, keep: int, packs: frozenset[str] = frozenset()) -> list[Doomed]:
    """Return what is not needed if only so many backups stay, the newest; records first.

    Args:
        store: with backups.
        keep: how many stay.
        packs: ids of others that stay.

    Raises:
        IntegrityError: the log of the backups is damaged; nothing may go.
    """
    found = backups_in(store)
    stay, leave = found[len(found) - keep :] if keep else [], found[: max(0, len(found) - keep)]
    if not leave:
        return []
    needed, view = _needed(store, {backup.record.point.number for backup in stay})
    doomed = [record_key(backup.number) for backup in leave]
    for key in store.list("packs/"):
        pack_id = key.rpartition("/")[2].removesuffix(".pack")
        # A pack that the log there does not name yet is one of a backup that is being made.
        if view.pack_state(pack_id) in (DROPPED, REAPED) and pack_id not in needed | packs:
            doomed.append(key)
    named = {key for backup in leave for key in _files_of(store, backup, DAMAGE)}
    doomed.extend(sorted(named - {key for backup in stay for key in _files_of(store, backup, ())}))
    return [Doomed(key, store.size(key) or 0, LET_GO) for key in doomed]


def create_and_let_go(maker: Maker, target: Store, keep: int, report: Report) -> tuple[Made, list[Doomed]]:
    """Back a repository up, and then let earlier backups go; before only if there is no room otherwise.

    Args:
        maker: who, and what.
        target: a directory, as for `create`.
        keep: how many stay, the new one among them; 0 for all.
        report: told about bytes that were copied.

    Raises:
        as `create`.
    """
    doomed: list[Doomed] = []
    try:
        made = create(maker, target, None, report)
    except NoSpaceError:
        packs = packs_of(maker.store)
        if not keep or not outgoing(target, keep, packs):
            raise
        # None goes for a backup that cannot be made.
        prove(alone(maker.store), target)
        doomed = let_go(target, keep, packs)
        made = create(maker, target, None, report)
    return made, [*doomed, *let_go(target, keep)]


def let_go(store: Store, keep: int, packs: frozenset[str] = frozenset()) -> list[Doomed]:
    """Delete what is not needed if only so many backups stay, and return it; nothing for 0. Arguments as `outgoing`."""
    doomed = outgoing(store, keep, packs) if keep else []
    for file in doomed:
        store.delete(file.key)
    return doomed


def _needed(store: Store, points: set[int]) -> tuple[set[str], View]:
    """Return the packs that are live at some slots, and the view at the last one."""
    log, needed, left = Repository(store).log, set[str](), points - {0}
    for slot in log.replay(points):
        if slot.number in left:
            left.remove(slot.number)
            needed.update(pack.id for pack in log.view.live_packs())
    if left:
        raise IntegrityError(
            "bad_log", f"the log in {store.url} ends too early", fix=f"mlreg backup verify {store.url}"
        )
    return needed, log.view


def _files_of(store: Store, backup: Backup, passed_over: tuple[type[MlregError], ...]) -> Iterator[str]:
    """Yield the keys of the files that lay beside a repository, and of their list."""
    yield beside_key(backup.record.beside)
    with suppress(*passed_over):
        yield from (beside_key(file.id) for file in beside.read_list(store, backup.record.beside))


def packs_of(store: Store) -> frozenset[str]:
    """Return the ids of the packs that a repository needs now."""
    return frozenset(pack.id for pack in alone(store).log.view.live_packs())


def point_before(files: Sequence[Store]) -> Point:
    """Return up to where backups go that a new file is to follow: the furthest of them."""
    return max((chosen(store, 0).record.point for store in files), key=lambda point: point.number)
