"""A pack: blocks of encoded objects, and the index of them at the end.

Format page: `docs/format/pack.md`. A pack has no header, so block 0 starts at offset 0. The index
carries the hash of every stored block, and the trailer the hash of the index: who knows that one
hash (the log does) can check the whole pack, or any block of it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.ids import DIGEST_SIZE, CommitId, ContentId, ObjectId, PageId, TreeId

VERSION = 1
MAGIC = b"MLRP"
SUM_SIZE = 16
MAX_BLOCK = 64 * 1024 * 1024
"""Plain bytes in one block, at most: what a reader may have to hold in memory."""

HEADER = struct.Struct("<4sBBHIIQ")
_TRAILER = struct.Struct("<I32s4s")
TRAILER_SIZE = _TRAILER.size
BLOCK_SIZE = 8 + 4 + 4 + 1 + SUM_SIZE
"""Bytes of an index for each block, in columns."""
OBJECT_SIZE = DIGEST_SIZE + 1 + 4 + 4 + 4
"""Bytes of an index for each object, in columns."""
_SECTION = struct.Struct("<4sI")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
BASES = b"BASE"
"""The section with the ids of pieces that blocks of the pack differ from, so that who collects keeps them."""


class PackKind(IntEnum):
    """Data and metadata never share a pack, so that history can be read without the data."""

    DATA = 1
    META = 2


class Sort(IntEnum):
    """What an object in a pack is."""

    PIECE = 1
    RECIPE = 2
    PAGE = 3
    TREE = 4
    COMMIT = 5


ID_OF: dict[Sort, type[ObjectId]] = {
    Sort.PIECE: ContentId,
    Sort.PAGE: PageId,
    Sort.TREE: TreeId,
    Sort.COMMIT: CommitId,
}
"""How the id of an object follows from its bytes. A recipe is filed under the id of the file it rebuilds."""


class Block(NamedTuple):
    """One run of stored bytes in a pack."""

    offset: int
    """Bytes from the start of the pack."""
    stored_size: int
    plain_size: int
    codec: int
    sum: bytes
    """First 16 bytes of the BLAKE3 of the stored bytes."""

    def share_of(self, size: int) -> float:
        """Return how many stored bytes so many of its plain ones take."""
        return self.stored_size * size / max(1, self.plain_size)


class Item(NamedTuple):
    """One object in a pack: `size` plain bytes at `start` of a block's plain bytes."""

    sort: Sort
    id: ObjectId
    block: int
    start: int
    size: int


def block_sum(stored: bytes | bytearray | memoryview) -> bytes:
    """Return what the index keeps of a stored block to check it by."""
    return blake3(stored).digest()[:SUM_SIZE]


def encode_index(
    kind: PackKind, blocks: Sequence[Block], items: Sequence[Item], bases: Collection[ContentId] = ()
) -> bytes:
    """Return index and trailer, to be written right behind the last block.

    Args:
        kind: of the pack.
        blocks: in the order of their offsets.
        items: in any order.
        bases: pieces that blocks of the pack differ from.
    """
    data_size = blocks[-1].offset + blocks[-1].stored_size if blocks else 0
    ordered = sorted(items, key=lambda item: (item.sort, item.id))
    count, objects = len(blocks), len(ordered)
    index = b"".join(
        (
            HEADER.pack(MAGIC, VERSION, kind, 0, count, objects, data_size),
            struct.pack(f"<{count}Q", *(block.offset for block in blocks)),
            struct.pack(f"<{count}I", *(block.stored_size for block in blocks)),
            struct.pack(f"<{count}I", *(block.plain_size for block in blocks)),
            bytes(block.codec for block in blocks),
            b"".join(block.sum for block in blocks),
            b"".join(item.id for item in ordered),
            bytes(item.sort for item in ordered),
            struct.pack(f"<{objects}I", *(item.block for item in ordered)),
            struct.pack(f"<{objects}I", *(item.start for item in ordered)),
            struct.pack(f"<{objects}I", *(item.size for item in ordered)),
            _SECTION.pack(BASES, DIGEST_SIZE * len(bases)) * bool(bases),
            *sorted(bases),
        )
    )
    return index + _TRAILER.pack(len(index), blake3(index).digest(), MAGIC)


def decode_trailer(trailer: bytes) -> tuple[int, bytes]:
    """Return the size and the hash of the index, from the last `TRAILER_SIZE` bytes of a pack."""
    if len(trailer) != TRAILER_SIZE:
        raise _bad("it is too short to have a trailer")
    size, digest, magic = _TRAILER.unpack(trailer)
    if magic != MAGIC:
        raise _bad("it does not end as a pack does")
    return size, digest


class PackIndex:
    """The index of one pack, read in place: nothing is copied until it is asked for."""

    def __init__(self, data: bytes, expected: bytes) -> None:
        """Read an index without its trailer, checking it against its hash.

        Raises:
            IntegrityError: `bad_pack`.
            UnsupportedError: `unknown_pack_version`.
        """
        if blake3(data).digest() != expected:
            raise _bad("its index is not the one the log names")
        if len(data) < HEADER.size:
            raise _bad("its index is too short")
        magic, version, kind, flags, blocks, objects, data_size = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise _bad("its index has another signature")
        if version != VERSION or flags:
            raise UnsupportedError(
                "unknown_pack_version",
                f"a pack has version {version}, flags {flags}; this mlreg reads version {VERSION}",
                fix="pip install --upgrade mlreg",
            )
        self._blocks: int = blocks
        self._objects: int = objects
        self.data_size: int = data_size
        self.data = data
        self.sum = expected
        self.kind = _kind(kind)
        self.bases: tuple[ContentId, ...] = ()
        """Pieces that blocks of the pack differ from; they may lie in others."""
        self._find_columns()

    def check(self) -> None:
        """Refuse an index whose blocks or objects do not fit together: once, when it is first met.

        Raises:
            IntegrityError: `bad_pack`.
            UnsupportedError: `unknown_object_sort`.
        """
        self._check_blocks()
        self._check_items()

    def _find_columns(self) -> None:
        blocks, objects = self._blocks, self._objects
        end_of_objects = HEADER.size + blocks * BLOCK_SIZE + objects * OBJECT_SIZE
        if end_of_objects > len(self.data):
            raise _bad("its index is shorter than its counts say")
        self._check_sections(end_of_objects)
        view = memoryview(self.data)
        at = HEADER.size
        columns: list[memoryview] = []
        for width in (8 * blocks, 4 * blocks, 4 * blocks, blocks, SUM_SIZE * blocks):
            columns.append(view[at : at + width])
            at += width
        for width in (DIGEST_SIZE * objects, objects, 4 * objects, 4 * objects, 4 * objects):
            columns.append(view[at : at + width])
            at += width
        self._columns: list[memoryview] = columns

    def _check_sections(self, at: int) -> None:
        """Read the sections behind the objects, which name their own size; those of later releases are stepped over."""
        while at < len(self.data):
            if at + _SECTION.size > len(self.data):
                raise _bad("its index ends in the middle of a section")
            name, size = _SECTION.unpack_from(self.data, at)
            at += _SECTION.size
            if name == BASES:
                self.bases = _ids(self.data[at : at + size])
            at += size
        if at != len(self.data):
            raise _bad("a section of its index is longer than the index")

    def _check_blocks(self) -> None:
        expected = 0
        for block in self.blocks():
            if block.offset != expected or block.plain_size > MAX_BLOCK:
                raise _bad("its blocks do not follow one another")
            expected = block.offset + block.stored_size
        if expected != self.data_size:
            raise _bad("its blocks do not fill it")

    def _check_items(self) -> None:
        sizes = struct.unpack(f"<{self._blocks}I", self._columns[2])
        is_data = self.kind is PackKind.DATA
        before: tuple[int, bytes] = (0, b"")
        for (sort, digest), block, start, size in zip(self._keys(), *self._places(), strict=True):
            if block >= self._blocks or start + size > sizes[block]:
                raise _bad("an object lies outside its block")
            if (sort, digest) <= before:
                raise _bad("its objects are not in order")
            if (_sort(sort) is Sort.PIECE) != is_data:
                raise _bad("data and metadata share it")
            before = (sort, digest)

    def with_trailer(self) -> bytes:
        """Return the bytes that stand behind the blocks of the pack."""
        return self.data + _TRAILER.pack(len(self.data), self.sum, MAGIC)

    def __len__(self) -> int:
        """Return the number of objects."""
        return self._objects

    def block_count(self) -> int:
        """Return the number of blocks."""
        return self._blocks

    def block(self, number: int) -> Block:
        """Return block `number`, counted from 0 in the order of their offsets."""
        offset, stored, plain, codec, sums = self._columns[:5]
        return Block(
            _u64(offset, number),
            _u32(stored, number),
            _u32(plain, number),
            codec[number],
            bytes(sums[SUM_SIZE * number : SUM_SIZE * (number + 1)]),
        )

    def item(self, number: int) -> Item:
        """Return object `number`, counted from 0 in the order (sort, id)."""
        ids, sorts, blocks, starts, sizes = self._columns[5:]
        digest = bytes(ids[DIGEST_SIZE * number : DIGEST_SIZE * (number + 1)])
        sort = _sort(sorts[number])
        id_type = ID_OF.get(sort, ContentId)
        return Item(sort, id_type(digest), _u32(blocks, number), _u32(starts, number), _u32(sizes, number))

    def blocks(self) -> Iterator[Block]:
        """Yield all blocks in the order of their offsets."""
        offsets, stored, plain, codecs, sums = self._columns[:5]
        numbers = (
            struct.unpack(f"<{self._blocks}{one}", column)
            for one, column in (("Q", offsets), ("I", stored), ("I", plain))
        )
        return map(Block, *numbers, codecs, _cut(sums, SUM_SIZE))

    def keys(self) -> Iterator[tuple[Sort, bytes]]:
        """Yield the sorts and ids of all objects, in the order of `items`, and faster."""
        return ((_sort(sort), digest) for sort, digest in self._keys())

    def items(self) -> Iterator[Item]:
        """Yield all objects in the order (sort, id)."""
        for (sort, digest), block, start, size in zip(self.keys(), *self._places(), strict=True):
            yield Item(sort, ID_OF.get(sort, ContentId)(digest), block, start, size)

    def _keys(self) -> Iterator[tuple[int, bytes]]:
        ids, sorts = self._columns[5:7]
        return zip(sorts, _cut(ids, DIGEST_SIZE), strict=True)

    def _places(self) -> list[tuple[int, ...]]:
        """Return the blocks of all objects, their starts in these, and their sizes."""
        return [struct.unpack(f"<{self._objects}I", column) for column in self._columns[7:]]

    def items_by_block(self) -> dict[int, list[Item]]:
        """Return the objects by the number of their block, each list in the order of `items`."""
        return by_block(self.items())


def by_block(items: Iterable[Item]) -> dict[int, list[Item]]:
    """Return objects by the number of their block, each list in their order."""
    found: dict[int, list[Item]] = {}
    for item in items:
        found.setdefault(item.block, []).append(item)
    return found


def _ids(data: bytes) -> tuple[ContentId, ...]:
    if len(data) % DIGEST_SIZE:
        raise _bad("a list of ids in its index ends in the middle of one")
    return tuple(ContentId(data[at : at + DIGEST_SIZE]) for at in range(0, len(data), DIGEST_SIZE))


def _cut(column: memoryview, width: int) -> Iterator[bytes]:
    data = bytes(column)
    return (data[at : at + width] for at in range(0, len(data), width))


def _u32(column: memoryview, number: int) -> int:
    found: int = _U32.unpack_from(column, 4 * number)[0]
    return found


def _u64(column: memoryview, number: int) -> int:
    found: int = _U64.unpack_from(column, 8 * number)[0]
    return found


def _kind(number: int) -> PackKind:
    try:
        return PackKind(number)
    except ValueError as error:
        raise _bad(f"it is of kind {number}, which does not exist") from error


_SORTS = {int(sort): sort for sort in Sort}


def _sort(number: int) -> Sort:
    try:
        return _SORTS[number]
    except KeyError as error:
        raise UnsupportedError(
            "unknown_object_sort",
            f"a pack holds an object of sort {number}, which this mlreg does not know",
            fix="pip install --upgrade mlreg",
        ) from error


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_pack", "a pack cannot be read", why=reason)
