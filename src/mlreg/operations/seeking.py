"""Finding a good copy of everything that versions need: here, or else where others may have it.

What is behind an object that came from elsewhere is looked for in turn, so that one pass is enough. A recipe has no id
of its own: one from elsewhere counts if its pieces make the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from blake3 import blake3

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError, MlregError
from mlreg.formats.commit import Commit
from mlreg.formats.names import known_ref_name
from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Part, Recipe, paginate, shifted
from mlreg.formats.tree import Child, File, Node
from mlreg.ids import CommitId, ContentId, ObjectId
from mlreg.operations.cutting import pieces_of_file
from mlreg.operations.good_copies import Copies, PlainFiles, Source
from mlreg.operations.history import Wanted
from mlreg.operations.ingest import shape_of_piece
from mlreg.repository.objects import LIKELY_WHOLE
from mlreg.repository.packing import PackWriter

UNREAD: Buffer = b""
"""A piece that is there: nobody here needs its bytes."""

SALVAGED = "damaged packs"
"""As what those are named that lie beside what is damaged, and are not."""
CACHE = "the cache"


class Given(NamedTuple):
    """What came from one place."""

    objects: int
    size: int
    """Plain bytes."""


class Hurt(NamedTuple):
    """A file of a version that cannot be read."""

    ref: str
    path: str
    """Empty: which files it has cannot be said, or what it was made from."""


class Search:
    """Finds a good copy of everything that versions need, and gives a writer those that come from elsewhere."""

    def __init__(
        self, copies: Copies, sources: Sequence[Source], writer: PackWriter, versions: dict[str, CommitId]
    ) -> None:
        self._copies = copies
        self._sources = sources
        self._writer = writer
        self._versions = versions
        self._targets = set(versions.values())
        self._small: dict[Wanted, bytes] = {}
        """Metadata that came from elsewhere."""
        self._forms: dict[ContentId, Sort] = {}
        """As what files came from elsewhere, or are lost."""
        self._learned = False
        self.given: dict[str, Given] = {}
        self.lost: dict[Wanted, None] = {}

    def prefer(self, wanted: Iterable[Wanted]) -> None:
        """Bring what is good to have; that it is nowhere is no loss to a version."""
        for sort, object_id in wanted:
            self._obtain(sort, object_id)

    def follow(self) -> None:
        """Bring everything that versions need."""
        pending: list[Wanted] = [(Sort.COMMIT, target) for target in self._targets]
        seen: set[Wanted] = set()
        while pending:
            wanted = pending.pop()
            if wanted in seen:
                continue
            seen.add(wanted)
            try:
                data = self._obtain(*wanted)
                behind = [] if data is None else list(self._behind(wanted, data))
            except IntegrityError:
                # It is what was written, and should not have been.
                data, behind = None, []
            if data is None:
                self.lost[wanted] = None
            pending.extend(behind)

    def _behind(self, wanted: Wanted, data: Buffer) -> Iterator[Wanted]:
        """Yield what an object leads to."""
        sort, object_id = wanted
        if sort is Sort.COMMIT:
            commit = Commit.decode(bytes(data))
            yield from ((Sort.COMMIT, earlier) for earlier in commit.history())
            if object_id in self._targets:
                yield Sort.TREE, commit.tree
        elif sort is Sort.TREE:
            for row in Node.decode(bytes(data)).rows:
                if isinstance(row, Child):
                    yield Sort.TREE, row.id
                elif row.size:
                    yield self._form(row)
        elif sort in (Sort.RECIPE, Sort.PAGE):
            recipe = Recipe.decode(bytes(data))
            yield from ((Sort.PAGE if recipe.is_paged else Sort.PIECE, part.id) for part in recipe.parts)

    def _form(self, file: File) -> Wanted:
        """Return as what a file is, or could be, stored here: in pieces, or as one."""
        order = [Sort.RECIPE, Sort.PIECE] if file.size > LIKELY_WHOLE else [Sort.PIECE, Sort.RECIPE]
        order.sort(key=lambda sort: not self._copies.objects.has(sort, file.id))
        for sort in order:
            if self._copies.good(sort, file.id):
                return sort, file.id
        if file.id not in self._forms:
            found = (sort for sort in order if self._obtain(sort, file.id) is not None)
            self._forms[file.id] = next(found, order[0])
        return self._forms[file.id], file.id

    def _obtain(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        """Return the bytes of an object, from here or from elsewhere; of a piece only whether it is there."""
        if sort is Sort.PIECE and (self._copies.good(sort, object_id) or self._writer.has(sort, object_id)):
            return UNREAD
        if (sort, object_id) in self._small:
            return self._small[sort, object_id]
        if sort is not Sort.PIECE and self._copies.good(sort, object_id):
            return self._copies.read(sort, object_id)
        for name, data in self._found(sort, object_id):
            if data is not None:
                return self._take(name, sort, object_id, data)
        return self._cut(ContentId(object_id)) if sort is Sort.RECIPE else None

    def _found(self, sort: Sort, object_id: ObjectId) -> Iterator[tuple[str, Buffer | None]]:
        """Yield what there is of an object of which there is no good copy here, verified, the nearest first."""
        yield CACHE, self._copies.read(sort, object_id)
        yield SALVAGED, self._copies.salvaged(sort, object_id)
        self._learn()
        for source in self._sources:
            data = source.read(sort, object_id)
            is_right = data is not None and (sort is not Sort.RECIPE or self._adds_up(ContentId(object_id), data))
            yield source.name, data if is_right else None

    def _take(self, name: str, sort: Sort, object_id: ObjectId, data: Buffer) -> Buffer:
        self._writer.add(sort, object_id, bytes(data))
        self._copies.mended.add((sort, object_id))
        before = self.given.get(name, Given(0, 0))
        self.given[name] = Given(before.objects + 1, before.size + len(data))
        if sort is Sort.PIECE:
            return UNREAD
        self._small[sort, object_id] = bytes(data)
        return data

    # Files in pieces.

    def _peek(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        """Return the bytes of an object from wherever they are good; nothing is stored."""
        found = self._small.get((sort, object_id)) or self._copies.read(sort, object_id)
        others = (source.read(sort, object_id) for source in self._sources)
        return found if found is not None else next((data for data in others if data is not None), None)

    def _parts(self, data: Buffer) -> Iterator[Part]:
        recipe = Recipe.decode(bytes(data))
        for part in recipe.parts:
            if not recipe.is_paged:
                yield part
            elif (page := self._peek(Sort.PAGE, part.id)) is not None:
                yield from shifted(Recipe.decode(bytes(page)), part)
            else:
                raise self._copies.objects.lost(Sort.PAGE, part.id)

    def _adds_up(self, content: ContentId, data: Buffer) -> bool:
        """Tell whether the pieces that a recipe names make the file."""
        hasher = blake3()
        try:
            for part in self._parts(data):
                piece = self._peek(Sort.PIECE, part.id)
                if piece is None or len(piece) != part.end - part.start:
                    return False
                hasher.update(piece)
        except MlregError:
            return False
        return hasher.digest() == content

    def _files(self) -> Iterator[PlainFiles]:
        return (source for source in self._sources if isinstance(source, PlainFiles))

    def _learn(self) -> None:
        """Say to files where pieces lie in them, once something is looked for."""
        if not self._learned:
            self._learned = True
            for files in self._files():
                files.learn(self._known_parts)

    def _known_parts(self, content: ContentId) -> list[Part]:
        recipe = self._peek(Sort.RECIPE, content)
        try:
            return [] if recipe is None else list(self._parts(recipe))
        except MlregError:
            return []

    def _cut(self, content: ContentId) -> Buffer | None:
        """Cut a file anew whose recipe is nowhere, and return the one that this gives."""
        path = next((path for files in self._files() if (path := files.path_of(content))), None)
        if path is None:
            return None
        rows: list[tuple[int, ContentId]] = []
        hasher = blake3()
        for piece in pieces_of_file(path):
            hasher.update(piece.data)
            rows.append((len(piece.data), ContentId.of(piece.data)))
            if not self._copies.good(Sort.PIECE, rows[-1][1]):
                self._writer.add(Sort.PIECE, rows[-1][1], piece.data, shape_of_piece(piece))
        if len(rows) < 2 or hasher.digest() != content:
            return None
        recipe, pages = paginate(rows)
        for page, data in pages:
            self._take(PlainFiles.name, Sort.PAGE, page, data)
        return self._take(PlainFiles.name, Sort.RECIPE, content, recipe.encode())

    # What stays lost.

    def hurts(self) -> Iterator[Hurt]:
        """Yield what cannot be read of each version; files by their paths, as far as trees can be read."""
        if not self.lost:
            return
        for name, target in sorted(self._versions.items()):
            parsed = known_ref_name(name)
            if parsed and parsed.sort == "version":
                shown = f"{parsed.entry}@{parsed.leaf}"
                yield from (Hurt(shown, path) for path in dict.fromkeys(self._paths_lost(target)))

    def _paths_lost(self, target: CommitId) -> Iterator[str]:
        pending: list[tuple[Wanted, str]] = [((Sort.COMMIT, target), "")]
        seen: set[tuple[Wanted, str]] = set()
        while pending:
            step = pending.pop()
            if step in seen:
                continue
            seen.add(step)
            if step[0] in self.lost:
                yield step[1]
            else:
                pending.extend(self._steps(*step, target))

    def _steps(self, wanted: Wanted, path: str, target: CommitId) -> Iterator[tuple[Wanted, str]]:
        """Yield what an object leads to for one version, each with the path of the file that it is for."""
        data = None if wanted[0] is Sort.PIECE else self._peek(*wanted)
        if data is None:
            return
        if wanted[0] is Sort.TREE:
            for row in Node.decode(bytes(data)).rows:
                if isinstance(row, Child):
                    yield (Sort.TREE, row.id), path
                elif row.size:
                    yield self._form(row), row.path
            return
        for behind in self._behind(wanted, data):
            # The trees of earlier versions are not its own.
            if behind[0] is not Sort.TREE or wanted[1] == target:
                yield behind, path
