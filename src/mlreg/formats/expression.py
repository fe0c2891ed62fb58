"""The filter language of `--where`, and the keys of `--sort`: text to frozen nodes and back.

Page: `docs/expressions.md`. What an expression means on a document, `matching.py` says.

    meta.metrics.map > .9 and (labels.team = 'vision' or not name like 'tmp%')

    expression  one or more `and` groups with `or` between
    group       one or more tests with `and` between
    test        `not` TEST, `(` EXPRESSION `)`, or a field and one of
                    = == != <> < <= > >= VALUE
                    [not] in (VALUE, …)
                    [not] like TEXT, [not] ilike TEXT
                    is [not] null
    field       a word of the caller's set, then parts: meta.metrics.map, meta.`a b`."x.y"
    value       a number, text in ' or ", true, false

Words are read in any case; in quotes, a doubled quote stands for one. Nothing here is evaluated by Python, and no
pattern is built from what a user wrote.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import UnionType
from typing import Literal, NamedTuple, TypeVar

from mlreg.errors import UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.names import quoted

MAX_CHARS = 10_000
MAX_DEPTH = 50
"""Parentheses and `not` inside each other."""
MAX_NODES = 1000
"""Tests, values, `not` and parentheses of one expression."""
MAX_SORT_KEYS = 16
EXAMPLE, SORT_EXAMPLE = "meta.metrics.map > 0.9 and labels.team = 'vision'", "-meta.metrics.map,name"
EXAMPLE_OF_RUNS, SORT_EXAMPLE_OF_RUNS = "metrics.auc > 0.9 and labels.team = 'vision'", "-metrics.auc,started"
"""What is proposed where fields are not those of versions."""

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Value = str | int | float | bool

_T = TypeVar("_T")

_ALIASES = {"metadata": "meta"}
_OPERATORS: dict[str, Operator] = {
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "like", "ilike", "null", "true", "false"})
_BOOLEANS = {"true": True, "false": False}
_PART = r"[A-Za-z0-9_][A-Za-z0-9_-]*+"
_QUOTED = r"""`(?:[^`]++|``)*+`|"(?:[^"]++|"")*+\""""
# Possessive throughout: nothing is tried twice, so a text that does not fit is refused in linear time.
_TOKEN = re.compile(
    rf"""
    (?P<space>[ \t\r\n]++)
    |(?P<field>[A-Za-z_][A-Za-z0-9_-]*+(?:\.(?:{_PART}|{_QUOTED}))*+)(?!\.)
    |(?P<number>-?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?+)(?![A-Za-z0-9_.])
    |(?P<text>'(?:[^']++|'')*+'|"(?:[^"]++|"")*+")
    |(?P<mark><>|!=|==|<=|>=|[=<>(),-])
    """,
    re.VERBOSE | re.ASCII,
)
_PLAIN_PART = re.compile(_PART, re.ASCII)
_PARTS = re.compile(rf"\.({_PART}|{_QUOTED})", re.ASCII)
_MAX_FIX_CHARS = 200
_NEAR = 0.65
"""From this share of common letters on, an unknown field is taken for a known one."""


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a document; prints as it is written: meta.metrics.map, meta.`a b`."""

    parts: tuple[str, ...]
    """Keys, outermost first; never empty. The first is a word of the caller's set."""

    def __str__(self) -> str:
        """Return the parts with dots between, in backticks where they are no words."""
        return ".".join((self.parts[0], *map(_part_text, self.parts[1:])))


@dataclass(frozen=True, slots=True)
class Compare:
    """A field beside a value. As in Python, nodes with 1, 1.0 and True are equal."""

    field: Field
    operator: Operator
    value: Value

    def __str__(self) -> str:
        """Return `meta.x >= 1`."""
        return f"{self.field} {self.operator} {_value_text(self.value)}"


@dataclass(frozen=True, slots=True)
class Like:
    """A field whose text fits a pattern: `%` is any text, `_` any character."""

    field: Field
    pattern: str
    ignores_case: bool = False
    is_negated: bool = False

    def __str__(self) -> str:
        """Return `name like 'tmp%'`."""
        word = "ilike" if self.ignores_case else "like"
        return f"{self.field} {'not ' * self.is_negated}{word} {_value_text(self.pattern)}"


@dataclass(frozen=True, slots=True)
class In:
    """A field that equals one of several values, at least one."""

    field: Field
    values: tuple[Value, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        """Return `meta.x in (1, 2)`."""
        return f"{self.field} {'not ' * self.is_negated}in ({', '.join(map(_value_text, self.values))})"


@dataclass(frozen=True, slots=True)
class IsNull:
    """A field that is missing, or null."""

    field: Field
    is_negated: bool = False

    def __str__(self) -> str:
        """Return `meta.x is null`."""
        return f"{self.field} is {'not ' * self.is_negated}null"


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    operand: Expression

    def __str__(self) -> str:
        """Return `not name like 'tmp%'`."""
        return f"not {_operand_text(self.operand, And | Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """What holds all together; two operands or more, as they were written."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        """Return the operands with `and` between."""
        return " and ".join(_operand_text(operand, And | Or) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or:
    """What holds if one does; two operands or more, as they were written."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        """Return the operands with `or` between."""
        return " or ".join(_operand_text(operand, Or) for operand in self.operands)


Expression = Compare | Like | In | IsNull | Not | And | Or
"""`parse_expression(str(expression), fields) == expression`."""


class SortKey(NamedTuple):
    """A field to sort by; prints as `-meta.metrics.map`."""

    field: Field
    is_descending: bool = False

    def __str__(self) -> str:
        """Return the field, behind `-` if it is descending."""
        return f"{'-' * self.is_descending}{self.field}"


def parse_expression(text: str, fields: Collection[str]) -> Expression:
    """Read an expression.

    Args:
        text: at most 10,000 characters.
        fields: the first parts that a field may have. `metadata` is read as `meta`, if there is only that.

    Raises:
        UsageError: `bad_expression`, with the place, what is wrong there, and what may be meant.
    """
    try:
        return _Parser(text, fields).expression()
    except _Fault as fault:
        fix = fault.fix or f"write it like {EXAMPLE if 'meta' in fields else EXAMPLE_OF_RUNS}"
        raise UsageError("bad_expression", f"{quoted(text)} is not an expression", why=str(fault), fix=fix) from fault


def parse_sort(text: str, fields: Collection[str]) -> tuple[SortKey, ...]:
    """Read fields with `,` between, each behind `-` if its largest value comes first; 1 to 16 of them.

    Raises:
        UsageError: `bad_sort`, with the place, what is wrong there, and what may be meant.
    """
    try:
        return _Parser(text, fields).sort_keys()
    except _Fault as fault:
        fix = fault.fix or f"write it like {SORT_EXAMPLE if 'meta' in fields else SORT_EXAMPLE_OF_RUNS}"
        raise UsageError("bad_sort", f"{quoted(text)} is nothing to sort by", why=str(fault), fix=fix) from fault


class _Fault(Exception):
    """A place in the text, what is wrong there, and what may be meant."""

    def __init__(self, text: str, at: int, reason: str, fix: str = "") -> None:
        where = f"at character {at + 1}, {quoted(text[at:])}" if at < len(text) else "at the end"
        super().__init__(f"{where}: {reason}")
        # A fix holds pieces of the text: only what a terminal and a reader can take is shown.
        self.fix = fix if fix.isascii() and fix.isprintable() and len(fix) <= _MAX_FIX_CHARS else ""


class _Token(NamedTuple):
    sort: str
    """field, keyword, number, text, mark or end."""
    text: str
    """As written; a keyword in small letters, a text without its quotes."""
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    _check_text(text)
    at = 0
    while at < len(text):
        if (found := _TOKEN.match(text, at)) is None:
            raise _Fault(text, at, _why_no_token(text[at]))
        sort, word = str(found.lastgroup), found.group()
        if sort == "text":
            word = _unquoted(word)
        elif sort == "field" and word.lower() in _KEYWORDS:
            sort, word = "keyword", word.lower()
        if sort != "space":
            yield _Token(sort, word, at)
        at = found.end()
    yield _Token("end", "", at)


def _check_text(text: str) -> None:
    if len(text) > MAX_CHARS:
        raise _Fault(text, MAX_CHARS, f"it is longer than {MAX_CHARS} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _Fault(text, error.start, "this is half of a surrogate pair") from error


def _why_no_token(character: str) -> str:
    if character in "'\"":
        return "this quotation mark is not closed"
    if character in "-.0123456789":
        return "this is not a number"
    if character == "`":
        return "backticks quote a part of a field, behind a dot"
    if character == "_" or (character.isascii() and character.isalpha()):
        return "behind a dot stands a word, or a part in backticks"
    return "this has no meaning here; in a field, what is no letter, digit, '_' or '-' is quoted: meta.`a b`"


def _unquoted(text: str) -> str:
    mark = text[0]
    return text[1:-1].replace(mark * 2, mark)


def _part_text(part: str) -> str:
    return part if _PLAIN_PART.fullmatch(part) else "`" + part.replace("`", "``") + "`"


def _value_text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _operand_text(operand: Expression, in_parentheses: type | UnionType) -> str:
    return f"({operand})" if isinstance(operand, in_parentheses) else str(operand)


class _Parser:
    """Reads tokens from left to right, and never goes back."""

    def __init__(self, text: str, fields: Collection[str]) -> None:
        self._text = text
        self._fields = fields
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._depth = 0
        self._nodes = 0

    def expression(self) -> Expression:
        found = self._either()
        if self._token.sort != "end":
            raise self._fault("here 'and' or 'or' is missing, or this is too much")
        return found

    def sort_keys(self) -> tuple[SortKey, ...]:
        keys = self._chain(",", self._sort_key)
        if self._token.sort != "end":
            raise self._fault("between fields stands ',', and '-' in front of a field puts its largest value first")
        if len(keys) > MAX_SORT_KEYS:
            raise self._fault(f"there are more than {MAX_SORT_KEYS} fields")
        return keys

    def _sort_key(self) -> SortKey:
        is_descending = self._takes("-")
        return SortKey(self._field(), is_descending)

    def _either(self) -> Expression:
        operands = self._chain("or", self._both)
        return Or(operands) if len(operands) > 1 else operands[0]

    def _both(self) -> Expression:
        operands = self._chain("and", self._test)
        return And(operands) if len(operands) > 1 else operands[0]

    def _chain(self, word: str, read: Callable[[], _T]) -> tuple[_T, ...]:
        found = [read()]
        while self._takes(word):
            found.append(read())
        return tuple(found)

    def _test(self) -> Expression:
        self._count()
        with self._deeper():
            if self._takes("not"):
                return Not(self._test())
            if self._takes("("):
                found = self._either()
                self._needs(")", "a parenthesis is not closed")
                return found
        field = self._field()
        return self._negatable(field, self._takes("not"))

    def _negatable(self, field: Field, is_negated: bool) -> Expression:
        if self._takes("in"):
            return In(field, self._values(field), is_negated)
        for word in ("like", "ilike"):
            if self._takes(word):
                return Like(field, self._pattern(word), word == "ilike", is_negated)
        if is_negated:
            raise self._fault("behind 'not' stands 'in', 'like' or 'ilike'", f"not {field} = ...")
        return self._comparison(field)

    def _comparison(self, field: Field) -> Expression:
        if self._takes("is"):
            is_negated = self._takes("not")
            self._needs("null", "behind 'is' stands 'null' or 'not null'; values are compared with '='")
            return IsNull(field, is_negated)
        operator = _OPERATORS.get(self._token.text) if self._token.sort == "mark" else None
        if operator is None:
            raise self._fault(f"what {quoted(str(field))} is compared with is missing", f"{field} is not null")
        self._advance()
        return Compare(field, operator, self._value(field))

    def _field(self) -> Field:
        token = self._token
        if token.sort != "field":
            raise self._fault("here stands a field, and its value behind it")
        root, *_ = token.text.partition(".")
        rest = token.text[len(root) :]
        parts = tuple(part if part[0] not in '`"' else _unquoted(part) for part in _PARTS.findall(rest))
        if root not in self._fields:
            root = self._known(root, rest)
        self._advance()
        return Field((root, *parts))

    def _known(self, root: str, rest: str) -> str:
        """Return what an alias stands for, or refuse an unknown field with the nearest one."""
        meant = _ALIASES.get(root, "")
        if meant in self._fields:
            return meant
        import difflib

        near = difflib.get_close_matches(root.lower(), sorted(self._fields), n=1, cutoff=_NEAR)
        fix = f"use {near[0]}{rest}" if near else f"use meta.{root}{rest}" if "meta" in self._fields else ""
        raise self._fault(f"{quoted(root)} is no field; there are {', '.join(sorted(self._fields))}", fix)

    def _value(self, field: Field) -> Value:
        token = self._token
        self._count()
        if token.sort == "text":
            value: Value = token.text
        elif token.sort == "number":
            value = self._number()
        elif token.sort == "keyword" and token.text in _BOOLEANS:
            value = _BOOLEANS[token.text]
        else:
            raise self._no_value(field)
        self._advance()
        return value

    def _no_value(self, field: Field) -> _Fault:
        word, sort = self._token.text, self._token.sort
        if sort == "keyword" and word == "null":
            return self._fault("nothing is equal to null, and nothing unequal", f"{field} is null")
        if sort == "field" and word.lower() in {"nan", "inf", "infinity"}:
            return self._fault("a number is finite")
        fix = f"write it in quotes: '{word}'" if sort == "field" else ""
        return self._fault("here stands a value: a number, true, false, or text in quotes", fix)

    def _number(self) -> int | float:
        text = self._token.text
        try:
            value: int | float = int(text)
        except ValueError:  # not an integer, or one with so many digits that it becomes infinite
            value = float(text)
        if not math.isfinite(value):
            raise self._fault("this number is too large")
        if isinstance(value, int) and not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
            raise self._fault("an integer of more than 64 bits", f"write {float(value)!r}")
        return value

    def _values(self, field: Field) -> tuple[Value, ...]:
        self._needs("(", "behind 'in' stands a list: ('a', 'b')")
        values = self._chain(",", lambda: self._value(field))
        self._needs(")", "a list ends in ')', and has ',' between its values")
        return values

    def _pattern(self, word: str) -> str:
        self._count()
        if self._token.sort != "text":
            raise self._fault(f"behind '{word}' stands text in quotes: 'tmp%'")
        return self._advance().text

    def _takes(self, word: str) -> bool:
        is_there = self._token.sort in ("keyword", "mark") and self._token.text == word
        if is_there:
            self._advance()
        return is_there

    def _needs(self, word: str, reason: str) -> None:
        if not self._takes(word):
            raise self._fault(reason)

    def _advance(self) -> _Token:
        passed, self._token = self._token, next(self._tokens)
        return passed

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise self._fault(f"'not' and parentheses are deeper than {MAX_DEPTH}")
        yield
        self._depth -= 1

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._fault(f"there are more than {MAX_NODES} tests and values")

    def _fault(self, reason: str, fix: str = "") -> _Fault:
        return _Fault(self._text, self._token.at, reason, fix)
