"""The one JSON encoding that is hashed and stored: equal values have equal bytes.

Format page: `docs/format/json.md`. UTF-8 without escapes that are not needed, no white space, keys
in code point order, integers of 64 bits, finite doubles in the shortest form that reads back as the
same double (`repr` of Python: `1.0`, `1e-07`), depth at most 32.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from mlreg.errors import IntegrityError, UsageError

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
MAX_DIGITS = 24
"""A number token longer than this many digits is refused before it is converted."""


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value.

    Raises:
        UsageError: `bad_json`, a value that JSON or the format cannot hold; the message has its path.
    """
    check(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def decode(data: bytes, limit: int) -> Any:
    """Return the value of canonical bytes.

    Args:
        data: what `encode` returned.
        limit: the most bytes that are looked at; a longer input is refused unread.

    Raises:
        IntegrityError: `bad_json`, the bytes are not exactly what `encode` writes for their value:
            duplicate keys, NaN, white space, another key order, a huge number, deep nesting.
    """
    if len(data) > limit:
        raise IntegrityError("bad_json", f"a JSON document of {len(data)} bytes, where at most {limit} are allowed")
    try:
        value = json.loads(data.decode(), parse_int=_integer, parse_constant=_refuse_constant)
        same = encode(value) == data
    except (ValueError, RecursionError, UsageError) as error:
        reason = getattr(error, "message", "") or "it is cut, or no JSON at all"
        raise IntegrityError("bad_json", "a stored JSON document cannot be read", why=reason) from error
    if not same:
        raise IntegrityError("bad_json", "a stored JSON document is not in canonical form", why=_WHY_NOT_CANONICAL)
    return value


_WHY_NOT_CANONICAL = "a duplicate or unordered key, white space, or a number in another spelling"


def check(value: Any, path: str = "$", depth: int = 0) -> None:
    """Refuse what canonical JSON cannot hold, naming where it is (`$.metrics.map`).

    Raises:
        UsageError: `bad_json`.
    """
    # Nearly everything is fine, and paths are only needed of what is not.
    if not holds(value, depth):
        _explain(value, path, depth)


def holds(value: Any, depth: int = 0) -> bool:
    """Tell whether canonical JSON can hold a value; perhaps no for subclasses of what JSON has.

    Args:
        value: what `json` reads.
        depth: containers that will stand around it.
    """
    kind = type(value)
    if depth > MAX_DEPTH:
        return False
    if kind is str:
        return value.isascii() or _is_text(value)
    if kind is dict:
        return _holds_all(value, depth) and _holds_all(value.values(), depth) and all(type(key) is str for key in value)
    if kind is list or kind is tuple:
        return _holds_all(value, depth)
    if kind is int:
        return bool(-MAX_INTEGER - 1 <= value <= MAX_INTEGER)
    return kind is bool or value is None or (kind is float and math.isfinite(value))


def _holds_all(values: Iterable[Any], depth: int) -> bool:
    for value in values:  # noqa: SIM110 - with `all` it takes half as long again
        if not holds(value, depth + 1):
            return False
    return True


def _explain(value: Any, path: str, depth: int) -> None:
    """Look again, more slowly, and raise what is wrong."""
    if depth > MAX_DEPTH:
        _refuse(path[:80], f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case list() | tuple():
            for number, item in enumerate(value):
                _explain(item, f"{path}[{number}]", depth + 1)
        case dict():
            for key, item in value.items():
                _check_key(key, path)
                _explain(item, f"{path}.{key}", depth + 1)
        case _:
            _check_scalar(value, path)


def _check_scalar(value: Any, path: str) -> None:
    match value:
        case None | bool():
            return
        case int():
            if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
                _refuse(path, "an integer of more than 64 bits; keep it as a string")
        case float():
            if not math.isfinite(value):
                _refuse(path, f"{value} is not a JSON number; keep it as the string '{value}'")
        case str():
            _check_text(value, path)
        case _:
            _refuse(path, f"a {type(value).__name__} is not a JSON value")


def _check_key(key: Any, path: str) -> None:
    if not isinstance(key, str):
        _refuse(path, f"the key {key!r} is not a string")
    _check_text(key, path)


def _check_text(text: str, path: str) -> None:
    if not _is_text(text):
        _refuse(path, "text with half of a surrogate pair")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(token: str) -> int:
    if len(token) > MAX_DIGITS:
        raise ValueError("a number with too many digits")
    return int(token)


def _refuse_constant(token: str) -> NoReturn:
    raise ValueError(f"{token} is not a JSON number")


def _refuse(path: str, reason: str) -> NoReturn:
    raise UsageError("bad_json", f"{path!r}: {reason}", fix="leave it out, or keep it as text or as a file")
