"""In which order a check reads: what was not found whole for the longest time comes first.

So a check that has little time goes on where the last one stopped, and comes to everything in the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlreg.errors import IntegrityError
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.transaction import PackEntry
from mlreg.ids import ContentId
from mlreg.operations.found_whole import FoundWhole
from mlreg.operations.looking_again import DAMAGE
from mlreg.operations.reading_all import Reader
from mlreg.repository.repository import Repository

NEVER = -math.inf
NOTED = 64 * 1024 * 1024
"""Bytes of packs after which it is noted that they are whole: as much work as a kill takes, and a pack has."""


class How(NamedTuple):
    """How a check reads what is stored."""

    decodes: bool = True
    """Whether ids are computed again; otherwise stored bytes are compared with their sums."""
    now: float = 0.0
    """Seconds since 1970."""
    before: float = math.inf
    """Only what was not found whole since then; seconds since 1970."""
    enough: Callable[[], bool] = lambda: False
    """Whether to stop; asked between packs, but not before the first."""


@dataclass(slots=True)
class Covered:
    """What of a repository was found whole, and when."""

    is_complete: bool = True
    """Whether all of it was read now."""
    never: int = 0
    """Packs that were never found whole."""
    oldest: float | None = None
    """When that pack was found whole which was not for the longest time, of the others."""
    wrong: dict[ContentId, IntegrityError] = field(default_factory=dict)
    """Large files that were read, and are not what their recipes make."""
    sizes: dict[ContentId, int] = field(default_factory=dict)
    """Bytes of the large files that were read."""


class _Turn(NamedTuple):
    time: float
    rank: int
    """Metadata first, then files, then the packs with their pieces, which need not be read again then."""
    what: PackEntry | ContentId


class Turns:
    """The packs and large files of a repository, and when each was last found whole."""

    def __init__(self, repository: Repository, notes: FoundWhole, how: How) -> None:
        """Read the notes. A time that is still to come is none."""
        self._repository = repository
        self._notes = notes
        self._how = how
        found = notes.times(decoded=how.decodes)
        self._times = {thing: time for thing, time in found.items() if time <= how.now}
        self._packs: dict[str, PackEntry] = {}
        self._fresh: list[bytes] = []
        """What is whole, and not noted yet."""
        self._unnoted = 0
        """Bytes of that."""
        self._skipped: list[ContentId] = []
        """Large files of which a piece could not be read."""
        self._is_all = True
        """Whether it was never enough before the last."""
        self.covered = Covered()

    def take(self, reader: Reader, packs: Sequence[PackEntry], large: Sequence[ContentId]) -> None:
        """Read one after the other until it is enough, and note what is whole; more may be taken later."""
        self._packs.update((pack.id, pack) for pack in packs)
        turns = [self._turn(pack, 0 if pack.kind is PackKind.META else 2) for pack in packs]
        again, self._skipped = self._skipped, []
        turns += [self._turn(content, 1) for content in dict.fromkeys((*again, *large)) if self._how.decodes]
        due = sorted((turn for turn in turns if turn.time < self._how.before), key=lambda turn: turn[:2])
        done = 0
        try:
            for turn in due:
                if done and self._how.enough():
                    break
                self._take_one(reader, turn.what)
                done += 1
        finally:
            self._keep()
        self._is_all &= done == len(turns)
        self.covered.is_complete = self._is_all and not self._skipped

    def _take_one(self, reader: Reader, what: PackEntry | ContentId) -> None:
        if isinstance(what, PackEntry):
            reader.read_pack(what.id)
        else:
            self._read_file(reader, what)
        self._note_packs(reader)
        if self._unnoted >= NOTED:
            self._keep()

    def _keep(self) -> None:
        self._notes.note(self._fresh, self._how.now, decoded=self._how.decodes)
        self._fresh, self._unnoted = [], 0

    def _turn(self, what: PackEntry | ContentId, rank: int) -> _Turn:
        return _Turn(self._times.get(_name(what), NEVER), rank, what)

    def _read_file(self, reader: Reader, content: ContentId) -> None:
        try:
            recipe = Recipe.decode(bytes(self._repository.objects.read(Sort.RECIPE, content)))
        except DAMAGE:
            return  # which is found in its pack
        self.covered.sizes[content] = recipe.size
        try:
            error = reader.read_file(content, recipe)
        except DAMAGE:
            # Who needs the piece will hear; or it is in another pack now.
            self._skipped.append(content)
            return
        if error:
            self.covered.wrong[content] = error
            self._forget(content)
        else:
            self.covered.wrong.pop(content, None)
            self._note(content)

    def _note_packs(self, reader: Reader) -> None:
        for pack in reader.taken_finished():
            # What files were read from may have come since.
            entry = self._packs.get(pack) or self._repository.log.view.pack(pack)
            if pack in reader.errors:
                self._forget(entry)
            else:
                self._note(entry)

    def _forget(self, what: PackEntry | ContentId) -> None:
        self._notes.forget([_name(what)])
        self._times.pop(_name(what), None)

    def _note(self, what: PackEntry | ContentId) -> None:
        self._fresh.append(_name(what))
        self._unnoted += what.size if isinstance(what, PackEntry) else 0
        self._times[_name(what)] = self._how.now

    def summarize(self, packs: Sequence[PackEntry]) -> None:
        """Say how much of the live packs was found whole, and when."""
        times = [self._times.get(_name(pack)) for pack in packs]
        known = [time for time in times if time is not None]
        self.covered.never = len(times) - len(known)
        self.covered.oldest = min(known, default=None)


def _name(what: PackEntry | ContentId) -> bytes:
    """Return what a note is filed under: another pack with the same id has another sum."""
    return bytes.fromhex(what.id) + what.sum if isinstance(what, PackEntry) else bytes(what)
