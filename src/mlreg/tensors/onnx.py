"""ONNX: where the tensors of a model lie whose bytes are numbers as they are.

A file is one message of protocol buffers: fields, each with a key (its number, and how its value is written), and a
length if the value is a message, text or bytes. On the way to the tensors lie

    model      7 graph, 25 function
    graph      1 node, 5 initializer, 15 sparse initializer (1 values, 2 indices)
    function   1 name, 7 node
    node       2 output, 5 attribute
    attribute  1 name, 5 tensor, 6 graph, 10 tensors, 11 graphs
    tensor     1 dimensions, 2 type, 4 floats, 8 name, 9 raw bytes, 10 doubles, 14 whether it is in another file

An initializer keeps its name. What a node holds is called by the first output of the node and by the attribute,
`conv_3.weight`, but a constant by its output alone; what a graph in a node holds has that in front, with a dot. A name
that is there already gets `~2`. Integers that are written one by one, in as many bytes as each needs, are not listed.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mlreg.errors import IntegrityError
from mlreg.tensors.cursor import Cursor, in_order, shown
from mlreg.tensors.protobuf import Field, Messages
from mlreg.tensors.tensor_format import MAX_TENSORS, UNKNOWN_SIZE, Element, Read, TensorInfo

IR_VERSIONS = range(3, 32)
"""From the first one that was used, to more than there are."""
MAX_DIMENSIONS = 64
MAX_DEPTH = 16
"""Graphs within graphs."""

_FIRST_KEY, _NEXT_KEYS = 0x08, b"\x12\x1a\x22\x28\x32\x3a\x42"
"""The version stands first; what may follow are texts, a number, or the graph."""
_WINDOW = 4096
"""Bytes that are read at once: what is between the data of two tensors."""


class Type(NamedTuple):
    """A type of tensor."""

    word: str
    bits: int
    element: Element | None = None
    numbers: str = ""


TYPES = {
    1: Type("FLOAT", 32, Element(4, is_float=True), "<f4"),
    2: Type("UINT8", 8, Element(1, is_float=False), "|u1"),
    3: Type("INT8", 8, Element(1, is_float=False), "|i1"),
    4: Type("UINT16", 16, Element(2, is_float=False), "<u2"),
    5: Type("INT16", 16, Element(2, is_float=False), "<i2"),
    6: Type("INT32", 32, Element(4, is_float=False), "<i4"),
    7: Type("INT64", 64, Element(8, is_float=False), "<i8"),
    9: Type("BOOL", 8),
    10: Type("FLOAT16", 16, Element(2, is_float=True), "<f2"),
    11: Type("DOUBLE", 64, Element(8, is_float=True), "<f8"),
    12: Type("UINT32", 32, Element(4, is_float=False), "<u4"),
    13: Type("UINT64", 64, Element(8, is_float=False), "<u8"),
    14: Type("COMPLEX64", 64, Element(4, is_float=True)),
    15: Type("COMPLEX128", 128, Element(8, is_float=True)),
    16: Type("BFLOAT16", 16, Element(2, is_float=True), "bfloat16"),
    17: Type("FLOAT8E4M3FN", 8, Element(1, is_float=True), "float8_e4m3fn"),
    18: Type("FLOAT8E4M3FNUZ", 8, Element(1, is_float=True), "float8_e4m3fnuz"),
    19: Type("FLOAT8E5M2", 8, Element(1, is_float=True), "float8_e5m2"),
    20: Type("FLOAT8E5M2FNUZ", 8, Element(1, is_float=True), "float8_e5m2fnuz"),
    21: Type("UINT4", 4),
    22: Type("INT4", 4),
    23: Type("FLOAT4E2M1", 4),
    24: Type("FLOAT8E8M0", 8, numbers="float8_e8m0fnu"),
    25: Type("UINT2", 2),
    26: Type("INT2", 2),
}
"""By the number in a file; texts (8) have no place of their own."""
_BY_WORD = {kind.word: kind for kind in TYPES.values()}


class Onnx:
    """See `mlreg.tensors.tensor_format.TensorFormat`."""

    name = "onnx"

    def recognises(self, head: bytes) -> bool:
        return len(head) > 2 and head[0] == _FIRST_KEY and head[1] in IR_VERSIONS and head[2] in _NEXT_KEYS

    def tensors(self, read: Read, size: int) -> tuple[TensorInfo, ...]:
        try:
            if size == UNKNOWN_SIZE:
                raise ValueError("its tensors lie between its nodes, which were not all seen yet")
            return in_order(_named(_Model(Cursor(read, 0, size, _WINDOW)).tensors()), size)
        except ValueError as error:
            raise IntegrityError("bad_onnx", "the bytes are not an ONNX model", why=str(error)) from error

    def element(self, dtype: str) -> Element | None:
        return _BY_WORD[dtype].element

    def numbers(self, dtype: str) -> str:
        return _BY_WORD[dtype].numbers


def _named(tensors: Iterable[TensorInfo]) -> Iterator[TensorInfo]:
    """Yield tensors with a name of their own each."""
    seen: dict[str, int] = {}
    for tensor in tensors:
        if len(seen) >= MAX_TENSORS:
            raise ValueError(f"more than {MAX_TENSORS} tensors")
        name = tensor.name
        while name in seen:
            seen[tensor.name] += 1
            name = f"{tensor.name}~{seen[tensor.name]}"
        seen[name] = 1
        yield tensor._replace(name=name)


class _Parts:
    """What the fields of a tensor say."""

    def __init__(self) -> None:
        self.name = ""
        self.kind = 0
        self.dimensions: list[int] = []
        self.places: list[tuple[int, int]] = []
        self.is_elsewhere = False

    def tensor(self, name: str) -> Iterator[TensorInfo]:
        """Yield the tensor, if its bytes are in this file, and in one place."""
        if self.kind not in TYPES or len(self.places) != 1 or self.is_elsewhere:
            return
        ((start, end),) = self.places
        if end - start != -(-math.prod(self.dimensions) * TYPES[self.kind].bits // 8):
            raise ValueError(f"the tensor {shown(name)} is not as large as its dimensions say")
        yield TensorInfo(name, TYPES[self.kind].word, tuple(self.dimensions), start, end)


class _Model:
    """Goes through the messages of a file once, from front to back."""

    def __init__(self, cursor: Cursor) -> None:
        self._messages = Messages(cursor)
        self._cursor = cursor

    def _inside(self, end: int) -> Iterator[Field]:
        """Yield the fields of a message that have a length."""
        return (field for field in self._messages.fields(end) if field.end)

    def tensors(self) -> Iterator[TensorInfo]:
        has_graph = False
        for field in self._inside(self._cursor.end):
            if field.number == 7:
                has_graph = True
                yield from self._graph(field.end, "", 0)
            elif field.number == 25:
                yield from self._function(field.end)
        if not has_graph:
            raise ValueError("there is no graph in it")

    def _graph(self, end: int, prefix: str, depth: int) -> Iterator[TensorInfo]:
        if depth > MAX_DEPTH:
            raise ValueError(f"graphs within graphs deeper than {MAX_DEPTH}")
        for field in self._inside(end):
            if field.number == 1:
                yield from self._node(field.end, prefix, depth)
            elif field.number == 5:
                yield from self._own_name(field.end, prefix)
            elif field.number == 15:
                for one in self._inside(field.end):
                    if one.number in (1, 2):
                        yield from self._own_name(one.end, prefix)

    def _function(self, end: int) -> Iterator[TensorInfo]:
        prefix = ""
        for field in self._inside(end):
            if field.number == 1:
                prefix = f"{self._messages.text(field)}."
            elif field.number == 7:
                yield from self._node(field.end, prefix, 0)

    def _node(self, end: int, prefix: str, depth: int) -> Iterator[TensorInfo]:
        output = ""
        for field in self._inside(end):
            if field.number == 2:
                output = output or self._messages.text(field)
            elif field.number == 5:
                yield from self._attribute(field.end, f"{prefix}{output}", depth)

    def _attribute(self, end: int, node: str, depth: int) -> Iterator[TensorInfo]:
        name = ""
        for field in self._inside(end):
            if field.number == 1:
                name = self._messages.text(field)
            elif field.number in (5, 10):
                yield from self._parts(field.end).tensor(node if name == "value" else f"{node}.{name}")
            elif field.number in (6, 11):
                yield from self._graph(field.end, f"{node}.{name}.", depth + 1)

    def _own_name(self, end: int, prefix: str) -> Iterator[TensorInfo]:
        parts = self._parts(end)
        yield from parts.tensor(f"{prefix}{parts.name}")

    def _parts(self, end: int) -> _Parts:
        parts = _Parts()
        for field in self._messages.fields(end):
            if field.number == 1:
                self._dimension(field, parts.dimensions)
            elif field.number == 2:
                parts.kind = field.value
            elif field.number == 8 and field.end:
                parts.name = self._messages.text(field)
            elif field.number in (4, 9, 10) and field.end:
                parts.places.append((self._cursor.place, field.end))
            elif field.number == 14:
                parts.is_elsewhere = field.value == 1
        return parts

    def _dimension(self, field: Field, known: list[int]) -> None:
        """Add one to those that are known, or all that are written in one field."""
        known += () if field.end else (field.value,)
        while self._cursor.place < field.end and len(known) <= MAX_DIMENSIONS:
            known.append(self._messages.varint())
        if len(known) > MAX_DIMENSIONS:
            raise ValueError(f"a tensor of more than {MAX_DIMENSIONS} dimensions")
