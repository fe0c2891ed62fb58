"""Where files of tensors are cut: without a gap, and the same for a tensor wherever it stands."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.tensors import layout
from mlreg.tensors.layout import BLOCK, RUN, SMALL, Stretch, stretches
from mlreg.tensors.safetensors import Safetensors
from mlreg.tensors.tensor_format import Element, TensorInfo

KIND = Safetensors()
FLOAT = Element(4, is_float=True)
sizes = st.one_of(st.integers(0, 300), st.integers(0, 3 * SMALL), st.sampled_from([SMALL, BLOCK, 2 * BLOCK + 8, RUN]))


def table(rows: list[tuple[int, str]], begin: int = 100) -> list[TensorInfo]:
    """Return tensors that stand one behind the other, of sizes and dtypes."""
    starts = accumulate((size for size, _ in rows), initial=begin)
    return [
        TensorInfo(str(number), dtype, (size,), start, start + size)
        for number, ((size, dtype), start) in enumerate(zip(rows, starts, strict=False))
    ]


def cut(rows: list[tuple[int, str]], begin: int = 100) -> list[Stretch]:
    return list(stretches(table(rows, begin), KIND))


@given(rows=st.lists(st.tuples(sizes, st.sampled_from(["F32", "BF16", "U8"])), max_size=30))
def test_the_stretches_fill_the_file_up_to_the_last_tensor(rows: list[tuple[int, str]]) -> None:
    found = cut(rows)

    assert sum(stretch.size for stretch in found) == (100 + sum(size for size, _ in rows) if rows else 0)
    assert all(0 < stretch.size <= BLOCK for stretch in found)


def test_a_large_tensor_is_cut_from_its_own_start() -> None:
    assert cut([(2 * BLOCK + 5, "F32")]) == [
        Stretch(100, None),
        Stretch(BLOCK, FLOAT),
        Stretch(BLOCK, FLOAT),
        Stretch(5, FLOAT),
    ]


def test_what_stands_before_a_tensor_does_not_change_its_cuts() -> None:
    alone, behind = cut([(3 * SMALL, "F32")]), cut([(5 * SMALL + 1, "U8"), (3 * SMALL, "F32")], begin=777)

    assert alone[-1] == behind[-1] == Stretch(3 * SMALL, FLOAT)


def test_small_neighbours_are_joined_and_told_apart_only_if_they_are_of_one_sort() -> None:
    assert cut([(1000, "F32")] * 5 + [(SMALL, "F32")]) == [
        Stretch(100, None),
        Stretch(5000, FLOAT),
        Stretch(SMALL, FLOAT),
    ]
    assert cut([(1000, "F32"), (1000, "U8")])[-1] == Stretch(2000, None)
    assert max(stretch.size for stretch in cut([(SMALL - 1, "F32")] * 40)) <= RUN


def test_the_header_is_a_piece_of_its_own() -> None:
    """Its text changes with every version, the tensors behind it do not."""
    assert [stretch.size for stretch in cut([(10, "F32"), (20, "F32")])] == [100, 30]


def test_a_run_of_very_many_small_tensors_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them would otherwise wait for a sum over all before it."""
    looked_at = 0

    class Counted(Stretch):
        def __getattribute__(self, name: str) -> object:
            nonlocal looked_at
            looked_at += name == "size"
            return super().__getattribute__(name)

    monkeypatch.setattr(layout, "Stretch", Counted)

    assert [stretch.size for stretch in cut([(1, "U8")] * 2000)] == [100, 2000]
    assert looked_at < 20_000
