"""Numbers in planes: every shape comes back, hostile blocks are refused, and weights shrink as is claimed."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.codecs.choose import encode_best
from mlreg.codecs.planes import STRETCH, WIDTHS, Planes, Shape
from mlreg.errors import IntegrityError

PLANES = Planes()
MEGABYTE = 1 << 20


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    width = draw(st.sampled_from(WIDTHS))
    return Shape(width, draw(st.booleans()), draw(st.integers(0, width - 1)))


def weights(dtype: object, count: int = MEGABYTE) -> bytes:
    values = np.random.default_rng(0).standard_normal(count) * 0.02
    return values.astype(dtype).tobytes()  # type: ignore[call-overload,no-any-return] # dtypes of ml_dtypes


@given(shape=shapes(), plain=st.binary(max_size=400))
def test_numbers_of_every_shape_come_back(shape: Shape, plain: bytes) -> None:
    assert PLANES.decode(PLANES.encode_as(plain, shape), len(plain)) == plain


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH + 5])
def test_numbers_of_more_than_one_stretch_come_back(width: int, count: int) -> None:
    plain = np.random.default_rng(1).bytes(width * count) + b"x" * (width - 1)

    for shape in (Shape(width, is_rotated=True), Shape(width, is_rotated=False, lead=width - 1)):
        assert PLANES.decode(PLANES.encode_as(plain, shape), len(plain)) == plain


@pytest.mark.parametrize(
    ("dtype", "width", "most"),
    [(ml_dtypes.bfloat16, 2, 0.67), (np.float16, 2, 0.86), (np.float32, 4, 0.84), (np.float64, 8, 0.93)],
    ids=["bf16", "fp16", "fp32", "fp64"],
)
def test_weights_shrink_to_what_their_exponents_say(dtype: object, width: int, most: float) -> None:
    plain = weights(dtype)

    codec, stored = encode_best(plain, Shape(width, is_rotated=True))
    sniffed, alone = encode_best(plain)

    assert (codec.name, sniffed.name) == ("planes", "planes")
    assert len(stored) <= most * len(plain)
    assert len(alone) <= 1.01 * len(stored)
    assert codec.decode(stored, len(plain)) == plain
    assert sniffed.decode(alone, len(plain)) == plain


def test_a_small_block_of_known_numbers_is_split_too() -> None:
    plain = weights(ml_dtypes.bfloat16, 10_000)

    assert encode_best(plain, Shape(2, is_rotated=True))[0].name == "planes"


def test_numbers_whose_high_bytes_are_all_zero_cost_next_to_nothing() -> None:
    plain = np.random.default_rng(2).integers(0, 256, MEGABYTE, np.int64).tobytes()

    assert len(encode_best(plain, Shape(8, is_rotated=False))[1]) < 0.14 * len(plain)
    assert len(PLANES.encode_as(plain, Shape(8, is_rotated=False))) < 0.13 * len(plain)


HEADS = {
    "no numbers": (0, 0, 0, 0),
    "three bytes": (3, 0, 0, 0),
    "sixteen bytes": (16, 0, 0, 0),
    "an unknown flag": (2, 2, 0, 0),
    "a lead of a whole number": (2, 0, 2, 0),
    "a reserved byte": (2, 0, 0, 1),
}


def block(head: tuple[int, ...], sizes: list[int], body: bytes) -> bytes:
    return struct.pack("<4B", *head) + struct.pack(f"<{len(sizes)}I", *sizes) + body


def refuses(stored: bytes, size: int) -> bool:
    with pytest.raises(IntegrityError) as caught:
        PLANES.decode(stored, size)
    return caught.value.code == "bad_block"


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_that_is_never_written_is_refused(head: tuple[int, ...]) -> None:
    assert refuses(block(head, [4] * max(1, head[0]), bytes(4 * max(1, head[0]))), 4 * max(1, head[0]))


def test_a_block_must_be_as_long_as_its_planes_say() -> None:
    right = block((2, 0, 0, 0), [4, 4], bytes(8))

    assert PLANES.decode(right, 8) == bytes(8)
    assert refuses(block((2, 0, 0, 0), [4, 4], bytes(7)), 8)
    assert refuses(block((2, 0, 0, 0), [4, 4], bytes(9)), 8)
    assert refuses(block((2, 0, 0, 0), [5, 3], bytes(8)), 8), "a plane that is longer than its numbers"
    assert refuses(block((2, 0, 0, 0), [4, (1 << 32) - 4], bytes(8)), 8)
    assert refuses(right, 6)
    assert refuses(right, 10)
    assert refuses(block((8, 0, 7, 0), [0] * 8, bytes(6)), 6), "fewer bytes than come before the first number"


def test_a_plane_that_claims_much_is_refused_before_anything_is_allocated() -> None:
    frame = struct.pack("<IBQ", 0xFD2FB528, 0b1110_0000, 1 << 40) + bytes(20)
    stored = block((1, 0, 0, 0), [len(frame)], frame)
    tracemalloc.start()
    try:
        for size in (len(frame) + 1, MEGABYTE // 2):
            assert refuses(stored, size)
        assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    finally:
        tracemalloc.stop()


@given(shape=shapes(), plain=st.binary(max_size=200), at=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_keeps_the_size(shape: Shape, plain: bytes, at: int, bit: int) -> None:
    stored = bytearray(PLANES.encode_as(plain, shape))
    stored[at % len(stored)] ^= 1 << bit

    with suppress(IntegrityError):
        assert len(PLANES.decode(stored, len(plain))) == len(plain)
