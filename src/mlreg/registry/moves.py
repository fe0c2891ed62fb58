"""Whose moves a log is about."""

from __future__ import annotations

from mlreg.formats.names import parse_ref_name
from mlreg.formats.ref import Ref
from mlreg.operations import history
from mlreg.registry.resolve import resolve, resolve_entry
from mlreg.repository.repository import Repository
from mlreg.repository.view import Change


def logged_name(repository: Repository, ref: Ref) -> str:
    """Return the entry, tag or version whose log a ref asks for; one that was removed has a log, too."""
    view = repository.log.view
    if ref.name:
        entry = resolve_entry(view, ref)
        if ref.selector is None:
            return str(entry)
        known = {**history.versions_of(view, entry), **history.tags_of(view, entry)}
        if ref.selector in known and not ref.steps:
            return f"{entry}@{ref.selector}"
    found = resolve(repository, ref)
    return f"{found.entry}@{found.version}"


def is_of(move: Change, logged: str) -> bool:
    """Tell whether a move is one of the entry, tag or version that is called so in the log."""
    name = parse_ref_name(move.name)
    return str(name.entry) == logged or f"{name.entry}@{name.leaf}" == logged
