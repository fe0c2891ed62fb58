"""A repository that is only looked at: changes are made up to the point where they would be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlreg.formats.transaction import Transaction
from mlreg.repository.log import Draft, Log, made_from, readable
from mlreg.repository.objects import Objects
from mlreg.repository.repository import Repository
from mlreg.repository.view import View
from mlreg.stores.store import Upload

if TYPE_CHECKING:
    from mlreg.repository.packing import PackWriter


class RehearsedLog(Log):
    """The log, which takes nothing."""

    def append(self, build: Callable[[View], Draft], sender: str = "") -> Transaction:
        """Return the transaction that would be added now, and raise what stands against it."""
        view = self.refresh()
        slot = made_from(build(view), view.position, self._identity, sender)
        readable(slot)
        return slot


class _Nowhere:
    """Takes packs, and keeps nothing of them."""

    @contextmanager
    def upload(self, key: str) -> Iterator[Upload]:
        yield self

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def delete(self, key: str) -> None:
        pass


class _Rehearsed(Repository):
    def writer(self) -> PackWriter:
        from mlreg.repository.packing import PackWriter

        return PackWriter(_Nowhere())


def rehearsal_of(repository: Repository) -> Repository:
    """Return a repository with the same state, in which nothing is written."""
    rehearsed = _Rehearsed(repository.store)
    rehearsed.log = RehearsedLog(repository.store, repository.identity, repository.log.view, repository.log.heads)
    rehearsed.objects = Objects(repository.store, rehearsed.log)
    return rehearsed
