"""Lineage: down is up turned round, and nothing that is stored makes a walk endless."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats.commit import Commit, Input
from mlreg.formats.pack import Sort
from mlreg.formats.transaction import RefChange
from mlreg.ids import CommitId, TreeId
from mlreg.operations.lineage import Link, down, present_commits, state_of, up, walk
from mlreg.repository.log import Draft
from mlreg.repository.repository import Repository
from tests.unit.repository.samples import commit as made_up
from tests.unit.repository.samples import force_slot, put, repository_in


class Node(NamedTuple):
    """A version to make: from which earlier ones, and what the repository has of it."""

    inputs: frozenset[int]
    is_named: bool = True
    is_removed: bool = False
    is_here: bool = True


class Scene:
    """A repository with versions that were made from one another."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.repository = repository_in()
        self.ids: list[CommitId] = []
        bodies = []
        for number, node in enumerate(nodes):
            inputs = tuple(sorted(Input("data", self.ids[one], f"model/net{one}@1.0.0") for one in node.inputs))
            tree = TreeId.of(b"")
            commit = Commit(f"model/net{number}", "1.0.0", tree, 0, 0, "file", (), inputs, {}, "", "", "")
            bodies.append(commit.encode())
            self.ids.append(CommitId.of(bodies[-1]))
        put(self.repository, [(Sort.COMMIT, body) for body, node in zip(bodies, nodes, strict=True) if node.is_here])
        named = [number for number, node in enumerate(nodes) if node.is_named]
        self.move([RefChange(self.name(one), None, self.ids[one]) for one in named])
        self.move([RefChange(self.name(one), self.ids[one], None) for one in named if nodes[one].is_removed])

    @staticmethod
    def name(number: int) -> str:
        return f"version/model/net{number}/1.0.0"

    def move(self, changes: list[RefChange]) -> None:
        if changes:
            self.repository.log.append(lambda view: Draft("Ann", "", refs=tuple(changes)))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Node], Scene]:
    flags = st.booleans()
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 8))):
        inputs = draw(st.frozensets(st.integers(0, number - 1), max_size=3)) if number else frozenset[int]()
        nodes.append(Node(inputs, draw(flags), draw(flags), draw(st.sampled_from([True, True, False]))))
    return nodes, Scene(nodes)


@given(scenes())
def test_one_is_down_from_another_just_if_that_is_up_from_the_one(made: tuple[list[Node], Scene]) -> None:
    nodes, scene = made
    ups = {one: set(up(scene.repository, one).distances) for one in scene.ids}
    downs = {one: set(down(scene.repository, one).distances) for one in scene.ids}
    # What no name leads to is not found from below: nobody can ask for it, either.
    known = {above for one, node in zip(scene.ids, nodes, strict=True) if node.is_named for above in ups[one]}

    for one in known:
        for other in scene.ids:
            assert (other in ups[one]) == (one in downs[other])


@given(scenes(), st.integers(0, 3))
def test_a_limit_hides_what_is_farther_and_nothing_that_is_near(made: tuple[list[Node], Scene], limit: int) -> None:
    _, scene = made

    for direction in (up, down):
        for start in scene.ids:
            near = {one for one, far in direction(scene.repository, start).distances.items() if far <= limit}
            limited = direction(scene.repository, start, limit)
            steps = list(limited.steps())
            assert set(limited.distances) == near == {step.commit_id for step in steps}
            assert max(step.depth for step in steps) <= limit


def test_under_a_limit_a_commit_is_opened_where_it_is_nearest() -> None:
    a, b, c, d = map(made_up, "abcd")
    follows = {a: [Link(b, ""), Link(c, "")], b: [Link(c, "")], c: [Link(d, "")], d: []}

    steps = list(walk(a, lambda front: {one: follows[one] for one in front}, 2).steps())

    assert [(step.commit_id, step.depth) for step in steps] == [(a, 0), (b, 1), (c, 2), (c, 1), (d, 2)]


def test_what_only_an_illegal_name_leads_to_is_not_found() -> None:
    scene = Scene([Node(frozenset()), Node(frozenset({0}), is_named=False)])
    force_slot(scene.repository, Draft("Eve", refs=(RefChange("version/rubbish", None, scene.ids[1]),)))
    scene.repository.log.refresh()

    assert list(down(scene.repository, scene.ids[0]).distances) == scene.ids[:1]


def test_what_is_met_twice_is_listed_twice_and_opened_once() -> None:
    scene = Scene([Node(frozenset()), Node(frozenset({0})), Node(frozenset({1})), Node(frozenset({1, 2}))])

    listed = [scene.ids.index(step.commit_id) for step in up(scene.repository, scene.ids[3]).steps()]

    assert sorted(listed) == [0, 1, 1, 2, 3]


def test_a_removed_version_leads_on_and_one_that_is_not_here_does_not() -> None:
    removed, gone = Node(frozenset({0}), is_removed=True), Node(frozenset({0}), is_here=False)
    scene = Scene([Node(frozenset()), removed, gone, Node(frozenset({1})), Node(frozenset({2}))])
    view = scene.repository.log.view

    found = down(scene.repository, scene.ids[0]).distances
    commits = present_commits(scene.repository, scene.ids)

    assert {scene.ids.index(one) for one in found} == {0, 1, 3}
    states = [state_of(view, one, commits.get(one)) for one in scene.ids]
    assert states == ["live", "removed", "absent", "live", "live"]


def test_a_version_that_only_its_commit_came_of_is_absent_and_leads_on() -> None:
    scene = Scene([Node(frozenset()), Node(frozenset({0}), is_named=False), Node(frozenset({1}))])
    middle = scene.ids[1]

    assert list(down(scene.repository, scene.ids[0]).distances) == scene.ids
    assert state_of(scene.repository.log.view, middle, present_commits(scene.repository, [middle])[middle]) == "absent"


def test_the_order_does_not_depend_on_what_was_read_before() -> None:
    nodes = [Node(frozenset()), *(Node(frozenset({0})) for _ in range(8))]
    scene = Scene(nodes)
    fresh = list(down(scene.repository, scene.ids[0]).steps())
    again = Repository(scene.repository.store)
    again.log.refresh()
    present_commits(again, scene.ids[5:])

    assert list(down(again, scene.ids[0]).steps()) == fresh


def test_a_circle_comes_to_an_end() -> None:
    ring = [made_up(str(number)) for number in range(3)]
    follows = {one: [Link(ring[(at + 1) % 3], "base"), Link(one, "self")] for at, one in enumerate(ring)}

    for limit in (None, 2, 100):
        found = walk(ring[0], lambda front: {one: follows[one] for one in front}, limit)
        assert list(found.distances) == ring
        assert len(list(found.steps())) <= 1 + 2 * len(ring)


def test_a_long_chain_comes_to_an_end(scale: int) -> None:
    length = 50_000 * scale
    ids = [CommitId(number.to_bytes(32, "big")) for number in range(length)]
    follows = {one: (Link(after, "base"),) for one, after in pairwise(ids)}

    found = walk(ids[0], lambda front: {one: follows.get(one, ()) for one in front}, None)

    assert sum(1 for _ in found.steps()) == length
