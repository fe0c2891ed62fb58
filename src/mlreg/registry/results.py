"""What the registry answers: frozen values, which `--json` prints as they are; `differences` has those of `diff`.

Fields are only ever added; text output may change, these may not. Sizes are bytes, times are UTC in
RFC 3339, ids are 64 hexadecimal digits, refs are in the one form that `mlreg` prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.errors import IntegrityError
from mlreg.operations.lineage import State
from mlreg.repository.objects import REPAIR

if TYPE_CHECKING:
    from typing import Self

    from mlreg.operations.check import Problem

DERIVED = ("best", "changed", "is_clean", "passed", "same")
"""Properties that are printed beside the fields of a result that has them."""


def fields_of(result: type) -> list[str]:
    """Return the names under which `--json` prints what a type of results holds.

    >>> fields_of(Resolved)
    ['ref', 'id']
    """
    fields: tuple[str, ...] = getattr(result, "_fields", ())
    return [*fields, *(name for name in DERIVED if isinstance(getattr(result, name, None), property))]


class InputInfo(NamedTuple):
    """What a version was made from."""

    role: str
    ref: str
    id: str


class TaintInfo(NamedTuple):
    """Why a version is tainted."""

    ref: str
    """The version that was tainted: itself, or one that it was made from."""
    reason: str
    author: str
    time: str


class VersionInfo(NamedTuple):
    """One version of an entry."""

    ref: str
    """`model/suture_detector@1.0.0`."""
    kind: str
    name: str
    version: str
    id: str
    """Of the commit."""
    tree: str
    """Id of the tree: equal trees hold equal files."""
    files: int
    size: int
    form: str
    tags: tuple[str, ...]
    author: str
    time: str
    message: str
    metadata: Mapping[str, Any]
    """As it was registered, with all corrections."""
    inputs: tuple[InputInfo, ...]
    parents: tuple[str, ...]
    labels: Mapping[str, Any]
    deprecated: str
    """Why it should not be used any more; empty if it may be."""
    frozen: bool
    """Whether it cannot be removed."""
    disputed: tuple[str, ...]
    """Facts that two people corrected differently without knowing of each other: `metadata.metrics.map`."""
    taints: tuple[TaintInfo, ...]
    """Its own taint, and those of all that it was made from, the oldest first; empty if it is not tainted."""
    held: str = ""
    """Why it is held, and so not removed until it is released; empty if it is not."""


class Annotated(NamedTuple):
    """A version or an entry after something was stated about it."""

    ref: str
    changed: bool
    """False if it was so already, and nothing was written."""
    facts: Mapping[str, Any]
    """What holds now: metadata, labels, deprecated, frozen, held."""
    previous: str = ""
    """Of `hold`, why it was held before; empty if it was not."""

    @property
    def refs(self) -> tuple[str, ...]:
        """What it is about."""
        return (self.ref,)


class StatementInfo(NamedTuple):
    """One statement about a version or an entry."""

    ref: str
    id: str
    author: str
    time: str
    message: str
    patch: Mapping[str, Any]
    """What changed; null takes a key away."""


class UsageInfo(NamedTuple):
    """How often a version was read."""

    ref: str
    times: int
    last: str
    """The day of the last time, `2026-11-23`; empty if it never was."""
    ways: Mapping[str, int]
    """How often in which way: `api`, `cat`, `get`, `pull`, `remote`."""
    by: tuple[str, ...]
    """Who read it, as far as that is kept, sorted: `ann@host`."""
    size: int
    """Of the version, in bytes."""
    time: str
    """When the version was registered."""


class NoteInfo(NamedTuple):
    """A note that someone left."""

    id: str
    ref: str
    """What it is on: an entry, or a version."""
    text: str
    author: str
    time: str


class Added(NamedTuple):
    """A version after `add`."""

    version: VersionInfo
    changed: bool
    """False if it was registered already, and nothing was written."""
    hints: tuple[str, ...] = ()
    """What to look at: keys that are perhaps misspelt, files that an earlier version has already."""
    dry_run: bool = False

    @property
    def refs(self) -> tuple[str, ...]:
        """The version's ref."""
        return (self.version.ref,)


class EntryInfo(NamedTuple):
    """An entry and where it stands."""

    ref: str
    """`model/suture_detector`."""
    latest: str
    """Its newest version."""
    versions: int
    tags: Mapping[str, str]
    """From tag to version."""
    size: int
    """Of the newest version."""
    time: str
    """When the newest version was registered."""
    tainted: tuple[str, ...]
    """Those of its newest and its tagged versions that are tainted."""


class FileInfo(NamedTuple):
    """A file of a version."""

    ref: str
    """`model/suture_detector@1.0.0:weights.safetensors`."""
    path: str
    size: int
    executable: bool
    id: str
    """What `b3sum` prints for it."""


class TensorInfo(NamedTuple):
    """A tensor in a file of a version."""

    ref: str
    """`model/suture_detector@1.0.0:weights.safetensors#head.weight`, as `mlreg cat` takes it."""
    path: str
    """Of the file."""
    name: str
    dtype: str
    """The file's word for it: `F32`, `Q4_K`, `<f4`."""
    shape: tuple[int, ...]
    size: int
    """Bytes of the file that it lies in."""


class TagInfo(NamedTuple):
    """A tag and what it points to."""

    ref: str
    """`model/suture_detector@production`."""
    target: str
    """Ref of the version; empty if the tag was removed."""


class Tagged(NamedTuple):
    """A tag after `tag` or `tag rm`."""

    ref: str
    previous: str
    """Ref of the version it pointed to before; empty if there was none."""
    target: str
    """Ref of the version it points to now; empty if it was removed."""
    changed: bool

    @property
    def refs(self) -> tuple[str, ...]:
        """The tag's ref."""
        return (self.ref,)


class Renamed(NamedTuple):
    """An entry after `mv`."""

    ref: str
    """What it is called now: `model/suture_detector`."""
    previous: str
    """What it was called before."""
    changed: bool

    @property
    def refs(self) -> tuple[str, ...]:
        """What it is called now."""
        return (self.ref,)


class Event(NamedTuple):
    """One name that moved, as the log tells it."""

    number: int
    """Slot of the log."""
    time: str
    author: str
    message: str
    ref: str
    """Of the version or the tag that moved."""
    change: str
    """`add`, `remove`, `restore`, `tag`, `untag`."""
    previous: str
    """What it was before: a version's ref, or empty."""
    target: str
    """What it is since: a version's ref, or empty."""


class LineageNode(NamedTuple):
    """A version in the lineage of another."""

    ref: str
    id: str
    role: str
    """What the version below used it as; empty for the one that was asked for."""
    depth: int
    present: bool
    """Whether its commit is in this repository."""
    state: State
    """Whether the version is in this repository: live, removed, or absent."""
    tainted: bool = False
    """Whether it, or something that it was made from, is tainted."""


class GraphNode(NamedTuple):
    """A version in a graph."""

    ref: str
    """Empty if its commit is not here."""
    id: str
    kind: str
    """`model` or `data`; empty if its commit is not here."""
    state: State
    tags: tuple[str, ...]
    """Of the same entry, sorted."""
    message: str
    tainted: bool = False
    """Whether it, or something that it was made from, is tainted."""


class GraphEdge(NamedTuple):
    """One version, and another that followed from it."""

    source: str
    """Id of what was used, or of the version before."""
    target: str
    """Id of what was made."""
    role: str
    """What it was used as; `version before` for a parent."""


class Graph(NamedTuple):
    """Versions and what leads from one to another."""

    nodes: tuple[GraphNode, ...]
    """Each once; the order is that of the question."""
    edges: tuple[GraphEdge, ...]
    """Both ends are nodes."""


class Got(NamedTuple):
    """Files after `get`."""

    ref: str
    directory: str
    written: int
    unchanged: int
    removed: int
    size: int
    """Bytes written."""
    deprecated: str
    """Why the version should not be used any more; empty if it may be."""
    id: str
    """Of the version's commit."""
    dry_run: bool = False
    """Whether this is what would be done, and nothing was."""

    @property
    def changed(self) -> bool:
        """Whether any file was touched."""
        return bool(self.written or self.removed)


class Changed(NamedTuple):
    """Versions after `rm` or `restore`."""

    refs: tuple[str, ...]
    changed: bool
    dry_run: bool = False
    """Whether this is what would be done, and nothing was."""


class Synced(NamedTuple):
    """Two repositories after `push`, `pull`, `fetch` or `clone`."""

    remote: str
    url: str
    versions: tuple[str, ...]
    """Refs of the versions that travelled."""
    tags: tuple[str, ...]
    """Refs of the tags that moved at the receiver."""
    notes: int
    """Corrections, labels and other statements that travelled."""
    packs: int
    size: int
    """Bytes that travelled."""
    dry_run: bool = False
    """Whether this is what would travel, and nothing did; then packs and size are not known."""

    @property
    def changed(self) -> bool:
        """Whether the receiver has anything new."""
        return bool(self.versions or self.tags or self.notes)

    @property
    def refs(self) -> tuple[str, ...]:
        """All refs that changed at the receiver."""
        return self.versions + self.tags


class RemoteStatus(NamedTuple):
    """How far a remote is, as of the last contact with it."""

    name: str
    url: str
    seen: bool
    """Whether there was any contact yet."""
    unpushed: tuple[str, ...]
    """Refs that a plain push would send: not what was removed there."""
    unpulled: tuple[str, ...]
    """Refs that a plain pull would bring: not what was removed here."""
    unpushed_notes: int
    """Corrections, labels and other statements that are here and not there."""
    unpulled_notes: int
    """Such statements that are there and not here."""

    @property
    def is_level(self) -> bool:
        """Whether both sides have the same, as far as is known."""
        return not (self.unpushed or self.unpulled or self.unpushed_notes or self.unpulled_notes)


class Status(NamedTuple):
    """Where a repository stands."""

    path: str
    repository: str
    """Its id, whatever its place."""
    transactions: int
    entries: int
    versions: int
    tags: int
    remotes: tuple[RemoteStatus, ...]

    @property
    def is_level(self) -> bool:
        """Whether all that is here is in every remote, and the other way round, as far as is known."""
        return all(remote.is_level for remote in self.remotes)


class ProblemInfo(NamedTuple):
    """Something that is not as it was written."""

    code: str
    message: str
    why: str
    hurts: tuple[str, ...]
    """Refs of the versions that cannot be read in full because of it."""
    fix: tuple[str, ...] = ()
    """What helps, most useful first."""

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Tell of what a check found."""
        # Who verifies needs not be told to.
        fix, repair = (tuple(x for x in some if not x.startswith("mlreg verify")) for some in (problem.fix, REPAIR))
        return cls(problem.code, problem.message, problem.why, problem.hurts, fix or repair)

    def at(self, place: str) -> Self:
        """Return the same for a repository that is not the one here."""
        from shlex import quote  # which few results need

        return self._replace(fix=tuple(one.replace("mlreg repair", f"mlreg repair {quote(place)}") for one in self.fix))


class Repacked(NamedTuple):
    """What `repack` did."""

    pieces: int
    """Of files, that are stored as differences now."""
    packs: int
    """That were replaced for it."""
    before: int
    """Bytes of those."""
    after: int
    """Bytes of what replaced them."""
    merged: int
    """Small packs that became fewer ones."""
    merged_into: int
    """How many they became."""
    deleted: int
    """Bytes of packs that were replaced earlier, and are deleted now."""
    waiting: int
    """Bytes of replaced packs that are still there, for those who may be reading them."""
    dry_run: bool = False
    """Whether this is what would be done, and nothing was."""


class Verified(NamedTuple):
    """What `verify` looked at and found."""

    url: str
    share: float
    """Of the stored blocks that were read."""
    transactions: int
    snapshots: int
    versions: int
    tags: int
    packs: int
    objects: int
    """Whose bytes were read and compared with their ids."""
    size: int
    """Stored bytes read."""
    orphans: int
    """Packs that no transaction names, or that were given up; harmless."""
    problems: tuple[ProblemInfo, ...]
    total: int
    """Stored bytes of all packs that are read."""
    decoded: bool
    """Whether ids were computed again; otherwise stored bytes were compared with their sums."""
    complete: bool
    """Whether all that is stored was read now."""
    never: int
    """Packs that were never found whole, by this computer."""
    oldest: str
    """When that of the others was found whole which was not for the longest time; empty if there is none."""
    dropped: int
    """Packs that are not read any more, and wait for `gc`."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is damaged."""
        return not self.problems

    def refuse_problems(self) -> None:
        """Raise `damaged` if anything is.

        Raises:
            IntegrityError: `damaged`.
        """
        if self.problems:
            hurt = sorted({ref for problem in self.problems for ref in problem.hurts})
            raise IntegrityError(
                "damaged",
                f"{self.url} has {len(self.problems)} {'problem' if len(self.problems) == 1 else 'problems'}",
                why=f"versions that are hurt: {', '.join(hurt)}" if hurt else self.problems[0].message,
                fix=tuple(dict.fromkeys(one for problem in self.problems for one in problem.fix)),
            )


class RemoteInfo(NamedTuple):
    """A remote as it is configured."""

    name: str
    url: str


class Initialised(NamedTuple):
    """A repository after `init`."""

    path: str
    """Where it is."""
    changed: bool
    """False if it was there already."""


class Resolved(NamedTuple):
    """What a ref means."""

    ref: str
    """In its one form: `model/suture_detector@1.0.0`."""
    id: str
    """Of the commit."""


class Content(NamedTuple):
    """The bytes of one file of a version, or of one tensor in it."""

    ref: str
    size: int
    id: str
    """What `b3sum` prints for it."""
    base64: str
    """The bytes, as RFC 4648 writes them, without line breaks."""
