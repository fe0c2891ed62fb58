"""ONNX: names, places, and messages that lie; and what the library of the format writes."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.errors import IntegrityError
from mlreg.tensors.onnx import MAX_DEPTH, MAX_DIMENSIONS, TYPES, Onnx
from mlreg.tensors.protobuf import MAX_NAME_BYTES
from mlreg.tensors.tensor_format import UNKNOWN_SIZE, TensorInfo
from tests.conformance.onnx_files import FLOAT, WEIGHTS, field, initializer, model, node, raw, tensor, varint

KIND = Onnx()


def found(data: bytes, size: int | None = None) -> tuple[TensorInfo, ...]:
    return KIND.tensors(lambda start, count: data[start : start + count], len(data) if size is None else size)


def weight(**changes: Any) -> bytes:
    values: dict[str, Any] = {"name": b"w", "kind": FLOAT, "shape": (2, 3), "data": WEIGHTS} | changes
    return initializer(tensor(values["name"], values["kind"], values["shape"], raw(values["data"])))


def nested(depth: int) -> bytes:
    inner = nested(depth - 1) if depth else weight()
    return node(b"n", field(1, b"body") + field(6, inner))


# What the reason says about a file, and its bytes.
HOSTILE: dict[str, tuple[str, bytes]] = {
    "empty": ("no graph", b""),
    "a version alone": ("no graph", field(1, 8)),
    "a length beyond the end": ("beyond byte", field(1, 8) + varint(7 << 3 | 2) + varint(1 << 62)),
    "a length of 11 bytes": ("more than 10 bytes", field(1, 8) + b"\x3a" + b"\xff" * 10 + b"\1"),
    "a field beyond its message": ("beyond byte", model(field(5, varint(9 << 3 | 2) + varint(5)))),
    "a number beyond its message": ("beyond byte", model(b"\x08\x80") + b"\1"),
    "a group": ("unknown way 3", model(b"\x0b")),
    "no number": ("no number", model(b"\0\0")),
    "cut in a key": ("reach beyond", model(weight()) + b"\x80"),
    "fewer bytes than dimensions": ("not as large", model(weight(shape=(2, 4)))),
    "more bytes than dimensions": ("not as large", model(weight(shape=(2, 2)))),
    "dimensions beyond any file": ("not as large", model(weight(shape=((1 << 63) - 1,) * 4))),
    "too many dimensions": ("dimensions", model(weight(shape=(1,) * (MAX_DIMENSIONS + 1), data=bytes(4)))),
    "a name too long": ("a name of", model(weight(name=b"w" * (MAX_NAME_BYTES + 1)))),
    "a name that is no text": ("UTF-8", model(weight(name=b"\xff"))),
    "graphs too deep": ("deeper", model(nested(MAX_DEPTH + 1))),
}


@pytest.mark.parametrize(("reason", "data"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_for_the_right_reason(reason: str, data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        found(data)
    assert caught.value.code == "bad_onnx"
    assert reason in caught.value.why


def test_zeros_without_an_end_are_refused_at_once() -> None:
    data = model(weight())

    with pytest.raises(IntegrityError, match="ONNX"):
        KIND.tensors(lambda start, size: data[start : start + size].ljust(size, b"\0"), 1 << 40)


def test_fields_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlreg.tensors.protobuf.MAX_FIELDS", 100)

    with pytest.raises(IntegrityError) as caught:
        found(model(field(3, 1) * 200))
    assert "more than 100 fields" in caught.value.why


def test_a_stream_is_not_gone_through() -> None:
    with pytest.raises(IntegrityError, match="ONNX"):
        found(model(weight()), UNKNOWN_SIZE)


def test_data_are_passed_and_not_read() -> None:
    data = model(weight(shape=(1 << 20,), data=bytes(4 << 20)) * 4)
    asked = 0

    def read(start: int, size: int) -> bytes:
        nonlocal asked
        asked += size
        return data[start : start + size]

    assert [tensor.shape for tensor in KIND.tensors(read, len(data))] == [(1 << 20,)] * 4
    assert asked < 1 << 16


@pytest.mark.parametrize("nesting", [0, MAX_DEPTH - 1])
def test_a_tensor_is_found_in_graphs_of_nodes(nesting: int) -> None:
    (tensor,) = found(model(nested(nesting)))

    assert tensor.name == "n.body." * (nesting + 1) + "w"


@pytest.mark.parametrize("version", [3, 13])
def test_a_model_is_recognised_by_its_version_and_what_follows(version: int) -> None:
    assert KIND.recognises(model(weight(), version))
    assert not KIND.recognises(field(1, 1) + field(2, b"a saved model of another library"))
    assert not KIND.recognises(field(1, version) + b"no key")


def test_the_library_of_the_format_agrees() -> None:
    """Every type that it can write is found with the bytes that it gives."""
    onnx = pytest.importorskip("onnx")
    numpy = pytest.importorskip("numpy")
    written = []
    for number, kind in TYPES.items():
        if kind.word not in onnx.TensorProto.DataType.keys():  # noqa: SIM118 - no mapping
            continue
        assert onnx.TensorProto.DataType.Value(kind.word) == number
        data = numpy.random.default_rng(number).bytes(-(-6 * kind.bits // 8))
        written.append(onnx.TensorProto(name=kind.word, data_type=number, dims=[2, 3], raw_data=data))
    value = onnx.helper.make_tensor("inner", FLOAT, [3], [1.0, 2.0, 3.0])
    constant = onnx.helper.make_node("Constant", [], ["c"], value=value)
    graph = onnx.helper.make_graph([constant], "g", [], [], initializer=written)
    data = onnx.helper.make_model(graph).SerializeToString()

    assert KIND.recognises(data)
    tensors = {tensor.name: tensor for tensor in found(data)}
    for one in written:
        assert data[tensors[one.name].start : tensors[one.name].end] == one.raw_data
        assert tensors[one.name].dtype == one.name
    assert data[tensors["c"].start : tensors["c"].end] == numpy.array([1, 2, 3], "<f4").tobytes()
    assert len(tensors) == len(written) + 1
