"""How entries, versions and events look to a user: results made of commits, names and statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mlreg.errors import MlregError
from mlreg.formats.annotation import HELD, Annotation, Dispute, about_entry, by_version, disputes, facts_of
from mlreg.formats.commit import Commit
from mlreg.formats.names import Entry, known_ref_name, parse_ref_name, version_ref
from mlreg.ids import CommitId
from mlreg.operations import history
from mlreg.operations.naming import called
from mlreg.operations.tainting import Taint, Taints
from mlreg.registry import results
from mlreg.repository.repository import Repository
from mlreg.repository.view import Change, View


class Statements(NamedTuple):
    """What was stated about an entry and its versions."""

    of_versions: Mapping[str, Mapping[str, list[Annotation]]]
    """By the names of versions in the log, then by their content; each list in order."""
    of_entry: Mapping[str, Any]
    """What the statements about the entry add up to."""
    disputed: Sequence[Dispute]
    """Facts about the entry."""

    def about(self, commit: Commit) -> list[Annotation]:
        """Return what was stated about one version, in order."""
        by_content = self.of_versions.get(version_ref(Entry.parse(commit.entry), commit.version))
        return by_content.get(commit.content(), []) if by_content else []


def statements_of(view: View, entry: Entry, version: str = "") -> Statements:
    """Return what was stated about an entry and one of its versions, or all."""
    prefix, on_entry = f"version/{entry}/{version}{'@' * bool(version)}", view.annotations(about_entry(entry))
    return Statements(by_version(view.all_annotations(prefix)), facts_of(on_entry), disputes(on_entry))


def version_info(
    repository: Repository,
    commit_id: CommitId,
    commit: Commit,
    stated: Statements | None = None,
    taints: Sequence[Taint] | None = None,
) -> results.VersionInfo:
    """Return what is known of a version.

    Args:
        repository: where it is.
        commit_id: of the version.
        commit: the version as it was registered.
        stated: of its entry, if it is known already.
        taints: of the version, if they are known already.
    """
    entry, view = Entry.parse(commit.entry), repository.log.view
    stated = stated or statements_of(view, entry, commit.version)
    taints = Taints(repository).of_each([commit_id])[commit_id] if taints is None else taints
    own, of_entry = stated.about(commit), stated.of_entry
    facts = facts_of(own, {"metadata": commit.metadata})
    names, shown = map(known_ref_name, view.names_of(commit_id)), called(view, entry, of_entry)
    return results.VersionInfo(
        ref=f"{shown}@{commit.version}",
        kind=shown.kind,
        name=shown.name,
        version=commit.version,
        id=str(commit_id),
        tree=str(commit.tree),
        files=commit.files,
        size=commit.size,
        form=commit.form,
        tags=tuple(n.leaf for n in names if n and n.remote is None and (n.sort, n.entry) == ("tag", entry)),
        author=commit.author,
        time=commit.time,
        message=commit.message,
        metadata=_mapping(facts.get("metadata")),
        inputs=tuple(results.InputInfo(item.role, item.ref, str(item.commit)) for item in commit.inputs),
        parents=tuple(map(str, commit.parents)),
        labels=labels_of(of_entry, facts),
        deprecated=str(either(of_entry, facts, "deprecated") or ""),
        frozen=bool(either(of_entry, facts, "frozen")),
        disputed=tuple(".".join(dispute.path) for dispute in (*disputes(own), *stated.disputed)),
        taints=tuple(results.TaintInfo(*taint) for taint in taints),
        held=str(either(of_entry, facts, HELD) or ""),
    )


def labels_of(of_entry: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels of a version: those of its entry, and its own before them."""
    return {**_mapping(of_entry.get("labels")), **_mapping(facts.get("labels"))}


def either(of_entry: Mapping[str, Any], facts: Mapping[str, Any], name: str) -> object:
    """Return a fact that holds of a version if it holds of it or of its entry."""
    return facts.get(name) or of_entry.get(name)


def _mapping(value: object) -> Mapping[str, object]:
    # A statement may be someone else's work: what should be a mapping is one.
    return value if isinstance(value, Mapping) else {}


def entry_info(repository: Repository, entry: Entry, taints: Taints) -> results.EntryInfo:
    """Return where an entry stands."""
    view = repository.log.view
    versions = {ref.target: history.leaf_of(ref) for ref in history.newest_first(view, entry) if ref.target}
    newest = history.latest_of(view, entry)
    commit = history.read_commit(repository, newest.target) if newest and newest.target else None
    tagged = {name: ref.target for name, ref in history.tags_of(view, entry).items() if ref.target}
    tags = {name: versions.get(target, "") for name, target in tagged.items()}
    shown_versions = dict.fromkeys([*([newest.target] if newest and newest.target else []), *tagged.values()])
    tainted = tuple(versions.get(one, "") for one, some in taints.of_each(shown_versions).items() if some)
    size, time = (commit.size, commit.time) if commit else (0, "")
    shown, latest = str(called(view, entry)), history.leaf_of(newest) if newest else ""
    return results.EntryInfo(shown, latest, len(versions), tags, size, time, tainted)


class Shown:
    """What the entries of a view are called, each looked up once."""

    def __init__(self, view: View) -> None:
        """Look into a view, which does not change meanwhile."""
        self._view = view
        self._called: dict[Entry, Entry] = {}

    def version(self, commit: Commit) -> str:
        """Return a version as a user reads it."""
        # A commit may be someone else's work, and its entry no legal one.
        kind, _, name = commit.entry.partition("/")
        return self.ref(Entry(kind, name), commit.version)

    def ref(self, entry: Entry, leaf: str) -> str:
        """Return a version or a tag of an entry of the log as a user reads it, or the entry, if the leaf is empty."""
        if entry not in self._called:
            self._called[entry] = called(self._view, entry)
        return f"{self._called[entry]}@{leaf}" if leaf else str(self._called[entry])


def version_names(repository: Repository, commits: Iterable[CommitId]) -> dict[CommitId, str]:
    """Return how each commit is called; its id if it cannot be read any more."""
    names: dict[CommitId, str] = {}
    shown = Shown(repository.log.view)
    for commit_id in commits:
        try:
            commit = history.read_commit(repository, commit_id)
        except MlregError:
            names[commit_id] = f"b3:{commit_id}"
        else:
            names[commit_id] = shown.version(commit)
    return names


def event(move: Change, names: Mapping[CommitId, str], shown: Shown, *, is_first: bool) -> results.Event:
    """Return a move of a name as a user reads it.

    Args:
        move: of a version or a tag.
        names: how the commits are called.
        shown: how the entries are called.
        is_first: whether the name was never set before.
    """
    name = parse_ref_name(move.name)
    if name.sort == "tag":
        change = "tag" if move.new else "untag"
    else:
        change = ("add" if is_first else "restore") if move.new else "remove"
    return results.Event(
        number=move.number,
        time=move.time,
        author=move.author,
        message=move.message,
        ref=shown.ref(name.entry, name.leaf),
        change=change,
        previous=names[move.old] if move.old else "",
        target=names[move.new] if move.new else "",
    )
