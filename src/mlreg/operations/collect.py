"""The only deleter: files of packs that the log does not need any more, a while after it said so.

A pack is dropped when all that it held lies in others, or is not wanted any more; who has looked at the log before
may be reading it. When enough time has gone by it is reaped: a transaction says that its file may be deleted, and
then it is.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import NamedTuple

from mlreg.formats.transaction import PackEntry
from mlreg.repository.log import Draft, Settled
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, View

AT_ONCE = 2000
"""Packs that one transaction reaps, at most."""


class Collected(NamedTuple):
    """What was deleted, and what waits."""

    packs: int
    size: int
    """Bytes of the packs that were deleted."""
    waiting: int
    """Bytes of packs that are dropped, and not for long enough."""


def collect(repository: Repository, author: str, grace: float) -> Collected:
    """Delete the packs that were dropped long enough ago.

    Args:
        repository: nobody need keep off it meanwhile; packs that someone takes up again are left alone.
        author: of the transactions.
        grace: seconds for which a pack stays after it was dropped.
    """
    ripe = _ripe(repository, grace)
    deleted = [
        pack for at in range(0, len(ripe), AT_ONCE) for pack in _reap(repository, author, ripe[at : at + AT_ONCE])
    ]
    return _collected(repository, deleted)


def survey(repository: Repository, grace: float) -> Collected:
    """Return what `collect` would do; nothing is deleted."""
    ripe = _ripe(repository, grace)
    found = _collected(repository, ripe)
    return found._replace(waiting=found.waiting - found.size)


def _collected(repository: Repository, deleted: list[PackEntry]) -> Collected:
    waiting = sum(pack.size for pack in repository.log.view.dropped_packs())
    return Collected(len(deleted), sum(pack.size for pack in deleted), waiting)


def _ripe(repository: Repository, grace: float) -> list[PackEntry]:
    dropped = repository.log.refresh().dropped_packs()
    if not dropped:
        return []
    latest = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(0, time.time() - grace)))
    since = _dropped_at(repository)
    return [pack for pack in dropped if since[pack.id] <= latest]


def _dropped_at(repository: Repository) -> dict[str, str]:
    """Return when each pack was dropped last."""
    slots = repository.log.slots(1, repository.identity.origin)
    return {pack_id: slot.time for slot, _ in slots for pack_id in slot.drop}


def _reap(repository: Repository, author: str, packs: list[PackEntry]) -> list[PackEntry]:
    still: list[PackEntry] = []

    def build(view: View) -> Draft:
        still[:] = [pack for pack in packs if view.pack_state(pack.id) == DROPPED]
        if not still:
            raise Settled
        return Draft(author, f"delete {len(still)} packs", reap=tuple(pack.id for pack in still))

    with suppress(Settled):
        repository.log.append(build)
    for pack in still:
        repository.store.delete(pack_key(pack.id))
    return still
