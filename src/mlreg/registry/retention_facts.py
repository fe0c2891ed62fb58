"""What retention rules ask of versions, looked up in a repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import UsageError
from mlreg.formats.annotation import HELD, facts_of
from mlreg.formats.commit import Commit
from mlreg.formats.names import EXPERIMENT, Entry, known_ref_name
from mlreg.ids import CommitId
from mlreg.operations.history import latest_of, leaf_of, newest_first, read_commits, version_of
from mlreg.operations.lineage import present_commits
from mlreg.operations.naming import meant
from mlreg.operations.run_facts import as_number, flat
from mlreg.operations.run_metadata import metadata_of
from mlreg.operations.tainting import ancestry
from mlreg.operations.usage_files import counts_in
from mlreg.registry.describe import either, statements_of
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import entries_of, moment_of
from mlreg.registry.run_place import Place
from mlreg.registry.searching import entries_meant
from mlreg.repository.repository import Repository
from mlreg.repository.view import View
from mlreg.retention.policy import Best, Retention
from mlreg.retention.rules import Version


class Named(NamedTuple):
    """A version of the log that is not removed."""

    entry: Entry
    """As the log names it."""
    leaf: str
    ref: str
    """As it is shown."""
    is_covered: bool
    """Whether the pattern fits it."""
    is_asked: bool
    """Whether a policy is about it, too."""


class Basis(NamedTuple):
    """What verdicts rest on."""

    versions: tuple[Version, ...]
    """That a policy is about, those of an entry together, the newest first."""
    names: Mapping[CommitId, Named]
    """All versions of the repository, in the same order."""
    sizes: Mapping[str, int]
    """Bytes of each version, by ref."""
    times: tuple[str, ...]
    """When they were registered, as their commits say."""


def basis_of(
    registry: Registry, retention: Retention, pattern: str, now: str, *, runs: Path | None, counts_reads: bool
) -> Basis:
    """Look up what the rules of some policies ask of the versions that a pattern fits.

    Args:
        registry: where.
        retention: the policies.
        pattern: of `kind/name`, or one entry.
        now: times after it are those of a clock that was wrong.
        runs: where runs are kept while they live; None for in the repository.
        counts_reads: whether it is asked how often versions were read.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
        UsageError: `search_in_version`.
        IntegrityError: `object_missing`, `object_damaged`, a commit cannot be read: what it was made from might go.
    """
    repository = registry.repository
    view = repository.log.with_history() if retention.asks("keep-deployed") else repository.log.refresh()
    names = _names(view, retention, pattern)
    commits = {**ancestry(repository, names, present_commits), **read_commits(repository, names)}
    facts = _Facts(repository, view, retention, names, commits, counts_reads=counts_reads)
    sources = {one: _sources(commits, names, one) for one in names}
    users = _users(names, sources) | _open_runs(Place(registry, runs), view, names, commits)
    times = _times(commits, now)
    asked = (one for one, named in names.items() if named.is_asked)
    return Basis(
        tuple(facts.version(one, times[one], users.get(one, ""), sources[one]) for one in asked),
        names,
        {named.ref: commits[one].size for one, named in names.items()},
        tuple(time for one in names if (time := _readable(commits[one].time))),
    )


def _names(view: View, retention: Retention, pattern: str) -> dict[CommitId, Named]:
    covered = entries_meant(view, pattern)
    found: dict[CommitId, Named] = {}
    for entry, shown in entries_of(view).items():
        is_covered = entry in covered
        is_asked = is_covered and bool(retention.fitting(str(shown)))
        for ref in newest_first(view, entry):
            if ref.target and known_ref_name(ref.name):
                leaf = leaf_of(ref)
                found[ref.target] = Named(entry, leaf, f"{shown}@{leaf}", is_covered, is_asked)
    return found


# What was made from what.


def _sources(commits: Mapping[CommitId, Commit], names: Mapping[CommitId, Named], start: CommitId) -> list[CommitId]:
    """Return the versions that one was made from, also through such as were removed, but not through others."""
    pending = [item.commit for item in commits[start].inputs]
    met = set(pending)
    found = []
    for commit_id in pending:
        if commit_id in names:
            found.append(commit_id)
        elif commit_id in commits:
            more = [item.commit for item in commits[commit_id].inputs if item.commit not in met]
            met.update(more)
            pending.extend(more)
    return found


def _users(names: Mapping[CommitId, Named], sources: Mapping[CommitId, Sequence[CommitId]]) -> dict[CommitId, str]:
    """Return, for each version that something no policy is asked about was made from, the first such ref."""
    found: dict[CommitId, str] = {}
    for one, some in sources.items():
        for source in some:
            if not names[one].is_asked:
                found[source] = min(found.get(source, names[one].ref), names[one].ref)
    return found


def _open_runs(
    place: Place, view: View, names: Mapping[CommitId, Named], commits: Mapping[CommitId, Commit]
) -> dict[CommitId, str]:
    """Return, for each version that a run which is not sealed uses or goes on with, that run."""
    found: dict[CommitId, str] = {}
    for run in place.live():
        for commit_id in _used_by(run.state.resumes, run.state.experiment, run.state.inputs, view):
            if commit_id in names:
                found.setdefault(commit_id, f"run/{run.state.id}")
            elif commit_id in commits:
                found |= dict.fromkeys(_sources(commits, names, commit_id), f"run/{run.state.id}")
    return found


def _used_by(resumes: str, experiment: str, inputs: Iterable[Any], view: View) -> Iterator[CommitId]:
    for item in inputs:
        try:
            yield CommitId.parse(item.commit)
        except UsageError:
            # A journal may be someone else's work.
            continue
    if resumes and (found := version_of(view, meant(view, Entry(EXPERIMENT, experiment)), resumes)):
        yield from [found.target] if found.target else []


# When versions were registered.


def _readable(time: str) -> str:
    """Return a time of a commit in the one form that can be compared; empty if it is none."""
    try:
        return moment_of(time)
    except UsageError:
        return ""


def _times(commits: Mapping[CommitId, Commit], now: str) -> dict[CommitId, str]:
    """Return when each version was registered: not before what it came from, though a clock may say so."""
    graph = {one: [origin for origin in commit.history() if origin in commits] for one, commit in commits.items()}
    found: dict[CommitId, str] = {}
    for one in TopologicalSorter(graph).static_order():
        # A time to come is that of a clock that was ahead, and nothing is younger for it.
        origins = [found[origin] for origin in graph[one] if found[origin] <= now]
        own = _readable(commits[one].time)
        found[one] = max([own, *origins]) if own else ""
    return found


# What else is known of versions.


class _Facts:
    """Looks up facts of versions, as far as a rule asks for them."""

    def __init__(
        self,
        repository: Repository,
        view: View,
        retention: Retention,
        names: Mapping[CommitId, Named],
        commits: Mapping[CommitId, Commit],
        *,
        counts_reads: bool,
    ) -> None:
        self._repository, self._names, self._commits = repository, names, commits
        self._counts_reads = counts_reads
        rules = [rule for policy in retention.policies for rule in policy.rules]
        self._metrics = sorted({rule.value.metric for rule in rules if isinstance(rule.value, Best)})
        entries = {named.entry for named in names.values() if named.is_asked}
        self._stated = {entry: statements_of(view, entry) for entry in entries}
        self._latest = {entry: latest_of(view, entry) for entry in entries}
        self._tags = _tags(view)
        self._deployed = _deployed(view, retention) if retention.asks("keep-deployed") else {}
        self._reads = _reads(repository) if counts_reads or retention.asks("keep-used-within") else {}

    def version(self, one: CommitId, time: str, user: str, sources: Iterable[CommitId]) -> Version:
        """Return what is known of a version."""
        named, commit = self._names[one], self._commits[one]
        stated, latest = self._stated[named.entry], self._latest[named.entry]
        facts = facts_of(stated.about(commit), {"metadata": commit.metadata})
        inputs = sorted({self._names[source].ref for source in sources if self._names[source].is_asked})
        used, reads = self._reads.get(f"{named.entry}@{named.leaf}", ("", 0))
        return Version(
            ref=named.ref,
            id=str(one),
            time=time,
            is_latest=latest is not None and latest.target == one,
            tags=tuple(sorted(self._tags.get(one, ()))),
            held=str(either(stated.of_entry, facts, HELD) or ""),
            frozen=bool(either(stated.of_entry, facts, "frozen")),
            needed_by=user,
            inputs=tuple(inputs),
            deployed=self._deployed.get(one),
            used=used,
            reads=reads if self._counts_reads else 0,
            metrics=self._metrics_of(named.entry, commit, facts) if self._metrics else {},
        )

    def _metrics_of(self, entry: Entry, commit: Commit, facts: Mapping[str, Any]) -> dict[str, float]:
        is_run = entry.kind == EXPERIMENT
        metadata = metadata_of(self._repository, commit) if is_run else facts.get("metadata")
        metrics = metadata.get("metrics") if isinstance(metadata, Mapping) else None
        found = dict(flat(metrics)) if isinstance(metrics, Mapping) else {}
        values = {name: as_number(found.get(name)) for name in self._metrics}
        return {name: value for name, value in values.items() if value is not None}


def _reads(repository: Repository) -> dict[str, tuple[str, int]]:
    """Return the last day on which each version was read, and how often it was; by its name in the log."""
    found: dict[str, tuple[str, int]] = {}
    for key, readers in counts_in(repository.store).items():
        day, times = found.get(key.version, ("", 0))
        found[key.version] = max(day, key.day), times + sum(readers.values())
    return found


def _tags(view: View) -> dict[CommitId, list[str]]:
    """Return the tags on each version, those of remotes too, as of the last contact: `origin::production`."""
    found: dict[CommitId, list[str]] = {}
    for ref in (*view.refs("tag/"), *view.refs("remote/")):
        name = known_ref_name(ref.name)
        if ref.target and name and name.sort == "tag":
            found.setdefault(ref.target, []).append(f"{name.remote}::{name.leaf}" if name.remote else name.leaf)
    return found


def _deployed(view: View, retention: Retention) -> dict[CommitId, int]:
    """Return to how many others deployment tags pointed since they pointed to each version."""
    moves: dict[str, dict[CommitId, None]] = {}
    for move in reversed(view.changes("tag/")):
        name = known_ref_name(move.name)
        if name and move.new and any(fnmatchcase(name.leaf, one) for one in retention.deployment_tags):
            moves.setdefault(move.name, {}).setdefault(move.new)
    found: dict[CommitId, int] = {}
    for targets in moves.values():
        for number, target in enumerate(targets):
            found[target] = min(number, found.get(target, number))
    return found
