"""Copy versions from one repository to another: push, pull and clone are this one act.

What the target lacks is decided from its log and its indexes, never from what was sent before. Whole
packs are copied as they are; where only a part of a pack is wanted its blocks are, without decoding.
One transaction at the end makes everything visible, so a copy that was cut leaves nothing but packs
that the next attempt finds and uses.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import ConflictError, MlregError
from mlreg.formats.pack import Item, Sort
from mlreg.formats.transaction import ID_DIGITS, PackEntry, RefChange
from mlreg.ids import CommitId, ObjectId
from mlreg.operations.history import Wanted, needs_of, past, read_commit, tree_nodes
from mlreg.repository.log import Draft
from mlreg.repository.objects import lost, pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import LIVE, Place, View

Report = Callable[[int], None]
"""Told how many more bytes were copied."""


class Move(NamedTuple):
    """A name that the target is to have."""

    name: str
    """In the log of the target."""
    new: CommitId
    expected: CommitId | None
    """What the name must be there for the move to be safe; None means absent."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a transfer did."""

    moves: tuple[Move, ...]
    """Names that were set; empty if the target had everything."""
    packs: int
    size: int
    """Bytes that travelled."""


class _Settled(Exception):
    """The target has everything."""


def transfer(
    source: Repository,
    target: Repository,
    plan: Callable[[View], Sequence[Move]],
    author: str,
    message: str,
    report: Report,
) -> Transferred:
    """Copy what names need, then set the names, in one transaction of the target.

    Args:
        source: refreshed.
        target: gets the packs and the transaction.
        plan: says from the newest state of the target which names are to be set; raises ConflictError
            if one cannot be. Called again when someone else was faster.
        author: of the transaction.
        message: of the transaction.
        report: told about progress.

    Raises:
        ConflictError: from `plan`.
        IntegrityError: `object_missing`, the source does not have what it should.
    """
    while True:
        try:
            return _transfer(source, target, plan, author, message, report)
        except ConflictError as error:
            # Objects were collected from the target meanwhile: look again at what it lacks.
            if error.code not in ("pack_reaped", "objects_collected"):
                raise


def _transfer(
    source: Repository,
    target: Repository,
    plan: Callable[[View], Sequence[Move]],
    author: str,
    message: str,
    report: Report,
) -> Transferred:
    view = target.log.refresh()
    generation = view.generation
    moves = plan(view)
    if not moves:
        return Transferred((), 0, 0)
    copying = _Copying(source, target, report)
    copying.copy(missing_at(source, target, [move.new for move in moves]))
    done: list[Move] = []

    def build(view: View) -> Draft:
        if view.generation != generation:
            raise ConflictError("objects_collected", f"objects were collected at {target.url}", fix="try again")
        done[:] = plan(view)
        known = {move.new for move in moves}
        # The plan may shrink because another pusher was faster; what it adds was not copied.
        if any(move.new not in known for move in done):
            raise ConflictError("objects_collected", f"{target.url} changed while it was written to", fix="try again")
        if not done:
            raise _Settled
        refs = tuple(RefChange(move.name, move.expected, move.new) for move in done)
        # Another pusher, from a clone of the same repository, may have brought the same packs meanwhile.
        packs = tuple(pack for pack in copying.packs if view.pack_state(pack.id) != LIVE)
        return Draft(author, message, refs, packs)

    try:
        target.log.append(build)
    except _Settled:
        return Transferred((), 0, copying.size)
    return Transferred(tuple(done), len(copying.packs), copying.size)


def missing_at(source: Repository, target: Repository, tips: Iterable[CommitId]) -> list[Wanted]:
    """Return what the target lacks of these versions: their files, and the commits of their past.

    The files of earlier versions and of inputs are not among it: they travel when they are sent themselves.
    """
    wanted: dict[Wanted, None] = {}
    tips = [commit_id for commit_id in dict.fromkeys(tips) if not _is_version(target, commit_id)]
    for commit_id in tips:
        commit = read_commit(source, commit_id)
        wanted.update(dict.fromkeys(needs_of(source, commit, _known_nodes(source, target, commit.parents))))
    wanted.update(dict.fromkeys((Sort.COMMIT, commit_id) for commit_id in past(source, tips)))
    return target.objects.missing(wanted)


def _known_nodes(source: Repository, target: Repository, parents: Sequence[CommitId]) -> frozenset[ObjectId]:
    """Return the tree nodes of the versions before that are versions at the target too: it has all below them."""
    known: set[ObjectId] = set()
    for parent in parents:
        if _is_version(target, parent):
            known |= tree_nodes(source, read_commit(source, parent).tree)
    return frozenset(known)


def _is_version(repository: Repository, commit_id: CommitId) -> bool:
    """Tell whether a commit is a version there, and so has everything it needs."""
    return any(name.startswith("version/") for name in repository.log.view.names_of(commit_id))


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
            whole = len(chosen) == pack.objects
            entry = self._copy_whole(pack) if whole else self._copy_part(pack, sorted(chosen))
            self.packs.append(entry)

    def _place(self, sort: Sort, object_id: ObjectId) -> Place:
        places = self._source.objects.places(sort, object_id)
        if not places:
            raise lost(sort, object_id, None)
        return places[0]

    def _copy_whole(self, pack: PackEntry) -> PackEntry:
        """Copy a pack as it is, checking every block on the way."""
        entry = pack._replace(id=self._free_id(pack.id))
        if self._left_over(entry.id) == entry:
            return entry
        index = self._source.objects.index(pack.id)
        with self._target.store.upload(pack_key(entry.id)) as upload:
            for block in index.blocks():
                upload.write(self._source.objects.stored_block(pack.id, block))
                self._report(block.stored_size)
            upload.write(index.with_trailer())
        self.size += pack.size
        return entry

    def _copy_part(self, pack: PackEntry, chosen: Sequence[int]) -> PackEntry:
        """Copy some objects of a pack: blocks of which all is wanted as they are, others object by object."""
        index = self._source.objects.index(pack.id)
        pack_id = self._free_id(" ".join([pack.id, *map(str, chosen)]))
        wanted = [index.item(slot) for slot in chosen]
        left_over = self._left_over(pack_id)
        if left_over is not None and left_over.objects == len(wanted):
            return left_over
        with PackWriter(self._target.store, pack_ids=iter([pack_id]), pack_size=sys.maxsize) as writer:
            in_block = Counter(item.block for item in index.items())
            for number, group in groupby(sorted(wanted, key=_block_of), key=_block_of):
                items = list(group)
                if len(items) == in_block[number]:
                    block = index.block(number)
                    writer.add_block(index.kind, self._source.objects.stored_block(pack.id, block), block, items)
                else:
                    for item in items:
                        writer.add(item.sort, item.id, self._source.objects.read(item.sort, item.id))
                self._report(sum(item.size for item in items))
            (entry,) = writer.finish()
        self.size += entry.size
        return entry

    def _left_over(self, pack_id: str) -> PackEntry | None:
        """Return the whole pack that an attempt before this one left at the target under an id, if any."""
        try:
            return self._target.objects.describe_pack(pack_id)
        except MlregError:
            return None

    def _free_id(self, seed: str) -> str:
        """Return an id that the target's log never named: the pack's own, or one derived from the seed.

        The same seed gives the same id until the log names it, so that an attempt that was cut is found again.
        """
        candidate, salt = seed, 0
        while len(candidate) != ID_DIGITS or self._target.log.view.pack_state(candidate) is not None:
            salt += 1
            text = f"{self._target.identity.repository} {seed} {salt}"
            candidate = blake3(text.encode()).hexdigest()[:ID_DIGITS]
        return candidate


def _block_of(item: Item) -> int:
    return item.block
