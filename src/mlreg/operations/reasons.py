"""Why something is kept: the shortest way from a name to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlreg.formats.names import RefName, known_ref_name
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.tree import Child, Node
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
    for kind in PackKind:
        repository.objects.take_up_indexes(kind)
    stored = repository.log.view.objects_with(bytes.fromhex(digits))
    found = {object_id for _, object_id in stored}
    return Found(tuple(stored), _reason(repository, found) if found else None, _size(repository, stored))


def _size(repository: Repository, stored: list[Wanted]) -> int:
    objects, size = repository.objects, 0
    for sort, object_id in stored:
        for place in objects.places(sort, object_id):
            index = objects.index(place.pack)
            item = index.item(place.slot)
            block = index.block(item.block)
            size += round(block.stored_size * item.size / max(1, block.plain_size))
    return size


def _reason(repository: Repository, wanted: set[ObjectId]) -> Reason | None:
    seen: set[ObjectId] = set()
    for name, commit_id, tags in _versions(repository):
        for sort, object_id, path, is_part in _needs(repository, commit_id, seen):
            if object_id in wanted:
                return Reason(name, tags, sort, object_id, path, is_part)
    return None


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


def _needs(
    repository: Repository, commit_id: CommitId, seen: set[ObjectId]
) -> Iterator[tuple[Sort, ObjectId, str, bool]]:
    """Yield what a version needs and no version before it, with the file that it belongs to."""
    objects = repository.objects
    yield Sort.COMMIT, commit_id, "", False
    pending: list[TreeId] = [read_commit(repository, commit_id).tree]
    while pending:
        node_id = pending.pop()
        if node_id in seen:
            continue
        seen.add(node_id)
        yield Sort.TREE, node_id, "", False
        for row in Node.decode(objects.read_tree(node_id)).rows:
            if isinstance(row, Child):
                pending.append(row.id)
            elif row.size and row.id not in seen:
                seen.add(row.id)
                yield Sort.PIECE, row.id, row.path, False
                if row.size > 1 and objects.places(Sort.RECIPE, row.id):
                    yield from _parts(repository, Sort.RECIPE, row.id, row.path)


def _parts(
    repository: Repository, sort: Sort, recipe_id: ObjectId, path: str
) -> Iterator[tuple[Sort, ObjectId, str, bool]]:
    recipe = Recipe.decode(bytes(repository.objects.read(sort, recipe_id)))
    for part in recipe.parts:
        yield (Sort.PAGE if recipe.is_paged else Sort.PIECE), part.id, path, True
        if recipe.is_paged:
            yield from _parts(repository, Sort.PAGE, part.id, path)
