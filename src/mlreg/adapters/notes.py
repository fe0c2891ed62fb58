"""Notes: small JSON files beside a model that say which class it is. Hostile ones are refused with `ValueError`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from mlreg.adapters.adapter import Stored
from mlreg.errors import IntegrityError
from mlreg.formats import canonical
from mlreg.operations.scanning import Source

CLASS = "class.json"
"""The file that names a class, below the files of the model."""
MAX_NOTE = 1024 * 1024
"""Bytes."""
MAX_DIGITS = 4300
"""Of a whole number; Python's own bound, which a program may have lifted."""


def note(fields: Mapping[str, Any], path: str = CLASS) -> Source:
    """Return a note as a file, which is the same for equal fields.

    Raises:
        UsageError: `bad_json`.
    """
    data = canonical.encode(dict(fields))
    return Source(path, lambda: (data,))


def decode_note(data: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object.

    Raises:
        ValueError: it is none, or too large or too deep to be one.
    """
    if len(data) > MAX_NOTE:
        raise ValueError(f"a note of {len(data)} bytes, where at most {MAX_NOTE} are allowed")
    try:
        fields = json.loads(data.decode(), parse_int=_integer)
    except RecursionError as error:
        raise ValueError("a note that is nested too deep") from error
    if not isinstance(fields, dict):
        raise ValueError("a note that is no JSON object")
    return fields


def _integer(token: str) -> int:
    if len(token) > MAX_DIGITS:
        raise ValueError("a number with too many digits")
    return int(token)


def read_note(stored: Stored, classes: Collection[str], path: str = CLASS) -> dict[str, Any]:
    """Return the fields of a note whose `class` is one of those that are known.

    Raises:
        IntegrityError: `bad_model`.
        ValueError: it is no note.
    """
    fields = decode_note(stored.read(path))
    if fields.get("class") not in classes:
        raise IntegrityError(
            "bad_model",
            f"{stored.ref} says that it is a {str(fields.get('class'))[:80]!r}",
            why=f"what can be loaded: {', '.join(sorted(classes))}",
            fix="get_path(...) for its files",
        )
    return fields
