"""Runs: ids that sort by time, and what the journals of a run add up to."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.journal import read_journal
from mlreg.formats.run import (
    NEVER,
    RunState,
    Series,
    began,
    check_name,
    check_status,
    id_in,
    is_name,
    is_run_id,
    is_run_version,
    is_same,
    next_version,
    run_id,
)
from tests.unit.formats.journals import RUN, json_values, lines, point, records, times

COMMIT = "0a" * 32


def state_of(*said: dict[str, Any]) -> RunState:
    state = RunState(RUN)
    for record in said:
        state.take(record)
    return state


def start(time: int, **more: object) -> dict[str, Any]:
    return {"start": {"format": 1, "run": RUN, **more}, "time": time}


def end(time: int, status: str, reason: str = "") -> dict[str, Any]:
    return {"end": {"status": status, "reason": reason}, "time": time}


# Ids.


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_and_says_when(time: int, random: bytes) -> None:
    made = run_id(time, random)

    known = uuid.UUID(made)
    assert (str(known), known.version, known.variant) == (made, 7, uuid.RFC_4122)
    assert is_run_id(made)
    assert began(made) == time


@given(st.integers(0, 2**48 - 2), st.integers(1, 2**47), st.binary(min_size=10, max_size=10))
def test_a_later_run_has_a_larger_id(time: int, later: int, random: bytes) -> None:
    assert run_id(time, random) < run_id(min(time + later, 2**48 - 1), bytes(10))


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_all_bits_of_chance_but_four_are_in_the_id(one: bytes, other: bytes) -> None:
    def kept(random: bytes) -> bytes:
        return bytes([random[0], random[1] & 0xF0, random[2] & 0x3F, *random[3:]])

    assert (run_id(1, one) == run_id(1, other)) == (kept(one) == kept(other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        run_id(1, b"\xff" * 10).upper(),
        RUN[:-1],
        RUN + "0",
        RUN + "\n",
        " " + RUN,
        RUN.replace("-", ""),
        RUN.replace("-7", "-4"),
        "..",
        "latest",
        RUN[:19] + "c" + RUN[20:],
        RUN[:-1] + "\u0660",
        f"../{RUN}",
    ],
)
def test_what_is_no_id_is_none(text: str) -> None:
    assert not is_run_id(text)
    assert not is_run_version(text)


@pytest.mark.parametrize("number", [2, 3, 9, 10, 99, 999_999_999])
def test_a_run_that_was_sealed_again_has_a_number(number: int) -> None:
    assert is_run_version(f"{RUN}+{number}")
    assert id_in(f"{RUN}+{number}") == id_in(RUN) == RUN


@pytest.mark.parametrize(
    "suffix", ["+", "+0", "+1", "+02", "+2 ", "+-2", "+1000000000", "+2+2", "-2", "+2\n", "+\u0662"]
)
def test_other_suffixes_are_none(suffix: str) -> None:
    assert not is_run_version(RUN + suffix)


@pytest.mark.parametrize(
    ("present", "following"),
    [([], RUN), ([RUN], f"{RUN}+2"), ([RUN, f"{RUN}+2"], f"{RUN}+3"), ([f"{RUN}+9"], f"{RUN}+10")],
)
def test_versions_of_a_run_are_counted_from_the_last(present: Sequence[str], following: str) -> None:
    assert next_version(RUN, present) == following


# Names.


@pytest.mark.parametrize(
    "name", ["loss", "val/auc", "a b", "größe", "损失", "x" * 250, "🎉", "a.b", "<script>", "'; DROP TABLE"]
)
def test_a_name_may_be_any_text_that_can_be_printed(name: str) -> None:
    check_name(name, "metric")
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "x" * 251, "a\nb", "a\0", "\x1b[31m", "\u202eevil", "\ud800", "\x7f", "a\u2028b", 3, None, b"loss", ("a",)],
)
def test_a_name_that_cannot_be_printed_is_refused(name: object) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name, "metric")
    assert caught.value.code == "bad_run_name"
    # Whatever stands in it, a terminal does not obey the message.
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("status", ["", "running", "crashed", "FINISHED", "done"])
def test_there_are_three_ways_to_end_a_run(status: str) -> None:
    for known in ("finished", "failed", "killed"):
        check_status(known)
    with pytest.raises(UsageError) as caught:
        check_status(status)
    assert caught.value.code == "bad_status"


# What records add up to.


@given(st.lists(records, max_size=12))
def test_any_records_add_up(some: list[dict[str, Any]]) -> None:
    state = state_of(*read_journal(lines(some)).records)

    counted = [record["time"] for record in some if "left" not in record]
    assert (state.first, state.last) == ((min(counted), max(counted)) if counted else (NEVER, NEVER))
    assert sum(map(len, state.metrics.values())) == sum(len(record.get("metrics", ())) for record in some)


@given(st.lists(st.tuples(st.integers(-3, 3), st.floats(), times), max_size=20))
def test_points_are_kept_in_the_order_in_which_they_were_logged(given_points: list[tuple[int, float, int]]) -> None:
    """Steps that repeat or go back, NaN and infinities, clocks that jump: all are kept as they came."""
    words = {math.inf: "Infinity", -math.inf: "-Infinity"}
    spelled = [(step, "NaN" if value != value else words.get(value, value), time) for step, value, time in given_points]

    state = state_of(*(point(value, step, time) for step, value, time in spelled))

    found = [(one.step, repr(one.value), one.time) for one in state.metrics.get("loss", Series.empty()).points()]
    assert found == [(step, repr(value), time) for step, value, time in given_points]


def test_the_first_value_of_a_param_holds_and_all_are_kept() -> None:
    said = [{"params": {"lr": value}, "time": at} for at, value in enumerate((0.1, 0.1, 0.2, 0.1, 0.3))]

    state = state_of(*said, {"params": {"seed": 1}, "time": 9})

    assert state.params == {"lr": 0.1, "seed": 1}
    assert state.changed == {"lr": [0.1, 0.2, 0.3]}


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0, False), ("1", 1), (None, ""), ({"a": 1}, {"a": 1.0}), ([], {})]
)
def test_values_of_different_types_are_different(one: object, other: object) -> None:
    state = state_of({"params": {"x": one}, "time": 1}, {"params": {"x": other}, "time": 2})

    assert not is_same(one, other)
    assert state.changed == {"x": [one, other]}


@given(json_values)
def test_a_value_is_the_same_as_itself_in_whatever_order_its_keys_stand(value: Any) -> None:
    turned = dict(reversed(value.items())) if isinstance(value, dict) else value

    assert is_same(value, turned)
    assert state_of({"params": {"x": value}, "time": 1}, {"params": {"x": turned}, "time": 2}).changed == {}


def test_of_labels_and_texts_the_last_holds_and_of_facts_the_first() -> None:
    state = state_of(
        {"labels": {"team": "a", "x": 1}, "told": {"name": "one", "group": "g"}, "facts": {"host": "here"}, "time": 1},
        {"labels": {"team": "b"}, "told": {"name": "two"}, "facts": {"host": "there", "code": 1}, "time": 2},
    )

    assert state.labels == {"team": "b", "x": 1}
    assert state.told == {"name": "two", "group": "g"}
    assert state.facts == {"host": "here", "code": 1}


def test_an_input_is_counted_once_and_of_a_path_the_last_artifact_holds() -> None:
    used = {"role": "data", "commit": COMMIT, "ref": "data/x@1"}
    said = [{"input": used, "time": 1}, {"input": {**used, "role": "base"}, "time": 2}, {"input": used, "time": 3}]
    kept = [{"artifact": {"path": "a", "place": place}, "time": 4} for place in ("p", "q")]

    state = state_of(*said, *kept)

    assert [one.role for one in state.inputs] == ["data", "base"]
    assert [one.place for one in state.artifacts.values()] == ["q"]


def test_whoever_goes_on_with_a_run_takes_its_end_back() -> None:
    state = state_of(start(1, experiment="churn"), end(2, "failed", "no memory"))
    assert (state.ended, state.reason) == ("failed", "no memory")

    state.take(start(3, experiment="churn", resumes=RUN))

    assert (state.experiment, state.ended, state.reason, state.resumes) == ("churn", "", "", RUN)


def test_who_only_joins_a_run_that_has_ended_does_not_begin_it_again() -> None:
    state = state_of(start(1, experiment="churn"), end(2, "finished"), start(3, pid=7), point(0.5, time=4))

    assert state.ended == "finished"
    assert list(state.metrics) == ["loss"]


def test_the_time_at_which_a_writer_left_is_not_one_of_the_run() -> None:
    state = state_of(
        start(5, experiment="churn"), point(0.5, time=7), {"left": {}, "time": 99}, {"left": {}, "time": 1}
    )

    assert (state.first, state.last) == (5, 7)


@pytest.mark.parametrize("time", [0, 1, MAX_INTEGER])
def test_a_clock_that_says_nothing_sensible_is_taken_at_its_word(time: int) -> None:
    state = state_of(point(1, time=time), point(2, time=5))

    assert (state.first, state.last) == (min(time, 5), max(time, 5))


def test_keys_of_a_later_release_are_passed_over() -> None:
    state = state_of({"mood": "good", "params": {"lr": 1}, "time": 1}, start(2, experiment="churn", colour="red"))

    assert (state.params, state.experiment) == ({"lr": 1}, "churn")
