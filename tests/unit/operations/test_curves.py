"""Curves: smoothed without a pull to zero, and thinned without losing a peak."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.operations.curves import smoothed, thinned

values = st.lists(st.floats(), max_size=60)
weights = st.floats(0, 0.999)


@given(values, weights)
def test_a_smooth_curve_is_as_long_and_stays_between_the_values(raw: list[float], weight: float) -> None:
    found = smoothed([max(-1e100, min(1e100, one)) if math.isfinite(one) else one for one in raw], weight)

    assert len(found) == len(raw)
    known = [max(-1e100, min(1e100, one)) for one in raw if math.isfinite(one)]
    slack = max(map(abs, known), default=0.0) * 1e-9
    for at, one in enumerate(found):
        before = [value for value in raw[: at + 1] if math.isfinite(value)]
        assert math.isnan(one) == (not before)
        assert not before or min(known) - slack <= one <= max(known) + slack


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_a_weight_of_nothing_changes_nothing(raw: list[float]) -> None:
    assert smoothed(raw, 0) == raw


@given(st.floats(-1e9, 1e9), weights)
def test_a_flat_curve_is_flat_from_its_beginning(value: float, weight: float) -> None:
    assert smoothed([value] * 20, weight) == pytest.approx([value] * 20)


def test_where_there_is_no_number_the_average_stays_as_it_was() -> None:
    assert smoothed([math.nan, 1.0, math.inf, 3.0], 0.5)[1:] == pytest.approx([1.0, 1.0, 7 / 3])


@given(st.lists(st.floats(), max_size=300), st.integers(4, 40))
def test_a_thinned_curve_has_both_ends_and_all_that_a_picture_covers(raw: list[float], most: int) -> None:
    places = thinned(raw, most)

    assert len(places) <= most
    assert places == sorted(set(places))
    assert len(raw) > most or places == list(range(len(raw)))
    finite = [one for one in raw if math.isfinite(one)]
    kept = [raw[place] for place in places if math.isfinite(raw[place])]
    if raw:
        assert (places[0], places[-1]) == (0, len(raw) - 1)
    if finite:
        assert (min(kept), max(kept)) == (min(finite), max(finite))


def test_a_peak_of_one_point_among_a_hundred_thousand_is_kept() -> None:
    raw = [0.0] * 100_000
    raw[77_777] = 1.0

    places = thinned(raw, 500)

    assert 77_777 in places
    assert len(places) <= 500
