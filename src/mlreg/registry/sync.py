"""Push, pull, fetch and clone: what goes from a repository to a remote, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from mlreg.errors import ConflictError, MlregError, NotFoundError
from mlreg.formats.names import (
    parse_ref_name,
    remote_ref,
)
from mlreg.formats.pack import Sort
from mlreg.formats.snapshot import RefState
from mlreg.formats.transaction import RefChange
from mlreg.ids import CommitId
from mlreg.operations.arriving import prove
from mlreg.operations.history import read_commit
from mlreg.operations.transfer import Move, Sending, Transferred, transfer
from mlreg.operations.usage_files import copy_usage, publish
from mlreg.registry import pins, results
from mlreg.registry.describe import Shown
from mlreg.registry.registry import Registry, Report, silent
from mlreg.registry.standing import live_names
from mlreg.registry.uniting import Chosen, Union, choose, target_of
from mlreg.repository.log import Draft, Settled
from mlreg.repository.repository import Repository
from mlreg.repository.view import View
from mlreg.stores import open_store

Plan = Callable[[View], Sending]
"""Says from the newest state of the receiver what it is to get."""


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
        names = [name for name in live_names(self._here.log.view) if chosen.has(name)]
        targets = {name: target_of(there.log.view, name) for name in names}
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
            still = {name: tag for name, tag in known.items() if target_of(there_now, name) == tag}
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


def _default(registry: Registry) -> str:
    return next(iter(registry.remotes)) if len(registry.remotes) == 1 else "origin"


def _same_version(here: Repository, there: Repository, ref: RefState) -> bool:
    """Tell whether a tag means the same version in both repositories."""
    other = target_of(there.log.view, ref.name)
    if other is None or ref.target is None:
        return False
    return other == ref.target or read_commit(here, ref.target).version == read_commit(there, other).version


def forget(registry: Registry, name: str) -> results.RemoteInfo:
    """Forget how far the log of a remote went, so that any state of it is accepted at the next meeting."""
    remote = Sync(registry, name)
    pins.forget(registry.repository.url, name)
    remote.forget_agreement()
    return results.RemoteInfo(name, remote.url)
