"""GGUF: where the tensors of a file lie, quantized ones too.

    24 bytes   `GGUF`, version, number of tensors, number of keys
    the keys   name, type, value: passed without keeping them, but for `general.alignment`
    the list   of each tensor its name, dimensions, type, and offset from the start of the data
    the data   begins, and each tensor in it, at a multiple of the alignment

All numbers are little-endian. Versions 2 and 3 have the same structure; what is big-endian is not recognised.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and for sizes of types `ggml-common.h` beside it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import NamedTuple

from mlreg.errors import IntegrityError
from mlreg.tensors.cursor import Cursor, in_order, shown
from mlreg.tensors.tensor_format import MAX_TENSORS, Element, Read, TensorInfo

MAGIC = b"GGUF"
VERSIONS = (2, 3)
"""Version 1 had shorter numbers, for a few weeks."""
MAX_HEADER_BYTES = 64 * 1024 * 1024
"""Bytes before the data; vocabularies of 256 thousand words take 16 MiB."""
MAX_KEYS = 1 << 16
MAX_KEY_BYTES = (1 << 16) - 1
"""The bound of the format."""
MAX_NAME_BYTES = 256
"""Of a tensor; ggml has 63, and programs that build it for longer names."""
MAX_DIMENSIONS = 4
"""What ggml can hold."""
MAX_DEPTH = 8
"""Arrays within arrays."""
DEFAULT_ALIGNMENT = 32

_ALIGNMENT_KEY = b"general.alignment"
_UINT32, _TEXT, _ARRAY = 4, 8, 9
_VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, _UINT32: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_LEAST_BYTES = _VALUE_BYTES | {_TEXT: 8, _ARRAY: 12}
"""Of a value of each type: an array of more values than fit into the file is refused before it is gone through."""


class Type(NamedTuple):
    """A type of tensor: so many numbers are a block of so many bytes."""

    word: str
    numbers: int
    size: int
    element: Element | None = None


TYPES = {
    0: Type("F32", 1, 4, Element(4, is_float=True)),
    1: Type("F16", 1, 2, Element(2, is_float=True)),
    2: Type("Q4_0", 32, 18),
    3: Type("Q4_1", 32, 20),
    6: Type("Q5_0", 32, 22),
    7: Type("Q5_1", 32, 24),
    8: Type("Q8_0", 32, 34),
    9: Type("Q8_1", 32, 36),
    10: Type("Q2_K", 256, 84),
    11: Type("Q3_K", 256, 110),
    12: Type("Q4_K", 256, 144),
    13: Type("Q5_K", 256, 176),
    14: Type("Q6_K", 256, 210),
    15: Type("Q8_K", 256, 292),
    16: Type("IQ2_XXS", 256, 66),
    17: Type("IQ2_XS", 256, 74),
    18: Type("IQ3_XXS", 256, 98),
    19: Type("IQ1_S", 256, 50),
    20: Type("IQ4_NL", 32, 18),
    21: Type("IQ3_S", 256, 110),
    22: Type("IQ2_S", 256, 82),
    23: Type("IQ4_XS", 256, 136),
    24: Type("I8", 1, 1, Element(1, is_float=False)),
    25: Type("I16", 1, 2, Element(2, is_float=False)),
    26: Type("I32", 1, 4, Element(4, is_float=False)),
    27: Type("I64", 1, 8, Element(8, is_float=False)),
    28: Type("F64", 1, 8, Element(8, is_float=True)),
    29: Type("IQ1_M", 256, 56),
    30: Type("BF16", 1, 2, Element(2, is_float=True)),
    34: Type("TQ1_0", 256, 54),
    35: Type("TQ2_0", 256, 66),
    39: Type("MXFP4", 32, 17),
    40: Type("NVFP4", 64, 36),
    41: Type("Q1_0", 128, 18),
    42: Type("Q2_0", 64, 18),
}
"""By the number in a file; what is missing was removed from the format."""

_ELEMENTS = {kind.word: kind.element for kind in TYPES.values()}
_NUMBERS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "bfloat16"} | {
    "I8": "|i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
}


class Gguf:
    """See `mlreg.tensors.tensor_format.TensorFormat`; the last dimension of a shape is the fastest, as elsewhere."""

    name = "gguf"

    def recognises(self, head: bytes) -> bool:
        return head[:4] == MAGIC and int.from_bytes(head[4:8], "little") in VERSIONS

    def tensors(self, read: Read, size: int) -> tuple[TensorInfo, ...]:
        try:
            return in_order(_tensors(Cursor(read, 0, min(size, MAX_HEADER_BYTES))), size)
        except ValueError as error:
            raise IntegrityError("bad_gguf", "the bytes are not a GGUF file", why=str(error)) from error

    def element(self, dtype: str) -> Element | None:
        return _ELEMENTS[dtype]

    def numbers(self, dtype: str) -> str:
        return _NUMBERS.get(dtype, "")


def _tensors(cursor: Cursor) -> Iterator[TensorInfo]:
    magic, version, count, keys = struct.unpack("<4sIQQ", cursor.take(24))
    if magic != MAGIC or version not in VERSIONS:
        raise ValueError("it does not begin with 'GGUF' and the version 2 or 3")
    if count > MAX_TENSORS or keys > MAX_KEYS:
        raise ValueError(f"{count} tensors and {keys} keys, where {MAX_TENSORS} and {MAX_KEYS} are allowed")
    alignment = _alignment(cursor, keys)
    tensors = [_tensor(cursor, alignment) for _ in range(count)]
    data_start = -(-cursor.place // alignment) * alignment
    for tensor in tensors:
        yield tensor._replace(start=data_start + tensor.start, end=data_start + tensor.end)


def _alignment(cursor: Cursor, keys: int) -> int:
    """Pass the keys, and return what one of them says of the data."""
    found = None
    for _ in range(keys):
        key = _text(cursor, MAX_KEY_BYTES)
        kind = cursor.number(4)
        if key != _ALIGNMENT_KEY:
            _pass_value(cursor, kind, 0)
            continue
        if found is not None or kind != _UINT32:
            raise ValueError("general.alignment is there twice, or of a type other than UINT32")
        found = cursor.number(4)
        if found.bit_count() != 1:
            raise ValueError(f"an alignment of {found}, which is no power of two")
    return DEFAULT_ALIGNMENT if found is None else found


def _pass_value(cursor: Cursor, kind: int, depth: int) -> None:
    if kind == _TEXT:
        cursor.skip(cursor.number(8))
    elif kind == _ARRAY:
        _pass_array(cursor, depth + 1)
    else:
        cursor.skip(_of_type(_VALUE_BYTES, kind))


def _pass_array(cursor: Cursor, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"arrays within arrays deeper than {MAX_DEPTH}")
    kind, count = cursor.number(4), cursor.number(8)
    if count * _of_type(_LEAST_BYTES, kind) > cursor.end - cursor.place:
        raise ValueError(f"an array of {count} values reaches beyond byte {cursor.end}, the last possible")
    if kind in _VALUE_BYTES:
        cursor.skip(count * _VALUE_BYTES[kind])
        return
    for _ in range(count):
        _pass_value(cursor, kind, depth)


def _of_type(sizes: dict[int, int], kind: int) -> int:
    if kind not in sizes:
        raise ValueError(f"a value of the unknown type {kind}")
    return sizes[kind]


def _text(cursor: Cursor, limit: int) -> bytes:
    size = cursor.number(8)
    if size > limit:
        raise ValueError(f"a name of {size} bytes, where at most {limit} are allowed")
    return cursor.take(size)


def _tensor(cursor: Cursor, alignment: int) -> TensorInfo:
    """Return the next tensor of the list, its place counted from the start of the data."""
    name = _name(_text(cursor, MAX_NAME_BYTES))
    dimensions = cursor.number(4)
    if dimensions > MAX_DIMENSIONS:
        raise ValueError(f"the tensor {shown(name)} has more than {MAX_DIMENSIONS} dimensions")
    # The first dimension is the fastest one here.
    shape = tuple(cursor.number(8) for _ in range(dimensions))[::-1]
    number, offset = cursor.number(4), cursor.number(8)
    if number not in TYPES:
        raise ValueError(f"the tensor {shown(name)} is of the unknown type {number}")
    if offset % alignment:
        raise ValueError(f"the tensor {shown(name)} does not begin at a multiple of {alignment} bytes")
    kind = TYPES[number]
    if (shape or (1,))[-1] % kind.numbers:
        raise ValueError(f"the rows of the tensor {shown(name)} do not end at the end of a {kind.word} block")
    return TensorInfo(name, kind.word, shape, offset, offset + math.prod(shape) // kind.numbers * kind.size)


def _name(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the name {shown(text)} of a tensor is not UTF-8") from error
