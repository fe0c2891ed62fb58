"""A file that holds a repository: read where it lies, nothing is unpacked; and how such a file is written.

A file is written under another name, flushed, and then gets its own: one that was cut is never taken for whole.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from mlreg.errors import ConflictError, IntegrityError, MlregError, NotFoundError, RefusedError, explain
from mlreg.formats.archive import BLOCK, END, MAX_KEYS, bad_archive, decode_header, encode_header, is_key, padded
from mlreg.stores.directory import TEMPORARY, flush_directory, full_path
from mlreg.stores.read_only import ReadOnlyStore

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 256 * 1024
"""Bytes that are read at a time to find out which keys there are."""


class _Place(NamedTuple):
    """Where the bytes of a key lie in the file."""

    start: int
    size: int


class _Members:
    """The keys of an open file, and their bytes."""

    def __init__(self, path: Path, fd: int) -> None:
        self.url = str(path)
        self._fd = fd
        self._places: dict[str, _Place] = {}

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        place = self._places.get(key)
        if place is None:
            raise NotFoundError("key_missing", f"{key} is not in {self.url}")
        wanted = max(0, place.size - start)
        wanted = wanted if size is None else min(size, wanted)
        data = _read_at(self._fd, place.start + start, wanted, self.url)
        if len(data) != wanted:
            raise bad_archive("it became shorter while it was read", self.url)
        return data

    def size(self, key: str) -> int | None:
        place = self._places.get(key)
        return None if place is None else place.size

    def list(self, prefix: str) -> Iterator[str]:
        start = prefix if prefix.endswith("/") else prefix + "/"
        return iter(sorted(key for key in self._places if key.startswith(start)))

    def modified(self, key: str) -> float | None:
        return os.fstat(self._fd).st_mtime if key in self._places else None


class ArchiveStore(_Members, ReadOnlyStore):
    """The keys of an archive. See `mlreg.stores.store.Store` for what each verb promises."""

    def __init__(self, path: Path) -> None:
        """Open the file and find out which keys are in it.

        Raises:
            IntegrityError: `bad_archive`, it is none, or was cut.
        """
        path = full_path(path)
        try:
            fd = os.open(path, _READ)
        except OSError as error:
            raise explain(error, str(path)) from error
        super().__init__(path, fd)
        try:
            self._find_keys(os.fstat(fd).st_size)
        except IntegrityError as error:
            raise bad_archive(error.why, self.url) from error

    def __del__(self) -> None:
        """Close the file."""
        with suppress(AttributeError, OSError):
            os.close(self._fd)

    def _find_keys(self, size: int) -> None:
        at, end = 0, size - len(END)
        chunk, chunk_at = b"", 0
        while at < end:
            if not chunk_at <= at <= chunk_at + len(chunk) - BLOCK:
                chunk, chunk_at = _read_at(self._fd, at, _CHUNK, self.url), at
            key, length = decode_header(chunk[at - chunk_at : at - chunk_at + BLOCK])
            if key in self._places or len(self._places) == MAX_KEYS:
                raise bad_archive(f"it has {key} twice, or too many keys")
            self._places[key] = _Place(at + BLOCK, length)
            at += BLOCK + padded(length)
        if at != end or _read_at(self._fd, at, len(END), self.url) != END:
            raise bad_archive("it does not end as an archive does: it was cut, or something stands behind it")


def refuse_file(path: Path) -> None:
    """Refuse to write over what is there.

    Raises:
        RefusedError: `file_exists`.
    """
    if os.path.lexists(path):
        raise RefusedError(
            "file_exists", f"{path} is there already", why="it may be the only copy", fix="name a file that is new"
        )


class ArchiveWriter(_Members, ReadOnlyStore):
    """A new archive, whose keys are read as soon as they are written. Leave its block after `finish`, or nothing stays.

    See `mlreg.stores.store.Store` for what each verb promises; one key is written at a time.
    """

    def __init__(self, path: Path) -> None:
        """Begin to write beside `path`.

        Raises:
            RefusedError: `file_exists`. MlregError: as the file system says.
        """
        self._path = path = full_path(path)
        refuse_file(path)
        self._temporary = path.with_name(f"{TEMPORARY}{os.urandom(8).hex()}")
        try:
            fd = os.open(self._temporary, _WRITE, 0o600)
        except OSError as error:
            raise explain(error, str(path)) from error
        super().__init__(path, fd)
        self._end = 0
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, and take it away if it did not get its name."""
        with suppress(OSError):
            os.close(self._fd)
        with suppress(OSError):
            self._temporary.unlink()

    @property
    def written(self) -> int:
        """Bytes so far."""
        return self._end

    def finish(self) -> None:
        """Give the file its name, durably."""
        with self._told():
            os.ftruncate(self._fd, self._end)
            _write_at(self._fd, self._end, END)
            os.fsync(self._fd)
            self._temporary.rename(self._path)
            flush_directory(str(self._path.parent))

    def create(self, key: str, data: bytes) -> None:
        if key in self._places:
            if self.read(key) != data:
                raise ConflictError("key_exists", f"{key} is in {self.url} already, with other bytes")
            return
        with self.upload(key) as new:
            new.write(data)

    @contextmanager
    def upload(self, key: str) -> Iterator[_Member]:
        if not is_key(key):
            raise bad_archive(f"{key!r:.100} is no key of a repository")
        with self._turn, self._told():
            if len(self._places) == MAX_KEYS:
                raise RefusedError(
                    "archive_too_large",
                    f"a file holds at most {MAX_KEYS} keys, and the repository has more",
                    fix="back up into a directory",
                )
            new = _Member(self._fd, self._end + BLOCK, self.url)
            yield new
            if key in self._places:
                raise ConflictError("key_exists", f"{key} is in {self.url} already")
            _write_at(self._fd, self._end, encode_header(key, new.size))
            # First shorter: behind it may stand what a write left that was given up.
            os.ftruncate(self._fd, new.start + new.size)
            os.ftruncate(self._fd, new.start + padded(new.size))
            self._places[key] = _Place(new.start, new.size)
            self._end = new.start + padded(new.size)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except MlregError:
            raise
        except OSError as error:
            raise explain(error, self.url) from error


class _Member:
    """Takes the bytes of one key."""

    def __init__(self, fd: int, start: int, url: str) -> None:
        self._fd, self.start, self._url = fd, start, url
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            _write_at(self._fd, self.start + self.size, data)
        except OSError as error:
            raise explain(error, self._url) from error
        self.size += len(data)


def _read_at(fd: int, start: int, size: int, url: str) -> bytes:
    parts = []
    try:
        while size and (data := os.pread(fd, size, start)):
            parts.append(data)
            start, size = start + len(data), size - len(data)
    except OSError as error:
        raise explain(error, url) from error
    return b"".join(parts)


def _write_at(fd: int, start: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, start)
        view, start = view[written:], start + written
