"""Changes of the registry: a version, a tag, a removal; each is one transaction.

Whether a change holds is decided against the newest state, inside `Log.append`. Doing the same again
changes nothing and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from mlreg.errors import (
    ConflictError,
    NotFoundError,
    RefusedError,
)
from mlreg.formats.annotation import HELD, about_entry, about_version, facts_of
from mlreg.formats.names import Entry, check_tag, tag_ref
from mlreg.formats.snapshot import RefState
from mlreg.formats.transaction import RefChange, Transaction
from mlreg.ids import CommitId
from mlreg.operations.history import (
    leaf_of,
    read_commit,
    version_of,
)
from mlreg.operations.naming import called
from mlreg.operations.returning import is_whole, ways_back
from mlreg.operations.tainting import refuse_tainted, with_override
from mlreg.repository.log import Draft, Settled
from mlreg.repository.repository import Repository
from mlreg.repository.view import View


def tag(
    repository: Repository,
    entry: Entry,
    name: str,
    commit_id: CommitId,
    author: str,
    message: str = "",
    *,
    expected: Collection[CommitId | None] | None = None,
    despite_taint: str = "",
) -> Transaction | None:
    """Point a tag at a version; None if it does already.

    Args:
        repository: where.
        entry: whose tag.
        name: of the tag.
        commit_id: of the version.
        author: who.
        message: why.
        expected: where the tag may point to now, None for nowhere; anywhere if left out.
        despite_taint: why a version that is tainted gets it; kept in the message.

    Raises:
        ConflictError: `tag_moved`, it points elsewhere.
        NotFoundError: `version_missing`, the commit is not a version of the entry any more.
        TaintedError: `tainted`.
        UsageError: `bad_tag`.
    """
    check_tag(name)

    def build(view: View) -> Draft:
        if not _has_version(view, entry, commit_id):
            raise NotFoundError(
                "version_missing", f"{entry} has no version with the id {commit_id}", fix=f"mlreg ls {entry}"
            )
        change = _move(view, tag_ref(entry, name), commit_id)
        if change.old == change.new:
            raise Settled
        if expected is not None and change.old not in expected:
            raise _is_moved(entry, name, change.old)
        said, shown = message or f"tag {entry}@{name}", _shown(repository, view, entry, commit_id)
        if refuse_tainted(repository, [commit_id], shown, despite_taint):
            said = with_override(said, despite_taint)
        return Draft(author, said, (change,))

    return _append(repository, build)


def _shown(repository: Repository, view: View, entry: Entry, commit_id: CommitId) -> str:
    return f"{called(view, entry)}@{read_commit(repository, commit_id).version}"


def _is_moved(entry: Entry, name: str, present: CommitId | None) -> ConflictError:
    where = f"points to the version with the id {present}" if present else "does not exist"
    return ConflictError(
        "tag_moved",
        f"{entry}@{name} is not where it was expected: it {where}",
        why="someone else was there first",
        fix=(f"mlreg tag log {entry}@{name}", f"mlreg show {entry}@{name}") if present else f"mlreg tag ls {entry}",
    )


def _has_version(view: View, entry: Entry, commit_id: CommitId) -> bool:
    prefix = f"version/{entry}/"
    return any(name.startswith(prefix) and "/" not in name[len(prefix) :] for name in view.names_of(commit_id))


def untag(repository: Repository, entry: Entry, name: str, author: str, message: str = "") -> Transaction | None:
    """Take a tag away; None if it is away already.

    Raises:
        NotFoundError: `tag_missing`, there never was such a tag.
    """

    def refs(view: View) -> list[RefChange]:
        found = view.ref(tag_ref(entry, name))
        if found is None:
            raise NotFoundError("tag_missing", f"{entry} has no tag {name!r}", fix=f"mlreg tag ls {entry}")
        return [RefChange(found.name, found.target, None)] if found.target else []

    return _change(repository, author, message or f"remove tag {entry}@{name}", refs)


Named: TypeAlias = Mapping[Entry, Sequence[str]]
"""Versions of entries; changed in one transaction, all of them or none."""


def may_go(_: View) -> None:
    """Have nothing against a removal."""


def remove(
    repository: Repository, named: Named, author: str, message: str, still: Callable[[View], None] = may_go
) -> Transaction | None:
    """Remove versions; they can be restored until their bytes are collected. None if all are removed already.

    Args:
        repository: where.
        named: the versions.
        author: who.
        message: why.
        still: asked about the state that the removal is made against; raises if it must not be made any more.

    Raises:
        NotFoundError: `version_missing`.
        RefusedError: `version_tagged`, `version_frozen`, `version_held`.
    """

    def refs(view: View) -> list[RefChange]:
        still(view)
        return [change for entry, versions in named.items() for change in removals(view, entry, versions)]

    def removals(view: View, entry: Entry, versions: Sequence[str]) -> list[RefChange]:
        names = _named(view, entry, versions)
        for version in versions:
            if version not in names:
                raise NotFoundError("version_missing", f"{entry} has no version {version}", fix=f"mlreg ls {entry}")
            _refuse_tagged(view, entry, version, names[version].target)
        live = [names[version] for version in dict.fromkeys(versions)]
        _refuse_kept(repository, entry, live)
        return [RefChange(ref.name, ref.target, None) for ref in live if ref.target]

    return _change(repository, author, message or f"remove {_listed(named)}", refs)


def _refuse_tagged(view: View, entry: Entry, version: str, target: CommitId | None) -> None:
    if target is None:
        return
    prefix = f"tag/{entry}/"
    if tags := [name[len(prefix) :] for name in view.names_of(target) if name.startswith(prefix)]:
        raise RefusedError(
            "version_tagged",
            f"{entry}@{version} is tagged {', '.join(tags)}",
            why="what a tag points to is in use",
            fix=(
                *(f"mlreg tag {entry}@ANOTHER {name}" for name in tags),
                *(f"mlreg tag rm {entry}@{name}" for name in tags),
            ),
        )


def _refuse_kept(repository: Repository, entry: Entry, versions: Sequence[RefState]) -> None:
    """Refuse to remove what is frozen or held."""
    view = repository.log.view
    stated = {"": view.annotations(about_entry(entry))}
    for ref in versions:
        if ref.target and view.all_annotations(f"{ref.name}@"):
            about = about_version(ref.name, read_commit(repository, ref.target).content())
            stated[f"@{leaf_of(ref)}"] = view.annotations(about)
    for version, some in stated.items():
        facts = facts_of(some)
        if facts.get("frozen") or facts.get(HELD):
            raise _is_kept(f"{called(view, entry)}{version}", facts.get(HELD))


def _is_kept(shown: str, held: object) -> RefusedError:
    said = f"mlreg meta log {shown}"
    if held:
        what = f"nothing of {shown} can be removed: it is held"
        return RefusedError("version_held", what, why=str(held), fix=(said, f"mlreg release {shown}"))
    what = f"nothing of {shown} can be removed: it is frozen"
    return RefusedError("version_frozen", what, fix=(said, f"mlreg unfreeze {shown}"))


def restore(repository: Repository, named: Named, author: str, message: str) -> Transaction | None:
    """Bring removed versions back; None if all are there.

    Raises:
        NotFoundError: `version_missing`; `version_collected`, its bytes are gone.
    """

    def refs(view: View) -> list[RefChange]:
        return [change for entry, versions in named.items() for change in returns(view, entry, versions)]

    def returns(view: View, entry: Entry, versions: Sequence[str]) -> list[RefChange]:
        names = _named(view, entry, versions)
        changes = []
        for version in dict.fromkeys(versions):
            if version not in names:
                raise NotFoundError(
                    "version_missing", f"{entry} never had a version {version}", fix=f"mlreg ls {entry}"
                )
            if commit_id := names[version].removed:
                _refuse_collected(repository, names[version], f"{called(view, entry)}@{version}")
                changes.append(RefChange(names[version].name, None, commit_id))
        return changes

    return _change(repository, author, message or f"restore {_listed(named)}", refs)


def _named(view: View, entry: Entry, versions: Sequence[str]) -> dict[str, RefState]:
    found = {version: version_of(view, entry, version) for version in versions}
    return {version: ref for version, ref in found.items() if ref}


def _refuse_collected(repository: Repository, ref: RefState, shown: str) -> None:
    if ref.removed and not is_whole(repository, ref.removed):
        fix = ways_back(repository, ref, shown, is_here=False)
        raise NotFoundError("version_collected", f"what {shown} consists of was collected", fix=fix)


def _listed(named: Named) -> str:
    return ", ".join(f"{entry}@{version}" for entry, versions in named.items() for version in versions)


def _move(view: View, name: str, target: CommitId) -> RefChange:
    found = view.ref(name)
    return RefChange(name, found.target if found else None, target)


def _change(
    repository: Repository, author: str, message: str, refs: Callable[[View], list[RefChange]]
) -> Transaction | None:
    """Append what `refs` makes of the newest state; None if it makes nothing."""

    def build(view: View) -> Draft:
        changes = refs(view)
        if not changes:
            raise Settled
        return Draft(author, message, tuple(changes))

    return _append(repository, build)


def _append(repository: Repository, build: Callable[[View], Draft]) -> Transaction | None:
    try:
        return repository.log.append(build)
    except Settled:
        return None
