"""Letting go of only so much that enough bytes come free."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.retention.freeing import FEW, freed, least_loss, of_few, of_many
from mlreg.retention.rules import Version
from tests.unit.retention.strategies import version

Holds = dict[str, dict[str, int]]
Case = tuple[list[Version], Holds, int]
Choose = Callable[[list[Version], Holds, int], list[str]]
NAMES = [f"model/net@{number}" for number in range(5, 0, -1)]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw versions that may go, their files, some of which they share, and bytes that can come free."""
    names = NAMES[: draw(st.integers(1, 5))]
    sizes = {file: draw(st.integers(0, 9)) for file in "abcdef"}
    holds = {name: {file: sizes[file] for file in draw(st.sets(st.sampled_from("abcdef")))} for name in names}
    candidates = [
        version(name, reads=draw(st.integers(0, 3)), inputs=tuple(draw(st.sets(st.sampled_from(names), max_size=1))))
        for name in names
    ]
    most = freed(holds, names)
    return candidates, holds, draw(st.integers(1, most)) if most else 0


def back(candidates: list[Version], going: set[str], ref: str) -> set[str]:
    """Return what goes if one version is taken back, and with it what it was made from."""
    inputs = {one.ref: one.inputs for one in candidates}
    left, pending = set(going), [ref]
    while pending:
        one = pending.pop()
        if one in left:
            left.discard(one)
            pending.extend(inputs[one])
    return left


def is_closed(candidates: list[Version], going: set[str]) -> bool:
    """Tell whether nothing goes that a version was made from which stays."""
    return not {source for one in candidates if one.ref not in going for source in one.inputs} & going


def loss(candidates: list[Version], going: set[str]) -> int:
    return sum(1 + one.reads for one in candidates if one.ref in going)


@pytest.mark.parametrize("choose", [of_few, of_many])
@given(case=cases())
def test_enough_comes_free_and_none_that_goes_could_stay(choose: Choose, case: Case) -> None:
    candidates, holds, wanted = case

    going = set(choose(candidates, holds, wanted))

    assert freed(holds, going) >= wanted
    assert is_closed(candidates, going)
    for ref in going:
        assert freed(holds, back(candidates, going, ref)) < wanted


@given(cases())
def test_no_other_choice_of_a_few_loses_less(case: Case) -> None:
    candidates, holds, wanted = case

    going = set(least_loss(candidates, holds, wanted))

    refs = [one.ref for one in candidates]
    sets = chain.from_iterable(combinations(refs, count) for count in range(len(refs) + 1))
    possible = [{*some} for some in sets if is_closed(candidates, {*some}) and freed(holds, some) >= wanted]
    assert going in possible
    assert loss(candidates, going) == min(loss(candidates, some) for some in possible)


@pytest.mark.parametrize("choose", [of_few, of_many])
@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=6), data=st.data())
def test_of_versions_that_share_nothing_and_were_read_equally_often_as_few_as_can_be_go(
    choose: Choose, sizes: list[int], data: st.DataObject
) -> None:
    holds = {f"model/net@{number}": {f"{number}": size} for number, size in enumerate(sizes)}
    wanted = data.draw(st.integers(1, sum(sizes)))

    going = choose([version(ref) for ref in holds], holds, wanted)

    sets = chain.from_iterable(combinations(sizes, count) for count in range(len(sizes) + 1))
    assert len(going) == min(len(some) for some in sets if sum(some) >= wanted)


def test_of_many_versions_enough_comes_free() -> None:
    candidates = [version(f"model/net@{number}") for number in range(FEW + 1)]
    holds = {one.ref: {one.ref: 10} for one in candidates}

    assert len(least_loss(candidates, holds, 35)) == 4
    assert len(least_loss(candidates, holds, 999)) == FEW + 1


def test_of_equal_losses_the_oldest_goes_though_a_newer_one_is_larger() -> None:
    times = ("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z")
    candidates = [version(name, time=time) for name, time in zip(NAMES, times, strict=False)]
    holds = {one.ref: {one.ref: size} for one, size in zip(candidates, (30, 20, 10), strict=True)}

    assert least_loss(candidates, holds, 15) == [NAMES[1]]


def test_what_is_read_stays_before_what_is_not_and_the_newer_before_the_older() -> None:
    times = ("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z")
    candidates = [version(name, time=time) for name, time in zip(NAMES, times, strict=False)]
    holds = {one.ref: {one.ref: 10} for one in candidates}

    for choose in (of_few, of_many):
        assert choose(candidates, holds, 10) == [NAMES[2]]
        assert choose([*candidates[:2], candidates[2]._replace(reads=1)], holds, 10) == [NAMES[1]]


def test_a_file_that_two_have_comes_free_with_both() -> None:
    candidates = [version(name) for name in NAMES[:2]]
    holds = {name: {"shared": 100} for name in NAMES[:2]}

    assert freed(holds, NAMES[:1]) == 0
    assert freed(holds, NAMES[:2]) == 100
    assert set(least_loss(candidates, holds, 1)) == set(NAMES[:2])
