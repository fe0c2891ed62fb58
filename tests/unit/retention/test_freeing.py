"""Letting go of only so much that enough bytes come free."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from mlreg.retention.freeing import freed, least_loss
from mlreg.retention.rules import Version
from tests.unit.retention.strategies import version

Holds = dict[str, dict[str, int]]
NAMES = [f"model/net@{number}" for number in range(5, 0, -1)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Version], Holds, int]:
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


@given(cases())
def test_enough_comes_free_and_none_that_goes_could_stay(case: tuple[list[Version], Holds, int]) -> None:
    candidates, holds, wanted = case

    going = set(least_loss(candidates, holds, wanted))

    assert freed(holds, going) >= wanted
    for ref in going:
        assert freed(holds, back(candidates, going, ref)) < wanted


@given(cases())
def test_what_a_version_that_stays_was_made_from_stays(case: tuple[list[Version], Holds, int]) -> None:
    candidates, holds, wanted = case

    going = set(least_loss(candidates, holds, wanted))

    stays = [one for one in candidates if one.ref not in going]
    assert not {source for one in stays for source in one.inputs} & going


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.data())
def test_of_versions_that_share_nothing_and_were_read_equally_often_as_few_as_can_be_go(
    sizes: list[int], data: st.DataObject
) -> None:
    holds = {f"model/net@{number}": {f"{number}": size} for number, size in enumerate(sizes)}
    wanted = data.draw(st.integers(1, sum(sizes)))

    going = least_loss([version(ref) for ref in holds], holds, wanted)

    sets = chain.from_iterable(combinations(sizes, count) for count in range(len(sizes) + 1))
    assert len(going) == min(len(some) for some in sets if sum(some) >= wanted)


def test_what_is_read_stays_before_what_is_not_and_the_newer_before_the_older() -> None:
    times = ("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z")
    candidates = [version(name, time=time) for name, time in zip(NAMES, times, strict=False)]
    holds = {one.ref: {one.ref: 10} for one in candidates}

    assert least_loss(candidates, holds, 10) == [NAMES[2]]
    candidates[2] = candidates[2]._replace(reads=1)
    assert least_loss(candidates, holds, 10) == [NAMES[1]]


def test_a_file_that_two_have_comes_free_with_both() -> None:
    candidates = [version(name) for name in NAMES[:2]]
    holds = {name: {"shared": 100} for name in NAMES[:2]}

    assert freed(holds, NAMES[:1]) == 0
    assert freed(holds, NAMES[:2]) == 100
    assert set(least_loss(candidates, holds, 1)) == set(NAMES[:2])
