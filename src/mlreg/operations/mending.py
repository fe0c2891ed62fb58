"""Mending what is damaged with good copies from elsewhere, and setting aside the packs that were hurt.

Good copies are written into new packs, each verified by its id; the newest pack wins. Then the packs that hold bad
copies are dropped, if all else in them lies elsewhere or is written anew. No file of a pack is deleted here: that is
for a collector, later. A recipe has no id of its own, so the whole file is put together to see that it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from mlreg.errors import IntegrityError, UnavailableError
from mlreg.formats.pack import Sort
from mlreg.formats.transaction import PackEntry
from mlreg.operations.check import Checked, Problem, Report, check
from mlreg.operations.good_copies import Copies, Source
from mlreg.operations.history import Wanted
from mlreg.operations.looking_again import DAMAGE
from mlreg.operations.rewriting import copy_objects
from mlreg.operations.seeking import Given, Hurt, Search
from mlreg.operations.sweeping import is_own
from mlreg.repository.log import Draft
from mlreg.repository.objects import KIND_OF
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import LIVE, View

ROUNDS = 20
"""How often damage is looked for again, if others change the repository meanwhile."""


class Mended(NamedTuple):
    """What was mended, and what was not."""

    given: dict[str, Given]
    """By the name of the source."""
    damaged: int
    """Packs that had bad copies."""
    dropped: tuple[str, ...]
    """Ids of those of them that are not read any more."""
    slots: tuple[int, ...]
    """The transactions that this took."""
    snapshots: int
    """That were written anew."""
    lost: tuple[Wanted, ...]
    hurts: tuple[Hurt, ...]
    problems: tuple[Problem, ...]
    """What a check still finds."""


class _Outdated(Exception):
    """Others changed what was relied upon."""


def repair(repository: Repository, sources: Sequence[Source], author: str, report: Report) -> Mended:
    """Mend a repository; a second time changes nothing.

    Args:
        repository: nobody need keep off it meanwhile.
        sources: where good copies may be, in the order in which they are asked.
        author: of the transactions.
        report: told about stored bytes that were checked.

    Raises:
        IntegrityError: the log is damaged, which nothing here can mend.
        UnavailableError: `busy_log`.
    """
    done = Mended({}, 0, (), (), 0, (), (), ())
    for _ in range(ROUNDS):
        found = _checked(repository, report)
        if not found.problems:
            return done._replace(lost=(), hurts=(), problems=())
        snapshots = _renew_snapshots(repository, found.bad_snapshots)
        mending = _Round(repository, found, sources, author)
        step = mending.run(snapshots)
        done = _together(done, step)
        if not (step.slots or step.snapshots or mending.is_outdated):
            return done._replace(lost=step.lost, hurts=step.hurts, problems=step.problems)
    raise UnavailableError("busy_log", f"{repository.url} changes faster than it can be mended", fix="try again")


def preview(repository: Repository, sources: Sequence[Source], report: Report) -> Mended:
    """Return what `repair` would find and mend.

    Args:
        repository: a rehearsal, in which nothing is written.
        sources: as for `repair`.
        report: as for `repair`.
    """
    found = _checked(repository, report)
    if not found.problems:
        return Mended({}, 0, (), (), 0, (), (), ())
    return _Round(repository, found, sources, "").tried()


def _checked(repository: Repository, report: Report) -> Checked:
    found = check(repository, 1.0, report)
    if not found.is_log_whole:
        problem = next(problem for problem in found.problems if problem.code != "bad_snapshot")
        raise IntegrityError(
            "bad_log",
            f"the log of {repository.url} cannot be mended: {problem.message}",
            why=problem.why or "every repository has a log of its own, so no other one has these slots",
            fix=(
                "copy the files of log/ that are missing or damaged from a backup of this very repository",
                "without one: clone a remote anew, and add again what was never pushed",
            ),
        )
    return found


def _renew_snapshots(repository: Repository, bad: Sequence[str]) -> int:
    """Delete snapshots that are bad, and write one from the log alone: the view may have begun at one of them."""
    for key in bad:
        repository.store.delete(key)
    if bad:
        log = repository.log
        log.view.restart(log.view.position, None)
        log.refresh()
        log.write_snapshot()
    return len(bad)


def _together(done: Mended, step: Mended) -> Mended:
    given = dict(done.given)
    for name, more in step.given.items():
        before = given.get(name, Given(0, 0))
        given[name] = Given(before.objects + more.objects, before.size + more.size)
    return done._replace(
        given=given,
        damaged=max(done.damaged, step.damaged),
        dropped=done.dropped + step.dropped,
        slots=done.slots + step.slots,
        snapshots=done.snapshots + step.snapshots,
    )


class _Round:
    """Mends what one check found."""

    def __init__(self, repository: Repository, found: Checked, sources: Sequence[Source], author: str) -> None:
        self._repository = repository
        self._found = found
        self._sources = sources
        self._author = author
        view = repository.log.refresh()
        repository.objects.take_up_all()
        self._number, self._generation = view.number, view.generation
        self._packs = view.live_packs()
        self._copies = Copies(repository, found)
        self._extra = list(self._copies.known_items(sources))
        self.is_outdated = False
        """Whether others changed meanwhile what was to be dropped."""

    def run(self, snapshots: int) -> Mended:
        """Store good copies, then drop what is of no use any more."""
        with self._repository.writer() as writer:
            search = self._search(writer)
            slots = self._name(writer.finish())
        self._copies.objects.take_up_indexes(KIND_OF[Sort.PIECE])
        self._copies.objects.take_up_indexes(KIND_OF[Sort.COMMIT])
        done = self._mended(search)
        dropped, more = tuple[str, ...](), tuple[int, ...]()
        try:
            dropped, more = self._retire(is_all_there=not search.lost)
        except _Outdated:
            self.is_outdated = True
        slots = (*slots, *more)
        return done._replace(damaged=len(self._damaged()), dropped=dropped, slots=slots, snapshots=snapshots)

    def tried(self) -> Mended:
        """Look for good copies only."""
        with self._repository.writer() as writer:
            search = self._search(writer)
        return self._mended(search)

    def _mended(self, search: Search) -> Mended:
        """Return what a search came to, before anything is dropped."""
        lost, hurts = tuple(search.lost), tuple(search.hurts())
        return Mended(search.given, len(self._damaged()), (), (), 0, lost, hurts, tuple(self._found.problems))

    def _damaged(self) -> list[PackEntry]:
        hit = {
            pack for wanted, packs in self._copies.bad.items() for pack in packs if self._copies.is_bad(wanted, pack)
        }
        return [pack for pack in self._packs if pack.id in hit or pack.id in self._copies.unreadable]

    def _search(self, writer: PackWriter) -> Search:
        refs = self._repository.log.view.refs("")
        versions = {ref.name: ref.target for ref in refs if is_own(ref) and ref.target}
        removed = [(Sort.COMMIT, ref.removed) for ref in refs if ref.target is None and ref.removed]
        search = Search(self._copies, self._sources, writer, versions)
        search.prefer([(Sort.PIECE, base) for base in self._copies.bases])
        search.follow()
        search.prefer([*self._copies.bad, *self._extra, *removed])
        return search

    def _name(self, written: tuple[PackEntry, ...]) -> tuple[int, ...]:
        if not written:
            return ()
        message = "mend what was damaged"
        return (self._repository.log.append(lambda view: Draft(self._author, message, add=written)).number,)

    # What is of no use any more.

    def _retire(self, *, is_all_there: bool) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Drop the packs that were hurt, as far as nothing is lost by it."""
        damaged = self._damaged()
        leaving = {pack.id for pack in damaged}
        with self._repository.writer() as writer:
            fates = {
                pack.id: self._empty(writer, pack, leaving, may_lose=is_all_there and self._may_lose(pack))
                for pack in damaged
            }
            ids = tuple(pack_id for pack_id, fate in fates.items() if fate is not _Fate.STAYS)
            if not ids:
                return (), ()
            written, is_lossy = writer.finish(), _Fate.GOES_WITH_LOSS in fates.values()
            try:
                slot = self._repository.log.append(lambda view: self._draft(view, written, ids, is_lossy=is_lossy))
            except _Outdated:
                writer.take_back(written)
                raise
        return ids, (slot.number,)

    def _may_lose(self, pack: PackEntry) -> bool:
        """Tell whether a pack that holds what no version needs is damaged, and not only out of reach."""
        problem = self._copies.unreadable.get(pack.id)
        return problem is None or isinstance(problem, IntegrityError)

    def _draft(self, view: View, written: tuple[PackEntry, ...], ids: tuple[str, ...], *, is_lossy: bool) -> Draft:
        known = [pack.id for pack in self._packs]
        if view.generation != self._generation or any(view.pack_state(pack_id) != LIVE for pack_id in known):
            raise _Outdated
        # Who came since may need what only these packs have, in name.
        if is_lossy and any(view.names_since(self._number, "")):
            raise _Outdated
        message = f"set {len(ids)} damaged packs aside"
        return Draft(self._author, message, add=written, drop=ids, is_lossy=is_lossy)

    def _empty(self, writer: PackWriter, pack: PackEntry, leaving: set[str], *, may_lose: bool) -> _Fate:
        """Write anew what only damaged packs have of one of them, and say what becomes of it."""
        index = self._repository.log.view.index(pack.id)
        if index is None:
            return _Fate.GOES_WITH_LOSS if may_lose else _Fate.STAYS
        own: list[int] = []
        others: list[Wanted] = []
        fate = _Fate.GOES
        for slot, item in enumerate(index.items()):
            places = self._copies.good(item.sort, item.id)
            staying = [place for place in places if place.pack not in leaving]
            is_here = any(place.pack == pack.id for place in places)
            if not places:
                fate = _Fate.GOES_WITH_LOSS
            elif writer.has(item.sort, item.id) or not all(map(self._copies.objects.is_difference, staying)):
                continue  # a whole copy stays
            elif is_here:
                own.append(slot)
            elif not staying:
                others.append((item.sort, item.id))
        if fate is _Fate.GOES_WITH_LOSS and not may_lose:
            return _Fate.STAYS
        return fate if self._is_copied(writer, pack, own, others) else _Fate.STAYS

    def _is_copied(self, writer: PackWriter, pack: PackEntry, own: list[int], others: list[Wanted]) -> bool:
        try:
            copy_objects(self._copies.objects, writer, pack, own)
            for sort, object_id in others:
                writer.add(sort, object_id, bytes(self._copies.objects.read(sort, object_id)))
        except DAMAGE:
            return False
        return True


class _Fate(Enum):
    """What becomes of a damaged pack."""

    GOES = "all in it lies elsewhere, too"
    GOES_WITH_LOSS = "what it had alone is needed by no version"
    STAYS = "it has the only copy of something that is needed, and damaged"
