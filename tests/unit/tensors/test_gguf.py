"""GGUF: sizes of types, places, and headers that lie."""

from __future__ import annotations

import importlib
import struct
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest

from mlreg.errors import IntegrityError
from mlreg.tensors.gguf import MAX_DEPTH, MAX_HEADER_BYTES, MAX_KEYS, MAX_NAME_BYTES, TYPES, Gguf
from mlreg.tensors.tensor_format import MAX_TENSORS, UNKNOWN_SIZE, Element, TensorInfo
from tests.conformance.tensor_files import KEYS, GgufTensor, array, gguf, key, text

KIND = Gguf()
HUGE = 1 << 63


def found(data: bytes, size: int | None = None) -> tuple[TensorInfo, ...]:
    return KIND.tensors(lambda start, count: data[start : start + count], len(data) if size is None else size)


def row(name: bytes = b"a", dimensions: tuple[int, ...] = (4,), kind: int = 0, offset: int = 0) -> GgufTensor:
    return GgufTensor(name, dimensions, kind, offset)


def alignment(value: bytes, kind: int = 4) -> bytes:
    return key(b"general.alignment", kind, value)


def nested(depth: int) -> bytes:
    return array(9, 1, nested(depth - 1)) if depth > 1 else array(0, 1, b"x")


NO_DATA = gguf([], [], b"")
# What a file is, what the reason says about it, and its bytes.
HOSTILE: dict[str, tuple[str, bytes]] = {
    "empty": ("reach beyond byte 0", b""),
    "nothing but its name": ("reach beyond byte 8", b"GGUF\3\0\0\0"),
    "another name": ("does not begin", b"GGML" + NO_DATA[4:]),
    "version 1": ("does not begin", gguf([], [], b"", version=1)),
    "big-endian": ("does not begin", b"GGUF\0\0\0\3" + bytes(16)),
    "2**63 tensors": ("tensors", gguf([], [], b"", tensor_count=HUGE)),
    "one tensor too many": ("tensors", gguf([], [], b"", tensor_count=MAX_TENSORS + 1)),
    "one key too many": ("keys", gguf([], [], b"", key_count=MAX_KEYS + 1)),
    "tensors that are not there": ("reach beyond", gguf([], [], b"", tensor_count=MAX_TENSORS)),
    "a key of 2**62 bytes": ("a name of", gguf([struct.pack("<Q", 1 << 62)], [], b"")),
    "a text of 2**62 bytes": ("reach beyond", gguf([key(b"k", 8, struct.pack("<Q", 1 << 62))], [], b"")),
    "a text of 2**64 - 1 bytes": ("reach beyond", gguf([key(b"k", 8, b"\xff" * 8)], [], b"")),
    "an array of 2**63 texts": ("an array of", gguf([key(b"k", 9, array(8, HUGE, b""))], [], bytes(100))),
    "an array of 2**63 numbers": ("an array of", gguf([key(b"k", 9, array(10, HUGE, b""))], [], bytes(100))),
    "an array of 2**63 arrays": ("an array of", gguf([key(b"k", 9, array(9, HUGE, b""))], [], bytes(100))),
    "arrays too deep": ("deeper", gguf([key(b"k", 9, nested(MAX_DEPTH + 1))], [], b"")),
    "a value of an unknown type": ("unknown type 13", gguf([key(b"k", 13, b"")], [], b"")),
    "an array of an unknown type": ("unknown type 13", gguf([key(b"k", 9, array(13, 0, b""))], [], b"")),
    "alignment 0": ("power of two", gguf([alignment(bytes(4))], [row()], bytes(16))),
    "alignment 24": ("power of two", gguf([alignment(b"\x18\0\0\0")], [row()], bytes(16))),
    "alignment of another type": ("UINT32", gguf([alignment(b"\x20" + bytes(7), 10)], [row()], bytes(16))),
    "alignment twice": ("twice", gguf([alignment(b"\x20\0\0\0")] * 2, [row()], bytes(16))),
    "a name too long": ("a name of", gguf([], [row(b"a" * (MAX_NAME_BYTES + 1))], bytes(16))),
    "a name that is no text": ("UTF-8", gguf([], [row(b"\xff")], bytes(16))),
    "a name twice": ("two tensors", gguf([], [row(), row(offset=32)], bytes(48))),
    "five dimensions": ("dimensions", gguf([], [row(dimensions=(1,) * 5)], bytes(16))),
    "2**32 - 1 dimensions": (
        "dimensions",
        gguf([], [], text(b"a") + b"\xff" * 4, tensor_count=1, alignment=1),
    ),
    "a type that was removed": ("unknown type 4", gguf([], [row(kind=4)], bytes(16))),
    "half a block": ("block", gguf([], [row(dimensions=(48,), kind=2)], bytes(64))),
    "a block of one": ("block", gguf([], [row(dimensions=(), kind=2)], bytes(64))),
    "not aligned": ("multiple of 32", gguf([], [row(offset=8)], bytes(64))),
    "an overlap": ("within another", gguf([], [row(dimensions=(16,)), row(b"b", offset=32)], bytes(64))),
    "the same bytes twice": ("within another", gguf([], [row(), row(b"b")], bytes(64))),
    "cut data": ("last tensor", gguf([], [row()], bytes(15))),
    "dimensions beyond any file": ("last tensor", gguf([], [row(dimensions=(HUGE,) * 4)], bytes(64))),
    "an offset beyond any file": ("last tensor", gguf([], [row(offset=HUGE)], bytes(64))),
}


@pytest.mark.parametrize(("reason", "data"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_for_the_right_reason(reason: str, data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        found(data)
    assert caught.value.code == "bad_gguf"
    assert reason in caught.value.why


@pytest.mark.parametrize(
    "name", sorted(HOSTILE.keys() - {"tensors that are not there"})
)  # they take what real ones take
def test_a_hostile_file_takes_no_memory_even_if_it_never_ends(name: str) -> None:
    """As a file with a hole does: whatever is read behind the real bytes is zeros."""
    asked = [0]

    def read(start: int, size: int) -> bytes:
        asked.append(size)
        return HOSTILE[name][1][start : start + size].ljust(size, b"\0")

    tracemalloc.start()
    with suppress(IntegrityError):
        KIND.tensors(read, 1 << 40)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert max(asked) <= 1 << 17


def test_a_header_without_an_end_is_refused() -> None:
    data = gguf([key(b"k", 8, struct.pack("<Q", MAX_HEADER_BYTES))], [], b"")

    with pytest.raises(IntegrityError) as caught:
        KIND.tensors(lambda start, size: data[start : start + size].ljust(size, b"\0"), UNKNOWN_SIZE)
    assert f"beyond byte {MAX_HEADER_BYTES}" in caught.value.why


def test_long_values_are_passed_and_not_read() -> None:
    """A vocabulary of scores is as large as a small model."""
    long = key(b"scores", 9, array(6, 1 << 20, bytes(4 << 20)))
    data = gguf([long, *KEYS], [row()], bytes(16))
    asked = 0

    def read(start: int, size: int) -> bytes:
        nonlocal asked
        asked += size
        return data[start : start + size]

    assert [tensor.end for tensor in KIND.tensors(read, len(data))] == [len(data)]
    assert asked < 1 << 18


def test_names_are_read_across_the_windows_of_a_long_list() -> None:
    rows = [row(b"%0200d" % number, offset=32 * number) for number in range(2000)]

    tensors = found(gguf(KEYS, rows, bytes(32 * 2000)))
    assert [int(tensor.name) for tensor in tensors] == list(range(2000))
    assert len({tensor.end - tensor.start for tensor in tensors}) == 1


def test_the_last_dimension_of_a_shape_is_the_fastest() -> None:
    (tensor,) = found(gguf([], [row(dimensions=(256, 3, 2), kind=14)], bytes(6 * 210)))

    assert tensor.shape == (2, 3, 256)
    assert tensor.end - tensor.start == 6 * 210


@pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.word)
def test_only_numbers_that_stand_alone_are_elements(kind: Any) -> None:
    element = KIND.element(kind.word)

    assert (element is None) == (kind.numbers > 1)
    assert element is None or (element.width, element.is_float) == (kind.size, "F" in kind.word)
    assert KIND.element("BF16") == Element(2, is_float=True)


def test_the_sizes_of_types_are_those_of_the_reference() -> None:
    constants = pytest.importorskip("gguf.constants")

    # Q8_1 is for sums in memory; the package still has its size of 2023.
    theirs = {
        int(kind): (kind.name, *sizes) for kind, sizes in constants.GGML_QUANT_SIZES.items() if kind.name != "Q8_1"
    }
    assert {number: tuple(TYPES[number])[:3] for number in theirs} == theirs


def test_what_the_reference_writes_is_read(tmp_path: Any) -> None:
    reference = pytest.importorskip("gguf")
    numpy = importlib.import_module("numpy")
    writer = reference.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_custom_alignment(64)
    writer.add_token_list([f"word {number}" for number in range(1000)])
    weights = numpy.arange(15, dtype="f4").reshape(3, 5)
    writer.add_tensor("weights", weights)
    writer.add_tensor("half", weights.astype("f2"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    data = (tmp_path / "model.gguf").read_bytes()
    tensors = {tensor.name: tensor for tensor in found(data)}
    assert tensors["weights"].shape == (3, 5)
    assert data[tensors["weights"].start : tensors["weights"].end] == weights.tobytes()
    assert data[tensors["half"].start : tensors["half"].end] == weights.astype("f2").tobytes()
    assert all(tensor.start % 64 == 0 for tensor in tensors.values())


def test_a_file_that_is_shorter_than_it_was_said_to_be_is_refused() -> None:
    with pytest.raises(IntegrityError) as caught:
        found(gguf(KEYS, [row()], bytes(16))[:60], UNKNOWN_SIZE)
    assert "the file ends at byte 60" in caught.value.why
