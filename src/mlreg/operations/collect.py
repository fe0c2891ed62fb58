"""The only deleter: files of packs that the log does not need any more, and what cut writes left, after a while.

A pack is dropped when all that it held lies in others, or is not wanted any more; who has looked at the log before
may be reading it. When enough time has gone by it is reaped: a transaction says that its file may be deleted, and
then it is. So is a pack that no transaction ever named, if it is old enough: who wrote it and wants to name it after
all finds it reaped, and writes it again. No clock and no waiting time is needed for that to be safe.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from mlreg.formats.transaction import PackEntry
from mlreg.repository.log import Draft, Settled
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, REAPED, View
from mlreg.stores.store import Leftover

AT_ONCE = 2000
"""Packs that one transaction reaps, at most."""
FEW = 256
"""Files that are deleted when no one asked for it: as many as are replaced then, so that they do not become more."""


UNNAMED = 3600.0
"""Seconds that a file which no transaction names is left alone at least: someone may be writing it."""


DROPPED_BEFORE = "dropped: what is needed of it is in other packs"


class Doomed(NamedTuple):
    """A file that goes."""

    key: str
    size: int
    reason: str


class Collected(NamedTuple):
    """What was deleted, and what waits."""

    files: tuple[Doomed, ...]
    waiting: int
    """Bytes of packs that are dropped, and not for long enough."""

    @property
    def size(self) -> int:
        """Bytes that were deleted."""
        return sum(file.size for file in self.files)


def collect(repository: Repository, author: str, grace: float) -> Collected:
    """Delete the packs that were dropped long enough ago, and what cut writes left.

    Args:
        repository: nobody need keep off it meanwhile; packs that someone takes up again are left alone.
        author: of the transactions.
        grace: seconds for which a file stays after it was dropped; what no transaction names stays for `UNNAMED`
            at least.
    """
    found = _found(repository, grace)
    for start in range(0, len(found), AT_ONCE):
        _reap(repository, author, found[start : start + AT_ONCE])
    _delete(repository, found)
    return Collected((*found, *discard_leftovers(repository, grace)), _waiting(repository))


def discard_leftovers(repository: Repository, grace: float = 0) -> tuple[Doomed, ...]:
    """Delete what cut writes left long ago, and nothing else; at least `UNNAMED` seconds ago."""
    left = list(_leftovers(repository, grace))
    for leftover in left:
        repository.store.discard(leftover)
    return tuple(map(_left, left))


def leftovers(repository: Repository) -> tuple[Doomed, ...]:
    """Return what `discard_leftovers` would delete."""
    return tuple(map(_left, _leftovers(repository, 0)))


def collect_replaced(repository: Repository, author: str, grace: float) -> None:
    """Delete packs that were dropped long enough ago, and of which nothing was lost; few are looked at.

    What a collector took away stays for who wants it back, until `collect` is asked for.

    Args:
        repository: as for `collect`.
        author: of the transaction.
        grace: as for `collect`.
    """
    packs = list(islice(_replaced(repository, grace), FEW))
    found = [Doomed(pack_key(pack.id), pack.size, DROPPED_BEFORE) for pack in packs]
    if found:
        _reap(repository, author, found)
        _delete(repository, found)


def _replaced(repository: Repository, grace: float) -> Iterator[PackEntry]:
    view, latest, number = repository.log.refresh(), _end_of(grace), 0
    while number := view.dropped_after(number):
        slot = repository.log.slot(number)
        # A clock may have been ahead: what came later may be older.
        if slot and slot.time <= latest and not slot.is_lossy:
            yield from (pack for pack in view.dropped_at(number) if pack.id in slot.drop)


def preview(repository: Repository, grace: float) -> Collected:
    """Return what `collect` would do; nothing is deleted."""
    found = _found(repository, grace)
    going = sum(file.size for file in found if file.reason == DROPPED_BEFORE)
    return Collected((*found, *map(_left, _leftovers(repository, grace))), _waiting(repository) - going)


def _found(repository: Repository, grace: float) -> list[Doomed]:
    ripe = [Doomed(pack_key(pack.id), pack.size, DROPPED_BEFORE) for pack in _ripe(repository, grace)]
    return [*ripe, *_unneeded(repository, grace)]


def _waiting(repository: Repository) -> int:
    return sum(pack.size for pack, _ in repository.log.view.dropped_packs())


def _ripe(repository: Repository, grace: float) -> list[PackEntry]:
    dropped = repository.log.refresh().dropped_packs()
    latest = _end_of(grace)
    times = {number: slot.time for number in {number for _, number in dropped} if (slot := repository.log.slot(number))}
    return [pack for pack, number in dropped if number in times and times[number] <= latest]


def _end_of(grace: float) -> str:
    """Return the time, as transactions carry it, up to which what was dropped may go."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(0, time.time() - grace)))


def _unneeded(repository: Repository, grace: float) -> Iterator[Doomed]:
    """Yield files of packs that were never named, and of those that were reaped and not deleted then."""
    store, view = repository.store, repository.log.view
    for key in store.list("packs/"):
        state = view.pack_state(_pack_of(key))
        if state == REAPED:
            yield Doomed(key, store.size(key) or 0, "deleted before, and there again or still")
        elif state is None and _is_old(store.modified(key), grace):
            yield Doomed(key, store.size(key) or 0, "named by no transaction: an attempt that was cut left it")


def _leftovers(repository: Repository, grace: float) -> Iterator[Leftover]:
    return (left for left in repository.store.leftovers() if _is_old(left.modified, grace))


def _left(leftover: Leftover) -> Doomed:
    return Doomed(leftover.name, leftover.size, "half written by an attempt that was cut")


def _is_old(modified: float | None, grace: float) -> bool:
    return modified is not None and modified <= time.time() - max(grace, UNNAMED)


def _pack_of(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".pack")


def _delete(repository: Repository, files: list[Doomed]) -> None:
    """Delete the files of packs that are reaped."""
    for file in files:
        if repository.log.view.pack_state(_pack_of(file.key)) == REAPED:
            repository.store.delete(file.key)


def _reap(repository: Repository, author: str, files: list[Doomed]) -> None:
    """Say that files may be deleted; what someone has taken up since stays as it is."""

    def build(view: View) -> Draft:
        states = {pack_id: view.pack_state(pack_id) for pack_id in map(_pack_of, (file.key for file in files))}
        still = tuple(pack_id for pack_id, state in states.items() if state in (DROPPED, None))
        if not still:
            raise Settled
        return Draft(author, f"delete {len(still)} packs", reap=still)

    with suppress(Settled):
        repository.log.append(build)
