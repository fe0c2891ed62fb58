"""From a ref, as a user writes it, to one version.

The order in which a selector is understood: `latest`, a tag, a version, the beginning of an id. Tags,
versions and ids cannot look alike (`mlreg.formats.names`), so the order never decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.names import (
    EXPERIMENT,
    MIN_ID_PREFIX,
    Entry,
    is_entry,
    is_id_prefix,
    known_ref_name,
    parse_ref_name,
    tag_ref,
)
from mlreg.formats.ref import BEST, RUN, Ref, Step
from mlreg.formats.run import id_in, is_run_version
from mlreg.formats.snapshot import RefState
from mlreg.formats.versions import order
from mlreg.ids import CommitId
from mlreg.operations.history import latest_of, leaf_of, newest_first, read_commit, version_of
from mlreg.operations.naming import called, meant
from mlreg.operations.returning import can_return, ways_back
from mlreg.registry.kinds import KINDS
from mlreg.repository.repository import Repository
from mlreg.repository.view import View


class Target(NamedTuple):
    """The version that a ref names; prints as its one canonical form."""

    entry: Entry
    """As the log names it."""
    version: str
    commit_id: CommitId
    called: Entry
    """What the entry is called now."""

    def __str__(self) -> str:
        """Return `model/suture_detector@1.0.0`."""
        return f"{self.called}@{self.version}"


def resolve(repository: Repository, ref: Ref) -> Target:
    """Return the version that a ref names.

    Args:
        repository: refreshed; where to look.
        ref: without a path, or with one that is ignored here.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `version_removed`.
        UsageError: `bad_ref`, a time that does not exist.
        IntegrityError: `bad_ref_name`, the log calls the version by an illegal name.
    """
    steps = list(ref.steps)
    found = _start(repository, ref, steps)
    for step in steps:
        found = _take(repository, found, step)
    return found


def _start(repository: Repository, ref: Ref, steps: list[Step]) -> Target:
    """Return where the steps begin; the past of a tag is a beginning, and its step is taken out."""
    view = repository.log.view
    if ref.kind == RUN:
        return _run(view, ref.selector or "", view.families())
    if not ref.name:
        return _by_id(view, ref.selector or "", None)
    entry = resolve_entry(view, ref)
    if ref.selector and steps and steps[0].sort == "at":
        return _tag_at(repository, entry, ref.selector, steps.pop(0))
    if entry.kind == EXPERIMENT and (found := _of_experiment(repository, entry, ref.selector or "")):
        return found
    return _select(repository, entry, ref.selector or "latest")


def _of_experiment(repository: Repository, entry: Entry, selector: str) -> Target | None:
    """Return the best run of an experiment, or the one whose id begins so; None if something else is meant."""
    view = repository.log.view
    tag = view.ref(tag_ref(entry, BEST)) if selector == BEST else None
    if selector == BEST and (tag is None or tag.target is None):
        from mlreg.operations.best_run import best_run  # which needs what writes, too

        return _run(view, best_run(repository, entry), [f"version/{entry}/"])
    if len(selector) < MIN_ID_PREFIX or version_of(view, entry, selector):
        return None
    family = f"version/{entry}/"
    return _run(view, selector, [family]) if view.refs(family + selector) else None


def _run(view: View, beginning: str, families: Sequence[str]) -> Target:
    """Return the run whose id begins so, as it was sealed last."""
    found: dict[str, RefState] = {}
    for family in families:
        if family.startswith(f"version/{EXPERIMENT}/"):
            live = (ref for ref in view.refs(family + beginning) if ref.target and is_run_version(leaf_of(ref)))
            for ref in sorted(live, key=lambda one: order(leaf_of(one))):
                found[id_in(leaf_of(ref))] = ref
    if len(found) == 1 and (target := _named(view, next(iter(found.values())))):
        return target
    if len(found) > 1:
        fix = tuple(f"run/{run}" for run in list(found)[:5])
        raise NotFoundError("ref_ambiguous", f"{len(found)} runs have an id that begins with {beginning}", fix=fix)
    raise _not_sealed(beginning)


def _not_sealed(run: str) -> NotFoundError:
    why = "a run that is open has no version yet: it gets one when it is finished, or adopted"
    fix = (
        *("mlreg run ls", f"mlreg run finish --run {run}", f"mlreg run adopt {run}"),
        "for what a command makes: mlreg run exec --out KIND/NAME=PATH, which registers it when its run is sealed",
    )
    return NotFoundError("ref_not_found", f"there is no sealed run {run}", why=why, fix=fix)


def resolve_entry(view: View, ref: Ref) -> Entry:
    """Return the entry that a ref names; a kind that is left out is found if only one fits.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
    """
    kinds = [ref.kind] if ref.kind else list(KINDS)
    entries = [meant(view, Entry(kind, ref.name)) for kind in kinds]
    found = [entry for entry in entries if next(newest_first(view, entry), None)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFoundError(
            "ref_ambiguous",
            f"{ref.name} is the name of {len(found)} entries",
            fix=tuple(f"write {called(view, entry)}" for entry in found),
        )
    wanted = Entry(ref.kind, ref.name) if ref.kind else ref.name
    is_open = ref.kind == EXPERIMENT
    why = "an experiment becomes an entry when its first run is finished, or adopted" if is_open else ""
    fix = ("mlreg run ls",) * is_open + _near(view, ref.name)
    raise NotFoundError("ref_not_found", f"there is no entry {wanted}", why=why, fix=fix)


def _near(view: View, name: str) -> tuple[str, ...]:
    """Return commands that show what there is, the most likely first."""
    import difflib

    entries = entries_of(view).values()
    close = difflib.get_close_matches(name, [entry.name for entry in entries], n=3)
    return (*(f"mlreg show {entry}" for entry in entries if entry.name in close), "mlreg ls")


def entries_of(view: View, pattern: str = "*") -> dict[Entry, Entry]:
    """Return the entries that have a version, each with what it is called, sorted by that.

    Args:
        view: where.
        pattern: of what they are called, `kind/name`, as in a shell.
    """
    names = (family.removeprefix("version/").removesuffix("/").partition("/") for family in view.families())
    entries = (entry for kind, _, name in names if is_entry(entry := Entry(kind, name)))
    named = {entry: called(view, entry) for entry in entries}
    fitting = (entry for entry, shown in named.items() if fnmatchcase(str(shown), pattern))
    return {entry: named[entry] for entry in sorted(fitting, key=named.__getitem__)}


def _select(repository: Repository, entry: Entry, selector: str) -> Target:
    view = repository.log.view
    if selector == "latest":
        newest = latest_of(view, entry)
        if newest is None:
            raise _not_found(view, entry, f"{called(view, entry)} has no version any more")
        return _target(view, entry, newest)
    found = version_of(view, entry, selector)
    if found and found.target:
        return _target(view, entry, found)
    tagged = view.ref(f"tag/{entry}/{selector}")
    if tagged and tagged.target:
        return _version_with(view, entry, tagged.target)
    if is_id_prefix(selector):
        return _by_id(view, selector, entry)
    if entry.kind == EXPERIMENT and not found and is_run_version(selector):
        raise _not_sealed(selector)
    shown = called(view, entry)
    if found:
        back = ways_back(repository, found, f"{shown}@{selector}", is_here=can_return(repository, found))
        raise NotFoundError("version_removed", f"{shown}@{selector} was removed", fix=back)
    raise _not_found(view, entry, f"{shown} has no version and no tag {selector}")


def _not_found(view: View, entry: Entry, message: str) -> NotFoundError:
    live = (leaf_of(ref) for ref in newest_first(view, entry) if ref.target)
    shown = list(islice(live, 5))
    why = f"its newest versions are {', '.join(shown)}" if shown else "all of them were removed"
    return NotFoundError("ref_not_found", message, why=why, fix=f"mlreg ls {called(view, entry)}")


def _target(view: View, entry: Entry, found: RefState) -> Target:
    assert found.target is not None  # noqa: S101 - callers pass live versions
    # The log may be someone else's work: what is printed and written from here on is a legal name.
    return Target(entry, parse_ref_name(found.name).leaf, found.target, called(view, entry))


def _version_with(view: View, entry: Entry, commit_id: CommitId) -> Target:
    prefix = f"version/{entry}/"
    for name in view.names_of(commit_id):
        if name.startswith(prefix) and "/" not in (leaf := name.removeprefix(prefix)):
            parse_ref_name(name)
            return Target(entry, leaf, commit_id, called(view, entry))
    raise NotFoundError(
        "version_removed",
        f"the version of {entry} with the id {commit_id} was removed",
        fix=f"mlreg restore {entry}@VERSION; mlreg log {entry} names it",
    )


def _by_id(view: View, prefix: str, entry: Entry | None) -> Target:
    """Find a version, of one entry or of any, by the beginning of its commit's id."""
    found = [state for state in view.refs("version/") if state.target and state.target.hex().startswith(prefix)]
    targets = [target for state in found if (target := _named(view, state)) and entry in (None, target.entry)]
    if not targets:
        raise NotFoundError("ref_not_found", f"no version has an id that begins with {prefix}", fix="mlreg ls")
    if len({target.commit_id for target in targets}) > 1:
        raise NotFoundError(
            "ref_ambiguous",
            f"{len(targets)} versions have an id that begins with {prefix}",
            fix=tuple(f"mlreg show {target}" for target in targets[:5]),
        )
    return targets[0]


def _named(view: View, state: RefState) -> Target | None:
    name = known_ref_name(state.name)
    return _target(view, name.entry, state) if name else None


def _take(repository: Repository, start: Target, step: Step) -> Target:
    if step.sort == "back" and start.entry.kind == EXPERIMENT:
        return _earlier_run(repository.log.view, start, int(step.value))
    if step.sort == "back":
        for _ in range(int(step.value)):
            start = _parent(repository, start)
        return start
    if step.sort == "input":
        return _input(repository, start, step.value)
    raise NotFoundError("ref_not_found", f"{step} asks for the past of a version; only tags move", fix="mlreg tag ls")


def _parent(repository: Repository, start: Target) -> Target:
    parents = read_commit(repository, start.commit_id).parents
    if not parents:
        raise NotFoundError("ref_not_found", f"{start} is the first version", fix=f"mlreg log {start.called}")
    return _of_commit(repository, parents[0])


def _earlier_run(view: View, start: Target, count: int) -> Target:
    """Return the run of the same experiment that began so many runs before, as it was sealed last."""
    runs = {id_in(start.version): start}
    for ref in newest_first(view, start.entry, before=start.version):
        run = id_in(leaf_of(ref))
        if ref.target and run not in runs and (found := _named(view, ref)):
            runs[run] = found
            if len(runs) > count:
                break
    if count < len(runs):
        return list(runs.values())[count]
    what = f"{len(runs) - 1} runs began before {start}" if len(runs) > 1 else f"{start} is the first run"
    raise NotFoundError("ref_not_found", what, fix=f"mlreg run ls {start.called.name}")


def _input(repository: Repository, start: Target, role: str) -> Target:
    inputs = read_commit(repository, start.commit_id).inputs
    fitting = [item for item in inputs if not role or item.role == role]
    if len(fitting) == 1:
        return _of_commit(repository, fitting[0].commit)
    roles = ", ".join(dict.fromkeys(item.role for item in inputs)) or "none"
    code = "ref_ambiguous" if fitting else "ref_not_found"
    message = f"{start} has {len(fitting)} inputs" + (f" in the role {role}" if role else "")
    raise NotFoundError(code, message, why=f"its roles are: {roles}", fix=f"mlreg show {start}")


def _of_commit(repository: Repository, commit_id: CommitId) -> Target:
    view = repository.log.view
    for name in view.names_of(commit_id):
        if name.startswith("version/") and (parsed := known_ref_name(name)):
            return Target(parsed.entry, parsed.leaf, commit_id, called(view, parsed.entry))
    raise NotFoundError(
        "ref_not_found",
        f"the version with the id {commit_id} is not in this repository",
        fix=("mlreg pull, if a remote has it", "mlreg ls"),
    )


def _tag_at(repository: Repository, entry: Entry, tag: str, step: Step) -> Target:
    """Return what a tag pointed to, a number of moves ago or at a time; a day means its end, UTC."""
    name = tag_ref(entry, tag)
    moves = [change for change in repository.log.with_history().changes(name) if change.name == name]
    if step.value.isdigit():
        before = moves[: max(0, len(moves) - int(step.value))]
    else:
        moment = moment_of(step.value)
        before = [change for change in moves if change.time <= moment]
    if not before or before[-1].new is None:
        shown = f"{called(repository.log.view, entry)}@{tag}"
        raise NotFoundError("ref_not_found", f"{shown} did not exist then", fix=f"mlreg tag log {shown}")
    return _of_commit(repository, before[-1].new)


def moment_of(text: str) -> str:
    """Return a day, which means its end, or a time as UTC: `2026-11-23T06:28:00Z`.

    Raises:
        UsageError: `bad_ref`.
    """
    from datetime import UTC, datetime

    moment = text if "T" in text else f"{text}T23:59:59Z"
    try:
        parsed = datetime.fromisoformat(moment)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return f"{aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    except (ValueError, OverflowError) as error:
        raise UsageError(
            "bad_ref",
            f"{text} is not a time",
            why="that day or time does not exist",
            fix="write it like 2026-03-01 or 2026-03-01T12:00:00Z",
        ) from error
