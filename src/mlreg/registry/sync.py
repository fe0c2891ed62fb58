"""Push, pull, fetch and clone: which names go where, and when that would lose something.

A version never changes, so versions of two repositories are simply united; the same name for other
content is a conflict. A tag moves, so it is compared with where it was when both last had the same
(`remote/NAME/tag/...` in the log here): who alone has moved it wins, and if both have, a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

from mlreg.errors import ConflictError, IntegrityError, MlregError, NotFoundError
from mlreg.formats.annotation import ABOUT_ENTRY, is_of_taint, version_in
from mlreg.formats.commit import Commit
from mlreg.formats.names import (
    EXPERIMENT,
    Entry,
    RefName,
    known_ref_name,
    parse_ref_name,
    remote_ref,
    tag_ref,
    version_ref,
)
from mlreg.formats.pack import Sort
from mlreg.formats.ref import parse_ref
from mlreg.formats.run import id_in, next_version
from mlreg.formats.snapshot import RefState
from mlreg.formats.transaction import RefChange
from mlreg.formats.versions import AUTO, VersionFormat, order
from mlreg.ids import CommitId
from mlreg.operations.arriving import prove
from mlreg.operations.history import read_commit, tags_of, versions_of
from mlreg.operations.tainting import about_commit, ancestry
from mlreg.operations.transfer import Move, Sending, Transferred, transfer
from mlreg.operations.usage_files import copy_usage, publish
from mlreg.registry import pins, results
from mlreg.registry.describe import Shown
from mlreg.registry.own_moves import was_sent
from mlreg.registry.registry import Registry, Report, silent
from mlreg.registry.resolve import entries_of, resolve, resolve_entry
from mlreg.repository.log import Draft, Settled
from mlreg.repository.repository import Repository, view_path
from mlreg.repository.view import View
from mlreg.stores import open_store

Plan = Callable[[View], Sending]
"""Says from the newest state of the receiver what it is to get."""


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


class Sync:
    """A registry and one of its remotes."""

    def __init__(self, registry: Registry, remote: str = "") -> None:
        """Name the remote: the only one there is, or `origin`, if it is left out.

        Raises:
            NotFoundError: `no_remote`.
        """
        self._registry = registry
        self.name = remote or _default(registry)
        if self.name not in registry.remotes:
            known = [f"if it is an entry: name a remote before it, such as {one}" for one in list(registry.remotes)[:1]]
            fix = (*(known if "/" in self.name else ()), f"mlreg remote add {self.name} URL", "mlreg remote ls")
            raise NotFoundError("no_remote", f"there is no remote {self.name}", fix=fix)
        self.url = registry.remotes[self.name]
        self._here = registry.repository

    def _meet(self) -> Repository:
        """Open the remote, and make sure that it is the one of the last meeting, and has not lost anything."""
        there = Repository(open_store(self.url), self._registry.cache, self._registry.visitor())
        self._here.log.refresh()
        there.log.refresh()
        pins.check(self._here.url, self.name, there)
        return there

    def _part(self, there: Repository) -> None:
        pins.remember(self._here.url, self.name, there)

    # To the remote.

    def push(self, refs: Sequence[str] = (), *, force_tags: bool = False, report: Report = silent) -> results.Synced:
        """Send versions and tags that the remote does not have.

        Args:
            refs: entries, or versions, which are sent with the tags that point to them; all if empty.
            force_tags: let the tags here win over those there.
            report: told about progress.

        Raises:
            ConflictError: `version_conflict`, `tag_conflict`.
        """
        there = self._meet()
        plan = self._push_plan(there, refs, force_tags=force_tags)
        done = transfer(self._here, there, plan, self._registry.author, f"push from {self._registry.author}", report)
        self._note_agreement(there, done.moves)
        self._part(there)
        self._send_usage(there)
        return self._synced(there, done)

    def preview_push(self, refs: Sequence[str] = (), *, force_tags: bool = False) -> results.Synced:
        """Return what `push` would send now; nothing is written, neither here nor there.

        Raises:
            as `push`.
        """
        there = self._meet()
        return self._previewed(there, self._push_plan(there, refs, force_tags=force_tags))

    def there(self, refs: Sequence[str] = ()) -> list[results.Resolved]:
        """Return what versions and tags of this repository are in the remote now, sorted; those that it has.

        Args:
            refs: entries or versions; all if empty.
        """
        there = self._meet()
        chosen, shown = choose(self._here, refs), Shown(self._here.log.view)
        names = [name for name in _live(self._here.log.view) if chosen.has(name)]
        targets = {name: _target(there.log.view, name) for name in names}
        parsed = [(parse_ref_name(name), target) for name, target in targets.items() if target]
        return sorted(results.Resolved(shown.ref(name.entry, name.leaf), str(target)) for name, target in parsed)

    def _push_plan(self, there: Repository, refs: Sequence[str], *, force_tags: bool) -> Plan:
        chosen = choose(self._here, refs)

        def plan(view: View) -> Sending:
            agreed = self._agreed(self._here.log.view)
            united = Union(self._here, there, view, chosen, self.name, self._registry.format_of, is_push=True)
            return Sending([*united.versions, *united.tags(agreed, force=force_tags)], united.notes())

        return _steady(self._here, there, plan)

    def _previewed(self, receiver: Repository, plan: Plan) -> results.Synced:
        found = plan(receiver.log.view)
        would = Transferred(tuple(found.moves), len(found.notes), packs=0, size=0)
        return self._synced(receiver, would)._replace(dry_run=True)

    def _agreed(self, view: View) -> dict[str, CommitId | None]:
        """Return where each tag was when this repository and the remote last agreed on it."""
        prefix = f"remote/{self.name}/"
        return {ref.name.removeprefix(prefix): ref.target for ref in view.refs(f"{prefix}tag/")}

    def forget_agreement(self) -> None:
        """Forget which tags were the same on both sides: an older state of the remote has not moved them back."""

        def build(view: View) -> Draft:
            names = {f"remote/{self.name}/{tag}": target for tag, target in self._agreed(view).items() if target}
            if not names:
                raise Settled
            refs = tuple(RefChange(name, target, None) for name, target in names.items())
            return Draft(self._registry.author, f"forget what {self.name} had", refs)

        with suppress(Settled):
            self._here.log.append(build)

    def _note_agreement(self, there: Repository, sent: Iterable[Move]) -> None:
        """Remember, in the log here, the tags that are the same on both sides now, and those that were sent.

        Someone may have moved a tag here while it was sent; what was sent is still what both agreed on.
        """
        tags = {move.name: move.new for move in sent if move.name.startswith("tag/")}

        def build(view: View) -> Draft:
            agreed, there_now = self._agreed(view), there.log.refresh()
            present = {
                ref.name: ref.target
                for ref in view.refs("tag/")
                if ref.target and _same_version(self._here, there, ref)
            }
            known = {name: tag for name, tag in tags.items() if self._here.objects.has(Sort.COMMIT, tag)}
            still = {name: tag for name, tag in known.items() if _target(there_now, name) == tag}
            changes = [
                RefChange(remote_ref(self.name, name), agreed.get(name), tag)
                for name, tag in (still | present).items()
                if agreed.get(name) != tag
            ]
            if not changes:
                raise Settled
            return Draft(self._registry.author, f"tags agreed on with {self.name}", tuple(changes))

        try:
            self._here.log.append(build)
        except Settled:
            return

    # From the remote.

    def fetch(self, refs: Sequence[str] = (), report: Report = silent) -> results.Synced:
        """Bring the remote's versions; the tags here stay.

        Raises:
            ConflictError: `version_conflict`.
        """
        there = self._meet()
        return self._bring(there, self._fetch_plan(there, refs), "fetch", report)

    def pull(self, refs: Sequence[str] = (), *, force_tags: bool = False, report: Report = silent) -> results.Synced:
        """Bring the remote's versions, and move the tags here to where they are there.

        Args:
            refs: entries or versions; all if empty.
            force_tags: let the tags there win over those here.
            report: told about progress.

        Raises:
            ConflictError: `version_conflict`, `tag_conflict`.
        """
        there = self._meet()
        return self._bring(there, self._pull_plan(there, refs, force_tags=force_tags), "pull", report)

    def preview_pull(self, refs: Sequence[str] = (), *, force_tags: bool = False) -> results.Synced:
        """Return what `pull` would bring now; nothing is written.

        Raises:
            as `pull`.
        """
        return self._previewed(self._here, self._pull_plan(self._meet(), refs, force_tags=force_tags))

    def preview_fetch(self, refs: Sequence[str] = ()) -> results.Synced:
        """Return what `fetch` would bring now; nothing is written.

        Raises:
            as `fetch`.
        """
        return self._previewed(self._here, self._fetch_plan(self._meet(), refs))

    def _pull_plan(self, there: Repository, refs: Sequence[str], *, force_tags: bool) -> Plan:
        chosen = choose(there, refs)

        def plan(view: View) -> Sending:
            united = self._united(there, view, chosen)
            tags = list(united.tags(self._agreed(view), force=force_tags))
            moves = [*united.versions, *tags, *united.agreed({move.name for move in tags})]
            return Sending(moves, united.notes())

        return _steady(there, self._here, plan)

    def _fetch_plan(self, there: Repository, refs: Sequence[str]) -> Plan:
        chosen = choose(there, refs)

        def plan(view: View) -> Sending:
            united = self._united(there, view, chosen)
            return Sending(united.versions, united.notes())

        return plan

    def _united(self, there: Repository, view: View, chosen: Chosen) -> Union:
        return Union(there, self._here, view, chosen, self.name, self._registry.format_of, is_push=False)

    def _bring(self, there: Repository, plan: Plan, word: str, report: Report) -> results.Synced:
        message = f"{word} from {self.name}"
        done = transfer(there, self._here, plan, self._registry.author, message, report, accept=prove)
        self._part(there)
        self._take_usage(there, done)
        return self._synced(self._here, done)

    def _send_usage(self, there: Repository) -> None:
        """Tell the remote what was read here; a push does not fail for it."""
        with suppress(MlregError, OSError):
            tracking, reads = self._registry.tracking, self._registry.reads
            if tracking and reads:
                publish(self._here.store, reads.writer, shares_names=tracking.shares_names)
                copy_usage(self._here.store, there.store)

    def _take_usage(self, there: Repository, done: Transferred) -> None:
        """Keep which versions were brought, and what the remote knows of reads; no pull fails for it."""
        with suppress(MlregError, OSError):
            reads = self._registry.reads if self._registry.tracking else None
            if reads:
                names = [parse_ref_name(move.name) for move in done.moves]
                brought = [f"{n.entry}@{n.leaf}" for n in names if n.remote is None and n.sort == "version"]
                reads.note(brought, "pull")
                copy_usage(there.store, self._here.store)

    def _synced(self, receiver: Repository, done: Transferred) -> results.Synced:
        url = receiver.url if receiver is not self._here else self.url
        return synced(self._here.log.view, self.name, url, done)


def _steady(sender: Repository, receiver: Repository, plan: Plan) -> Plan:
    """Return a plan that compares both as they are at one moment, and neither as it was before the other moved.

    Another process that works here moves the tags of both; a plan that is half of before it would move one back.
    """

    def steady(view: View) -> Sending:
        while True:
            looked = sender.log.refresh().number, view.number
            try:
                found = plan(view)
            except ConflictError:
                if (sender.log.refresh().number, receiver.log.refresh().number) == looked:
                    raise
            else:
                # Where the receiver has moved on, what is made of this gets no slot.
                if sender.log.view.number == looked[0]:
                    return found

    return steady


def synced(here: View, remote: str, url: str, done: Transferred) -> results.Synced:
    """Return what a transfer did, in the names that are used here."""
    own = [name for name in (parse_ref_name(move.name) for move in done.moves) if name.remote is None]
    shown = Shown(here)
    return results.Synced(
        remote=remote,
        url=url,
        versions=tuple(shown.ref(name.entry, name.leaf) for name in own if name.sort == "version"),
        tags=tuple(shown.ref(name.entry, name.leaf) for name in own if name.sort == "tag"),
        notes=done.notes,
        packs=done.packs,
        size=done.size,
    )


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
            if found.target == _target(here.log.view, ref.name)
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
            if target == _target(self._view, name):
                continue
            if ref.name in moved or target == _target(self._view, ref.name):
                yield Move(name, target, _target(self._view, name))

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
        return self._chosen.has(name) and (name in self._sent or _target(self._view, name) is not None)

    def _is_behind(self, about: str) -> bool:
        """Tell whether something that the receiver has, or gets, may be made from what a statement is about."""
        return self._chosen.names is None or about in self._behind

    @cached_property
    def _behind(self) -> frozenset[str]:
        names = self._chosen.names or ()
        starts = (target for name in names if (target := _target(self._sender.log.view, name)))
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


def _default(registry: Registry) -> str:
    return next(iter(registry.remotes)) if len(registry.remotes) == 1 else "origin"


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


def _target(view: View, name: str) -> CommitId | None:
    found = view.ref(name)
    return found.target if found else None


def _same_version(here: Repository, there: Repository, ref: RefState) -> bool:
    """Tell whether a tag means the same version in both repositories."""
    other = _target(there.log.view, ref.name)
    if other is None or ref.target is None:
        return False
    return other == ref.target or read_commit(here, ref.target).version == read_commit(there, other).version


def forget(registry: Registry, name: str) -> results.RemoteInfo:
    """Forget how far the log of a remote went, so that any state of it is accepted at the next meeting."""
    remote = Sync(registry, name)
    pins.forget(registry.repository.url, name)
    remote.forget_agreement()
    return results.RemoteInfo(name, remote.url)


def status(registry: Registry) -> results.Status:
    """Return where a repository stands, and how far its remotes were at the last contact; contacts none."""
    view = registry.repository.log.refresh()
    own = _live(view)
    return results.Status(
        path=registry.repository.url,
        repository=registry.repository.identity.repository,
        transactions=view.number,
        entries=len(entries_of(view)),
        versions=sum(1 for name in own if name.startswith("version/")),
        tags=sum(1 for name in own if name.startswith("tag/")),
        remotes=tuple(_remote_status(registry, name, own) for name in sorted(registry.remotes)),
    )


def _live(view: View) -> dict[str, CommitId]:
    refs = (*view.refs("version/"), *view.refs("tag/"))
    return {ref.name: ref.target for ref in refs if ref.target and known_ref_name(ref.name)}


def _remote_status(registry: Registry, remote: str, own: dict[str, CommitId]) -> results.RemoteStatus:
    url, here = registry.remotes[remote], registry.repository.log.view
    pin = pins.read(registry.repository.url, remote)
    if pin is None or registry.cache is None:
        return results.RemoteStatus(
            remote, url, seen=False, unpushed=_shown(here, own), unpulled=(), unpushed_notes=0, unpulled_notes=0
        )
    view = View(view_path(registry.cache, pin.repository, open_store(url).url))
    theirs = _live(view)
    known = {*own, *theirs}
    unpushed_notes, unpulled_notes = _notes_lacking(here, view, known), _notes_lacking(view, here, known)
    view.close()

    agreed = {name: _target(here, remote_ref(remote, name)) for name in {*own, *theirs} if name.startswith("tag/")}

    def is_news(names: dict[str, CommitId], others: dict[str, CommitId], ref: str) -> bool:
        return others.get(ref) != names[ref] and agreed.get(ref) != names[ref]

    return results.RemoteStatus(
        remote,
        url,
        seen=True,
        unpushed=_shown(here, (ref for ref in own if is_news(own, theirs, ref))),
        unpulled=_shown(
            here,
            (ref for ref in theirs if is_news(theirs, own, ref) and (ref.startswith("tag/") or here.ref(ref) is None)),
        ),
        unpushed_notes=unpushed_notes,
        unpulled_notes=unpulled_notes,
    )


def _notes_lacking(sender: View, receiver: View, refs: Collection[str]) -> int:
    """Count the statements about some versions and their entries that one view has, and the other has not."""
    families = {ref.rpartition("/")[0] for ref in refs}

    def is_about(about: str) -> bool:
        if about.startswith(ABOUT_ENTRY):
            return f"version/{about.removeprefix(ABOUT_ENTRY)}" in families
        return version_in(about) in refs

    by_name = sender.all_annotations().items()
    stated = (one for about, some in by_name if is_about(about) or is_of_taint(some) for one in some)
    return sum(not receiver.has_annotation(one.id) for one in stated)


def _shown(view: View, names: Iterable[str]) -> tuple[str, ...]:
    shown = Shown(view)
    return tuple(shown.ref(name.entry, name.leaf) for name in map(parse_ref_name, names))
