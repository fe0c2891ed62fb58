"""ONNX models as protocol buffers write them, made by hand: the tests need no library of the format."""

from __future__ import annotations

import struct

from tests.conformance.sample import Content, Sample

FLOAT, INT64, STRING, FLOAT16, DOUBLE, INT4 = 1, 7, 8, 10, 11, 22


def varint(number: int) -> bytes:
    """Return a number, seven bits a byte."""
    data = b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    """Return a field with a number, or with what has a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: bytes, kind: int, shape: tuple[int, ...], *fields: bytes) -> bytes:
    """Return a tensor whose data are in the fields that are given."""
    return b"".join([*(field(1, size) for size in shape), field(2, kind), *(field(8, name),) * bool(name), *fields])


def raw(data: bytes) -> bytes:
    """Return the data of a tensor as they are."""
    return field(9, data)


def node(output: bytes, *attributes: bytes) -> bytes:
    """Return a node of a graph, as a field of it."""
    return field(1, field(1, b"x") + field(2, output) + field(4, b"Op") + b"".join(field(5, one) for one in attributes))


def initializer(data: bytes) -> bytes:
    """Return a tensor as a field of a graph."""
    return field(5, data)


def model(graph: bytes, version: int = 8, *more: bytes) -> bytes:
    """Return a file."""
    return field(1, version) + field(2, b"test") + field(7, graph) + field(8, field(2, 17)) + b"".join(more)


WEIGHTS = struct.pack("<6f", *range(6))
HALVES = struct.pack("<4e", 1, 2, 3, 4)
_WEIGHT = initializer(tensor(b"weight", FLOAT, (2, 3), raw(WEIGHTS)))
_FLOATS: Content = ("FLOAT", (2, 3), WEIGHTS)


def onnx_samples() -> list[Sample]:
    """Return files and the tensors in them."""
    packed = field(1, b"\2\3") + field(2, FLOAT) + field(4, WEIGHTS) + field(8, b"packed")
    one_by_one = tensor(b"shape", INT64, (2,), field(7, b"\1\2"))
    elsewhere = tensor(b"far", FLOAT, (2, 3), field(13, b""), field(14, 1))
    texts = tensor(b"texts", STRING, (1,), field(6, b"text"))
    constant = field(1, b"value") + field(5, tensor(b"", FLOAT16, (4,), raw(HALVES)))
    several = field(1, b"list") + field(10, tensor(b"t", FLOAT16, (4,), raw(HALVES))) * 2
    branch = field(1, b"then_branch") + field(6, node(b"c", constant) + _WEIGHT)
    sparse = field(1, tensor(b"values", FLOAT, (6,), raw(WEIGHTS))) + field(
        2, tensor(b"places", INT64, (6,), raw(bytes(48)))
    )
    function = field(1, b"gelu") + field(7, field(2, b"half") + field(5, constant))
    halves: Content = ("FLOAT16", (4,), HALVES)
    return [
        Sample("onnx: one tensor", model(node(b"y") + _WEIGHT), {"weight": _FLOATS}),
        Sample("onnx: no tensors", model(node(b"y")), {}),
        Sample(
            "onnx: every place of numbers",
            model(
                initializer(packed)
                + initializer(tensor(b"doubles", DOUBLE, (3,), field(10, bytes(24))))
                + initializer(tensor(b"scalar", FLOAT, (), raw(bytes(4))))
                + initializer(tensor(b"none", FLOAT, (0, 3), raw(b"")))
                + initializer(tensor(b"nibbles", INT4, (3,), raw(b"\x21\x03")))
                + b"".join(initializer(one) for one in (one_by_one, elsewhere, texts))
            ),
            {
                "packed": _FLOATS,
                "doubles": ("DOUBLE", (3,), bytes(24)),
                "scalar": ("FLOAT", (), bytes(4)),
                "none": ("FLOAT", (0, 3), b""),
                "nibbles": ("INT4", (3,), b"\x21\x03"),
            },
        ),
        Sample(
            "onnx: in nodes, in graphs of nodes, in functions",
            model(node(b"c", constant) + node(b"n", several) + node(b"if", branch), 10, field(25, function)),
            {
                "c": halves,
                "n.list": halves,
                "n.list~2": halves,
                "if.then_branch.c": halves,
                "if.then_branch.weight": _FLOATS,
                "gelu.half": halves,
            },
        ),
        Sample(
            "onnx: sparse, and a name twice",
            model(field(15, sparse) + _WEIGHT * 2),
            {
                "values": ("FLOAT", (6,), WEIGHTS),
                "places": ("INT64", (6,), bytes(48)),
                "weight": _FLOATS,
                "weight~2": _FLOATS,
            },
        ),
    ]
