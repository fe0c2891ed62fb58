"""What a commit says of a run: JSON that can always be stored, whatever was logged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats import canonical
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.commit import MAX_METADATA
from mlreg.formats.journal import MAX_VALUE_DEPTH
from mlreg.formats.run import RunState, Series
from mlreg.formats.run_summary import brief, moment, summary
from tests.unit.formats.journals import RUN, json_values, point, records


def state_of(*said: dict[str, Any]) -> RunState:
    state = RunState(RUN)
    for record in said:
        state.take(record)
    return state


def summed(
    *said: dict[str, Any], earlier: dict[str, Any] | None = None, missing: list[str] | None = None
) -> dict[str, Any]:
    state = state_of(*said)
    return summary(state, state.ended or "crashed", state.metrics, missing or (), earlier)


@given(st.lists(records, max_size=8), json_values, json_values)
def test_whatever_was_logged_can_be_stored(some: list[dict[str, Any]], run: Any, params: Any) -> None:
    """What was sealed before may be anything, too: someone else's work."""
    found = summed(*some, earlier={"run": run, "params": params})

    assert canonical.decode(canonical.encode({"a": found}), MAX_METADATA) == {"a": found}
    assert len(canonical.encode(brief(found))) < 10_000


def test_the_deepest_values_can_be_stored_also_where_they_stand_deepest() -> None:
    deep: Any = [1, 2]
    for _ in range(MAX_VALUE_DEPTH - 1):
        deep = [deep]

    found = summed(
        {"params": {"x": 1}, "time": 1}, {"params": {"x": deep}, "time": 1}, {"facts": {"f": deep}, "time": 1}
    )

    assert found["run"]["changed_params"] == {"x": [1, deep]}
    canonical.encode({"metadata": found})


def test_the_last_value_counts_and_the_range_leaves_nan_out() -> None:
    values: list[float | str] = [3, "NaN", 1.5, "-Infinity", 2]

    found = summed(*(point(value, step) for step, value in enumerate(values)), point("NaN", name="once"))

    assert found["metrics"] == {"loss": 2.0, "once": "NaN"}
    assert found["ranges"] == {"loss": {"count": 5, "max": 3.0, "min": "-Infinity", "step": 4}}


def test_a_metric_that_was_never_a_number_has_a_range_of_none() -> None:
    found = summed(point("NaN"), point("NaN", 1))

    assert found["ranges"]["loss"] == {"count": 2, "max": "NaN", "min": "NaN", "step": 1}


def test_a_metric_without_points_is_none() -> None:
    assert summary(state_of(), "finished", {"loss": Series.empty()})["metrics"] == {}


def test_times_are_those_of_the_first_and_the_last_record_in_whatever_order_they_came() -> None:
    found = summed(point(1, time=5000), point(2, time=1000), point(3, time=2500))

    assert found["run"]["started"] == "1970-01-01T00:00:01.000Z"
    assert (found["run"]["ended"], found["run"]["seconds"]) == ("1970-01-01T00:00:05.000Z", 4.0)


def test_a_run_of_which_nothing_was_said_has_no_time() -> None:
    assert summed()["run"] == {"started": "", "ended": "", "seconds": 0.0, "status": "crashed"}


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1795502880125, "2026-11-24T06:48:00.125Z"), (MAX_INTEGER, ""), (-1, "")],
)
def test_a_moment_that_no_calendar_has_is_none(milliseconds: int, text: str) -> None:
    assert moment(milliseconds) == text


EARLIER = {
    "params": {"lr": 0.1, "seed": 1},
    "run": {
        "started": "2026-01-01T00:00:00.000Z",
        "seconds": 10.0,
        "status": "failed",
        "reason": "no memory",
        "host": "a",
    },
}


def test_a_run_that_goes_on_keeps_its_start_its_params_and_its_time() -> None:
    found = summed(
        point(1, time=2000), point(1, time=3500), {"params": {"lr": 0.1, "depth": 3}, "time": 3000}, earlier=EARLIER
    )

    assert found["params"] == {"lr": 0.1, "seed": 1, "depth": 3}
    run = found["run"]
    assert (run["started"], run["seconds"], run["host"]) == ("2026-01-01T00:00:00.000Z", 11.5, "a")
    assert "reason" not in run
    assert "changed_params" not in run


def test_a_param_that_was_sealed_with_another_value_keeps_it_and_says_so() -> None:
    found = summed({"params": {"lr": 0.2, "seed": 1}, "time": 1}, earlier=EARLIER)

    assert found["params"]["lr"] == 0.1
    assert found["run"]["changed_params"] == {"lr": [0.1, 0.2]}
    # And so does who goes on with that.
    later = summed({"params": {"lr": 0.1}, "time": 1}, {"params": {"lr": 0.3}, "time": 1}, earlier=found)
    assert later["run"]["changed_params"] == {"lr": [0.1, 0.2, 0.3]}
    assert summed(earlier=later)["run"]["changed_params"] == {"lr": [0.1, 0.2, 0.3]}


def test_why_it_failed_and_what_is_missing_is_said_once() -> None:
    said = [{"end": {"status": "failed", "reason": "no memory"}, "time": 1}]

    first = summed(*said, missing=["a"])

    assert (first["run"]["reason"], first["run"]["missing"]) == ("no memory", ["a"])
    again = summed({"end": {"status": "finished"}, "time": 1}, earlier=first)
    assert "reason" not in again["run"]
    assert "missing" not in again["run"]


def test_what_is_said_of_a_run_in_brief_has_no_long_name() -> None:
    found = summed({"told": {"name": "x" * 1_000_000}, "time": 1})

    assert len(canonical.encode(brief(found))) < 1000
