"""Taint: something is wrong with a version, and so with everything that was made from it.

One statement on the source says so, and another one takes it back. What descends from it is found through
inputs when it is asked for and written nowhere: so it holds for versions, too, that are registered later or come
from elsewhere. A question looks at what a version was made from and at nothing else, and at nothing at all in a
repository in which nothing is tainted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from mlreg.errors import IntegrityError, TaintedError
from mlreg.formats.annotation import TAINTED, Annotation, about_version, facts_of, version_in
from mlreg.formats.commit import Commit
from mlreg.formats.names import known_ref_name
from mlreg.ids import CommitId
from mlreg.operations.annotate import annotate
from mlreg.operations.lineage import present_commits
from mlreg.operations.naming import called
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

OVERRIDES = "despite_taint"
"""The fact that keeps why tainted versions were got all the same, by random keys."""

ReadCommits = Callable[[Repository, Iterable[CommitId]], Mapping[CommitId, Commit]]


class Taint(NamedTuple):
    """What is wrong with a version, who said so and when."""

    ref: str
    """The version that was tainted."""
    reason: str
    author: str
    time: str


def about_commit(commit: Commit) -> str:
    """Return what statements about a version are filed under, wherever it is and whether it was removed."""
    return about_version(f"version/{commit.entry}/{commit.version}", commit.content())


def readable_commits(repository: Repository, ids: Iterable[CommitId]) -> dict[CommitId, Commit]:
    """Return those commits that are in the repository and can be read."""
    wanted = list(ids)
    with suppress(IntegrityError):
        return present_commits(repository, wanted)
    found: dict[CommitId, Commit] = {}
    for commit_id in wanted:
        with suppress(IntegrityError):
            found.update(present_commits(repository, [commit_id]))
    return found


def ancestry(
    repository: Repository, starts: Iterable[CommitId], read: ReadCommits = readable_commits
) -> dict[CommitId, Commit]:
    """Return some commits and all that they were made from, each once; those that are here."""
    found: dict[CommitId, Commit] = {}
    front, met = list(dict.fromkeys(starts)), set[CommitId]()
    while front:
        met.update(front)
        commits = read(repository, front)
        found.update(commits)
        inputs = (item.commit for commit in commits.values() for item in commit.inputs)
        front = [commit_id for commit_id in dict.fromkeys(inputs) if commit_id not in met]
    return found


class Taints:
    """What is tainted in the state of a repository that its view has."""

    def __init__(self, repository: Repository, read: ReadCommits = readable_commits) -> None:
        """Look up the sources.

        Args:
            repository: refreshed.
            read: reads commits, and decides what becomes of one that is damaged.
        """
        self._repository = repository
        self._read = read
        view = repository.log.view
        found = ((about, _taint(view, about, stated)) for about, stated in view.tainted().items())
        self._sources = {about: taint for about, taint in found if taint}

    @property
    def sources(self) -> Collection[Taint]:
        """The taints, each of the version that was tainted."""
        return self._sources.values()

    def of_each(self, ids: Iterable[CommitId]) -> dict[CommitId, tuple[Taint, ...]]:
        """Return, for each version, its own taint and those of all that it was made from, the oldest first."""
        wanted = list(ids)
        if not self._sources:
            return dict.fromkeys(wanted, ())
        commits = ancestry(self._repository, wanted, self._read)
        users: dict[CommitId, list[CommitId]] = {}
        for commit_id, commit in commits.items():
            for item in commit.inputs:
                users.setdefault(item.commit, []).append(commit_id)
        found: dict[CommitId, list[Taint]] = {commit_id: [] for commit_id in wanted}
        for taint, sources in self._met(commits, {*wanted, *users}).items():
            for commit_id in _reached(sources, users) & found.keys():
                found[commit_id].append(taint)
        return {commit_id: tuple(sorted(some, key=age)) for commit_id, some in found.items()}

    def _met(self, commits: Mapping[CommitId, Commit], ids: Collection[CommitId]) -> dict[Taint, list[CommitId]]:
        """Return the taints of commits themselves; of one that cannot be read, that of the name it has here."""
        by_name = {version_in(about): taint for about, taint in self._sources.items()}
        found: dict[Taint, list[CommitId]] = {}
        for commit_id in ids:
            if commit := commits.get(commit_id):
                taint = self._sources.get(about_commit(commit))
            else:
                names = self._repository.log.view.names_of(commit_id)
                taint = next((by_name[name] for name in names if name in by_name), None)
            if taint:
                found.setdefault(taint, []).append(commit_id)
        return found


def age(taint: Taint) -> tuple[str, str]:
    """Return what taints are ordered by, the oldest first."""
    return taint.time, taint.ref


def _reached(starts: Iterable[CommitId], users: Mapping[CommitId, list[CommitId]]) -> set[CommitId]:
    pending, seen = list(starts), set[CommitId]()
    while pending:
        commit_id = pending.pop()
        if commit_id not in seen:
            seen.add(commit_id)
            pending.extend(users.get(commit_id, ()))
    return seen


def _taint(view: View, about: str, stated: list[Annotation]) -> Taint | None:
    """Return what statements about a version taint it with; None if nothing does any more."""
    reason, name = facts_of(stated).get(TAINTED), known_ref_name(version_in(about))
    if not reason or name is None:
        return None
    said = next(one for one in reversed(stated) if TAINTED in one.patch)
    return Taint(f"{called(view, name.entry)}@{name.leaf}", str(reason), said.author, said.time)


def refuse_tainted(repository: Repository, ids: Iterable[CommitId], shown: str, despite: str = "") -> bool:
    """Refuse what is tainted; tell whether it is, if it was asked for all the same.

    Args:
        repository: refreshed.
        ids: of the version, or of what it is to be made from.
        shown: the version, for the message.
        despite: why it is wanted all the same; empty if it is not.

    Raises:
        TaintedError: `tainted`.
        IntegrityError: `object_damaged`, what it was made from cannot be read, so it may be tainted.
    """
    is_wanted = bool(despite.strip())
    read = readable_commits if is_wanted else present_commits
    taints = sorted({one for some in Taints(repository, read).of_each(ids).values() for one in some}, key=age)
    if taints and not is_wanted:
        raise _tainted(shown, taints)
    return bool(taints)


def _tainted(shown: str, taints: list[Taint]) -> TaintedError:
    first = taints[0]
    others = f", and {len(taints) - 1} more that it was made from" if len(taints) > 1 else ""
    made = "" if first.ref == shown else f"it was made from {first.ref}, which is tainted; "
    return TaintedError(
        "tainted",
        f"{shown} is tainted: {first.reason}{others}",
        why=f"{made}{first.author} said so at {first.time}",
        fix=(
            f"use what was not made from {first.ref}",
            *(f"if it is well again: mlreg untaint {taint.ref}" for taint in taints[:3]),
            "if it must be: --despite-taint 'WHY', in Python despite_taint=\"WHY\"; it is kept",
        ),
    )


def with_override(message: str, despite: str) -> str:
    """Return the message of a transaction that something tainted is part of, with why that was wanted."""
    return f"{message} (despite taint: {despite.strip()})" if despite.strip() else message


def keep_override(repository: Repository, commit: Commit, shown: str, despite: str, author: str) -> None:
    """State, of a version, that it was got though it is tainted, and why.

    Args:
        repository: where it is stated; the version may be of another one.
        commit: of the version.
        shown: what it is called.
        despite: why.
        author: who got it.
    """
    patch = {OVERRIDES: {os.urandom(8).hex(): despite.strip()}}
    about = about_commit(commit)
    message = with_override(f"get {shown}", despite)
    annotate(repository, about, patch, author, message, lambda _: {})
