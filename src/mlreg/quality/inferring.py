"""The type of a column of text, from all of its cells: no sample, so that one more row cannot be read another way.

A cell is a number as JSON has it, a `+` in front and `.5` too, or `nan`, `inf`, `infinity`; an integer if it fits 64
bits; a boolean if it is true or false; a date or a timestamp as ISO 8601 has them, with dashes and colons.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from mlreg.quality.tables import Type

_INTEGER = r"[+-]?[0-9]{1,18}"
_NUMBER = r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?|(?i:nan|inf(?:inity)?))"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_FORMS: Final = {
    Type.BOOLEAN: "(?i:true|false)",
    Type.INTEGER: _INTEGER,
    Type.NUMBER: _NUMBER,
    Type.DATE: _DATE,
    Type.TIME: rf"{_DATE}(?:[T ]{_CLOCK})?",
}
_ALL = {form: re.compile(rf"(?:(?:{pattern})\n)*+", re.ASCII) for form, pattern in _FORMS.items()}
_ONE_NUMBER = re.compile(_NUMBER, re.ASCII)
_MOMENTS = (Type.DATE, Type.TIME)
_FAMILIES = ((Type.BOOLEAN,), (Type.INTEGER, Type.NUMBER), _MOMENTS)
"""Of types, the narrower ones first."""
EPOCH = datetime(1970, 1, 1)
_WIDE = 1 << 63


def is_number(text: str) -> bool:
    """Tell whether a cell is a number.

    >>> is_number("-1.5e3"), is_number("1_000"), is_number("NaN"), is_number("")
    (True, False, True, False)
    """
    return _ONE_NUMBER.fullmatch(text) is not None


class Guess:
    """What a column of text may still be, the more of it is seen."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._open: tuple[Type, ...] = ()
        """What fits all that was seen, and what is wider."""
        self._seen = False

    def see(self, cells: Sequence[str]) -> None:
        """Look at more cells, nulls left out."""
        if not cells or (self._seen and not self._open):
            return
        joined = "\n".join(cells) + "\n"
        families = (self._open,) if self._seen else _FAMILIES
        self._seen = True
        is_plain = joined.count("\n") == len(cells)
        # What is narrower fits the wider ones, too, so that one look is enough for most batches.
        found = (family[at:] for family in families for at, form in enumerate(family) if self._fits(form, joined))
        self._open = next(found, ()) if is_plain else ()

    @staticmethod
    def _fits(form: Type, joined: str) -> bool:
        if not _ALL[form].fullmatch(joined):
            return False
        return form not in _MOMENTS or all(moment_of(cell) is not None for cell in {*joined.split("\n")} - {""})

    @property
    def type(self) -> Type:
        """The narrowest type that fits all that was seen."""
        if not self._seen:
            return Type.EMPTY
        return self._open[0] if self._open else Type.TEXT


def moment_of(text: str) -> int | None:
    """Return a date or a time as microseconds since 1970, in UTC; None if there is no such day or time.

    >>> moment_of("1970-01-02"), moment_of("2026-02-30"), moment_of("1970-01-01T01:00+01:00")
    (86400000000, None, 0)
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(found)


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970, in UTC; one without a zone is taken as it is."""
    try:
        plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except OverflowError:
        plain = moment.replace(tzinfo=None)
    since = plain - EPOCH
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def type_of_values(kinds: Collection[Any]) -> Type:
    """Return the type of a column of JSON from the types of its values, nulls left out.

    >>> type_of_values({int, float}), type_of_values({str, int}), type_of_values({dict, list})
    (<Type.NUMBER: 'number'>, <Type.MIXED: 'mixed'>, <Type.JSON: 'json'>)
    """
    found = {*kinds}
    for one, types in _BY_VALUES:
        if found <= types:
            return one
    return Type.MIXED


_BY_VALUES: tuple[tuple[Type, set[type]], ...] = (
    (Type.EMPTY, set()),
    (Type.BOOLEAN, {bool}),
    (Type.INTEGER, {int}),
    (Type.NUMBER, {int, float}),
    (Type.TEXT, {str}),
    (Type.JSON, {dict, list}),
)


def fits(value: int) -> bool:
    """Tell whether an integer has 64 bits."""
    return -_WIDE <= value < _WIDE


def united(types: Collection[Type]) -> Type:
    """Return the type of a column that files have under several types.

    >>> united([Type.INTEGER, Type.EMPTY, Type.NUMBER]), united([Type.DATE, Type.TEXT])
    (<Type.NUMBER: 'number'>, <Type.MIXED: 'mixed'>)
    """
    found = {*types} - {Type.EMPTY}
    if len(found) <= 1:
        return next(iter(found), Type.EMPTY)
    if found == {Type.INTEGER, Type.NUMBER}:
        return Type.NUMBER
    return Type.TIME if found == {*_MOMENTS} else Type.MIXED


def shown_moment(value: float, kind: Type) -> str:
    """Return microseconds since 1970 as a date or a time in ISO 8601."""
    try:
        moment = datetime.fromtimestamp(value / 1e6, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return f"{value / 1e6:.0f} s"
    return date.isoformat(moment) if kind is Type.DATE else moment.isoformat()
