"""What a version was made from, and what was made from it: two walks over the same edges.

An edge is an input of a commit. Up follows it as it is stored; down needs all of them turned round,
which one pass over the commits does. Nothing here recurses, and nothing is opened twice, so a chain of
any length and a circle, which only a forger could make, come to an end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from mlreg.formats.commit import Commit
from mlreg.formats.names import known_ref_name
from mlreg.formats.pack import Sort
from mlreg.ids import CommitId
from mlreg.operations.history import read_commits
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

BATCH = 1000
"""Commits that are held at once in the pass over all of them."""

State = Literal["live", "removed", "absent"]
"""Of a version. Absent: this repository never had the name; its commit may still have come with another's."""


class Link(NamedTuple):
    """A step of a walk, from one commit to the next."""

    commit_id: CommitId
    role: str
    """What the one that was made used the other as."""


Links = Callable[[Sequence[CommitId]], Mapping[CommitId, Sequence[Link]]]
"""Return where the walk goes on from some commits, each of which is a key of the answer."""


class Step(NamedTuple):
    """A commit where a walk met it."""

    commit_id: CommitId
    role: str
    """Empty for the start."""
    depth: int
    """Steps from the start, which has 0."""


class Walk(NamedTuple):
    """What is reached from one commit in one direction."""

    start: CommitId
    limit: int | None
    """The most steps from the start; None for no limit."""
    distances: Mapping[CommitId, int]
    """The fewest steps to each commit, the nearest first."""
    links: Mapping[CommitId, Sequence[Link]]
    """Where it went on from each commit that is nearer than the limit, in the same order."""

    def steps(self) -> Iterator[Step]:
        """Yield the commits depth first; one that is met twice is yielded twice, and opened once.

        It is opened where it is met first. Under a limit, where it is nearest: so nothing within the
        limit is hidden by a longer way to it.
        """
        pending = [Step(self.start, "", 0)]
        opened: set[CommitId] = set()
        while pending:
            step = pending.pop()
            yield step
            commit_id, _, depth = step
            if commit_id not in opened and (self.limit is None or depth == self.distances[commit_id]):
                opened.add(commit_id)
                pending.extend(Step(*link, depth + 1) for link in reversed(self.links.get(commit_id, ())))


def walk(start: CommitId, links_of: Links, limit: int | None) -> Walk:
    """Reach what can be reached, the nearest first.

    Args:
        start: where to begin.
        links_of: asked once for each commit, for all of one distance together.
        limit: the most steps; None for no limit.
    """
    distances, links = {start: 0}, dict[CommitId, Sequence[Link]]()
    front, distance = [start], 0
    while front and (limit is None or distance < limit):
        distance += 1
        found = links_of(front)
        links.update((commit_id, found[commit_id]) for commit_id in front)
        met = dict.fromkeys(link.commit_id for commit_id in front for link in found[commit_id])
        front = [commit_id for commit_id in met if commit_id not in distances]
        distances.update(dict.fromkeys(front, distance))
    return Walk(start, limit, distances, links)


def up(repository: Repository, start: CommitId, limit: int | None = None) -> Walk:
    """Return what a commit was made from, by inputs, in the order in which commits name them."""

    def inputs(front: Sequence[CommitId]) -> Mapping[CommitId, Sequence[Link]]:
        commits = present_commits(repository, front)
        return {one: _inputs(commits[one]) if one in commits else () for one in front}

    return walk(start, inputs, limit)


def down(repository: Repository, start: CommitId, limit: int | None = None) -> Walk:
    """Return what was made from a commit, by entry and version as text.

    Every version that the log ever named is looked at, removed ones too, and what those were made from.
    """
    users = users_of(repository)
    return walk(start, lambda front: {one: users.get(one, ()) for one in front}, limit)


def _inputs(commit: Commit) -> list[Link]:
    return [Link(item.commit, item.role) for item in commit.inputs]


def users_of(repository: Repository) -> dict[CommitId, list[Link]]:
    """Return, for each commit that is an input, the commits that name it: one pass over all commits."""
    users: dict[CommitId, list[Link]] = {}
    waiting = deque(dict.fromkeys(_named(repository.log.view)))
    seen = set(waiting)
    while waiting:
        batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
        for commit_id, commit in present_commits(repository, batch).items():
            for source, role in _inputs(commit):
                users.setdefault(source, []).append(Link(commit_id, role))
                if source not in seen:
                    seen.add(source)
                    waiting.append(source)
    return users


def _named(view: View) -> Iterator[CommitId]:
    for ref in view.refs("version/"):
        commit_id = ref.target or ref.removed
        if commit_id and known_ref_name(ref.name):
            yield commit_id


def present_commits(repository: Repository, ids: Iterable[CommitId]) -> dict[CommitId, Commit]:
    """Return those commits that are in the repository, in the order of `ids`.

    Raises:
        IntegrityError: `object_damaged`, one is there and cannot be read: the answer would have a hole.
    """
    present = [commit_id for commit_id in ids if repository.objects.has(Sort.COMMIT, commit_id)]
    commits = read_commits(repository, present)
    return {commit_id: commits[commit_id] for commit_id in present}


def state_of(view: View, commit_id: CommitId, commit: Commit | None) -> State:
    """Return what the log says of the version that a commit is; None for a commit that is not here."""
    found = view.ref(f"version/{commit.entry}/{commit.version}") if commit else None
    if found is None or commit_id not in (found.target, found.removed):
        return "absent"
    return "live" if found.target == commit_id else "removed"
