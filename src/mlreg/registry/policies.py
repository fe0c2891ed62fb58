"""Retention policies at work: what they let go, why the rest stays, and the removal, if nothing has changed since.

A plan is worked out from facts and stored. Who applies it works it out again, against the very state that the removal
is made against; if anything that it rests on is not as it was, nothing is removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from blake3 import blake3

from mlreg.errors import ConflictError, NotFoundError, UsageError
from mlreg.formats import canonical
from mlreg.formats.names import Entry
from mlreg.formats.ref import parse_ref
from mlreg.operations import history, record
from mlreg.registry.describe import Shown, event, version_names
from mlreg.registry.plans import StoredPlan, read_plan, store_plan
from mlreg.registry.refusing import refuse_path, refuse_remote
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import Target, entries_of, moment_of, resolve, resolve_entry
from mlreg.registry.retaining import Answer, Question, answer_to, decided
from mlreg.registry.retention_results import Applied, Explained, Plan, PolicyInfo, RuleAnswer, VersionVerdict
from mlreg.repository.log import now as now_of_clock
from mlreg.repository.view import View
from mlreg.retention.policy import Retention
from mlreg.retention.rules import NO_POLICY, Verdict, Version, kept_by

ALL = "*"
ID_DIGITS = 16
SHOWN = 5
"""Changes that an error names."""
_POWERS = " KMGT"
_WORDS = {
    "id": "what it is",
    "time": "when it was registered",
    "is_latest": "whether it is the latest",
    "tags": "its tags",
    "held": "whether it is held",
    "frozen": "whether it is frozen",
    "needed_by": "what was made from it",
    "inputs": "what it was made from",
    "deployed": "when it was deployed",
    "used": "when it was read",
    "reads": "how often it was read",
    "metrics": "its metrics",
}
"""What has changed of a version, by the field of `Version`."""


def bytes_of(text: str) -> int:
    """Return how many bytes a size has: `50G`, `1.5T`, `200 MB`, `4GiB`, `1000`.

    Raises:
        UsageError: `bad_size`.
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(?:([KMGT])(i?))?B?", text, re.IGNORECASE)
    power = _POWERS.index((found[2] or " ").upper()) if found else 0
    size = round(float(found[1]) * (1024 if found[3] else 1000) ** power) if found else 0
    if not size:
        raise UsageError("bad_size", f"{text!r:.80} is no size", fix="write it like 50G, 1.5T or 200MiB")
    return size


def show(registry: Registry, retention: Retention) -> list[PolicyInfo]:
    """Return the policies of the settings, and how many entries and versions each is about."""
    view = registry.repository.log.refresh()
    live = {
        str(shown): sum(ref.target is not None for ref in history.newest_first(view, entry))
        for entry, shown in entries_of(view).items()
    }
    found = []
    for policy in retention.policies:
        about = [entry for entry in live if policy.fits(entry)]
        rules, versions = tuple(map(str, policy.rules)), sum(live[entry] for entry in about)
        found.append(PolicyInfo(policy.origin, policy.match, rules, policy.may_remove_all, len(about), versions))
    return found


def plan(
    registry: Registry,
    retention: Retention,
    pattern: str = ALL,
    *,
    free: int = 0,
    now: str = "",
    runs: Path | None = None,
) -> Plan:
    """Work out which versions go, and store that, to be applied.

    Args:
        registry: where.
        retention: the policies.
        pattern: of `kind/name`, or one entry; all others stay as they are.
        free: bytes that are to come free: of what may go, as little as possible goes. 0 for all of it.
        now: a day, which means its end, or a time that is taken for the present; by default that of the clock.
        runs: where runs are kept while they live, whose inputs stay; by default in the repository.

    Raises:
        RefusedError: `empty_policy`, nothing says what stays; `keeps_nothing`, a policy keeps nothing that it is
            about; `clock_off`; `cannot_free`, so much would not come free.
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
        UsageError: `bad_ref`, no such time.
        IntegrityError: `object_missing`, `object_damaged`.
    """
    asked = Question(pattern, free, _moment(now))
    answer = answer_to(registry, retention, asked, runs, is_clock=not now)
    stored = _stored(registry, retention, asked, answer)
    removes = tuple(answer.removes)
    is_stored, rows = store_plan(registry.repository.store, stored), tuple(_rows(answer))
    return Plan(stored.id, asked.now, pattern, free, rows, removes, answer.size, is_stored, answer.doubts)


def _moment(text: str) -> str:
    return moment_of(text) if text else now_of_clock()


def _rows(answer: Answer) -> Iterator[VersionVerdict]:
    times = {version.ref: version.time for version in answer.basis.versions}
    for named in answer.basis.names.values():
        if named.is_covered:
            verdict = answer.verdicts.get(named.ref)
            keep, rule = (verdict.keep, verdict.rule) if verdict else (True, NO_POLICY)
            time, size = times.get(named.ref, ""), answer.basis.sizes[named.ref]
            yield VersionVerdict(named.ref, keep, rule, time, size)


def _stored(registry: Registry, retention: Retention, asked: Question, answer: Answer) -> StoredPlan:
    versions = {version.ref: _document(version) for version in answer.basis.versions}
    removes, reasons = answer.removes, [answer.verdicts[ref].rule for ref in answer.removes]
    plan = StoredPlan(
        id="",
        now=asked.now,
        pattern=asked.pattern,
        free=asked.free,
        removes=[[ref, commit_id] for ref, commit_id in removes.items()],
        reasons=[*dict.fromkeys(reasons)],
        retention=retention.document(),
        versions=versions,
    )
    seed = {**plan._asdict(), "repository": registry.repository.identity.repository}
    return plan._replace(id=blake3(canonical.encode(seed)).hexdigest()[:ID_DIGITS])


def _document(version: Version) -> dict[str, Any]:
    """Return what is known of a version as JSON: its metrics as texts, for they may be infinite."""
    lists = {"tags": [*version.tags], "inputs": [*version.inputs]}
    return {**version._asdict(), **lists, "metrics": {name: repr(value) for name, value in version.metrics.items()}}


def stored_plan(registry: Registry, word: str) -> StoredPlan:
    """Return a plan that waits to be applied.

    Args:
        registry: where.
        word: its id, or the beginning of it, or `last`.

    Raises:
        NotFoundError: `plan_missing`, `ref_ambiguous`.
    """
    return read_plan(registry.repository.store, word)


def apply(
    registry: Registry, retention: Retention, stored: StoredPlan, message: str = "", *, runs: Path | None = None
) -> Applied:
    """Remove what a plan lets go, in one transaction; `restore` brings it back until its bytes are collected.

    Args:
        registry: where.
        retention: the policies, as they are now.
        stored: the plan.
        message: why, besides the plan and its rules.
        runs: as for `plan`.

    Raises:
        ConflictError: `plan_changed`, something that it rests on is not as it was.
        RefusedError: what `plan` raises; `version_tagged`, `version_frozen`, `version_held`, `transaction_too_large`.
    """
    refs = tuple(ref for ref, _ in stored.removes)
    if not refs or _is_done(registry.repository.log.refresh(), stored):
        return Applied(stored.id, refs, changed=False)
    asked, warnings = Question(stored.pattern, stored.free, stored.now), list[str]()

    def still(_: View) -> None:
        answer = answer_to(registry, retention, asked, runs)
        _refuse_changed(stored, _stored(registry, retention, asked, answer))
        warnings[:] = answer.doubts

    said = f"retention plan {stored.id}: {', '.join(stored.reasons)}"
    named = _by_entry(registry.repository.log.view, refs)
    done = record.remove(registry.repository, named, registry.author, "; ".join(filter(None, (message, said))), still)
    return Applied(stored.id, refs, changed=done is not None, warnings=tuple(warnings))


def _is_done(view: View, stored: StoredPlan) -> bool:
    """Tell whether all that a plan lets go is removed already."""
    for ref, commit_id in stored.removes:
        entry, version = _place_of(view, ref)
        found = history.version_of(view, entry, version)
        if found is None or str(found.removed) != commit_id:
            return False
    return True


def _by_entry(view: View, refs: Sequence[str]) -> dict[Entry, list[str]]:
    found: dict[Entry, list[str]] = {}
    for entry, version in (_place_of(view, ref) for ref in refs):
        found.setdefault(entry, []).append(version)
    return found


def _place_of(view: View, ref: str) -> tuple[Entry, str]:
    parsed = parse_ref(ref)
    return resolve_entry(view, parsed), parsed.selector or ""


def _refuse_changed(stored: StoredPlan, present: StoredPlan) -> None:
    # All of it, and not the id alone: the file may be someone else's work.
    if present == stored:
        return
    changes = list(_changes(stored, present)) or ["the file of the plan itself"]
    others = f", and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    raise ConflictError(
        "plan_changed",
        f"what the plan {stored.id} rests on has changed, and nothing was removed",
        why="; ".join(changes[:SHOWN]) + others,
        fix=" ".join(("mlreg policy plan", *([stored.pattern] if stored.pattern != ALL else []))),
    )


def _changes(stored: StoredPlan, present: StoredPlan) -> Iterator[str]:
    """Yield what is not as it was, in words."""
    if stored.retention != present.retention:
        yield "the policies are others"
    for ref in dict.fromkeys([*stored.versions, *present.versions]):
        old, new = stored.versions.get(ref), present.versions.get(ref)
        if old is None or new is None:
            yield f"{ref} {'came' if new else 'went'}"
        elif old != new:
            words = [word for field, word in _WORDS.items() if old.get(field) != new.get(field)]
            yield f"{ref}: {', '.join(words)}"
    if stored.removes != present.removes:
        yield "other versions would go"


def explain(
    registry: Registry, retention: Retention, text: str, *, now: str = "", runs: Path | None = None
) -> Explained:
    """Say why a version stays, why the next plan would let it go, or how it was removed.

    Args:
        registry: where.
        retention: the policies.
        text: a ref of a version; one that was removed, too.
        now: as for `plan`.
        runs: as for `plan`.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
    """
    ref = parse_ref(text)
    refuse_remote(ref)
    refuse_path(ref)
    view = registry.repository.log.refresh()
    try:
        target = resolve(registry.repository, ref)
    except NotFoundError as error:
        if error.code != "version_removed":
            raise
        return _removed(registry, resolve_entry(view, ref), ref.selector or "")
    return _explained(registry, retention, target, Question(ALL, 0, _moment(now)), runs)


def _explained(
    registry: Registry, retention: Retention, target: Target, asked: Question, runs: Path | None
) -> Explained:
    basis, verdicts = decided(registry, retention, asked, runs)
    shown, entry = str(target), str(target.called)
    verdict = verdicts.get(shown) or Verdict(shown, keep=True, rule=NO_POLICY, rules=(NO_POLICY,))
    beside = [version for version in basis.versions if version.entry == entry]
    rules = tuple(
        RuleAnswer(policy.origin, str(rule), shown in {one.ref for one in kept_by(rule, beside, asked.now)})
        for policy in retention.fitting(entry)
        for rule in policy.rules
    )
    state, reasons = ("kept", verdict.rules) if verdict.keep else ("let go", ())
    return Explained(shown, state, verdict.rule, reasons, rules)


def _removed(registry: Registry, entry: Entry, version: str) -> Explained:
    view = registry.repository.log.with_history()
    name = f"version/{entry}/{version}"
    move = next(one for one in reversed(view.changes(name)) if one.name == name)
    names = version_names(registry.repository, [one for one in (move.old, move.new) if one])
    told = event(move, names, Shown(view), is_first=False)
    return Explained(told.ref, "removed", f"{told.message} ({told.author}, {told.time})", (), ())
