"""How a version that was removed comes back: by itself, as long as its bytes are here, or by what brings them."""

from __future__ import annotations

from mlreg.errors import IntegrityError, NotFoundError
from mlreg.formats.snapshot import RefState
from mlreg.ids import CommitId
from mlreg.operations.history import needs_of, read_commit
from mlreg.repository.repository import Repository


def is_whole(repository: Repository, commit_id: CommitId) -> bool:
    """Tell whether all that a version consists of is here.

    Raises:
        IntegrityError: something is damaged.
    """
    try:
        return not repository.objects.missing(needs_of(repository, read_commit(repository, commit_id)))
    except IntegrityError as error:
        if error.code != "object_missing":
            raise
        return False


def can_return(repository: Repository, removed: RefState) -> bool:
    """Tell whether a removed version can be restored; not if something of it is damaged."""
    try:
        return removed.removed is not None and is_whole(repository, removed.removed)
    except IntegrityError:
        return False


def ways_back(repository: Repository, removed: RefState, shown: str, *, is_here: bool) -> tuple[str, ...]:
    """Return commands that bring a removed version back, each by itself, the nearest first.

    Args:
        repository: where it was removed.
        removed: the version.
        shown: as users call it.
        is_here: whether all that it consists of is.
    """
    restore = f"mlreg restore {shown}"
    if is_here:
        return (restore,)
    undo = (f"mlreg gc --undo {number} && {restore}" for number in _sweeps_since(repository, removed.number))
    return (*undo, f"mlreg pull REMOTE {shown}, from a remote that has it")


def _sweeps_since(repository: Repository, number: int) -> list[int]:
    """Return the transactions after one that took objects away, and that can be taken back."""
    dropped = {slot for _, slot in repository.log.view.dropped_packs() if slot > number}
    return [slot for slot in sorted(dropped) if _is_sweep_to_undo(repository, slot)]


def _is_sweep_to_undo(repository: Repository, number: int) -> bool:
    from mlreg.operations.sweeping import coming_back  # which few need who change names

    slot = repository.log.slot(number)
    try:
        return bool(slot and slot.is_lossy and coming_back(repository, repository.log.view, number))
    except NotFoundError:
        return False
