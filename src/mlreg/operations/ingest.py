"""Files in: cut into pieces, hashed, packed, and listed in a tree.

Each byte is read once. Nothing that the repository holds already is encoded again.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.codecs.codec import Buffer
from mlreg.codecs.planes import Shape
from mlreg.errors import (
    AccessError,
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
from mlreg.operations.cutting import Piece, pieces_of_file, pieces_of_stream
from mlreg.repository.packing import IN_FLIGHT, PackWriter
from mlreg.repository.repository import Repository
from mlreg.tensors.tensor_format import Element

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
            pieces = pieces_of_file(source.content)
        else:
            pieces = pieces_of_stream(source.content())
        first = next(pieces, Piece(b"", None))
        second = next(pieces, None)
        if second is None:
            self._report(len(first.data))
            content = ContentId.of(first.data)
            if first.data:
                self._keep(content, first)
            return File(source.path, source.mode, len(first.data), content)
        return self._take_large(source, chain((first, second), pieces))

    def _take_large(self, source: Source, pieces: Iterator[Piece]) -> File:
        whole = blake3()
        hashing: deque[tuple[Piece, Future[ContentId]]] = deque()
        rows: list[tuple[int, ContentId]] = []
        for piece in pieces:
            hashing.append((piece, self._writer.pool.submit(ContentId.of, piece.data)))
            whole.update(piece.data)
            self._report(len(piece.data))
            if len(hashing) > IN_FLIGHT:
                rows.append(self._keep_oldest(hashing))
        while hashing:
            rows.append(self._keep_oldest(hashing))
        content = ContentId(whole.digest())
        self._add_recipe(content, rows)
        return File(source.path, source.mode, sum(size for size, _ in rows), content)

    def _keep_oldest(self, hashing: deque[tuple[Piece, Future[ContentId]]]) -> tuple[int, ContentId]:
        piece, future = hashing.popleft()
        content = future.result()
        self._keep(content, piece)
        return len(piece.data), content

    def _keep(self, content: ContentId, piece: Piece) -> None:
        if not self._objects.holds(Sort.PIECE, content):
            self._writer.add(Sort.PIECE, content, piece.data, _shape(piece.element))

    def _add_recipe(self, content: ContentId, rows: list[tuple[int, ContentId]]) -> None:
        recipe, pages = paginate(rows)
        for page, data in pages:
            self.add(Sort.PAGE, page, data)
        self.add(Sort.RECIPE, content, recipe.encode())


def _shape(element: Element | None) -> Shape | None:
    return Shape(element.width, is_rotated=element.is_float) if element else None
