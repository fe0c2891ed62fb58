"""Drift: what is said of columns that changed, and that the numbers are those that scipy has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlreg.quality.distances import chi_square, jensen_shannon, kolmogorov_smirnov, psi
from mlreg.quality.drift import ColumnDrift, Limits, TableDrift, drift
from mlreg.quality.file_profile import FileProfile
from mlreg.quality.measuring import column_of_numbers
from mlreg.quality.numbers import Numbers, in_order, numbers_of
from mlreg.quality.profiling import profile_of
from mlreg.quality.tables import Column, Type, table_file
from tests.unit.quality.test_profiles import write_csv

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=12)


def summed(found: NDArray[np.float64]) -> Numbers:
    return numbers_of(in_order(found))


def drifted(tmp_path: Path, before: object, after: object, **limits: float) -> TableDrift:
    """Compare two columns, or mappings from names to columns."""
    found = []
    for number, columns in enumerate((before, after)):
        named = columns if isinstance(columns, dict) else {"a": columns}
        rows = zip(*named.values(), strict=True)
        table = table_file(write_csv(tmp_path / f"{number}.csv", [[*named], *rows]))
        assert table
        found.append(profile_of(table))
    return drift(found[0], found[1], Limits(**limits))


def the_column(found: TableDrift) -> ColumnDrift:
    (one,) = found.columns
    return one


@given(COUNTS)
def test_distances_are_those_of_scipy(counts: list[tuple[int, int]]) -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    stats = pytest.importorskip("scipy.stats")
    before, after = ([one[side] for one in counts] for side in (0, 1))
    if not sum(before) or not sum(after):
        return

    assert jensen_shannon(before, after) == pytest.approx(distance.jensenshannon(before, after, base=2), abs=1e-7)
    filled = [one for one in counts if sum(one)]
    if len(filled) > 1:
        told = stats.chi2_contingency(np.asarray(filled).T, correction=False)
        found = chi_square(before, after)
        assert found.value == pytest.approx(told.statistic, rel=1e-9, abs=1e-9)
        assert found.p == pytest.approx(told.pvalue, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("size", "shift"), [(300, 0.0), (300, 0.5), (20_000, 0.02), (200_000, 0.3)])
def test_the_distance_of_distribution_functions_is_that_of_scipy(size: int, shift: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    chance = np.random.default_rng(5)
    before, after = chance.normal(size=size), chance.normal(shift, size=size // 2)

    told, found = stats.ks_2samp(before, after, method="asymp"), kolmogorov_smirnov(summed(before), summed(after))

    assert found.value == pytest.approx(told.statistic, abs=1e-12 if size < 1024 else 1e-3)
    if size < 1024:
        assert found.p == pytest.approx(told.pvalue, abs=0.05)


def test_the_stability_index_is_that_of_shares_in_bins_of_equally_many_rows(tmp_path: Path) -> None:
    chance = np.random.default_rng(11)
    before, after = chance.normal(size=1000), chance.normal(0.4, 1.2, size=1000)
    edges = np.sort(before)[99::100]
    one = np.diff(np.searchsorted(np.sort(before), edges, "right"), prepend=0)
    low = np.searchsorted(np.sort(after), before.min())
    inside = np.diff(np.searchsorted(np.sort(after), edges, "right"), prepend=low)
    expected = psi([*one, 0, 0], [*inside, 1000 - inside.sum(), 0])

    found = the_column(drifted(tmp_path, before, after))

    assert one.tolist() == [100] * 10
    assert found.by == "numbers"
    assert found.psi == pytest.approx(expected)
    assert expected > 0.1


def test_what_did_not_change_is_not_told_of(tmp_path: Path) -> None:
    found = drifted(tmp_path, {"a": range(100), "b": "ab" * 50}, {"a": range(100), "b": "ba" * 50})

    assert found.verdict == "ok"
    assert [(one.psi, one.reasons, one.change) for one in found.columns] == [(0.0, (), "")] * 2


def test_columns_come_before_new_values_and_these_before_numbers(tmp_path: Path) -> None:
    before = {"gone": "x" * 99, "kind": range(99), "word": "abc" * 33, "real": np.arange(99) / 7, "same": "y" * 99}
    after = {"kind": ["z"] * 99, "word": "abd" * 33, "real": np.arange(99) / 7 + 9, "same": "y" * 99, "more": "x" * 99}

    found = drifted(tmp_path, before, after)

    assert [(one.name, one.verdict, one.change) for one in found.columns] == [
        ("kind", "fail", "type"),
        ("gone", "fail", "removed"),
        ("word", "fail", ""),
        ("real", "fail", ""),
        ("more", "warn", "added"),
        ("same", "ok", ""),
    ]
    word = found.columns[2]
    assert (word.by, word.new, word.gone) == ("values", ("d",), ("c",))


def test_a_value_that_is_new_is_warned_of_however_rare_it_is(tmp_path: Path) -> None:
    found = the_column(drifted(tmp_path, "a" * 9999, "a" * 9998 + "b"))

    assert (found.verdict, found.new) == ("warn", ("b",))
    assert found.psi is not None
    assert found.psi < 0.01


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0] * 95 + [1] * 5, [0] * 50 + [1] * 50),
        ([0] * 5 + [1] * 95, [0] * 50 + [1] * 50),
        (range(100), [*range(50), *[""] * 50]),
        (range(100), [""] * 100),
        ([f"{one}" for one in range(3000)], range(9000, 12_000)),
        ([0.0] * 900 + [one / 7 for one in range(100)], [0.0] * 500 + [one / 7 for one in range(500)]),
        ([f"word {one}" for one in range(2000)], [f"a much longer word {one}" for one in range(2000)]),
    ],
    ids=["more ones", "more zeros", "nulls", "nulls only", "out of range", "fewer zeros", "longer words"],
)
def test_a_change_that_matters_fails(tmp_path: Path, before: Sequence[object], after: Sequence[object]) -> None:
    assert drifted(tmp_path, before, after).verdict == "fail"


def test_a_difference_that_is_significant_only_does_not_fail(tmp_path: Path) -> None:
    chance = np.random.default_rng(2)
    found = the_column(drifted(tmp_path, chance.normal(size=40_000), chance.normal(0.05, size=40_000)))

    assert found.ks_p is not None
    assert found.ks_p < 1e-4
    assert found.verdict == "ok"


def test_the_limits_say_what_is_warned_of_and_what_fails(tmp_path: Path) -> None:
    index = the_column(drifted(tmp_path, "a" * 50 + "b" * 50, "a" * 60 + "b" * 40)).psi or 0.0

    for warn, fail, verdict in (
        (index * 2, index * 3, "ok"),
        (index / 2, index * 2, "warn"),
        (index / 3, index, "fail"),
    ):
        assert drifted(tmp_path, "a" * 50 + "b" * 50, "a" * 60 + "b" * 40, warn=warn, fail=fail).verdict == verdict


@given(
    st.lists(st.integers(-50, 99), min_size=30, max_size=90), st.lists(st.integers(0, 150), min_size=30, max_size=90)
)
def test_both_histograms_have_the_same_intervals_and_all_rows(before: list[int], after: list[int]) -> None:
    old, new = (
        FileProfile(len(some), 0, (column_of_numbers(Column("a", Type.INTEGER, "integer"), 0, np.asarray(some)),))
        for some in (before, after)
    )
    found = the_column(drift(old, new, Limits()))

    if found.by == "values":
        assert {one.value: (one.before, one.after) for one in found.top}.items() <= {
            value: (before.count(value), after.count(value)) for value in {*before, *after}
        }.items()
        return
    edges = [float(found.histogram[0].low), *(float(one.high) for one in found.histogram)]
    assert (edges[0], edges[-1]) == (min(*before, *after), max(*before, *after))
    assert [one.before for one in found.histogram] == np.histogram(before, edges)[0].tolist()
    assert [one.after for one in found.histogram] == np.histogram(after, edges)[0].tolist()


def test_a_column_that_is_there_once_is_drawn_beside_nothing(tmp_path: Path) -> None:
    found = drifted(tmp_path, {"a": range(90), "old": "ab" * 45}, {"a": range(90), "new": np.arange(90) / 7})

    old, new = found.columns[:2]
    assert (old.name, [tuple(one) for one in old.top]) == ("old", [("a", 45, 0), ("b", 45, 0)])
    assert (new.name, len(new.histogram)) == ("new", 20)
    assert (sum(one.before for one in new.histogram), sum(one.after for one in new.histogram)) == (0, 90)


def test_of_many_values_those_are_counted_that_are_most_frequent_in_both(tmp_path: Path) -> None:
    rare = [f"rare {at:02}" for at in range(40)]

    found = the_column(drifted(tmp_path, [*rare, *["old"] * 60], [*rare, *["new"] * 60]))

    assert [tuple(one) for one in found.top[:3]] == [("new", 0, 60), ("old", 60, 0), ("rare 00", 1, 1)]
    assert len(found.top) == 20


def test_times_are_not_drawn_on_one_axis_with_numbers(tmp_path: Path) -> None:
    days = [f"2026-01-{at % 28 + 1:02}" for at in range(90)]

    moved = the_column(drifted(tmp_path, days, [day.replace("-01-", "-03-") for day in days]))
    mixed = the_column(drifted(tmp_path, days, range(90)))

    assert (moved.histogram[0].low, moved.histogram[-1].high) == ("2026-01-01T00:00:00", "2026-03-28T00:00:00")
    assert (mixed.change, mixed.histogram) == ("type", ())


def test_tables_without_rows_can_be_compared(tmp_path: Path) -> None:
    assert drifted(tmp_path, [], []).verdict == "ok"
    assert the_column(drifted(tmp_path, range(5), [])).psi is None
