"""A journal: every line that is whole is read, whatever stands around it, and nothing else ever is."""

from __future__ import annotations

import json
import math
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats import journal
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.journal import MAX_LINE, MAX_VALUE_DEPTH, checked, line_of, read_journal, spelled
from tests.unit.formats.damage import cuts, flips
from tests.unit.formats.journals import RUN, lines, point, records

SHORT = [point(0.5, 1), {"params": {"lr": 1}, "time": 2}, point("NaN", 2)]


def said(text: str) -> bytes:
    """Return a line whose check fits, whatever stands in it."""
    return checked(text.encode())


@given(st.lists(records, max_size=6))
def test_what_was_said_is_read(some: list[dict[str, Any]]) -> None:
    assert read_journal(lines(some)) == (some, 0, False)


def test_every_small_damage_hides_one_record_at_most_and_makes_none() -> None:
    whole = lines(SHORT)
    for data in (*flips(whole), *cuts(whole)):
        reading = read_journal(data)

        # Two lines become one where the end of the first is lost.
        lost = 2 if data.count(b"\n") < 3 and len(data) == len(whole) else 1
        left = [record for record in SHORT if record in reading.records]
        assert reading.records == left
        is_shorter = len(data) < len(whole)
        assert len(left) >= (data.count(b"\n") if is_shorter else len(SHORT) - lost), data
        assert reading.damaged or reading.is_cut or is_shorter or len(left) == len(SHORT), data


@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_damage_in_one_line_hides_no_other(some: list[dict[str, Any]], data: st.DataObject) -> None:
    written = [line_of(record) for record in some]
    number = data.draw(st.integers(0, len(some) - 1))
    junk = data.draw(st.binary(max_size=30).map(lambda found: found.replace(b"\n", b"")))
    at = data.draw(st.integers(0, len(written[number]) - 1))
    written[number] = written[number][:at] + junk + b"\n"

    reading = read_journal(b"".join(written))

    rest = some[:number] + some[number + 1 :]
    assert reading.records in (rest, some)
    assert reading.damaged == bool(written[number].strip(b"\n")) - (reading.records == some)


@given(st.lists(records, max_size=3), records, st.data())
def test_a_last_line_without_an_end_is_left_for_later(
    some: list[dict[str, Any]], last: dict[str, Any], data: st.DataObject
) -> None:
    line = line_of(last)
    part = line[: data.draw(st.integers(1, len(line) - 1))]

    assert read_journal(lines(some) + part) == (some, 0, True)
    # Whoever comes next begins a line of its own.
    assert read_journal(lines(some) + part + b"\n" + line).records[-1] == last


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    reading = read_journal(data)

    assert reading.records == []
    assert reading.damaged == sum(map(bool, data.split(b"\n")[:-1]))


@given(st.lists(records, min_size=1, max_size=3))
def test_lines_with_another_end_are_damaged_each_for_itself(some: list[dict[str, Any]]) -> None:
    windows = lines(some).replace(b"\n", b"\r\n")

    assert read_journal(windows) == ([], len(some), False)
    assert read_journal(windows + lines(some)) == (some, len(some), False)


def test_pages_of_zeros_which_a_power_cut_leaves_hide_nothing_behind_them() -> None:
    assert read_journal(lines(SHORT) + bytes(4096)) == (SHORT, 0, True)
    assert read_journal(lines(SHORT[:1]) + bytes(4096) + b"\n" + lines(SHORT[1:])) == (SHORT, 1, False)


def test_empty_lines_are_nothing() -> None:
    assert read_journal(b"\n\n" + lines(SHORT).replace(b"\n", b"\n\n")) == (SHORT, 0, False)


def test_a_record_has_so_many_bytes_and_no_more() -> None:
    room = MAX_LINE - len(line_of({"params": {"x": ""}, "time": 1})) + 10
    longest = {"params": {"x": "a" * room}, "time": 1}
    body = json.dumps({"params": {"x": "a" * (room + 1)}, "time": 1}, separators=(",", ":")).encode()

    assert read_journal(line_of(longest)).records == [longest]
    with pytest.raises(UsageError) as caught:
        checked(body)
    assert caught.value.code == "record_too_large"
    # Whoever writes it all the same is not read.
    assert read_journal(b"%08x %s\n" % (crc32(body), body) + lines(SHORT)) == (SHORT, 1, False)


NO_RECORDS = [
    "",
    "null",
    "[]",
    "{}",
    '{"time":1}x',
    '{"time":true}',
    '{"time":1.0}',
    '{"time":-1}',
    '{"time":9223372036854775808}',
    '{"metrics":{"loss":1},"time":1}',
    '{"metrics":{"loss":1},"step":1.0,"time":1}',
    '{"metrics":{"loss":1},"step":true,"time":1}',
    '{"metrics":{"loss":1},"step":9223372036854775808,"time":1}',
    '{"metrics":{"loss":"1"},"step":1,"time":1}',
    '{"metrics":{"loss":"nan"},"step":1,"time":1}',
    '{"metrics":{"loss":true},"step":1,"time":1}',
    '{"metrics":{"loss":null},"step":1,"time":1}',
    '{"metrics":{"":1},"step":1,"time":1}',
    '{"metrics":{"a\\u0000b":1},"step":1,"time":1}',
    '{"metrics":{"\\ud800":1},"step":1,"time":1}',
    '{"metrics":{"%s":1},"step":1,"time":1}' % ("x" * 251),
    '{"metrics":[],"step":1,"time":1}',
    '{"params":[],"time":1}',
    '{"params":{"":1},"time":1}',
    '{"params":{"x":NaN},"time":1}',
    '{"params":{"x":Infinity},"time":1}',
    '{"params":{"x":1e999},"time":1}',
    '{"params":{"x":18446744073709551616},"time":1}',
    '{"params":{"x":%s},"time":1}' % ("9" * 5000),
    '{"params":{"x":"\\udc80"},"time":1}',
    '{"params":{"x":' + "[" * (MAX_VALUE_DEPTH + 1) + "1" + "]" * (MAX_VALUE_DEPTH + 1) + '},"time":1}',
    '{"params":{"x":%s},"time":1}' % ("[" * 100_000),
    '{"labels":{"\\ud800":1},"time":1}',
    '{"facts":1,"time":1}',
    '{"told":{"name":1},"time":1}',
    '{"told":{"group":"\\ud800"},"time":1}',
    '{"end":{"status":"crashed"},"time":1}',
    '{"end":{"status":"failed","reason":1},"time":1}',
    '{"end":{"status":["failed"]},"time":1}',
    '{"artifact":{"path":"a"},"time":1}',
    '{"artifact":{"path":"a","place":1},"time":1}',
    '{"input":{"role":"data","commit":"0a","ref":"data/x"},"time":1}',
    '{"input":{"role":"no role","commit":"%s","ref":"data/x"},"time":1}' % ("0a" * 32),
    '{"start":{"format":2,"run":"' + RUN + '"},"time":1}',
    '{"start":{"format":1,"run":"../../etc"},"time":1}',
    '{"start":{"format":1,"run":"' + RUN + '","pid":0},"time":1}',
    '{"start":{"format":1,"run":"' + RUN + '","pid":99999999999},"time":1}',
    '{"start":{"format":1,"run":"' + RUN + '","experiment":"No Name"},"time":1}',
    '{"start":{"format":1,"run":"' + RUN + '","resumes":"latest"},"time":1}',
]


@pytest.mark.parametrize("text", NO_RECORDS, ids=lambda text: text[:60])
def test_what_is_no_record_is_passed_over_and_counted_though_its_check_fits(text: str) -> None:
    assert read_journal(said(text) + lines(SHORT)) == (SHORT, 1, False)


def test_lines_that_only_together_are_json_are_no_records() -> None:
    together = said('{"time":1,"told":{}') + said('"x":1},{"time":2}') + said('{"time":3}')

    assert read_journal(together) == ([{"time": 3}], 2, False)


@pytest.mark.parametrize("cut", [9, 8, 0])
def test_a_check_in_another_spelling_is_no_check(cut: int) -> None:
    line = line_of(SHORT[0])
    for wrong in (line.upper(), b"0x" + line[2:], b"+" + line[1:], line[:8] + b"\t" + line[9:], line[cut:][1:]):
        assert read_journal(wrong + lines(SHORT[1:])) == (SHORT[1:], 1, False)


@given(st.floats())
def test_a_value_of_a_metric_is_read_as_the_number_it_was(value: float) -> None:
    (record,) = read_journal(line_of(point(spelled(value)))).records

    found = float(record["metrics"]["loss"])
    assert (found == value and math.copysign(1, found) == math.copysign(1, value)) or found != found != value != value


def test_the_largest_and_the_smallest_whole_numbers_are_kept() -> None:
    some = [point(MAX_INTEGER, -MAX_INTEGER, 0), point(-MAX_INTEGER, MAX_INTEGER, MAX_INTEGER)]

    assert read_journal(lines(some)).records == some


def test_a_value_may_be_as_deep_as_the_page_says() -> None:
    deepest: Any = 1
    for _ in range(MAX_VALUE_DEPTH):
        deepest = [deepest]

    assert journal.is_value(deepest)
    assert not journal.is_value([deepest])
