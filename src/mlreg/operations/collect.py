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

from mlreg.formats.amounts import count_of
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


REPLACED = "dropped: what is needed of it is in other packs"
UNNEEDED = "dropped: no version needs it"
UNNEEDED_OR_REPLACED = "dropped: no version needs it, or what one needs of it is in other packs"


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
    young: tuple[Doomed, ...]
    """What no transaction names, and that stays because it is not old enough: someone may be writing it."""

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
    ripe, (old, young) = _ripe(repository, grace), _strays_by_age(repository, grace)
    files, keys = _there(repository, ripe), [*map(_key_of, ripe), *(file.key for file in old)]
    for start in range(0, len(keys), AT_ONCE):
        _reap(repository, author, keys[start : start + AT_ONCE])
    _delete(repository, keys)
    left, young_left = _leftovers(repository, grace)
    _discard(repository, left)
    return Collected((*files, *old, *map(_left, left)), waiting(repository), (*young, *map(_left, young_left)))


def discard_leftovers(repository: Repository, grace: float = 0) -> tuple[Doomed, ...]:
    """Delete what cut writes left long ago, and nothing else; at least `UNNAMED` seconds ago."""
    left, _ = _leftovers(repository, grace)
    _discard(repository, left)
    return tuple(map(_left, left))


def leftovers(repository: Repository) -> tuple[Doomed, ...]:
    """Return what `discard_leftovers` would delete."""
    return tuple(map(_left, _leftovers(repository, 0)[0]))


def collect_replaced(repository: Repository, author: str, grace: float) -> None:
    """Delete packs that were dropped long enough ago, and of which nothing was lost; few are looked at.

    What a collector took away stays for who wants it back, until `collect` is asked for.

    Args:
        repository: as for `collect`.
        author: of the transaction.
        grace: as for `collect`.
    """
    packs = list(islice(_replaced(repository, grace), FEW))
    if keys := [*map(_key_of, packs)]:
        _reap(repository, author, keys)
        _delete(repository, keys)


def _replaced(repository: Repository, grace: float) -> Iterator[PackEntry]:
    view, latest, number = repository.log.refresh(), _end_of(grace), 0
    while number := view.dropped_after(number):
        slot = repository.log.slot(number)
        # A clock may have been ahead: what came later may be older.
        if slot and slot.time <= latest and not slot.is_lossy:
            yield from (pack for pack in view.dropped_at(number) if pack.id in slot.drop)


def preview(repository: Repository, grace: float) -> Collected:
    """Return what `collect` would do; nothing is deleted."""
    files, (old, young) = _there(repository, _ripe(repository, grace)), _strays_by_age(repository, grace)
    left, young_left = _leftovers(repository, grace)
    waits = waiting(repository) - sum(file.size for file in files)
    return Collected((*files, *old, *map(_left, left)), waits, (*young, *map(_left, young_left)))


def waiting(repository: Repository) -> int:
    """Return the bytes of packs that are dropped and whose files are there."""
    return sum(repository.store.size(_key_of(pack)) or 0 for pack, _ in repository.log.view.dropped_packs())


def unnamed(repository: Repository) -> int:
    """Return the bytes of files that no transaction names, or that should be deleted, old or young."""
    left = sum(leftover.size for leftover in repository.store.leftovers())
    return left + sum(file.size for file, _ in _strays(repository))


def _ripe(repository: Repository, grace: float) -> list[PackEntry]:
    dropped = repository.log.refresh().dropped_packs()
    latest = _end_of(grace)
    times = {number: slot.time for number in {number for _, number in dropped} if (slot := repository.log.slot(number))}
    return [pack for pack, number in dropped if number in times and times[number] <= latest]


def _there(repository: Repository, packs: list[PackEntry]) -> list[Doomed]:
    """Return the files of packs that were dropped, those that are there: others may have been deleted by hand."""
    numbers, store = {pack.id: number for pack, number in repository.log.view.dropped_packs()}, repository.store
    sizes = ((pack, store.size(_key_of(pack))) for pack in packs)
    return [
        Doomed(_key_of(pack), size, _reason(repository, pack, numbers.get(pack.id, 0)))
        for pack, size in sizes
        if size is not None
    ]


def _reason(repository: Repository, pack: PackEntry, number: int) -> str:
    """Say why a pack was dropped, as far as the transaction tells that dropped it."""
    slot = repository.log.slot(number)
    if slot is None or pack.id not in slot.drop:
        return UNNEEDED_OR_REPLACED
    if not slot.is_lossy:
        return REPLACED
    return UNNEEDED_OR_REPLACED if any(added.kind is pack.kind for added in slot.add) else UNNEEDED


def _end_of(grace: float) -> str:
    """Return the time, as transactions carry it, up to which what was dropped may go."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(0, time.time() - grace)))


def _strays(repository: Repository) -> Iterator[tuple[Doomed, float | None]]:
    """Yield files of packs that were never named, with their times, and of those that were reaped, as of long ago."""
    store, view = repository.store, repository.log.view
    for key in store.list("packs/"):
        state = view.pack_state(_pack_of(key))
        if state == REAPED:
            yield Doomed(key, store.size(key) or 0, "deleted before, and there again or still"), 0.0
        elif state is None:
            why = "named by no transaction: an attempt that was cut left it"
            yield Doomed(key, store.size(key) or 0, why), store.modified(key)


def _strays_by_age(repository: Repository, grace: float) -> tuple[list[Doomed], list[Doomed]]:
    """Return those that go, and those that are too young."""
    old, young = list[Doomed](), list[Doomed]()
    for file, modified in _strays(repository):
        (old if _is_old(modified, grace) else young).append(file)
    return old, young


def _leftovers(repository: Repository, grace: float) -> tuple[list[Leftover], list[Leftover]]:
    """Return what cut writes left: what goes, and what is too young."""
    old, young = list[Leftover](), list[Leftover]()
    for left in repository.store.leftovers():
        (old if _is_old(left.modified, grace) else young).append(left)
    return old, young


def _discard(repository: Repository, left: list[Leftover]) -> None:
    for leftover in left:
        repository.store.discard(leftover)


def _left(leftover: Leftover) -> Doomed:
    return Doomed(leftover.name, leftover.size, "half written by an attempt that was cut")


def _is_old(modified: float | None, grace: float) -> bool:
    return modified is not None and modified <= time.time() - max(grace, UNNAMED)


def _pack_of(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".pack")


def _key_of(pack: PackEntry) -> str:
    return pack_key(pack.id)


def _delete(repository: Repository, keys: list[str]) -> None:
    """Delete the files of packs that are reaped."""
    for key in keys:
        if repository.log.view.pack_state(_pack_of(key)) == REAPED:
            repository.store.delete(key)


def _reap(repository: Repository, author: str, keys: list[str]) -> None:
    """Say that files may be deleted; what someone has taken up since stays as it is."""

    def build(view: View) -> Draft:
        states = {pack_id: view.pack_state(pack_id) for pack_id in map(_pack_of, keys)}
        still = tuple(pack_id for pack_id, state in states.items() if state in (DROPPED, None))
        if not still:
            raise Settled
        return Draft(author, f"delete {count_of(len(still), 'pack')}", reap=still)

    with suppress(Settled):
        repository.log.append(build)
