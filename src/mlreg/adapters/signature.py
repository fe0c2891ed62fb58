"""Signatures: what goes into a model and comes out, as JSON of bounded size."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from mlreg.formats.plain import plain

MAX_NAMES = 1000
"""Names, or classes, that are listed; of more only the number is told."""
MAX_TEXT = 200
"""Characters of one name."""
MAX_BYTES = 64 * 1024
"""Of a signature, as JSON; a larger one is left out."""


def bounded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a signature without what is not known (None), or nothing at all if it is larger than `MAX_BYTES`."""
    known = {key: value for key, value in fields.items() if value is not None}
    return known if len(json.dumps(known, ensure_ascii=False).encode(errors="replace")) <= MAX_BYTES else {}


def listed(values: Iterable[Any] | None) -> list[Any] | dict[str, int] | None:
    """Return names or classes as JSON values: a list, or `{"count": n}` if they are more than `MAX_NAMES`."""
    if values is None:
        return None
    items = list(values)
    return [_value(item) for item in items] if len(items) <= MAX_NAMES else {"count": len(items)}


def _value(item: Any) -> Any:
    """Return a number, truth value or text as it is, numpy's as Python's, and anything else as text."""
    value = plain(item)
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value).encode(errors="replace").decode()[:MAX_TEXT]
