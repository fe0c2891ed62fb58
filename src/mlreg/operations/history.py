"""What is there, and what was: versions, commits, files, and what a version needs."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Protocol

from mlreg.errors import IntegrityError
from mlreg.formats.commit import Commit
from mlreg.formats.names import Entry, known_ref_name
from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.run import id_in
from mlreg.formats.snapshot import RefState
from mlreg.formats.tree import Child, File, Node, at_or_below, walk
from mlreg.formats.versions import is_release, order
from mlreg.ids import CommitId, ContentId, ObjectId, TreeId
from mlreg.repository.objects import Objects
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

Wanted = tuple[Sort, ObjectId]
LOOKED_AT = 20
"""Versions that are looked at for one with the same files."""


def versions_of(view: View, entry: Entry) -> dict[str, RefState]:
    """Return every version name that an entry ever had, removed ones too, with what it points to, the newest first."""
    return {leaf_of(ref): ref for ref in newest_first(view, entry)}


class Names(Protocol):
    """What the names of a state are, as a `View` tells it."""

    def ref(self, name: str) -> RefState | None:
        """Return what a name is, or None if it never was one."""

    def newest_first(self, family: str, before: str = "") -> Iterator[RefState]:
        """Yield the versions right below a prefix, removed ones too, the newest first."""


def newest_first(view: Names, entry: Entry, before: str = "") -> Iterator[RefState]:
    """Yield the versions of an entry, removed ones too, the newest first; only those older than `before`, if given."""
    return view.newest_first(f"version/{entry}/", before)


def version_of(view: Names, entry: Entry, version: str) -> RefState | None:
    """Return what the name of a version is; None if the entry never had it."""
    return view.ref(f"version/{entry}/{version}")


def latest_of(view: Names, entry: Entry) -> RefState | None:
    """Return the newest release, or the newest pre-release if there is no release; None if there is no version."""
    live = (ref for ref in newest_first(view, entry) if ref.target)
    first = next(live, None)
    if first is None or is_release(leaf_of(first)):
        return first
    return next((ref for ref in live if is_release(leaf_of(ref))), first)


def sealed_versions(view: View, entry: Entry, run: str) -> list[str]:
    """Return the names under which a run was sealed, removed ones too, the last one last."""
    found = [leaf_of(ref) for ref in view.refs(f"version/{entry}/{run}")]
    return sorted((leaf for leaf in found if id_in(leaf) == run), key=order)


def twin_of(repository: Repository, entry: Entry, version: str, tree: str) -> str:
    """Return which of the last few versions before one has the same files; empty if none, or the one before.

    Args:
        repository: refreshed.
        entry: as the log names it.
        version: of it.
        tree: id of its files.
    """
    live = (ref for ref in newest_first(repository.log.view, entry, version) if ref.target)
    before = {leaf_of(ref): ref.target for ref in islice(live, LOOKED_AT) if ref.target}
    # Of those that cannot be read, someone else will hear.
    with suppress(IntegrityError):
        commits = read_commits(repository, before.values())
        same = [version for version, target in before.items() if str(commits[target].tree) == tree]
        return same[0] if same and same[0] != next(iter(before)) else ""
    return ""


def leaf_of(ref: RefState) -> str:
    """Return the version or the tag that a name of the log ends in."""
    return ref.name.rpartition("/")[2]


def tags_of(view: View, entry: Entry) -> dict[str, RefState]:
    """Return every tag that an entry ever had, removed ones too, with what it points to, sorted."""
    prefix = f"tag/{entry}/"
    found = {ref.name[len(prefix) :]: ref for ref in view.refs(prefix) if known_ref_name(ref.name)}
    return {leaf: ref for leaf, ref in found.items() if "/" not in leaf}


def read_commit(repository: Repository, commit: CommitId) -> Commit:
    """Return one commit."""
    return Commit.decode(repository.objects.read_commit(commit))


def read_commits(repository: Repository, ids: Iterable[CommitId]) -> dict[CommitId, Commit]:
    """Return several commits; faster than one by one."""
    bodies = repository.objects.read_commits(list(dict.fromkeys(ids)))
    return {commit: Commit.decode(body) for commit, body in bodies.items()}


def is_version(repository: Repository, commit_id: CommitId) -> bool:
    """Tell whether a commit is a version that is there, and so has everything it needs."""
    return any(name.startswith("version/") for name in repository.log.view.names_of(commit_id))


def files_of(repository: Repository, commit: Commit, path: str = "") -> Iterator[File]:
    """Yield the files of a version in the order of their paths; of a path only that file, or what is below it."""
    load = repository.objects.read_tree
    return at_or_below(commit.tree, load, path) if path else walk(commit.tree, load)


def past(
    repository: Repository, starts: Iterable[CommitId], known: Container[CommitId] = frozenset()
) -> Iterator[CommitId]:
    """Yield the commits that these descend from, by versions before and by inputs, each once, these first.

    Only commits that are in the repository are yielded, and none that are known, nor what only those descend from.
    """
    pending, seen = list(starts), set()
    while pending:
        some = [commit for commit in dict.fromkeys(pending) if commit not in seen and commit not in known]
        present = [commit for commit in some if repository.objects.has(Sort.COMMIT, commit)]
        seen.update(some)
        yield from present
        pending = [earlier for commit in read_commits(repository, present).values() for earlier in commit.history()]


def needs_of(repository: Repository, commit: Commit, known: frozenset[ObjectId] = frozenset()) -> Iterator[Wanted]:
    """Yield everything that writing a version out reads: tree nodes, recipes, pages and pieces.

    Args:
        repository: where to look how large files are put together.
        commit: the version.
        known: tree nodes that are passed over with all below them.

    Raises:
        IntegrityError: `object_missing`, what leads further cannot be read.
    """
    for node in nodes_of(repository, commit.tree, known):
        yield Sort.TREE, node[0]
        for row in node[1].rows:
            if isinstance(row, File) and row.size:
                yield from needs_of_file(repository, row.id)


def nodes_of(
    repository: Repository, root: TreeId, known: frozenset[ObjectId] = frozenset()
) -> Iterator[tuple[TreeId, Node]]:
    """Yield the nodes of a tree, each once; those that are known are passed over with all below them."""
    pending, seen = [root], set[ObjectId](known)
    while pending:
        node_id = pending.pop()
        if node_id in seen:
            continue
        seen.add(node_id)
        node = Node.decode(repository.objects.read_tree(node_id))
        yield node_id, node
        pending.extend(row.id for row in reversed(node.rows) if isinstance(row, Child))


def tree_nodes(repository: Repository, root: TreeId) -> frozenset[ObjectId]:
    """Return the ids of all nodes of a tree."""
    return frozenset(node_id for node_id, _ in nodes_of(repository, root))


def needs_of_file(repository: Repository, content: ContentId) -> Iterator[Wanted]:
    """Yield what a file is stored as: one piece, or its recipe with pages and pieces."""
    objects = repository.objects
    if objects.has(Sort.PIECE, content) or not objects.has(Sort.RECIPE, content):
        yield Sort.PIECE, content
        return
    yield Sort.RECIPE, content
    recipe = Recipe.decode(bytes(objects.read(Sort.RECIPE, content)))
    yield from needs_of_recipe(objects, recipe)


def needs_of_recipe(objects: Objects, recipe: Recipe) -> Iterator[Wanted]:
    """Yield the pages and pieces that a recipe names, each page once, and before what is in it."""
    for part_id in dict.fromkeys(part.id for part in recipe.parts):
        if not recipe.is_paged:
            yield Sort.PIECE, part_id
            continue
        yield Sort.PAGE, part_id
        page = Recipe.decode(bytes(objects.read(Sort.PAGE, part_id)))
        yield from ((Sort.PIECE, part.id) for part in page.parts)
