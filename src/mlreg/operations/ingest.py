"""Files in: cut into pieces, hashed, packed, and listed in a tree.

Each byte is read once. Nothing that the repository holds already is encoded again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property, partial
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.codecs.codec import Buffer
from mlreg.codecs.planes import Shape
from mlreg.errors import RefusedError
from mlreg.formats.names import quoted
from mlreg.formats.pack import Sort
from mlreg.formats.paths import check_tree_paths
from mlreg.formats.recipe import paginate
from mlreg.formats.tree import Child, File, build
from mlreg.ids import ContentId, ObjectId
from mlreg.operations.cutting import Piece, pieces_of_file, pieces_of_stream
from mlreg.operations.holding import Holdings
from mlreg.operations.remembering import Remembered
from mlreg.operations.scanning import Source, Stored, size_in
from mlreg.repository.packing import IN_FLIGHT, PackWriter
from mlreg.repository.pool import Pool
from mlreg.repository.repository import Repository

READ_AHEAD = 4
"""Pieces of a large file that are read before they are asked for."""

Report = Callable[[int], None]
"""Told how many more bytes were read."""


def _check(ordered: Sequence[Source]) -> None:
    """Refuse files that cannot lie side by side on every system; also those that are not from a disk."""
    for one, other in pairwise(ordered):
        if one.path == other.path:
            raise RefusedError(
                "colliding_paths",
                f"two of the files would be {quoted(one.path)} in the version",
                why="a file that is named by itself stands under its last name",
                fix="name the directory that holds both",
            )
    check_tree_paths(source.path for source in ordered)


class Ingested(NamedTuple):
    """Files that were put into packs."""

    root: Child
    """Of their tree."""
    remember: Callable[[int], None]
    """Notes what they hold, once that has a name that holds in a generation."""


def ingest(repository: Repository, writer: PackWriter, sources: Sequence[Source], report: Report) -> Ingested:
    """Put files into packs.

    Args:
        repository: refreshed, with the indexes of all packs taken up.
        writer: takes what the repository does not hold.
        sources: in any order. One with a stamp is not read if it had this one when it was last added, and what
            the repository has already is not read either.
        report: told about progress.

    Raises:
        ConflictError: `file_changed`, a file was written to while it was read.
        NotFoundError: `file_missing`, AccessError: `access_denied`.
        RefusedError: `unsafe_path`, `colliding_paths`.
        IntegrityError: `object_missing`, of what should be here already.
    """
    ordered = sorted(sources, key=lambda source: source.path)
    remembered, holdings = Remembered(repository.notes, ordered), Holdings(repository)
    if root := _known_root(repository, remembered, holdings):
        report(root.size)
        return Ingested(root, remembered.keep_again)
    _check(ordered)
    files = _Files(repository, holdings, writer, report, remembered.ids())
    ids = bytearray()

    def taken() -> Iterator[File]:
        for source in ordered:
            file = files.take(source)
            ids.extend(file.id)
            yield file

    root = build(taken(), partial(files.add, Sort.TREE))
    return Ingested(root, partial(remembered.keep, bytes(ids), root))


def _known_root(repository: Repository, remembered: Remembered, holdings: Holdings) -> Child | None:
    """Return the root of the tree that the files made when they were last added, if all of it is still there."""
    root, objects = remembered.root(), repository.objects
    if root is None or not objects.is_whole():
        return None
    # It was there as a whole then. If nothing was taken away since, it is.
    is_there = remembered.generation == repository.log.view.generation and objects.holds(Sort.TREE, root.id)
    return root if is_there or holdings.has_tree(root.id) else None


class _Files:
    """Takes one file after the other; pieces are hashed on all cores while the next ones are read."""

    def __init__(
        self,
        repository: Repository,
        holdings: Holdings,
        writer: PackWriter,
        report: Report,
        known: Mapping[str, ContentId],
    ) -> None:
        self._objects = repository.objects
        self._holdings = holdings
        self._writer = writer
        self._report = report
        self._known = known if known and self._has_all else {}

    @cached_property
    def _has_all(self) -> bool:
        """Whether what indexes list can be relied on: no pack was lost."""
        return self._objects.is_whole()

    def add(self, sort: Sort, object_id: ObjectId, data: Buffer) -> None:
        if not self._holdings.has(sort, object_id):
            self._writer.add(sort, object_id, data)

    def take(self, source: Source) -> File:
        origin = source.content
        if isinstance(origin, Stored):
            if known := self._stored(source, origin):
                return known
            # Reading it says what is missing.
            origin = partial(self._objects.read_whole, *origin)
        if source.path in self._known and (known := self._held(source)):
            return known
        pieces = _pieces_of(origin)
        first = next(pieces, Piece(b"", None))
        second = next(pieces, None)
        if second is None:
            self._report(len(first.data))
            content = ContentId.of(first.data)
            if first.data:
                self._keep(content, first)
            return File(source.path, source.mode, len(first.data), content)
        return self._take_large(source, chain((first, second), pieces))

    def _stored(self, source: Source, content: Stored) -> File | None:
        """Return a file with bytes that the repository has, if no pack of it was lost."""
        if content.size and not (self._has_all and self._holdings.has_file(content.id)):
            return None
        self._report(content.size)
        return File(source.path, source.mode, content.size, content.id)

    def _held(self, source: Source) -> File | None:
        """Return a file that looks as it did, if the repository has what it held."""
        content, size = self._known[source.path], size_in(source.stamp)
        if size and not self._holdings.has_file(content):
            return None
        self._report(size)
        return File(source.path, source.mode, size, content)

    def _take_large(self, source: Source, pieces: Iterator[Piece]) -> File:
        whole = blake3()
        hashing: deque[tuple[Piece, Future[ContentId]]] = deque()
        rows: list[tuple[int, ContentId]] = []
        for piece in _ahead(pieces, whole):
            hashing.append((piece, self._writer.pool.submit(ContentId.of, piece.data)))
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
            self._writer.add(Sort.PIECE, content, piece.data, shape_of_piece(piece))

    def _add_recipe(self, content: ContentId, rows: list[tuple[int, ContentId]]) -> None:
        recipe, pages = paginate(rows)
        for page, data in pages:
            self.add(Sort.PAGE, page, data)
        self.add(Sort.RECIPE, content, recipe.encode())


def _ahead(pieces: Iterator[Piece], whole: blake3) -> Iterator[Piece]:
    """Yield pieces; the next ones are read, and hashed with all before them, while the caller uses this one."""

    def step() -> Piece | None:
        piece = next(pieces, None)
        if piece:
            whole.update(piece.data)
        return piece

    with Pool(1, "mlreg-read") as pool:
        waiting = deque(pool.submit(step) for _ in range(READ_AHEAD))
        while piece := waiting.popleft().result():
            waiting.append(pool.submit(step))
            yield piece


def _pieces_of(content: str | Path | Callable[[], Iterable[Buffer]]) -> Iterator[Piece]:
    return pieces_of_stream(content()) if callable(content) else pieces_of_file(content)


def shape_of_piece(piece: Piece) -> Shape | None:
    """Return how numbers lie in a piece, if that is known."""
    element = piece.element
    return Shape(element.width, is_rotated=element.is_float) if element else None
