"""What versions weigh: stored bytes that only one of them needs, and bytes that several share.

The sum is what the disk has: all of it lies in packs, and what of them no version needs is counted, too. A node of a
tree is opened at most four times, however many versions share it: it belongs to a version, then to an entry, then to
a kind, then to all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mlreg.formats.names import RefName, parse_ref_name
from mlreg.formats.pack import Sort
from mlreg.formats.snapshot import RefState
from mlreg.ids import ObjectId, TreeId
from mlreg.operations import collect
from mlreg.operations.history import read_commits
from mlreg.operations.marking import Walk
from mlreg.repository.objects import Objects
from mlreg.repository.repository import Repository

EVERYONE = ""
BESIDE_PACKS = ("log/", "snapshots/", "usage/")


class Weight(NamedTuple):
    """What a version needs."""

    name: RefName
    size: int
    """Plain bytes of its files."""
    own: int
    """Stored bytes that no other version needs: removing it, and `gc`, gives them back."""


class Weights(NamedTuple):
    """Where the bytes of a repository are."""

    versions: tuple[Weight, ...]
    entries: dict[str, int]
    """Stored bytes that only versions of one entry need, of those that are nobody's own; by the name of the entry."""
    kinds: dict[str, int]
    """The same by kind: what entries of one kind share."""
    shared: int
    """Stored bytes that versions of several kinds share."""
    history: int
    """Stored bytes of commits, which stay."""
    unused: int
    """Bytes of packs that no version needs: `gc` gives most of them back."""
    waiting: int
    """Bytes of packs that were dropped, and whose grace is not over."""
    unnamed: int
    """Bytes of files that no transaction names: half written, or left by an attempt that was cut."""
    rest: int
    """Bytes of the log, of snapshots, and of counts of reads."""

    @property
    def total(self) -> int:
        """Bytes of the whole repository."""
        parts = (self.shared, self.history, self.unused, self.waiting, self.unnamed, self.rest)
        return sum(w.own for w in self.versions) + sum(self.entries.values()) + sum(self.kinds.values()) + sum(parts)


def weigh(repository: Repository, report: Callable[[int], None]) -> Weights:
    """Find out what every version weighs.

    Args:
        repository: it is only read.
        report: told about bytes of packs that were looked at.

    Raises:
        IntegrityError: something that a version needs cannot be read.
    """
    view = repository.log.refresh()
    packs = view.live_packs()
    stored = _Stored(repository.objects)
    for pack in packs:
        stored.take(pack.id, pack.size)
        report(pack.size)
    owning = _Owning(repository.objects, stored)
    names, sizes = [], []
    for ref, tree, size in _versions(repository):
        names.append(parse_ref_name(ref.name))
        sizes.append(size)
        owning.visit(tree, names[-1])
    found = owning.sums()
    needed = sum(found.values())
    versions = tuple(
        Weight(name, size, found.pop((str(name.entry), name.leaf), 0)) for name, size in zip(names, sizes, strict=True)
    )
    live = sum(pack.size for pack in packs)
    return Weights(
        versions=versions,
        entries={entry: size for (entry, leaf), size in found.items() if "/" in entry and not leaf},
        kinds={kind: size for (kind, _), size in found.items() if kind and "/" not in kind},
        shared=found.get((EVERYONE, ""), 0),
        history=stored.commits,
        unused=live - needed - stored.commits,
        waiting=collect.waiting(repository),
        unnamed=collect.unnamed(repository),
        rest=_beside_packs(repository),
    )


def _versions(repository: Repository) -> Iterator[tuple[RefState, TreeId, int]]:
    refs = [ref for ref in repository.log.view.refs("version/") if ref.target]
    for start in range(0, len(refs), 1000):
        some = refs[start : start + 1000]
        commits = read_commits(repository, [ref.target for ref in some if ref.target])
        yield from ((ref, commits[ref.target].tree, commits[ref.target].size) for ref in some if ref.target)


def _beside_packs(repository: Repository) -> int:
    store = repository.store
    return sum(store.size(key) or 0 for prefix in BESIDE_PACKS for key in store.list(prefix))


class _Stored:
    """What each object takes in its pack, with its share of the index; of several copies the newest."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._sizes: dict[Sort, dict[ObjectId, float]] = {sort: {} for sort in Sort}

    def take(self, pack_id: str, pack_size: int) -> None:
        index = self._objects.index(pack_id)
        blocks = list(index.blocks())
        overhead = (pack_size - index.data_size) / max(1, len(index))
        for item in index.items():
            self._sizes[item.sort][item.id] = blocks[item.block].share_of(item.size) + overhead

    @property
    def recipes(self) -> set[ObjectId]:
        """Ids of the files that have a recipe."""
        return set(self._sizes[Sort.RECIPE])

    @property
    def commits(self) -> int:
        return round(sum(self._sizes[Sort.COMMIT].values()))

    def of(self, sort: Sort, object_id: ObjectId) -> float:
        return self._sizes[sort].get(object_id, 0.0)


_Owner = tuple[str, str]
"""Entry and version; entry and nothing; kind and nothing; or nothing at all, who needs it."""


class _Owning(Walk):
    """Finds out who needs each object: whoever comes second shares it with the first."""

    def __init__(self, objects: Objects, stored: _Stored) -> None:
        super().__init__(objects, stored.recipes)
        self._stored = stored
        self._owners: dict[Sort, dict[ObjectId, _Owner]] = {sort: {} for sort in Sort}
        self._me: _Owner = (EVERYONE, "")

    def visit(self, root: TreeId, name: RefName) -> None:
        """Let a version own what it needs, alone or with others."""
        self._me = (str(name.entry), name.leaf)
        self.add_all([root])

    def is_known(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether nothing is new in that this version needs an object."""
        owner = self._owners[sort].get(object_id)
        return owner is not None and _both(owner, self._me) == owner

    def note(self, sort: Sort, object_id: ObjectId) -> None:
        """Note that this version needs an object, too."""
        owners = self._owners[sort]
        owners[object_id] = _both(owners.get(object_id, self._me), self._me)

    def sums(self) -> dict[_Owner, int]:
        """Return the stored bytes that each needs alone."""
        found: dict[_Owner, float] = {}
        for sort, owners in self._owners.items():
            for object_id, owner in owners.items():
                found[owner] = found.get(owner, 0.0) + self._stored.of(sort, object_id)
        return {owner: round(size) for owner, size in found.items()}


def _both(one: _Owner, other: _Owner) -> _Owner:
    """Return who has what two have: the version, the entry, the kind, or everyone.

    >>> _both(("model/net", "1.0.0"), ("model/net", "1.1.0"))
    ('model/net', '')
    """
    if one == other:
        return one
    if one[0] == other[0] and "/" in one[0]:
        return (one[0], "")
    kind = one[0].partition("/")[0]
    return (kind, "") if kind and kind == other[0].partition("/")[0] else (EVERYONE, "")
