"""What the registry answers about retention policies: frozen values, which `--json` prints as they are."""

from __future__ import annotations

from typing import NamedTuple


class PolicyInfo(NamedTuple):
    """A retention policy, and what it is about."""

    origin: str
    """The setting that it is: `policies[0]`, `registry.model.cleanup_policy`."""
    match: tuple[str, ...]
    """Patterns of entries; those behind `!` take away what the others fit."""
    rules: tuple[str, ...]
    """`keep-last 5`; what any of them keeps stays."""
    allow_remove_all: bool
    """Whether an entry may be left without a version."""
    entries: int
    """That it is about."""
    versions: int


class VersionVerdict(NamedTuple):
    """Whether a version stays."""

    ref: str
    keep: bool
    rule: str
    """The rule that decided: `keep-last 5`, `tagged production`, `newest`, `none of keep-last 5; keep-within 90d`."""
    time: str
    """When it was registered, as far as rules believe it; empty if no policy is about it."""
    size: int
    """Bytes of its files."""


class Plan(NamedTuple):
    """What retention policies let go, and why the rest stays; stored, so that it can be applied."""

    id: str
    """Of all that it rests on: what differs in anything that counts has another one."""
    now: str
    """The time that it was made for."""
    pattern: str
    """Of the entries that were asked for."""
    free: int
    """Bytes that were to come free; 0 for all that the policies let go."""
    versions: tuple[VersionVerdict, ...]
    """Of each entry the newest first."""
    removes: tuple[str, ...]
    """Refs of the versions that go."""
    size: int
    """Bytes of the files that no version has which stays."""
    stored: bool
    """False where nothing can be written, and so it cannot be applied."""
    warnings: tuple[str, ...] = ()
    """Patterns of the policies that fit no entry, and rules that keep nothing: perhaps something is misspelt."""


class Applied(NamedTuple):
    """A plan after `policy apply`."""

    plan: str
    refs: tuple[str, ...]
    """The versions that it lets go."""
    changed: bool
    """False if nothing is to go, or all of it was removed already."""
    dry_run: bool = False
    """Whether this is what would be done, and nothing was."""
    warnings: tuple[str, ...] = ()
    """Those of the plan; empty if nothing had to be done."""


class RuleAnswer(NamedTuple):
    """What one rule says of a version."""

    origin: str
    """The setting that it is in."""
    rule: str
    keeps: bool


class Explained(NamedTuple):
    """Why a version stays, would go, or went."""

    ref: str
    state: str
    """`kept`, `let go`: the next plan would remove it; or `removed`."""
    rule: str
    """The rule that decided; of a removed version, who removed it, when and why."""
    reasons: tuple[str, ...]
    """All that keeps it; the one that decided first."""
    rules: tuple[RuleAnswer, ...]
    """What each rule of the policies that are about it says."""
