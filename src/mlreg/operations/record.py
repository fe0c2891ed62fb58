"""Changes of the registry: a version, a tag, a removal; each is one transaction.

Whether a change holds is decided against the newest state, inside `Log.append`. Doing the same again
changes nothing and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from mlreg.errors import (
    ConflictError,
    MlregError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from mlreg.formats import canonical
from mlreg.formats.annotation import about_entry, about_version, facts_of
from mlreg.formats.commit import MAX_BYTES, MAX_METADATA, Commit, Input
from mlreg.formats.names import Entry, check_tag, tag_ref, version_ref
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.snapshot import RefState
from mlreg.formats.transaction import PackEntry, RefChange, Transaction
from mlreg.formats.tree import Child
from mlreg.formats.versions import VersionFormat
from mlreg.ids import CommitId
from mlreg.operations.history import (
    latest_of,
    leaf_of,
    needs_of,
    newest_first,
    read_commit,
    version_of,
)
from mlreg.operations.ingest import Report, Source, ingest
from mlreg.operations.naming import meant
from mlreg.repository.log import Draft, now
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import View


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that wants to be registered. Either `version` or `bump` is given."""

    entry: Entry
    versions: VersionFormat
    """How versions of the entry are called."""
    sources: Sequence[Source]
    """In any order."""
    form: str
    """One of `mlreg.formats.commit.FORMS`."""
    author: str
    version: str = ""
    bump: str = ""
    """Which part of the version name grows, in the words of the format."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    inputs: Sequence[Input] = ()
    message: str = ""
    tags: Sequence[str] = ()
    """Tags that point to the version from the same transaction on."""
    may_be_older: bool = False
    """Whether the version may be older than another one of its line."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version that is registered."""

    commit_id: CommitId
    commit: Commit
    is_changed: bool
    """False if it was registered already, with its tags, and nothing was written."""


class _Settled(Exception):
    """Nothing is to be written: the state is as wanted already."""


class _Registered(_Settled):
    """The version is registered already, as this commit."""

    def __init__(self, commit_id: CommitId) -> None:
        self.commit_id = commit_id


class _Collected(Exception):
    """Objects were taken away that the version relied on."""


def add(repository: Repository, new: NewVersion, report: Report) -> Recorded:
    """Register a version: all of it is durable when this returns.

    Raises:
        ConflictError: `version_exists` with other content, `version_removed`, `file_changed`.
        UsageError: `metadata_too_large`, `commit_too_large`, `bad_json`, `bad_version`, `bad_bump`, `bad_tag`.
        RefusedError: `version_goes_back`.
    """
    for name in new.tags:
        check_tag(name)
    if new.version:
        new.versions.check(new.version)
    if len(canonical.encode(dict(new.metadata))) > MAX_METADATA:
        raise UsageError(
            "metadata_too_large", f"the metadata has more than {MAX_METADATA} bytes", fix="register it as a file"
        )
    while True:
        try:
            return _add(repository, new, report)
        except _Collected:
            continue


def _add(repository: Repository, new: NewVersion, report: Report) -> Recorded:
    view = repository.log.refresh()
    new, generation = replace(new, entry=meant(view, new.entry)), view.generation
    for kind in PackKind:
        repository.objects.take_up_indexes(kind)
    with repository.writer() as writer:
        root = ingest(repository, writer, new.sources, report)
        attempt = _Attempt(repository, new, root, writer, generation)
        try:
            repository.log.append(attempt.build)
        except _Registered as settled:
            attempt.mend()
            return _with_tags(repository, new, settled.commit_id)
        except BaseException as error:
            _clean_up(attempt, error)
            raise
        attempt.take_up()
    return Recorded(attempt.commit_id, attempt.commit, is_changed=True)


def _clean_up(attempt: _Attempt, error: BaseException) -> None:
    is_reaped = isinstance(error, MlregError) and error.code == "pack_reaped"
    # Anything else, an interrupt above all, may come when the slot is written already and names the packs.
    if attempt.is_refused or is_reaped:
        attempt.take_back()
    if is_reaped:
        raise _Collected from error


def _with_tags(repository: Repository, new: NewVersion, commit_id: CommitId) -> Recorded:
    moved = [tag(repository, new.entry, name, commit_id, new.author) for name in new.tags]
    return Recorded(commit_id, read_commit(repository, commit_id), is_changed=any(moved))


class _Attempt:
    """One version on its way into the log. If its name is taken meanwhile, its commit is made anew."""

    commit: Commit
    commit_id: CommitId

    def __init__(
        self, repository: Repository, new: NewVersion, root: Child, writer: PackWriter, generation: int
    ) -> None:
        self._repository = repository
        self._new = new
        self._root = root
        self._writer = writer
        self._generation = generation
        self._packs: list[PackEntry] = []
        self._version = ""
        self.is_refused = False
        """Whether the transaction was never written, and will not be."""

    def build(self, view: View) -> Draft:
        """Return the transaction, or raise what stands against it in this state."""
        try:
            return self._build(view)
        except BaseException:
            self.is_refused = True
            raise

    def _build(self, view: View) -> Draft:
        if view.generation != self._generation:
            raise _Collected
        new = self._new
        version = self._named(view) if new.version else self._bumped(view)
        if version != self._version:
            self._pack_commit(version, view)
        refs = [RefChange(version_ref(new.entry, version), None, self.commit_id)]
        refs.extend(_move(view, tag_ref(new.entry, name), self.commit_id) for name in dict.fromkeys(new.tags))
        return Draft(new.author, new.message or f"add {new.entry}@{version}", tuple(refs), tuple(self._packs))

    def _named(self, view: View) -> str:
        """Return the version name that was asked for, if it is free."""
        version = self._new.version
        found = version_of(view, self._new.entry, version)
        if found is None:
            self._refuse_older(view, version)
            return version
        if found.target is None:
            raise _is_removed(self._new.entry, version)
        existing = read_commit(self._repository, found.target)
        if existing.has_same_content(self._commit(version)):
            raise _Registered(found.target)
        raise _exists(self._new.entry, existing, self._commit(version))

    def _refuse_older(self, view: View, version: str) -> None:
        new = self._new
        newer = view.next_newer(f"version/{new.entry}/", version)
        # Versions of one line stand together in the order: if none is next, none is newer.
        if newer is None or new.may_be_older or new.versions.line(leaf_of(newer)) != new.versions.line(version):
            return
        raise RefusedError(
            "version_goes_back",
            f"{new.entry}@{version} would be older than {leaf_of(newer)}, which is there",
            why="versions of one line go forward, so that the newest is the last",
            fix=(
                f"mlreg add {new.entry} --bump {new.versions.parts[-1]} ...",
                "if it is meant to be so: mlreg add --older ...",
            ),
        )

    def _bumped(self, view: View) -> str:
        """Return the next version name, unless the newest version has the same content."""
        from datetime import date

        entry = self._new.entry
        newest = latest_of(view, entry)
        if newest and newest.target and read_commit(self._repository, newest.target).has_same_content(self._commit("")):
            raise _Registered(newest.target)
        today = date.fromisoformat(now()[:10])
        return self._new.versions.next(map(leaf_of, newest_first(view, entry)), self._new.bump, today)

    def _pack_commit(self, version: str, view: View) -> None:
        earlier = (ref.target for ref in newest_first(view, self._new.entry, before=version) if ref.target)
        self.commit = self._commit(version, parents=tuple(islice(earlier, 1)))
        body = self.commit.encode()
        if len(body) > MAX_BYTES:
            raise UsageError(
                "commit_too_large",
                f"message, metadata and inputs have {len(body)} bytes, and a commit has at most {MAX_BYTES}",
                fix="register long texts as files",
            )
        self.commit_id = CommitId.of(body)
        self._writer.add(Sort.COMMIT, self.commit_id, body)
        self._packs.extend(self._writer.finish())
        self._version = version

    def _commit(self, version: str, parents: tuple[CommitId, ...] = ()) -> Commit:
        new = self._new
        return Commit(
            entry=str(new.entry),
            version=version,
            tree=self._root.id,
            files=self._root.files,
            size=self._root.size,
            form=new.form,
            parents=parents,
            inputs=tuple(sorted(new.inputs, key=lambda item: (item.role, item.commit))),
            metadata=new.metadata,
            message=new.message,
            author=new.author,
            time=now(),
        )

    def mend(self) -> None:
        """Keep what is registered already but had to be stored again: the packs that held it are gone."""
        self.take_back()
        if packs := self._writer.finish():
            new = self._new
            self._repository.log.append(lambda view: Draft(new.author, f"store {new.entry} again", add=packs))

    def take_up(self) -> None:
        """Let the view know what is in the packs, which would be read for it otherwise."""
        # The version is registered: what goes wrong with a cache is no fault of it.
        with suppress(MlregError):
            for pack in self._packs:
                self._repository.log.view.add_index(pack.id, self._writer.indexes[pack.id])

    def take_back(self) -> None:
        """Delete the packs, which no transaction names."""
        self._writer.take_back(self._packs)


def _exists(entry: Entry, existing: Commit, wanted: Commit) -> ConflictError:
    what = "metadata"
    if existing.tree != wanted.tree or existing.form != wanted.form:
        what = "files"
    elif existing.inputs_by_id() != wanted.inputs_by_id():
        what = "inputs"
    return ConflictError(
        "version_exists",
        f"{entry}@{existing.version} is registered already, with other {what}",
        why=f"a version never changes; this one was added by {existing.author}, {existing.time}",
        fix=(
            f"register yours under the next version: mlreg add {entry} --bump patch ...",
            f"mlreg show {entry}@{existing.version}",
        ),
    )


def _is_removed(entry: Entry, version: str) -> ConflictError:
    return ConflictError(
        "version_removed",
        f"{entry}@{version} was removed; the name of a version is not given away twice",
        fix=(f"mlreg restore {entry}@{version}", f"mlreg add {entry} --bump patch ..."),
    )


def tag(
    repository: Repository,
    entry: Entry,
    name: str,
    commit_id: CommitId,
    author: str,
    message: str = "",
    *,
    expected: Collection[CommitId | None] | None = None,
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

    Raises:
        ConflictError: `tag_moved`, it points elsewhere.
        NotFoundError: `version_missing`, the commit is not a version of the entry any more.
        UsageError: `bad_tag`.
    """
    check_tag(name)

    def refs(view: View) -> list[RefChange]:
        if not _has_version(view, entry, commit_id):
            raise NotFoundError("version_missing", f"{entry} has no version with the id {commit_id}")
        change = _move(view, tag_ref(entry, name), commit_id)
        if change.old == change.new:
            return []
        if expected is not None and change.old not in expected:
            raise _is_moved(entry, name, change.old)
        return [change]

    return _change(repository, author, message or f"tag {entry}@{name}", refs)


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


def remove(
    repository: Repository, entry: Entry, versions: Sequence[str], author: str, message: str
) -> Transaction | None:
    """Remove versions; they can be restored until their bytes are collected. None if all are removed already.

    Raises:
        NotFoundError: `version_missing`.
        RefusedError: `version_tagged`, `version_frozen`.
    """

    def refs(view: View) -> list[RefChange]:
        names = _named(view, entry, versions)
        for version in versions:
            if version not in names:
                raise NotFoundError("version_missing", f"{entry} has no version {version}", fix=f"mlreg ls {entry}")
            _refuse_tagged(view, entry, version, names[version].target)
        _refuse_frozen(repository, entry, [names[version] for version in dict.fromkeys(versions)])
        live = (names[version] for version in dict.fromkeys(versions))
        return [RefChange(ref.name, ref.target, None) for ref in live if ref.target]

    return _change(repository, author, message or f"remove {_listed(entry, versions)}", refs)


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


def _refuse_frozen(repository: Repository, entry: Entry, versions: Sequence[RefState]) -> None:
    view = repository.log.view
    stated = {str(entry): view.annotations(about_entry(entry))}
    for ref in versions:
        if ref.target and view.all_annotations(f"{ref.name}@"):
            about = about_version(ref.name, read_commit(repository, ref.target).content())
            stated[f"{entry}@{leaf_of(ref)}"] = view.annotations(about)
    for shown, some in stated.items():
        if facts_of(some).get("frozen"):
            raise RefusedError(
                "version_frozen",
                f"nothing of {shown} can be removed: it is frozen",
                fix=(f"mlreg meta log {shown}", f"mlreg unfreeze {shown}"),
            )


def restore(
    repository: Repository, entry: Entry, versions: Sequence[str], author: str, message: str
) -> Transaction | None:
    """Bring removed versions back; None if all are there.

    Raises:
        NotFoundError: `version_missing`.
        IntegrityError: `object_missing`, its bytes were collected.
    """

    def refs(view: View) -> list[RefChange]:
        names = _named(view, entry, versions)
        changes = []
        for version in dict.fromkeys(versions):
            if version not in names:
                raise NotFoundError(
                    "version_missing", f"{entry} never had a version {version}", fix=f"mlreg ls {entry}"
                )
            if commit_id := names[version].removed:
                _refuse_collected(repository, commit_id)
                changes.append(RefChange(names[version].name, None, commit_id))
        return changes

    return _change(repository, author, message or f"restore {_listed(entry, versions)}", refs)


def _named(view: View, entry: Entry, versions: Sequence[str]) -> dict[str, RefState]:
    found = {version: version_of(view, entry, version) for version in versions}
    return {version: ref for version, ref in found.items() if ref}


def _refuse_collected(repository: Repository, commit_id: CommitId) -> None:
    wanted = needs_of(repository, read_commit(repository, commit_id))
    if lost := repository.objects.missing(wanted):
        raise NotFoundError(
            "version_collected",
            f"{len(lost)} objects of the version were collected",
            fix="mlreg pull REMOTE REF, from a remote that has it",
        )


def _listed(entry: Entry, versions: Sequence[str]) -> str:
    return ", ".join(f"{entry}@{version}" for version in versions)


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
            raise _Settled
        return Draft(author, message, tuple(changes))

    try:
        return repository.log.append(build)
    except _Settled:
        return None
