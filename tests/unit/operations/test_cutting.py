"""Files into pieces: the same for a file and a stream, whatever the file claims to be."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlreg.operations import cutting
from mlreg.operations.cutting import WHOLE, Piece, pieces_of_file, pieces_of_stream
from mlreg.tensors.layout import BLOCK
from mlreg.tensors.safetensors import encode_arrays
from mlreg.tensors.tensor_format import UNKNOWN_SIZE, Element
from tests.conformance.onnx_files import FLOAT, initializer, model, raw, tensor
from tests.conformance.tensor_files import archive, npy


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def tensors() -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        "a": np.zeros(5_000_000, np.float16),
        "b": np.ones(10, np.int64),
        "c": np.ones(100_000, np.float32),
    }
    return b"".join(encode_arrays(arrays))


def in_parts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


FILES = {
    "nothing": b"",
    "one byte": b"x",
    "a whole piece": noise(WHOLE),
    "a byte more": noise(WHOLE + 1),
    "blocks": noise(2 * BLOCK + 3),
    "tensors": tensors(),
    "a model of ONNX": model(initializer(tensor(b"w", FLOAT, (600_000,), raw(bytes(2_400_000)))) * 2),
    "an archive": archive({"a.npy": npy(np.ones(300_000)), "b.npy": npy(np.zeros(300_000, np.int16))}),
    "a header that lies": (1 << 40).to_bytes(8, "little") + b"{" + noise(WHOLE),
    "a header that is no JSON": (1000).to_bytes(8, "little") + b"{" + noise(WHOLE),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
@pytest.mark.parametrize("size", [100_003, 1 << 23])
def test_a_stream_is_cut_as_the_file_with_its_bytes(data: bytes, size: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)

    of_file, of_stream = list(pieces_of_file(file)), list(pieces_of_stream(in_parts(data, size)))

    assert b"".join(piece.data for piece in of_file) == data
    assert [piece.data for piece in of_file] == [piece.data for piece in of_stream]
    assert [piece.element for piece in of_file] == [piece.element for piece in of_stream]


@pytest.mark.parametrize("data", [tensors() + noise(BLOCK + 9), tensors()[:-1000]], ids=["too long", "too short"])
def test_tensors_that_do_not_fill_their_file_are_cut_without_a_loss(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)

    assert b"".join(piece.data for piece in pieces_of_file(file)) == data
    assert b"".join(piece.data for piece in pieces_of_stream(in_parts(data, 1 << 20))) == data


@given(sizes=st.lists(st.integers(0, 700), max_size=20))
def test_parts_of_any_size_make_one_piece_of_a_small_file(sizes: list[int]) -> None:
    parts = [noise(size) for size in sizes]

    assert [piece.data for piece in pieces_of_stream(parts)] == [b"".join(parts)] * any(sizes)


def test_tensors_are_cut_where_they_begin_and_known_for_what_they_are() -> None:
    pieces = list(pieces_of_stream([tensors()]))

    assert pieces[0].element is None
    assert [(len(piece.data), piece.element) for piece in pieces if piece.element] == [
        (80, Element(8, is_float=False)),
        (400_000, Element(4, is_float=True)),
        (BLOCK, Element(2, is_float=True)),
        (BLOCK, Element(2, is_float=True)),
        (10_000_000 - 2 * BLOCK, Element(2, is_float=True)),
    ]


def test_a_tensor_that_stays_is_the_same_piece_behind_one_that_grew() -> None:
    def pieces(length: int) -> set[bytes]:
        large = np.random.default_rng(0).standard_normal(1_000_000).astype(np.float32)
        return {p.data for p in pieces_of_stream([b"".join(encode_arrays({"a": np.zeros(length), "b": large}))])}

    assert len(pieces(10_000) - pieces(500_001)) == 2, "the header, and what changed"


def test_a_stream_is_not_held_for_a_header_that_never_ends() -> None:
    reading = cutting._Stream(in_parts((1 << 62).to_bytes(8, "little") + b"{" + bytes(100 * 1024 * 1024), 1 << 20))

    reading.peek(0, 1 << 62)

    assert len(reading._held) <= cutting.MAX_PEEK + (1 << 20)


def test_of_a_long_stream_the_size_is_not_known_and_little_is_held() -> None:
    reading = cutting._Stream(in_parts(bytes(100 * 1024 * 1024), 1 << 20))

    assert reading.size == UNKNOWN_SIZE
    assert len(reading._held) <= cutting.MAX_PEEK + (1 << 20)


def test_pieces_carry_their_bytes_as_bytes() -> None:
    assert list(pieces_of_stream([memoryview(b"ab"), bytearray(b"c")])) == [Piece(b"abc", None)]
