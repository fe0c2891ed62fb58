"""What training code hands over as a model, as files; and back.

| handed over | kept as | comes back as |
|---|---|---|
| a path to a file | that file | a path to an equal file |
| a path to a directory | its files | a path to an equal directory |
| bytes | `model.bin` | bytes |
| a mapping from name to numpy array | `model.safetensors` | a dict of arrays |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import UsageError
from mlreg.operations.ingest import Source, sources_below
from mlreg.tensors import safetensors

BYTES_NAME = "model.bin"
ARRAYS_NAME = "model.safetensors"


class Payload(NamedTuple):
    """A model on its way in."""

    form: str
    """One of `mlreg.formats.commit.FORMS`."""
    sources: list[Source]


def payload_of(model: object) -> Payload:
    """Return a model as files.

    Raises:
        UsageError: `unknown_model_object`; `bad_array` for an array that safetensors cannot hold.
        NotFoundError: `file_missing`.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        return Payload("directory" if path.is_dir() else "file", sources_below([path]))
    if isinstance(model, bytes | bytearray | memoryview):
        data = bytes(model)
        return Payload("bytes", [Source(BYTES_NAME, lambda: (data,))])
    if isinstance(model, Mapping) and all(_is_array(value) for value in model.values()):
        arrays = dict(model)
        return Payload("arrays", [Source(ARRAYS_NAME, lambda: safetensors.encode_arrays(arrays))])
    what = _word(model)
    if isinstance(model, Mapping):
        name, value = next((name, value) for name, value in model.items() if not _is_array(value))
        what = f"{what} in which {name!r} is {_word(value)}"
    raise UsageError(
        "unknown_model_object",
        f"mlreg does not know how to keep {what}",
        why="it keeps a path, bytes, or a mapping from names to numpy arrays",
        fix="save the model with its own library, and register the path of the file",
    )


def _word(value: object) -> str:
    module, name = type(value).__module__, type(value).__qualname__
    return f"a {name}" if module == "builtins" else f"a {module}.{name}"


def _is_array(value: object) -> bool:
    import numpy as np

    return isinstance(value, np.ndarray)


def plain(value: Any) -> Any:
    """Return metadata with tuples as lists and numbers of numpy as numbers; the rest is left to be checked."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return value.item()
    return value
