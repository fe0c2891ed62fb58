"""How values spread: as the libraries that are known for it say, for any numbers."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.operations.spread import quantile, spread_of

doubles = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_mean_deviation_and_interval_are_those_of_student(values: list[float]) -> None:
    stats = pytest.importorskip("scipy.stats")
    found = spread_of(values)
    assert found

    mean, std = statistics.fmean(values), statistics.stdev(values)
    half = stats.t.ppf(0.975, len(values) - 1) * std / math.sqrt(len(values))
    assert found.runs == len(values)
    for one, other in zip(found[1:], (mean, std, mean - half, mean + half), strict=True):
        assert math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6)


def test_quantiles_are_right_to_five_digits_for_any_number_of_runs() -> None:
    stats = pytest.importorskip("scipy.stats")

    assert max(abs(quantile(n) / stats.t.ppf(0.975, n) - 1) for n in range(1, 1000)) < 1e-5


def test_one_value_has_no_deviation_and_none_no_spread() -> None:
    assert spread_of([2.5]) == (1, 2.5, 0.0, 2.5, 2.5)
    assert spread_of([]) is None


@given(st.lists(doubles, min_size=1, max_size=5))
@example([1.7e308, 1.7e308, 1.7e308])
@example([5e-324, 0.0])
def test_any_doubles_have_a_finite_spread_around_a_mean_among_them_or_none(values: list[float]) -> None:
    found = spread_of(values)

    if found is None:
        # Only what lies further apart than a double reaches.
        assert max(map(abs, values)) > 1e300
    else:
        assert all(map(math.isfinite, found))
        assert found.std >= 0
        room = math.ulp(found.mean) * 2
        assert min(values) - room <= found.mean <= max(values) + room
        assert found.low <= found.mean <= found.high


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_have_no_spread(odd: float) -> None:
    assert spread_of([1.0, odd]) is None


@given(st.floats(-1e300, 1e300), st.integers(1, 9))
def test_equal_values_do_not_spread(value: float, count: int) -> None:
    assert spread_of([value] * count) == (count, value, 0, value, value)
