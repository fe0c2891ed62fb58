"""Gates: what is worse than it may be fails, and so does what is not known; nothing passes by being missing."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.journal import spelled
from mlreg.registry.gating import failing

Facts = dict[str, Any]

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
SIGNS: dict[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
numbers = st.floats(-2, 2) | st.sampled_from([0.0, -0.0, 5e-324, 1.7e308, -1.7e308, math.inf, -math.inf, math.nan])


def fails(gate: str, one: Facts, baseline: Facts) -> bool:
    """Tell whether a run fails a gate beside a baseline."""
    return 1 in failing(gate, [baseline, one], 0)


@given(numbers, numbers, st.sampled_from([*OPERATORS]), st.sampled_from([*SIGNS]), st.floats(0, 2))
@example(-10.5, -10.0, ">", "*", 1.1)  # a share of a number below zero is the other way round
@example(0.5, 0.0, ">", "*", 1.1)
@example(math.inf, 0.5, ">", "*", 1.1)
def test_a_relation_to_the_baseline_means_what_it_says(
    value: float, baseline: float, sign: str, arithmetic: str, number: float
) -> None:
    gate = f"metrics.x {sign} baseline {arithmetic} {number!r}"
    limit = SIGNS[arithmetic](baseline, number)
    # NaN, and one infinity beside the other, are not known to be good.
    unknown = math.isnan(value - limit)

    found = fails(gate, {"metrics.x": spelled(value)}, {"metrics.x": spelled(baseline)})

    assert found == (unknown or OPERATORS[sign](value, limit))


@pytest.mark.parametrize(
    "gate",
    [
        *("metrics.auc < 0.5", "metrics.auc < baseline", "not metrics.auc > baseline - 1", "delta.auc < -1"),
        *("ratio.auc < 0.1", "params.lr > 1 and metrics.auc < 0.1", "min.auc < 0.1 or max.auc > 9"),
    ],
)
@pytest.mark.parametrize("facts", [{}, {"metrics.auc": "NaN", "min.auc": "NaN", "max.auc": "NaN"}])
def test_a_run_without_a_number_fails_and_it_is_said_which_is_missing(gate: str, facts: Facts) -> None:
    good = {"metrics.auc": 0.9, "min.auc": 0.9, "max.auc": 0.9, "params.lr": 0.1}

    assert not fails(gate, good, good)
    (reason,) = failing(gate, [good, facts], 0).values()
    assert "auc: missing or NaN" in reason


@pytest.mark.parametrize("facts", [{}, {"metrics.auc": "NaN"}])
def test_nothing_passes_beside_a_baseline_without_the_metric(facts: Facts) -> None:
    assert fails("metrics.auc < baseline - 0.01", {"metrics.auc": 1.0}, facts)
    # What asks nothing of the baseline does not need it.
    assert not fails("metrics.auc < 0.5", {"metrics.auc": 1.0}, facts)


def test_an_infinite_peak_is_larger_than_any_number() -> None:
    gate = "max.loss > 100"

    assert fails(gate, {"max.loss": "Infinity"}, {})
    assert not fails(gate, {"max.loss": "-Infinity"}, {})


def test_relations_stand_among_other_tests() -> None:
    gate = "(metrics.`a b` < baseline - .1 or metrics.val.loss>baseline*2) and labels.team = 'metrics.x < baseline'"
    base = {"metrics.a b": 0.9, "metrics.val.loss": 1}
    team = {"labels.team": "metrics.x < baseline"}

    assert fails(gate, {"metrics.a b": 0.5, "metrics.val.loss": 1, **team}, base)
    assert fails(gate, {"metrics.a b": 0.9, "metrics.val.loss": 3, **team}, base)
    assert not fails(gate, {"metrics.a b": 0.9, "metrics.val.loss": 2, **team}, base)
    assert not fails(gate, {"metrics.a b": 0.5, "metrics.val.loss": 3}, base)


def test_the_baseline_is_not_tested_unless_it_is_alone() -> None:
    bad, good = {"metrics.auc": 0.1}, {"metrics.auc": 0.9}

    assert failing("metrics.auc < 0.5", [bad, good], 0) == {}
    assert failing("metrics.auc < 0.5", [good, bad], 1) == {}
    assert failing("metrics.auc < 0.5", [bad], 0) == {0: "metrics.auc < 0.5"}
    assert failing("metrics.auc < baseline", [bad], 0) == {}


@pytest.mark.parametrize(
    "gate",
    [
        *("metrics.auc < baseline - params.x", "metrics.auc < baseline - 0.01 - 1", "metrics.auc < baseline.auc"),
        *("params.lr < baseline", "baseline > metrics.auc", "metrics.auc < baseline / 2", "metrics < baseline"),
        *("above.0 < 1", "metrics.auc", "", "metrics.auc < baseline;", "xmetrics.auc < baseline"),
    ],
)
def test_what_is_no_gate_is_refused_and_never_passed(gate: str) -> None:
    with pytest.raises(UsageError) as caught:
        failing(gate, [{"metrics.auc": 1.0}], 0)
    assert caught.value.code == "bad_expression"
    assert caught.value.fix


def test_a_word_that_gates_use_inside_means_nothing_from_outside() -> None:
    # It is not known, and so it fails.
    assert fails("metrics.auc < baseline and above.7 < 1", {"metrics.auc": 0.1}, {"metrics.auc": 1.0})
