"""JSON Schemas of what `--json` prints: made of the types of the results and of their docstrings, when asked for."""

from __future__ import annotations

import ast
import difflib
import inspect
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mlreg.cli.answers import SchemaDocument, SchemaInfo
from mlreg.cli.contract import COMMANDS, SCHEMAS, Schema
from mlreg.errors import NotFoundError
from mlreg.registry.results import fields_of

DRAFT = "https://json-schema.org/draft/2020-12/schema"

JsonSchema = dict[str, Any]

_PLAIN: Mapping[object, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


def listed() -> list[SchemaInfo]:
    """Return all schemas, sorted by name."""
    return [SchemaInfo(title_of(name), _commands_of(name)) for name in sorted(SCHEMAS)]


def schema_named(name: str) -> SchemaDocument:
    """Return a schema by `ls` or `mlreg.ls/1`.

    Raises:
        NotFoundError: `no_schema`.
    """
    short = name.removeprefix("mlreg.").removesuffix("/1")
    if short not in SCHEMAS:
        near = difflib.get_close_matches(short, SCHEMAS, n=1)
        fix = (*(f"mlreg schema {one}" for one in near), "mlreg schema")
        raise NotFoundError("no_schema", f"there is no schema {name!r:.80}", fix=fix)
    return SchemaDocument(title_of(short), _commands_of(short), _document(short, SCHEMAS[short]))


def title_of(name: str) -> str:
    """Return what stands as `schema` in a document.

    >>> title_of("ls")
    'mlreg.ls/1'
    """
    return f"mlreg.{name}/1"


def _commands_of(name: str) -> tuple[str, ...]:
    return tuple(f"mlreg {words}" for words, contract in COMMANDS.items() if name in contract.schemas)


def _document(name: str, schema: Schema) -> JsonSchema:
    found = Definitions()
    if schema.is_list:
        lists = [{"type": "array", "items": found.of(one)} for one in schema.types]
        body = _object("", {"items": lists[0] if len(lists) == 1 else {"anyOf": lists}})
    else:
        (result,) = schema.types
        body = found.object_of(result)
    body["properties"] = {"schema": {"const": title_of(name)}, **body["properties"]}
    body["required"] = ["schema", *body["required"]]
    definitions = {"$defs": found.definitions} if found.definitions else {}
    return {"$schema": DRAFT, "title": title_of(name), **body, **definitions}


def _object(description: str, properties: JsonSchema) -> JsonSchema:
    said = {"description": description} if description else {}
    # Fields are only ever added: who reads must not mind new ones.
    shape = {"type": "object", "additionalProperties": True}
    return {**said, **shape, "properties": properties, "required": list(properties)}


class Definitions:
    """Writes types as schemas, and collects the types that they are made of."""

    def __init__(self) -> None:
        self.definitions: dict[str, JsonSchema] = {}

    def of(self, hint: object) -> JsonSchema:
        """Return the schema of a type.

        Raises:
            KeyError: it has no form in JSON.
        """
        if hint is Any:
            return {}
        if isinstance(hint, type) and hasattr(hint, "_fields"):
            return self._reference(hint)
        write = _WRITERS.get(get_origin(hint))
        return write(self, get_args(hint)) if write else {"type": _PLAIN[hint]}

    def object_of(self, result: type) -> JsonSchema:
        """Return the schema of a type of results."""
        said = _said_of(result)
        properties = {name: {**said.get(name, {}), **self.of(hint)} for name, hint in _hints_of(result).items()}
        return _object(inspect.getdoc(result) or "", properties)

    def _reference(self, result: type) -> JsonSchema:
        name = result.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # so that what holds itself comes to an end
            self.definitions[name] = self.object_of(result)
        return {"$ref": f"#/$defs/{name}"}

    def literal(self, arguments: Sequence[Any]) -> JsonSchema:
        """Return the schema of some words."""
        return {"enum": list(arguments)}

    def union(self, arguments: Sequence[Any]) -> JsonSchema:
        """Return the schema of one type or another."""
        return {"anyOf": [self.of(one) for one in arguments]}

    def array(self, arguments: Sequence[Any]) -> JsonSchema:
        """Return the schema of `tuple[X, ...]`."""
        return {"type": "array", "items": self.of(arguments[0])}

    def mapping(self, arguments: Sequence[Any]) -> JsonSchema:
        """Return the schema of `Mapping[str, X]`."""
        return {"type": "object", "additionalProperties": self.of(arguments[1]) or True}


_WRITERS: Mapping[object, Callable[[Definitions, Sequence[Any]], JsonSchema]] = {
    Literal: Definitions.literal,
    Union: Definitions.union,
    UnionType: Definitions.union,
    tuple: Definitions.array,
    Mapping: Definitions.mapping,
}


def _hints_of(result: type) -> dict[str, Any]:
    """Return the type of each name that `--json` prints of a result."""
    hints = get_type_hints(result)
    derived = {name: getattr(result, name) for name in fields_of(result) if name not in hints}
    return hints | {name: get_type_hints(found.fget)["return"] for name, found in derived.items()}


def _said_of(result: type) -> dict[str, JsonSchema]:
    """Return the description of each name, where the source of the type has one under it."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(result))).body
    except (OSError, TypeError):
        return {}
    body: list[ast.stmt] = getattr(tree, "body", [])
    fields = {
        name.id: text
        for before, after in itertools.pairwise(body)
        if isinstance(before, ast.AnnAssign) and isinstance(name := before.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(text := after.value.value, str)
    }
    properties = {one.name: ast.get_docstring(one) or "" for one in body if isinstance(one, ast.FunctionDef)}
    return {name: {"description": inspect.cleandoc(text)} for name, text in (fields | properties).items()}
