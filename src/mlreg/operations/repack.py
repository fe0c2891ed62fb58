"""Storing what is there in fewer bytes: pieces as what they differ by from those of an earlier version or a base.

Nothing is ever stored so when it comes in, and no id changes. What differs and its base have the same place in two
files: numbers of the same tensor, as a rule. A base is never a difference itself, so that reading a piece takes two
reads at most; a piece that has moved too far from its base stays whole, and those of later versions differ from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import partial
from typing import NamedTuple

from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.planes import Planes, Shape, shape_of
from mlreg.errors import IntegrityError
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.recipe import Part
from mlreg.formats.transaction import PackEntry
from mlreg.formats.tree import File, differences
from mlreg.ids import CommitId, ContentId
from mlreg.operations.history import is_version, read_commits
from mlreg.operations.ingest import Report
from mlreg.operations.lineage import present_commits
from mlreg.operations.looking_again import again_if_collected
from mlreg.operations.rewriting import copy_block, replace_packs
from mlreg.repository.objects import Objects
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import LIVE, Place

SMALLEST = 64 * 1024
"""Bytes of a piece that is worth a base."""
SAMPLE = 128 * 1024
"""Bytes that decide whether a piece is stored as a difference."""
WORTH = 0.8
"""Share of what it takes alone that a difference may take."""
GAIN = 0.05
"""Share of a pack that must be saved for it to be written anew."""
AT_ONCE = 256
"""Packs that one transaction replaces, at most."""
MOST_PARTS = 20_000
"""Pieces of a file whose places are compared where two files do not have the same sizes."""
PLANES = Planes()


class Repacked(NamedTuple):
    """What was stored in fewer bytes."""

    pieces: int
    """That are differences now, and were not."""
    replaced: tuple[PackEntry, ...]
    written: tuple[PackEntry, ...]
    """That replace them."""

    def with_step(self, step: Repacked) -> Repacked:
        """Return what both did together."""
        return Repacked(self.pieces + step.pieces, self.replaced + step.replaced, self.written + step.written)


NOTHING = Repacked(0, (), ())


def repack(repository: Repository, author: str, report: Report) -> Repacked:
    """Store pieces as differences where that pays; the packs they were in are dropped, and their files stay.

    Args:
        repository: nobody need keep off it meanwhile; packs that someone else replaces are left alone.
        author: of the transactions.
        report: told about bytes of packs that were looked at.

    Raises:
        IntegrityError: `object_damaged`, what was made does not give back what it was made from.
    """
    found = again_if_collected(repository, lambda: _found(repository))
    packs, done = found.packs, NOTHING
    for start in range(0, len(packs), AT_ONCE):
        some = packs[start : start + AT_ONCE]
        done = done.with_step(again_if_collected(repository, partial(_rewritten, repository, author, some, found)))
        for pack in some:
            report(pack.size)
    return done


class _Found(NamedTuple):
    """What should be stored in fewer bytes."""

    generation: int
    """In which the bases were there."""
    bases: dict[ContentId, ContentId]
    """Of each piece that should be a difference."""
    packs: list[PackEntry]
    """That those pieces lie in."""


def _found(repository: Repository) -> _Found:
    generation = repository.log.refresh().generation
    repository.objects.take_up_all()
    bases = _Choice(repository).bases()
    return _Found(generation, bases, _packs_of(repository, bases))


def _rewritten(repository: Repository, author: str, packs: Sequence[PackEntry], found: _Found) -> Repacked:
    """Write packs anew, but those that have left; none if a collector came: it may have taken a base."""
    if repository.log.view.generation != found.generation:
        return NOTHING
    with repository.writer() as writer:
        rewriting = _Rewriting(repository.objects, writer, found.bases)
        for pack in packs:
            if repository.log.view.pack_state(pack.id) == LIVE:
                rewriting.rewrite(pack)
        return _replaced(repository, author, writer, rewriting, found.generation)


def _packs_of(repository: Repository, pieces: Iterable[ContentId]) -> list[PackEntry]:
    view = repository.log.view
    named = {places[0].pack for piece in pieces if (places := view.places(Sort.PIECE, piece))}
    return [pack for pack in view.live_packs() if pack.id in named]


def _replaced(
    repository: Repository, author: str, writer: PackWriter, rewriting: _Rewriting, generation: int
) -> Repacked:
    """Let the log name the new packs instead of the old ones.

    Nothing is done if those are not live any more, or if a collector came in between: it may have taken a base.
    """
    if not rewriting.replaced:
        return NOTHING
    written = writer.finish()
    if not replace_packs(
        repository, author, "repack", rewriting.replaced, written, lambda view: view.generation != generation
    ):
        writer.take_back(written)
        return NOTHING
    return Repacked(rewriting.pieces, tuple(rewriting.replaced), written)


class _Choice:
    """Finds the base of each piece that has one, from the first version to the last."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._objects = repository.objects
        self._bases: dict[ContentId, ContentId] = {}
        packs = (pack for pack in repository.log.view.live_packs() if pack.kind is PackKind.DATA)
        self._whole = {base for pack in packs for base in repository.objects.index(pack.id).bases}
        """Pieces that must not become differences: others differ from them."""

    def bases(self) -> dict[ContentId, ContentId]:
        """Return the base of each piece that should be a difference."""
        for before, after in self._files():
            for piece, base in self._pairs(before, after):
                self._consider(piece, base)
        return self._bases

    def _files(self) -> Iterator[tuple[File, File]]:
        """Yield files of versions with those at the same path of what they were made from."""
        refs = [ref for ref in self._repository.log.view.refs("version/") if ref.target]
        ids = [ref.target for ref in sorted(refs, key=lambda ref: ref.number) if ref.target]
        commits = read_commits(self._repository, ids)
        load = self._objects.read_tree
        for commit_id in ids:
            commit = commits[commit_id]
            origins: list[CommitId] = [*commit.parents, *(one.commit for one in commit.inputs)]
            # Of others the files may be gone, or go at any time.
            there = [origin for origin in origins if is_version(self._repository, origin)]
            for origin in present_commits(self._repository, there).values():
                for changed in differences(origin.tree, commit.tree, load, load):
                    if changed.before and changed.after and min(changed.before.size, changed.after.size) >= SMALLEST:
                        yield changed.before, changed.after

    def _pairs(self, before: File, after: File) -> Iterator[tuple[ContentId, ContentId]]:
        """Yield pieces of two files that have the same place, and the same size, in both."""
        old, new = (list(self._objects.parts_of(file.id, file.size)) for file in (before, after))
        for one, other in _aligned(new, old):
            if one.id != other.id and one.end - one.start >= SMALLEST:
                yield ContentId(one.id), ContentId(other.id)

    def _consider(self, piece: ContentId, base: ContentId) -> None:
        if piece in self._bases or piece in self._whole:
            return
        stored = self._stored(piece)
        if stored is None or stored.codec == DIFFERENCE.number:
            return
        base = self._root(base)
        if base != piece and _pays(stored, self._objects, base):
            self._bases[piece] = base
            self._whole.add(base)

    def _root(self, piece: ContentId) -> ContentId:
        """Return the piece that another one differs from, or will; itself if it is whole."""
        stored = self._stored(piece)
        if stored and stored.codec == DIFFERENCE.number:
            return ContentId(DIFFERENCE.base_of(stored.data))
        return self._bases.get(piece, piece)

    def _stored(self, piece: ContentId) -> _Stored | None:
        places = self._objects.places(Sort.PIECE, piece)
        return _stored_at(self._objects, places[0].pack, places[0].slot) if places else None


class _Stored(NamedTuple):
    """A piece that has a block of its own."""

    id: ContentId
    codec: int
    data: bytes
    size: int
    """Plain bytes."""

    def shape(self) -> Shape | None:
        """Return how numbers lie in it, if that was known when it was stored."""
        return shape_of(self.data) if self.codec == PLANES.number else None


def _stored_at(objects: Objects, pack_id: str, slot: int) -> _Stored | None:
    index = objects.index(pack_id)
    item = index.item(slot)
    block = index.block(item.block)
    if item.sort is not Sort.PIECE or item.size != block.plain_size:
        return None
    return _Stored(ContentId(item.id), block.codec, objects.stored_block(pack_id, block), item.size)


def _pays(stored: _Stored, objects: Objects, base: ContentId) -> bool:
    """Tell from the beginning of a piece whether it takes clearly less as a difference."""
    shape = stored.shape()
    if shape is None:
        return False
    plain = memoryview(objects.read(Sort.PIECE, stored.id))[:SAMPLE]
    other = objects.read(Sort.PIECE, base)
    if len(other) != stored.size:
        return False
    alone = PLANES.encode_as(plain, shape)
    difference = DIFFERENCE.encode(plain, base, memoryview(other)[:SAMPLE], shape)
    return len(difference) <= WORTH * len(alone)


def _aligned(one: list[Part], other: list[Part]) -> Iterator[tuple[Part, Part]]:
    """Yield the parts that stand at the same place of two files, by the sizes of all parts."""
    sizes = [[part.end - part.start for part in parts] for parts in (one, other)]
    if sizes[0] == sizes[1]:
        yield from zip(one, other, strict=True)
    elif max(map(len, sizes)) <= MOST_PARTS:
        for start, at, count in SequenceMatcher(None, sizes[0], sizes[1], autojunk=False).get_matching_blocks():
            yield from zip(one[start : start + count], other[at : at + count], strict=True)


class _Rewriting:
    """Writes packs anew, with differences in them, where that saves something."""

    def __init__(self, objects: Objects, writer: PackWriter, bases: dict[ContentId, ContentId]) -> None:
        self._objects = objects
        self._writer = writer
        self._bases = bases
        self.pieces = 0
        self.replaced: list[PackEntry] = []

    def rewrite(self, pack: PackEntry) -> None:
        """Write a pack anew, or leave it."""
        index = self._objects.index(pack.id)
        if any(self._is_whole_elsewhere(pack, slot) for slot in range(len(index))):
            return  # others may differ from it, and of two copies one would be left
        found = list(self._differences(pack))
        if sum(len(stored.data) - len(made) for stored, made in found) < GAIN * pack.size:
            return
        items = index.items_by_block()
        differences = {stored.id: made for stored, made in found}
        for number, block in enumerate(index.blocks()):
            piece = ContentId(items[number][0].id)
            if piece in differences:
                self._writer.add_difference(piece, block.plain_size, differences[piece])
            else:
                copy_block(self._objects, self._writer, pack, block, items[number])
        self.pieces += len(differences)
        self.replaced.append(pack)

    def _is_whole_elsewhere(self, pack: PackEntry, slot: int) -> bool:
        """Tell whether a piece that is a difference here has a whole copy."""
        if not self._objects.index(pack.id).bases or not self._objects.is_difference(Place(pack.id, slot)):
            return False
        item = self._objects.index(pack.id).item(slot)
        return not all(map(self._objects.is_difference, self._objects.places(item.sort, item.id)))

    def _differences(self, pack: PackEntry) -> Iterator[tuple[_Stored, bytes]]:
        """Yield the pieces of a pack that take less as differences, with those, proven by decoding them."""
        for slot in range(len(self._objects.index(pack.id))):
            item = self._objects.index(pack.id).item(slot)
            base = self._bases.get(ContentId(item.id))
            stored = _stored_at(self._objects, pack.id, slot) if base else None
            if base and stored and (shape := stored.shape()):
                made = self._difference(stored, base, shape)
                if len(made) <= WORTH * len(stored.data):
                    yield stored, made

    def _difference(self, stored: _Stored, base: ContentId, shape: Shape) -> bytes:
        plain, other = (self._objects.read(Sort.PIECE, piece) for piece in (stored.id, base))
        made = DIFFERENCE.encode(plain, base, other, shape)
        if DIFFERENCE.decode(made, other, stored.size) != plain:
            raise IntegrityError(
                "object_damaged",
                f"a difference of piece {stored.id} does not give it back",
                fix="mlreg verify; nothing was replaced",
            )
        return made
