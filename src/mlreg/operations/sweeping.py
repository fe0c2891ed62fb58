"""Taking away what no version needs any more: a transaction drops packs; what is needed of them is kept in others.

A sweep goes on beside writers and readers. It looks at one state of the log, and its transaction gets a slot only if
what it takes is still not needed there. The transaction says that objects are gone, so that whoever relied on one
without a name yet finds out at the append and stores it again. Files of dropped packs stay for a while, for those who
read them and for who changes their mind: `mlreg.operations.collect` deletes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from mlreg.codecs.difference import DIFFERENCE
from mlreg.errors import MlregError, NotFoundError, UnavailableError
from mlreg.formats.names import known_ref_name
from mlreg.formats.pack import PackIndex, PackKind, Sort
from mlreg.formats.snapshot import RefState
from mlreg.formats.transaction import PackEntry
from mlreg.ids import ObjectId, TreeId
from mlreg.operations.history import Wanted, read_commits
from mlreg.operations.lineage import present_commits
from mlreg.operations.looking_again import DAMAGE, again_if_collected
from mlreg.operations.marking import Marks
from mlreg.operations.rewriting import copy_objects
from mlreg.repository.log import Draft, Settled
from mlreg.repository.objects import Objects, pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import LIVE, REAPED, View

WASTE = 0.25
"""Share of a pack that must be without use for the rest to be written anew."""
AT_ONCE = 256
"""Packs that one transaction drops, at most."""
ATTEMPTS = 20
"""How often a sweep looks again because others were faster."""


class PackUse(NamedTuple):
    """A live pack, and what of it is needed."""

    pack: PackEntry
    needed: tuple[int, ...]
    """Numbers of the objects in its index that are needed from here."""
    twice: tuple[int, ...]
    """Numbers of those that are needed, and that a newer pack has, too."""
    useful: int
    """Stored bytes of what is needed from here."""
    is_stale: bool = False
    """Whether it says how a file is cut, and a newer pack says it, too: who reads this one first would miss pieces."""

    @property
    def waste(self) -> int:
        """Stored bytes that could go."""
        return self.pack.size - self.useful

    @property
    def is_doomed(self) -> bool:
        """Whether the pack is dropped, and what is needed of it written anew."""
        # A tree or a recipe that stayed alone would seem to be there with all that it leads to.
        is_left_over = self.pack.kind is PackKind.META and len(self.needed) + len(self.twice) < self.pack.objects
        return not self.needed or self.is_stale or is_left_over or self.waste >= WASTE * self.pack.size


class Survey(NamedTuple):
    """What a state of the log needs of its packs."""

    number: int
    generation: int
    marks: Marks
    uses: tuple[PackUse, ...]
    """Of all live packs, the newest first."""

    @property
    def doomed(self) -> list[PackUse]:
        """Packs that a sweep drops."""
        return [use for use in self.uses if use.is_doomed]


class Loss(NamedTuple):
    """A removed version that cannot be restored after the sweep."""

    name: str
    """In the log."""
    size: int
    """Plain bytes of its files that no version has which stays; each counted once, for the first that needs them."""


class Swept(NamedTuple):
    """What a sweep did."""

    slots: tuple[int, ...]
    """The transactions that dropped packs, in order."""
    dropped: tuple[PackEntry, ...]
    written: tuple[PackEntry, ...]
    """That hold what is needed of them."""
    lost: tuple[Loss, ...] = ()
    """What cannot be restored any more."""

    def with_step(self, step: Swept) -> Swept:
        """Return what both did together."""
        lost = tuple(dict.fromkeys(self.lost + step.lost))
        return Swept(self.slots + step.slots, self.dropped + step.dropped, self.written + step.written, lost)


class _Outdated(Exception):
    """Others changed what the survey rests on."""


def is_swept(repository: Repository) -> bool:
    """Tell whether nothing was removed since all was needed; copies that two writers stored at once do not count."""
    view = repository.log.refresh()
    return bool(view.swept) and not view.has_removed_since(view.swept)


def survey(repository: Repository, report: Callable[[int], None]) -> Survey:
    """Find out what is needed, and which packs hold it.

    Args:
        repository: it is only read.
        report: told about bytes of packs that were looked at.

    Raises:
        IntegrityError: something needed cannot be read, so that what lies behind it cannot be told: nothing may go.
    """
    return again_if_collected(repository, lambda: _survey(repository, report))


def _survey(repository: Repository, report: Callable[[int], None]) -> Survey:
    view = repository.log.refresh()
    number, generation, packs = view.number, view.generation, view.live_packs()
    objects = repository.objects
    marks = Marks(objects, set(_recipes(objects, packs)))
    marks.add_all(_trees(repository, (ref for ref in view.refs("") if is_own(ref))))
    bases = _bases(objects, packs, marks)
    marks.ids[Sort.PIECE] |= bases
    uses = tuple(_uses(objects, packs, marks, bases, report))
    return Survey(number, generation, marks, uses)


def is_own(ref: RefState) -> bool:
    """Tell whether a name keeps what it points to: all do but those that say what another repository has."""
    name = known_ref_name(ref.name)
    return ref.target is not None and (name is None or name.remote is None)


def _trees(repository: Repository, refs: Iterable[RefState]) -> Iterator[TreeId]:
    targets = list(dict.fromkeys(ref.target for ref in refs if ref.target))
    for start in range(0, len(targets), 1000):
        yield from (commit.tree for commit in read_commits(repository, targets[start : start + 1000]).values())


def _recipes(objects: Objects, packs: Iterable[PackEntry]) -> Iterator[ObjectId]:
    for pack in packs:
        if pack.kind is PackKind.META:
            yield from (item.id for item in objects.index(pack.id).items() if item.sort is Sort.RECIPE)


def _bases(objects: Objects, packs: Iterable[PackEntry], marks: Marks) -> set[ObjectId]:
    """Return the pieces that needed ones may be stored as differences from."""
    bases: set[ObjectId] = set()
    for pack in packs:
        index = objects.index(pack.id)
        if index.bases and any(marks.is_needed(item.sort, item.id) for item in index.items()):
            bases.update(index.bases)
    return bases


def _uses(
    objects: Objects, packs: list[PackEntry], marks: Marks, bases: set[ObjectId], report: Callable[[int], None]
) -> Iterator[PackUse]:
    """Yield what is needed of each pack; of several copies of an object the newest is kept."""
    found: dict[Sort, set[ObjectId]] = {sort: set() for sort in Sort}
    for pack in reversed(packs):
        index = objects.index(pack.id)
        needed, twice, plain, is_stale = [], [], dict[int, int](), False
        for slot, item in enumerate(index.items()):
            if not marks.is_needed(item.sort, item.id):
                continue
            # What others differ from is kept whole.
            is_poor = item.id in bases and index.block(item.block).codec == DIFFERENCE.number
            if item.id in found[item.sort] or is_poor:
                twice.append(slot)
                is_stale |= item.sort is Sort.RECIPE
                continue
            found[item.sort].add(item.id)
            needed.append(slot)
            plain[item.block] = plain.get(item.block, 0) + item.size
        report(pack.size)
        yield PackUse(pack, tuple(needed), tuple(twice), _useful(pack, index, plain), is_stale)


def _useful(pack: PackEntry, index: PackIndex, plain: dict[int, int]) -> int:
    """Return the stored bytes of what is needed, by its share of each block; an index counts with what it lists."""
    stored = 0.0
    for number, size in plain.items():
        block = index.block(number)
        stored += min(block.stored_size, block.share_of(size))
    whole = sum(block.stored_size for block in index.blocks())
    return round(pack.size * stored / whole) if whole else 0


Describe = Callable[[Sequence[Loss]], str]
"""Return the message of a transaction after which versions cannot be restored."""


def sweep(repository: Repository, author: str, describe: Describe, report: Callable[[int], None]) -> Swept:
    """Drop the packs that are not needed, or too little.

    Args:
        repository: nobody need keep off it meanwhile.
        author: of the transactions.
        describe: makes their message.
        report: told about bytes of packs that were looked at.

    Raises:
        UnavailableError: `busy_repository`, others changed what is needed again and again; what is dropped
            stays so.
        IntegrityError: as `survey`.
    """
    done = Swept((), (), ())
    for _ in range(ATTEMPTS):
        found = survey(repository, report)
        lost = losses(repository, found)
        sweeping = _Sweeping(repository, found, author, describe(lost))
        doomed = found.doomed
        try:
            for start in range(0, len(doomed), AT_ONCE):
                step = sweeping.drop(doomed[start : start + AT_ONCE])
                done = done.with_step(step._replace(lost=tuple(lost)))
        except _Outdated:
            continue
        repository.log.view.note_swept(found.number)
        return done
    raise UnavailableError(
        "busy_repository",
        f"{repository.url} changes faster than it can be looked through",
        fix="try again when fewer write to it; what was done stays done",
    )


class _Sweeping:
    """Drops packs that one survey found."""

    def __init__(self, repository: Repository, found: Survey, author: str, message: str) -> None:
        self._repository = repository
        self._objects = repository.objects
        self._marks = found.marks
        self._number = found.number
        self._generation = found.generation
        self._known = {use.pack.id for use in found.uses}
        self._author = author
        self._message = message
        self._since: list[Wanted] = []
        """Objects that versions need which came after the survey, and no others."""
        self._sound: dict[tuple[str, int], bool] = {}
        """Whether a block is as it was written."""

    def drop(self, uses: list[PackUse]) -> Swept:
        with self._repository.writer() as writer:
            dropped = [use.pack for use in uses if self._keep(writer, use, {use.pack.id for use in uses})]
            if not dropped:
                return Swept((), (), ())
            written, ids = writer.finish(), tuple(pack.id for pack in dropped)
            try:
                slot = self._repository.log.append(lambda view: self._draft(view, written, ids))
            except _Outdated:
                writer.take_back(written)
                raise
        self._generation += 1
        for pack in written:
            self._known.add(pack.id)
            self._repository.log.view.add_index(pack.id, writer.indexes[pack.id])
        return Swept((slot.number,), tuple(dropped), written)

    def _keep(self, writer: PackWriter, use: PackUse, leaving: set[str]) -> bool:
        """Write anew what is needed of a pack; False if that cannot be read, and the pack must stay as it is."""
        only_here = [slot for slot in use.twice if not self._is_elsewhere(writer, use.pack, slot, leaving)]
        try:
            copy_objects(self._objects, writer, use.pack, [*use.needed, *only_here])
        except DAMAGE:
            # Mending is for others. What was given to the writer is there twice then, which does no harm.
            return False
        return True

    def _is_elsewhere(self, writer: PackWriter, pack: PackEntry, slot: int, leaving: set[str]) -> bool:
        """Tell whether there is a copy that stays, and is as it was written."""
        item = self._objects.index(pack.id).item(slot)
        if writer.has(item.sort, item.id):
            return True
        others = [place for place in self._objects.places(item.sort, item.id) if place.pack not in leaving]
        return any(
            self._is_sound(place.pack, self._objects.index(place.pack).item(place.slot).block)
            for place in others
            if not self._objects.is_difference(place)
        )

    def _is_sound(self, pack_id: str, number: int) -> bool:
        key = (pack_id, number)
        if key not in self._sound:
            try:
                self._objects.stored_block(pack_id, self._objects.index(pack_id).block(number))
            except DAMAGE:
                self._sound[key] = False
            else:
                self._sound[key] = True
        return self._sound[key]

    def _draft(self, view: View, written: tuple[PackEntry, ...], ids: tuple[str, ...]) -> Draft:
        if view.generation != self._generation or any(view.pack_state(pack_id) != LIVE for pack_id in ids):
            raise _Outdated
        if self._is_needed_since(view, set(ids)):
            raise _Outdated
        return Draft(self._author, self._message, add=written, drop=ids, is_lossy=True)

    def _is_needed_since(self, view: View, leaving: set[str]) -> bool:
        """Tell whether a version that came after the survey needs what would go."""
        try:
            self._look_at_newcomers(view)
            return any(self._would_go(wanted, leaving) for wanted in self._since)
        except MlregError as error:
            # Half of a version may be marked now: begin again.
            raise _Outdated from error

    def _look_at_newcomers(self, view: View) -> None:
        for pack in view.live_packs():
            if pack.id not in self._known:
                self._marks.recipes.update(_recipes(self._objects, [pack]))
                # What was of no use may have become what others differ from.
                self._since.extend((Sort.PIECE, base) for base in self._objects.index(pack.id).bases)
                self._known.add(pack.id)
        names = view.names_since(self._number, "")
        new = [ref for name in names if (ref := view.ref(name)) and is_own(ref)]
        for tree in _trees(self._repository, new):
            self._since.extend(self._marks.add(tree))

    def _would_go(self, wanted: Wanted, leaving: set[str]) -> bool:
        places = self._objects.places(*wanted)
        return bool(places) and all(place.pack in leaving for place in places)


# What goes.


def losses(repository: Repository, found: Survey) -> list[Loss]:
    """Return the removed versions whose bytes a sweep takes, by name.

    Those are passed over of which something is gone already.
    """
    leaving = {use.pack.id for use in found.doomed}
    if not leaving:
        return []
    marks, lost = found.marks.copy(), []
    for ref in repository.log.view.refs("version/"):
        size = _size_gone(repository, ref, marks, leaving) if ref.target is None else None
        if size is not None:
            lost.append(Loss(ref.name, size))
    return lost


def _size_gone(repository: Repository, ref: RefState, marks: Marks, leaving: set[str]) -> int | None:
    """Return the bytes of a removed version that only it has; None if nothing of it goes, or some is gone already."""
    objects = repository.objects
    try:
        commits = present_commits(repository, [ref.removed] if ref.removed else [])
        gone = [wanted for commit in commits.values() for wanted in marks.add(commit.tree)]
        found = [(sort, places[0]) for sort, object_id in gone if (places := objects.places(sort, object_id))]
    except MlregError:
        return None
    going = [(sort, place) for sort, place in found if place.pack in leaving]
    if not going:
        return None
    return sum(objects.index(place.pack).item(place.slot).size for sort, place in going if sort is Sort.PIECE)


def last_sweep(repository: Repository) -> int:
    """Return the newest transaction that took objects away and whose packs are not deleted yet; 0 if there is none."""
    dropped = {number for _, number in repository.log.refresh().dropped_packs()}
    slots = (repository.log.slot(number) for number in sorted(dropped, reverse=True))
    return next((slot.number for slot in slots if slot and slot.is_lossy), 0)


def undo(repository: Repository, number: int, author: str) -> tuple[PackEntry, ...]:
    """Bring back the packs that a sweep dropped, as long as their files are there; empty if all are.

    Raises:
        NotFoundError: as `coming_back`.
    """
    back: list[PackEntry] = []

    def build(view: View) -> Draft:
        back[:] = coming_back(repository, view, number)
        if not back:
            raise Settled
        return Draft(author, f"take back what transaction {number} dropped", add=tuple(back))

    with suppress(Settled):
        repository.log.append(build)
        repository.log.view.note_swept(0)
    return tuple(back)


def coming_back(repository: Repository, view: View, number: int) -> tuple[PackEntry, ...]:
    """Return the packs that `undo` brings back in a state of the log.

    Raises:
        NotFoundError: `slot_missing`, there is no such transaction; `packs_deleted`, their files are gone.
    """
    dropped = [pack_id for pack_id in _dropped_by(repository, number) if view.pack_state(pack_id) != LIVE]
    # A copy of a repository, such as a restored backup, need not have the files of dropped packs.
    if any(view.pack_state(one) == REAPED or not _has_file(repository, view.pack(one)) for one in dropped):
        raise NotFoundError(
            "packs_deleted",
            f"the files of what transaction {number} dropped are deleted",
            fix="mlreg pull REMOTE REF, from a remote that has the versions",
        )
    return tuple(map(view.pack, dropped))


def _has_file(repository: Repository, pack: PackEntry) -> bool:
    return repository.store.size(pack_key(pack.id)) == pack.size


def _dropped_by(repository: Repository, number: int) -> tuple[str, ...]:
    slot = repository.log.slot(number)
    if slot is None:
        raise NotFoundError("slot_missing", f"there is no transaction {number}", fix="mlreg log")
    return slot.drop
