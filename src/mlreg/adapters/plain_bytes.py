"""Bytes, as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Stored
from mlreg.operations.ingest import Source

NAME = "model.bin"


class BytesAdapter(Adapter):
    """`bytes`, `bytearray` or a `memoryview`; comes back as `bytes`."""

    name = "bytes"
    forms = ("bytes",)

    def recognises(self, model: object) -> bool:
        return isinstance(model, bytes | bytearray | memoryview)

    def save(self, model: Any, directory: Path) -> Kept:
        data = bytes(model)
        return Kept([Source(NAME, lambda: (data,))], "bytes")

    def load(self, stored: Stored, *, trust: bool) -> bytes:
        return stored.read(stored.paths[0])
