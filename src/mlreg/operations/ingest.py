"""Files in: cut into pieces, hashed, packed, and listed in a tree.

Each byte is read once. Nothing that the repository holds already is encoded again.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.codecs.codec import Buffer
from mlreg.errors import (
    AccessError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from mlreg.formats.names import quoted
from mlreg.formats.pack import Sort
from mlreg.formats.paths import check_path, check_tree_paths
from mlreg.formats.recipe import paginate
from mlreg.formats.tree import Child, File, Mode, build
from mlreg.ids import ContentId, ObjectId, TreeId
from mlreg.repository.packing import IN_FLIGHT, PackWriter
from mlreg.repository.repository import Repository

PIECE = 4 * 1024 * 1024
"""Bytes of one piece of a large file."""
OWN_DIRECTORY = ".mlreg"

Report = Callable[[int], None]
"""Told how many more bytes were read."""


class Source(NamedTuple):
    """One file that wants to become part of a version."""

    path: str
    """Where it stands in the tree."""
    content: Path | Callable[[], Iterable[Buffer]]
    """A file on disk, or what yields its bytes."""
    mode: Mode = Mode.FILE


def named_path(path: str | Path) -> Path:
    """Return a path that someone wrote.

    Raises:
        UsageError: `empty_path`: it would be the present directory, and was probably a variable that is not set.
    """
    if path == "":
        raise UsageError("empty_path", "the path is empty", fix="write . for this directory")
    return Path(path)


def sources_below(paths: Iterable[Path]) -> list[Source]:
    """Return the files that one or several paths stand for, sorted by their place in the tree.

    A single directory stands for what is in it; a single file, or each of several paths, for itself
    under its own name. A link to a file stands for that file; the directory `.mlreg` is passed over.

    Raises:
        NotFoundError: `file_missing`.
        RefusedError: `not_a_file` (a device, a pipe, a link to a directory), `unsafe_path`,
            `colliding_paths`.
        UsageError: `nothing_to_add`.
    """
    named = list(paths)
    single = len(named) == 1
    found: list[Source] = []
    for path in named:
        resolved = path.absolute()
        prefix = "" if single and path.is_dir() else resolved.name
        found.extend(_below(resolved, prefix))
    if not found:
        raise UsageError("nothing_to_add", f"there is no file in {', '.join(map(str, named)) or 'nothing'}")
    return _ordered(found)


def _ordered(sources: Iterable[Source]) -> list[Source]:
    """Return sources in the order of their paths, which can lie side by side on every system."""
    ordered = sorted(sources, key=lambda source: source.path)
    for one, other in pairwise(ordered):
        if one.path == other.path:
            raise RefusedError(
                "colliding_paths",
                f"two of the files would be {quoted(one.path)} in the version",
                why="a file that is named by itself stands under its last name",
                fix="name the directory that holds both",
            )
    check_tree_paths(source.path for source in ordered)
    return ordered


def _below(path: Path, place: str) -> Iterator[Source]:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            why = f"it is a link to {os.readlink(path)}, and there is nothing there"
            raise NotFoundError("file_missing", f"{path} cannot be read", why=why, fix="mend or remove it") from error
        raise NotFoundError("file_missing", f"{path} does not exist", fix="check the spelling") from error
    except OSError as error:
        raise AccessError("access_denied", f"{path} cannot be read", why=error.strerror or "") from error
    if stat.S_ISREG(status.st_mode):
        check_path(place)
        yield Source(place, path, Mode.EXECUTABLE if status.st_mode & stat.S_IXUSR else Mode.FILE)
    elif stat.S_ISDIR(status.st_mode) and not (place and path.is_symlink()):
        if place:
            check_path(place)  # which also bounds how deep this goes
        for name in _names_in(path):
            yield from _below(path / name, f"{place}/{name}" if place else name)
    else:
        raise RefusedError(
            "special_file",
            f"{path} is neither a file nor a directory",
            why="a device, a pipe, a socket or a link to a directory cannot be kept",
            fix="leave it out, or name the files to add one by one",
        )


def _names_in(directory: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if name != OWN_DIRECTORY)
    except OSError as error:
        raise AccessError("access_denied", f"{directory} cannot be read", why=error.strerror or "") from error


def ingest(repository: Repository, writer: PackWriter, sources: Iterable[Source], report: Report) -> Child:
    """Put files into packs and return the root of their tree.

    Args:
        repository: refreshed, with the indexes of all packs taken up.
        writer: takes what the repository does not hold.
        sources: in any order.
        report: told about progress.

    Raises:
        ConflictError: `file_changed`, a file was written to while it was read.
        NotFoundError: `file_missing`, AccessError: `access_denied`.
        RefusedError: `unsafe_path`, `colliding_paths`.
    """
    # Also those that are not from a disk: what is registered can be written out.
    ordered = _ordered(sources)
    files = _Files(repository, writer, report)

    def keep(node: TreeId, data: bytes) -> None:
        files.add(Sort.TREE, node, data)

    return build((files.take(source) for source in ordered), keep)


class _Files:
    """Takes one file after the other; pieces are hashed on all cores while the next ones are read."""

    def __init__(self, repository: Repository, writer: PackWriter, report: Report) -> None:
        self._objects = repository.objects
        self._writer = writer
        self._report = report

    def add(self, sort: Sort, object_id: ObjectId, data: Buffer) -> None:
        if not self._objects.holds(sort, object_id):
            self._writer.add(sort, object_id, data)

    def take(self, source: Source) -> File:
        if isinstance(source.content, Path):
            pieces = _pieces_of_file(source.content)
        else:
            pieces = _pieces_of_stream(source.content())
        first = next(pieces, b"")
        second = next(pieces, None)
        self._report(len(first))
        if second is None:
            content = ContentId.of(first)
            if first:
                self.add(Sort.PIECE, content, first)
            return File(source.path, source.mode, len(first), content)
        return self._take_large(source, first, second, pieces)

    def _take_large(self, source: Source, first: bytes, second: bytes, rest: Iterator[bytes]) -> File:
        whole = blake3()
        hashing: deque[tuple[bytes, Future[ContentId]]] = deque()
        rows: list[tuple[int, ContentId]] = []
        for piece in _chained(first, second, rest):
            hashing.append((piece, self._writer.pool.submit(ContentId.of, piece)))
            whole.update(piece)
            self._report(len(piece) if piece is not first else 0)
            if len(hashing) > IN_FLIGHT:
                rows.append(self._keep_oldest(hashing))
        while hashing:
            rows.append(self._keep_oldest(hashing))
        content = ContentId(whole.digest())
        self._add_recipe(content, rows)
        return File(source.path, source.mode, sum(size for size, _ in rows), content)

    def _keep_oldest(self, hashing: deque[tuple[bytes, Future[ContentId]]]) -> tuple[int, ContentId]:
        piece, future = hashing.popleft()
        content = future.result()
        self.add(Sort.PIECE, content, piece)
        return len(piece), content

    def _add_recipe(self, content: ContentId, rows: list[tuple[int, ContentId]]) -> None:
        recipe, pages = paginate(rows)
        for page, data in pages:
            self.add(Sort.PAGE, page, data)
        self.add(Sort.RECIPE, content, recipe.encode())


def _chained(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest


def _pieces_of_file(path: Path) -> Iterator[bytes]:
    """Yield the pieces of a file; `file_changed` if it is not the same file from beginning to end."""
    try:
        # O_NONBLOCK: a pipe that took the file's place must not hold us for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        before = os.fstat(fd)
        size = 0
        while piece := _read_piece(fd, path, size):
            size += len(piece)
            yield piece
            if len(piece) < PIECE:
                break
        if not stat.S_ISREG(before.st_mode) or _stamp(before) != _stamp(os.fstat(fd)) or size != before.st_size:
            raise ConflictError(
                "file_changed",
                f"{path} was written to while it was read",
                why="its bytes before and after do not belong together; nothing was registered",
                fix="wait until it is complete, then add it again",
            )
    finally:
        os.close(fd)


def _read_piece(fd: int, path: Path, start: int) -> bytes:
    try:
        piece = os.pread(fd, PIECE, start)
        while 0 < len(piece) < PIECE and (more := os.pread(fd, PIECE - len(piece), start + len(piece))):
            piece += more
    except OSError as error:
        raise _unreadable(path, error) from error
    return piece


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _unreadable(path: Path, error: OSError) -> NotFoundError | AccessError:
    if isinstance(error, FileNotFoundError):
        return NotFoundError("file_missing", f"{path} does not exist any more", why="it vanished while it was added")
    return AccessError("access_denied", f"{path} cannot be read", why=error.strerror or "")


def _pieces_of_stream(parts: Iterable[Buffer]) -> Iterator[bytes]:
    """Yield pieces of exactly `PIECE` bytes, and a last one of what is left."""
    held = bytearray()
    for part in parts:
        view = memoryview(part)
        while view:
            taken = PIECE - len(held)
            held += view[:taken]
            view = view[taken:]
            if len(held) == PIECE:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)
