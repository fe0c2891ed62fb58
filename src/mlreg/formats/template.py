r"""Templates of output: `{ref} {metadata.metrics.map:.3f}`, as `--format` takes them.

The words are those of `str.format`, but a name only ever chooses a key of the document: no attribute, no
call, nothing of Python can be reached. `\t`, `\n`, `\0` and `\\` stand for what they mean in a shell's printf.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from string import Formatter
from typing import Any

from mlreg.errors import UsageError

LONGEST = 4096
"""Characters of a template."""
WIDEST = 999
"""Width or precision of a field."""
_SPEC = re.compile(r"(?:.?[<>=^])?[-+ ]?[,_]?0?(?P<width>\d*),?(?:\.(?P<precision>\d+))?[bcdeEfFgGnosxX%]?", re.DOTALL)
_INDEX = re.compile(r"[0-9]{1,9}")
_ESCAPES = {"t": "\t", "n": "\n", "0": "\0", "\\": "\\"}


class Template:
    r"""A template that was read, ready for any number of documents.

    >>> Template(r"{ref}\t{metadata.map:.2f}").of({"ref": "model/net@1.0.0", "metadata": {"map": 0.913}})
    'model/net@1.0.0\t0.91'
    """

    def __init__(self, text: str) -> None:
        """Read a template.

        Raises:
            UsageError: `bad_template`.
        """
        if len(text) > LONGEST:
            raise _bad(f"it is longer than {LONGEST} characters")
        try:
            parsed = list(Formatter().parse(_unescaped(text)))
        except ValueError as error:
            raise _bad(f"{text!r:.80}: {error}") from error
        self._parts = [(literal, _path(name), _checked(spec or "", how)) for literal, name, spec, how in parsed]

    def check(self, keys: Collection[str]) -> None:
        """Refuse a template that names a first key that no document will have.

        Raises:
            UsageError: `bad_template`.
        """
        for _, path, _ in self._parts:
            if path:
                _check_first(path, keys)

    def of(self, document: Mapping[str, Any], shown: Callable[[str], str] = str) -> str:
        """Return the text for a document.

        A key that it does not have below the first is empty; a value that has no such format is as it is, for what
        is printed may be done already.

        Args:
            document: as JSON has it.
            shown: what becomes of the text of each field, but not of the words in between.

        Raises:
            UsageError: `bad_template`, the document never has a key of that name.
        """
        fields = (shown(_text(document, path, spec)) if path else "" for _, path, spec in self._parts)
        return "".join(literal + field for (literal, _, _), field in zip(self._parts, fields, strict=True))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([tn0\\])", lambda found: _ESCAPES[found[1]], text)


def _path(name: str | None) -> list[str] | None:
    """Return the keys that a field names, `a.b[c.d]` as a, b, c.d; None for the text after the last field."""
    if name is None:
        return None
    keys = [bracketed or plain for plain, bracketed in re.findall(r"([^.\[\]]+)|\[([^\]]+)\]", name)]
    if not keys:
        raise _bad(f"{{{name}}} names nothing")
    return keys


def _checked(spec: str, conversion: str | None) -> str:
    found = _SPEC.fullmatch(spec)
    if found is None or conversion:
        raise _bad(f"{'!' + conversion if conversion else ':' + spec} is no format of a field")
    if any(int(number[:9]) > WIDEST for number in found.groups() if number):
        raise _bad(f":{spec} is wider than {WIDEST} characters")
    return spec


def _text(document: Mapping[str, Any], path: list[str], spec: str) -> str:
    _check_first(path, document)
    value: object = document
    for key in path:
        value = _below(value, key)
    if value is None:
        return " " * int((_SPEC.fullmatch(spec) or [""] * 2)[1] or 0)
    plain = value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else _json(value)
    try:
        return format(plain, spec)
    except (ValueError, OverflowError):
        return str(plain)


def _check_first(path: list[str], keys: Collection[str]) -> None:
    if path[0] not in keys:
        raise _bad(f"there is no {path[0]!r}", why=f"there are {', '.join(keys)}")


def _below(value: object, key: str) -> object:
    if isinstance(value, list):
        return value[int(key)] if _INDEX.fullmatch(key) and int(key) < len(value) else None
    return value.get(key) if isinstance(value, Mapping) else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _bad(message: str, why: str = "") -> UsageError:
    fix = "--format '{ref} {time}'"
    return UsageError("bad_template", f"the template cannot be used: {message}", why=why, fix=fix)
