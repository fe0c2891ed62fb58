"""torch: modules and state dicts, as safetensors. A module's code is not kept: load into one that you build."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a, word
from mlreg.errors import UnsupportedError, UsageError
from mlreg.operations.scanning import Source
from mlreg.tensors import safetensors
from mlreg.tensors.tensor_format import TensorInfo

if TYPE_CHECKING:
    from types import ModuleType

NAME = "model.safetensors"
DEPTH = 3
"""Of mappings in which a tensor makes the whole a state dict; deeper ones are of an optimizer or a checkpoint."""
SHOWN = 5
"""Names in an error."""


class TorchAdapter(Adapter):
    """A module or a mapping from names to tensors; comes back as a dict of tensors, or in a module of the caller."""

    name = "torch"
    package = "torch"
    extra = "torch"

    def recognises(self, model: object) -> bool:
        return is_a(model, "torch", "Module") or _holds_tensor(model, DEPTH)

    def save(self, model: Any, scratch: Scratch) -> Kept:
        torch = self.imported()
        state = dict(model.state_dict() if is_a(model, "torch", "Module") else model)
        dtypes = {getattr(torch, dtype.array, None): dtype.word for dtype in safetensors.DTYPES if dtype.array}
        for name, tensor in state.items():
            _check(name, tensor, dtypes)
        kept, aliases = _untied(state)
        rows = [
            safetensors.Tensor(name, dtypes[t.dtype], tuple(t.shape), partial(_bytes, torch, t))
            for name, t in kept.items()
        ]
        signature = {"tensors": len(kept), "parameters": sum(tensor.numel() for tensor in kept.values())}
        source = Source(NAME, lambda: safetensors.encode(rows, aliases))
        return Kept([source], framework=self.framework(), signature=signature)

    def load(self, stored: Stored, *, trust: bool) -> dict[str, Any]:
        return _read(self.imported(), stored.place_of(NAME))

    def fill(self, stored: Stored, into: Any, *, trust: bool) -> Any:
        if not is_a(into, "torch", "Module"):
            raise UsageError(
                "no_into",
                f"{stored.ref} is loaded into a torch.nn.Module, and this is {word(into)}",
                fix="build the module that was registered",
            )
        state = self.load(stored, trust=trust)
        _check_fit(stored.ref, state, into.state_dict())
        into.load_state_dict(state)
        return into


def _holds_tensor(value: object, depth: int) -> bool:
    if isinstance(value, Mapping) and depth:
        return any(_holds_tensor(item, depth - 1) for item in value.values())
    return depth < DEPTH and is_a(value, "torch", "Tensor")


def _check(name: object, value: Any, dtypes: Mapping[Any, str]) -> None:
    """Refuse what safetensors cannot hold; nothing is unpickled later, so nothing is pickled now."""
    if not is_a(value, "torch", "Tensor"):
        raise UsageError(
            "cannot_keep",
            f"{str(name)[:80]!r} is {word(value)}, and only tensors are kept",
            why="anything else in a state dict needs pickle",
            fix=(
                "register the tensors alone, and numbers and texts as metadata",
                "torch.save(...), and register the path of the file, which is never loaded",
            ),
        )
    if _is_odd(value) or value.dtype not in dtypes:
        raise UsageError(
            "cannot_keep",
            f"the tensor {str(name)[:80]!r} ({value.dtype}, {value.layout}, on {value.device}) cannot be kept",
            why="safetensors holds dense tensors of booleans, integers and floats, with their values",
            fix="convert it: tensor.to_dense(), .dequantize(), .full_tensor(), or torch.view_as_real(tensor)",
        )


def _is_odd(tensor: Any) -> bool:
    """Tell whether a tensor is sparse, without values, or only a part of itself."""
    is_part = is_a(tensor, "torch", "DTensor")
    return str(tensor.layout) != "torch.strided" or tensor.is_meta or is_part


def _untied(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return each tensor once, under the first of its names, and from each other name to that one."""
    kept: dict[str, Any] = {}
    aliases: dict[str, str] = {}
    firsts: dict[tuple[Any, ...], str] = {}
    for name in sorted(state):
        tensor = state[name]
        place = (tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride())
        # All empty tensors are at the address 0.
        first = firsts.setdefault(place, name) if tensor.numel() else name
        if first == name:
            kept[name] = tensor
        else:
            aliases[name] = first
    return kept, aliases


def _bytes(torch: ModuleType, tensor: Any) -> memoryview:
    """Return the little-endian bytes of a tensor in C order; only what is not so, or not in memory, is copied."""
    words = (torch.uint8, torch.int16, torch.int32, torch.int64)[tensor.element_size().bit_length() - 1]
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(words).numpy()
    view: memoryview = flat.astype(f"<i{tensor.element_size()}", copy=False).view("u1").data
    return view


def _read(torch: ModuleType, path: Path) -> dict[str, Any]:
    """Return the tensors of a file, each read straight into its place; tied ones are one tensor."""
    with path.open("rb") as file:
        size = path.stat().st_size
        head = file.read(safetensors.LENGTH_BYTES)
        head += file.read(safetensors.header_size(head) - len(head))
        header = safetensors.parse_header(head, size)
        # In the order of the file, which has no gaps.
        state = {tensor.name: _tensor(torch, file, tensor) for tensor in header.tensors}
    aliases = {name: first for name, first in header.metadata.items() if name not in state and first in state}
    return state | {name: state[first] for name, first in aliases.items()}


def _tensor(torch: ModuleType, file: BinaryIO, tensor: TensorInfo) -> Any:
    import numpy

    dtype = safetensors.array_name(tensor.dtype)
    if not hasattr(torch, dtype or "-"):
        raise UnsupportedError(
            "unsupported_dtype",
            f"this release of torch has no tensors of the dtype {tensor.dtype}",
            fix="read the file with the library that wrote it",
        )
    size = getattr(torch, dtype).itemsize
    words = numpy.fromfile(file, f"<i{size}", (tensor.end - tensor.start) // size).astype(f"=i{size}", copy=False)
    found = torch.from_numpy(words).reshape(tensor.shape)
    # Of a truth value every byte but 0 is true; as a view, others would be neither.
    return found != 0 if dtype == "bool" else found.view(getattr(torch, dtype))


def _check_fit(ref: str, state: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse before the first value is copied: a module is filled whole or not at all."""
    both = state.keys() & wanted.keys()
    faults = {
        "missing in the version": sorted(wanted.keys() - state.keys()),
        "not in the module": sorted(state.keys() - wanted.keys()),
        "of another shape": sorted(name for name in both if _shape(state[name]) != _shape(wanted[name])),
    }
    if any(faults.values()):
        raise UsageError(
            "tensors_differ",
            f"{ref} does not fit the module",
            why="; ".join(f"{fault}: {_shown(names)}" for fault, names in faults.items() if names),
            fix="build the module that was registered, or leave `into` out and choose among the tensors",
        )


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if is_a(value, "torch", "Tensor") else None


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:80] for name in names[:SHOWN]) + more
