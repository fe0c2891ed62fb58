"""Prove that nothing is damaged, or say exactly what is, and which versions it hurts.

The log is replayed from its first slot into a view of its own: neither a cached view nor a snapshot
is trusted. Then every pack's index, every block and every object is checked against its hash, and
every name is followed to the last piece of its last file.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from mlreg.errors import IntegrityError, MlregError, UnsupportedError
from mlreg.formats.annotation import FEATURE, fault_in, known_annotation
from mlreg.formats.names import parse_ref_name
from mlreg.formats.pack import TRAILER_SIZE, PackKind, Sort
from mlreg.formats.paths import check_tree_paths
from mlreg.formats.snapshot import PREFIX as SNAPSHOTS
from mlreg.formats.snapshot import snapshot_key
from mlreg.formats.transaction import DIGITS, PackEntry, Transaction, slot_key
from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.formats.tree import File
from mlreg.ids import CommitId, ContentId, ObjectId
from mlreg.operations.found_whole import FoundWhole
from mlreg.operations.history import (
    Wanted,
    files_of,
    needs_of,
    past,
    read_commit,
    versions_of,
)
from mlreg.operations.reading_all import DAMAGE, LOOKED_UP, Reader
from mlreg.operations.reading_turns import Covered, How, Turns
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, REAPED, Place

Report = Callable[[int], None]


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
    """Packs that no transaction names, or that were given up: left by who was stopped; harmless."""
    dropped: int = 0
    """Packs that are not read any more, and wait for the end of their grace."""
    total: int = 0
    """Stored bytes of all live packs."""
    covered: Covered = field(default_factory=Covered)
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


def check(
    repository: Repository, share: float, report: Report, how: How | None = None, notes: FoundWhole | None = None
) -> Checked:
    """Check a repository.

    Args:
        repository: local or remote; it is only read.
        share: of the blocks whose bytes are read, 0.0 to 1.0, chosen at random; log, indexes and names
            are always checked completely.
        report: told how many more stored bytes were read.
        how: it is read, if all blocks may be.
        notes: on what was found whole before: they decide what is read first, and nothing else.

    Raises:
        UnsupportedError: a newer mlreg is needed to check this repository.
    """
    fresh = Repository(repository.store, cache=None)
    run = _Check(fresh, share, report, how or How(now=time.time()))
    run.log()
    run.packs()
    run.read(notes or FoundWhole(None))
    run.names()
    fresh.close()
    run.result.problems = run.problems()
    run.result.bad = {wanted: set(packs) for wanted, packs in run.bad.items()}
    return run.result


class _Check:
    def __init__(self, repository: Repository, share: float, report: Report, how: How) -> None:
        self._repository = repository
        self._share = share
        self._report = report
        self._how = how
        self.bad: dict[Wanted, dict[str, MlregError]] = {}
        """In which packs an object's copy is damaged, and how."""
        self._sound: list[PackEntry] = []
        """Packs whose index is right."""
        self._large: list[ContentId] = []
        """Files that are stored in pieces."""
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
            for slot in log.replay():
                if (key := snapshot_key(slot.number)) in pending:
                    pending.discard(key)
                    self._snapshot(key)
                self._statements(slot)
        except IntegrityError as error:
            self.result.is_log_whole = False
            self._note(error)
        else:
            self._later_slots(log.view.number)
        self.result.slots = log.view.number
        for key in sorted(pending):
            self.result.bad_snapshots.append(key)
            self._note(IntegrityError("bad_snapshot", f"{key} stands for a slot that does not exist"))

    def _statements(self, slot: Transaction) -> None:
        """Note what a slot states and no reader takes notice of, since a writer broke a rule."""
        faults = [fault for note in slot.notes if (fault := fault_in(note))]
        if FEATURE not in slot.requires and any(map(known_annotation, slot.notes)):
            faults.append(f"it does not require {FEATURE!r}")
        for fault in faults:
            what = f"{slot_key(slot.number)} states something that is passed over"
            self._note(IntegrityError("bad_annotation", what, why=fault))

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
            if self._repository.log.snapshot_at(key) != self._repository.log.view.snapshot():
                raise IntegrityError("bad_snapshot", f"{key} is not what the log adds up to")
        except IntegrityError as error:
            self.result.bad_snapshots.append(key)
            self._note(error)

    # The packs.

    def packs(self) -> None:
        """Check the index of every live pack, and which files lie beside them."""
        view, objects = self._repository.log.view, self._repository.objects
        for pack in view.live_packs():
            self.result.packs += 1
            self.result.total += pack.size - pack.index_size - TRAILER_SIZE
            try:
                index = objects.fetch_index(pack)
            except DAMAGE as error:
                self.result.unreadable[pack.id] = error
                self._note(error)
                continue
            view.add_index(pack.id, index)
            self._sound.append(pack)
            if index.kind is PackKind.META:
                self._large += [ContentId(item.id) for item in index.items() if item.sort is Sort.RECIPE]
        for key in self._repository.store.list("packs/"):
            state = view.pack_state(key.rpartition("/")[2].removesuffix(".pack"))
            self.result.orphans += state in (None, REAPED)
            self.result.dropped += state == DROPPED

    def read(self, notes: FoundWhole) -> None:
        """Read of packs and large files what was asked for."""
        turns = Turns(self._repository, notes, self._how)
        with Reader(self._repository, decodes=self._how.decodes, report=self._report) as reader:
            if self._share < 1:
                for pack in self._sound:
                    reader.read_pack(pack.id, lambda: random.random() < self._share)  # noqa: S311 - no secret
            else:
                turns.take(reader, self._sound, self._large)
        turns.summarize(self._repository.log.view.live_packs())
        self.bad, self.result.covered = reader.bad, turns.covered
        self.result.objects, self.result.size = reader.objects, reader.size
        for error in reader.errors:
            self._note(error)
        if not self._how.decodes:
            self._bases()

    def _bases(self) -> None:
        """Note pieces that others differ from and that are nowhere: who decodes comes upon them."""
        objects = self._repository.objects
        for pack in self._sound:
            for base in objects.index(pack.id).bases:
                if not objects.has(Sort.PIECE, base):
                    self._note(objects.lost(Sort.PIECE, base))

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
            for earlier in past(self._repository, [commit_id]):
                history = read_commit(self._repository, earlier).history()
                self._expect_all(shown, ((Sort.COMMIT, named) for named in history))
            self._expect_all(shown, needs_of(self._repository, commit))
        except MlregError as error:
            self._note(error, shown)
            return
        for file in files:
            self._file(shown, file)

    def _expect_all(self, shown: str, wanted: Iterable[Wanted]) -> None:
        """Note objects of which there is no good copy; many are looked up at once."""
        left = iter(wanted)
        while some := list(islice(left, LOOKED_UP)):
            for sort in {sort for sort, _ in some}:
                ids = [object_id for one, object_id in some if one is sort]
                places = self._repository.log.view.places_of(sort, ids)
                for object_id in ids:
                    self._expect(shown, sort, object_id, places.get(object_id, []))

    def _expect(self, shown: str, sort: Sort, object_id: ObjectId, places: list[Place]) -> None:
        bad = self.bad.get((sort, object_id), {})
        if all(place.pack in bad for place in places):
            self._note(self._repository.objects.lost(sort, object_id, bad[places[0].pack] if places else None), shown)

    def _file(self, shown: str, file: File) -> None:
        """Note a large file that its pieces do not add up to: a recipe is not covered by the id of the file."""
        covered = self.result.covered
        error = covered.wrong.get(file.id)
        if error is None and covered.sizes.get(file.id, file.size) != file.size:
            error = IntegrityError("bad_recipe", f"the recipe of {file.id} makes other bytes than {file.size}")
        if error and not self._repository.objects.has(Sort.PIECE, file.id):
            self.result.wrong_recipes.add(file.id)
            self._note(error, shown)


def _numbers(keys: Iterable[str], prefix: str) -> Iterator[int]:
    """Yield the numbers of slots or snapshots, passing over what else lies beside them."""
    for key in keys:
        digits = key.removeprefix(prefix)
        if len(digits) == DIGITS and digits.isascii() and digits.isdigit():
            yield int(digits)
