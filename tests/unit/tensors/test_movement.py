"""How far numbers moved: against numpy at once, whatever the type and however the bytes are cut."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.tensors.movement import Movement, meter_of

NUMBERS = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    **{name: np.dtype(name) for name in ("<f2", "<f4", ">f4", "<f8", "|i1", "|u1", "<i2", ">i4", "<u4", "<i8", "<u8")},
}


def moved(numbers: str, before: bytes, after: bytes, stretch: int = 1 << 20) -> Movement:
    meter = meter_of(numbers)
    assert meter
    for at in range(0, len(before), stretch):
        meter.add(before[at : at + stretch], memoryview(after)[at : at + stretch])
    return meter.movement()


def at_once(dtype: Any, before: bytes, after: bytes) -> Movement:
    """Return the same, simply."""
    with np.errstate(all="ignore"):
        old, new = (np.frombuffer(data, dtype).astype(np.float64) for data in (before, after))
        far = [float(value) for value in abs(new - old)]
    width = np.dtype(dtype).itemsize
    changed = sum(before[at : at + width] != after[at : at + width] for at in range(0, len(before), width))
    finite = [value for value in far if math.isfinite(value)]
    share = changed / len(far) if far else 0.0
    if not finite:
        return Movement(share, None, None, len(far))
    return Movement(share, max(finite), sum(value / len(finite) for value in finite), len(far) - len(finite))


@given(data=st.data(), numbers=st.sampled_from(sorted(NUMBERS)), stretch=st.sampled_from([8, 16, 1024]))
def test_the_movement_is_that_of_the_arrays(data: st.DataObject, numbers: str, stretch: int) -> None:
    count = 8 * data.draw(st.integers(0, 6))
    before = data.draw(st.binary(min_size=count, max_size=count))
    some = data.draw(st.lists(st.integers(0, max(count - 1, 0)), max_size=3)) if count else []
    after = bytearray(before)
    for place in some:
        after[place] = data.draw(st.integers(0, 255))

    found, wanted = moved(numbers, before, bytes(after), stretch), at_once(NUMBERS[numbers], before, bytes(after))

    assert (found.share, found.max, found.not_finite) == (wanted.share, wanted.max, wanted.not_finite)
    assert found.mean == wanted.mean or found.mean == pytest.approx(wanted.mean, rel=1e-9, abs=1e-320)


def test_numbers_that_moved_are_counted_and_measured() -> None:
    before, after = np.array([1, 2, 3, 4], "<f4"), np.array([1, 2.5, 3, 2], "<f4")

    assert moved("<f4", before.tobytes(), after.tobytes()) == Movement(0.5, 2.0, 0.625, 0)


def test_what_is_not_finite_is_counted_by_itself() -> None:
    before, after = np.array([1, np.nan, np.inf, -0.0], "<f8"), np.array([2, np.nan, 1, 0.0], "<f8")

    # A NaN that stays has the same bytes, and -0 others than 0.
    assert moved("<f8", before.tobytes(), after.tobytes()) == Movement(0.75, 1.0, 0.5, 2)


def test_the_mean_of_numbers_whose_sum_is_too_large_is_right() -> None:
    before, after = np.zeros(64, "<f8"), np.full(64, 1e308, "<f8")

    assert moved("<f8", before.tobytes(), after.tobytes(), 64).mean == pytest.approx(1e308)


def test_integers_do_not_wrap() -> None:
    assert moved("|u1", b"\x00\xff", b"\xff\x00") == Movement(1.0, 255.0, 255.0, 0)
    least, most = np.array([-(2**63)], "<i8"), np.array([2**63 - 1], "<i8")
    assert moved("<i8", least.tobytes(), most.tobytes()).max == 2.0**64


def test_what_no_library_here_knows_has_no_meter() -> None:
    assert meter_of("float8_of_tomorrow") is None
