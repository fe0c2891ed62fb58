"""Prove the chain of a log: each slot follows the one before, fits its state, and is what was seen of it before.

Nothing but the slots is trusted: no view, no snapshot. What is stored under the names is for `mlreg.operations.check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.ids import TransactionHash
from mlreg.repository.heads import FORGET, refuse_other
from mlreg.repository.holes import number_in, refuse_later_slots
from mlreg.repository.repository import Repository
from mlreg.repository.view import Position
from mlreg.stores.store import Store


class Seen(NamedTuple):
    """A slot that was seen before, by whom or what."""

    number: int
    head: str
    """Its hash then, the first digits of it, or a phrase."""
    by: str
    """`this machine`."""
    fix: str = FORGET
    """The command after which it does not count any more."""


def prove(repository: Repository, seen: Iterable[Seen]) -> Position:
    """Walk a log from its first slot to its newest, and return where that is.

    Args:
        repository: it is only read.
        seen: slots that must be what they were.

    Raises:
        IntegrityError: `bad_log`, `bad_transaction`, `bad_json`: the chain is broken; `log_went_back`, `log_forked`:
            it is not the log that was seen.
        UnsupportedError: a slot needs a newer mlreg.
    """
    fresh = Repository(repository.store)
    met: dict[int, TransactionHash | None] = {0: fresh.identity.origin}
    wanted = list(seen)
    stops = {one.number for one in wanted}
    for slot in fresh.log.replay(stops):
        if slot.number in stops:
            met[slot.number] = fresh.log.view.position.head
    position = fresh.log.view.position
    fresh.close()
    refuse_later_slots(repository.store, position.number)
    for one in wanted:
        what = f"the log in {repository.url}, as {one.by} saw it,"
        refuse_other(one.number, one.head, met.get(one.number), what, one.fix)
    return position


def strays_in(store: Store) -> Iterator[str]:
    """Yield what lies among the slots and is none: no reader looks at it."""
    for key in store.list(SLOTS):
        if number_in(key, SLOTS) is None:
            yield key
