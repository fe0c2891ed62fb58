"""Files into pieces: at the tensors of a file that has them, at places its content decides on otherwise."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from mlreg.codecs.codec import Buffer
from mlreg.errors import AccessError, ConflictError, IntegrityError, NotFoundError, unreadable
from mlreg.formats import chunking
from mlreg.tensors import HEAD, format_of
from mlreg.tensors.layout import BLOCK, Stretch, stretches
from mlreg.tensors.tensor_format import UNKNOWN_SIZE, Element

WHOLE = 1024 * 1024
"""Bytes of a file that is not cut."""
AT_ONCE = 8 * 1024 * 1024
"""Bytes in which places to cut are searched for at once."""
MAX_PEEK = 32 * 1024 * 1024
"""Bytes that are held of a stream, about, to find its tensors."""


class Piece(NamedTuple):
    """A part of a file, or all of a small one."""

    data: bytes
    element: Element | None
    """What it is made of from its first byte on, if that is known."""


class _Input(Protocol):
    """Bytes that are read from front to back; the first ones may be looked at before."""

    @property
    def size(self) -> int:
        """Bytes, or `UNKNOWN_SIZE`. Only before the first `take`."""
        ...

    def peek(self, start: int, size: int) -> bytes:
        """Return bytes from a place on, fewer where the input ends. Only before the first `take`."""
        ...

    def take(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end."""
        ...


def pieces_of_file(path: str | Path) -> Iterator[Piece]:
    """Yield the pieces of a file; none if it is empty.

    Raises:
        ConflictError: `file_changed`, it is not the same file from beginning to end.
        NotFoundError: `file_missing`. AccessError: `access_denied`.
    """
    try:
        # O_NONBLOCK: a pipe that took the file's place must not hold us for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        before = os.fstat(fd)
        reading = _File(fd, path, before.st_size)
        yield from _pieces(reading) if before.st_size > WHOLE else _piece(reading)
        same = _stamp(before) == _stamp(os.fstat(fd)) and reading.reached == before.st_size
        if not stat.S_ISREG(before.st_mode) or not same:
            raise ConflictError(
                "file_changed",
                f"{path} was written to while it was read",
                why="its bytes before and after do not belong together; nothing was registered",
                fix="wait until it is complete, then add it again",
            )
    finally:
        os.close(fd)


def pieces_of_stream(parts: Iterable[Buffer]) -> Iterator[Piece]:
    """Yield the pieces of what arrives in parts of any size.

    They are those of a file with these bytes, unless it is longer than `MAX_PEEK` and its tensors are only found from
    its end, or do not fill it.
    """
    return _pieces(_Stream(parts))


def _piece(source: _Input) -> Iterator[Piece]:
    """Yield all of a small file, and see by one read that it ends where it should."""
    if data := source.take(source.size + 1):
        yield Piece(data, None)


def _pieces(source: _Input) -> Iterator[Piece]:
    if len(source.peek(WHOLE, 1)) == 0:
        if data := source.take(WHOLE):
            yield Piece(data, None)
        return
    is_apart = chunking.is_packed(source.peek(0, HEAD))
    for size, element in _plan(source):
        is_apart = True
        data = source.take(size)
        if data:
            yield Piece(data, element)
        if len(data) < size:
            return
    yield from _blocks(source) if is_apart else _chunks(source)


def _blocks(source: _Input) -> Iterator[Piece]:
    """Yield what is left in pieces of one size."""
    while data := source.take(BLOCK):
        yield Piece(data, None)
        if len(data) < BLOCK:
            return  # a file that grows has no end


def _chunks(source: _Input) -> Iterator[Piece]:
    """Yield what is left, cut at places that its content decides on."""
    rest = b""
    is_last = False
    while not is_last:
        more = source.take(AT_ONCE)
        is_last = len(more) < AT_ONCE
        data = memoryview(rest + more)
        start = 0
        for end in chunking.ends(data, is_last=is_last):
            yield Piece(bytes(data[start:end]), None)
            start = end
        rest = bytes(data[start:])


def _plan(source: _Input) -> Iterable[Stretch]:
    """Return where the tensors of a file are cut; nothing if it has none, or is not what it looks like."""
    kind = format_of(source.peek(0, HEAD))
    if kind is None:
        return ()
    try:
        tensors = kind.tensors(source.peek, source.size)
    except IntegrityError:
        # To cut it otherwise costs room and nothing else.
        return ()
    return stretches(tensors, kind)


class _File:
    def __init__(self, fd: int, path: str | Path, size: int) -> None:
        self._fd, self._path = fd, path
        self.size = size
        self.reached = 0

    def peek(self, start: int, size: int) -> bytes:
        try:
            data = os.pread(self._fd, size, start)
            # A read that reaches the end needs no other one to see it; a file that grew is refused at last.
            known = min(size, self.size - start)
            while 0 < len(data) < known and (more := os.pread(self._fd, size - len(data), start + len(data))):
                data += more
        except OSError as error:
            raise _unreadable(self._path, error) from error
        return data

    def take(self, size: int) -> bytes:
        data = self.peek(self.reached, size)
        self.reached += len(data)
        return data


class _Stream:
    def __init__(self, parts: Iterable[Buffer]) -> None:
        self._parts = iter(parts)
        self._held = bytearray()

    @property
    def size(self) -> int:
        """Its bytes, if it ends where it may be looked at."""
        self._hold(MAX_PEEK + 1)
        return len(self._held) if len(self._held) <= MAX_PEEK else UNKNOWN_SIZE

    def peek(self, start: int, size: int) -> bytes:
        self._hold(min(start + size, MAX_PEEK))
        return bytes(memoryview(self._held)[start : start + size])

    def take(self, size: int) -> bytes:
        self._hold(size)
        data = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        return data

    def _hold(self, size: int) -> None:
        while len(self._held) < size and (part := next(self._parts, None)) is not None:
            self._held += part


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _unreadable(path: str | Path, error: OSError) -> NotFoundError | AccessError:
    if isinstance(error, FileNotFoundError):
        return NotFoundError(
            "file_missing",
            f"{path} does not exist any more",
            why="it vanished while it was added",
            fix="add it again when no one changes it",
        )
    return unreadable(error, str(path))
