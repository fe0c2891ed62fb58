"""Finding a few pieces in the index of a pack without reading all of it.

Ids are spread evenly, so that the place of one among the others can be guessed to within some hundreds. What is read is
not checked against the hash of the index: whoever reads a piece compares its bytes with its id.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from mlreg.errors import IntegrityError
from mlreg.formats.pack import (
    BLOCK_SIZE,
    HEADER,
    MAGIC,
    OBJECT_SIZE,
    SUM_SIZE,
    VERSION,
    Block,
    Item,
    PackKind,
    Sort,
)
from mlreg.ids import DIGEST_SIZE, ContentId, ObjectId

Read = Callable[[int, int], bytes]
"""Return bytes of the index, from a start and of a size; fewer where it ends."""


class PackLookup:
    """The index of a pack with data, read piece by piece."""

    kind = PackKind.DATA

    def __init__(self, read: Read, size: int) -> None:
        """Read the first bytes.

        Args:
            read: of the index.
            size: bytes of the index, without its trailer.

        Raises:
            IntegrityError: `bad_pack`.
        """
        self._read_from = read
        header = read(0, HEADER.size)
        if len(header) != HEADER.size:
            raise _bad("its index is too short")
        magic, version, kind, flags, self._blocks, self._objects, _ = HEADER.unpack(header)
        self._ids_at = HEADER.size + self._blocks * BLOCK_SIZE
        if (magic, version, kind, flags) != (MAGIC, VERSION, PackKind.DATA, 0):
            raise _bad("its index is none of data, or of another version")
        if self._ids_at + self._objects * OBJECT_SIZE > size:
            raise _bad("its index is shorter than its counts say")

    def find(self, piece: ObjectId) -> int | None:
        """Return the number of a piece, or None if the pack does not have it."""
        low, high = 0, self._objects
        guess = int.from_bytes(piece[:8]) * self._objects >> 64
        reach = 64 + 2 * math.isqrt(self._objects)
        while low < high:
            first, end = max(low, guess - reach), min(high, guess + reach)
            ids = self._ids(first, end)
            if piece < ids[0]:
                high, guess = first, first
            elif piece > ids[-1]:
                low, guess = end, end
            else:
                at = bisect_left(ids, piece)
                return first + at if ids[at] == piece else None
            reach *= 4
        return None

    def _ids(self, first: int, end: int) -> list[bytes]:
        data = self._read(self._ids_at + first * DIGEST_SIZE, (end - first) * DIGEST_SIZE)
        return [data[at : at + DIGEST_SIZE] for at in range(0, len(data), DIGEST_SIZE)]

    def item(self, number: int) -> Item:
        """Return object `number`, counted from 0 in the order of the ids."""
        piece = self._read(self._ids_at + number * DIGEST_SIZE, DIGEST_SIZE)
        at = self._ids_at + self._objects * (DIGEST_SIZE + 1)
        block, start, size = (self._number(at + 4 * (column * self._objects + number), 4) for column in range(3))
        if block >= self._blocks:
            raise _bad("an object lies outside its blocks")
        return Item(Sort.PIECE, ContentId(piece), block, start, size)

    def block(self, number: int) -> Block:
        """Return block `number`, counted from 0 in the order of their offsets."""
        count, at = self._blocks, HEADER.size
        offset = self._number(at + 8 * number, 8)
        stored = self._number(at + 8 * count + 4 * number, 4)
        plain = self._number(at + 12 * count + 4 * number, 4)
        codec = self._number(at + 16 * count + number, 1)
        return Block(offset, stored, plain, codec, self._read(at + 17 * count + SUM_SIZE * number, SUM_SIZE))

    def _number(self, start: int, size: int) -> int:
        return int.from_bytes(self._read(start, size), "little")

    def _read(self, start: int, size: int) -> bytes:
        data = self._read_from(start, size)
        if len(data) != size:
            raise _bad("its index ends too early")
        return data


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_pack", "the index of a pack cannot be read", why=reason, fix="mlreg verify")
