"""A repository that is only looked at: changes are made up to the point where they would be written."""

from __future__ import annotations

from collections.abc import Callable

from mlreg.formats.transaction import Transaction
from mlreg.repository.log import Draft, Log, made_from
from mlreg.repository.objects import Objects
from mlreg.repository.repository import Repository
from mlreg.repository.view import View


class RehearsedLog(Log):
    """The log, which takes nothing."""

    def append(self, build: Callable[[View], Draft]) -> Transaction:
        """Return the transaction that would be added now, and raise what stands against it."""
        view = self.refresh()
        return made_from(build(view), view.position, self._identity)


def rehearsal_of(repository: Repository) -> Repository:
    """Return a repository with the same state, in which no transaction is written."""
    rehearsed = Repository(repository.store)
    rehearsed.log = RehearsedLog(repository.store, repository.identity, repository.log.view)
    rehearsed.objects = Objects(repository.store, rehearsed.log)
    return rehearsed
