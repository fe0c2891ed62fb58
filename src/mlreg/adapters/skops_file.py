"""skops files: Python objects as a zip of a schema and arrays, which names every type before one is made.

skops names arrays and nodes by the addresses of objects in memory, and stamps the zip with the time. Here they are
numbered in the order of the schema, so that the same object has the same bytes.

Source: https://skops.readthedocs.io/en/stable/persistence.html, the format of release 0.16.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from itertools import count
from typing import Any

from mlreg.adapters.adapter import Adapter, Stored, untrusted, word
from mlreg.adapters.archive import read_archive, refuse_bomb, write_archive
from mlreg.errors import UsageError
from mlreg.operations.scanning import Source

NAME = "model.skops"
SCHEMA = "schema.json"


def skops_source(adapter: Adapter, model: object) -> Source:
    """Return an object as a skops file.

    Raises:
        UsageError: `cannot_keep`, it holds a function without a name.
        UnsupportedError: `missing_extra`.
    """
    skops = adapter.imported("skops.io")
    data = _renumbered(skops.dumps(model))
    nameless = [name for name in skops.get_untrusted_types(data=data) if "<" in name]
    if nameless:
        raise UsageError(
            "cannot_keep",
            f"{word(model)} holds {', '.join(nameless)[:200]}",
            why="a function is kept by the name under which it can be imported, and this one has none",
            fix="define it with `def` at the top of a module",
        )
    return Source(NAME, lambda: (data,))


def load_skops(adapter: Adapter, stored: Stored, known: Collection[str], *, trust: bool) -> Any:
    """Return the object of a skops file.

    Args:
        adapter: whose extra brings skops.
        stored: a version that holds `NAME`.
        known: full names of types that may be made, besides those that skops knows.
        trust: make all others, too.

    Raises:
        RefusedError: `untrusted`, with the types that are not known.
    """
    skops = adapter.imported("skops.io")
    data = stored.read(NAME)
    refuse_bomb(io.BytesIO(data))
    needed = skops.get_untrusted_types(data=data)
    strange = sorted(set(needed) - set(known))
    if strange and not trust:
        raise untrusted(stored.ref, f"it holds types that are not known to be safe: {', '.join(strange)[:1000]}")
    return skops.loads(data, trusted=needed)


def _renumbered(data: bytes) -> bytes:
    members = read_archive(data)
    schema = json.loads(members.pop(SCHEMA))
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    fresh = count(1)
    for node in _nodes(schema):
        if isinstance(old := node.get("__id__"), int):
            # Whether two equal words are one object is chance, and does not matter.
            number = next(fresh) if "is_json" in node or old not in numbers else numbers[old]
            node["__id__"] = numbers[old] = number
        if node.get("file") in members:
            old_name = node["file"]
            node["file"] = files.setdefault(old_name, f"{len(files) + 1}.{old_name.rpartition('.')[2]}")
    renamed = {files[name]: members[name] for name in files}
    return write_archive({SCHEMA: json.dumps(schema, indent=1).encode(), **renamed})


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the mappings in a schema, outer ones first; sets, which have no order, by the words in them."""
    if isinstance(value, dict):
        if value.get("__loader__") == "SetNode":
            value["content"].sort(key=lambda item: str(item.get("content")))
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(item)
