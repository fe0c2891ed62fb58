"""Rules for data, as people write them in YAML: what must hold of the tables of a dataset.

    rules:
      - {rule: unique, column: id}
      - {rule: range, column: age, min: 0, max: 120, severity: warn, files: train/*.csv}

What is not known is an error that names the rule, so that a misspelt one is never without effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

from mlreg.errors import UsageError
from mlreg.quality.cells import instant_of
from mlreg.quality.tables import Type

ERROR, WARN = "error", "warn"
MOST_RULES = 1000
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Rule(NamedTuple):
    """What must hold."""

    name: str
    """As it was given, or made of what the rule says."""
    kind: str
    severity: str
    """`error`, or `warn`: a rule that is not kept is shown, and fails nothing."""
    files: tuple[str, ...]
    """Patterns of the files that it is about; none for all tables that have the columns."""
    columns: tuple[str, ...]
    options: Mapping[str, Any]


class _Bad(Exception):
    """What is wrong with a value."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _Bad("is a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and value:
        return tuple(map(_text, value))
    return (_text(value),)


def _bound(value: object) -> float | int | str:
    if isinstance(value, bool) or (not isinstance(value, int | float) and instant_of(value) is None):
        raise _Bad("is a number, a date or a time")
    if value != value:  # NaN
        raise _Bad("is a number, a date or a time")
    return value  # type: ignore[return-value]  # what has an instant here is text


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Bad("is a whole number")
    return value


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _Bad("is a share, from 0 to 1")
    return value


def _values(value: object) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value or any(isinstance(one, list | dict) or one is None for one in value):
        raise _Bad("is a list of values")
    return tuple(value)


def _pattern(value: object) -> re.Pattern[str]:
    try:
        return re.compile(_text(value))
    except re.error as error:
        raise _Bad(f"is a regular expression: {error}") from error


def _type(value: object) -> Type:
    try:
        return Type(_text(value))
    except ValueError as error:
        raise _Bad(f"is one of {', '.join(Type)}") from error


def _age(value: object) -> float:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])", _text(value))
    if not found:
        raise _Bad("is a duration like 36h or 7d")
    return float(found[1]) * _SECONDS[found[2]]


_Read = Callable[[object], Any]
_OTHER: dict[str, _Read] = {"ref": _text, "file": _texts}
"""Where the other data are: another dataset, or other files of this one."""


class _Kind(NamedTuple):
    """What a rule of a kind may say."""

    column: str
    """How many columns it is about: `no`, `one`, `some`, `any`."""
    needed: Mapping[str, _Read] = MappingProxyType({})
    some_of: Mapping[str, _Read] = MappingProxyType({})
    """Of these, one is needed."""
    more: Mapping[str, _Read] = MappingProxyType({})


_KINDS: dict[str, _Kind] = {
    "not_null": _Kind("some"),
    "unique": _Kind("some"),
    "range": _Kind("one", some_of={"min": _bound, "max": _bound}),
    "in_set": _Kind("one", {"values": _values}),
    "regex": _Kind("one", {"pattern": _pattern}),
    "type": _Kind("one", {"type": _type}),
    "row_count": _Kind("no", some_of={"min": _count, "max": _count}),
    "null_share": _Kind("one", {"max": _share}),
    "freshness": _Kind("one", {"max_age": _age}),
    "foreign_key": _Kind("one", some_of=_OTHER, more={"other_column": _text}),
    "schema_equal": _Kind("no", some_of=_OTHER),
    "no_overlap": _Kind("any", some_of=_OTHER),
}
_COMMON = ("rule", "name", "severity", "files")
_COLUMNS = {"no": (), "one": ("column",), "some": ("column", "columns"), "any": ("column", "columns")}


def read_rules(document: object, place: str) -> tuple[Rule, ...]:
    """Return the rules of a document.

    Args:
        document: a mapping with a list of `rules`.
        place: what to call it in an error.

    Raises:
        UsageError: `bad_rule`, naming the rule.
    """
    listed = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(listed, list) or not listed:
        raise bad_rule(
            place, "there is no list of rules in it", "write rules: and below it - {rule: unique, column: id}"
        )
    if extra := sorted({*document} - {"rules"}):
        raise bad_rule(place, f"{extra[0]!r:.80} stands beside the rules", "leave it out")
    if len(listed) > MOST_RULES:
        raise bad_rule(place, f"there are {len(listed)} rules, and {MOST_RULES} are the limit", "write fewer")
    return tuple(_rule(one, f"{place}, rule {number}") for number, one in enumerate(listed, 1))


def bad_rule(place: str, why: str, fix: str) -> UsageError:
    """Return the error for a rule that cannot be asked."""
    return UsageError("bad_rule", f"{place} cannot be used", why=why, fix=fix)


def _rule(item: object, place: str) -> Rule:
    if not isinstance(item, dict):
        raise bad_rule(place, "it is no mapping", "write it like {rule: unique, column: id}")
    word = item.get("rule")
    kind = _KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        raise bad_rule(place, f"there is no rule {word!r:.80}" if word else "it has no key rule", _near(word, _KINDS))
    place = f"{place} ({item.get('name') or word})"
    readers = {**kind.needed, **kind.some_of, **kind.more}
    known = (*_COMMON, *_COLUMNS[kind.column], *readers)
    for key in item:
        if key not in known:
            raise bad_rule(place, f"{word} has no key {key!r:.80}", _near(key, known))
    _check_keys(item, kind, place)
    options = {key: _taken(key, read, item[key], place) for key, read in readers.items() if key in item}
    columns = _columns(item, kind, place)
    severity = item.get("severity", ERROR)
    if severity not in (ERROR, WARN):
        raise bad_rule(place, f"severity is {ERROR} or {WARN}, not {severity!r:.80}", f"severity: {WARN}")
    files = _taken("files", _texts, item["files"], place) if "files" in item else ()
    name = _taken("name", _text, item["name"], place) if "name" in item else " ".join([str(word), *columns])
    _check_bounds(options, place)
    return Rule(name, str(word), severity, files, columns, options)


def _near(word: object, known: Any) -> str:  # noqa: ANN401 - names, or a mapping from them
    near = get_close_matches(str(word), [*known], n=1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"


def _check_keys(item: Mapping[str, Any], kind: _Kind, place: str) -> None:
    for key in kind.needed:
        if key not in item:
            raise bad_rule(place, f"it has no {key}", f"give it {key}: ...")
    given = [key for key in kind.some_of if key in item]
    words = " or ".join(kind.some_of)
    if kind.some_of and not given:
        raise bad_rule(place, f"it has no {words}", f"give it {words}")
    if kind.some_of is _OTHER and len(given) > 1:
        raise bad_rule(place, f"it has {' and '.join(given)}", "leave one of them out")


def _taken(key: str, read: _Read, value: object, place: str) -> Any:  # noqa: ANN401 - what the reader returns
    try:
        return read(value)
    except _Bad as error:
        raise bad_rule(place, f"{key} {error}, not {value!r:.80}", f"correct {key}") from error


def _columns(item: Mapping[str, Any], kind: _Kind, place: str) -> tuple[str, ...]:
    given = [key for key in ("column", "columns") if key in item]
    if len(given) > 1:
        raise bad_rule(place, "it has column and columns", "leave one of them out")
    if given:
        return tuple(
            _taken(given[0], _texts if given[0] == "columns" else lambda one: (_text(one),), item[given[0]], place)
        )
    if kind.column in ("one", "some"):
        raise bad_rule(place, "it names no column", "give it column: NAME")
    return ()


def _check_bounds(options: Mapping[str, Any], place: str) -> None:
    low, high = options.get("min"), options.get("max")
    if low is None or high is None:
        return
    if isinstance(low, str) != isinstance(high, str):
        raise bad_rule(place, "one of min and max is a number, the other one a time", "write both alike")
    if (instant_of(low) or 0) > (instant_of(high) or 0) if isinstance(low, str) else low > high:
        raise bad_rule(place, f"min, {low}, is more than max, {high}", "correct one of them")
