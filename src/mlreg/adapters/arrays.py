"""numpy arrays under names, as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a
from mlreg.operations.scanning import Source
from mlreg.tensors import safetensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "model.safetensors"


class ArraysAdapter(Adapter):
    """A mapping from names to numpy arrays; comes back as a dict."""

    name = "arrays"
    forms = ("arrays",)

    def recognises(self, model: object) -> bool:
        return isinstance(model, Mapping) and all(is_a(value, "numpy", "ndarray") for value in model.values())

    def save(self, model: Any, scratch: Scratch) -> Kept:
        arrays = dict(model)
        return Kept([Source(NAME, lambda: safetensors.encode_arrays(arrays))], "arrays")

    def load(self, stored: Stored, *, trust: bool) -> dict[str, NDArray[Any]]:
        return safetensors.decode_arrays(stored.read(stored.one_path()))
