"""Metadata as it is typed: `--meta metrics.map=0.93` and `--meta-file card.yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlreg.errors import UsageError
from mlreg.formats.names import quoted
from mlreg.formats.yaml_document import parse_yaml, scalar
from mlreg.registry.documents import text_of


def read_metadata(
    pairs: Iterable[str], files: Iterable[Path], card: Path | None = None, example: str = "--meta metrics.map=0.93"
) -> dict[str, Any]:
    """Return the metadata of a card, all files and all pairs, in this order; the later one wins.

    Args:
        pairs: as they are typed.
        files: in YAML or JSON.
        card: in Markdown.
        example: how a pair is typed where these are.

    Raises:
        UsageError: `bad_meta`, `bad_yaml`.
        NotFoundError: `file_missing`.
    """
    found = read_card(card)
    for path in files:
        found.update(_read_file(path))
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError("bad_meta", f"{quoted(pair)} is not KEY=VALUE", fix=f"write it like {example}")
        _put(found, key.split("."), _value(value, key), pair)
    return found


def read_card(path: Path | None) -> dict[str, Any]:
    """Return the metadata that a card holds: its front matter, and its text as `card`; nothing without a card.

    Raises:
        UsageError: `bad_card`, `bad_meta`, `bad_yaml`.
        NotFoundError: `file_missing`.
    """
    if path is None:
        return {}
    from mlreg.formats.card import parse_card

    card = parse_card(text_of(path), str(path))
    return {**card.fields, "card": card.body}


def _read_file(path: Path) -> dict[str, Any]:
    document = parse_yaml(text_of(path), str(path))
    if not isinstance(document, dict):
        raise UsageError("bad_meta", f"{path} does not hold a mapping", fix="write KEY: VALUE lines")
    return document


def _value(text: str, key: str) -> Any:
    """Return a JSON list or object as such, a plain word as YAML would take it."""
    if text[:1] in ("{", "["):
        return parse_yaml(text, key)
    if text[:1] == '"' and text[-1:] == '"':
        return parse_yaml(text, key)
    value = scalar(text)
    return text if value is None and text != "null" else value


def _put(found: dict[str, Any], keys: list[str], value: Any, pair: str) -> None:
    *parents, last = keys
    for key in parents:
        below = found.setdefault(key, {})
        if not isinstance(below, dict):
            raise UsageError("bad_meta", f"{quoted(pair)}: {quoted(key)} is a value already", fix="give every key once")
        found = below
    found[last] = value


def read_inputs(pairs: Iterable[str]) -> list[tuple[str, str]]:
    """Return (role, ref) of each `ROLE=REF`.

    Raises:
        UsageError: `bad_input`.
    """
    found = []
    for pair in pairs:
        role, equals, ref = pair.partition("=")
        if not equals or not role or not ref:
            kind, slash, _ = pair.partition("/")
            fix = f"--in {kind}={pair}" if slash and not equals else "--in data=data/frames@2026.11.23"
            raise UsageError(
                "bad_input", f"{quoted(pair)} is not ROLE=REF", why="the role says what it was used as", fix=fix
            )
        found.append((role, ref))
    return found
