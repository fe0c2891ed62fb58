"""A path: its files as they are. They are never loaded, whatever is in them.

Of a model folder of Hugging Face, `config.json` says which release of transformers wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlreg.adapters.adapter import NOTHING, Adapter, Kept, Scratch, Stored
from mlreg.adapters.notes import decode_note
from mlreg.operations.scanning import named_path, sources_below

CONFIG = "config.json"
MAX_CONFIG = 1024 * 1024
"""Bytes of a `config.json` that is looked at."""
MAX_VERSION = 40
"""Characters of a version that is believed."""


class PathAdapter(Adapter):
    """A `str` or `Path`; comes back as the path of an equal file or directory."""

    name = "path"
    forms = ("directory", "file")

    def recognises(self, model: object) -> bool:
        return isinstance(model, str | Path)

    def save(self, model: Any, scratch: Scratch) -> Kept:
        path = named_path(model)
        if not path.is_dir():
            return Kept(sources_below([path]), "file")
        return Kept(sources_below([path]), "directory", framework=framework_of(path / CONFIG))

    def load(self, stored: Stored, *, trust: bool) -> Path:
        place = stored.checkout()
        return place / stored.one_path() if stored.form == "file" else place


def framework_of(config: Path) -> Mapping[str, Any]:
    """Return the framework that a model folder names; nothing, if it is any other folder or cannot be read.

    Args:
        config: a plain file, or nothing: whoever lists the folder has refused pipes and devices.
    """
    try:
        if config.stat().st_size > MAX_CONFIG:
            return NOTHING
        fields = decode_note(config.read_bytes())
    except (OSError, ValueError):
        return NOTHING
    version = fields.get("transformers_version")
    if not isinstance(version, str) or not 0 < len(version) <= MAX_VERSION or not version.isprintable():
        return NOTHING
    return {"name": "transformers", "version": version}
