"""What is packed comes back, as an independent reader of the columns finds it."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.registry.reporting import ReportCurve
from mlreg.web.packing import packed

INTEGERS = st.integers(-(2**63), 2**63 - 1)


def unpacked(head: dict[str, Any], data: bytes) -> Iterator[tuple[int, list[int], list[float]]]:
    """Yield run, steps and values of each curve."""
    width, width_of_moves = head["widths"]
    count = sum(run["count"] for run in head["runs"])
    values = iter(numbers(data[: count * width], {4: "f", 8: "d"}[width]))
    moves = iter(numbers(data[count * width :], {4: "i", 8: "q"}[width_of_moves]))
    step = 0
    for run in head["runs"]:
        if run["stride"] is None:
            step, steps = 0, []
            for _ in range(run["count"]):
                # As 64 bits go round.
                step = (step + next(moves) + 2**63) % 2**64 - 2**63
                steps.append(step)
        else:
            steps = [run["first"] + number * run["stride"] for number in range(run["count"])]
            # JavaScript adds these up, and has no larger integers.
            assert all(abs(one) < 2**53 for one in steps)
        yield run["run"], steps, [next(values) for _ in steps]
    assert [*values, *moves] == []


def numbers(planes: bytes, kind: str) -> tuple[Any, ...]:
    width = struct.calcsize(f"<{kind}")
    count = len(planes) // width
    data = b"".join(planes[number::count] for number in range(count)) if count else b""
    return struct.unpack(f"<{count}{kind}", data)


def curve(steps: Sequence[int], values: Sequence[float], run: int = 0) -> ReportCurve:
    return ReportCurve(run, steps, values, len(steps), sum(not math.isfinite(value) for value in values))


@st.composite
def curves(draw: st.DrawFn) -> list[ReportCurve]:
    """Return some curves of one metric, with steps of one stride, of small moves, or of any."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        count = draw(st.integers(2, 12))
        first, stride = draw(INTEGERS), draw(st.integers(-3, 3))
        regular = st.just([max(-(2**63), min(first + at * stride, 2**63 - 1)) for at in range(count)])
        steps = draw(regular | st.lists(st.integers(0, 99) | INTEGERS, min_size=count, max_size=count))
        values = st.floats(-1, 1) | st.floats() | st.floats(width=32)
        found.append(curve(steps, draw(st.lists(values, min_size=count, max_size=count)), number))
    return found


@given(curves())
def test_steps_come_back_as_they_were_and_values_but_for_the_rounding_of_32_bits(some: list[ReportCurve]) -> None:
    found = list(unpacked(*packed(some)))

    assert [(run, steps) for run, steps, _ in found] == [(one.run, list(one.steps)) for one in some]
    for one, (_, _, values) in zip(some, found, strict=True):
        assert [math.isnan(value) for value in values] == [math.isnan(value) for value in one.values]
        there = [value for value in one.values if not math.isnan(value)]
        assert [value for value in values if not math.isnan(value)] == pytest.approx(there, rel=2**-24, abs=0)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20))
def test_a_curve_is_never_drawn_in_steps_that_it_does_not_have(values: list[float]) -> None:
    [(_, _, found)] = unpacked(*packed([curve(range(len(values)), values)]))

    span = max(values) / 2 - min(values) / 2
    assert all(abs(one / 2 - other / 2) <= span / 2000 for one, other in zip(found, values, strict=True)) or span == 0


def test_what_32_bits_hold_takes_no_more() -> None:
    head, data = packed([curve(range(1000), [1 / (step + 1) for step in range(1000)])])

    assert head["widths"] == [4, 4]
    assert len(data) == 4000


@pytest.mark.parametrize(
    "values",
    [[1e39, 0.0], [1e-39, 1.0], [1e6, 1e6 + 0.1, 1e6 + 0.2], [5e-324, 0.0]],
    ids=["large", "small", "near", "least"],
)
def test_what_32_bits_cannot_tell_apart_has_64(values: list[float]) -> None:
    [(_, _, found)] = unpacked(*packed([curve(range(len(values)), values)]))

    assert found == values


def test_what_is_said_of_a_curve_is_kept() -> None:
    one = ReportCurve(7, [5, 10], [1.0, math.nan], 100, 3)

    [run] = packed([one])[0]["runs"]

    assert run == {"run": 7, "count": 2, "first": 5, "stride": 5, "points": 100, "odd": 3}
