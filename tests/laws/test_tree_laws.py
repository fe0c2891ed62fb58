"""Trees: equal files give an equal id, a small change rewrites little, and no node can stand elsewhere."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, MlregError
from mlreg.formats import tree
from mlreg.formats.tree import (
    MAX_LEVEL,
    MAX_ROWS,
    Child,
    Difference,
    File,
    Folder,
    Mode,
    Node,
    at_or_below,
    build,
    differences,
    listed,
    walk,
)
from mlreg.ids import ContentId, ObjectId, TreeId

ONE = ContentId.of(b"one")
TWO = ContentId.of(b"two")

paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
files = st.builds(File, paths, st.sampled_from(Mode), st.integers(0, 2**40), st.sampled_from([ONE, TWO]))
trees = st.lists(files, max_size=60, unique_by=lambda file: file.path)


class Nodes(dict[TreeId, bytes]):
    """The nodes that were kept; looking one up by a wrong id fails as a repository would."""

    def keep(self, node_id: TreeId, data: bytes) -> None:
        assert TreeId.of(data) == node_id
        self[node_id] = data

    def root_of(self, files: Iterable[File]) -> Child:
        return build(sorted(files), self.keep)

    def files_of(self, root: TreeId) -> list[File]:
        return list(walk(root, self.__getitem__))


def sorted_by_bytes(files: Iterable[File]) -> list[File]:
    return sorted(files, key=lambda file: file.path.encode())


@pytest.fixture
def small_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut after four rows on average, so that a few files make a tree of several levels."""
    monkeypatch.setattr(tree, "LEAF_MASK", 3)
    monkeypatch.setattr(tree, "NODE_MASK", 3)


# Reading back.


@pytest.mark.usefixtures("small_nodes")
@given(files=trees)
def test_a_tree_holds_the_files_it_was_built_of_in_the_order_of_their_bytes(files: list[File]) -> None:
    nodes = Nodes()
    root = nodes.root_of(files)

    assert nodes.files_of(root.id) == sorted_by_bytes(files)
    assert (root.files, root.size) == (len(files), sum(file.size for file in files))


def numbered(count: int) -> list[File]:
    return [File(f"train/{number:06d}.jpg", Mode.FILE, number, ONE) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 20_000])
def test_a_tree_of_the_usual_width_holds_its_files(count: int) -> None:
    nodes = Nodes()

    assert nodes.files_of(nodes.root_of(numbered(count)).id) == numbered(count)


def test_nodes_are_handed_over_before_those_that_name_them() -> None:
    seen: set[TreeId] = set()

    def keep(node_id: TreeId, data: bytes) -> None:
        assert all(row.id in seen for row in Node.decode(data).rows if isinstance(row, Child))
        seen.add(node_id)

    build(numbered(20_000), keep)


def unlucky_names(count: int) -> Iterator[str]:
    """Yield names behind none of which a leaf ends."""
    number = 0
    while count:
        name = f"{number:08d}"
        if int.from_bytes(blake3(name.encode()).digest()[:8], "little") & tree.LEAF_MASK:
            yield name
            count -= 1
        number += 1


def test_a_node_has_a_largest_size_whatever_the_names_are() -> None:
    nodes = Nodes()
    files = [File(name, Mode.FILE, 1, ONE) for name in unlucky_names(2 * MAX_ROWS + 5)]
    root = nodes.root_of(files)

    leaves = [node for node in map(Node.decode, nodes.values()) if node.level == 0]
    assert [len(leaf.rows) for leaf in leaves] == [MAX_ROWS, MAX_ROWS, 5]
    assert nodes.files_of(root.id) == files


# Equal files, equal id.


@pytest.mark.usefixtures("small_nodes")
@given(files=trees, data=st.data())
def test_the_id_does_not_depend_on_what_the_tree_was_before(files: list[File], data: st.DataObject) -> None:
    """Build every state on the way; nodes that are kept from earlier ones must not matter."""
    nodes, held = Nodes(), dict[str, File]()
    for file in data.draw(st.permutations(files)):
        held[file.path] = file._replace(size=file.size + 1)
        nodes.root_of(held.values())
        held[file.path] = file
    grown = nodes.root_of(held.values())

    assert grown == Nodes().root_of(files)


@pytest.mark.usefixtures("small_nodes")
@given(files=trees.filter(bool), data=st.data())
def test_any_change_of_any_file_changes_the_id(files: list[File], data: st.DataObject) -> None:
    nodes = Nodes()
    at = data.draw(st.integers(0, len(files) - 1))
    old = files[at]
    before = nodes.root_of(files).id
    others = [*files[:at], *files[at + 1 :]]
    changes = [
        old._replace(id=TWO if old.id == ONE else ONE),
        old._replace(size=old.size + 1),
        old._replace(mode=Mode.FILE if old.mode else Mode.EXECUTABLE),
    ]

    ids = {nodes.root_of([*others, new]).id for new in changes}
    assert len(ids | {before, nodes.root_of(others).id}) == 5


# A part of it.

nested = st.builds(
    File,
    st.lists(st.sampled_from(["a", "b", "a-b", "a.", "c0", "0"]), min_size=1, max_size=4).map("/".join),
    st.just(Mode.FILE),
    st.integers(0, 9),
    st.just(ONE),
)


@pytest.mark.usefixtures("small_nodes")
@given(files=st.lists(nested, max_size=60, unique_by=lambda file: file.path), data=st.data())
def test_a_part_of_a_tree_is_what_stands_at_a_path_or_below_it(files: list[File], data: st.DataObject) -> None:
    nodes = Nodes()
    root = nodes.root_of(files).id
    ends = [file.path[:at] for file in files for at, mark in enumerate(file.path + "/") if mark == "/"]
    path = data.draw(st.sampled_from(ends or ["a"]) | st.sampled_from(["a", "a/b", "nothing", "a-"]))

    assert list(at_or_below(root, nodes.__getitem__, path)) == [
        file for file in sorted_by_bytes(files) if file.path == path or file.path.startswith(f"{path}/")
    ]


@pytest.mark.usefixtures("small_nodes")
@given(data=st.data())
def test_a_directory_lists_what_is_right_in_it_once_and_in_order(data: st.DataObject) -> None:
    parts = st.text("a/-0", min_size=1, max_size=8).map(lambda text: text.strip("/").replace("//", "/-/") or "a")
    found = data.draw(st.lists(st.tuples(parts, st.sampled_from(["x", "a"])), max_size=60))
    files = [File(path, Mode.FILE, 1, ONE) for path in {f"{path}.{end}" for path, end in found}]
    folder = data.draw(st.sampled_from(["", *(file.path.rpartition("/")[0] for file in files)]))
    nodes = Nodes()
    root = nodes.root_of(files).id

    rows = list(listed(root, nodes.__getitem__, folder))

    prefix = f"{folder}/" if folder else ""
    below = [file.path.removeprefix(prefix) for file in files if file.path.startswith(prefix)]
    assert [row.path for row in rows] == [
        prefix + name.rstrip("/")
        for name in sorted({rest.partition("/")[0] + "/" * ("/" in rest) for rest in below}, key=str.encode)
    ]
    assert [row for row in rows if isinstance(row, File)] == [
        file for file in sorted_by_bytes(files) if file.path.startswith(prefix) and "/" not in file.path[len(prefix) :]
    ]
    assert all(isinstance(row, File | Folder) for row in rows)


def test_listing_a_directory_reads_nothing_of_what_is_deeper(many: tuple[list[File], Nodes, TreeId]) -> None:
    files, nodes = many[0], Nodes()
    names = ["a", "deep", "zebra"]
    right = [files[0]._replace(path=name) for name in names if name != "deep"]
    root = nodes.root_of([*(file._replace(path=f"deep/{file.path}") for file in files), *right]).id
    read: list[TreeId] = []

    def load(node: TreeId) -> bytes:
        read.append(node)
        return nodes[node]

    assert [row.path for row in listed(root, load)] == names
    assert len(read) <= 8


def test_looking_for_a_part_reads_a_few_of_many_nodes(many: tuple[list[File], Nodes, TreeId]) -> None:
    files, nodes, root = many
    read: list[TreeId] = []

    def load(node: TreeId) -> bytes:
        read.append(node)
        return nodes[node]

    assert list(at_or_below(root, load, files[MANY // 2].path)) == [files[MANY // 2]]
    assert len(read) <= 6
    assert list(at_or_below(root, load, "nothing")) == []
    assert len(read) <= 12


# A small change rewrites little.

MANY = 50_000


@pytest.fixture(scope="module")
def many() -> tuple[list[File], Nodes, TreeId]:
    files, nodes = numbered(MANY), Nodes()
    return files, nodes, nodes.root_of(files).id


def test_many_files_make_nodes_of_the_intended_width(many: tuple[list[File], Nodes, TreeId]) -> None:
    _, nodes, _ = many

    leaves = [node for node in map(Node.decode, nodes.values()) if node.level == 0]
    assert MANY / 2048 < len(leaves) < MANY / 512


@pytest.mark.parametrize("change", ["replace", "insert", "remove"])
def test_changing_one_of_many_files_rewrites_a_few_nodes(change: str, many: tuple[list[File], Nodes, TreeId]) -> None:
    files, nodes, before = many
    chooser = random.Random(change)
    for _ in range(5):
        at = chooser.randrange(MANY)
        new = {
            "replace": [files[at]._replace(id=TWO)],
            "insert": [files[at], files[at]._replace(path=files[at].path + ".txt")],
            "remove": [],
        }[change]
        after = Nodes()
        root = after.root_of([*files[:at], *new, *files[at + 1 :]]).id

        assert root != before
        # One leaf and one inner node; a border that comes or goes makes it two of a level.
        assert len(after.keys() - nodes.keys()) <= 4


def test_files_added_at_the_end_leave_all_full_nodes(many: tuple[list[File], Nodes, TreeId]) -> None:
    _, nodes, _ = many
    after = Nodes()
    after.root_of(numbered(MANY + 100))

    assert len(after.keys() - nodes.keys()) <= 4


def test_a_walk_that_knows_the_old_nodes_visits_a_few_files(many: tuple[list[File], Nodes, TreeId]) -> None:
    files, nodes, before = many
    after = Nodes(nodes)
    root = after.root_of([*files[:1234], files[1234]._replace(id=TWO), *files[1235:]]).id
    known: frozenset[ObjectId] = frozenset(nodes)

    new = list(walk(root, after.__getitem__, known))
    assert files[1234]._replace(id=TWO) in new
    assert len(new) <= MAX_ROWS
    assert list(walk(before, nodes.__getitem__, known)) == []


# Nodes that stand where they should not.


def with_rows(node: Node, *rows: Child) -> Node:
    return Node(node.level, sum(row.files for row in rows), sum(row.size for row in rows), rows)


@pytest.fixture
def two_levels() -> tuple[Nodes, Node]:
    """A tree of one inner node above three leaves, each of the same number and size of files."""
    nodes = Nodes()
    rows = []
    for letter in "abc":
        leaf = Node(0, 2, 2, tuple(File(f"{letter}{n}", Mode.FILE, 1, ONE) for n in (1, 2)))
        nodes.keep(TreeId.of(leaf.encode()), leaf.encode())
        rows.append(Child(f"{letter}2", 2, 2, TreeId.of(leaf.encode())))
    return nodes, with_rows(Node(1, 0, 0, ()), *rows)


def read(nodes: Nodes, root: Node) -> list[File]:
    data = root.encode()
    nodes.keep(TreeId.of(data), data)
    return nodes.files_of(TreeId.of(data))


def rows_of(node: Node) -> list[Child]:
    return [row for row in node.rows if isinstance(row, Child)]


def test_the_tree_that_is_forged_below_is_a_tree(two_levels: tuple[Nodes, Node]) -> None:
    nodes, root = two_levels

    assert [file.path for file in read(nodes, root)] == ["a1", "a2", "b1", "b2", "c1", "c2"]


def refused(nodes: Nodes, root: Node) -> None:
    with pytest.raises(IntegrityError) as caught:
        read(nodes, root)
    assert caught.value.code == "bad_tree"


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("other", [0, 1, 2])
def test_a_leaf_in_the_place_of_another_of_the_same_size_is_refused(
    two_levels: tuple[Nodes, Node], at: int, other: int
) -> None:
    nodes, root = two_levels
    rows = rows_of(root)
    rows[at] = rows[at]._replace(id=rows[other].id)

    if at != other:
        refused(nodes, with_rows(root, *rows))


@pytest.mark.parametrize("changes", [{"files": 3}, {"size": 3}, {"last": "b3"}, {"last": "b15"}])
def test_a_leaf_that_is_not_what_the_node_above_says_is_refused(
    two_levels: tuple[Nodes, Node], changes: dict[str, int]
) -> None:
    nodes, root = two_levels
    rows = rows_of(root)
    rows[1] = rows[1]._replace(**changes)  # type: ignore[arg-type] # a number or a text, as the field wants it

    refused(nodes, with_rows(root, *rows))


def test_a_leaf_that_reaches_back_into_the_one_before_is_refused(two_levels: tuple[Nodes, Node]) -> None:
    nodes, root = two_levels
    rows = rows_of(root)
    leaf = Node(0, 2, 2, (File("a2", Mode.FILE, 1, ONE), File("b2", Mode.FILE, 1, ONE)))
    nodes.keep(TreeId.of(leaf.encode()), leaf.encode())
    rows[1] = rows[1]._replace(id=TreeId.of(leaf.encode()))

    refused(nodes, with_rows(root, *rows))


def test_a_leaf_that_hangs_too_high_or_too_low_is_refused(two_levels: tuple[Nodes, Node]) -> None:
    nodes, root = two_levels

    refused(nodes, root._replace(level=2))
    inner = with_rows(root, *rows_of(root)[:2])
    nodes.keep(TreeId.of(inner.encode()), inner.encode())
    refused(nodes, with_rows(root, Child("b2", 4, 4, TreeId.of(inner.encode())), rows_of(root)[2]))


def bomb_in(nodes: Nodes) -> TreeId:
    """Each of eight levels names the one below 16 times, under names in order: 16 ** 8 files in 10 kB."""
    leaf = Node(0, 1, 1, (File("a", Mode.FILE, 1, ONE),))
    child = Child("a", 1, 1, TreeId.of(leaf.encode()))
    nodes.keep(child.id, leaf.encode())
    for level in range(1, MAX_LEVEL + 1):
        node = with_rows(Node(level, 0, 0, ()), *(child._replace(last=f"{n:02d}") for n in range(16)))
        child = Child("15", node.files, node.size, TreeId.of(node.encode()))
        nodes.keep(child.id, node.encode())
    assert child.files == 16**MAX_LEVEL
    return child.id


def test_a_small_tree_cannot_claim_a_vast_number_of_files() -> None:
    nodes = Nodes()
    bomb = bomb_in(nodes)

    with pytest.raises(IntegrityError) as caught:
        nodes.files_of(bomb)
    assert caught.value.code == "bad_tree"


@pytest.mark.usefixtures("small_nodes")
def test_whatever_a_node_is_replaced_by_a_walk_is_in_order_or_refused() -> None:
    """The id would show the damage; here it is taken for right."""
    nodes = Nodes()
    files = [File(f"{number:03d}", Mode.FILE, 1, ONE) for number in range(40)]
    root = nodes.root_of(files).id
    for node_id, data in list(nodes.items()):
        for at in range(len(data)):
            nodes[node_id] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            try:
                paths = [file.path for file in nodes.files_of(root)]
            except (MlregError, KeyError):
                continue
            assert paths == sorted(set(paths))
        nodes[node_id] = data


# What differs between two trees.

few_paths = st.sampled_from([f"{number:02d}" for number in range(40)])
rows = st.builds(File, few_paths, st.sampled_from(Mode), st.integers(0, 1), st.sampled_from([ONE, TWO]))
alike = st.lists(rows, max_size=40, unique_by=lambda file: file.path)


def compared(before: list[File], after: list[File]) -> list[Difference]:
    nodes = Nodes()
    ids = nodes.root_of(before).id, nodes.root_of(after).id
    return list(differences(*ids, nodes.__getitem__, nodes.__getitem__))


@pytest.mark.usefixtures("small_nodes")
@given(before=alike, after=alike)
def test_a_difference_is_what_one_tree_has_and_the_other_does_not(before: list[File], after: list[File]) -> None:
    old, new = ({file.path: file for file in files} for files in (before, after))
    paths = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))

    assert compared(before, after) == [Difference(old.get(path), new.get(path)) for path in paths]


@pytest.mark.parametrize("change", ["replace", "insert", "remove"])
def test_comparing_reads_a_few_of_many_nodes(change: str, many: tuple[list[File], Nodes, TreeId]) -> None:
    files, nodes, before = many
    chooser = random.Random(change)
    for _ in range(5):
        at = chooser.randrange(MANY)
        new = {
            "replace": [files[at]._replace(id=TWO)],
            "insert": [files[at], files[at]._replace(path=files[at].path + ".txt")],
            "remove": [],
        }[change]
        after = Nodes(nodes)
        root = after.root_of([*files[:at], *new, *files[at + 1 :]]).id
        read: list[TreeId] = []

        def load(node: TreeId, after: Nodes = after, read: list[TreeId] = read) -> bytes:
            read.append(node)
            return after[node]

        assert len(list(differences(before, root, load, load))) == 1
        # On each side the nodes above the file, and a neighbour where a border comes or goes.
        assert len(read) <= 8
        assert len(nodes) > 40


def test_equal_trees_are_compared_without_a_look(many: tuple[list[File], Nodes, TreeId]) -> None:
    _, _, root = many

    assert list(differences(root, root, Nodes().__getitem__, Nodes().__getitem__)) == []


@pytest.mark.parametrize("changes", [{"files": 3}, {"size": 3}, {"last": "b3"}, {"last": "b15"}])
def test_a_forged_node_is_refused_where_trees_are_compared(
    two_levels: tuple[Nodes, Node], changes: dict[str, int]
) -> None:
    nodes, root = two_levels
    rows = rows_of(root)
    rows[1] = rows[1]._replace(**changes)  # type: ignore[arg-type] # a number or a text, as the field wants it
    forged, empty = with_rows(root, *rows).encode(), Node(0, 0, 0, ()).encode()
    for data in (forged, empty):
        nodes.keep(TreeId.of(data), data)

    with pytest.raises(IntegrityError) as caught:
        list(differences(TreeId.of(empty), TreeId.of(forged), nodes.__getitem__, nodes.__getitem__))
    assert caught.value.code == "bad_tree"


def test_a_leaf_that_reaches_back_is_refused_where_trees_are_compared(two_levels: tuple[Nodes, Node]) -> None:
    nodes, root = two_levels
    rows = rows_of(root)
    leaf = Node(0, 2, 2, (File("a2", Mode.FILE, 1, ONE), File("b2", Mode.FILE, 1, ONE))).encode()
    forged = with_rows(root, rows[0], rows[1]._replace(id=TreeId.of(leaf)), rows[2]).encode()
    for data in (leaf, root.encode(), forged):
        nodes.keep(TreeId.of(data), data)

    with pytest.raises(IntegrityError) as caught:
        list(differences(TreeId.of(root.encode()), TreeId.of(forged), nodes.__getitem__, nodes.__getitem__))
    assert caught.value.code == "bad_tree"


def test_comparing_with_a_small_tree_of_a_vast_number_of_files_ends() -> None:
    nodes = Nodes()
    bomb = bomb_in(nodes)
    empty = nodes.root_of([]).id

    with pytest.raises(IntegrityError) as caught:
        list(differences(empty, bomb, nodes.__getitem__, nodes.__getitem__))
    assert caught.value.code == "bad_tree"
