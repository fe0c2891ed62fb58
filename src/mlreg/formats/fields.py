"""The standard fields of metadata, and the schema that a project may demand of it.

A standard field means the same in every version, so that versions can be compared, listed and exported; the table
`STANDARD_FIELDS` says what each holds. Every other key is free. Page: `docs/fields.md`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.errors import UnsupportedError, UsageError
from mlreg.formats import canonical
from mlreg.formats.names import quoted
from mlreg.formats.yaml_document import scalar

if TYPE_CHECKING:
    from jsonschema import SchemaError, ValidationError

MAX_METRIC_DEPTH = 8
"""Mappings of metrics inside each other."""
MAX_VIOLATIONS = 10
"""Breaches of a schema that one error lists."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MAX_SHOWN = 160
_CONTROLS = {number: f"\\x{number:02x}" for number in (*range(32), 127)}
_MAX_LICENSE_CHARS = 200
_ID = r"[A-Za-z0-9][A-Za-z0-9.+-]*+"
_LICENSE = re.compile(rf"\(*+{_ID}\)*+(?: (?:AND|OR|WITH) \(*+{_ID}\)*+)*+", re.ASCII)
"""An expression of SPDX in its outer shape; whether its parentheses match is not looked at."""
_NEAR = 0.8
_OTHER_WORDS = {
    "hparams": "hyperparameters",
    "params": "hyperparameters",
    "parameters": "hyperparameters",
    "dataset": "data",
    "datasets": "data",
    "tags": "keywords",
    "pipeline_tag": "task",
    "library": "framework",
    "library_name": "framework",
}
"""What others call a standard field, where it is not spelt alike."""


class StandardField(NamedTuple):
    """What a standard field holds."""

    holds: str
    """In words: a text."""
    example: str
    """As it is written in YAML."""
    check: Callable[[Any, str], None]
    """Takes a value and its path; raises `bad_field`."""


def check_fields(metadata: Mapping[str, Any]) -> list[str]:
    """Refuse standard fields with what they cannot hold; null is the same as leaving one out.

    Returns:
        A sentence for each key that is nearly a standard one: `licence` is kept as it is, and means nothing to mlreg.

    Raises:
        UsageError: `bad_field`, with the path of the first value that is wrong, and what it should be.
    """
    for name, field in STANDARD_FIELDS.items():
        if metadata.get(name) is not None:
            field.check(metadata[name], name)
    return [
        f"{quoted(key)} is kept as it is; the standard field is {near!r}"
        for key in metadata
        if (near := _near(key)) and near not in metadata
    ]


def _near(key: str) -> str:
    """Return the standard field that a key nearly is; empty if it is one, or like none."""
    import difflib

    if key in STANDARD_FIELDS:
        return ""
    word = key.lower().replace("-", "_")
    close = difflib.get_close_matches(word, STANDARD_FIELDS, n=1, cutoff=_NEAR)
    return _OTHER_WORDS.get(word) or (close[0] if close else "")


def _wrong(path: str, value: object, should: str, fix: str = "") -> UsageError:
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    return UsageError(
        "bad_field",
        f"the field {quoted(path)} is {_shown(value)}",
        why=f"it should be {should}",
        fix=fix or f"write it like {STANDARD_FIELDS[name].example}",
    )


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case str():
            return f"the text {quoted(value)}"
        case bool() | float():
            return str(value).lower()
        case int():
            return "a whole number"  # which may have more digits than Python writes out
    word = {"list": "list", "tuple": "list", "dict": "mapping"}.get(type(value).__name__)
    return f"a {word}" if word else f"an object of the type {type(value).__name__}"


def _check_text(value: object, path: str) -> None:
    if not isinstance(value, str):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        raise _wrong(path, value, "a text", "put it in quotes" if is_number else "")


def _check_license(value: object, path: str) -> None:
    _check_text(value, path)
    text = str(value)
    if len(text) > _MAX_LICENSE_CHARS or not _LICENSE.fullmatch(text):
        raise _wrong(path, value, "the short name of a license, as SPDX lists them, or 'other'")


def _check_texts(value: object, path: str) -> None:
    if not isinstance(value, list | tuple):
        raise _wrong(path, value, "a list of texts")
    for number, item in enumerate(value):
        _check_text(item, f"{path}[{number}]")


def _check_text_or_texts(value: object, path: str) -> None:
    if isinstance(value, list | tuple):
        _check_texts(value, path)
    elif not isinstance(value, str):
        raise _wrong(path, value, "a text, or a list of texts")


def _check_framework(value: object, path: str) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, Mapping):
        raise _wrong(path, value, "a text, or a mapping of name and version")
    if "name" not in value or not value.keys() <= {"name", "version"}:
        raise _wrong(path, value, "a mapping with a name, a version, and nothing else")
    for key, item in value.items():
        _check_text(item, f"{path}.{key}")


def _check_mapping(value: object, path: str) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(path, value, "a mapping")


def _check_columns(value: object, path: str) -> None:
    _check_mapping(value, path)
    for name, said in value.items() if isinstance(value, Mapping) else ():
        for key, item in (said if isinstance(said, Mapping) else {"type": said}).items():
            if key in ("type", "description"):
                _check_text(item, f"{path}.{name}.{key}" if isinstance(said, Mapping) else f"{path}.{name}")


def _check_splits(value: object, path: str) -> None:
    _check_mapping(value, path)
    for name, said in value.items() if isinstance(value, Mapping) else ():
        _check_text_or_texts(said, f"{path}.{name}")


def _check_metrics(value: object, path: str, depth: int = 1) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(path, value, "a mapping from names to numbers")
    if depth > MAX_METRIC_DEPTH:
        raise _wrong(path, value, f"a number: mappings are at most {MAX_METRIC_DEPTH} deep here")
    for key, item in value.items():
        if isinstance(item, Mapping):
            _check_metrics(item, f"{path}.{key}", depth + 1)
        else:
            _check_number(item, f"{path}.{key}")


def _check_number(value: object, path: str) -> None:
    should = "a finite number, or a mapping of such numbers"
    if isinstance(value, bool) or not isinstance(value, int | float):
        is_quoted = isinstance(value, str) and isinstance(scalar(value), int | float)
        raise _wrong(path, value, should, "leave its quotes out" if is_quoted else "")
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(path, value, should, "leave it out, or keep it as a text under a key that is not standard")


STANDARD_FIELDS: Mapping[str, StandardField] = {
    "description": StandardField("a text", "description: finds sutures in video frames", _check_text),
    "license": StandardField("the short name of SPDX, or `other`", "license: Apache-2.0", _check_license),
    "framework": StandardField(
        "a text, or a mapping of `name` and `version`", "framework: {name: torch, version: '2.1'}", _check_framework
    ),
    "task": StandardField("a text", "task: object-detection", _check_text),
    "metrics": StandardField(
        "a mapping from names to finite numbers, or to such mappings", "metrics: {map: 0.93}", _check_metrics
    ),
    "hyperparameters": StandardField("a mapping", "hyperparameters: {epochs: 30}", _check_mapping),
    "base_model": StandardField("a text, or a list of texts", "base_model: resnet50", _check_text_or_texts),
    "data": StandardField("a text, or a list of texts", "data: [data/frames, data/masks]", _check_text_or_texts),
    "keywords": StandardField("a list of texts", "keywords: [surgery, video]", _check_texts),
    "schema": StandardField(
        "a mapping from columns to types, or to mappings of `type` and `description`",
        "schema: {age: {type: integer, description: in years}}",
        _check_columns,
    ),
    "splits": StandardField(
        "a mapping from names to a pattern of paths, or a list of them", "splits: {train: train/*}", _check_splits
    ),
    "card": StandardField("a text, in Markdown", "card: '# Suture detector'", _check_text),
}
"""Name -> what it holds. A new standard field is a new line here and in `docs/fields.md`."""


def check_schema(metadata: Mapping[str, Any], schema: object, name: str) -> None:
    """Refuse metadata that breaks a JSON Schema, draft 2020-12; `format` is not looked at.

    Nothing is fetched: a `$ref` leads to a place in the schema itself. A schema is trusted not to burn time: a
    `pattern` of it is run by `re`, which may take for ever. So it comes from the project's own settings, never from
    a remote or a version.

    Args:
        metadata: JSON values.
        schema: a mapping, as it was read from JSON or YAML.
        name: of the schema, for messages.

    Raises:
        UsageError: `schema_violation`, with the path of each breach, the first 10; `bad_schema`; `bad_json`.
        UnsupportedError: `missing_extra`, the library jsonschema is not there.
    """
    canonical.check(metadata)
    found = list(itertools.islice(_violations(dict(metadata), schema, name), MAX_VIOLATIONS + 1))
    if found:
        more = "; and more" if len(found) > MAX_VIOLATIONS else ""
        raise UsageError(
            "schema_violation",
            f"the metadata breaks the schema {name}",
            why="; ".join(map(_violation_text, found[:MAX_VIOLATIONS])) + more,
            fix=("mlreg config list --origin", "change the metadata, or the schema"),
        )


def _violations(metadata: dict[str, Any], schema: object, name: str) -> Iterator[ValidationError]:
    try:
        import jsonschema
        import referencing
    except ImportError as error:
        fix = "pip install 'mlreg[schema]'"
        raise UnsupportedError("missing_extra", "a schema needs jsonschema", why=str(error), fix=fix) from error
    if not isinstance(schema, Mapping):
        raise _bad_schema(name, f"it is {_shown(schema)}, and should be a mapping")
    if str(schema.get("$schema", _DRAFT)).rstrip("#") != _DRAFT:
        raise _bad_schema(name, f"its $schema is not {_DRAFT}")
    try:
        jsonschema.Draft202012Validator.check_schema(dict(schema))
        # A registry of its own has no way to fetch: the one by default asks the network.
        validator = jsonschema.Draft202012Validator(dict(schema), registry=referencing.Registry())
        yield from validator.iter_errors(metadata)
    except jsonschema.SchemaError as error:
        raise _bad_schema(name, _violation_text(error)) from error
    except referencing.exceptions.Unresolvable as error:
        raise _bad_schema(name, f"it has no place {quoted(str(error.ref))}, and nothing is fetched") from error
    except Exception as error:
        raise _bad_schema(name, f"{type(error).__name__}: {quoted(str(error))}") from error


def _violation_text(error: ValidationError | SchemaError) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    text = f"{path.removeprefix('.')}: {error.message}" if path else error.message
    shown = text.encode("ascii", "backslashreplace").decode().translate(_CONTROLS)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."


def _bad_schema(name: str, reason: str) -> UsageError:
    return UsageError("bad_schema", f"{name} is no schema for metadata", why=reason, fix=f"correct {name}")
