"""Registering versions: what they hold is stored, and one transaction names them.

Whether a version may have its name is decided against the newest state, inside `Log.append`. Registering
the same again changes nothing and says so.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import islice
from types import TracebackType
from typing import Any, Self

from mlreg.errors import ConflictError, MlregError, RefusedError, UsageError
from mlreg.formats import canonical
from mlreg.formats.annotation import Annotation, about_version
from mlreg.formats.commit import MAX_BYTES, MAX_METADATA, Commit, Input
from mlreg.formats.names import Entry, check_tag, tag_ref, version_ref
from mlreg.formats.pack import Sort
from mlreg.formats.snapshot import RefState
from mlreg.formats.transaction import PackEntry, RefChange
from mlreg.formats.tree import Child
from mlreg.formats.versions import VersionFormat, order, precedence
from mlreg.ids import CommitId
from mlreg.operations.history import latest_of, leaf_of, newest_first, read_commit, version_of
from mlreg.operations.ingest import Ingested, Report, ingest
from mlreg.operations.merging import keep_few
from mlreg.operations.naming import called, meant
from mlreg.operations.scanning import Source
from mlreg.operations.tainting import refuse_tainted, with_override
from mlreg.repository.log import Draft, Settled, now
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
    despite_taint: str = ""
    """Why it may have tags though it is tainted; kept in the message of the transaction."""
    past: Sequence[CommitId] = ()
    """Versions of its own entry whose files it has: no inputs, but a taint of theirs keeps tags away all the same."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What is stated about it in the same transaction: labels, why it is deprecated."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version that is registered."""

    commit_id: CommitId
    commit: Commit
    is_changed: bool
    """False if it was registered already, with its tags, and nothing was written."""


def add(repository: Repository, new: NewVersion, report: Report) -> Recorded:
    """Register a version: all of it is durable when this returns.

    Raises:
        as `Batch.put` and `Batch.commit`, but not `collected_meanwhile`.
    """
    while True:
        try:
            with Batch(repository) as batch:
                batch.put(new, report)
                return batch.commit()[0]
        except ConflictError as error:
            if error.code != "collected_meanwhile":
                raise


SHOWN = 3
"""Versions that the message of a transaction names."""


class Batch:
    """Versions that are registered in one transaction: all of them or none.

    Use it as a context; without `commit` nothing is registered.
    """

    def __init__(self, repository: Repository) -> None:
        """Look at the newest state; what is stored is what is not there yet."""
        self._repository = repository
        self._generation = repository.log.refresh().generation
        repository.objects.take_up_all()
        self._writer = repository.writer()
        self._versions: list[_Version] = []
        self._ahead = _Ahead(repository.log.view)
        self._packs: list[PackEntry] = []
        self._taken: list[Ingested] = []
        self._is_again = False
        """Whether what is registered already had to be stored again: a pack of it is gone."""
        self._is_refused = False
        """Whether the transaction was never written, and will not be."""

    def __enter__(self) -> Self:
        """Return the batch."""
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take back what is stored and was not committed."""
        self._writer.__exit__(kind, error, trace)

    def put(self, new: NewVersion, report: Report) -> Recorded:
        """Store what a version holds; its sources are not needed any more afterwards.

        Returns:
            The version as it will be, if no one else changes its entry before `commit`.

        Raises:
            ConflictError: `version_exists` with other content, `version_removed`, `file_changed`.
            UsageError: `metadata_too_large`, `commit_too_large`, `bad_json`, `bad_version`, `bad_bump`, `bad_tag`.
            RefusedError: `version_goes_back`; `half_stored`, what was put before failed on the way to the disk.
            TaintedError: `tainted`, it was made from something tainted, and is to have tags.
        """
        for name in new.tags:
            check_tag(name)
        if new.version:
            new.versions.check(new.version)
        if len(canonical.encode(dict(new.metadata))) > MAX_METADATA:
            raise UsageError(
                "metadata_too_large", f"the metadata has more than {MAX_METADATA} bytes", fix="register it as a file"
            )
        taken = ingest(self._repository, self._writer, new.sources, report)
        self._taken.append(taken)
        version = _Version(self._repository, replace(new, sources=()), taken.root)
        version.take_name(self._ahead, self._writer)
        self._versions.append(version)
        return version.recorded

    def commit(self, message: str = "") -> list[Recorded]:
        """Register all versions: all of them are durable when this returns.

        Args:
            message: of the transaction; of a single version by default its own.

        Raises:
            ConflictError: `collected_meanwhile`, and what `put` raises.
            RefusedError: `transaction_too_large`.
        """
        if not self._versions:
            return []
        try:
            self._repository.log.append(lambda view: self._build(view, message))
        except Settled:
            self._take_back()
        except BaseException as error:
            self._clean_up(error)
            raise
        self._take_up()
        for taken in self._taken:
            # Not before: what is remembered is that it is there.
            taken.remember(self._generation)
        keep_few(self._repository, self._versions[0].new.author, self._packs)
        return [version.recorded for version in self._versions]

    def _build(self, view: View, message: str) -> Draft:
        """Return the transaction, or raise what stands against it in this state."""
        self._is_refused = False
        try:
            return self._draft(view, message)
        except BaseException:
            self._is_refused = True
            raise

    def _draft(self, view: View, message: str) -> Draft:
        if view.generation != self._generation:
            raise _collected()
        names = _Ahead(view)
        for version in self._versions:
            version.take_name(names, self._writer)
        stored = self._writer.finish()
        # What is stored again though it has its names must get there, however often others are faster.
        self._is_again |= bool(stored) and not names.changes
        if not names.changes and not self._is_again:
            raise Settled
        self._packs.extend(stored)
        refs = tuple(names.changes.values())
        author = self._versions[0].new.author
        notes = tuple(names.notes)
        said = with_override(message or self._message(refs), self._overrides())
        return Draft(author, said, refs, tuple(self._packs), notes=notes)

    def _message(self, refs: Sequence[RefChange]) -> str:
        shown = [f"{version.new.entry}@{version.recorded.commit.version}" for version in self._versions]
        listed = ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")
        if not refs:
            return f"store {listed} again"
        own = self._versions[0].new.message if len(shown) == 1 else ""
        return own or f"{'add' if any(ref.name.startswith('version/') for ref in refs) else 'tag'} {listed}"

    def _overrides(self) -> str:
        return "; ".join(dict.fromkeys(version.override for version in self._versions if version.override))

    def _clean_up(self, error: BaseException) -> None:
        code = error.code if isinstance(error, MlregError) else ""
        is_reaped = code == "pack_reaped"
        # Anything else, an interrupt above all, may come when the slot is written already and names the packs.
        if self._is_refused or is_reaped or code == "transaction_too_large":
            self._take_back()
        if is_reaped:
            raise _collected() from error

    def _take_up(self) -> None:
        """Let the view know what is in the packs, which would be read for it otherwise."""
        # The versions are registered: what goes wrong with a cache is no fault of them.
        with suppress(MlregError):
            for pack in self._packs:
                self._repository.log.view.add_index(pack.id, self._writer.indexes[pack.id])

    def _take_back(self) -> None:
        """Delete the packs, which no transaction names."""
        self._writer.take_back(self._packs)
        self._packs.clear()


def _collected() -> ConflictError:
    return ConflictError(
        "collected_meanwhile",
        "what the versions rely on was collected meanwhile",
        why="a gc ran",
        fix="register them again",
    )


class _Version:
    """One version on its way into the log. If its name is taken meanwhile, its commit is made anew."""

    recorded: Recorded
    override: str
    """Why it has tags though it is tainted; empty if it is not."""

    def __init__(self, repository: Repository, new: NewVersion, root: Child) -> None:
        self._repository = repository
        self._asked = new.entry
        self.new = new
        self._root = root
        self._packed: tuple[CommitId, Commit] | None = None

    def take_name(self, names: _Ahead, writer: PackWriter) -> None:
        """Add what the version changes to the names, or raise what stands against it.

        Its commit goes to the writer, unless it is registered already.
        """
        # Someone may have renamed it since the last attempt.
        self.new = replace(self.new, entry=meant(names.view, self._asked))
        version, registered = self._named(names) if self.new.version else self._bumped(names)
        self._refuse_tainted(names, version, registered)
        if registered is None:
            commit_id, commit = self._packed = self._commit_of(version, names, writer)
            name = version_ref(self.new.entry, version)
            names.register(name, commit_id, commit)
            if self.new.facts:
                names.notes.append(self._note(about_version(name, commit.content())))
        else:
            commit_id, commit = registered, self._read(names, registered)
        moved = [names.move(tag_ref(self.new.entry, tag), commit_id) for tag in dict.fromkeys(self.new.tags)]
        self.recorded = Recorded(commit_id, commit, is_changed=registered is None or any(moved))

    def _refuse_tainted(self, names: _Ahead, version: str, registered: CommitId | None) -> None:
        """Refuse new tags for what is tainted; without them it may be registered, and is tainted from its first day."""
        self.override = ""
        new = self.new
        present = (names.ref(tag_ref(new.entry, tag)) for tag in new.tags)
        if registered and all(ref and ref.target == registered for ref in present):
            return
        # One that is registered in the same transaction cannot be read yet; its inputs can.
        sources = [*(item.commit for item in new.inputs), *new.past, *([registered] if registered else [])]
        if new.tags and refuse_tainted(
            self._repository, sources, f"{called(names.view, new.entry)}@{version}", new.despite_taint
        ):
            self.override = new.despite_taint

    def _note(self, about: str) -> dict[str, Any]:
        new = self.new
        return Annotation(os.urandom(16).hex(), about, new.facts, (), new.author, now(), new.message).note()

    def _named(self, names: _Ahead) -> tuple[str, CommitId | None]:
        """Return the version name that was asked for, and its commit if it is registered already."""
        version = self.new.version
        found = version_of(names, self.new.entry, version)
        if found is None:
            self._refuse_older(names, version)
            return version, None
        if found.target is None:
            raise _is_removed(self.new.entry, version)
        existing, wanted = self._read(names, found.target), self._commit(version)
        if not existing.has_same_content(wanted):
            raise _exists(self.new.entry, existing, wanted)
        return version, found.target

    def _read(self, names: _Ahead, commit_id: CommitId) -> Commit:
        return names.commits.get(commit_id) or read_commit(self._repository, commit_id)

    def _refuse_older(self, names: _Ahead, version: str) -> None:
        new = self.new
        newer = names.next_newer(f"version/{new.entry}/", version)
        # Versions that differ in their build alone are equally new.
        while newer and precedence(leaf_of(newer)) == precedence(version):
            newer = names.next_newer(f"version/{new.entry}/", leaf_of(newer))
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

    def _bumped(self, names: _Ahead) -> tuple[str, CommitId | None]:
        """Return the next version name; or the newest version, if it has the same content."""
        from datetime import date

        new, newest = self.new, latest_of(names, self.new.entry)
        if newest and newest.target and self._read(names, newest.target).has_same_content(self._commit("")):
            return leaf_of(newest), newest.target
        today = date.fromisoformat(now()[:10])
        return new.versions.next(map(leaf_of, newest_first(names, new.entry)), new.bump, today), None

    def _commit_of(self, version: str, names: _Ahead, writer: PackWriter) -> tuple[CommitId, Commit]:
        """Return the commit under a name, and its id; those of an earlier attempt, if they are as they would be now."""
        live = (ref for ref in newest_first(names, self.new.entry, before=version) if ref.target)
        follows = self.new.versions.follows
        parents = tuple(ref.target for ref in islice(live, 1) if ref.target and follows(version, leaf_of(ref)))
        wanted = (str(self.new.entry), version, parents)
        if self._packed and (self._packed[1].entry, self._packed[1].version, self._packed[1].parents) == wanted:
            return self._packed
        commit = self._commit(version, parents)
        body = commit.encode()
        if len(body) > MAX_BYTES:
            raise UsageError(
                "commit_too_large",
                f"message, metadata and inputs have {len(body)} bytes, and a commit has at most {MAX_BYTES}",
                fix="register long texts as files",
            )
        commit_id = CommitId.of(body)
        writer.add(Sort.COMMIT, commit_id, body)
        return commit_id, commit

    def _commit(self, version: str, parents: tuple[CommitId, ...] = ()) -> Commit:
        new = self.new
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


class _Ahead:
    """The names of a view, with the changes that a transaction in the making brings."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._families: dict[str, list[tuple[bytes, RefState]]] = {}
        """The new versions by the prefix they stand right below, with their places in the order."""
        self.changes: dict[str, RefChange] = {}
        self.notes: list[dict[str, Any]] = []
        self.commits: dict[CommitId, Commit] = {}
        """The new ones, which cannot be read yet."""

    def register(self, name: str, commit_id: CommitId, commit: Commit) -> None:
        """Add a version."""
        self.commits[commit_id] = commit
        self.changes[name] = RefChange(name, None, commit_id)
        family, slash, leaf = name.rpartition("/")
        # The rank is first, and no two are equal.
        insort(self._families.setdefault(family + slash, []), (order(leaf), self._state(name)))

    def move(self, name: str, target: CommitId) -> bool:
        """Point a tag at a version; False if it does already."""
        found = self.view.ref(name)
        before = found.target if found else None
        present = self.changes[name].new if name in self.changes else before
        self.changes.pop(name, None)
        if before != target:
            self.changes[name] = RefChange(name, before, target)
        return present != target

    def _state(self, name: str) -> RefState:
        return RefState(name, self.changes[name].new, None, 0)

    def ref(self, name: str) -> RefState | None:
        """As `View.ref`."""
        return self._state(name) if name in self.changes else self.view.ref(name)

    def newest_first(self, family: str, before: str = "") -> Iterator[RefState]:
        """As `View.newest_first`."""
        new = self._families.get(family)
        if not new:
            return self.view.newest_first(family, before)
        older = new[: bisect_left(new, (order(before),))] if before else new
        return merge(
            (state for _, state in reversed(older)),
            self.view.newest_first(family, before),
            key=lambda state: order(leaf_of(state)),
            reverse=True,
        )

    def next_newer(self, family: str, version: str) -> RefState | None:
        """As `View.next_newer`."""
        new = self._families.get(family, [])
        at = bisect_right(new, order(version), key=lambda one: one[0])
        found = [self.view.next_newer(family, version), *(state for _, state in new[at : at + 1])]
        return min((state for state in found if state), key=lambda state: order(leaf_of(state)), default=None)


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
