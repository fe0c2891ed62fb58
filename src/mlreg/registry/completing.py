"""What a ref that is being typed may become. Only the repository here is asked, never another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from mlreg.formats.names import KIND_WORDS, KINDS, Entry, is_version_text
from mlreg.formats.snapshot import RefState
from mlreg.formats.versions import order
from mlreg.operations.history import leaf_of, newest_first, tags_of
from mlreg.operations.naming import meant
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import entries_of
from mlreg.repository.view import View

MOST = 50
"""Versions that are listed; if more begin as the word does, the beginnings of their next parts are."""
NEWEST = 20
"""Versions that are listed where nothing of one is typed yet."""


class Candidate(NamedTuple):
    """What a word may become."""

    text: str
    goes_on: bool = False
    """Whether something may, or must, stand behind it in the same word."""


def refs(registry: Registry, word: str) -> list[Candidate]:
    """Return refs that a word is the beginning of: entries; behind `@` tags, and versions, the newest first."""
    return _refs(registry, word, _tags, lambda version: version.target is not None)


def removed(registry: Registry, word: str) -> list[Candidate]:
    """Return refs, as `refs` does, of versions that were removed."""
    return _refs(registry, word, lambda view, entry: (), lambda version: version.target is None)


def _refs(
    registry: Registry,
    word: str,
    tags: Callable[[View, Entry], Iterable[str]],
    is_wanted: Callable[[RefState], bool],
) -> list[Candidate]:
    name, at, selector = word.partition("@")
    if not at:
        return [Candidate(one.text, goes_on=True) for one in entries(registry, word)]
    view = registry.repository.log.refresh()
    found: list[Candidate] = []
    for entry in _entries_called(view, name):
        found.extend(Candidate(tag) for tag in tags(view, entry) if tag.startswith(selector))
        found.extend(_versions(view, entry, selector, is_wanted))
    return [Candidate(f"{name}@{one.text}", one.goes_on) for one in dict.fromkeys(found)]


def entries(registry: Registry, word: str) -> list[Candidate]:
    """Return entries that a word is the beginning of, up to the next `/`; the kind may be left out."""
    view = registry.repository.log.refresh()
    head, slash, rest = word.partition("/")
    if slash and head in KIND_WORDS:
        names = [entry.name for entry in entries_of(view, f"{KIND_WORDS[head]}/*").values()]
        return [Candidate(f"{head}/{one.text}", one.goes_on) for one in _parts(names, rest, "/")]
    kinds = [Candidate(f"{kind}/", goes_on=True) for kind in sorted(KINDS) if kind.startswith(word)]
    names = [entry.name for entry in entries_of(view).values()] if word else []
    return [*kinds, *_parts(names, word, "/")]


def tags_beside(registry: Registry, ref: str) -> list[str]:
    """Return the tags of the entry that a ref names, sorted."""
    view = registry.repository.log.refresh()
    found = (_tags(view, entry) for entry in _entries_called(view, ref.partition("@")[0]))
    return [tag for some in found for tag in some if tag != "latest"]


def _entries_called(view: View, name: str) -> list[Entry]:
    """Return the entries of the log that a name means, with a kind or without."""
    head, slash, rest = name.partition("/")
    named = [Entry(KIND_WORDS[head], rest)] if slash and head in KIND_WORDS else [Entry(k, name) for k in sorted(KINDS)]
    meant_ = [meant(view, entry) for entry in named]
    return [entry for entry in meant_ if next(newest_first(view, entry), None)]


def _tags(view: View, entry: Entry) -> list[str]:
    return [*(tag for tag, ref in tags_of(view, entry).items() if ref.target), "latest"]


def _versions(view: View, entry: Entry, beginning: str, is_wanted: Callable[[RefState], bool]) -> Iterable[Candidate]:
    if not beginning:
        found = (leaf_of(ref) for ref in newest_first(view, entry) if is_wanted(ref))
        return [Candidate(version) for version in islice(filter(is_version_text, found), NEWEST)]
    prefix = f"version/{entry}/"
    leaves = (ref.name.removeprefix(prefix) for ref in view.refs(prefix + beginning) if is_wanted(ref))
    # Behind another `/` are versions of other entries.
    versions = [leaf for leaf in leaves if is_version_text(leaf)]
    shown = [Candidate(version) for version in versions]
    for mark in (".", ""):
        if len(shown) > MOST:
            shown = _parts(versions, beginning, mark)
    return sorted(shown, key=lambda one: order(one.text.rstrip(".")), reverse=True)


def _parts(words: Iterable[str], beginning: str, mark: str) -> list[Candidate]:
    """Return those of some words that begin so, in their order, each up to the next mark.

    An empty mark is behind each character.
    """
    found: dict[str, bool] = {}
    for word in words:
        if word.startswith(beginning):
            at = word.find(mark, len(beginning))
            part = word if at < 0 else word[: at + 1]
            found[part] = found.get(part, False) or part != word
    return [Candidate(part, goes_on) for part, goes_on in found.items()]
