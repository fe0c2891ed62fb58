"""safetensors: files to tensors and arrays to files, against hostile headers and the reference implementation."""

from __future__ import annotations

import importlib
import json
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mlreg.errors import IntegrityError, UnsupportedError, UsageError
from mlreg.tensors import safetensors
from mlreg.tensors.safetensors import (
    DTYPES,
    MAX_DIMENSIONS,
    MAX_HEADER_BYTES,
    Dtype,
    Header,
    decode_arrays,
    encode_arrays,
    header_size,
    parse_header,
)
from mlreg.tensors.tensor_format import TensorInfo

Arrays = Mapping[str, NDArray[Any]]

OF_ARRAYS = [dtype for dtype in DTYPES if dtype.array]
every_array_dtype = pytest.mark.parametrize("dtype", OF_ARRAYS, ids=lambda dtype: dtype.word)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def encoded(arrays: Arrays) -> bytes:
    return b"".join(encode_arrays(arrays))


def file_of(header: object, data: bytes = b"") -> bytes:
    """Return a file with a header as it is: a value to encode, or the bytes of one."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str, shape: list[Any], begin: Any, end: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def parsed(data: bytes) -> Header:
    return parse_header(data, len(data))


def is_of_numpy(dtype: Dtype) -> bool:
    return not dtype.array.startswith(("bfloat", "float8"))


def numpy_dtype(dtype: Dtype) -> np.dtype[Any]:
    if is_of_numpy(dtype):
        return np.dtype(dtype.array)
    found: np.dtype[Any] = np.dtype(getattr(pytest.importorskip("ml_dtypes"), dtype.array))
    return found


def array_of(dtype: np.dtype[Any], shape: tuple[int, ...], seed: int = 0) -> NDArray[Any]:
    """Return an array of arbitrary bits, NaNs and subnormal numbers among them."""
    count = int(np.prod(shape)) * dtype.itemsize
    bits = np.random.default_rng(seed).integers(0, 2 if dtype == np.bool_ else 256, count, np.uint8)
    return bits.view(dtype).reshape(shape)


def assert_same(found: Arrays, wanted: Arrays) -> None:
    """Compare bit by bit: NaN is not equal to itself, and -0.0 equals 0.0."""
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].tobytes() == array.astype(found[name].dtype).tobytes()


# Reading


def test_offsets_count_from_the_start_of_the_file_and_follow_the_bytes_not_the_names() -> None:
    header = {
        "z": entry("U8", [4], 0, 4),
        "__metadata__": {"format": "pt"},
        "a": entry("BF16", [1, 3], 4, 10),
    }
    data = file_of(header, bytes(10))
    start = len(data) - 10

    assert header_size(data[:8]) == start
    assert parsed(data) == Header(
        (TensorInfo("z", "U8", (4,), start, start + 4), TensorInfo("a", "BF16", (1, 3), start + 4, start + 10)),
        {"format": "pt"},
        start,
    )


def test_tensors_whose_entries_are_in_another_order_than_their_bytes_are_read() -> None:
    data = file_of({"second": entry("U8", [1], 2, 3), "first": entry("I16", [], 0, 2)}, b"\x01\x02\x03")

    assert [tensor.name for tensor in parsed(data).tensors] == ["first", "second"]
    assert {name: array.tolist() for name, array in decode_arrays(data).items()} == {"first": 0x201, "second": [3]}


def test_an_empty_tensor_may_lie_at_either_end_of_another() -> None:
    header = {name: entry("U8", [0], 0, 0) for name in "dc"} | {"b": U8, "a": entry("U8", [0], 1, 1)}

    assert [tensor.name for tensor in parsed(file_of(header, b"x")).tensors] == ["c", "d", "b", "a"]


def test_the_head_alone_is_enough_and_more_than_it_does_no_harm() -> None:
    data = file_of({"a": entry("F32", [2], 0, 8)}, bytes(8))

    for length in range(header_size(data), len(data) + 1):
        assert parse_header(memoryview(data)[:length], len(data)) == parsed(data)


def test_a_header_may_end_in_spaces_and_a_file_may_have_no_tensor() -> None:
    assert parsed(file_of(b"{}" + b" " * 30)) == Header((), {}, 40)


def test_elements_of_less_than_a_byte_are_placed() -> None:
    data = file_of({"a": entry("F4", [3, 2], 0, 3), "b": entry("F6_E2M3", [4], 3, 6)}, bytes(6))

    assert [(tensor.dtype, tensor.end - tensor.start) for tensor in parsed(data).tensors] == [("F4", 3), ("F6_E2M3", 3)]


U8 = entry("U8", [1], 0, 1)
# What a file is, what the reason says about it, and its bytes.
HOSTILE: dict[str, tuple[str, bytes]] = {
    "empty file": ("length of a header", b""),
    "seven bytes": ("length of a header", bytes(7)),
    "header longer than the file": ("does not fit", (100).to_bytes(8, "little") + b"{}"),
    "header of 2**63 bytes": ("at most", (2**63).to_bytes(8, "little") + b"{}"),
    "header of 100 MB and one byte": ("at most", (MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{}"),
    "header of no bytes": ("'{'", file_of(b"")),
    "header begins with a space": ("'{'", file_of(b" {}")),
    "header begins with a byte order mark": ("'{'", file_of(b"\xef\xbb\xbf{}")),
    "header is a list": ("'{'", file_of(b"[]")),
    "header is cut": ("JSON", file_of(b'{"a":')),
    "header padded with zeros": ("JSON", file_of(b"{}\0\0")),
    "two headers": ("JSON", file_of(b"{}{}")),
    "not UTF-8": ("JSON", file_of(b'{"\xff":' + json.dumps(U8).encode() + b"}", b"x")),
    "UTF-16": ("JSON", file_of("{}".encode("utf-16-le"))),
    "half a surrogate pair": ("surrogates", file_of(b'{"\\ud800":' + json.dumps(U8).encode() + b"}", b"x")),
    "half a surrogate pair in metadata": ("surrogates", file_of(b'{"__metadata__":{"a":"\\udfff"}}')),
    "raw control character": ("JSON", file_of(b'{"__metadata__":{"a":"\n"}}')),
    "depth 100000": ("JSON", file_of(b'{"a":' * 100_000)),
    "list of depth 100000": ("JSON", file_of(b'{"a":' + b"[" * 100_000)),
    "tensor twice": ("twice", file_of(b'{"a":%b,"a":%b}' % ((json.dumps(U8).encode(),) * 2), b"x")),
    "dtype twice": ("twice", file_of(b'{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', b"x")),
    "metadata twice": ("twice", file_of(b'{"__metadata__":{},"__metadata__":{}}')),
    "metadata key twice": ("twice", file_of(b'{"__metadata__":{"a":"1","a":"2"}}')),
    "metadata number": ("__metadata__", file_of({"__metadata__": {"a": 1}})),
    "metadata list": ("__metadata__", file_of({"__metadata__": {"a": ["1"]}})),
    "metadata is text": ("__metadata__", file_of({"__metadata__": "a"})),
    "metadata is null": ("__metadata__", file_of({"__metadata__": None})),
    "overlap": ("overlap", file_of({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, bytes(3))),
    "same bytes twice": ("overlap", file_of({"a": U8, "b": U8}, bytes(1))),
    "hole at the start": ("hole", file_of({"a": entry("U8", [1], 1, 2)}, bytes(2))),
    "hole in the middle": ("hole", file_of({"a": U8, "b": entry("U8", [1], 2, 3)}, bytes(3))),
    "trailing byte": ("last tensor", file_of({"a": U8}, bytes(2))),
    "bytes of no tensor": ("last tensor", file_of({}, b"PK")),
    "cut data": ("last tensor", file_of({"a": entry("U8", [2], 0, 2)}, bytes(1))),
    "offset into the header": ("negative", file_of({"a": entry("U8", [2], -1, 1)}, bytes(1))),
    "offsets the wrong way round": ("do not fit", file_of({"a": entry("U8", [1], 1, 0)}, bytes(1))),
    "offset beyond the file": ("larger than any memory", file_of({"a": entry("U8", [2**63], 0, 2**63)})),
    "shape larger than the data": ("do not fit", file_of({"a": entry("F32", [2], 0, 4)}, bytes(4))),
    "shape smaller than the data": ("do not fit", file_of({"a": entry("F32", [], 0, 8)}, bytes(8))),
    "size beyond 64 bits": ("memory", file_of({"a": entry("F32", [2**62, 2**2], 0, 0)})),
    "size beyond 64 bits behind a zero": ("memory", file_of({"a": entry("F32", [0, 2**62], 0, 0)})),
    "half a byte": ("end of a byte", file_of({"a": entry("F4", [1], 0, 1)}, bytes(1))),
    "negative dimension": ("negative", file_of({"a": entry("U8", [-1], 0, 1)}, bytes(1))),
    "two negative dimensions": ("negative", file_of({"a": entry("U8", [-1, -1], 0, 1)}, bytes(1))),
    "minus zero": ("negative", file_of(b'{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}')),
    "fraction": ("whole", file_of({"a": entry("U8", [1.0], 0, 1)}, bytes(1))),
    "exponent": ("whole", file_of(b'{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', bytes(1))),
    "NaN": ("whole", file_of(b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,0]}}')),
    "dimension of 5000 digits": (
        "whole",
        file_of(b'{"a":{"dtype":"U8","shape":[%b],"data_offsets":[0,0]}}' % (b"9" * 5000)),
    ),
    "dimension is true": ("not a number", file_of({"a": entry("U8", [True], 0, 1)}, bytes(1))),
    "dimension is text": ("not a number", file_of({"a": entry("U8", ["1"], 0, 1)}, bytes(1))),
    "dimension is a list": ("not a number", file_of({"a": entry("U8", [[1]], 0, 1)}, bytes(1))),
    "offset is null": ("not a number", file_of({"a": entry("U8", [1], None, 1)}, bytes(1))),
    "too many dimensions": ("dimensions", file_of({"a": entry("U8", [1] * (MAX_DIMENSIONS + 1), 0, 1)}, bytes(1))),
    "three offsets": ("just", file_of({"a": {**U8, "data_offsets": [0, 1, 1]}}, bytes(1))),
    "offsets are text": ("just", file_of({"a": {**U8, "data_offsets": "01"}}, bytes(1))),
    "no shape": ("just", file_of({"a": {"dtype": "U8", "data_offsets": [0, 1]}}, bytes(1))),
    "another key": ("just", file_of({"a": {**U8, "strides": [1]}}, bytes(1))),
    "entry is a list": ("just", file_of({"a": ["U8", [1], [0, 1]]}, bytes(1))),
    "entry is null": ("just", file_of({"a": None})),
    "unknown dtype": ("unknown dtype", file_of({"a": entry("F128", [], 0, 16)}, bytes(16))),
    "dtype in lower case": ("unknown dtype", file_of({"a": entry("u8", [1], 0, 1)}, bytes(1))),
    "dtype is a list": ("just", file_of({"a": {**U8, "dtype": ["U8"]}}, bytes(1))),
    "no dtype for no array": ("unknown dtype", file_of({"a": entry("", [], 0, 8)}, bytes(8))),
    "a million empty tensors": ("more than", file_of({f"{n}": entry("U8", [0], 0, 0) for n in range(1_000_000)})),
}
# What release 0.8 of the reference accepts: it has no such bound, or takes the last of two, or ignores what it
# does not know.
ONLY_OURS = {
    "header begins with a space",
    "tensor twice",
    "metadata key twice",
    "metadata is null",
    "size beyond 64 bits behind a zero",
    "too many dimensions",
    "another key",
    "entry is a list",
    "a million empty tensors",
}
every_hostile_file = pytest.mark.parametrize(("reason", "data"), HOSTILE.values(), ids=HOSTILE)


@every_hostile_file
def test_a_hostile_file_is_refused_for_the_right_reason(reason: str, data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        parsed(data)
    assert caught.value.code == "bad_safetensors"
    assert reason in caught.value.why
    assert caught.value.why.isascii()
    assert len(caught.value.why) < 300

    with pytest.raises(IntegrityError) as caught:
        decode_arrays(data)
    assert caught.value.code == "bad_safetensors"


def test_a_header_that_was_not_read_in_full_or_is_longer_than_the_file_is_refused() -> None:
    data = file_of({"a": U8}, b"x")
    missing = header_size(data) - 1

    for head, file_size in ((data[:missing], len(data)), (data, missing)):
        with pytest.raises(IntegrityError) as caught:
            parse_header(head, file_size)
        assert caught.value.code == "bad_safetensors"
        assert "does not fit" in caught.value.why


def test_a_header_that_claims_100_mb_takes_no_memory() -> None:
    data = MAX_HEADER_BYTES.to_bytes(8, "little") + b"{" + b" " * 1000
    tracemalloc.start()

    with pytest.raises(IntegrityError):
        parsed(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_as_many_tensors_as_are_allowed_are_written_and_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "MAX_TENSORS", 3)
    metadata = {"__metadata__": {"a": "b"}}
    tensors = {name: entry("U8", [0], 0, 0) for name in "abc"}

    assert len(decode_arrays(encoded(dict.fromkeys("abc", np.zeros(1))))) == 3
    assert len(parsed(file_of(metadata | tensors)).tensors) == 3
    with pytest.raises(IntegrityError):
        parsed(file_of(metadata | tensors | {"d": entry("U8", [0], 0, 0)}))
    with pytest.raises(UsageError) as caught:
        encode_arrays(dict.fromkeys("abcd", np.zeros(1)))
    assert caught.value.code == "bad_array"


VALID = encoded({"w": np.ones((2, 2), "f4"), "n": np.arange(3, dtype="u1"), "e": np.zeros((0, 2), "f8")})
pieces = st.sampled_from([b"0", b"1", b"-", b"9", b'"', b"[", b"]", b",", b"\\u00", b" ", b"F16", b"I64", b"\xff", b""])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a valid file with a few places overwritten; its length field fits, so that the damage is reached."""
    header = bytearray(VALID[8 : header_size(VALID)])
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(header)))
        header[place : place + draw(st.integers(0, 3))] = draw(pieces)
    return file_of(bytes(header), VALID[header_size(VALID) :])


@given(data=damaged() | st.binary(max_size=64).map(lambda noise: file_of(b"{" + noise)) | st.binary(max_size=64))
def test_whatever_the_bytes_they_are_refused_or_covered_by_tensors(data: bytes) -> None:
    try:
        found = parsed(data)
    except IntegrityError:
        return
    ends = [found.data_start, *(tensor.end for tensor in found.tensors)]
    assert [tensor.start for tensor in found.tensors] == ends[:-1]
    assert ends[-1] == len(data)


# Writing, and reading back


@every_array_dtype
@given(shape=shapes, seed=st.integers(0, 1000))
def test_arrays_come_back_bit_by_bit(dtype: Dtype, shape: tuple[int, ...], seed: int) -> None:
    arrays = {"a": array_of(numpy_dtype(dtype), shape, seed), "b/ü\n": array_of(np.dtype("i2"), (2,), seed)}

    assert_same(decode_arrays(encoded(arrays)), arrays)


LAYOUTS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "Fortran order": np.asfortranarray,
    "transposed": lambda array: np.ascontiguousarray(array.T).T,
    "every second of more": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards twice": lambda array: np.ascontiguousarray(array[::-1])[::-1],
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "little-endian": lambda array: array.astype(array.dtype.newbyteorder("<")),
    "big-endian and transposed": lambda array: array.T.astype(array.dtype.newbyteorder(">")).T,
    "not aligned": lambda array: np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1).reshape(array.shape),
    "another class": np.asmatrix,
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("lay_out", LAYOUTS.values(), ids=LAYOUTS)
@every_array_dtype
def test_equal_arrays_have_equal_bytes_however_they_lie_in_memory(
    dtype: Dtype, lay_out: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    plain = array_of(numpy_dtype(dtype), (3, 4))
    plain.flags.writeable = False

    assert encoded({"a": lay_out(plain)}) == encoded({"a": plain})


def test_the_order_of_the_mapping_makes_no_difference() -> None:
    arrays = {name: array_of(np.dtype(dtype), (3,)) for name, dtype in [("b", "f4"), ("a", "f4"), ("c", "f8")]}

    assert encoded(dict(reversed(arrays.items()))) == encoded(arrays)
    assert [tensor.name for tensor in parsed(encoded(arrays)).tensors] == ["c", "a", "b"]


def test_every_tensor_starts_at_a_multiple_of_its_element() -> None:
    arrays = {dtype.word: array_of(numpy_dtype(dtype), (3,)) for dtype in OF_ARRAYS if is_of_numpy(dtype)}

    for tensor in parsed(encoded(arrays)).tensors:
        assert tensor.start % arrays[tensor.name].itemsize == 0


def test_the_bytes_of_two_small_arrays_are_these() -> None:
    written = encoded({"w": np.array([1.0, -2.0], np.float32), "n": np.array(7, np.uint8)})

    header = (
        b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"n":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}'
    )
    padded = header + b" " * (-len(header) % 8)
    assert written == len(padded).to_bytes(8, "little") + padded + b"\0\0\x80\x3f\0\0\0\xc0\x07"


def test_no_arrays_are_a_file_too() -> None:
    assert encoded({}) == file_of(b"{}      ")
    assert decode_arrays(encoded({})) == {}


@pytest.mark.skipif(sys.byteorder == "big", reason="there every array is converted")
def test_an_array_that_lies_as_the_file_does_is_not_copied() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)

    header, data = encode_arrays({"a": array})
    array[0, 0] = 5
    assert isinstance(header, bytes)
    assert data == array.tobytes()


def test_arrays_that_are_read_can_be_written_to_and_leave_the_bytes_alone() -> None:
    data = bytearray(encoded({"a": np.zeros(3, np.int32), "b": np.zeros((), bool)}))
    before = bytes(data)

    arrays = decode_arrays(memoryview(data))
    arrays["a"][0] = 1
    arrays["b"][...] = True
    assert data == before


def test_a_view_of_larger_items_is_read_by_its_bytes() -> None:
    data = encoded({"a": np.arange(8.0)})

    assert decode_arrays(memoryview(data).cast("Q"))["a"].tolist() == list(range(8))


def test_a_bool_that_is_neither_0_nor_1_is_true() -> None:
    data = file_of({"a": entry("BOOL", [4], 0, 4)}, b"\x00\x01\x02\xff")

    assert decode_arrays(data)["a"].tobytes() == b"\x00\x01\x01\x01"


BAD_ARRAYS: dict[str, dict[Any, Any]] = {
    "objects": {"w": np.array([None])},
    "text": {"w": np.array(["a"])},
    "bytes": {"w": np.array([b"a"])},
    "time": {"w": np.array(["2026-01-01"], "M8[D]")},
    "duration": {"w": np.array([1], "m8[s]")},
    "complex64": {"w": np.zeros(1, np.complex64)},
    "complex128": {"w": np.zeros(1, np.complex128)},
    "fields": {"w": np.zeros(1, [("a", "f4")])},
    "raw": {"w": np.zeros(1, "V4")},
    "too many dimensions": {"w": np.zeros((1,) * (MAX_DIMENSIONS + 1))} if np.__version__ >= "2" else {"w": None},
    "masked": {"w": np.ma.masked_array([1.0], mask=[True])},
    "list": {"w": [1.0]},
    "scalar": {"w": np.float32(1)},
    "reserved name": {"__metadata__": np.zeros(1)},
    "half a surrogate pair in a name": {"\ud800": np.zeros(1)},
    "number for a name": {1: np.zeros(1)},
}


@pytest.mark.parametrize("arrays", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_what_safetensors_cannot_hold_is_refused_before_a_byte_is_written(arrays: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        encode_arrays({"good": np.zeros(1), **arrays})
    assert caught.value.code == "bad_array"


def test_an_array_of_an_unsupported_dtype_is_named_with_its_dtype_and_a_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        encode_arrays({"good": np.zeros(1), "labels": np.array([None])})
    assert "'labels'" in caught.value.message
    assert "object" in caught.value.message
    assert caught.value.fix


def test_a_dtype_of_ml_dtypes_needs_it_only_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    monkeypatch.delitem(np.sctypeDict, "bfloat16", raising=False)  # where ml_dtypes makes its types known
    half = file_of({"a": entry("BF16", [1], 0, 2)}, bytes(2))

    assert decode_arrays(encoded({"a": np.zeros(1, np.float16)})).keys() == {"a"}
    assert parsed(half).tensors[0].dtype == "BF16"
    with pytest.raises(UnsupportedError) as caught:
        decode_arrays(half)
    assert caught.value.code == "missing_extra"
    assert any("ml_dtypes" in fix for fix in caught.value.fix)


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if not dtype.array], ids=lambda dtype: dtype.word)
def test_a_dtype_no_array_has_is_placed_and_not_decoded(dtype: Dtype) -> None:
    data = file_of({"a": entry(dtype.word, [8], 0, dtype.bits)}, bytes(dtype.bits))

    assert parsed(data).tensors[0].shape == (8,)
    with pytest.raises(UnsupportedError) as caught:
        decode_arrays(data)
    assert caught.value.code == "unsupported_dtype"


# The reference implementation


def reference() -> Any:
    return pytest.importorskip("safetensors")


def reference_save(arrays: Arrays) -> bytes:
    reference()
    saved: bytes = importlib.import_module("safetensors.numpy").save(dict(arrays))
    return saved


@given(
    dtypes=st.lists(st.sampled_from([dtype for dtype in OF_ARRAYS if is_of_numpy(dtype)]), max_size=6),
    names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=6, unique=True),
    shape=shapes,
)
def test_the_bytes_are_those_of_the_reference(dtypes: list[Dtype], names: list[str], shape: tuple[int, ...]) -> None:
    arrays = {name: array_of(np.dtype(dtype.array), shape) for name, dtype in zip(names, dtypes, strict=False)}

    assert encoded(arrays) == reference_save(arrays)


def test_the_order_of_all_dtypes_is_that_of_the_reference() -> None:
    arrays = {f"{dtype.word}": array_of(numpy_dtype(dtype), (2, 3)) for dtype in sorted(OF_ARRAYS)}

    written = encoded(arrays)
    assert written == reference_save(arrays)
    assert len(reference().deserialize(written)) == len(arrays)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ONLY_OURS])
def test_the_reference_refuses_what_we_refuse(name: str) -> None:
    with pytest.raises(reference().SafetensorError):
        reference().deserialize(HOSTILE[name][1])


@given(data=damaged())
def test_what_we_accept_the_reference_reads_alike(data: bytes) -> None:
    deserialize = reference().deserialize
    try:
        tensors = parsed(data).tensors
    except IntegrityError:
        return

    read = {name: (info["dtype"], tuple(info["shape"]), bytes(info["data"])) for name, info in deserialize(data)}
    assert read == {name: (dtype, shape, data[start:end]) for name, dtype, shape, start, end, _ in tensors}


# Tensors that are no arrays.

ROWS = [safetensors.Tensor("b", "U8", (2,), lambda: b"12"), safetensors.Tensor("a", "F32", (1,), lambda: bytes(4))]


def test_metadata_of_a_file_is_read_back_and_read_by_the_reference_implementation() -> None:
    data = b"".join(safetensors.encode(ROWS, {"tied": "a", "b": "c"}))

    header = safetensors.parse_header(data, len(data))
    assert header.metadata == {"tied": "a", "b": "c"}
    assert [tensor.name for tensor in header.tensors] == ["a", "b"]
    assert {name for name, _ in reference().deserialize(data)} == {"a", "b"}


def test_the_order_of_tensors_and_metadata_makes_no_difference() -> None:
    one = b"".join(safetensors.encode(ROWS, {"x": "1", "y": "2"}))

    assert b"".join(safetensors.encode(ROWS[::-1], {"y": "2", "x": "1"})) == one


@pytest.mark.parametrize("name", ["__metadata__", "half \ud800"])
def test_a_tensor_of_an_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        safetensors.encode([safetensors.Tensor(name, "U8", (0,), lambda: b"")])
    assert caught.value.code == "bad_array"
