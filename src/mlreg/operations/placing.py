"""Files take their places: written under temporary names, flushed many at a time, then renamed.

So each file is the old one or the new one, complete, whenever the power goes. To flush one file after the other
would take a hundred thousand files from seconds to minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from itertools import groupby
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from mlreg.codecs.codec import Buffer
from mlreg.formats.tree import Mode
from mlreg.stores.flushing import flush_early, flush_file_system

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_FILES = 4096
MOST_BYTES = 128 * 1024 * 1024
"""That wait for their places: what an interrupted checkout has done in vain."""
FEW = 8
"""Files or directories that are flushed one by one: what others wrote need not be flushed with them."""
THREADS = 16
"""That wait for flushes, where each file needs its own: a journal writes what waits in one go."""
EARLY = 16 * 1024 * 1024
"""Bytes of a large file after which the disk begins with it."""

Open = Callable[[str], AbstractContextManager[int]]
"""Opens a directory below the root by its path; the root itself is empty."""


_Item = TypeVar("_Item")


class _Waiting(NamedTuple):
    """A file that is written, and has not its name yet."""

    directory: str
    temporary: str
    name: str


class Placing:
    """Takes files one after the other. Use it as a context: what waits when it ends is removed."""

    def __init__(self, root: int, opened: Open) -> None:
        """Begin.

        Args:
            root: a descriptor of the directory that all places are below.
            opened: opens those.
        """
        self._root = root
        self._opened = opened
        self._device = os.fstat(root).st_dev
        self._is_one_system = True
        self._waiting: list[_Waiting] = []
        self._size = 0
        self._changed: set[str] = set()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what has no place."""
        for directory, group in self._groups():
            with suppress(OSError), self._opened(directory) as there:
                for waiting in group:
                    with suppress(OSError):
                        os.unlink(waiting.temporary, dir_fd=there)

    def write(self, directory: str, there: int, name: str, mode: Mode, parts: Iterable[Buffer]) -> None:
        """Write a file; it has its place when `finish` returns, or before.

        Args:
            directory: the path of its directory below the root.
            there: an open descriptor of that.
            name: of the file.
            mode: of the file.
            parts: its bytes; after an error on the way nothing takes the place.
        """
        if not self._waiting or self._waiting[-1].directory != directory:
            self._is_one_system &= os.fstat(there).st_dev == self._device
        temporary = f".{name[:40]}.mlreg-{os.urandom(6).hex()}"
        permissions = 0o777 if mode is Mode.EXECUTABLE else 0o666
        self._waiting.append(_Waiting(directory, temporary, name))
        fd = os.open(temporary, _WRITE, permissions, dir_fd=there)
        try:
            self._size += _fill(fd, parts)
        finally:
            os.close(fd)
        if len(self._waiting) >= MOST_FILES or self._size >= MOST_BYTES:
            self._place()

    def finish(self) -> None:
        """Give all files their places; when this returns they outlive a power cut."""
        self._place()
        above = {path[:at] for path in self._changed for at in range(len(path)) if path[at] == "/"}
        self._flush(sorted(self._changed | above | {""} if self._changed else ()), self._flush_directory)
        self._changed.clear()

    def _place(self) -> None:
        self._flush(self._waiting, self._flush_file)
        for directory, group in self._groups():
            with self._opened(directory) as there:
                for waiting in group:
                    # Replaces a link or one name of a linked file; never writes through it.
                    os.replace(waiting.temporary, waiting.name, src_dir_fd=there, dst_dir_fd=there)
            self._changed.add(directory)
        self._waiting.clear()
        self._size = 0

    def _groups(self) -> Iterator[tuple[str, Iterator[_Waiting]]]:
        return groupby(self._waiting, key=lambda waiting: waiting.directory)

    def _flush(self, items: list[_Item], each: Callable[[_Item], None]) -> None:
        if len(items) <= FEW:
            for item in items:
                each(item)
        elif not (self._is_one_system and flush_file_system(self._root)):
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(THREADS, thread_name_prefix="mlreg-flush") as pool:
                list(pool.map(each, items))

    def _flush_file(self, waiting: _Waiting) -> None:
        with self._opened(waiting.directory) as there:
            fd = os.open(waiting.temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=there)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _flush_directory(self, directory: str) -> None:
        with self._opened(directory) as there:
            os.fsync(there)


def _fill(fd: int, parts: Iterable[Buffer]) -> int:
    written = flushed = 0
    for data in parts:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        written += len(data)
        if written - flushed >= EARLY:
            flush_early(fd, flushed, written)
            flushed = written
    return written
