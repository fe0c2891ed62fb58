"""A repository as it was: the log up to one slot, folded into a view of its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from mlreg.errors import MlregError, RefusedError
from mlreg.formats import snapshot as snapshots
from mlreg.formats.identity import Identity
from mlreg.formats.snapshot import Snapshot, snapshot_key
from mlreg.formats.transaction import Transaction
from mlreg.repository.log import BATCH, Draft, Log
from mlreg.repository.repository import Repository
from mlreg.repository.view import View
from mlreg.stores.store import Store


class PastLog(Log):
    """The log up to one slot. It does not follow what came later, and takes nothing."""

    def __init__(self, store: Store, identity: Identity, number: int) -> None:
        """Fold slots 1 to `number`, from the newest snapshot among them on."""
        super().__init__(store, identity, View(None))
        found = self._snapshot_before(number)
        if found:
            self.view.restart(self.view.position, found)
        at, head = self.view.position
        batch = []
        for slot, slot_hash in takewhile(
            lambda item: item[0].number <= number, self.slots(at + 1, head or identity.origin)
        ):
            batch.append((slot, slot_hash))
            if len(batch) == BATCH:
                self.view.apply(batch)
                batch.clear()
        self.view.apply(batch)

    def _snapshot_before(self, number: int) -> Snapshot | None:
        for key in reversed(list(self._store.list(snapshots.PREFIX))):
            if key <= snapshot_key(number):
                try:
                    return self.snapshot_at(key)
                except MlregError:
                    continue  # what a snapshot says is never needed
        return None

    def refresh(self) -> View:
        """Return the view as it was."""
        return self.view

    def append(self, build: Callable[[View], Draft], sender: str = "") -> Transaction:
        """Refuse.

        Raises:
            RefusedError: `past_change`.
        """
        raise RefusedError("past_change", "what was cannot be changed", fix="leave the time out")


def repository_at(repository: Repository, moment: str) -> Repository:
    """Return a repository as it was at a time: after the last slot that was written by then.

    Args:
        repository: as it is now.
        moment: UTC, `2026-11-23T06:28:00Z`.
    """
    number = repository.log.with_history().last_number(moment)
    past = Repository(repository.store)
    past.log = PastLog(repository.store, repository.identity, number)
    # What was is found where it is now: packs may have been replaced since.
    past.objects = repository.objects
    return past
