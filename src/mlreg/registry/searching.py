"""Find versions by what is known of them: `meta.metrics.map > .9`, in an order, or by words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import normalize

from mlreg.errors import UsageError
from mlreg.formats.annotation import HELD, Annotation, about_entry, by_version, facts_of
from mlreg.formats.commit import Commit
from mlreg.formats.expression import parse_expression, parse_sort
from mlreg.formats.matching import matches, sorted_by
from mlreg.formats.names import Entry, known_ref_name
from mlreg.formats.ref import is_pattern, parse_ref
from mlreg.formats.snapshot import RefState
from mlreg.formats.versions import order
from mlreg.ids import CommitId
from mlreg.operations import history
from mlreg.operations.naming import called
from mlreg.operations.tainting import Taints
from mlreg.registry import results
from mlreg.registry.describe import either, labels_of, version_info
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import entries_of, resolve_entry
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

FIELDS = (
    *("author", "deprecated", "files", "form", "frozen", "held", "inputs", "kind", "labels", "message", "meta", "name"),
    *("size", "tags", "tainted", "time", "version"),
)
"""What expressions may speak of. Sizes are bytes; `inputs` is from role to ref; `tags` a list."""


class _Found(NamedTuple):
    """A version, and what expressions see of it."""

    commit_id: CommitId
    document: Mapping[str, Any]


def search(
    registry: Registry, pattern: str = "*", where: str = "", sort: str = "", words: Sequence[str] = (), limit: int = 0
) -> list[results.VersionInfo]:
    """Return the versions that fit; without `sort`, by entry and the newest first.

    Args:
        registry: where to look.
        pattern: of `kind/name`, as in a shell; or one entry, which must be there.
        where: an expression (`docs/expressions.md`); all if empty.
        sort: keys, as in `-meta.metrics.map,name`.
        words: all of them must stand somewhere in name, message, metadata, labels or tags, in any case.
        limit: the most that are returned; 0 for all.

    Raises:
        UsageError: `bad_expression`, `bad_sort`; `search_in_version`, the pattern is a version.
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
    """
    wanted = parse_expression(where, FIELDS) if where else None
    keys = parse_sort(sort, FIELDS) if sort else ()
    view = registry.repository.log.refresh()
    found = _documents(registry.repository, view, entries_meant(view, pattern))
    fitting = [one for one in found if wanted is None or matches(wanted, one.document)]
    fitting = [one for one in fitting if _has_words(one.document, words)]
    ordered = sorted_by(fitting, keys, _sortable)[: max(0, limit) or None]
    commits = history.read_commits(registry.repository, [one.commit_id for one in ordered])
    taints = Taints(registry.repository).of_each(one.commit_id for one in ordered)
    return [
        version_info(registry.repository, one.commit_id, commits[one.commit_id], taints=taints[one.commit_id])
        for one in ordered
    ]


def _sortable(found: _Found) -> Mapping[str, Any]:
    """Return a document in which versions stand in their own order, 1.9.0 before 1.10.0."""
    return {**found.document, "version": order(found.document["version"]).hex()}


def entries_meant(view: View, pattern: str) -> dict[Entry, Entry]:
    """Return the entries that fit a pattern, or the one that is named, each with what it is called.

    Raises:
        UsageError: `search_in_version`, the text is a version.
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
    """
    if is_pattern(pattern):
        return entries_of(view, pattern)
    ref = parse_ref(pattern)
    if ref.selector is not None or ref.path is not None:
        whole = ref._replace(selector=None, steps=(), path=None)
        fix = f"search in {whole}" if ref.name else "search in all"
        raise UsageError("search_in_version", f"{pattern} is one version, and versions of entries are found", fix=fix)
    entry = resolve_entry(view, ref)
    return {entry: called(view, entry)}


def _documents(repository: Repository, view: View, entries: Mapping[Entry, Entry]) -> Iterator[_Found]:
    stated, tags, taints = view.all_annotations(), _tags(view), Taints(repository)
    of_versions = by_version(stated)
    for entry, shown in entries.items():
        live = [ref for ref in history.newest_first(view, entry) if ref.target]
        of_entry = facts_of(stated.get(about_entry(entry), []))
        bodies = repository.objects.read_commits([ref.target for ref in live if ref.target])
        tainted = taints.of_each(ref.target for ref in live if ref.target)
        for ref in live:
            assert ref.target is not None  # noqa: S101 - only live ones
            own_tags = tags.get((entry, ref.target), [])
            document = _document(shown, ref, bodies[ref.target], of_entry, of_versions, own_tags)
            yield _Found(ref.target, {**document, "tainted": bool(tainted[ref.target])})


def _tags(view: View) -> Mapping[tuple[Entry, CommitId], list[str]]:
    found: dict[tuple[Entry, CommitId], list[str]] = {}
    for ref in view.refs("tag/"):
        name = known_ref_name(ref.name)
        if name and ref.target:
            found.setdefault((name.entry, ref.target), []).append(name.leaf)
    return found


def _document(
    shown: Entry,
    ref: RefState,
    body: bytes,
    of_entry: Mapping[str, Any],
    of_versions: Mapping[str, Mapping[str, list[Annotation]]],
    tags: Sequence[str],
) -> Mapping[str, Any]:
    # Read without the checks of `Commit.decode`: the bytes have their id, and what is shown is read again with them.
    commit = json.loads(body)
    by_content = of_versions.get(ref.name)
    own = by_content.get(Commit.decode(body).content(), []) if by_content else []
    facts = facts_of(own, {"metadata": commit["metadata"]}) if own else {"metadata": commit["metadata"]}
    assert ref.target is not None  # noqa: S101 - only live ones
    return {
        "kind": shown.kind,
        "name": shown.name,
        "version": commit["version"],
        "author": commit["author"],
        "time": commit["time"],
        "message": commit["message"],
        "size": commit["size"],
        "files": commit["files"],
        "form": commit["form"],
        "meta": facts.get("metadata"),
        "labels": labels_of(of_entry, facts),
        "deprecated": either(of_entry, facts, "deprecated"),
        "frozen": bool(either(of_entry, facts, "frozen")),
        "held": either(of_entry, facts, HELD),
        "tags": list(tags),
        "inputs": {item["role"]: item["ref"] for item in commit["inputs"]},
    }


def _has_words(document: Mapping[str, Any], words: Sequence[str]) -> bool:
    if not words:
        return True
    shown = ("kind", "name", "version", "message", "meta", "labels", "tags", "deprecated")
    text = _folded("\n".join(_texts([document[field] for field in shown])))
    return all(_folded(word) in text for word in words)


def _texts(value: object) -> Iterator[str]:
    """Yield the words of a JSON value as they are shown: its keys, texts, and numbers."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (key, *_texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield json.dumps(value)


def _folded(text: str) -> str:
    """Return a text so that those that look alike are equal, in whatever case and composition."""
    return normalize("NFC", text).casefold()
