"""onnx: models as its own protobuf. Data outside of it must lie beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a
from mlreg.adapters.signature import MAX_NAMES, bounded
from mlreg.errors import IntegrityError, RefusedError, UsageError
from mlreg.operations.scanning import Source

NAME = "model.onnx"


class OnnxAdapter(Adapter):
    """A `ModelProto`; comes back as an equal one, with all data in it."""

    name = "onnx"
    package = "onnx"
    extra = "onnx"

    def recognises(self, model: object) -> bool:
        return is_a(model, "onnx", "ModelProto")

    def save(self, model: Any, scratch: Scratch) -> Kept:
        framework = self.framework()
        for location in _locations(model):
            raise UsageError(
                "cannot_keep",
                f"the data of a tensor is not in the model but in the file {location[:80]!r}",
                why="an object in memory does not say where that file is",
                fix=("onnx.load_external_data_for_model(model, directory)", "register the path of the directory"),
            )
        data = model.SerializeToString(deterministic=True)
        return Kept([Source(NAME, lambda: (data,))], framework=framework, signature=_signature(self.imported(), model))

    def load(self, stored: Stored, *, trust: bool) -> Any:
        onnx = self.imported()
        model = onnx.ModelProto.FromString(stored.read(NAME))
        if not model.HasField("graph"):
            raise IntegrityError("bad_model", f"{stored.ref} has no graph in {NAME}", fix="get_path(...) for its files")
        locations = set(_locations(model))
        _refuse_outside(stored.ref, locations, stored.paths)
        if locations:
            onnx.load_external_data_for_model(model, str(stored.checkout()))
        return model


def _refuse_outside(ref: str, locations: set[str], paths: Sequence[str]) -> None:
    """Refuse data that is not in a file of the version, whose paths cannot leave the directory."""
    for location in sorted(locations - set(paths)):
        raise RefusedError(
            "unsafe_data",
            f"{ref} wants to read the file {location[:200]!r}",
            why="it is not among the files of the version",
            fix="get_path(...) for its files; ask who registered it",
        )


def _locations(message: Any) -> Iterator[str]:
    """Yield the files that tensors anywhere in a message name: graphs are in attributes, functions and graphs, too."""
    if message.DESCRIPTOR.name == "TensorProto":
        if message.data_location == message.EXTERNAL:
            # All of them: which one counts if there are two, the next reader decides.
            yield from [entry.value for entry in message.external_data if entry.key == "location"] or [""]
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if hasattr(value, "__len__") else (value,):
                yield from _locations(item)


def _signature(onnx: Any, model: Any) -> dict[str, Any]:
    """Return what goes in and out; weights that have values are no inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    return bounded(
        {
            "inputs": [_port(onnx, value) for value in inputs[:MAX_NAMES]],
            "outputs": [_port(onnx, value) for value in model.graph.output[:MAX_NAMES]],
        }
    )


def _port(onnx: Any, value: Any) -> dict[str, Any]:
    """Return name, dtype and shape of an input or output; a size that is free is its name, or null."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return {"name": value.name, "dtype": kind}
    tensor = value.type.tensor_type
    sizes = [getattr(size, size.WhichOneof("value") or "dim_param") or None for size in tensor.shape.dim]
    shape = sizes if tensor.HasField("shape") else None
    return {"name": value.name, "dtype": onnx.TensorProto.DataType.Name(tensor.elem_type).lower(), "shape": shape}
