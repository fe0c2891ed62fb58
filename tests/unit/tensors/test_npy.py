"""The format of numpy: headers that numpy reads alike, and those that lie."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlreg.errors import IntegrityError
from mlreg.tensors.npy import MAX_HEADER_BYTES, Npy
from mlreg.tensors.tensor_format import UNKNOWN_SIZE, Element, TensorInfo
from tests.conformance.tensor_files import npy

KIND = Npy()
GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"


def found(data: bytes, size: int | None = None) -> tuple[TensorInfo, ...]:
    return KIND.tensors(lambda start, count: data[start : start + count], len(data) if size is None else size)


def file_of(header: str, data: bytes = bytes(8), version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<L", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode("latin-1") + data


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        "{'descr':'<f4','fortran_order':False,'shape':(2,)}",
        '{"shape": (2,), "fortran_order": True, "descr": "<f4"}  \n',
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,2,),}",
    ],
)
def test_a_header_may_be_written_in_any_way_of_python(header: str) -> None:
    (tensor,) = found(file_of(header))

    assert tensor.end - tensor.start == 8
    assert np.load(io.BytesIO(file_of(header))).shape == tensor.shape


# What a header is, what the reason says about it, and the file.
HOSTILE: dict[str, tuple[str, bytes]] = {
    "empty": ("reach beyond", b""),
    "version 4": ("does not begin", file_of(GOOD, version=4)),
    "a header of 4 GB": ("allowed", b"\x93NUMPY\2\0\xff\xff\xff\xff"),
    "a header of one byte too many": ("allowed", file_of(GOOD.ljust(MAX_HEADER_BYTES + 1))),
    "a header beyond the file": ("reach beyond", b"\x93NUMPY\1\0\x10\x27{}"),
    "a list": ("one dict", file_of("['<f4', False, (2,)]")),
    "two dicts": ("cannot be read", file_of(GOOD + GOOD)),
    "a call": ("cannot be read", file_of(GOOD.replace("(2,)", "__import__('os').getpid()"))),
    "a sum": ("shape", file_of(GOOD.replace("(2,)", "(1+1,)"))),
    "an escape": ("cannot be read", file_of(GOOD.replace("<f4", "\\x3cf4"))),
    "no shape": ("just", file_of("{'descr': '<f4', 'fortran_order': False}")),
    "another key": ("cannot be read", file_of(GOOD.replace("shape", "shapes"))),
    "a key twice": ("twice", file_of(GOOD[:-1] + "'shape': (2,)}")),
    "an order of text": ("just", file_of(GOOD.replace("False", "'False'"))),
    "a shape of text": ("shape", file_of(GOOD.replace("(2,)", "'(2,)'"))),
    "a shape that is a number": ("shape", file_of(GOOD.replace("(2,)", "(2)"))),
    "a shape of holes": ("shape", file_of(GOOD.replace("(2,)", "(2,,)"))),
    "a negative shape": ("shape", file_of(GOOD.replace("(2,)", "(-2,)"))),
    "a shape of 5000 digits": ("shape", file_of(GOOD.replace("(2,)", f"({'9' * 5000},)"))),
    "too many dimensions": ("shape", file_of(GOOD.replace("(2,)", f"({'1,' * 65})"))),
    "an array beyond the file": ("reach beyond", file_of(GOOD.replace("(2,)", "(3,)"))),
    "an array beyond any file": ("reach beyond", file_of(GOOD.replace("(2,)", f"({'9' * 19}, {'9' * 19})"))),
    "an unknown dtype": ("unknown dtype", file_of(GOOD.replace("<f4", "<q4"))),
    "an impossible size": ("unknown dtype", file_of(GOOD.replace("<f4", "<f5"))),
    "no byte order": ("unknown dtype", file_of(GOOD.replace("<f4", "float"))),
    "no dtype": ("unknown dtype", file_of(GOOD.replace("'<f4'", "''"))),
    "a dtype that is a flag": ("unknown dtype", file_of(GOOD.replace("'<f4'", "True"))),
}


@pytest.mark.parametrize(("reason", "data"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_for_the_right_reason(reason: str, data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        found(data)
    assert caught.value.code == "bad_npy"
    assert reason in caught.value.why


def test_an_array_beyond_any_file_is_refused_where_the_end_is_not_known() -> None:
    with pytest.raises(IntegrityError):
        found(file_of(GOOD.replace("(2,)", f"({'9' * 19},)")), UNKNOWN_SIZE)


def test_what_follows_an_array_is_no_part_of_it() -> None:
    assert found(npy(np.zeros(3)) + npy(np.ones(9))) == found(npy(np.zeros(3)))


@given(dtype=st.one_of(hnp.scalar_dtypes(), hnp.array_dtypes()), shape=hnp.array_shapes(min_dims=0, min_side=0))
def test_what_numpy_writes_has_its_size_or_is_no_tensor(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    value = np.zeros(shape, dtype)
    data = npy(value)

    if dtype.fields:
        assert found(data) == ()
    else:
        assert found(data) == (TensorInfo("array", value.dtype.str, shape, len(data) - value.nbytes, len(data)),)


@pytest.mark.parametrize(
    ("dtype", "element"),
    [
        ("<f2", Element(2, is_float=True)),
        ("<f8", Element(8, is_float=True)),
        ("<c8", Element(4, is_float=True)),
        ("<c16", Element(8, is_float=True)),
        ("|u1", Element(1, is_float=False)),
        ("|b1", Element(1, is_float=False)),
        ("<i8", Element(8, is_float=False)),
        ("<M8[ns]", Element(8, is_float=False)),
        ("<f16", None),
        (">f4", None),
        ("<U8", None),
        ("|S4", None),
        ("|V2", None),
    ],
)
def test_numbers_in_the_order_of_this_format_are_elements(dtype: str, element: Element | None) -> None:
    assert KIND.element(dtype) == element
