"""Points that are read many at a time mean what their lines mean one by one, whatever stands between them."""

from __future__ import annotations

from json import dumps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats.journal import checked, read_journal
from mlreg.formats.points import stretches
from mlreg.formats.run import Point, Points, RunState

RUN = "01a20c4f-b500-7000-8203-040506070809"


def point(name: str = '"loss"', value: str = "0.5", step: str = "3", time: str = "1763966880000") -> bytes:
    return checked(f'{{"metrics":{{{name}:{value}}},"step":{step},"time":{time}}}'.encode(errors="surrogatepass"))


MANY = [point(value=repr(1 / number), step=str(number)) for number in range(1, 9)]

NAMES = ['"val/loss"', '"a b"', '"\\u00e9"', '"é"', '"\\n"', '"\\ud800"', '""', '"\ud800"', '"\\"', f'"{"x" * 251}"']
VALUES = [
    "1e999",
    "-1e999",
    "5e-324",
    "-0.0",
    "01.5",
    "1.",
    ".5",
    "1E5",
    "1e5",
    '"NaN"',
    '"Infinity"',
    "null",
    "0." + "1" * 40,
]
INTEGERS = ["-5", "-0", "01", "1.0", str(2**63 - 1), str(2**63), "9" * 18, "9" * 19, "9" * 5000]

spelled_names = st.sampled_from(NAMES) | st.text(max_size=3).map(dumps)
spelled_values = (
    st.sampled_from(VALUES) | st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.integers().map(str)
)
spelled_integers = st.sampled_from(INTEGERS) | st.integers(0, 5).map(str)
points = st.builds(point, spelled_names, spelled_values, spelled_integers, spelled_integers)
others = st.sampled_from(
    [
        b"\n",
        b"not a record\n",
        checked(b'{"metrics":{"auc":0.5,"loss":0.25},"step":3,"time":5}'),
        checked(b'{"params":{"lr":0.1},"time":7}'),
        checked(b'{"labels":{"note":" {\\"metrics\\":{\\"loss\\":1.5},\\"step\\":1,\\"time\\":1}"},"time":7}'),
        # What one has written who was interrupted in the middle of a line, or took the check for text.
        MANY[0][:20] + MANY[1],
        MANY[0][:8].upper() + MANY[0][8:],
        b" " + MANY[0],
        MANY[0][1:],
        MANY[0][:8] + b"  " + MANY[0][9:],
        b"\r" + MANY[0],
    ]
)
# Mostly points as they are: what stands in between is seldom.
blocks = st.tuples(st.integers(2, 8).map(lambda count: b"".join(MANY[:count])), points | others).map(b"".join)
journals = st.lists(blocks, max_size=4).map(b"".join)


def state_of(parts: list[dict[str, Any] | Points]) -> RunState:
    state = RunState(RUN)
    for part in parts:
        if isinstance(part, Points):
            state.take_points(part)
        else:
            state.take(part)
    return state


@given(journals, st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), max_size=2))
def test_a_journal_says_what_its_lines_say_one_by_one(journal: bytes, damage: list[tuple[int, int]]) -> None:
    data = bytearray(journal)
    for at, change in damage:
        if at < len(data):
            data[at] ^= change
    assert_is_read_as_its_lines(bytes(data))


@pytest.mark.parametrize(
    "odd",
    [
        *(point(name=name) for name in NAMES),
        *(point(value=value) for value in VALUES),
        *(point(step=step) for step in INTEGERS),
        *(point(time=time) for time in INTEGERS),
        MANY[0][:8],
        MANY[0][:-1],
    ],
    ids=lambda odd: str(odd[20:80]),
)
def test_a_point_that_is_spelled_otherwise_is_read_as_alone(odd: bytes) -> None:
    assert_is_read_as_its_lines(b"".join([*MANY, odd]))
    assert_is_read_as_its_lines(b"".join([*MANY, odd, *MANY]))


def assert_is_read_as_its_lines(data: bytes) -> None:
    *lines, last = data.split(b"\n")
    # A line that stands alone is never read with others.
    alone = [read_journal(line + b"\n") for line in lines]
    records = [record for one in alone for record in one.records]

    found = read_journal(data)

    assert found.records == records
    assert all(type(record.get("step", 0)) is int for record in found.records)
    assert found.damaged == sum(one.damaged for one in alone)
    assert found.is_cut == bool(last)
    assert_is_same(state_of(found.parts), records)


def points_of(state: RunState) -> dict[str, list[Point]]:
    return {name: list(series.points()) for name, series in state.metrics.items()}


def assert_is_same(state: RunState, records: list[dict[str, Any]]) -> None:
    expected = RunState(RUN)
    for record in records:
        expected.take(record)
    # As text, in which a NaN is like another.
    assert repr(points_of(state)) == repr(points_of(expected))
    assert (state.first, state.last) == (expected.first, expected.last)


@pytest.mark.parametrize("start", [b"", checked(b'{"params":{"lr":0.1},"time":7}')], ids=["alone", "after others"])
def test_points_that_stand_together_are_read_together(start: bytes) -> None:
    lines = [*MANY, point('"auc"', "1e-07")]

    *_, before, together, rest = stretches(start + b"".join(lines) + b"1c9a4f0b {")

    assert (before, rest) == (start, b"1c9a4f0b {")
    assert isinstance(together, Points)
    assert list(together.records()) == read_journal(b"".join(lines)).records
    assert together.names == ["loss"] * 8 + ["auc"]


def test_what_calls_of_the_command_line_write_is_read_together() -> None:
    # Each begins a line of its own, in case that another one was interrupted.
    assert [type(one) for one in stretches(b"\n" + b"\n".join(MANY))] == [bytes, Points, bytes]
