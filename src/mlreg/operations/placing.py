"""Files take their places: written under temporary names, flushed many at a time, then renamed.

So each file is the old one or the new one, complete, whenever the power goes. To flush one file after the other
would take a hundred thousand files from seconds to minutes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import groupby
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from mlreg.codecs.codec import Buffer
from mlreg.formats.tree import Mode
from mlreg.stores.flushing import flush_early, flush_file_system

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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


class Place(NamedTuple):
    """A directory that files are written into."""

    path: str
    """Below the root; empty for the root itself."""
    descriptor: int
    is_new: bool
    """Whether nothing was there, so that its files need not make room for each other."""


class _Waiting(NamedTuple):
    """A file, or a directory with files, that is written and has not its name yet."""

    above: str
    """The path of the directory that it is in."""
    temporary: str
    name: str
    files: list[str] | None = None
    """Of a directory."""

    @property
    def path(self) -> str:
        """The path of a directory when it has its name."""
        return f"{self.above}/{self.name}" if self.above else self.name


class _Written(NamedTuple):
    """A file as it is to be flushed: in a directory, or in one below that."""

    directory: str
    below: str
    name: str


class Placing:
    """Takes files one after the other. Use it as a context: what waits when it ends is removed.

    A directory that is new is made under a temporary name, and gets its own with all that is in it: one renaming
    takes the place of thousands.
    """

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
        self._files = 0
        self._size = 0
        self._changed: set[str] = set()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what has no place."""
        for above, group in self._groups():
            with suppress(OSError), self._opened(above) as there:
                for waiting in group:
                    with suppress(OSError):
                        _remove(waiting, there)

    @contextmanager
    def directory(self, path: str, *, is_last: bool) -> Iterator[Place]:
        """Open a directory to write files into; it is made if need be.

        Args:
            path: below the root.
            is_last: whether no other directory comes below it.
        """
        above, _, name = path.rpartition("/")
        temporary = _temporary(name)
        with self._opened(above if is_last else path) as there:
            self._is_one_system &= os.fstat(there).st_dev == self._device
            if not is_last:
                yield Place(path, there, is_new=False)
            elif _is_there(name, there):
                with self._opened(path) as present:
                    self._is_one_system &= os.fstat(present).st_dev == self._device
                    yield Place(path, present, is_new=False)
            else:
                self._waiting.append(_Waiting(above, temporary, name, []))
                os.mkdir(temporary, 0o777, dir_fd=there)
                with _descriptor(temporary, there) as fresh:
                    yield Place(path, fresh, is_new=True)

    def write(self, place: Place, name: str, mode: Mode, parts: Iterable[Buffer]) -> None:
        """Write a file; it has its place when `finish` returns, or before.

        Args:
            place: where, as `directory` yields it.
            name: of the file.
            mode: of the file.
            parts: its bytes; after an error on the way nothing takes the place.
        """
        building = self._waiting[-1].files if place.is_new and self._waiting else None
        temporary = _temporary(name) if building is None else name
        if building is None:
            self._waiting.append(_Waiting(place.path, temporary, name))
        else:
            building.append(name)
        permissions = 0o777 if mode is Mode.EXECUTABLE else 0o666
        fd = os.open(temporary, _WRITE, permissions, dir_fd=place.descriptor)
        try:
            self._size += _fill(fd, parts)
        finally:
            os.close(fd)
        self._files += 1
        if self._files >= MOST_FILES or self._size >= MOST_BYTES:
            self._place()

    def finish(self) -> None:
        """Give all files their places; when this returns they outlive a power cut."""
        self._place()
        above = {path[:at] for path in self._changed for at in range(len(path)) if path[at] == "/"}
        self._flush(sorted(self._changed | above | {""} if self._changed else ()), self._flush_directory)
        self._changed.clear()

    def _place(self) -> None:
        self._flush(list(self._written()), self._flush_file)
        for above, group in self._groups():
            with self._opened(above) as there:
                for waiting in group:
                    self._name(waiting, there)
            self._changed.add(above)
        self._waiting.clear()
        self._files = self._size = 0

    def _name(self, waiting: _Waiting, there: int) -> None:
        if waiting.files is None:
            # Replaces a link or one name of a linked file; never writes through it.
            os.replace(waiting.temporary, waiting.name, src_dir_fd=there, dst_dir_fd=there)
            return
        self._changed.add(waiting.path)
        try:
            os.rename(waiting.temporary, waiting.name, src_dir_fd=there, dst_dir_fd=there)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            self._join(waiting, there)

    def _join(self, waiting: _Waiting, there: int) -> None:
        """Give files their names in a directory that someone else has made meanwhile."""
        with _descriptor(waiting.temporary, there) as ours, self._opened(waiting.path) as theirs:
            for name in waiting.files or ():
                os.replace(name, name, src_dir_fd=ours, dst_dir_fd=theirs)
        os.rmdir(waiting.temporary, dir_fd=there)

    def _groups(self) -> Iterator[tuple[str, Iterator[_Waiting]]]:
        return groupby(self._waiting, key=lambda waiting: waiting.above)

    def _written(self) -> Iterator[_Written]:
        for waiting in self._waiting:
            if waiting.files is None:
                yield _Written(waiting.above, "", waiting.temporary)
            else:
                yield from (_Written(waiting.above, waiting.temporary, name) for name in waiting.files)

    def _flush(self, items: list[_Item], each: Callable[[_Item], None]) -> None:
        if len(items) <= FEW:
            for item in items:
                each(item)
        elif not (self._is_one_system and flush_file_system(self._root)):
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(THREADS, thread_name_prefix="mlreg-flush") as pool:
                list(pool.map(each, items))

    def _flush_file(self, written: _Written) -> None:
        with self._opened(written.directory) as there:
            path = f"{written.below}/{written.name}" if written.below else written.name
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=there)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _flush_directory(self, directory: str) -> None:
        with self._opened(directory) as there:
            os.fsync(there)


def _temporary(name: str) -> str:
    return f".{name[:40]}.mlreg-{os.urandom(6).hex()}"


def _is_there(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _descriptor(name: str, directory: int) -> Iterator[int]:
    fd = os.open(name, _ENTER, dir_fd=directory)
    try:
        yield fd
    finally:
        os.close(fd)


def _remove(waiting: _Waiting, there: int) -> None:
    """Delete what has no place."""
    if waiting.files is None:
        os.unlink(waiting.temporary, dir_fd=there)
        return
    with _descriptor(waiting.temporary, there) as made:
        for name in waiting.files:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=made)
    os.rmdir(waiting.temporary, dir_fd=there)


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
