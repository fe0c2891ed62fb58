"""Which of the versions that may go are let go, so that enough bytes come free and the least is lost.

What is lost with a version is one, and one more for each time that it was read. All that may go is let go at first;
then one after the other is taken back, what is lost most for its bytes first, as long as enough comes free. So none
of those that go could stay. Several smaller ones may be found where another choice would have lost a little less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from mlreg.retention.rules import Version

File = TypeVar("File")
Holds = Mapping[str, Mapping[File, int]]
"""Bytes of the files that versions which may go have, and no version that stays; by ref."""


def freed(holds: Holds[File], refs: Iterable[str]) -> int:
    """Return how many bytes come free if these and no others go; a file that several have counts once.

    Args:
        holds: of all that may go.
        refs: those that go.
    """
    gone = set(refs)
    kept = {file for ref, files in holds.items() if ref not in gone for file in files}
    sizes = {file: size for ref in gone for file, size in holds.get(ref, {}).items()}
    return sum(size for file, size in sizes.items() if file not in kept)


def least_loss(candidates: Sequence[Version], holds: Holds[File], wanted: int) -> list[str]:
    """Return the refs of versions that are let go, so that `wanted` bytes come free; all of them if that is too few.

    Args:
        candidates: what may go; those of an entry together, the newest first.
        holds: of all of them.
        wanted: bytes.
    """
    known = {version.ref: version for version in candidates}
    sizes = {file: size for files in holds.values() for file, size in files.items()}
    left = sum(sizes.values()) - wanted
    going = dict.fromkeys(known)
    for version in sorted(candidates, key=lambda one: _loss(one, holds), reverse=True):
        back = _with_inputs(version, known, going)
        files = {file for ref in back for file in holds.get(ref, ())} & sizes.keys()
        if (size := sum(sizes[file] for file in files)) <= left:
            left -= size
            for file in files:
                del sizes[file]
            for ref in back:
                del going[ref]
    return list(going)


def _loss(version: Version, holds: Holds[File]) -> tuple[float, str]:
    """Return what is lost for each byte, and how old it is: of equal ones the oldest goes first."""
    size = sum(holds.get(version.ref, {}).values())
    return (1 + version.reads) / size if size else float("inf"), version.time


def _with_inputs(version: Version, known: Mapping[str, Version], going: Mapping[str, None]) -> list[str]:
    """Return a version that is taken back, and what it was made from that has to stay with it."""
    pending = [version.ref] if version.ref in going else []
    found = set(pending)
    for ref in pending:
        more = [one for one in known[ref].inputs if one in going and one not in found]
        found.update(more)
        pending.extend(more)
    return pending
