"""Why something is kept: the shortest way from a name to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlreg.formats.names import RefName, known_ref_name
from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.tree import Child, File, Node
from mlreg.ids import CommitId, ObjectId, TreeId
from mlreg.operations.history import Wanted, read_commit
from mlreg.repository.repository import Repository


class Reason(NamedTuple):
    """A version that needs an object."""

    name: RefName
    tags: tuple[str, ...]
    """Of the version."""
    sort: Sort
    object_id: ObjectId
    path: str
    """Of the file that it is, or is part of; empty for a node of the tree, and for the commit."""
    is_part: bool
    """Whether it is not the whole file."""
    more: int = 0
    """Other versions that need it, too."""


class Found(NamedTuple):
    """What an id, or the first digits of one, stand for."""

    objects: tuple[Wanted, ...]
    """That are stored, needed or not."""
    reason: Reason | None
    """Why the first of them is kept; None if no version needs it."""
    size: int
    """Stored bytes of the copies of the objects."""


def why(repository: Repository, digits: str) -> Found:
    """Find out which version needs an object: one that is tagged, if there is one, and the newest of those.

    Args:
        repository: it is only read.
        digits: hexadecimal, an even number of them.
    """
    repository.log.refresh()
    repository.objects.take_up_all()
    stored = repository.log.view.objects_with(bytes.fromhex(digits))
    found = {object_id for _, object_id in stored}
    return Found(tuple(stored), _reason(repository, found) if found else None, _size(repository, stored))


def _size(repository: Repository, stored: list[Wanted]) -> int:
    objects, size = repository.objects, 0
    for sort, object_id in stored:
        for place in objects.places(sort, object_id):
            index = objects.index(place.pack)
            item = index.item(place.slot)
            size += round(index.block(item.block).share_of(item.size))
    return size


def _reason(repository: Repository, wanted: set[ObjectId]) -> Reason | None:
    search, first, more = _Search(repository, wanted), None, 0
    for name, commit_id, tags in _versions(repository):
        if need := search.in_version(commit_id):
            more += first is not None
            first = first or Reason(name, tags, *need)
    return first and first._replace(more=more)


def _versions(repository: Repository) -> Iterator[tuple[RefName, CommitId, tuple[str, ...]]]:
    """Yield all versions, those with tags first, then the newest first."""
    view = repository.log.view
    tags: dict[tuple[str, CommitId], list[str]] = {}
    for ref in view.refs("tag/"):
        if ref.target and (name := known_ref_name(ref.name)):
            tags.setdefault((str(name.entry), ref.target), []).append(name.leaf)
    rows = [
        (-ref.number, name, ref.target, tuple(tags.get((str(name.entry), ref.target), ())))
        for ref in view.refs("version/")
        if ref.target and (name := known_ref_name(ref.name))
    ]
    for _, name, commit_id, some in sorted(rows, key=lambda row: (not row[3], row[0], str(row[1]))):
        yield name, commit_id, some


class _Need(NamedTuple):
    """What a version has of what is searched, with the file that it belongs to: the fields are those of `Reason`."""

    sort: Sort
    object_id: ObjectId
    path: str = ""
    is_part: bool = False


class _Search:
    """Looks for objects in versions; what several of these have in common is looked at once."""

    def __init__(self, repository: Repository, wanted: set[ObjectId]) -> None:
        self._repository = repository
        self._wanted = wanted
        self._nodes: dict[TreeId, _Need | None] = {}
        self._files: dict[ObjectId, _Need | None] = {}

    def in_version(self, commit_id: CommitId) -> _Need | None:
        """Return the first that a version needs."""
        if commit_id in self._wanted:
            return _Need(Sort.COMMIT, commit_id)
        return self._in_node(read_commit(self._repository, commit_id).tree)

    def _in_node(self, node_id: TreeId) -> _Need | None:
        if node_id not in self._nodes:
            self._nodes[node_id] = (
                _Need(Sort.TREE, node_id) if node_id in self._wanted else next(self._in_rows(node_id), None)
            )
        return self._nodes[node_id]

    def _in_rows(self, node_id: TreeId) -> Iterator[_Need]:
        for row in Node.decode(self._repository.objects.read_tree(node_id)).rows:
            found = self._in_node(row.id) if isinstance(row, Child) else self._in_file(row)
            if found:
                yield found

    def _in_file(self, file: File) -> _Need | None:
        if not file.size:
            return None
        if file.id not in self._files:
            needs = _needs_of_file(self._repository, file)
            self._files[file.id] = next((need for need in needs if need.object_id in self._wanted), None)
        found = self._files[file.id]
        return found and found._replace(path=file.path)


def _needs_of_file(repository: Repository, file: File) -> Iterator[_Need]:
    yield _Need(Sort.PIECE, file.id, file.path)
    if file.size > 1 and repository.objects.places(Sort.RECIPE, file.id):
        yield from _parts(repository, Sort.RECIPE, file.id, file.path)


def _parts(repository: Repository, sort: Sort, recipe_id: ObjectId, path: str) -> Iterator[_Need]:
    recipe = Recipe.decode(bytes(repository.objects.read(sort, recipe_id)))
    for part in recipe.parts:
        yield _Need(Sort.PAGE if recipe.is_paged else Sort.PIECE, part.id, path, is_part=True)
        if recipe.is_paged:
            yield from _parts(repository, Sort.PAGE, part.id, path)
