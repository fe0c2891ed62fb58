"""keras: models as `.keras` archives, without the time of saving and without addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a, untrusted
from mlreg.adapters.archive import read_archive, read_member, refuse_bomb, write_archive
from mlreg.adapters.signature import MAX_NAMES, bounded
from mlreg.operations.scanning import Source

NAME = "model.keras"
CONFIG = "config.json"
METADATA = "metadata.json"
MAX_CONFIG = 64 * 1024 * 1024
"""Bytes of a `config.json` in an archive."""
SAVED = "1980-01-01@00:00:00"
UNSAFE = {"Lambda", "TorchModuleWrapper", "__lambda__"}
"""Classes that keep code or a pickle."""


class KerasAdapter(Adapter):
    """A model; comes back as one, compiled if it was."""

    name = "keras"
    package = "keras"
    extra = "keras"

    def recognises(self, model: object) -> bool:
        return is_a(model, "keras", "Model")

    def save(self, model: Any, scratch: Scratch) -> Kept:
        framework = self.framework()
        place = scratch()
        model.save(place / NAME)
        data = _timeless((place / NAME).read_bytes())
        return Kept([Source(NAME, lambda: (data,))], framework=framework, signature=_signature(model))

    def load(self, stored: Stored, *, trust: bool) -> Any:
        keras = self.imported()
        place = stored.place_of(NAME)
        with place.open("rb") as archive:
            refuse_bomb(archive)
        config = json.loads(read_member(place, CONFIG, MAX_CONFIG))
        found = {str(node.get("class_name")) for node in _nodes(config)} & UNSAFE
        if found and not trust:
            raise untrusted(stored.ref, f"it holds {', '.join(sorted(found))}, which keep code")
        return keras.saving.load_model(place, safe_mode=not trust)


def _timeless(data: bytes) -> bytes:
    members = read_archive(data)
    config = json.loads(members[CONFIG])
    numbers: dict[Any, int] = {}
    for node in _nodes(config):
        if "shared_object_id" in node:
            node["shared_object_id"] = numbers.setdefault(node["shared_object_id"], len(numbers) + 1)
    saved = json.loads(members[METADATA]) | {"date_saved": SAVED}
    return write_archive(members | {CONFIG: json.dumps(config).encode(), METADATA: json.dumps(saved).encode()})


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(item)


def _signature(model: Any) -> dict[str, Any]:
    """Return what goes in and out of a model whose graph is known; sizes that are free are null."""
    try:
        inputs, outputs = model.inputs, model.outputs
    except (AttributeError, ValueError):
        # A model that is a class of the caller's has no graph.
        return {}
    return bounded({"inputs": _ports(inputs), "outputs": _ports(outputs)})


def _ports(tensors: Any) -> list[dict[str, Any]] | None:
    if tensors is None:
        return None
    return [{"name": one.name, "dtype": str(one.dtype), "shape": list(one.shape)} for one in tensors[:MAX_NAMES]]
