"""Taints are what follows from the sources along inputs, in any graph, whatever of it is here."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats.annotation import TAINTED, Annotation
from mlreg.formats.commit import Commit
from mlreg.ids import CommitId
from mlreg.operations.annotate import annotate
from mlreg.operations.history import read_commit
from mlreg.operations.tainting import Taints, about_commit, ancestry
from mlreg.repository.log import Draft
from tests.unit.operations.test_lineage import Node, Scene, scenes


def commit_of(scene: Scene, number: int) -> Commit:
    return read_commit(scene.repository, scene.ids[number])


def state(scene: Scene, number: int, value: object) -> None:
    annotate(scene.repository, about_commit(commit_of(scene, number)), {TAINTED: value}, "Ann", "", lambda _: {})


def expected(nodes: Sequence[Node], sources: set[int], number: int) -> set[int]:
    """Follow inputs the plain way: what is not here says nothing, neither of itself nor of what is beyond it."""
    if not nodes[number].is_here:
        return set()
    found = {number} & sources
    for one in nodes[number].inputs:
        found |= expected(nodes, sources, one)
    return found


@given(scenes(), st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_a_version_has_the_taints_of_all_that_it_was_made_from_and_no_others(
    drawn: tuple[list[Node], Scene], tainted: set[int], untainted: set[int]
) -> None:
    nodes, scene = drawn
    here = {number for number, node in enumerate(nodes) if node.is_here}
    for number in tainted & here:
        state(scene, number, f"wrong {number}")
    for number in untainted & tainted & here:
        state(scene, number, None)
    sources = (tainted - untainted) & here

    found = Taints(scene.repository).of_each(scene.ids)

    for number, commit_id in enumerate(scene.ids):
        reasons = {taint.reason for taint in found[commit_id]}
        assert reasons == {f"wrong {source}" for source in expected(nodes, sources, number)}
        assert Taints(scene.repository).of_each([commit_id]) == {commit_id: found[commit_id]}


def test_a_long_chain_and_wide_ancestry_come_to_an_end() -> None:
    nodes = [Node(frozenset())] + [Node(frozenset({n - 1, max(0, n - 2)})) for n in range(1, 200)]
    scene = Scene(nodes)
    state(scene, 0, "wrong")

    assert len(Taints(scene.repository).of_each(scene.ids[-1:])[scene.ids[-1]]) == 1
    assert len(ancestry(scene.repository, scene.ids[-1:])) == 200


def test_what_someone_else_wrote_as_a_taint_is_shown_as_text_and_of_no_entry() -> None:
    scene = Scene([Node(frozenset())])
    state(scene, 0, {"deep": ["x"]})
    (taint,) = Taints(scene.repository).of_each(scene.ids)[scene.ids[0]]
    assert taint.reason == "{'deep': ['x']}"
    for about in ("entry/model/net0", f"version/model/other/1.0.0@{'0' * 64}"):
        one = Annotation(os.urandom(16).hex(), about, {TAINTED: "x"}, (), "Eve", "2026-11-23T00:00:00Z", "")
        scene.repository.log.append(lambda _, one=one: Draft("Eve", "", notes=(one.note(),)))  # type: ignore[misc] # bound at once

    assert len(Taints(scene.repository).of_each(scene.ids)[scene.ids[0]]) == 1
    unknown = CommitId(bytes(32))
    assert Taints(scene.repository).of_each([unknown]) == {unknown: ()}
