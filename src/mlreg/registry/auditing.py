"""The audit trail: what was changed in a repository, by whom, when, from where and why, as the log has it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from mlreg.errors import IntegrityError, UsageError
from mlreg.formats.annotation import ABOUT_ENTRY, Annotation, entry_of, version_in
from mlreg.formats.names import Entry, RefName, known_ref_name
from mlreg.formats.ref import is_pattern, parse_ref
from mlreg.ids import CommitId
from mlreg.registry.describe import Shown, event, version_names
from mlreg.registry.moves import logged_name
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import moment_of
from mlreg.registry.usage import day_of
from mlreg.registry.waiting import seconds_of
from mlreg.repository.log import now
from mlreg.repository.repository import Repository
from mlreg.repository.view import Change, Slot

_WORDS = {
    "deprecated": ("deprecate", "undeprecate"),
    "despite_taint": ("override", "override"),
    "frozen": ("freeze", "unfreeze"),
    "goal": ("set-goal", "set-goal"),
    "held": ("hold", "release"),
    "labels": ("label", "label"),
    "metadata": ("meta", "meta"),
    "name": ("mv", "mv"),
    "notes": ("note", "note"),
    "tainted": ("taint", "untaint"),
}
"""What a statement does, by the fact that it sets, or takes away."""
_OTHER = ("state", "state")
ACTIONS = (
    *("add", "remove", "restore", "tag", "untag", "agree", "move"),
    *sorted({word for words in (*_WORDS.values(), _OTHER) for word in words}),
    *("gc", "repack", "store"),
)
"""What may have been done: to versions and tags, by statements, and to the packs that hold the bytes."""
_known = lru_cache(4096)(known_ref_name)


class AuditEvent(NamedTuple):
    """One thing that a transaction did."""

    number: int
    """Of the transaction."""
    time: str
    author: str
    user: str
    """Who was logged in; empty if that is not kept."""
    host: str
    """The machine; empty if that is not kept."""
    action: str
    """The word of the command that does it: `add`, `tag`, `meta`, `freeze`, `gc`, ..."""
    ref: str
    """What it was done to; empty for the repository as a whole."""
    previous: str
    """What a tag, or the name of a version, pointed to before."""
    target: str
    """What it points to now, or what is stated, as JSON; of packs how many."""
    message: str
    """Why."""
    stated_by: str = ""
    """Who stated it, of a statement; another one than the author if it came from elsewhere."""
    stated: str = ""
    """When that was."""


class _Done(NamedTuple):
    """Something that was done, and to what, as the log names it."""

    event: AuditEvent
    entry: str = ""
    leaf: str = ""

    def is_of(self, logged: str) -> bool:
        """Tell whether it was done to an entry, tag or version that is called so in the log."""
        return logged in (self.entry, f"{self.entry}@{self.leaf}")


def audit(
    registry: Registry,
    what: str = "",
    *,
    by: str = "",
    since: str = "",
    until: str = "",
    actions: Collection[str] = (),
    limit: int = 0,
) -> Iterator[AuditEvent]:
    """Return what was done, the newest first; little of it is in memory at a time.

    Args:
        registry: where.
        what: an entry, a tag, a version, or a pattern of `kind/name`; everything if empty.
        by: a part of the author, of who was logged in where, `ann@host`, or of who stated it; or a pattern of it all.
        since: `90d`, `12w`, `2h`, `30m`, a day or a time.
        until: a day, which means its end, or a time.
        actions: of `ACTIONS`; all if empty.
        limit: how many at most; 0 for all.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
        UsageError: `bad_since`, `bad_ref`, `bad_action`.
    """
    _check(actions)
    first, last = _since(since) if since else "", moment_of(until) if until else None
    repository = registry.repository
    view = repository.log.with_history()
    fits, is_by, shown = _choice(repository, what), _author(by), Shown(view)

    def chosen() -> Iterator[AuditEvent]:
        for slot in view.slots(first, last):
            for done in _Teller(repository, shown, slot).all():
                if (not actions or done.event.action in actions) and fits(done) and is_by(done.event):
                    yield done.event

    return islice(chosen(), limit or None)


def _check(actions: Collection[str]) -> None:
    for action in actions:
        if action not in ACTIONS:
            raise UsageError("bad_action", f"{action!r:.80} is no action", fix=f"use one of {', '.join(ACTIONS)}")


def _since(text: str) -> str:
    """Return a time, or the beginning of a day."""
    if "T" in text:
        return moment_of(text)
    if re.fullmatch(r"[0-9]{1,5}[hm]", text):
        return f"{datetime.fromisoformat(now()) - timedelta(seconds=seconds_of(text)):%Y-%m-%dT%H:%M:%SZ}"
    day = date.fromisoformat(day_of(text, now()[:10]))
    return f"{day}T00:00:00Z"


def _choice(repository: Repository, what: str) -> Callable[[_Done], bool]:
    """Return what tells whether something was done to what was asked for."""
    if not what:
        return lambda done: True
    if is_pattern(what):
        return lambda done: fnmatchcase(done.event.ref.partition("@")[0].rpartition("::")[2], what)
    logged = logged_name(repository, parse_ref(what))
    return lambda done: done.is_of(logged)


def _author(by: str) -> Callable[[AuditEvent], bool]:
    pattern = by if is_pattern(by) else f"*{by}*"
    is_like = re.compile(translate(pattern.casefold())).fullmatch
    return lambda one: (
        not by
        or any(is_like(name.casefold()) for name in (one.author, f"{one.user}@{one.host}", one.stated_by) if name)
    )


class _Teller:
    """Says what one transaction did."""

    def __init__(self, repository: Repository, shown: Shown, slot: Slot) -> None:
        self._repository, self._shown, self._slot = repository, shown, slot
        self._plain = AuditEvent(slot.number, slot.time, slot.author, *slot.origin, "", "", "", "", slot.message)

    def all(self) -> Iterator[_Done]:
        """Yield what was done to names, then what was stated, then what was done to packs."""
        names = self._names()
        for change in self._slot.changes:
            yield self._moved(change, _known(change.name), names)
        for one in self._slot.stated:
            yield from self._stated(one)
        yield from self._packs()

    def _names(self) -> dict[CommitId, str]:
        """Return how the commits are called that names were moved from and to; few have to be read."""
        names: dict[CommitId, str] = {}
        others: set[CommitId] = set()
        view = self._repository.log.view
        for change in self._slot.changes:
            name, commits = _known(change.name), [one for one in (change.old, change.new) if one]
            if name and name.remote is None and name.sort == "version":
                names.update(dict.fromkeys(commits, self._shown.ref(name.entry, name.leaf)))
            else:
                others.update(commits)
        for commit in others - names.keys():
            known = (_known(name) for name in view.names_of(commit) if name.startswith("version/"))
            if found := next(known, None):
                names[commit] = self._shown.ref(found.entry, found.leaf)
        return names | version_names(self._repository, others - names.keys())

    def _moved(self, change: Change, name: RefName | None, names: Mapping[CommitId, str]) -> _Done:
        previous, target = (names[one] if one else "" for one in (change.old, change.new))
        if name is None:
            # What no release writes is shown as it is.
            return _Done(self._plain._replace(action="move", ref=change.name, previous=previous, target=target))
        entry, leaf = str(name.entry), name.leaf
        if name.remote is not None:
            ref = f"{name.remote}::{self._shown.ref(name.entry, leaf)}"
            return _Done(self._plain._replace(action="agree", ref=ref, previous=previous, target=target), entry, leaf)
        told = event(change, names, self._shown, is_first=change.name in self._slot.first)
        done = self._plain._replace(action=told.change, ref=told.ref, previous=previous, target=target)
        return _Done(done, entry, leaf)

    def _stated(self, one: Annotation) -> Iterator[_Done]:
        """Yield a row for each fact that a statement sets or takes away."""
        entry, leaf = _about(one.about)
        said = self._plain._replace(
            ref=self._shown.ref(entry, leaf), message=one.message, stated_by=one.author, stated=one.time
        )
        for fact, value in one.patch.items():
            word, opposite = _WORDS.get(fact, _OTHER)
            action = opposite if value is None or value is False or value == "" else word
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
            shown = "" if value is None else text if fact in _WORDS else f"{fact}: {text}"
            yield _Done(said._replace(action=action, target=shown), str(entry), leaf)

    def _packs(self) -> Iterator[_Done]:
        """Yield what was done to packs, unless they are those of the versions that came."""
        slot, plain = self._slot, self._plain
        if slot.dropped:
            action = "gc" if slot.is_lossy else "repack"
            yield _Done(plain._replace(action=action, previous=_packs(slot.dropped), target=_packs(slot.added)))
        elif slot.added and not (slot.changes or slot.stated):
            yield _Done(plain._replace(action="store", target=_packs(slot.added)))
        if slot.reaped:
            yield _Done(plain._replace(action="gc", previous=_packs(slot.reaped)))


def _packs(number: int) -> str:
    return f"{number} pack{'s' * (number != 1)}" if number else ""


def _about(about: str) -> tuple[Entry, str]:
    """Return the entry, and the version if there is one, that a statement is about."""
    if about.startswith(ABOUT_ENTRY):
        return entry_of(about), ""
    name = known_ref_name(version_in(about))
    if name is None:  # it was read as a statement, so its name is one
        raise IntegrityError(
            "bad_annotation", "a note of the log is about nothing", why=about, fix="mlreg audit verify"
        )
    return name.entry, name.leaf
