"""Which of the versions that may go are let go, so that enough bytes come free and the least is lost.

What is lost with a version is one, and one more for each time that it was read; of what is equal in that, the oldest
goes. Of a few versions all choices are tried. Of many, all are let go at first, and one after the other is taken back,
what is lost most for its bytes first, as long as enough comes free: none of those that go could stay then, but
another choice of several may have lost a little less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from mlreg.retention.rules import Version

FEW = 12
"""Versions of which all choices are tried: some thousands."""
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
    choose = of_few if len(candidates) <= FEW else of_many
    return choose(candidates, holds, wanted)


def of_few(candidates: Sequence[Version], holds: Holds[File], wanted: int) -> list[str]:
    """Return the same as `least_loss`: the choice with the least loss of all."""
    numbers = {version.ref: number for number, version in enumerate(candidates)}
    inputs = [[numbers[ref] for ref in version.inputs if ref in numbers] for version in candidates]
    files = _by_holders(holds, numbers)

    def is_possible(going: int) -> bool:
        # What a version that stays was made from stays.
        kept = (some for number, some in enumerate(inputs) if not going >> number & 1)
        if any(going >> source & 1 for some in kept for source in some):
            return False
        return sum(size for holders, size in files.items() if holders & ~going == 0) >= wanted

    def loss(going: int) -> tuple[int, list[tuple[str, str]]]:
        gone = [version for number, version in enumerate(candidates) if going >> number & 1]
        return sum(1 + one.reads for one in gone), sorted(((one.time, one.ref) for one in gone), reverse=True)

    everything = (1 << len(candidates)) - 1
    best = min(filter(is_possible, range(everything + 1)), key=loss, default=everything)
    return [version.ref for number, version in enumerate(candidates) if best >> number & 1]


def _by_holders(holds: Holds[File], numbers: Mapping[str, int]) -> dict[int, int]:
    """Return the bytes of the files that the same versions have; a version is a bit."""
    holders: dict[File, int] = {}
    sizes: dict[File, int] = {}
    for ref, files in holds.items():
        for file, size in files.items():
            holders[file], sizes[file] = holders.get(file, 0) | 1 << numbers[ref], size
    found: dict[int, int] = {}
    for file, mask in holders.items():
        found[mask] = found.get(mask, 0) + sizes[file]
    return found


def of_many(candidates: Sequence[Version], holds: Holds[File], wanted: int) -> list[str]:
    """Return the same as `least_loss`: a choice of which none could stay."""
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
