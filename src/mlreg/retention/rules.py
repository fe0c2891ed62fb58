"""From facts about versions to a verdict on each: whether it stays, and the rule that decided.

A version stays if anything keeps it: what is in use is never let go, whatever the policies say; then each rule keeps
what its word says; and what a kept version was made from stays with it. Nothing here knows the time: it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from mlreg.retention.policy import BY_TIME, EXCEPT, Age, Best, Policy, Retention, Rule

NEWEST, NO_POLICY, NO_RULE = "newest", "no policy", "no rule keeps it"
INPUT_OF = "input of"
ANCESTORS = "keep-ancestors-of"
SHOWN = 3
"""Entries that a doubt names."""


class Version(NamedTuple):
    """What rules may ask of a version."""

    ref: str
    """`model/net@1.0.0`, unlike every other."""
    id: str
    """Of its commit."""
    time: str
    """When it was registered, `2026-11-23T06:28:00Z`; empty if that cannot be told."""
    is_latest: bool = False
    """Whether `@latest` means it."""
    tags: tuple[str, ...] = ()
    """That point to it: `production`, and `origin::production` as of the last contact."""
    held: str = ""
    """Why it is held; empty if it is not."""
    frozen: bool = False
    needed_by: str = ""
    """A version or a run that was made from it and that no policy is asked about; empty if there is none."""
    inputs: tuple[str, ...] = ()
    """Refs of those among the others that it was made from, removed ones between them passed over."""
    deployed: int | None = None
    """To how many others a deployment tag pointed since it pointed to this one; None if none ever did."""
    used: str = ""
    """The day it was last read; empty if it never was, or no one asks."""
    reads: int = 0
    """How often it was read; 0 if no one asks."""
    metrics: Mapping[str, float] = {}

    @property
    def entry(self) -> str:
        """What its entry is called."""
        return self.ref.rpartition("@")[0]


class Verdict(NamedTuple):
    """Whether a version stays."""

    ref: str
    keep: bool
    rule: str
    """The rule that decided."""
    rules: tuple[str, ...]
    """All that keep it, that one first; of a version that goes, those that do not."""


def decide(versions: Sequence[Version], retention: Retention, now: str) -> list[Verdict]:
    """Return a verdict on each version, in the same order.

    Args:
        versions: those of an entry together, the newest first.
        retention: the policies.
        now: a time, `2026-11-23T06:28:00Z`.
    """
    reasons: dict[str, list[str]] = {version.ref: in_use(version, retention) for version in versions}
    asked: dict[str, tuple[str, ...]] = {}
    for entry, some in by_entry(versions).items():
        fitting = retention.fitting(entry)
        asked[entry] = tuple(dict.fromkeys(str(rule) for policy in fitting for rule in policy.rules))
        for version, reason in _kept_by_policies(some, fitting, now):
            reasons[version.ref].append(reason)
    _keep_inputs(versions, reasons)
    return [_verdict(version, reasons[version.ref], asked[version.entry]) for version in versions]


def by_entry(versions: Iterable[Version]) -> dict[str, list[Version]]:
    """Return the versions of each entry, in the same order."""
    found: dict[str, list[Version]] = {}
    for version in versions:
        found.setdefault(version.entry, []).append(version)
    return found


def in_use(version: Version, retention: Retention) -> list[str]:
    """Return why a version stays whatever the policies say; nothing if it need not."""
    found = [f"held: {version.held}"] if version.held else []
    found += ["frozen"] if version.frozen else []
    for tag in version.tags:
        is_deployed = any(fnmatchcase(tag.rpartition("::")[2], one) for one in retention.deployment_tags)
        found.append(f"{'deployed' if is_deployed else 'tagged'} {tag}")
    return found + ([f"{INPUT_OF} {version.needed_by}"] if version.needed_by else [])


def _kept_by_policies(
    versions: Sequence[Version], fitting: Sequence[Policy], now: str
) -> Iterable[tuple[Version, str]]:
    if not fitting:
        yield from ((version, NO_POLICY) for version in versions)
        return
    for rule in dict.fromkeys(rule for policy in fitting for rule in policy.rules):
        yield from ((version, str(rule)) for version in kept_by(rule, versions, now))
    if not all(policy.may_remove_all for policy in fitting):
        first = versions[:1]
        yield from ((version, NEWEST) for version in versions if version.is_latest or version in first)


def _keep_inputs(versions: Sequence[Version], reasons: dict[str, list[str]]) -> None:
    """Let stay what kept versions were made from, and what that was made from."""
    known = {version.ref: version for version in versions}
    pending = [version.ref for version in versions if reasons[version.ref]]
    opened = set(pending)
    for ref in pending:
        for source in known[ref].inputs:
            if source not in reasons:
                continue
            if not any(reason.startswith(INPUT_OF) for reason in reasons[source]):
                reasons[source].append(f"{INPUT_OF} {ref}")
            if source not in opened:
                opened.add(source)
                pending.append(source)


def _verdict(version: Version, reasons: Sequence[str], asked: tuple[str, ...]) -> Verdict:
    if reasons:
        return Verdict(version.ref, keep=True, rule=reasons[0], rules=tuple(reasons))
    rule = f"none of {'; '.join(asked)}" if asked else NO_RULE
    return Verdict(version.ref, keep=False, rule=rule, rules=asked)


def idle(versions: Sequence[Version], verdicts: Iterable[Verdict], retention: Retention, now: str) -> list[Policy]:
    """Return the policies by which versions go and no rule keeps any, its own or another's, and that do not mean it.

    Args:
        versions: those of an entry together, the newest first.
        verdicts: on them.
        retention: the policies.
        now: a time.
    """
    losing = {verdict.ref.rpartition("@")[0] for verdict in verdicts if not verdict.keep}
    entries = by_entry(versions)
    kept = {
        entry
        for entry, some in entries.items()
        if any(kept_by(rule, some, now) for policy in retention.fitting(entry) for rule in policy.rules)
    }
    found = []
    for policy in retention.policies:
        about = {entry for entry in entries if policy.fits(entry)}
        if about & losing and not about & kept and not policy.may_remove_all:
            found.append(policy)
    return found


def doubts(versions: Sequence[Version], entries: Collection[str], retention: Retention, now: str) -> Iterator[str]:
    """Yield what is perhaps misspelt: patterns that fit no entry, and rules that keep nothing of what they are about.

    Args:
        versions: those of an entry together, the newest first.
        entries: what all entries are called.
        retention: the policies.
        now: a time.
    """
    some = by_entry(versions)
    for policy in retention.policies:
        for pattern in policy.match:
            if not any(fnmatchcase(entry, pattern.removeprefix(EXCEPT)) for entry in entries):
                yield f"{policy.origin}: no entry fits {pattern}"
        about = [entry for entry in some if policy.fits(entry)]
        for rule in policy.rules:
            if rule.word in (ANCESTORS, *BY_TIME):
                continue  # where nothing happens for a while they keep nothing, as is meant
            idle_in = [entry for entry in about if not kept_by(rule, some[entry], now)]
            # Each entry may have tags of its own, but what is best is asked of all.
            if idle_in and (idle_in == about or isinstance(rule.value, Best)):
                yield f"{policy.origin}: {rule} keeps nothing of {_listed(idle_in)}"


def _listed(entries: Sequence[str]) -> str:
    more = f" and of {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    return ", ".join(entries[:SHOWN]) + more


# What each word keeps of the versions of one entry, the newest first.


def kept_by(rule: Rule, versions: Sequence[Version], now: str) -> list[Version]:
    """Return those of the versions of an entry that a rule keeps, by itself."""
    return _KEEPERS[rule.word](rule.value, versions, now)


_Keeper = Callable[..., list[Version]]
"""Takes the value of a rule, the versions of an entry, the newest first, and the time."""


def _last(count: int, versions: Sequence[Version], _: str) -> list[Version]:
    return list(versions[:count])


def _within(age: Age, versions: Sequence[Version], now: str) -> list[Version]:
    start = before(now, age.days)
    # Of what no one knows how old it is, no one can say that it is too old.
    return [version for version in versions if not version.time or version.time >= start]


def _used_within(age: Age, versions: Sequence[Version], now: str) -> list[Version]:
    start = before(now, age.days)[:10]
    return [version for version in versions if version.used and version.used >= start]


def _newest_of_each(count: int, versions: Sequence[Version], period: Callable[[str], object]) -> list[Version]:
    """Return the newest version of each of the last periods that have any, as restic counts them."""
    found: dict[object, Version] = {}
    for version in sorted(versions, key=lambda one: one.time, reverse=True):
        if version.time and period(version.time) not in found and len(found) < count:
            found[period(version.time)] = version
    return list(found.values())


def _daily(count: int, versions: Sequence[Version], _: str) -> list[Version]:
    return _newest_of_each(count, versions, lambda time: time[:10])


def _weekly(count: int, versions: Sequence[Version], _: str) -> list[Version]:
    return _newest_of_each(count, versions, lambda time: date.fromisoformat(time[:10]).isocalendar()[:2])


def _monthly(count: int, versions: Sequence[Version], _: str) -> list[Version]:
    return _newest_of_each(count, versions, lambda time: time[:7])


def _tagged(patterns: Sequence[str], versions: Sequence[Version], _: str) -> list[Version]:
    def fits(tag: str) -> bool:
        return any(fnmatchcase(tag.rpartition("::")[2], pattern) for pattern in patterns)

    return [version for version in versions if any(map(fits, version.tags))]


def _best(best: Best, versions: Sequence[Version], _: str) -> list[Version]:
    measured = [version for version in versions if not math.isnan(version.metrics.get(best.metric, math.nan))]
    sign = 1 if best.direction == "min" else -1
    # Of equally good ones, the newest.
    return sorted(measured, key=lambda version: sign * version.metrics[best.metric])[: best.most]


def _deployed(count: int | bool, versions: Sequence[Version], _: str) -> list[Version]:
    most = math.inf if count is True else count
    return [version for version in versions if version.deployed is not None and version.deployed < most]


def _ancestors(_: str, __: Sequence[Version], ___: str) -> list[Version]:
    # What was made from what is looked at for all entries together, and always.
    return []


_KEEPERS: dict[str, _Keeper] = {
    "keep-last": _last,
    "keep-within": _within,
    "keep-daily": _daily,
    "keep-weekly": _weekly,
    "keep-monthly": _monthly,
    "keep-tag": _tagged,
    "keep-best": _best,
    "keep-used-within": _used_within,
    "keep-deployed": _deployed,
    ANCESTORS: _ancestors,
}


def before(now: str, days: float) -> str:
    """Return the time so many days before another; empty for before all times.

    >>> before("2026-11-23T06:28:00Z", 90)
    '2026-08-25T06:28:00Z'
    """
    try:
        moment = datetime.fromisoformat(now).replace(tzinfo=None) - timedelta(days=days)
    except OverflowError:
        return ""
    return f"{moment.isoformat(timespec='seconds')}Z"
