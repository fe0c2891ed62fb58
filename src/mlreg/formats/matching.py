"""What an expression and sort keys mean on documents: nested mappings of JSON values.

Page: `docs/expressions.md`. A test on a field that is missing or null is false, whatever it is, but `is null`.
Numbers are compared with numbers, text with text in the order of code points; values of different types are neither
equal nor unequal. A list equals a value that it contains, and is unequal to one that it does not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from mlreg.formats.expression import (
    And,
    Compare,
    Expression,
    Field,
    In,
    IsNull,
    Like,
    Not,
    Operator,
    Or,
    SortKey,
    Value,
)

Document = Mapping[str, Any]

_T = TypeVar("_T")
_Key = TypeVar("_Key")
_Ranked = tuple[int, Any]

# True and false have no order, but in a sorted list they stand before numbers, and these before text.
_RANKS: dict[type, int] = {bool: 0, int: 1, float: 1, str: 2}
_BOOLEAN = _RANKS[bool]
_NEITHER = 3
_HOLDS: dict[Operator, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(expression: Expression, document: Document) -> bool:
    """Tell whether an expression holds for a document; takes about a microsecond for each test."""
    match expression:
        case And(operands):
            return all(matches(operand, document) for operand in operands)
        case Or(operands):
            return any(matches(operand, document) for operand in operands)
        case Not(operand):
            return not matches(operand, document)
        case _:
            return _MEANING[type(expression)](expression, value_at(document, expression.field))


def selected(
    expression: Expression, among: Collection[_Key], columns: Mapping[str, Mapping[_Key, Any]]
) -> Collection[_Key]:
    """Return those of many documents for which an expression holds, in their order; a third of the time of `matches`.

    Args:
        expression: each of its fields has one part.
        among: the keys of the documents.
        columns: of each field the values, by the keys of the documents that have it.
    """
    match expression:
        case And(operands):
            for operand in operands:
                among = selected(operand, among, columns)
            return among
        case Or(operands):
            some = set().union(*(selected(operand, among, columns) for operand in operands))
            return [key for key in among if key in some]
        case Not(operand):
            others = set(selected(operand, among, columns))
            return [key for key in among if key not in others]
        case _:
            value_of, holds = columns[expression.field.parts[0]].get, _MEANING[type(expression)]
            return [key for key in among if holds(expression, value_of(key))]


def value_at(document: Document, field: Field) -> Any:  # noqa: ANN401 - a JSON value
    """Return the JSON value of a field; None if it is missing."""
    value: Any = document
    try:
        for part in field.parts:
            value = value[part]
    except (KeyError, TypeError):
        # A key that is not there, or a value that has none: text and lists are not looked into.
        return None
    return value


def sorted_by(items: Iterable[_T], keys: Sequence[SortKey], document_of: Callable[[_T], Document]) -> list[_T]:
    """Return items in the order of sort keys, the first key first; equal ones stay in the order they came.

    Within a field: false, true, numbers, text, then lists and mappings, which are all equal; a descending key turns
    that round. Items whose field is missing or null come last in both directions.
    """
    found = list(items)
    # Sorting is stable: the last key first, and what an earlier one finds equal stays as it is.
    for key in reversed(keys):
        found = _sorted_by_one(found, key, document_of)
    return found


def _sorted_by_one(items: list[_T], key: SortKey, document_of: Callable[[_T], Document]) -> list[_T]:
    valued = [(value_at(document_of(item), key.field), item) for item in items]
    present = [(_ranked(value), item) for value, item in valued if value is not None]
    present.sort(key=operator.itemgetter(0), reverse=key.is_descending)
    return [item for _, item in present] + [item for value, item in valued if value is None]


def _ranked(value: object) -> _Ranked:
    rank = _RANKS.get(type(value), _NEITHER)
    return rank, 0 if rank == _NEITHER else value


def _relates(found: object, sign: Operator, value: Value) -> bool:
    if isinstance(found, list | tuple):
        return sign in {"=", "!="} and any(_relates_alone(item, "=", value) for item in found) == (sign == "=")
    return _relates_alone(found, sign, value)


def _relates_alone(found: object, sign: Operator, value: Value) -> bool:
    rank = _RANKS.get(type(found))
    if rank is None or rank != _RANKS[type(value)]:
        return False
    return (rank != _BOOLEAN or sign in {"=", "!="}) and _HOLDS[sign](found, value)


def _in(test: In, found: object) -> bool:
    if test.is_negated:
        return all(_relates(found, "!=", value) for value in test.values)
    return any(_relates(found, "=", value) for value in test.values)


def _like(test: Like, found: object) -> bool:
    if not isinstance(found, str):
        return False
    if test.ignores_case:
        return fits(found.lower(), test.pattern.lower()) != test.is_negated
    return fits(found, test.pattern) != test.is_negated


_MEANING: dict[type, Callable[[Any, Any], bool]] = {
    Compare: lambda test, found: _relates(found, test.operator, test.value),
    In: _in,
    Like: _like,
    IsNull: lambda test, found: (found is None) != test.is_negated,
}
"""What each test means for the value of its field, which is None if it is missing."""


class _Pattern(NamedTuple):
    """A pattern as a machine of states: one behind each of its characters, one in front; all are bits of an integer."""

    steps: dict[str, int]
    """Character -> states that it leads to from the one before."""
    any_step: int
    """States behind a `_`: every character leads to them."""
    stays: int
    """States behind a `%`: every character leaves them as they are."""
    end: int


@lru_cache(maxsize=64)
def _pattern(text: str) -> _Pattern:
    steps: dict[str, int] = {}
    any_step = stays = 0
    state = 1
    for character in text:
        if character == "%":
            stays |= state
            continue
        state <<= 1
        if character == "_":
            any_step |= state
        else:
            steps[character] = steps.get(character, 0) | state
    return _Pattern(steps, any_step, stays, state)


def fits(text: str, pattern: str) -> bool:
    """Tell whether the whole text fits a pattern of SQL: `%` is any text, `_` any character; there is no escape.

    One step for each character of the text, whatever the pattern: all ways to read it are followed at once.
    Source: the Shift-And method of Baeza-Yates and Gonnet, "A new approach to text searching", 1992.

    >>> fits("suture_detector", "sut%_r"), fits("suture", "ture")
    (True, False)
    """
    steps, any_step, stays, end = _pattern(pattern)
    states = 1
    for character in text:
        states = (states << 1) & (steps.get(character, 0) | any_step) | states & stays
        if not states or states & stays & end:
            break
    return bool(states & end)
