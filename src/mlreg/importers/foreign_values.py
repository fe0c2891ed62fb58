"""Names, texts and numbers of other tools as ours: whatever they hold, and the same for the same each time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from blake3 import blake3

from mlreg.errors import UsageError
from mlreg.formats import canonical
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.names import MAX_SEGMENTS, Entry
from mlreg.formats.run import MAX_NAME_CHARS, Series
from mlreg.importers.foreign import Notices

DEEPEST = 24
"""Levels of lists and mappings in a value; what lies deeper is left out."""
MAX_LABELS = 64 * 1024
"""Bytes of all labels of one thing, as they are stored: a hundred things fit into a transaction."""
_LEFT_OUT = "..."
_WORDS = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None}
_LAST_MOMENT = 1 << 47
"""Milliseconds; ids of runs hold 48 bits of them, and no one has trained before 1970."""


class Names:
    """Names of entries for the names of another tool: equal ones for equal ones, other ones for others."""

    def __init__(self, kind: str) -> None:
        """Know none yet. Names that are asked for in the same order are the same another time."""
        self._kind = kind
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, original: str) -> str:
        """Return the name of an entry for any text; the text itself if it is one."""
        if original not in self._given:
            name = _legal(self._kind, original)
            if name in self._taken:
                name = f"{name[:57]}-{_digest(original)}"
            self._given[original] = name
            self._taken.add(name)
        return self._given[original]


def _legal(kind: str, original: str) -> str:
    segments = (segment_of(part) for part in original.lower().split("/"))
    name = "/".join([segment for segment in segments if segment][:MAX_SEGMENTS])
    for candidate in (name, f"x-{name}"):
        try:
            return Entry.parse(f"{kind}/{candidate}").name
        except UsageError:
            continue
    return f"x-{_digest(original)}"


def segment_of(text: str) -> str:
    """Return a part of a name that is as near to a text as may be; empty if nothing of it may stand there."""
    found = re.sub(r"[^a-z0-9._-]+|\.{2,}", "-", text.lower(), flags=re.ASCII)[:60].strip("-._")
    return f"{found}-" + "x" if len(found) == 1 else found


def _digest(text: str) -> str:
    return blake3(text.encode("utf-8", "replace")).hexdigest()[:6]


def run_word(name: str) -> str:
    """Return a text as the name of a metric or a param; if it cannot be one, the nearest with a digest of it."""
    if 0 < len(name) <= MAX_NAME_CHARS and name.isprintable():
        return name
    shown = "".join(mark if mark.isprintable() else "\ufffd" for mark in name[:MAX_NAME_CHARS])
    return f"{shown[: MAX_NAME_CHARS - 7]}-{_digest(name)}"


def value_of(text: str) -> Any:  # noqa: ANN401 - a JSON value
    """Return what a text was before a tool made a text of it; the text if it was one.

    A number is taken for one only if its text is what Python writes for it: `1.10` stays a text.

    >>> [value_of(text) for text in ("0.001", "1e-05", "1.10", "7", "True", "adam")]
    [0.001, 1e-05, '1.10', 7, True, 'adam']
    """
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text and math.isfinite(value):
            return json_value(value)
    return printable(text)


def json_value(value: Any, levels: int = DEEPEST) -> Any:  # noqa: ANN401 - a JSON value
    """Return a value that was read from JSON so that every reader of JSON reads the same: large integers as texts."""
    if isinstance(value, Mapping | list | tuple) and not levels:
        return _LEFT_OUT
    if isinstance(value, Mapping):
        return {printable(str(key)): json_value(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item, levels - 1) for item in value]
    return _plain(value)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if (isinstance(value, int) and abs(value) <= MAX_INTEGER) or (isinstance(value, float) and math.isfinite(value)):
        return value
    try:
        return printable(str(value))
    except ValueError:
        # Python writes no more than 4,300 digits of an integer, so that no one is made to wait.
        return _LEFT_OUT


def printable(text: str) -> str:
    """Return a text without halves of characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def labels_of(texts: Mapping[str, str], notices: Notices) -> dict[str, str]:
    """Return labels; those that are too long to be stated are noticed."""
    found: dict[str, str] = {}
    left = MAX_LABELS
    for key, text in texts.items():
        one = {printable(key): printable(text)}
        size = len(canonical.encode(one))
        if size > left:
            notices.add("label left out that is too long")
            continue
        left -= size
        found |= one
    return found


def number_of(value: object) -> float | None:
    """Return a value as a number; None if it is none. What is larger than any double is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def whole(value: object, default: int = 0) -> int:
    """Return a value as a whole number of 64 bits, the nearest if it is larger; `default` if it is no number."""
    try:
        found = int(value) if isinstance(value, int | str) else int(float(value))  # type: ignore[arg-type]  # it says so
    except (ValueError, TypeError, OverflowError):
        return default
    return max(-(1 << 63), min(found, (1 << 63) - 1))


def moment(milliseconds: object) -> int:
    """Return a time in milliseconds since 1970; 0 if it is none that a run can have begun at."""
    found = whole(milliseconds)
    return found if 0 <= found < _LAST_MOMENT else 0


def moment_in(text: object) -> int:
    """Return a time that is written as RFC 3339 has it, in milliseconds since 1970; 0 if it is none."""
    try:
        found = datetime.fromisoformat(str(text))
        return moment((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def add_point(metrics: dict[str, Series], name: str, step: object, time: int, value: float) -> None:
    """Add a point; the name is made a legal one."""
    word = run_word(name)
    if word not in metrics:
        metrics[word] = Series.empty()
    metrics[word].add(whole(step), whole(time), value)
