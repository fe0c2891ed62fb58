"""A file of a version as a file object of Python: read at any place, and only the pieces that are asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mlreg.errors import IntegrityError
from mlreg.formats.tree import File
from mlreg.operations.stored_file import StoredFile
from mlreg.repository.objects import REPAIR, Objects

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER = 64 * 1024
"""Bytes that are asked for at once by a reader that asks for few."""


class OpenedFile(io.BufferedReader):
    """A file of a version, open for reading; it stays the same file whatever happens to tags and names.

    Of each piece the bytes are verified when they are read; of the file as a whole, when all of it is read at once.
    """

    def __init__(self, objects: Objects, file: File, name: str) -> None:
        """Read nothing yet.

        Args:
            objects: of the repository that it is in.
            file: which.
            name: what to call it in errors.
        """
        super().__init__(_Raw(objects, file, name), BUFFER)
        self.size = file.size
        """Bytes."""


class _Raw(io.RawIOBase):
    """The same without a buffer."""

    mode = "rb"

    def __init__(self, objects: Objects, file: File, name: str) -> None:
        self._objects = objects
        self._file = file
        self._stored = StoredFile(objects, file)
        self._at = 0
        self.name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}
        if whence not in starts or starts[whence] + offset < 0:
            raise ValueError(f"no place to go to: {offset} from {whence}")
        self._at = starts[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        end = min(self._at + len(target), self._file.size)
        wanted, filled = max(0, end - self._at), 0
        for piece in self._stored.pieces(self._at, end):
            target[filled : filled + len(piece)] = piece
            filled += len(piece)
        if filled != wanted:
            raise IntegrityError("bad_recipe", f"{self.name} has pieces that do not add up to its size", fix=REPAIR)
        self._at += filled
        return filled

    def readall(self) -> bytes:
        if self._at:
            rest = bytearray(max(0, self._file.size - self._at))
            self.readinto(rest)
            return bytes(rest)
        data = b"".join(self._objects.read_whole(self._file.id, self._file.size))
        self._at = len(data)
        return data
