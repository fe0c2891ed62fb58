"""Prove that nothing is damaged, or say exactly what is, and which versions it hurts.

The log is replayed from its first slot into a view of its own: neither a cached view nor a snapshot
is trusted. Then every pack's index, every block and every object is checked against its hash, and
every name is followed to the last piece of its last file.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mlreg.errors import IntegrityError, MlregError, NotFoundError, UnavailableError, UnsupportedError
from mlreg.formats.names import parse_ref_name
from mlreg.formats.pack import ID_OF, Item, PackIndex, Sort
from mlreg.formats.paths import check_tree_paths
from mlreg.formats.snapshot import PREFIX as SNAPSHOTS
from mlreg.formats.snapshot import snapshot_key
from mlreg.formats.transaction import DIGITS, PackEntry, slot_key
from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.formats.tree import File
from mlreg.ids import CommitId, ContentId, ObjectId
from mlreg.operations.history import (
    Wanted,
    files_of,
    needs_of,
    past,
    read_commit,
    versions_of,
)
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository

Report = Callable[[int], None]

THREADS = min(8, os.cpu_count() or 1)
DAMAGE = (IntegrityError, NotFoundError, UnavailableError)
"""What reading stored bytes may raise; a disk that answers with an error is damaged, too."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written."""

    code: str
    message: str
    why: str = ""
    hurts: tuple[str, ...] = ()
    """The versions that cannot be read in full because of it."""


@dataclass(slots=True)
class Checked:
    """What a check looked at and found."""

    slots: int = 0
    snapshots: int = 0
    packs: int = 0
    objects: int = 0
    """Objects whose bytes were read and compared with their ids."""
    size: int = 0
    """Stored bytes that were read."""
    versions: int = 0
    tags: int = 0
    orphans: int = 0
    """Packs that no transaction names: left by an attempt that was cut; harmless."""
    problems: list[Problem] = field(default_factory=list)
    is_log_whole: bool = True
    bad: dict[Wanted, set[str]] = field(default_factory=dict)
    """In which packs an object's copy is damaged."""
    unreadable: dict[str, MlregError] = field(default_factory=dict)
    """Live packs whose index cannot be read."""
    wrong_recipes: set[ContentId] = field(default_factory=set)
    """Large files whose pieces are all there, and do not add up to them."""
    bad_snapshots: list[str] = field(default_factory=list)
    """Keys."""


def check(repository: Repository, share: float, report: Report) -> Checked:
    """Check a repository.

    Args:
        repository: local or remote; it is only read.
        share: of the blocks whose bytes are read, 0.0 to 1.0, chosen at random; log, indexes and names
            are always checked completely.
        report: told how many more stored bytes were read.

    Raises:
        UnsupportedError: a newer mlreg is needed to check this repository.
    """
    fresh = Repository(repository.store, cache=None)
    run = _Check(fresh, share, report)
    run.log()
    run.packs()
    run.names()
    fresh.close()
    run.result.problems = run.problems()
    run.result.bad = {wanted: set(packs) for wanted, packs in run.bad.items()}
    return run.result


class _Check:
    def __init__(self, repository: Repository, share: float, report: Report) -> None:
        self._repository = repository
        self._share = share
        self._report = report
        self.bad: dict[Wanted, dict[str, MlregError]] = {}
        """In which packs an object's copy is damaged, and how."""
        self._whole: set[ObjectId] = set()
        """Large files that were read from beginning to end."""
        self._whole_past: set[CommitId] = set()
        """Commits that are there with all that they descend from."""
        self._found: dict[tuple[str, str, str], list[str]] = {}
        """The versions hurt by each problem: code, message and why."""
        self.result = Checked()

    def _note(self, error: MlregError, hurts: str = "") -> None:
        if isinstance(error, UnsupportedError):
            raise error
        hurt = self._found.setdefault((error.code, error.message, error.why), [])
        if hurts and hurts not in hurt:
            hurt.append(hurts)

    def problems(self) -> list[Problem]:
        """Return what was found, in the order in which it was."""
        return [Problem(*problem, hurts=tuple(hurt)) for problem, hurt in self._found.items()]

    # The log.

    def log(self) -> None:
        """Replay the log from its first slot, and compare the snapshots on the way."""
        log, store = self._repository.log, self._repository.store
        pending = set(store.list(SNAPSHOTS))
        try:
            for number in log.replay(set(_numbers(pending, SNAPSHOTS))):
                pending.discard(snapshot_key(number))
                self._snapshot(snapshot_key(number))
        except IntegrityError as error:
            self.result.is_log_whole = False
            self._note(error)
        else:
            self._later_slots(log.view.number)
        self.result.slots = log.view.number
        for key in sorted(pending):
            self.result.bad_snapshots.append(key)
            self._note(IntegrityError("bad_snapshot", f"{key} stands for a slot that does not exist"))

    def _later_slots(self, last: int) -> None:
        """Note slots behind a hole, which no reader comes to, and which the next writers would run into."""
        store = self._repository.store
        later = [number for number in _numbers(store.list(SLOTS), SLOTS) if number > last]
        # Asked afterwards: a writer may have gone on in the meantime.
        if later and store.size(slot_key(last + 1)) is None:
            self.result.is_log_whole = False
            what = f"slot {last + 1} of the log is gone, and there are slots up to {max(later)}"
            self._note(IntegrityError("bad_log", what, why="the log was changed by hand, or copied in part"))

    def _snapshot(self, key: str) -> None:
        self.result.snapshots += 1
        try:
            if not self._repository.log.snapshot_at(key).agrees_with(self._repository.log.view.snapshot()):
                raise IntegrityError("bad_snapshot", f"{key} is not what the log adds up to")
        except IntegrityError as error:
            self.result.bad_snapshots.append(key)
            self._note(error)

    # The packs.

    def packs(self) -> None:
        """Check the index of every live pack, and the share of their blocks that was asked for."""
        live = self._repository.log.view.live_packs()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="mlreg-check") as pool:
            for pack in live:
                self.result.packs += 1
                try:
                    index = self._repository.objects.fetch_index(pack)
                except DAMAGE as error:
                    self.result.unreadable[pack.id] = error
                    self._note(error)
                    continue
                self._repository.log.view.add_index(pack.id, index)
                self._blocks(pool, pack, index)
        known = {pack_key(pack.id) for pack in live}
        self.result.orphans = sum(1 for key in self._repository.store.list("packs/") if key not in known)

    def _blocks(self, pool: ThreadPoolExecutor, pack: PackEntry, index: PackIndex) -> None:
        chosen = [n for n in range(index.block_count()) if self._share >= 1 or random.random() < self._share]  # noqa: S311 - no secret
        items = index.items_by_block()

        def read(number: int) -> list[tuple[Item, MlregError]]:
            return list(self._read_block(pack, index, number, items.get(number, [])))

        for number, bad in zip(chosen, pool.map(read, chosen), strict=True):
            self.result.objects += len(items.get(number, []))
            self.result.size += index.block(number).stored_size
            self._report(index.block(number).stored_size)
            for item, error in bad:
                self._note(error)
                self.bad.setdefault((item.sort, item.id), {})[pack.id] = error

    def _read_block(
        self, pack: PackEntry, index: PackIndex, number: int, items: list[Item]
    ) -> Iterator[tuple[Item, MlregError]]:
        """Yield the objects of a block whose bytes are not theirs."""
        block = index.block(number)
        try:
            stored = self._repository.objects.stored_block(pack.id, block)
            plain = memoryview(self._repository.objects.decoded(block, stored))
        except DAMAGE as error:
            yield from ((item, error) for item in items)
            return
        for item in items:
            data = plain[item.start : item.start + item.size]
            if item.sort in ID_OF and ID_OF[item.sort].of(data) != item.id:
                yield item, IntegrityError("object_damaged", f"{pack_key(pack.id)} holds other bytes than {item.id}")

    # The names.

    def names(self) -> None:
        """Follow every name to what it needs."""
        view = self._repository.log.view
        for ref in view.refs(""):
            if ref.target is None:
                continue
            try:
                name = parse_ref_name(ref.name)
                if name.remote is None and name.sort == "version":
                    self.result.versions += 1
                    self._version(f"{name.entry}@{name.leaf}", ref.target)
                elif name.remote is None:
                    self.result.tags += 1
                    if not any(found.target == ref.target for found in versions_of(view, name.entry).values()):
                        raise IntegrityError(
                            "stray_tag", f"{name.entry}@{name.leaf} is a tag that points to no version"
                        )
            except IntegrityError as error:
                self._note(error)

    def _version(self, shown: str, commit_id: CommitId) -> None:
        try:
            commit = read_commit(self._repository, commit_id)
            if f"{commit.entry}@{commit.version}" != shown:
                raise IntegrityError("wrong_commit", f"{shown} points to {commit.entry}@{commit.version}")
            files = list(files_of(self._repository, commit))
            check_tree_paths(file.path for file in files)
            if (len(files), sum(file.size for file in files)) != (commit.files, commit.size):
                raise IntegrityError("wrong_commit", f"the commit of {shown} says other sizes than its tree")
            self._past(shown, commit_id)
            for sort, object_id in needs_of(self._repository, commit):
                self._expect(shown, sort, object_id)
        except MlregError as error:
            self._note(error, shown)
            return
        for file in files:
            self._recipe(shown, file)

    def _past(self, shown: str, commit_id: CommitId) -> None:
        """Follow what a version descends from; what was found to be whole is followed once for all versions."""
        followed, is_whole = list[CommitId](), True
        for earlier in past(self._repository, [commit_id], self._whole_past):
            followed.append(earlier)
            for named in read_commit(self._repository, earlier).history():
                is_whole = self._expect(shown, Sort.COMMIT, named) and is_whole
        if is_whole:
            self._whole_past.update(followed)

    def _expect(self, shown: str, sort: Sort, object_id: ObjectId) -> bool:
        """Note an object of which there is no good copy; tell whether there is one."""
        places = self._repository.log.view.places(sort, object_id)
        bad = self.bad.get((sort, object_id), {})
        is_there = not all(place.pack in bad for place in places)
        if not is_there:
            self._note(self._repository.objects.lost(sort, object_id, bad[places[0].pack] if places else None), shown)
        return is_there

    def _recipe(self, shown: str, file: File) -> None:
        """Check that the pieces of a large file add up to it: a recipe is not covered by the id of the file."""
        has = self._repository.objects.has
        is_in_pieces = file.size and not has(Sort.PIECE, file.id) and has(Sort.RECIPE, file.id)
        if self._share < 1 or file.id in self._whole or not is_in_pieces:
            return
        self._whole.add(file.id)
        try:
            for _ in self._repository.objects.read_whole(file.id, file.size):
                pass
        except DAMAGE as error:
            if error.code in ("content_mismatch", "bad_recipe"):
                self.result.wrong_recipes.add(file.id)
            self._note(error, shown)


def _numbers(keys: Iterable[str], prefix: str) -> Iterator[int]:
    """Yield the numbers of slots or snapshots, passing over what else lies beside them."""
    for key in keys:
        digits = key.removeprefix(prefix)
        if len(digits) == DIGITS and digits.isascii() and digits.isdigit():
            yield int(digits)
