"""Reading what is stored, each byte once, on all cores: is it as it was written, and is every id right?"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice, pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from blake3 import blake3

from mlreg.codecs.codec import Buffer
from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.raw import Raw
from mlreg.errors import IntegrityError, MlregError
from mlreg.formats.pack import ID_OF, SUM_SIZE, Block, Item, PackIndex, Sort, by_block
from mlreg.formats.recipe import Part, Recipe
from mlreg.ids import ContentId
from mlreg.operations.history import Wanted
from mlreg.operations.looking_again import DAMAGE
from mlreg.repository.objects import REPAIR, damaged_block, pack_key
from mlreg.repository.pool import Pool
from mlreg.repository.repository import Repository
from mlreg.repository.view import Place

if TYPE_CHECKING:
    from concurrent.futures import Future

THREADS = min(8, os.cpu_count() or 1)
AHEAD = 2 * THREADS
"""Tasks that are begun before their results are asked for."""
AT_ONCE = 2 * 1024 * 1024
"""Stored bytes that are read in one go, about, if there are so many blocks in a row."""
LOOKED_UP = 500
"""Pieces that are looked for at once."""
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
Wrong = list[tuple[Item | None, MlregError]]
"""Objects whose bytes are not theirs, each with the reason; None for a block that is damaged, and has no objects."""


class _Run(NamedTuple):
    """Blocks in a row that were read."""

    pack: str
    numbers: range
    wrong: Wrong
    plain: dict[int, Buffer]
    """The bytes of those that are whole, if they were asked for."""


class _Stretch(NamedTuple):
    """Pieces of a file that follow each other in blocks in a row."""

    pack: str
    numbers: range
    pieces: list[tuple[Part, Item]]


class _Bytes(NamedTuple):
    """The bytes of pieces, and what was read for them."""

    pieces: list[Buffer]
    run: _Run


class Reader:
    """Reads packs and large files of one repository; a block that was read for a file is not read for its pack.

    Use it as a context.
    """

    def __init__(self, repository: Repository, *, decodes: bool, report: Callable[[int], None]) -> None:
        """Read nothing yet.

        Args:
            repository: whose view has the indexes of the packs.
            decodes: whether blocks are decoded, and the ids of what is in them computed again.
            report: told how many more stored bytes were read.
        """
        self._repository = repository
        self.decodes = decodes
        self._report = report
        self._pool = Pool(THREADS, "mlreg-check")
        self._done: dict[str, bytearray] = {}
        """Of each pack that was begun, which blocks were read."""
        self._left: dict[str, int] = {}
        """Of each pack that was begun, how many blocks were not read."""
        self._finished: list[str] = []
        self._items: dict[str, list[Item]] = {}
        """Of the packs that are being read, all objects."""
        self._by_block: dict[str, dict[int, list[Item]]] = {}
        self.bad: dict[Wanted, dict[str, MlregError]] = {}
        """In which packs an object's copy is damaged, and how."""
        self.errors: dict[str, list[MlregError]] = {}
        """What is wrong in the packs that are not whole."""
        self.objects = 0
        """Whose ids were computed again."""
        self.size = 0

    def __enter__(self) -> Reader:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self._pool.shutdown()

    def read_pack(self, pack: str, is_chosen: Callable[[int], bool] = lambda number: True) -> None:
        """Read the blocks of a pack that were not read yet, of those that are chosen."""
        try:
            done = self._begun(pack)
        except DAMAGE as error:
            # It was deleted since it was listed: who looks again finds what it held elsewhere.
            self.errors.setdefault(pack, []).append(error)
            return
        numbers = [number for number in range(len(done)) if not done[number] and is_chosen(number)]
        for run in self._ahead(lambda some: self._read_run(pack, some), _runs(self._index(pack), numbers)):
            self._take(run)
        self._let_go(pack)

    def taken_finished(self) -> list[str]:
        """Return the packs of which all was read since this was asked."""
        finished, self._finished = self._finished, []
        return finished

    def read_file(self, content: ContentId, recipe: Recipe) -> IntegrityError | None:
        """Read the pieces of a large file, and compare what they add up to with its id.

        Returns:
            What is wrong with its recipe.

        Raises:
            IntegrityError: `object_missing`, `object_damaged`, of a piece.
        """
        hasher = blake3()
        try:
            parts = self._repository.objects.parts_in(recipe)
            for found in self._ahead(self._read_stretch, self._stretches(parts)):
                self._take(found.run)
                for data in found.pieces:
                    hasher.update(data)
        except IntegrityError as error:
            if error.code != "bad_recipe":
                raise
            return error
        if hasher.digest() == content:
            return None
        return IntegrityError("content_mismatch", f"the pieces of a file do not add up to {content}", fix=REPAIR)

    def _ahead(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        """Yield what comes of tasks, in their order; the next ones are worked on meanwhile, and no more."""
        waiting: deque[Future[_Result]] = deque()
        for task in tasks:
            waiting.append(self._pool.submit(work, task))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _index(self, pack: str) -> PackIndex:
        return self._repository.objects.index(pack)

    def _begun(self, pack: str) -> bytearray:
        if pack not in self._done:
            self._left[pack] = self._index(pack).block_count()
            self._done[pack] = bytearray(self._left[pack])
        return self._done[pack]

    def _items_of(self, pack: str, number: int) -> list[Item]:
        if pack not in self._by_block:
            self._by_block[pack] = by_block(self._all_items(pack))
        return self._by_block[pack].get(number, [])

    def _all_items(self, pack: str) -> list[Item]:
        if pack not in self._items:
            self._items[pack] = list(self._index(pack).items())
        return self._items[pack]

    def _let_go(self, pack: str) -> None:
        self._items.pop(pack, None)
        self._by_block.pop(pack, None)

    def _take(self, run: _Run) -> None:
        """Count what was read, once."""
        done, index = self._begun(run.pack), self._index(run.pack)
        new = [number for number in run.numbers if not done[number]]
        size = sum(index.block(number).stored_size for number in new)
        for number in new:
            done[number] = 1
            self.objects += len(self._items_of(run.pack, number)) if self.decodes else 0
        if new:
            self.size += size
            self._report(size)
            self._left[run.pack] -= len(new)
            if not self._left[run.pack]:
                self._finished.append(run.pack)
                self._let_go(run.pack)
        for item, error in run.wrong:
            self.errors.setdefault(run.pack, []).append(error)
            if item:
                self.bad.setdefault((item.sort, item.id), {})[run.pack] = error

    # In threads.

    def _read_run(self, pack: str, numbers: range, *, keeps: bool = False) -> _Run:
        index = self._index(pack)
        blocks = [index.block(number) for number in numbers]
        first, size = blocks[0], sum(block.stored_size for block in blocks)
        try:
            data = memoryview(self._repository.store.read(pack_key(pack), first.offset, size))
        except DAMAGE as error:
            if len(numbers) == 1:
                return _Run(pack, numbers, self._all_wrong(pack, numbers[0], error), {})
            # Perhaps only one of them cannot be read.
            parts = [self._read_run(pack, range(number, number + 1)) for number in numbers]
            return _Run(pack, numbers, [one for part in parts for one in part.wrong], {})
        wrong: Wrong = []
        plain: dict[int, Buffer] = {}
        for number, block in zip(numbers, blocks, strict=True):
            stored = data[block.offset - first.offset :][: block.stored_size]
            some, decoded = self._compared(pack, number, block, stored)
            wrong += some
            if keeps and decoded is not None:
                plain[number] = decoded
        return _Run(pack, numbers, wrong, plain)

    def _compared(self, pack: str, number: int, block: Block, stored: memoryview) -> tuple[Wrong, Buffer | None]:
        """Return what of a block is not as it was written, and its plain bytes if they are."""
        digest = blake3(stored).digest()
        error: MlregError | None = None
        plain: Buffer | None = None
        if len(stored) != block.stored_size or digest[:SUM_SIZE] != block.sum:
            error = damaged_block(pack, block)
        elif self.decodes:
            try:
                self._refuse_hidden_base(pack, block, stored)
                plain = memoryview(self._repository.objects.decoded(block, stored))
            except DAMAGE as problem:
                error = problem
        if error:
            return self._all_wrong(pack, number, error), None
        if plain is None:
            return [], None
        # Of bytes that are stored as they are, one hash says all.
        known = digest if block.codec == Raw.number else b""
        wrong = [item for item in self._items_of(pack, number) if not _is_right(item, plain, known)]
        return [(item, _other_bytes(pack, item)) for item in wrong], None if wrong else plain

    def _refuse_hidden_base(self, pack: str, block: Block, stored: memoryview) -> None:
        """Refuse a difference from a piece that the index does not name: who collects would not see it is needed."""
        if block.codec == DIFFERENCE.number and DIFFERENCE.base_of(stored) not in self._index(pack).bases:
            why = "a block differs from a piece that the index does not name"
            raise IntegrityError("bad_block", f"{pack_key(pack)} is not as mlreg writes it", why=why, fix=REPAIR)

    def _all_wrong(self, pack: str, number: int, error: MlregError) -> Wrong:
        return [(item, error) for item in self._items_of(pack, number)] or [(None, error)]

    def _stretches(self, parts: Iterator[Part]) -> Iterator[_Stretch]:
        """Yield the pieces of a file, those together that are read in one go."""
        pieces: list[tuple[Part, Item]] = []
        pack, size = "", 0
        for part, place in self._placed(parts):
            item = self._all_items(place.pack)[place.slot]
            follows = place.pack == pack and 0 <= item.block - pieces[-1][1].block <= 1
            if pieces and (not follows or size >= AT_ONCE):
                yield _stretch(pack, pieces)
                pieces, size = [], 0
            if not pieces or item.block != pieces[-1][1].block:
                # All of it is kept, however little of it is asked for.
                size += self._index(place.pack).block(item.block).plain_size
            pack = place.pack
            pieces.append((part, item))
        if pieces:
            yield _stretch(pack, pieces)

    def _placed(self, parts: Iterator[Part]) -> Iterator[tuple[Part, Place]]:
        """Yield pieces with where they lie; many are looked up at once."""
        while some := list(islice(parts, LOOKED_UP)):
            found = self._repository.log.view.places_of(Sort.PIECE, [part.id for part in some])
            for part in some:
                if part.id not in found:
                    raise self._repository.objects.lost(Sort.PIECE, part.id)
                yield part, found[part.id][0]

    def _read_stretch(self, stretch: _Stretch) -> _Bytes:
        run = self._read_run(stretch.pack, stretch.numbers, keeps=True)
        found: list[Buffer] = []
        for block, some in groupby(stretch.pieces, key=lambda piece: piece[1].block):
            pieces = list(some)
            plain, start, end = run.plain.get(block), pieces[0][1], pieces[-1][1]
            if plain is not None and _follow(pieces):
                found.append(plain[start.start : end.start + end.size])
            else:
                # From another copy, if there is one; or the error that says what is wrong.
                found += [self._repository.objects.read_part(part) for part, _ in pieces]
        return _Bytes(found, run)


def _follow(pieces: Sequence[tuple[Part, Item]]) -> bool:
    """Tell whether pieces are as long as the recipe says, and stand behind each other in their block."""
    sizes = all(item.size == part.end - part.start for part, item in pieces)
    return sizes and all(one.start + one.size == other.start for (_, one), (_, other) in pairwise(pieces))


def _stretch(pack: str, pieces: list[tuple[Part, Item]]) -> _Stretch:
    return _Stretch(pack, range(pieces[0][1].block, pieces[-1][1].block + 1), pieces)


def _is_right(item: Item, plain: Buffer, digest: bytes) -> bool:
    """Tell whether an object is what its id says; `digest` is the hash of all the plain bytes, if it is known."""
    data = plain[item.start : item.start + item.size]
    if digest and item.sort is Sort.PIECE and len(data) == len(plain):
        return digest == item.id
    return item.sort not in ID_OF or ID_OF[item.sort].of(data) == item.id


def _other_bytes(pack: str, item: Item) -> IntegrityError:
    return IntegrityError("object_damaged", f"{pack_key(pack)} holds other bytes than {item.id}", fix=REPAIR)


def _runs(index: PackIndex, numbers: list[int]) -> Iterator[range]:
    """Yield blocks in a row, so many that they are read in one go."""
    start = size = 0
    for at, number in enumerate(numbers):
        size += index.block(number).stored_size
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1 or size >= AT_ONCE:
            yield range(numbers[start], number + 1)
            start, size = at + 1, 0
