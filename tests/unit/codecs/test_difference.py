"""Numbers as what they differ by from others: every pair comes back, hostile blocks and wrong bases are refused."""

from __future__ import annotations

from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.codecs import codec_of
from mlreg.codecs.difference import BASE_SIZE, DIFFERENCE
from mlreg.codecs.planes import STRETCH, WIDTHS, Planes, Shape
from mlreg.errors import IntegrityError, UnsupportedError

ID = bytes(range(BASE_SIZE))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes, Shape]:
    plain = draw(st.binary(max_size=200))
    base = draw(st.binary(min_size=len(plain), max_size=len(plain)))
    width = draw(st.sampled_from(WIDTHS))
    return plain, base, Shape(width, draw(st.booleans()), draw(st.integers(0, width - 1)))


@given(pair=pairs())
def test_every_pair_comes_back(pair: tuple[bytes, bytes, Shape]) -> None:
    plain, base, shape = pair
    stored = DIFFERENCE.encode(plain, ID, base, shape)

    assert DIFFERENCE.base_of(stored) == ID
    assert DIFFERENCE.decode(stored, base, len(plain)) == plain


@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_at_both_ends_and_of_more_than_one_stretch_come_back(width: int) -> None:
    ends = b"".join(number.to_bytes(width, "little") for number in (0, 1, (1 << 8 * width) - 1, 1 << 8 * width - 1))
    plain, base = (ends * STRETCH)[: -width // 2], (ends[width:] + ends[:width])
    base = (base * STRETCH)[: len(plain)]

    for lead in {0, width - 1}:
        stored = DIFFERENCE.encode(plain, ID, base, Shape(width, is_rotated=True, lead=lead))
        assert DIFFERENCE.decode(stored, base, len(plain)) == plain


@pytest.mark.parametrize(("moved", "most"), [(1e-5, 0.20), (3e-5, 0.28), (1e-4, 0.40)])
def test_tuned_weights_take_a_fraction_of_what_planes_take(moved: float, most: float) -> None:
    random = np.random.default_rng(0)
    weights = random.standard_normal(1 << 20) * 0.02
    tuned = weights + random.standard_normal(1 << 20) * moved
    base, plain = (array.astype(ml_dtypes.bfloat16).tobytes() for array in (weights, tuned))
    shape = Shape(2, is_rotated=True)

    assert len(DIFFERENCE.encode(plain, ID, base, shape)) <= most * len(Planes().encode_as(plain, shape))


def refuses(stored: bytes, base: bytes, size: int) -> bool:
    with pytest.raises(IntegrityError) as caught:
        DIFFERENCE.decode(stored, base, size)
    return caught.value.code == "bad_block"


def test_a_base_of_another_size_is_refused() -> None:
    stored = DIFFERENCE.encode(b"12345678", ID, b"12345679", Shape(2, is_rotated=False))

    assert refuses(stored, b"1234567", 8)
    assert refuses(stored, b"1234567", 7)
    assert refuses(stored, b"123456789", 8)


def test_rotated_numbers_are_refused() -> None:
    planes = Planes().encode_as(b"12345678", Shape(2, is_rotated=True))

    assert refuses(ID + bytes(planes), b"12345678", 8)


@pytest.mark.parametrize("size", range(BASE_SIZE + 4))
def test_a_block_that_is_cut_is_refused(size: int) -> None:
    stored = DIFFERENCE.encode(b"12345678", ID, b"12345679", Shape(2, is_rotated=False))[:size]

    assert refuses(stored, b"12345678", 8)
    if size < BASE_SIZE:
        with pytest.raises(IntegrityError):
            DIFFERENCE.base_of(stored)


@given(pair=pairs(), at=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_keeps_the_size(pair: tuple[bytes, bytes, Shape], at: int, bit: int) -> None:
    plain, base, shape = pair
    stored = bytearray(DIFFERENCE.encode(plain, ID, base, shape))
    stored[at % len(stored)] ^= 1 << bit

    with suppress(IntegrityError):
        assert len(DIFFERENCE.decode(stored, base, len(plain))) == len(plain)


@given(stored=st.binary(max_size=200), base=st.binary(max_size=100))
def test_hostile_bytes_are_refused_or_have_the_size(stored: bytes, base: bytes) -> None:
    with suppress(IntegrityError):
        assert len(DIFFERENCE.decode(stored, base, len(base))) == len(base)


def test_it_cannot_be_decoded_without_its_base() -> None:
    with pytest.raises(UnsupportedError):
        codec_of(DIFFERENCE.number)
