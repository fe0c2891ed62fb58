"""Copy versions from one repository to another: push, pull and clone are this one act.

What the target lacks is decided from its log and its indexes, never from what was sent before. Whole
packs are copied as they are; where only a part of a pack is wanted its blocks are, without decoding.
One transaction at the end makes everything visible, or one for each some thousand names, so a copy that
was cut leaves nothing but packs that the next attempt finds and uses.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, groupby
from typing import Any, NamedTuple

from blake3 import blake3

from mlreg.codecs.difference import DIFFERENCE
from mlreg.errors import ConflictError, IntegrityError, NotFoundError, RefusedError
from mlreg.formats.pack import Item, PackIndex, Sort
from mlreg.formats.transaction import ID_DIGITS, PackEntry, RefChange
from mlreg.ids import CommitId, ObjectId
from mlreg.operations.history import Wanted, is_version, needs_of, past, read_commit, tree_nodes
from mlreg.operations.holding import Holdings
from mlreg.operations.looking_again import DAMAGE, again_if_collected, live_packs
from mlreg.operations.merging import keep_few
from mlreg.operations.rewriting import copy_pack, read_pack
from mlreg.repository.log import Draft, Settled
from mlreg.repository.objects import REPAIR, pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, LIVE, REAPED, Place, View

Report = Callable[[int], None]
"""Told how many more bytes were copied."""
Lacking = Callable[[Repository, Repository, Iterable[CommitId]], list[Wanted]]
"""Says what a target lacks of versions of a source."""
Accept = Callable[[Repository, Repository, Sequence[PackEntry]], None]
"""Looks at packs that were copied from a source to a target before a name rests on them."""
MOVES = 8000
"""Names that one transaction sets, so that it fits a slot of the log with the packs that they need."""


class Move(NamedTuple):
    """A name that the target is to have."""

    name: str
    """In the log of the target."""
    new: CommitId
    expected: CommitId | None
    """What the name must be there for the move to be safe; None means absent."""


class Sending(NamedTuple):
    """What the target is to get."""

    moves: Sequence[Move]
    notes: Sequence[dict[str, Any]] = ()
    """Statements that it lacks, about what it has or gets."""

    def first(self, limit: int) -> Sending:
        """Return at most so many moves and notes; the moves come first, since the notes are about them."""
        moves = self.moves[:limit]
        return Sending(moves, self.notes[: limit - len(moves)])


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a transfer did."""

    moves: tuple[Move, ...]
    """Names that were set; empty if the target had everything."""
    notes: int
    """Statements that travelled."""
    packs: int
    size: int
    """Bytes that travelled."""

    def with_step(self, step: Transferred) -> Transferred:
        """Return what both did together."""
        moves, notes = self.moves + step.moves, self.notes + step.notes
        return Transferred(moves, notes, self.packs + step.packs, self.size + step.size)


def missing_at(source: Repository, target: Repository, tips: Iterable[CommitId]) -> list[Wanted]:
    """Return what the target lacks of these versions: their files, and the commits of their past.

    The files of earlier versions and of inputs are not among it: they travel when they are sent themselves.
    """
    wanted: dict[Wanted, None] = {}
    tips = [commit_id for commit_id in dict.fromkeys(tips) if not is_version(target, commit_id)]
    for commit_id in tips:
        commit = read_commit(source, commit_id)
        wanted.update(dict.fromkeys(needs_of(source, commit, _known_nodes(source, target, commit.parents))))
    wanted.update(dict.fromkeys((Sort.COMMIT, commit_id) for commit_id in past(source, tips)))
    target.objects.take_up_all()
    holdings = Holdings(target)
    return [(sort, object_id) for sort, object_id in wanted if not holdings.has(sort, object_id)]


def _trust(source: Repository, target: Repository, packs: Sequence[PackEntry]) -> None:
    """Accept what comes from here."""


def transfer(
    source: Repository,
    target: Repository,
    plan: Callable[[View], Sending],
    author: str,
    message: str,
    report: Report,
    *,
    lacking: Lacking = missing_at,
    accept: Accept = _trust,
) -> Transferred:
    """Copy what names need, then set the names; in one transaction of the target, unless there are too many.

    Args:
        source: refreshed, and read again where a collector took something away meanwhile.
        target: gets the packs and the transaction.
        plan: says from the newest state of the target which names are to be set, and what is to be stated;
            raises ConflictError if that cannot be. Called again when someone else was faster.
        author: of the transaction.
        message: of the transaction.
        report: told about progress.
        lacking: says what is to be copied.
        accept: refuses what must not get a name.

    Raises:
        ConflictError: from `plan`.
        IntegrityError: `object_missing`, the source does not have what it should; or from `accept`.
    """
    done, limit = Transferred((), 0, 0, 0), MOVES
    while True:
        try:
            first = partial(_first, plan, limit)
            copy = partial(_transfer, source, target, first, author, message, report, lacking=lacking, accept=accept)
            step = again_if_collected(source, copy)
        except ConflictError as error:
            # Objects were collected from the target meanwhile: look again at what it lacks.
            if error.code not in ("pack_reaped", "objects_collected"):
                raise
        except RefusedError as error:
            if error.code != "transaction_too_large" or limit == 1:
                raise
            limit //= 2
        else:
            done = done.with_step(step)
            if len(step.moves) + step.notes < limit:
                return done


def _first(plan: Callable[[View], Sending], limit: int, view: View) -> Sending:
    return plan(view).first(limit)


def _transfer(
    source: Repository,
    target: Repository,
    plan: Callable[[View], Sending],
    author: str,
    message: str,
    report: Report,
    *,
    lacking: Lacking,
    accept: Accept,
) -> Transferred:
    generation, planned = target.log.refresh().generation, plan(target.log.view)
    if not planned.moves and not planned.notes:
        return Transferred((), 0, 0, 0)
    tips = {move.new: None for move in planned.moves}
    copying = _Copying(source, target, report)
    with _named(source):
        copying.copy(lacking(source, target, tips))
    with _unless_collected(generation, target, copying.packs):
        accept(source, target, copying.packs)
    done = Sending(())

    def build(view: View) -> Draft:
        _refuse_collected(view, generation, target)
        nonlocal done
        done = plan(view)
        # The plan may shrink because another pusher was faster; what it adds was not copied.
        if any(move.new not in tips for move in done.moves):
            raise ConflictError("objects_collected", f"{target.url} changed while it was written to", fix="try again")
        if not done.moves and not done.notes:
            raise Settled
        refs = tuple(RefChange(move.name, move.expected, move.new) for move in done.moves)
        # Another pusher, from a clone of the same repository, may have brought the same packs meanwhile.
        packs = tuple(pack for pack in copying.packs if not _is_named(view, pack))
        return Draft(author, message, refs, packs, notes=tuple(done.notes))

    try:
        target.log.append(build, source.identity.repository)
    except Settled:
        return Transferred((), 0, 0, copying.size)
    keep_few(target, author, copying.packs)
    return Transferred(tuple(done.moves), len(done.notes), len(copying.packs), copying.size)


@contextmanager
def _named(source: Repository) -> Iterator[None]:
    """Say of damage in which of both repositories it is."""
    try:
        yield
    except IntegrityError as error:
        if error.fix != REPAIR:
            raise
        fix = f"mlreg repair {source.url}, by someone who has it whole", f"what is hurt: mlreg verify {source.url}"
        raise IntegrityError(error.code, f"{error.message}, in {source.url}", why=error.why, fix=fix) from error


@contextmanager
def _unless_collected(generation: int, target: Repository, copied: Sequence[PackEntry]) -> Iterator[None]:
    """Take what cannot be read of packs that left meanwhile for no damage: then it is to be tried again."""
    before = live_packs(target)
    try:
        yield
    except DAMAGE as error:
        view = target.log.refresh()
        _refuse_collected(view, generation, target)
        is_gone = any(view.pack_state(pack.id) in (DROPPED, REAPED) for pack in copied)
        if is_gone or not before <= live_packs(target):
            raise _collected(target) from error
        raise


def _collected(target: Repository) -> ConflictError:
    return ConflictError("objects_collected", f"objects were collected at {target.url}", fix="try again")


def _refuse_collected(view: View, generation: int, target: Repository) -> None:
    if view.generation != generation:
        raise _collected(target)


def _is_named(view: View, pack: PackEntry) -> bool:
    """Tell whether the log names a pack already, as exactly this one."""
    if view.pack_state(pack.id) != LIVE:
        return False
    if view.pack(pack.id) != pack:
        raise ConflictError("objects_collected", f"pack {pack.id} was written by someone else", fix="try again")
    return True


def _known_nodes(source: Repository, target: Repository, parents: Sequence[CommitId]) -> frozenset[ObjectId]:
    """Return the tree nodes of the versions before that are versions at the target too: it has all below them.

    Of one that was removed here the nodes may be gone.
    """
    known: set[ObjectId] = set()
    for parent in parents:
        if is_version(target, parent) and is_version(source, parent):
            known |= tree_nodes(source, read_commit(source, parent).tree)
    return frozenset(known)


class _Copying:
    """Copies objects from pack to pack. What an attempt that was cut left at the target is used."""

    def __init__(self, source: Repository, target: Repository, report: Report) -> None:
        self._source = source
        self._target = target
        self._report = report
        self.packs: list[PackEntry] = []
        self.size = 0

    def copy(self, wanted: Sequence[Wanted]) -> None:
        """Copy objects, grouped by the packs they lie in."""
        slots: dict[str, list[int]] = {}
        for sort, object_id in wanted:
            place = self._place(sort, object_id)
            slots.setdefault(place.pack, []).append(place.slot)
        for pack_id, chosen in slots.items():
            pack = self._source.log.view.pack(pack_id)
            # Its bases may not be there.
            whole = len(chosen) == pack.objects and not self._source.objects.index(pack_id).bases
            entry = self._copy_whole(pack) if whole else self._copy_part(pack, sorted(chosen))
            self.packs.append(entry)

    def _place(self, sort: Sort, object_id: ObjectId) -> Place:
        places = self._source.objects.places(sort, object_id)
        if not places:
            raise self._source.objects.lost(sort, object_id)
        return places[0]

    def _copy_whole(self, pack: PackEntry) -> PackEntry:
        """Copy a pack as it is, checking every block on the way."""
        index = self._source.objects.index(pack.id)

        def write(pack_id: str) -> PackEntry:
            with self._target.store.upload(pack_key(pack_id)) as upload:
                copy_pack(self._source.objects, pack, index, upload, self._report)
            return pack._replace(id=pack_id)

        return self._keep(pack.id, write, lambda found, _: found == pack._replace(id=found.id))

    def _copy_part(self, pack: PackEntry, chosen: Sequence[int]) -> PackEntry:
        """Copy some objects of a pack: blocks of which all is wanted as they are, others object by object."""
        index = self._source.objects.index(pack.id)
        wanted = [index.item(slot) for slot in chosen]
        named = {(item.sort, item.id) for item in wanted}

        def write(pack_id: str) -> PackEntry:
            with PackWriter(self._target.store, pack_ids=iter([pack_id]), pack_size=sys.maxsize) as writer:
                self._fill(writer, pack.id, index, wanted)
                (entry,) = writer.finish()
            return entry

        seed = " ".join([pack.id, *map(str, chosen)])
        return self._keep(seed, write, lambda _, found: {(item.sort, item.id) for item in found.items()} == named)

    def _fill(self, writer: PackWriter, pack_id: str, index: PackIndex, wanted: Sequence[Item]) -> None:
        in_block = Counter(item.block for item in index.items())
        for number, group in groupby(sorted(wanted, key=_block_of), key=_block_of):
            items = list(group)
            block = index.block(number)
            if len(items) == in_block[number] and block.codec != DIFFERENCE.number:
                writer.add_block(index.kind, self._source.objects.stored_block(pack_id, block), block, items)
            else:
                for item in items:
                    writer.add(item.sort, item.id, self._source.objects.read(item.sort, item.id))
            self._report(sum(item.size for item in items))

    def _keep(
        self, seed: str, write: Callable[[str], PackEntry], is_it: Callable[[PackEntry, PackIndex], bool]
    ) -> PackEntry:
        """Write a pack under the first id that is free, or find that it was written there already.

        What is under an id is never replaced: it may be the work of another pusher, who has the same
        objects in other bytes, and whose transaction names it.
        """
        for pack_id in self._free_ids(seed):
            if self._target.store.size(pack_key(pack_id)) is None:
                try:
                    entry = write(pack_id)
                except ConflictError as error:
                    if error.code != "key_exists":
                        raise
                else:
                    self.size += entry.size
                    return entry
            try:
                entry, index = self._target.objects.describe_pack(pack_id)
            except (IntegrityError, NotFoundError):
                continue
            if is_it(entry, index) and self._is_whole(entry, index):
                return entry
        raise AssertionError("there is always another id")

    def _is_whole(self, pack: PackEntry, index: PackIndex) -> bool:
        """Tell whether a pack that was left there is as it was written."""
        try:
            read_pack(self._target.objects, pack, index)
        except DAMAGE:
            return False
        return True

    def _free_ids(self, seed: str) -> Iterator[str]:
        """Yield ids that the target's log never named: the pack's own, then ones derived from the seed.

        The same seed gives the same ids, so that what an attempt that was cut has written is found again.
        """
        derived = (blake3(f"{self._target.identity.repository} {seed} {salt}".encode()) for salt in count(1))
        own = [seed] if len(seed) == ID_DIGITS else []
        for pack_id in chain(own, (found.hexdigest()[:ID_DIGITS] for found in derived)):
            if self._target.log.view.pack_state(pack_id) is None:
                yield pack_id


def _block_of(item: Item) -> int:
    return item.block
