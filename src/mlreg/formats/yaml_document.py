"""YAML as people write settings and metadata: the JSON part of it, and nothing that surprises.

`NO` is text, a date is text, and a number is what JSON or YAML 1.2 takes for one. Anchors, tags, several
documents and repeated keys are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from mlreg.errors import UsageError

MAX_CHARS = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 100_000
"""Values, keys, and beginnings and ends of lists and mappings; so many take some seconds to read."""
_YAML_FLOAT = re.compile(r"[-+]?([0-9]+\.|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", re.ASCII)
"""Floats that JSON would not take for one."""


def parse_yaml(text: str, name: str) -> Any:
    """Return the value of a YAML or JSON document; None if it is empty.

    Args:
        text: the document.
        name: what to call it in an error.

    Raises:
        UsageError: `bad_yaml`.
    """
    import yaml

    if len(text) > MAX_CHARS:
        _refuse(name, f"it has more than {MAX_CHARS} characters")
    try:
        # Events, not objects: an anchor is seen before it is followed, and no constructor runs.
        _refuse_surprises(yaml.parse(text, Loader=yaml.SafeLoader), name)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        _refuse(name, " ".join(str(error).split()) or type(error).__name__)
    return None if node is None else _value(node, name)


def _refuse_surprises(events: Iterable[Any], name: str) -> None:
    depth = 0
    for number, event in enumerate(events):
        kind = type(event).__name__
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            _refuse(name, f"line {event.start_mark.line + 1}: anchors and aliases are not used here")
        if getattr(event, "tag", None):
            _refuse(name, f"line {event.start_mark.line + 1}: tags are not used here")
        depth += kind in ("MappingStartEvent", "SequenceStartEvent")
        depth -= kind in ("MappingEndEvent", "SequenceEndEvent")
        if number > MAX_NODES:
            _refuse(name, f"it has more than {MAX_NODES} keys and values")
        if depth > MAX_DEPTH:
            _refuse(name, f"it is nested deeper than {MAX_DEPTH} levels")


def _value(node: Any, name: str) -> Any:
    match node.id:
        case "mapping":
            return _mapping(node, name)
        case "sequence":
            return [_value(item, name) for item in node.value]
        case _:
            return _text(node, name) if node.style else scalar(node.value)


def _mapping(node: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if key.id != "scalar" or (text := _text(key, name)) in found:
            _refuse(name, f"line {key.start_mark.line + 1}: a key that is not text, or is there twice")
        found[text] = _value(value, name)
    return found


def _text(node: Any, name: str) -> str:
    """Return the text of a scalar; JSON writes a character beyond 16 bits as two escapes, a surrogate pair."""
    text: str = node.value
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        _refuse(name, f"line {node.start_mark.line + 1}: text with half of a surrogate pair")


def scalar(text: str) -> bool | int | float | str | None:
    """Return what a plain word means: a number, true, false or null; or else the word.

    Numbers are those of JSON, and `.5`, `5.`, `.nan` and `.inf` of YAML 1.2, section 10.3.

    >>> scalar("0.5"), scalar("true"), scalar("NO"), scalar("1e-3"), scalar("007"), scalar(".88")
    (0.5, True, 'NO', 0.001, '007', 0.88)
    """
    import json

    if text in ("", "~"):
        return None
    if _YAML_FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    try:
        value = json.loads(text, parse_constant=lambda word: word)
    except (ValueError, RecursionError):
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


def _refuse(name: str, reason: str) -> NoReturn:
    raise UsageError("bad_yaml", f"{name} cannot be read", why=reason, fix="write plain mappings, lists and values")
