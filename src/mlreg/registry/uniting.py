"""Which names of one repository go to another one, and when that would lose something.

A version never changes, so versions of two repositories are simply united; the same name for other
content is a conflict. A tag moves, so it is compared with where it was when both last had the same
(`remote/NAME/tag/...` in the log here): who alone has moved it wins, and if both have, a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from mlreg.errors import ConflictError, IntegrityError
from mlreg.formats.annotation import ABOUT_ENTRY, is_of_taint, version_in
from mlreg.formats.commit import Commit
from mlreg.formats.names import (
    EXPERIMENT,
    Entry,
    RefName,
    parse_ref_name,
    remote_ref,
    tag_ref,
    version_ref,
)
from mlreg.formats.pack import Sort
from mlreg.formats.ref import parse_ref
from mlreg.formats.run import id_in, next_version
from mlreg.formats.snapshot import RefState
from mlreg.formats.versions import AUTO, VersionFormat, order
from mlreg.ids import CommitId
from mlreg.operations.history import read_commit, tags_of, versions_of
from mlreg.operations.tainting import about_commit, ancestry
from mlreg.operations.transfer import Move
from mlreg.registry.own_moves import was_sent
from mlreg.registry.resolve import resolve, resolve_entry
from mlreg.repository.repository import Repository
from mlreg.repository.view import View


class Chosen(NamedTuple):
    """What a user wants to send: everything, an entry, or one version with its tags."""

    names: frozenset[str] | None
    """Names in the sender's log; None for all."""

    def has(self, name: str) -> bool:
        """Tell whether a name of the sender is to be sent."""
        return self.names is None or name in self.names

    @property
    def is_explicit(self) -> bool:
        """Whether the user named what to send."""
        return self.names is not None


class Ways(NamedTuple):
    """Commands that settle a conflict with another repository, and the words that stand for it."""

    place: str
    """What refs there begin with."""
    take: str
    """Brings what is there."""
    take_tags: str
    keep_tags: str
    send: str
    """Follows the first, so that both sides have all."""

    @classmethod
    def of_remote(cls, name: str) -> Ways:
        """Return those for a remote."""
        pull, push = f"mlreg pull {name}", f"mlreg push {name}"
        return cls(name, pull, f"{pull} --force-tags", f"{push} --force-tags", f" && {push}")


class Union:
    """The names of a sender, compared with those of a receiver in its newest state."""

    def __init__(
        self,
        sender: Repository,
        receiver: Repository,
        view: View,
        chosen: Chosen,
        remote: str,
        format_of: Callable[[Entry], VersionFormat],
        *,
        is_push: bool,
        ways: Ways | None = None,
    ) -> None:
        self._ways = ways or Ways.of_remote(remote)
        self._sender = sender
        self._receiver = receiver
        self._view = view
        self._chosen = chosen
        self._remote = remote
        self._format_of = format_of
        self._is_push = is_push
        self.versions = list(self._versions())
        """The versions that the receiver is to get."""
        self._sent = {move.name for move in self.versions}
        self._sent_families = _families(self._sent)
        self._asked_families = None if chosen.names is None else _families(chosen.names)

    def _versions(self) -> Iterator[Move]:
        """Yield the versions that the receiver lacks.

        One that it removed is left away, unless it was asked for by name. If what was removed here had
        other content than what a remote has under the name, the remote's takes its place.
        """
        for ref in self._sender.log.view.refs("version/"):
            if ref.target is None or not self._chosen.has(ref.name):
                continue
            found = self._view.ref(ref.name)
            if found is None or (found.target is None and self._is_wanted_again(ref, found)):
                self._check_version(ref.name, ref.target)
                yield Move(ref.name, ref.target, None)
            elif found.target is not None:
                self._refuse_other(ref, found.target)

    def _check_version(self, ref: str, target: CommitId) -> None:
        """Refuse what the receiver would have for ever: a name that is none, or that of another commit."""
        name, commit = self._parse(ref), read_commit(self._sender, target)
        shown = f"{name.entry}@{name.leaf}"
        if (commit.entry, commit.version) != (str(name.entry), name.leaf):
            raise _wrong("wrong_commit", f"{shown} points to {commit.entry}@{commit.version}", self._sender)

    def _parse(self, ref: str) -> RefName:
        try:
            return parse_ref_name(ref)
        except IntegrityError as error:
            raise _wrong(error.code, error.message, self._sender) from error

    def _is_wanted_again(self, ref: RefState, found: RefState) -> bool:
        if self._is_push:
            if self._chosen.is_explicit:
                self._refuse_other(ref, found.removed)
            return self._chosen.is_explicit
        return self._chosen.is_explicit or not self._is_same(ref, found.removed)

    def _is_same(self, ref: RefState, there: CommitId | None) -> bool:
        """Tell whether a version is the receiver's commit `there`, or has its content."""
        if there is None or ref.target is None or there == ref.target:
            return there == ref.target
        return read_commit(self._sender, ref.target).has_same_content(read_commit(self._receiver, there))

    def _refuse_other(self, ref: RefState, there: CommitId | None) -> None:
        if there is None or ref.target is None or self._is_same(ref, there):
            return
        sent, present = read_commit(self._sender, ref.target), read_commit(self._receiver, there)
        mine, other = (sent, present) if self._is_push else (present, sent)
        shown = f"{mine.entry}@{mine.version}"
        raise ConflictError(
            "version_conflict",
            f"{shown} has other content here than in {self._ways.place}",
            why=f"{mine.author} registered it here, {mine.time}; {other.author} there, {other.time}",
            fix=(
                f"mlreg show {self._ways.place}::{shown}",
                f"keep yours under a free name, and take the remote's: {self._steps_out(ref, mine)}",
            ),
        )

    def _steps_out(self, ref: RefState, mine: Commit) -> str:
        """Return the commands after which both versions are in both places, and nothing is lost."""
        name = self._parse(ref.name)
        here = self._sender if self._is_push else self._receiver
        taken = {**versions_of(self._sender.log.view, name.entry), **versions_of(self._view, name.entry)}
        free = self._free(name, sorted(taken, key=order), mine)
        tags = "".join(
            f" --tag {tag}"
            for tag, found in tags_of(here.log.view, name.entry).items()
            if found.target == target_of(here.log.view, ref.name)
        )
        shown = f"{name.entry}@{name.leaf}"
        copy = f"mlreg copy {shown} --version {free}{tags}"
        return f"{copy} && mlreg rm {shown} && {self._ways.take}{self._ways.send}"

    def _free(self, name: RefName, taken: Sequence[str], mine: Commit) -> str:
        """Return a name that a version may get: taken are the ones of its entry, the newest last."""
        from datetime import date

        if name.entry.kind == EXPERIMENT:
            run = id_in(name.leaf)
            return next_version(run, [version for version in taken if id_in(version) == run])
        return self._format_of(name.entry).next(taken[::-1], AUTO, date.fromisoformat(mine.time[:10]))

    def tags(self, agreed: dict[str, CommitId | None], *, force: bool) -> Iterator[Move]:
        """Yield the tags that are to move at the receiver.

        Args:
            agreed: where the tags were when both sides last agreed on them.
            force: whether the sender's tags win.

        Raises:
            ConflictError: `tag_conflict`, both sides have moved a tag since, to different versions.
        """
        for ref in self._sender.log.view.refs("tag/"):
            target = self._version_there(ref)
            found = self._view.ref(ref.name)
            present = found.target if found else None
            if target is None or target == present:
                continue
            base = agreed.get(ref.name)
            if found is None or force or self._is_version(present, base) or (self._is_push and self._was_sent(ref)):
                yield Move(ref.name, target, present)
            elif not self._is_version(target, base) and (self._is_push or not self._was_sent(ref)):
                raise self._tag_conflict(ref, target, present)

    def _was_sent(self, ref: RefState) -> bool:
        """Tell whether the remote has a tag from here, where it has moved on since."""
        here, there = (self._sender, self._receiver) if self._is_push else (self._receiver, self._sender)
        return was_sent(here, there, self._remote, ref.name, self._is_version)

    def agreed(self, moved: set[str]) -> Iterator[Move]:
        """Yield the names under which the receiver keeps the tags that are the same on both sides now."""
        for ref in self._sender.log.view.refs("tag/"):
            target = self._version_there(ref)
            if target is None:
                continue
            name = remote_ref(self._remote, ref.name)
            if target == target_of(self._view, name):
                continue
            if ref.name in moved or target == target_of(self._view, ref.name):
                yield Move(name, target, target_of(self._view, name))

    def notes(self) -> list[dict[str, Any]]:
        """Return the statements that the receiver lacks, about entries and versions that it has or gets."""
        view = self._view
        stated = self._sender.log.view.all_annotations()
        return [
            one.note()
            for about, some in stated.items()
            if self._is_known(about) or (is_of_taint(some) and self._is_behind(about))
            for one in some
            if not view.has_annotation(one.id)
        ]

    def _is_known(self, about: str) -> bool:
        """Tell whether the receiver has, or gets, what a statement is about, and it was asked for."""
        if about.startswith(ABOUT_ENTRY):
            family = f"version/{about.removeprefix(ABOUT_ENTRY)}/"
            is_asked = self._asked_families is None or family in self._asked_families
            return is_asked and (family in self._sent_families or any(self._view.newest_first(family)))
        name = version_in(about)
        return self._chosen.has(name) and (name in self._sent or target_of(self._view, name) is not None)

    def _is_behind(self, about: str) -> bool:
        """Tell whether something that the receiver has, or gets, may be made from what a statement is about."""
        return self._chosen.names is None or about in self._behind

    @cached_property
    def _behind(self) -> frozenset[str]:
        names = self._chosen.names or ()
        starts = (target for name in names if (target := target_of(self._sender.log.view, name)))
        return frozenset(map(about_commit, ancestry(self._sender, starts).values()))

    def _is_version(self, commit: CommitId | None, base: CommitId | None) -> bool:
        """Tell whether two commits are the same version of an entry, perhaps registered in both places apart."""
        if commit is None or base is None or commit == base:
            return commit == base
        return self._read(commit).version == self._read(base).version

    def _read(self, commit: CommitId) -> Commit:
        there = self._receiver.objects.has(Sort.COMMIT, commit)
        return read_commit(self._receiver if there else self._sender, commit)

    def _version_there(self, ref: RefState) -> CommitId | None:
        """Return the commit a tag will mean at the receiver; None if it may not be sent, or means nothing there.

        The same version may have been registered in both repositories apart, as two commits.
        """
        if ref.target is None or not self._chosen.has(ref.name):
            return None
        tag, commit = self._parse(ref.name), read_commit(self._sender, ref.target)
        if commit.entry != str(tag.entry):
            what = f"{tag.entry}@{tag.leaf} is a tag that points to {commit.entry}@{commit.version}"
            raise _wrong("stray_tag", what, self._sender)
        name = version_ref(tag.entry, commit.version)
        if name in self._sent:
            return ref.target
        found = self._view.ref(name)
        return found.target if found else None

    def _tag_conflict(self, ref: RefState, target: CommitId, present: CommitId | None) -> ConflictError:
        name = parse_ref_name(ref.name)
        mine, other = self._read(target), self._read(present) if present else None
        shown = f"{name.entry}@{name.leaf}"
        return ConflictError(
            "tag_conflict",
            f"{shown} was moved in both repositories: {mine.version} in {self._sender.url},"
            f" {other.version if other else 'nothing'} in {self._receiver.url}",
            why="the last to write would silently undo the other",
            fix=(
                f"let the remote's stand: {self._ways.take_tags}",
                f"let yours stand: {self._ways.keep_tags}",
                f"mlreg tag log {shown}",
            ),
        )


def _families(names: Iterable[str]) -> set[str]:
    """Return the prefixes that names of versions stand right below, `version/model/net/`."""
    return {name[: name.rindex("/") + 1] for name in names}


def _wrong(code: str, message: str, repository: Repository) -> IntegrityError:
    return IntegrityError(
        code,
        f"{message}, in {repository.url}",
        why="no mlreg writes this; nothing was sent",
        fix="send the entries you need one by one: mlreg pull REMOTE ENTRY, mlreg push REMOTE ENTRY",
    )


def choose(sender: Repository, refs: Sequence[str]) -> Chosen:
    """Return the names that refs stand for: an entry for all of its versions and tags; none for everything."""
    if not refs:
        return Chosen(None)
    view = sender.log.view
    names: set[str] = set()
    for text in refs:
        ref = parse_ref(text)
        entry = resolve_entry(view, ref)
        if ref.selector is None:
            names.update(version_ref(entry, version) for version in versions_of(view, entry))
            names.update(tag_ref(entry, tag) for tag in tags_of(view, entry))
        else:
            target = resolve(sender, ref)
            names.add(version_ref(entry, target.version))
            names.update(name for name in view.names_of(target.commit_id) if name.startswith(f"tag/{entry}/"))
    return Chosen(frozenset(names))


def target_of(view: View, name: str) -> CommitId | None:
    """Return the commit that a name points to; None if there is none."""
    found = view.ref(name)
    return found.target if found else None
