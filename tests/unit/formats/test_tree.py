"""One node of a tree: read back exactly, refused when it lies. How nodes make trees is in `tests/laws`."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.formats.tree import MAGIC, MAX_BYTES, MAX_LEVEL, Child, File, Mode, Node
from mlreg.ids import ContentId, TreeId
from tests.unit.formats.damage import check_refused_or_exact, check_small_refusal, cuts

HEADER = struct.Struct("<4sBBHIQQI")
FILES = (
    File("a", Mode.FILE, 3, ContentId.of(b"abc")),
    File("a-b", Mode.EXECUTABLE, 0, ContentId.of(b"")),
    File("a/b", Mode.FILE, 2**40, ContentId.of(b"large")),
    File("é", Mode.FILE, 1, ContentId.of(b"e")),
)
CHILDREN = (Child("b", 3, 70, TreeId.of(b"1")), Child("z", 2, 0, TreeId.of(b"2")))

paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=10)
counts = st.integers(0, 2**40)


def node_of(rows: tuple[File, ...] | tuple[Child, ...], level: int) -> Node:
    files = sum(row.files if isinstance(row, Child) else 1 for row in rows)
    return Node(level, files, sum(row.size for row in rows), rows)


@given(paths=st.sets(paths, max_size=8), mode=st.sampled_from(Mode), size=counts)
def test_a_leaf_is_read_back(paths: set[str], mode: Mode, size: int) -> None:
    node = node_of(tuple(File(path, mode, size, ContentId.of(path.encode())) for path in sorted(paths)), 0)

    assert Node.decode(node.encode()) == node


@given(paths=st.sets(paths, min_size=1, max_size=8), files=counts, size=counts, level=st.integers(1, MAX_LEVEL))
def test_an_inner_node_is_read_back(paths: set[str], files: int, size: int, level: int) -> None:
    node = node_of(tuple(Child(path, files, size, TreeId.of(path.encode())) for path in sorted(paths)), level)

    assert Node.decode(node.encode()) == node


def test_files_and_nodes_have_ids_of_their_own_kind() -> None:
    assert {type(row.id) for row in Node.decode(node_of(FILES, 0).encode()).rows} == {ContentId}
    assert {type(row.id) for row in Node.decode(node_of(CHILDREN, 1).encode()).rows} == {TreeId}


@pytest.mark.parametrize(
    "node", [node_of(FILES, 0), node_of(CHILDREN, 1), node_of((), 0)], ids=["leaf", "inner", "empty"]
)
def test_no_damage_gives_a_second_form_of_a_node(node: Node) -> None:
    check_refused_or_exact(Node.decode, Node.encode, node.encode())


@pytest.mark.parametrize("node", [node_of(FILES, 0), node_of(CHILDREN, 1)], ids=["leaf", "inner"])
def test_a_node_that_is_cut_is_refused(node: Node) -> None:
    for data in cuts(node.encode()):
        with pytest.raises(IntegrityError) as caught:
            Node.decode(data)
        assert caught.value.code == "bad_tree"


def forged(**changes: int) -> bytes:
    """Return a leaf of two files with other numbers in its header."""
    data = node_of(FILES[:2], 0).encode()
    names = ("magic", "version", "level", "flags", "count", "files", "size", "names_size")
    fields = dict(zip(names, HEADER.unpack_from(data), strict=True))
    return HEADER.pack(*(fields | changes).values()) + data[HEADER.size :]


def leaf_of(*names: bytes) -> bytes:
    """Return a leaf of empty files with these names, in this order."""
    joined = b"\0".join(names)
    header = HEADER.pack(MAGIC, 1, 0, 0, len(names), len(names), 0, len(joined))
    return header + joined + bytes(len(names) * (1 + 8 + 32))


LIES: dict[str, Callable[[], bytes]] = {
    "paths out of order": lambda: leaf_of(b"b", b"a"),
    "the same path twice": lambda: leaf_of(b"a", b"a"),
    "paths in the order of another encoding": lambda: leaf_of("\U0001f600".encode(), "\uffff".encode()),
    "a path that is not UTF-8": lambda: leaf_of(b"a\xff"),
    "a path with half of a surrogate pair": lambda: leaf_of(b"\xed\xa0\x80"),
    "more names than rows": lambda: forged(count=1, files=1),
    "more rows than names": lambda: forged(count=3, files=3),
    "2**32 - 1 rows": lambda: forged(count=2**32 - 1),
    "4 GiB of names": lambda: forged(names_size=2**32 - 1),
    "names without rows": lambda: HEADER.pack(MAGIC, 1, 0, 0, 0, 0, 0, 3) + b"abc",
    "another number of files": lambda: forged(files=3),
    "2**64 - 1 files": lambda: forged(files=2**64 - 1),
    "another size": lambda: forged(size=4),
    "the level of an inner node": lambda: forged(level=1),
    "a level that is too high": lambda: node_of(CHILDREN, MAX_LEVEL + 1).encode(),
    "another signature": lambda: b"MLRR" + forged()[4:],
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_node_that_lies_is_refused_before_anything_large_is_held(lie: str) -> None:
    data = LIES[lie]()

    check_small_refusal(lambda: Node.decode(data), "bad_tree")


def test_the_forged_forms_differ_from_a_node_in_their_lie_alone() -> None:
    assert Node.decode(forged()) == node_of(FILES[:2], 0)
    assert [row for row in Node.decode(leaf_of(b"a", b"b")).rows if isinstance(row, File) and row.size] == []


def test_a_node_over_its_limit_is_refused_unread() -> None:
    with pytest.raises(IntegrityError) as caught:
        Node.decode(forged() + bytes(MAX_BYTES))
    assert caught.value.code == "bad_tree"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (forged(version=2), "unknown_tree_version"),
        (forged(flags=1), "unknown_tree_version"),
        (leaf_of(b"a")[: -1 - 8 - 32] + b"\2" + bytes(40), "unknown_mode"),
    ],
)
def test_what_a_later_release_writes_is_refused_by_name(data: bytes, code: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        Node.decode(data)
    assert caught.value.code == code
