"""Bytes, as they are."""

from __future__ import annotations

from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored
from mlreg.operations.scanning import Source

NAME = "model.bin"


class BytesAdapter(Adapter):
    """`bytes`, `bytearray` or a `memoryview`; comes back as `bytes`."""

    name = "bytes"
    forms = ("bytes",)

    def recognises(self, model: object) -> bool:
        return isinstance(model, bytes | bytearray | memoryview)

    def save(self, model: Any, scratch: Scratch) -> Kept:
        data = bytes(model)
        return Kept([Source(NAME, lambda: (data,))], "bytes")

    def load(self, stored: Stored, *, trust: bool) -> bytes:
        return stored.read(stored.one_path())
