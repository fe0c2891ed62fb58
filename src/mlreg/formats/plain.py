"""Values of programs as JSON values, on their way into metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlreg.formats.canonical import MAX_DEPTH


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value with tuples as lists and numbers of numpy as numbers; the rest is left to be checked.

    What is deeper than JSON may be is left as it is: a list may hold itself.
    """
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        return {key: plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return value.item()
    return value
