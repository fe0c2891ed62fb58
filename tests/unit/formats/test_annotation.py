"""Annotations: read back or refused, and the same sum in whatever order they arrive."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, UsageError
from mlreg.formats.annotation import (
    Annotation,
    disputes,
    facts_of,
    heads,
    in_order,
    known_annotation,
    merge_patch,
    parse_annotation,
)

ABOUT = "version/model/net/1.0.0@" + "0a" * 32

values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=5,
)
patches = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def annotation(number: int, patch: dict[str, Any], *after: int, time: int = 0) -> Annotation:
    named = tuple(sorted(f"{one:032x}" for one in after))
    return Annotation(f"{number:032x}", ABOUT, patch, named, "Ann", f"2026-11-23T00:00:{time:02}Z", "why")


@st.composite
def histories(draw: st.DrawFn) -> list[Annotation]:
    """Draw statements, each made by someone who has seen some of those before."""
    made: list[Annotation] = []
    for number in range(draw(st.integers(0, 7))):
        seen = [one for one in made if draw(st.booleans())]
        known = {one.id for one in seen}
        while missing := {early for one in made if one.id in known for early in one.after} - known:
            known |= missing
        after = heads([one for one in made if one.id in known])
        new = annotation(number, draw(patches), time=draw(st.integers(0, 3)))
        made.append(new._replace(after=after))
    return made


@given(made=histories(), seed=st.integers(0, 99))
def test_the_sum_does_not_depend_on_the_order_of_arrival(made: list[Annotation], seed: int) -> None:
    mixed = list(made)
    random.Random(seed).shuffle(mixed)

    assert in_order(mixed) == in_order(made)
    assert disputes(in_order(mixed)) == disputes(in_order(made))


@given(made=histories())
def test_each_stands_behind_those_that_its_author_had_seen(made: list[Annotation]) -> None:
    ordered = [one.id for one in in_order(made)]

    assert sorted(ordered) == sorted(one.id for one in made)
    for one in made:
        assert all(ordered.index(early) < ordered.index(one.id) for early in one.after)


@given(made=histories())
def test_one_who_has_seen_all_ends_every_dispute_about_what_he_sets(made: list[Annotation]) -> None:
    last = annotation(99, {"a": 1, "b": 2, "c": 3})._replace(after=heads(made))

    found = in_order([*made, last])
    assert facts_of(found) == {"a": 1, "b": 2, "c": 3}
    assert [dispute for dispute in disputes(found) if len(dispute.path) == 1] == []


def test_statements_that_do_not_know_each_other_dispute_what_they_set_differently() -> None:
    first = annotation(1, {"metadata": {"map": 0.9, "task": "x"}})
    ann = annotation(2, {"metadata": {"map": 0.91, "task": "y"}}, 1, time=1)
    bob = annotation(3, {"metadata": {"map": 0.92, "task": "y"}}, 1, time=2)

    found = in_order([bob, first, ann])
    assert facts_of(found) == {"metadata": {"map": 0.92, "task": "y"}}
    (dispute,) = disputes(found)
    assert (dispute.path, dispute.held, dispute.other) == (("metadata", "map"), bob, ann)

    settled = in_order([bob, first, ann, annotation(4, {"metadata": {"map": 0.91}}, 2, 3)])
    assert (facts_of(settled)["metadata"]["map"], disputes(settled)) == (0.91, [])


@pytest.mark.parametrize("whole", [None, 5, [1]])
def test_who_takes_a_mapping_away_disputes_what_others_set_in_it(whole: Any) -> None:
    ann, bob = annotation(1, {"metrics": whole}), annotation(2, {"metrics": {"map": 0.9}}, time=1)

    for first, last in ((ann, bob), (bob, ann._replace(time=bob.time[:-2] + "9Z"))):
        (dispute,) = disputes(in_order([first, last]))
        assert (dispute.path, dispute.held, dispute.other) == (("metrics", "map"), last, first)
    for patch in ({"metrics": None}, {"metrics": {"map": 0.8}}, {"metrics": {"map": None}}):
        assert disputes(in_order([ann, bob, annotation(3, patch, 1, 2, time=2)])) == []
    beside = annotation(3, {"metrics": {"loss": 1}}, 1, 2, time=2)
    assert [dispute.path for dispute in disputes(in_order([ann, bob, beside]))] == [("metrics", "map")]


def test_one_and_true_are_different_claims() -> None:
    (dispute,) = disputes(in_order([annotation(1, {"a": 1}), annotation(2, {"a": True}, time=1)]))
    assert dispute.path == ("a",)
    assert disputes(in_order([annotation(1, {"a": None}), annotation(2, {"a": {"b": None}}, time=1)])) == []


def test_ten_thousand_corrections_are_looked_through_in_a_moment() -> None:
    import tracemalloc

    made = [annotation(0, {"a": 0})] + [annotation(n, {"a": n}, n - 1) for n in range(1, 10_000)]
    tracemalloc.start()
    assert disputes(made) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000


def test_a_correction_of_a_correction_is_no_dispute_whatever_the_clocks_say() -> None:
    early, late = annotation(1, {"a": 1}, time=9), annotation(2, {"a": 2}, 1, time=0)

    assert facts_of(in_order([late, early])) == {"a": 2}
    assert disputes(in_order([late, early])) == []


def test_what_follows_nothing_that_is_there_and_a_circle_are_still_counted() -> None:
    lost, one, other = annotation(1, {"a": 1}, 77), annotation(2, {"b": 1}, 3), annotation(3, {"c": 1}, 2)

    assert facts_of(in_order([one, lost, other])) == {"a": 1, "b": 1, "c": 1}


# The examples of the appendix of RFC 7396.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
    ids=str,
)
def test_a_merge_patch_does_what_its_standard_says(target: object, patch: object, result: object) -> None:
    assert merge_patch(target, patch) == result


@given(patch=patches)
def test_an_annotation_is_read_back(patch: dict[str, Any]) -> None:
    one = annotation(1, patch, 5, 7)

    assert parse_annotation(one.note()) == one


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"id": 1},
        {"id": "A" * 32},
        {"after": "0" * 32},
        {"after": ["x"]},
        {"after": ["1" * 32, "0" * 32]},
        {"after": ["1" * 32, "1" * 32]},
        {"patch": []},
        {"patch": None},
        {"about": "version/model/net/1.0.0"},
        {"about": "version/model/net/1.0.0@" + "0a" * 31},
        {"about": "version/model/net/1.0.0@" + "0A" * 32},
        {"about": "version/model/net@" + "0a" * 32},
        {"about": "version/model/../1.0.0@" + "0a" * 32},
        {"about": "tag/model/net/production@" + "0a" * 32},
        {"about": "remote/origin/version/model/net/1.0.0@" + "0a" * 32},
        {"about": "entry/models/net"},
        {"about": "entry/model/\x1b[2J"},
        {"about": ""},
        {"time": None},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_annotation_is_refused(change: dict[str, Any]) -> None:
    note = annotation(1, {"a": 1}).note() | change

    with pytest.raises(IntegrityError):
        parse_annotation(note)
    assert known_annotation(note) is None


def test_a_note_of_another_sort_is_none_of_ours() -> None:
    assert parse_annotation({"sort": "usage", "id": 1}) is None
    assert parse_annotation({}) is None


def test_one_that_is_too_large_is_refused_before_it_is_written() -> None:
    with pytest.raises(UsageError) as caught:
        annotation(1, {"a": "x" * 1_100_000}).note()
    assert caught.value.code == "annotation_too_large"
