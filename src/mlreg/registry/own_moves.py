"""Whether a remote's tag is where it was put from here: then both agree on it, though nobody noted that.

A push notes in the log here what both agree on, after the remote has it. It may be cut in between, and someone may move
the tag here meanwhile. That must not be taken for the move of another person.
"""

from __future__ import annotations

from collections.abc import Callable

from mlreg.formats.names import remote_ref
from mlreg.formats.transaction import is_from
from mlreg.ids import CommitId
from mlreg.repository.repository import Repository

IsSame = Callable[[CommitId | None, CommitId | None], bool]
"""Tells whether two commits are the same version."""


def was_sent(here: Repository, there: Repository, remote: str, name: str, is_same: IsSame) -> bool:
    """Tell whether the last move of a tag at a remote was made by a push from here, and the tag moved on here since.

    Args:
        here: the repository that may have pushed.
        there: the remote.
        remote: what it is called here.
        name: of the tag, in both logs.
        is_same: compares commits.
    """
    last = next((move for move in reversed(there.log.with_history().changes(name)) if move.name == name), None)
    slot = there.log.slot(last.number) if last else None
    if last is None or slot is None or not is_from(slot.id, here.identity.repository):
        return False
    # A copy of this repository is called the same: what counts is where the tag was here since both last agreed.
    return any(is_same(commit, last.new) for commit in _since_agreed(here, remote, name))


def _since_agreed(here: Repository, remote: str, name: str) -> list[CommitId | None]:
    """Return where a tag was here since it was where both agreed on, first that place; all if they never did."""
    history = here.log.with_history()
    moves = [move for move in history.changes(name) if move.name == name]
    both = remote_ref(remote, name)
    agreed = next((move for move in reversed(history.changes(both)) if move.name == both), None)
    if agreed is None or agreed.new is None:
        return [move.new for move in moves]
    # A tag may have moved on before what was agreed on was noted, and back there after it.
    known = (at for at, move in enumerate(moves) if move.new == agreed.new and move.number <= agreed.number)
    start = max(known, default=0)
    return [move.new for move in moves[start:]]
