"""Follow versions: what they were made from, what was made from them, and the versions of an entry as a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from sys import maxsize
from typing import Literal, Protocol

from mlreg.errors import IntegrityError
from mlreg.formats.commit import Commit
from mlreg.formats.names import known_ref_name
from mlreg.formats.ref import Ref, parse_ref
from mlreg.ids import CommitId
from mlreg.operations.history import newest_first
from mlreg.operations.lineage import Walk, down, present_commits, state_of, up, users_of, walk
from mlreg.operations.tainting import Taints
from mlreg.registry import results
from mlreg.registry.describe import Shown
from mlreg.registry.resolve import Target, entries_of, resolve_entry
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

Direction = Literal["up", "down"]
"""Up: what it was made from. Down: what was made from it."""
WALKS = {"up": up, "down": down}
BEFORE = "version before"
"""Role of the edge from a parent."""


class Finds(Protocol):
    """What finds the repository that a ref speaks of, at its newest state, as a `Registry` does."""

    @property
    def repository(self) -> Repository: ...

    def _at(self, ref: Ref) -> Repository: ...

    def find(self, text: str) -> tuple[Repository, Ref, Target]: ...


def lineage(
    registry: Finds, ref: str, *, direction: Direction = "up", depth: int | None = None
) -> list[results.LineageNode]:
    """Return a version and everything it was made from, or that was made from it, depth first.

    A version that is met twice is listed twice, but what is beyond it only once.

    Args:
        registry: where to look.
        ref: of a version.
        direction: which way to follow inputs.
        depth: the most steps from the version; None for no limit.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `version_removed`.
        IntegrityError: `object_damaged`, a commit on the way cannot be read.
    """
    repository, _, target = registry.find(ref)
    walk = WALKS[direction](repository, target.commit_id, depth)
    nodes = {node.id: node for node in _nodes(repository, walk.distances)}
    return [
        results.LineageNode(
            ref=nodes[str(step.commit_id)].ref,
            id=str(step.commit_id),
            role=step.role,
            depth=step.depth,
            present=bool(nodes[str(step.commit_id)].ref),
            state=nodes[str(step.commit_id)].state,
            tainted=nodes[str(step.commit_id)].tainted,
        )
        for step in walk.steps()
    ]


def graph(registry: Finds, ref: str, *, direction: Direction = "up", depth: int | None = None) -> results.Graph:
    """Return the same versions as `lineage`, each once, the nearest first, and how one was made from another.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `version_removed`.
        IntegrityError: `object_damaged`, a commit on the way cannot be read.
    """
    repository, _, target = registry.find(ref)
    walk = WALKS[direction](repository, target.commit_id, depth)
    edges = dict.fromkeys(_edges(walk, direction))
    return results.Graph(tuple(_nodes(repository, walk.distances)), tuple(edges))


def around(registry: Finds, refs: Iterable[str]) -> tuple[results.Graph, list[str]]:
    """Return what versions were made from, however far, and what was made from them: as one graph, and their ids.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `version_removed`.
        IntegrityError: `object_damaged`, a commit that they were made from cannot be read.
    """
    places: dict[int, tuple[Repository, list[CommitId]]] = {}
    for ref in refs:
        repository, _, target = registry.find(ref)
        places.setdefault(id(repository), (repository, []))[1].append(target.commit_id)
    nodes: dict[str, results.GraphNode] = {}
    edges: dict[results.GraphEdge, None] = {}
    for repository, ids in places.values():
        above, below = [up(repository, commit_id) for commit_id in ids], _uses(repository, ids)
        near = dict.fromkeys(chain(*(found.distances for found in (*above, *below))))
        nodes |= {node.id: node for node in _nodes(repository, near)}
        edges |= dict.fromkeys(edge for found in above for edge in _edges(found, "up"))
        edges |= dict.fromkeys(edge for found in below for edge in _edges(found, "down"))
    asked = [str(commit_id) for _, ids in places.values() for commit_id in ids]
    return results.Graph(tuple(nodes.values()), tuple(edges)), asked


def _uses(repository: Repository, ids: Iterable[CommitId]) -> list[Walk]:
    """Return the walks from versions to what was made from them directly."""
    try:
        users = users_of(repository)
    except IntegrityError:
        # All commits are read for this: one that is damaged may have nothing to do with what is asked.
        return []
    return [walk(commit_id, lambda front: {one: users.get(one, ()) for one in front}, 1) for commit_id in ids]


def _edges(walk: Walk, direction: Direction) -> Iterable[results.GraphEdge]:
    for commit_id, links in walk.links.items():
        for link in links:
            ends = str(link.commit_id), str(commit_id)
            source, target = ends if direction == "up" else ends[::-1]
            yield results.GraphEdge(source, target, link.role)


def _nodes(repository: Repository, ids: Iterable[CommitId]) -> list[results.GraphNode]:
    ids, view = list(ids), repository.log.view
    commits, tags, shown = present_commits(repository, ids), _tags(view), Shown(view)
    taints = Taints(repository).of_each(ids)
    nodes = (_node(view, commit_id, commits.get(commit_id), tags, shown) for commit_id in ids)
    return [node._replace(tainted=bool(taints[commit_id])) for commit_id, node in zip(ids, nodes, strict=True)]


def _node(
    view: View,
    commit_id: CommitId,
    commit: Commit | None,
    tags: Mapping[tuple[CommitId, str], list[str]],
    shown: Shown,
) -> results.GraphNode:
    if commit is None:
        return results.GraphNode(ref="", id=str(commit_id), kind="", state="absent", tags=(), message="")
    return results.GraphNode(
        ref=shown.version(commit),
        id=str(commit_id),
        kind=commit.entry.partition("/")[0],
        state=state_of(view, commit_id, commit),
        tags=tuple(tags.get((commit_id, commit.entry), ())),
        message=commit.message,
    )


def _tags(view: View) -> dict[tuple[CommitId, str], list[str]]:
    """Return the tags of each commit that are of its entry, sorted; one pass, as a commit cannot be looked up."""
    found: dict[tuple[CommitId, str], list[str]] = {}
    for ref in view.refs("tag/"):
        if ref.target and (name := known_ref_name(ref.name)):
            found.setdefault((ref.target, str(name.entry)), []).append(name.leaf)
    return found


def log_graph(registry: Finds, ref: str = "", limit: int = 0) -> results.Graph:
    """Return versions, removed ones too, with the version before and the inputs of each.

    Args:
        registry: where to look.
        ref: an entry; a tag or a version stands for its entry. Empty for every entry, sorted.
        limit: the most versions, the first ones; 0 for all.

    Returns:
        The versions, the newest of an entry first; behind them inputs that are none of them. Edges from inputs and
        from versions before; those to a version before that is beyond the limit are left out.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
        IntegrityError: `object_damaged`, a commit cannot be read.
    """
    repository = registry._at(parse_ref(ref)) if ref else registry.repository
    view = repository.log.refresh()
    entries = [resolve_entry(view, parse_ref(ref))] if ref else entries_of(view)
    names = chain.from_iterable(newest_first(view, entry) for entry in entries)
    ids = list(islice(filter(None, (name.target or name.removed for name in names)), min(limit, maxsize) or None))
    commits = present_commits(repository, ids)
    edges = dict.fromkeys(edge for commit_id, commit in commits.items() for edge in _origins(commit_id, commit))
    shown = {str(commit_id) for commit_id in ids}
    kept = tuple(edge for edge in edges if edge.role != BEFORE or edge.source in shown)
    inputs = (item.commit for commit in commits.values() for item in commit.inputs)
    return results.Graph(tuple(_nodes(repository, dict.fromkeys([*ids, *inputs]))), kept)


def _origins(commit_id: CommitId, commit: Commit) -> Iterable[results.GraphEdge]:
    for parent in commit.parents:
        yield results.GraphEdge(str(parent), str(commit_id), BEFORE)
    for item in commit.inputs:
        yield results.GraphEdge(str(item.commit), str(commit_id), item.role)
