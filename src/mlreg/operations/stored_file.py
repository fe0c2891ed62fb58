"""A file of a version, read at any place, and its tensors, found without reading the rest of it.

Pieces are verified when they are read. Whether they add up to the file is not: only a few are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError
from mlreg.formats.recipe import Part
from mlreg.formats.tree import File
from mlreg.repository.objects import Objects
from mlreg.tensors import HEAD, format_of
from mlreg.tensors.tensor_format import TensorFormat, TensorInfo

MAX_READ = 32 * 1024 * 1024
"""Bytes that are read at once, and are held in memory; a file whose header needs more has no tensors here."""
MAX_PARTS = 1 << 20
"""A file of more pieces has no tensors here: where all of them lie is held in memory."""
KEPT = 4
"""Pieces that are kept, since what is asked for next is often near."""


class Tensors(NamedTuple):
    """The tensors of a file."""

    kind: TensorFormat
    items: tuple[TensorInfo, ...]
    """In the order of their bytes."""


class StoredFile:
    """A file in a repository; what is known of it is kept, and of its bytes little."""

    def __init__(self, objects: Objects, file: File) -> None:
        """Read nothing yet."""
        self._objects = objects
        self._file = file
        self._held: OrderedDict[int, Buffer] = OrderedDict()
        """Pieces by their start, the one that was asked for last at the end."""

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Where its pieces are, in order; of too many, the first ones and one more than `MAX_PARTS`.

        Raises:
            IntegrityError: `object_missing`, `object_damaged`, `bad_recipe`; so for all that follows.
        """
        return tuple(islice(self._objects.parts_of(self._file.id, self._file.size), MAX_PARTS + 1))

    @cached_property
    def tensors(self) -> Tensors | None:
        """Its tensors, from the pieces that the format asks for; None if it is no file of tensors."""
        if len(self.parts) > MAX_PARTS or (kind := format_of(self.read(0, HEAD))) is None:
            return None
        try:
            return Tensors(kind, kind.tensors(self.read, self._file.size))
        except IntegrityError as error:
            # What is said of the pieces is no opinion of the format's.
            if error.code != f"bad_{kind.name}":
                raise
            return None

    def numbers(self, tensor: TensorInfo) -> str:
        """Return what `TensorFormat.numbers` says of one of its tensors."""
        return self.tensors.kind.numbers(tensor.dtype) if self.tensors else ""

    def read(self, start: int, size: int) -> bytes:
        """Return bytes from a place on: fewer where the file ends, and none if they are more than `MAX_READ`."""
        return b"".join(self.pieces(start, start + size)) if size <= MAX_READ else b""

    def pieces(self, start: int, end: int) -> Iterator[Buffer]:
        """Yield the bytes from `start` to `end` piece by piece, reading only the pieces that they lie in."""
        for part in self.parts_between(start, end):
            yield memoryview(self._piece(part))[max(0, start - part.start) : end - part.start]

    def parts_between(self, start: int, end: int) -> Iterator[Part]:
        """Yield the parts that bytes from `start` to `end` lie in, in order."""
        if len(self.parts) > MAX_PARTS and end > self.parts[-1].end:
            every = self._objects.parts_of(self._file.id, self._file.size)
            yield from (part for part in every if part.end > start and part.start < end)
            return
        at = bisect_right(self.parts, start, key=lambda part: part.end)
        while at < len(self.parts) and self.parts[at].start < end:
            yield self.parts[at]
            at += 1

    def _piece(self, part: Part) -> Buffer:
        data = self._held.pop(part.start, None)
        if data is None:
            data = self._objects.read_part(part)
        self._held[part.start] = data
        if len(self._held) > KEPT:
            self._held.popitem(last=False)
        return data
