"""Statements about entries and versions: corrected metadata, labels, a deprecation, a freeze.

Nothing that was stated is ever changed: what holds is what all statements add up to, and each says who
made it, when and why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from mlreg.errors import NotFoundError
from mlreg.formats.annotation import Annotation, disputes, facts_of, heads, is_same, merge_patch, touches
from mlreg.formats.canonical import check
from mlreg.formats.names import Entry, version_ref
from mlreg.formats.transaction import Transaction
from mlreg.operations.history import version_of
from mlreg.repository.log import Draft, Settled, now
from mlreg.repository.repository import Repository
from mlreg.repository.view import View


def annotate(
    repository: Repository,
    about: str,
    patch: Mapping[str, Any],
    author: str,
    message: str,
    before: Callable[[View], Mapping[str, Any]],
) -> Transaction | None:
    """State something about an entry or a version; None if it holds already.

    Args:
        repository: where it is stated.
        about: as `mlreg.formats.annotation.Annotation.about`.
        patch: what changes in the facts, a merge patch.
        author: who states it.
        message: why.
        before: returns what was so before the first statement, and raises if there is no such thing.

    Raises:
        UsageError: `bad_json`, `annotation_too_large`.
    """
    check(dict(patch))

    def build(view: View) -> Draft:
        known = view.annotations(about)
        facts = facts_of(known, before(view))
        is_disputed = any(touches(patch, dispute.path) for dispute in disputes(known))
        if is_same(_plain(merge_patch(facts, patch)), _plain(facts)) and not is_disputed:
            raise Settled
        one = Annotation(os.urandom(16).hex(), about, patch, heads(known), author, now(), message)
        return Draft(author, message, notes=(one.note(),))

    try:
        return repository.log.append(build)
    except Settled:
        return None


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts without empty mappings: no labels at all are the same as none any more."""
    return {name: value for name, value in facts.items() if value != {}}


def version_name(view: View, entry: Entry, version: str) -> str:
    """Return what statements about a version are filed under.

    Raises:
        NotFoundError: `version_missing`, there is no such version, or it was removed.
    """
    found = version_of(view, entry, version)
    if found is None or found.target is None:
        raise NotFoundError("version_missing", f"{entry} has no version {version}", fix=f"mlreg ls {entry}")
    return version_ref(entry, version)
