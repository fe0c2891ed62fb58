"""Two versions compared: the differences lead from one to the other and back, and say what moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.formats.commit import Input
from mlreg.formats.pack import Sort
from mlreg.formats.tree import Child, Difference, File, Mode, Node, build
from mlreg.ids import CommitId, ContentId, TreeId
from mlreg.operations.compare import ABSENT, compare_files, compare_inputs, compare_metadata
from mlreg.operations.listing import Listing
from tests.unit.repository.samples import commit, put, repository_in


def file(path: str, data: bytes, mode: Mode = Mode.FILE) -> File:
    return File(path, mode, len(data), ContentId.of(data))


def version_of(files: Iterable[File]) -> Listing:
    """Return a repository with the tree of a version, and nothing else."""
    nodes: list[tuple[Sort, bytes]] = []
    root = build(sorted(files), lambda _, data: nodes.append((Sort.TREE, data)))
    repository = repository_in()
    put(repository, nodes)
    return Listing(root.id, repository.objects.read_tree)


def compared(before: Iterable[File], after: Iterable[File]) -> list[Difference]:
    return compare_files(version_of(before), version_of(after))


# Files.

paths = st.sampled_from([f"{place}{name}" for place in ("", "a/", "b/") for name in "xyz"])
files = st.builds(file, paths, st.sampled_from([b"", b"1", b"2"]), st.sampled_from(Mode))
trees = st.lists(files, max_size=9, unique_by=lambda one: one.path)


@settings(max_examples=50)
@given(before=trees, after=trees)
def test_the_differences_lead_from_one_version_to_the_other(before: list[File], after: list[File]) -> None:
    found = compared(before, after)

    gone, come = Counter(old for old, _ in found if old), Counter(new for _, new in found if new)
    assert Counter(before) - gone + come == Counter(after)
    assert not gone - Counter(before)


@settings(max_examples=50)
@given(before=trees, after=trees)
def test_the_differences_the_other_way_round_are_the_inverse(before: list[File], after: list[File]) -> None:
    found = {(old, new) for old, new in compared(before, after)}

    assert {(old, new) for new, old in compared(after, before)} == found


@settings(max_examples=50)
@given(before=trees, after=trees)
def test_a_file_moves_once_and_no_pair_that_could_have_moved_is_left(before: list[File], after: list[File]) -> None:
    found = compared(before, after)

    gone, come = Counter(o.id for o, n in found if o and not n), Counter(n.id for o, n in found if n and not o)
    assert not gone & come
    assert all(o.path == n.path or o.id == n.id for o, n in found if o and n)
    assert found == sorted(found, key=lambda pair: (pair.after or pair.before or file("", b"")).path)


def test_of_equal_files_those_that_keep_their_name_are_paired_first() -> None:
    found = compared(
        [file("old/a", b"1"), file("old/b", b"1"), file("old/c", b"1")],
        [file("new/b", b"1"), file("new/x", b"1"), file("new/y", b"2")],
    )

    assert [(pair.before and pair.before.path, pair.after and pair.after.path) for pair in found] == [
        ("old/b", "new/b"),
        ("old/a", "new/x"),
        (None, "new/y"),
        ("old/c", None),
    ]


def test_those_that_keep_no_name_are_paired_in_order_whichever_way_round() -> None:
    before = [file(path, b"1") for path in ("a/x", "b/y", "c/x")]
    after = [file(path, b"1") for path in ("p", "q", "r")]

    assert compared(before, after) == list(map(Difference, before, after))
    assert compared(after, before) == list(map(Difference, after, before))


def test_another_mode_of_the_same_bytes_is_a_change() -> None:
    before, after = file("run", b"1"), file("run", b"1", Mode.EXECUTABLE)

    assert compared([before], [after]) == [Difference(before, after)]


def test_of_thousands_of_files_with_one_change_a_few_nodes_are_read() -> None:
    many = [file(f"train/{number:06d}.jpg", b"x") for number in range(20_000)]
    before, after = version_of(many), version_of([*many[:7000], many[7000]._replace(size=2), *many[7001:]])
    read: list[TreeId] = []

    def counted(listing: Listing) -> Listing:
        def load(node: TreeId) -> bytes | Node:
            read.append(node)
            return listing.load(node)

        return listing._replace(load=load)

    assert len(compare_files(counted(before), counted(after))) == 1
    # The root and a leaf of each, of some twenty leaves.
    assert len(read) == 4
    root = before.load(before.tree)
    assert isinstance(root, bytes)
    rows = Node.decode(root).rows
    assert sum(isinstance(row, Child) for row in rows) > 10


# Metadata.

values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, "", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab."), inner, max_size=2),
    max_leaves=6,
)
metadata = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def leaf_map(value: object, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Return metadata as a flat mapping, with each value spelt so that 1, 1.0 and True differ."""
    if isinstance(value, dict) and (value or not above):
        return {path: leaf for key, below in value.items() for path, leaf in leaf_map(below, (*above, key)).items()}
    return {above: repr(value)}


@given(before=metadata, after=metadata)
def test_the_values_that_differ_lead_from_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = leaf_map(before)
    for path, old, new in compare_metadata(before, after):
        assert found.pop(path, "ABSENT") == repr(old)
        if new is not ABSENT:
            found[path] = repr(new)

    assert found == leaf_map(after)


@given(before=metadata, after=metadata)
def test_the_values_that_differ_the_other_way_round_are_the_inverse(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = [(path, repr(new), repr(old)) for path, old, new in compare_metadata(before, after)]

    assert [(path, repr(old), repr(new)) for path, old, new in compare_metadata(after, before)] == found
    assert compare_metadata(before, before) == []


def test_null_is_a_value_and_numbers_of_another_kind_are_others() -> None:
    found = compare_metadata({"a": 1, "b": None, "c": [1, {"x": 2}]}, {"a": True, "c": [1.0, {"x": 2}]})

    assert [(path, repr(old), repr(new)) for path, old, new in found] == [
        (("a",), "1", "True"),
        (("b",), "None", "ABSENT"),
        (("c",), "[1, {'x': 2}]", "[1.0, {'x': 2}]"),
    ]


# Inputs.

inputs = st.lists(
    st.builds(Input, st.sampled_from(["base", "data"]), st.sampled_from([commit("1"), commit("2")]), st.just("r")),
    max_size=4,
    unique=True,
)


@given(before=inputs, after=inputs)
def test_the_inputs_that_differ_lead_from_one_to_the_other_and_back(before: list[Input], after: list[Input]) -> None:
    found = compare_inputs(before, after)

    assert {*before} - {one.before for one in found} | {one.after for one in found if one.after} == {*after}
    assert {(one.after, one.before) for one in compare_inputs(after, before)} == {(o.before, o.after) for o in found}


def test_an_input_of_the_same_role_that_was_replaced_is_one_difference() -> None:
    old, new = (Input("data", CommitId.of(text), text.decode()) for text in (b"data/a@1", b"data/a@2"))
    base = Input("base", commit("b"), "model/b@1.0.0")

    found = compare_inputs([old], [base, new])

    assert [(one.role, one.before, one.after) for one in found] == [("base", None, base), ("data", old, new)]
