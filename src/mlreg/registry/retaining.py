"""What retention policies say of the versions of a repository, and when they are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import RefusedError
from mlreg.formats.amounts import size_of
from mlreg.ids import ContentId
from mlreg.operations.looking_again import again_if_collected
from mlreg.operations.unshared import unshared
from mlreg.registry.registry import Registry
from mlreg.registry.retention_facts import Basis, basis_of
from mlreg.retention.freeing import freed, least_loss
from mlreg.retention.policy import BY_TIME, Policy, Retention
from mlreg.retention.rules import Verdict, Version, before, decide, doubts, idle

LONGEST_REST = 366
"""Days without a new version after which a clock that says so is not believed."""
Verdicts = Mapping[str, Verdict]
"""By the ref of the version."""
Holds = Mapping[str, Mapping[ContentId, int]]
"""Files with their bytes, by the ref of the version that has them."""


class Question(NamedTuple):
    """What is asked of the policies."""

    pattern: str
    """Of entries, or one entry."""
    free: int
    """Bytes that are to come free; 0 for all that the policies let go."""
    now: str
    """The time, `2026-11-23T06:28:00Z`."""


class Answer(NamedTuple):
    """What the policies say."""

    basis: Basis
    verdicts: Verdicts
    """Of the versions that a policy is about."""
    size: int
    """Bytes that come free."""
    doubts: tuple[str, ...]
    """What is perhaps misspelt in the policies."""

    @property
    def removes(self) -> dict[str, str]:
        """From the ref of each version that goes to the id of its commit."""
        return {one.ref: one.id for one in self.basis.versions if not self.verdicts[one.ref].keep}


def decided(registry: Registry, retention: Retention, asked: Question, runs: Path | None) -> tuple[Basis, Verdicts]:
    """Return what verdicts rest on, and a verdict on each version that a policy is about.

    Args:
        registry: where.
        retention: the policies.
        asked: what is to come free is not looked at.
        runs: where runs are kept while they live; None for in the repository.
    """
    basis = basis_of(registry, retention, asked.pattern, asked.now, runs=runs, counts_reads=bool(asked.free))
    return basis, {one.ref: one for one in decide(basis.versions, retention, asked.now)}


def answer_to(
    registry: Registry, retention: Retention, asked: Question, runs: Path | None, *, is_clock: bool = False
) -> Answer:
    """Return the same with the bytes that come free; of what may go, no more goes than was asked for.

    Args:
        registry: where.
        retention: the policies.
        asked: what.
        runs: as for `decided`.
        is_clock: whether the time is that of a clock, which may be wrong.

    Raises:
        RefusedError: `empty_policy`, `clock_off`, `keeps_nothing`, `cannot_free`.
    """
    registry.open()
    refuse_empty(retention)
    # Versions that were looked at may be removed, and collected, in the same moment.
    look = partial(_answer, registry, retention, asked, runs, is_clock=is_clock)
    return again_if_collected(registry.repository, look)


def _answer(registry: Registry, retention: Retention, asked: Question, runs: Path | None, *, is_clock: bool) -> Answer:
    basis, verdicts = decided(registry, retention, asked, runs)
    if is_clock and any(map(retention.asks, BY_TIME)):
        _check_clock(basis.times, asked.now)
    if found := idle(basis.versions, verdicts.values(), retention, asked.now):
        raise _keeps_nothing(found[0])
    holds = _holds(registry, basis, verdicts)
    if asked.free:
        verdicts = _spared(basis.versions, verdicts, holds, asked.free)
    entries = {named.ref.rpartition("@")[0] for named in basis.names.values()}
    doubtful = tuple(doubts(basis.versions, entries, retention, asked.now))
    return Answer(basis, verdicts, freed(holds, [ref for ref, one in verdicts.items() if not one.keep]), doubtful)


def refuse_empty(retention: Retention) -> None:
    """Refuse policies that do not say what stays.

    Raises:
        RefusedError: `empty_policy`.
    """
    empty = next((policy for policy in retention.policies if policy.is_empty), None)
    if retention.policies and not empty:
        return
    what = f"{empty.origin}, for {', '.join(empty.match)}, says nothing" if empty else "no retention policy is set"
    raise RefusedError(
        "empty_policy",
        f"{what} of what stays",
        why="it would let everything go" if empty else "what goes is what policies let go",
        fix=("policies: [{match: 'model/*', keep-last: 5}]", "in .mlreg.yaml; see docs/retention.md"),
    )


def _check_clock(times: Sequence[str], now: str) -> None:
    """Refuse to ask a clock that is years off: what is old by it need not be."""
    past = [time for time in times if time <= before(now, -1)]
    if not times or (past and max(past) >= before(now, LONGEST_REST)):
        return
    newest = max(past) if past else min(times)
    raise RefusedError(
        "clock_off",
        f"the clock says {now}, and no version is of the year before that",
        why=f"the {'newest' if past else 'oldest'} is of {newest}; by a wrong clock too much would be old",
        fix=(f"if the clock is right: --now {now}", "date", "leave out rules with -within and retention_days"),
    )


def _keeps_nothing(policy: Policy) -> RefusedError:
    return RefusedError(
        "keeps_nothing",
        f"{policy.origin}, for {', '.join(policy.match)}, keeps none of the versions that it is about",
        why=f"it says {'; '.join(map(str, policy.rules))}; only the newest, and what is in use, would stay",
        fix=("if that is meant: keep-last: 1", "if nothing has to stay: allow-remove-all: true", "mlreg policy show"),
    )


def _holds(registry: Registry, basis: Basis, verdicts: Verdicts) -> Holds:
    """Return the files of each version that goes, with their bytes, that none has which stays."""
    goes = {one for one, named in basis.names.items() if named.ref in verdicts and not verdicts[named.ref].keep}
    found = unshared(registry.repository, goes, [one for one in basis.names if one not in goes])
    return {basis.names[one].ref: files for one, files in found.items()}


def _spared(versions: Sequence[Version], verdicts: Verdicts, holds: Holds, free: int) -> Verdicts:
    """Return the verdicts if no more goes than that so many bytes come free."""
    candidates = [one for one in versions if not verdicts[one.ref].keep]
    if (most := freed(holds, holds)) < free:
        raise RefusedError(
            "cannot_free",
            f"{size_of(free)} would not come free: of what the policies let go, {size_of(most)} would",
            why="files count that no version has which stays",
            fix=(f"--free {most}" if most else "mlreg policy plan", "keep less by the policies"),
        )
    going = set(least_loss(candidates, holds, free))
    spared = (f"not needed to free {size_of(free)}",)
    return {
        ref: one if one.keep or ref in going else Verdict(ref, keep=True, rule=spared[0], rules=spared)
        for ref, one in verdicts.items()
    }
