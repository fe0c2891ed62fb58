"""How a large file is put together from pieces.

Format page: `docs/format/recipe.md`. A recipe is filed under the id of the file it rebuilds and says
nothing about who the file is: the same file may be cut otherwise tomorrow. A long recipe names pages,
each of them a recipe of pieces itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.ids import DIGEST_SIZE, ContentId, ObjectId, PageId

VERSION = 1
MAGIC = b"MLRR"
PAGE_ROWS = 4096
"""Pieces a recipe may name itself; more are grouped in pages of this many."""
MAX_BYTES = 16 * 1024 * 1024

_HEADER = struct.Struct("<4sBBHIQ")


class Part(NamedTuple):
    """One piece, or one page of pieces: bytes `start` to `end` of the file."""

    start: int
    end: int
    id: ObjectId


class Recipe(NamedTuple):
    """The parts of a file of `size` bytes, in order and without gaps."""

    size: int
    is_paged: bool
    """Whether the parts are pages rather than pieces."""
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, pieces: Sequence[tuple[int, ObjectId]], *, is_paged: bool = False) -> Self:
        """Build a recipe from (size in bytes, id) of each part, in order."""
        parts, end = [], 0
        for size, part_id in pieces:
            parts.append(Part(end, end + size, part_id))
            end += size
        return cls(end, is_paged, tuple(parts))

    def encode(self) -> bytes:
        """Return the bytes of the recipe."""
        return b"".join(
            (
                _HEADER.pack(MAGIC, VERSION, self.is_paged, 0, len(self.parts), self.size),
                struct.pack(f"<{len(self.parts)}Q", *(part.end for part in self.parts)),
                b"".join(part.id for part in self.parts),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a recipe.

        Raises:
            IntegrityError: `bad_recipe`, the parts do not follow one another or do not fill the file.
            UnsupportedError: `unknown_recipe_version`.
        """
        if len(data) < _HEADER.size or len(data) > MAX_BYTES:
            raise _bad("it has a wrong size")
        magic, version, paged, flags, count, size = _HEADER.unpack_from(data)
        if magic != MAGIC:
            raise _bad("it has another signature")
        if version != VERSION or flags:
            raise UnsupportedError(
                "unknown_recipe_version",
                f"a recipe has version {version}, flags {flags}; this mlreg reads version {VERSION}",
                fix="pip install --upgrade mlreg",
            )
        if paged > 1 or len(data) != _HEADER.size + count * (8 + DIGEST_SIZE):
            raise _bad("its size is not what its count says")
        ends = struct.unpack_from(f"<{count}Q", data, _HEADER.size)
        starts = (0, *ends[:-1]) if count else ()
        if any(start >= end for start, end in zip(starts, ends, strict=True)) or size != (ends[-1] if ends else 0):
            raise _bad("its parts do not fill the file")
        id_type = PageId if paged else ContentId
        ids = (id_type(data[at : at + DIGEST_SIZE]) for at in range(_HEADER.size + 8 * count, len(data), DIGEST_SIZE))
        return cls(size, bool(paged), tuple(map(Part, starts, ends, ids)))


def paginate(pieces: Sequence[tuple[int, ContentId]]) -> tuple[Recipe, list[tuple[PageId, bytes]]]:
    """Return the recipe for these (size in bytes, id), and the pages it names."""
    if len(pieces) <= PAGE_ROWS:
        return Recipe.of(pieces), []
    rows: list[tuple[int, ObjectId]] = []
    pages: list[tuple[PageId, bytes]] = []
    for first in range(0, len(pieces), PAGE_ROWS):
        page = Recipe.of(pieces[first : first + PAGE_ROWS])
        data = page.encode()
        pages.append((PageId.of(data), data))
        rows.append((page.size, pages[-1][0]))
    return Recipe.of(rows, is_paged=True), pages


def shifted(page: Recipe, part: Part) -> Iterator[Part]:
    """Yield the pieces of a page at their place in the whole file.

    Raises:
        IntegrityError: `bad_recipe`, the page is not as long as the recipe says, or is paged itself.
    """
    if page.is_paged or page.size != part.end - part.start:
        raise _bad("one of its pages does not fit")
    for piece in page.parts:
        yield Part(part.start + piece.start, part.start + piece.end, piece.id)


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_recipe", "the recipe of a file cannot be read", why=reason)
