"""Looking again where a collector was faster: what was missed is in other packs, or not needed any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mlreg.errors import IntegrityError, NotFoundError, UnavailableError
from mlreg.repository.repository import Repository

DAMAGE = (IntegrityError, NotFoundError, UnavailableError)
"""What reading stored bytes may raise; a disk that answers with an error is damaged, too."""
ATTEMPTS = 20
"""How often something is looked at again because packs leave all the time."""

_Found = TypeVar("_Found")


def live_packs(repository: Repository) -> frozenset[str]:
    """Return the packs that are live in the newest state of the log."""
    return frozenset(pack.id for pack in repository.log.refresh().live_packs())


def again_if_collected(repository: Repository, look: Callable[[], _Found]) -> _Found:
    """Return what is found; what cannot be read is damage only if no pack has left while it was looked at.

    Args:
        repository: what is looked at.
        look: begins anew each time, at the newest state of the log.

    Raises:
        what `look` does.
    """
    for _ in range(ATTEMPTS):
        before = live_packs(repository)
        try:
            return look()
        except DAMAGE:
            if before <= live_packs(repository):
                raise
    return look()
