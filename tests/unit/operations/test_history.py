"""What a version needs: everything that writing it out reads, and no vast work for a small tree."""

from __future__ import annotations

from itertools import islice

from mlreg.formats.commit import Commit
from mlreg.formats.pack import Sort
from mlreg.formats.tree import MAX_LEVEL, Child, File, Mode, Node
from mlreg.ids import ContentId, ObjectId, TreeId
from mlreg.operations.history import needs_of, tree_nodes
from mlreg.repository.repository import Repository
from tests.unit.repository.samples import put, repository_in

PIECE = b"a"


def repository_with_bomb() -> tuple[Repository, Commit]:
    """Each of eight levels names the one below 16 times: 16 ** 8 files in a few kilobytes."""
    leaf = Node(0, 1, 1, (File("a", Mode.FILE, 1, ContentId.of(PIECE)),))
    nodes = [leaf.encode()]
    child = Child("a", 1, 1, TreeId.of(nodes[0]))
    for level in range(1, MAX_LEVEL + 1):
        rows = tuple(child._replace(last=f"{number:02d}") for number in range(16))
        node = Node(level, 16 * child.files, 16 * child.size, rows)
        nodes.append(node.encode())
        child = Child("15", node.files, node.size, TreeId.of(nodes[-1]))
    repository = repository_in()
    put(repository, [*((Sort.TREE, node) for node in nodes), (Sort.PIECE, PIECE)])
    commit = Commit("model/net", "1.0.0", child.id, child.files, child.size, "directory", (), (), {}, "", "", "")
    return repository, commit


def test_a_node_that_stands_in_a_tree_often_is_needed_once() -> None:
    repository, commit = repository_with_bomb()
    needed: list[tuple[Sort, ObjectId]] = list(islice(needs_of(repository, commit), 1000))

    assert len(needed) == MAX_LEVEL + 2
    assert needed[-1] == (Sort.PIECE, ContentId.of(PIECE))
    assert len(tree_nodes(repository, commit.tree)) == MAX_LEVEL + 1
