"""An exact copy of a repository up to one slot of its log: byte for byte, so that nothing about it is another.

Packs come first, then the slots that name them, in order: wherever a copy is cut, what is there is whole up to some
slot, and the next attempt goes on from there. The source may be written to meanwhile: the copy is of one slot, and if
a collector deletes what that slot needs, a newer one is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count, takewhile
from typing import NamedTuple

from mlreg.errors import ConflictError, IntegrityError, NotFoundError, RefusedError, UnavailableError
from mlreg.formats import identity as identities
from mlreg.formats import snapshot as snapshots
from mlreg.formats.backup import Point
from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.formats.transaction import PackEntry, Transaction, slot_key
from mlreg.ids import TransactionHash
from mlreg.operations.rewriting import copy_pack, read_pack
from mlreg.repository.holes import numbers_in
from mlreg.repository.objects import pack_key
from mlreg.repository.past import PastLog
from mlreg.repository.repository import Repository
from mlreg.repository.view import LIVE
from mlreg.stores.store import Store

Report = Callable[[int], None]
ATTEMPTS = 20
"""How often a newer slot is taken because packs were collected."""


class Base(NamedTuple):
    """What a copy need not hold: it lies in others, with which it is put together."""

    point: Point
    packs: frozenset[str]
    """Ids of those that were live there."""


class Mirrored(NamedTuple):
    """A copy."""

    point: Point
    """The slot that it is of."""
    packs: int
    """That were copied."""
    slots: int
    """That were copied."""
    size: int
    """Bytes that were copied."""
    needed: int
    """Bytes of all packs that are live there."""


class _CollectedError(Exception):
    """A pack was deleted while it was to be copied."""


def alone(store: Store) -> Repository:
    """Return a repository whose view no other process moves, at its newest slot."""
    repository = Repository(store, cache=None)
    repository.log.refresh()
    return repository


def point_of(repository: Repository) -> Point:
    """Return where a repository stands; before its first slot the hash is that of its identity."""
    number, head = repository.log.view.position
    return Point(number, head or repository.identity.origin)


def mirror(source: Repository, target: Store, base: Base | None, report: Report) -> Mirrored:
    """Bring a copy up to where a repository stands.

    Args:
        source: as `alone` returns it.
        target: empty, or a copy of an earlier slot.
        base: what is not copied.
        report: told about bytes that were copied.

    Raises:
        RefusedError: `backup_of_another`, `backup_is_ahead`: the target is no copy of an earlier slot.
        IntegrityError: the source is damaged; or the target, `backup_damaged`.
        UnavailableError: `busy_repository`.
    """
    for _ in range(ATTEMPTS):
        with suppress(_CollectedError):
            return _Mirroring(source, target, base, report).all()
    raise UnavailableError(
        "busy_repository",
        f"{source.url} is collected faster than it can be copied",
        fix="try again when no one collects; what was copied stays copied",
    )


def preview(source: Repository, target: Store, base: Base | None) -> Mirrored:
    """Return what `mirror` would do now; errors as there."""
    return _Mirroring(source, target, base, lambda size: None).nothing()


def prove(source: Repository, target: Store) -> None:
    """Read the packs that `mirror` would copy now, and keep nothing of them; errors as there."""
    _Mirroring(source, target, None, lambda size: None).read()


class _Mirroring:
    def __init__(self, source: Repository, target: Store, base: Base | None, report: Report) -> None:
        self._source, self._target, self._report = source, target, report
        self._base = base
        self._point = point_of(source)
        self._live = source.log.view.live_packs()
        self._known = base.packs if base else frozenset()

    def all(self) -> Mirrored:
        """Copy what is missing."""
        with suppress(ConflictError):
            self._target.create(identities.KEY, self._source.store.read(identities.KEY))
        first = self._first()
        packs = self._missing()
        size = sum(map(self._copy, packs))
        slots = self._copy_slots(first)
        self._copy_snapshot()
        return self._done(packs, slots[0], size + slots[1])

    def nothing(self) -> Mirrored:
        """Say what is missing."""
        first = self._first() if self._target.size(identities.KEY) is not None or self._base else 1
        packs, keys = self._missing(), map(slot_key, range(first, self._point.number + 1))
        sizes = [self._source.store.size(key) or 0 for key in keys if self._target.size(key) is None]
        return self._done(packs, len(sizes), sum(pack.size for pack in packs) + sum(sizes))

    def read(self) -> None:
        """Read what is missing."""
        objects = self._source.objects
        for pack in self._missing():
            read_pack(objects, pack, objects.fetch_index(pack))

    def _done(self, packs: list[PackEntry], slots: int, size: int) -> Mirrored:
        return Mirrored(self._point, len(packs), slots, size, sum(pack.size for pack in self._live))

    def _first(self) -> int:
        """Return the first slot that the target lacks, after making sure that those it has are the source's."""
        if self._base:
            return self._base.point.number + 1
        if self._target.read(identities.KEY) != self._source.store.read(identities.KEY):
            raise RefusedError(
                "backup_of_another",
                f"{self._target.url} is a backup of another repository",
                fix="name another place",
            )
        there = set(numbers_in(self._target.list(SLOTS), SLOTS))
        if there:
            _refuse_other_log(self._source, self._slot_there(max(there)))
        return next(number for number in count(1) if number not in there)

    def _slot_there(self, number: int) -> Point:
        """Return the last slot of the target; IntegrityError, `backup_damaged`, if it is not as it was written."""
        data = self._target.read(slot_key(number))
        try:
            found, mine = Transaction.decode(data), self._source.log.slot(number)
        except IntegrityError as error:
            raise _damaged(self._target, slot_key(number), error.why or error.message) from error
        if mine and mine.id == found.id and mine != found:
            raise _damaged(self._target, slot_key(number), "it is not as it was written")
        return Point(number, TransactionHash.of(data))

    def _missing(self) -> list[PackEntry]:
        found = []
        for pack in self._live:
            size = None if pack.id in self._known else self._target.size(pack_key(pack.id))
            if size is None and pack.id not in self._known:
                found.append(pack)
            elif size not in (None, pack.size):
                raise _damaged(self._target, pack_key(pack.id), f"it has {size} bytes, and should have {pack.size}")
        return found

    def _copy(self, pack: PackEntry) -> int:
        objects = self._source.objects
        try:
            index = objects.fetch_index(pack)
            with self._target.upload(pack_key(pack.id)) as upload:
                copy_pack(objects, pack, index, upload, self._report)
        except ConflictError as error:
            # Another backup was faster. Packs never have other bytes under the same id.
            if error.code != "key_exists" or self._target.size(pack_key(pack.id)) != pack.size:
                raise
        except (IntegrityError, NotFoundError) as error:
            if self._source.log.refresh().pack_state(pack.id) != LIVE:
                raise _CollectedError from error
            raise
        return pack.size

    def _copy_slots(self, first: int) -> tuple[int, int]:
        """Copy the slots from the first that is missing to the last; return how many, and their bytes."""
        previous = self._source.identity.origin if first == 1 else self._source.log.hash_of(first - 1)
        if previous is None:
            raise IntegrityError(
                "bad_log", f"slot {first - 1} of the log in {self._source.url} is gone", fix="mlreg verify"
            )
        seen, last, sizes = first - 1, self._point.number, list[int]()
        for slot, _ in takewhile(lambda found: found[0].number <= last, self._source.log.slots(first, previous)):
            seen, data = slot.number, slot.encode()
            sizes += [len(data)] if self._target.size(slot_key(seen)) is None else []
            try:
                self._target.create(slot_key(seen), data)
            except ConflictError as error:
                # The last slot there is the same as here, and so are all before it, unless they are damaged.
                raise _damaged(self._target, slot_key(seen), "it is not as it was written") from error
        if seen != last:
            raise IntegrityError(
                "bad_log", f"slot {seen + 1} of the log in {self._source.url} is gone", fix="mlreg verify"
            )
        return len(sizes), sum(sizes)

    def _copy_snapshot(self) -> None:
        """Copy the newest snapshot that is good; what it says is never needed, so none is as well."""
        last = snapshots.snapshot_key(self._point.number)
        for key in reversed(list(self._source.store.list(snapshots.PREFIX))):
            if key > last or (self._base and key <= snapshots.snapshot_key(self._base.point.number)):
                continue
            with suppress(IntegrityError, NotFoundError, ConflictError):
                self._source.log.snapshot_at(key)
                self._target.create(key, self._source.store.read(key))
                return


def base_of(source: Repository, point: Point) -> Base:
    """Return what the backups up to a slot hold.

    Raises:
        RefusedError: `backup_is_ahead`, the slot is none of this repository.
    """
    _refuse_other_log(source, point)
    log = PastLog(source.store, source.identity, point.number)
    return Base(point, frozenset(pack.id for pack in log.view.live_packs()))


def _refuse_other_log(source: Repository, there: Point) -> None:
    here = source.log.view.number
    mine = source.log.hash_of(there.number) if there.number else source.identity.origin
    if mine == there.head and there.number <= here:
        return
    raise RefusedError(
        "backup_is_ahead",
        f"the backup has transaction {there.number} of this repository, and it is not one that is here",
        why=f"{source.url} ends with transaction {here}: it was restored from an old copy, or went on beside another",
        fix=(
            "to have what the backup has: mlreg backup restore",
            "to keep what is here: back up to another place",
        ),
    )


def _damaged(target: Store, key: str, why: str) -> IntegrityError:
    return IntegrityError(
        "backup_damaged",
        f"{key} in {target.url} is damaged",
        why=why,
        fix=("delete this file, and do the same again: it is copied anew", "back up to another place"),
    )


def last_slot(store: Store) -> int:
    """Return the number of slots in a log, which has no holes."""

    def is_there(number: int) -> bool:
        return store.size(slot_key(number)) is not None

    beyond = 1
    while is_there(beyond):
        beyond *= 2
    there = beyond // 2
    while beyond - there > 1:
        middle = (there + beyond) // 2
        there, beyond = (middle, beyond) if is_there(middle) else (there, middle)
    return there
