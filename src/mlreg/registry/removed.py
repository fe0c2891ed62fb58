"""What was removed: when, by whom and why, and what brings it back."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from mlreg.formats.commit import Commit
from mlreg.formats.names import RefName, known_ref_name
from mlreg.formats.ref import is_pattern
from mlreg.formats.snapshot import RefState
from mlreg.ids import CommitId
from mlreg.operations.lineage import present_commits
from mlreg.operations.returning import can_return, ways_back
from mlreg.registry.describe import Shown
from mlreg.registry.registry import Registry
from mlreg.registry.searching import entries_meant
from mlreg.repository.view import View


class RemovedInfo(NamedTuple):
    """A version that was removed."""

    ref: str
    time: str
    """When it was removed."""
    author: str
    """Who removed it."""
    message: str
    """Why."""
    size: int
    """Bytes of its files."""
    whole: bool
    """Whether its bytes are here."""
    back: tuple[str, ...]
    """Commands that bring it back, each by itself, the nearest first."""


def removed(registry: Registry, pattern: str) -> list[RemovedInfo]:
    """Return the versions that were removed, by entry.

    Args:
        registry: here or elsewhere.
        pattern: of entries, `kind/name`, or one entry.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
        UsageError: `search_in_version`, the text is a version.
    """
    repository = registry.repository
    gone = _gone(repository.log.refresh(), pattern)
    commits = present_commits(repository, [ref.removed for ref in gone.values() if ref.removed])
    return [_info(registry, shown, ref, commits) for shown, ref in gone.items()]


def _gone(view: View, pattern: str) -> dict[str, RefState]:
    """Return the versions that were removed, by what they are called."""
    shown = Shown(view)
    entries = None if is_pattern(pattern) else entries_meant(view, pattern)

    def is_meant(name: RefName) -> bool:
        return fnmatchcase(shown.ref(name.entry, ""), pattern) if entries is None else name.entry in entries

    states = ((ref, known_ref_name(ref.name)) for ref in view.refs("version/") if ref.removed)
    return {shown.ref(name.entry, name.leaf): ref for ref, name in states if name and is_meant(name)}


def _info(registry: Registry, shown: str, ref: RefState, commits: Mapping[CommitId, Commit]) -> RemovedInfo:
    repository, commit = registry.repository, commits.get(ref.removed) if ref.removed else None
    slot = repository.log.slot(ref.number)
    time, author, message = (slot.time, slot.author, slot.message) if slot else ("", "", "")
    size, whole = commit.size if commit else 0, can_return(repository, ref)
    return RemovedInfo(shown, time, author, message, size, whole, ways_back(repository, ref, shown, is_here=whole))
