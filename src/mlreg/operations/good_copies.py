"""Where good copies of damaged objects are looked for: other repositories, and plain files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from blake3 import blake3

from mlreg.codecs.codec import Buffer
from mlreg.codecs.difference import DIFFERENCE
from mlreg.formats.pack import ID_OF, PackIndex, Sort
from mlreg.formats.recipe import Part
from mlreg.formats.transaction import PackEntry
from mlreg.ids import CommitId, ContentId, ObjectId
from mlreg.operations.check import Checked
from mlreg.operations.cutting import pieces_of_file
from mlreg.operations.history import Wanted
from mlreg.operations.looking_again import DAMAGE
from mlreg.operations.scanning import sources_below
from mlreg.repository.objects import Objects
from mlreg.repository.repository import Repository
from mlreg.repository.view import Place


class Source(Protocol):
    """Something that may have good copies."""

    name: str
    """For people."""

    def read(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        """Return the bytes of an object, verified by its id; a recipe, which has none, as it lies there."""
        ...

    def index_of(self, pack: PackEntry) -> PackIndex | None:
        """Return the index of exactly this pack, if it is there."""
        ...


class OtherRepository:
    """A repository that may have what another one lost."""

    def __init__(self, name: str, repository: Repository) -> None:
        """Read its log."""
        self.name = name
        self.repository = repository
        repository.log.refresh()

    def read(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        """Return a copy that is not damaged there, too."""
        try:
            return self.repository.objects.read(sort, object_id)
        except DAMAGE:
            return None

    def index_of(self, pack: PackEntry) -> PackIndex | None:
        """Return the index of exactly this pack, if it is there."""
        try:
            same = self.repository.log.view.pack(pack.id) == pack
            return self.repository.objects.fetch_index(pack) if same else None
        except DAMAGE:
            return None


class _Stretch(NamedTuple):
    path: str | Path
    start: int
    size: int


class PlainFiles:
    """Files of a directory: whole ones by their hash, pieces by the recipes of those."""

    name = "files"

    def __init__(self, paths: Iterable[Path]) -> None:
        """Read and hash every file.

        Raises:
            NotFoundError: `file_missing`.
        """
        self._paths: dict[ContentId, str | Path] = {}
        self._stretches: dict[ContentId, _Stretch] = {}
        for source in sources_below(paths):
            if isinstance(source.content, str | Path):
                content, size = _hashed(source.content)
                self._paths[content] = source.content
                self._stretches[content] = _Stretch(source.content, 0, size)

    def learn(self, parts_of: Callable[[ContentId], Iterable[Part]]) -> None:
        """Take up where the pieces of each file lie in it, as far as that is known."""
        for content, path in self._paths.items():
            for part in parts_of(content):
                self._stretches.setdefault(ContentId(part.id), _Stretch(path, part.start, part.end - part.start))

    def path_of(self, content: ContentId) -> str | Path | None:
        """Return where a whole file lies."""
        return self._paths.get(content)

    def read(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        """Return a piece out of a file."""
        stretch = self._stretches.get(ContentId(object_id)) if sort is Sort.PIECE else None
        if stretch is None:
            return None
        try:
            with Path(stretch.path).open("rb") as file:
                file.seek(stretch.start)
                data = file.read(stretch.size)
        except OSError:
            return None
        return data if ContentId.of(data) == object_id else None

    def index_of(self, pack: PackEntry) -> PackIndex | None:
        """Return nothing: files are no packs."""
        return None


def _hashed(path: str | Path) -> tuple[ContentId, int]:
    hasher, size = blake3(), 0
    for piece in pieces_of_file(path):
        hasher.update(piece.data)
        size += len(piece.data)
    return ContentId(hasher.digest()), size


class Copies:
    """The copies of objects in one repository, some of which a check found to be bad."""

    def __init__(self, repository: Repository, found: Checked) -> None:
        """Sort out what is damaged itself, and what only differs from a piece that is."""
        self.objects: Objects = repository.objects
        self._view = repository.log.view
        self.unreadable = found.unreadable
        self.mended: set[Wanted] = set()
        """What is about to be stored anew."""
        self.bad = {wanted: set(packs) for wanted, packs in found.bad.items()}
        self._bases: dict[tuple[ObjectId, str], ContentId] = {}
        """Of pieces that are as they were written, and differ from one that is not there in full."""
        for content in found.wrong_recipes:
            # Whichever is read, it is wrong.
            packs = {place.pack for place in self._view.places(Sort.RECIPE, content)}
            self.bad.setdefault((Sort.RECIPE, content), set()).update(packs)
        for (sort, object_id), packs in self.bad.items():
            for place in self._view.places(sort, object_id):
                if place.pack in packs and place.pack not in self.unreadable and (base := self._base_of(place)):
                    self._bases[object_id, place.pack] = base

    def _base_of(self, place: Place) -> ContentId | None:
        try:
            if not self.objects.is_difference(place):
                return None
            index = self.objects.index(place.pack)
            return ContentId(
                DIFFERENCE.base_of(self.objects.stored_block(place.pack, index.block(index.item(place.slot).block)))
            )
        except DAMAGE:
            return None

    @property
    def bases(self) -> set[ContentId]:
        """Pieces that others differ from which cannot be read because of them."""
        return set(self._bases.values())

    def is_bad(self, wanted: Wanted, pack_id: str) -> bool:
        """Tell whether the copy in a pack cannot be read; what differs from a base can, once that is there."""
        if pack_id in self.unreadable:
            return True
        if pack_id not in self.bad.get(wanted, ()):
            return False
        base = self._bases.get((wanted[1], pack_id))
        return base is None or not ((Sort.PIECE, base) in self.mended or self.good(Sort.PIECE, base, whole=True))

    def good(self, sort: Sort, object_id: ObjectId, *, whole: bool = False) -> list[Place]:
        """Return the places of good copies, the newest first; of those only that are no differences, if asked for."""
        return [
            place
            for place in self._view.places(sort, object_id)
            if place.pack not in self.unreadable
            and not (whole and self.objects.is_difference(place))
            and not self.is_bad((sort, object_id), place.pack)
        ]

    def read(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        """Return the bytes of a good copy, if there is one."""
        for place in self.good(sort, object_id):
            try:
                return self.objects.read_at(place, object_id)
            except DAMAGE:
                continue
        return self._kept(CommitId(object_id)) if sort is Sort.COMMIT else None

    def salvaged(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        """Return the bytes of an object out of a block that is damaged elsewhere: its id says that they are right."""
        if sort not in ID_OF:
            return None
        for place in self._view.places(sort, object_id):
            if place.pack not in self.unreadable:
                try:
                    return self.objects.read_at(place, object_id)
                except DAMAGE:
                    continue
        return None

    def _kept(self, commit: CommitId) -> Buffer | None:
        """Return a commit that was read before, and is kept in the view."""
        body = self._view.commit_bodies([commit]).get(commit)
        return body if body is not None and CommitId.of(body) == commit else None

    def known_items(self, sources: Iterable[Source]) -> Iterator[Wanted]:
        """Yield what packs hold that cannot be read, as far as a cache or a repository with the same pack knows it."""
        for pack_id in self.unreadable:
            index = self._view.index(pack_id) or self._index_from(sources, self._view.pack(pack_id))
            if index is not None:
                yield from ((item.sort, item.id) for item in index.items())

    def _index_from(self, sources: Iterable[Source], pack: PackEntry) -> PackIndex | None:
        for source in sources:
            if index := source.index_of(pack):
                self._view.add_index(pack.id, index)
                return index
        return None
