"""Prove that nothing is damaged, or say exactly what is, and which versions it hurts.

The log is replayed from its first slot into a view of its own: neither a cached view nor a snapshot
is trusted. Then every pack's index, every block and every object is checked against its hash, and
every name is followed to the last piece of its last file.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice

from mlreg.errors import IntegrityError, MlregError, UnsupportedError
from mlreg.formats.annotation import FEATURE, fault_in, known_annotation
from mlreg.formats.names import parse_ref_name, quoted
from mlreg.formats.pack import TRAILER_SIZE, PackIndex, PackKind, Sort
from mlreg.formats.paths import check_tree_paths
from mlreg.formats.snapshot import PREFIX as SNAPSHOTS
from mlreg.formats.snapshot import snapshot_key
from mlreg.formats.transaction import PackEntry, Transaction, slot_key
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
from mlreg.operations.looking_again import ATTEMPTS, DAMAGE, live_packs
from mlreg.operations.reading_all import LOOKED_UP, Reader
from mlreg.operations.reading_turns import Covered, How, Turns
from mlreg.operations.stated_sizes import misstated
from mlreg.repository.holes import numbers_in, refuse_later_slots
from mlreg.repository.objects import REPAIR
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, REAPED, Place

Report = Callable[[int], None]

LOG, NAMES = "log", "names"
"""Where a problem was found, if not in a pack."""
LEAST, MOST = 1 << 20, 1 << 28
"""Bytes that a sample reads at least, if there are so many, and at most."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written."""

    code: str
    message: str
    why: str = ""
    fix: tuple[str, ...] = ()
    """What helps, most useful first; empty if that is `mlreg repair`."""
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
    fresh, asked = Repository(repository.store, cache=None), how or How(now=time.time())
    turns = Turns(fresh, notes or FoundWhole(None), asked)
    with Reader(fresh, decodes=asked.decodes, report=report) as reader:
        run = _Check(fresh, share, reader, turns)
        run.log()
        run.look_until_settled()
    run.sum_up()
    fresh.close()
    return run.result


def sample(repository: Repository, share: float, report: Report) -> Checked:
    """Read some blocks of live packs, chosen at random; neither log nor names are followed.

    Args:
        repository: refreshed; it is only read.
        share: of the bytes of each pack, 0.0 to 1.0; of the first packs so much more that `LEAST` is read, and in all
            no more than `MOST`.
        report: told how many more stored bytes were read.
    """
    with Reader(repository, decodes=True, report=report) as reader:
        run = _Check(repository, share, reader, Turns(repository, FoundWhole(None), How()))
        run.look_at_some()
    run.sum_up()
    return run.result


class _Check:
    def __init__(self, repository: Repository, share: float, reader: Reader, turns: Turns) -> None:
        self._repository = repository
        self._share = share
        self._reader = reader
        self._turns = turns
        self.bad = reader.bad
        """In which packs an object's copy is damaged, and how."""
        self._looked_at: set[str] = set()
        """Packs."""
        self._sound: list[PackEntry] = []
        """Those whose index is right."""
        self._whole_past: set[CommitId] = set()
        """Commits that are there with all that they descend from."""
        self._found: dict[str, dict[Problem, list[str]]] = {}
        """The versions hurt by each problem; by pack, and for log and names."""
        self.result = Checked()

    def _note(self, where: str, error: MlregError, hurts: str = "") -> None:
        if isinstance(error, UnsupportedError):
            raise error
        problem = Problem(error.code, error.message, error.why, error.fix)
        hurt = self._found.setdefault(where, {}).setdefault(problem, [])
        if hurts and hurts not in hurt:
            hurt.append(hurts)

    def problems(self) -> list[Problem]:
        """Return what was found, each once: in the log, then in packs and names."""
        found: dict[Problem, dict[str, None]] = {}
        for some in self._found.values():
            for problem, hurt in some.items():
                found.setdefault(problem, {}).update(dict.fromkeys(hurt))
        return [replace(problem, hurts=tuple(hurt)) for problem, hurt in found.items()]

    def sum_up(self) -> None:
        """Put together what was found."""
        self._turns.summarize(self._repository.log.view.live_packs())
        result, reader = self.result, self._reader
        result.covered, result.objects, result.size = self._turns.covered, reader.objects, reader.size
        result.packs = len(self._looked_at)
        result.problems = self.problems()
        result.bad = {wanted: set(packs) for wanted, packs in self.bad.items()}

    def look(self) -> None:
        """Look at the packs that were not looked at yet, and follow all names."""
        self._read(self._packs())
        self._names()

    # Others, who go on meanwhile.

    def look_until_settled(self) -> None:
        """Look at all, again where others took packs away; at nothing if part of the log is not known."""
        if not self.result.is_log_whole:
            self._turns.covered.is_complete = False
            return
        self.look()
        for _ in range(ATTEMPTS):
            if not self.is_overtaken():
                break
            self.look_again()

    def is_overtaken(self) -> bool:
        """Tell whether what was missed may be elsewhere: a pack that was looked at is not live any more."""
        return bool(self.problems()) and self.result.is_log_whole and not self._looked_at <= self._live()

    def _live(self) -> frozenset[str]:
        try:
            return live_packs(self._repository)
        except IntegrityError as error:
            self.result.is_log_whole = False
            self._note(LOG, error)
        return frozenset(self._looked_at)

    def look_again(self) -> None:
        """Forget packs that are not live any more, look at new ones, and follow all names anew."""
        live = self._live()
        gone = self._looked_at - live
        for where in (*gone, NAMES):
            self._found.pop(where, None)
            self._reader.errors.pop(where, None)
            self.result.unreadable.pop(where, None)
        for wanted, packs in list(self.bad.items()):
            left = {pack: error for pack, error in packs.items() if pack not in gone}
            self.bad.pop(wanted)
            self.bad.update({wanted: left} if left else {})
        self._looked_at &= live
        self._sound = [pack for pack in self._sound if pack.id in live]
        self._whole_past.clear()
        self.result.versions = self.result.tags = 0
        self.look()

    # The log.

    def log(self) -> None:
        """Replay the log from its first slot, and compare the snapshots on the way."""
        log, store = self._repository.log, self._repository.store
        pending = set(store.list(SNAPSHOTS))
        try:
            for slot in log.replay(set(numbers_in(pending, SNAPSHOTS))):
                if (key := snapshot_key(slot.number)) in pending:
                    pending.discard(key)
                    self._snapshot(key)
                self._statements(slot)
            refuse_later_slots(store, log.view.number)
        except IntegrityError as error:
            self.result.is_log_whole = False
            self._note(LOG, error)
        self.result.slots = log.view.number
        for key in sorted(pending):
            self.result.bad_snapshots.append(key)
            self._note(LOG, IntegrityError("bad_snapshot", f"{key} stands for a slot that does not exist", fix=REPAIR))

    def _statements(self, slot: Transaction) -> None:
        """Note what a slot states and no reader takes notice of, since a writer broke a rule."""
        faults = [fault for note in slot.notes if (fault := fault_in(note))]
        if FEATURE not in slot.requires and any(map(known_annotation, slot.notes)):
            faults.append(f"it does not require {FEATURE!r}")
        for fault in faults:
            what = f"{slot_key(slot.number)} states something that is passed over"
            self._note(
                LOG,
                IntegrityError(
                    "bad_annotation",
                    what,
                    why=fault,
                    fix="nothing need be done: it is passed over; mlreg log says who wrote it",
                ),
            )

    def _snapshot(self, key: str) -> None:
        self.result.snapshots += 1
        try:
            if not self._repository.log.snapshot_at(key).agrees_with(self._repository.log.view.snapshot()):
                raise IntegrityError("bad_snapshot", f"{key} is not what the log adds up to", fix=REPAIR)
        except IntegrityError as error:
            self.result.bad_snapshots.append(key)
            self._note(LOG, error)

    # The packs.

    def _packs(self) -> list[PackEntry]:
        """Check the index of every new pack, and which files lie beside them; return those that are right."""
        live, sound = self._repository.log.view.live_packs(), []
        for pack in live:
            if pack.id not in self._looked_at and self._has_index(pack):
                sound.append(pack)
            self._looked_at.add(pack.id)
        self._sound += sound
        self.result.total = sum(pack.size - pack.index_size - TRAILER_SIZE for pack in live)
        self._count_others()
        return sound

    def _has_index(self, pack: PackEntry) -> bool:
        try:
            index = self._repository.objects.fetch_index(pack)
        except DAMAGE as error:
            self.result.unreadable[pack.id] = error
            self._note(pack.id, error)
            return False
        self._repository.log.view.add_index(pack.id, index)
        return True

    def _count_others(self) -> None:
        """Count files of packs that are not live."""
        view, store = self._repository.log.view, self._repository.store
        states = [view.pack_state(key.rpartition("/")[2].removesuffix(".pack")) for key in store.list("packs/")]
        self.result.orphans = sum(state in (None, REAPED) for state in states)
        self.result.dropped = states.count(DROPPED)

    def _read(self, packs: list[PackEntry]) -> None:
        """Read of packs and the large files in them what was asked for."""
        if self._share < 1:
            self._turns.covered.is_complete = False
            for pack in packs:
                self._reader.read_pack(pack.id, lambda _: random.random() < self._share)  # noqa: S311 - no secret
        else:
            self._turns.take(self._reader, packs, list(self._large(packs)))
        self._note_bad()
        if not self._reader.decodes:
            self._bases()

    def _note_bad(self) -> None:
        for pack, errors in self._reader.errors.items():
            for error in errors:
                self._note(pack, error)

    def look_at_some(self) -> None:
        """Check some blocks of live packs, in random order, until enough was read."""
        live, reader = self._repository.log.view.live_packs(), self._reader
        random.shuffle(live)
        indexes = 0
        for pack in live:
            if reader.size + indexes >= MOST:
                break
            indexes += pack.index_size
            self._looked_at.add(pack.id)
            if self._has_index(pack):
                wanted = min(max(self._share * pack.size, LEAST - reader.size), MOST - reader.size)
                reader.read_pack(pack.id, _drawn(self._repository.objects.index(pack.id), wanted).__contains__)
        self._note_bad()

    def _large(self, packs: Iterable[PackEntry]) -> Iterator[ContentId]:
        """Yield the files that are stored in pieces."""
        for pack in packs:
            if pack.kind is PackKind.META:
                items = self._repository.objects.index(pack.id).items()
                yield from (ContentId(item.id) for item in items if item.sort is Sort.RECIPE)

    def _bases(self) -> None:
        """Note pieces that others differ from and that are nowhere: who decodes comes upon them."""
        objects = self._repository.objects
        for pack in self._sound:
            for base in objects.index(pack.id).bases:
                if not objects.has(Sort.PIECE, base):
                    self._note(NAMES, objects.lost(Sort.PIECE, base))

    # The names.

    def _names(self) -> None:
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
                            "stray_tag",
                            f"{name.entry}@{name.leaf} is a tag that points to no version",
                            fix=f"mlreg tag rm {name.entry}@{name.leaf}, then tag the right version",
                        )
            except IntegrityError as error:
                self._note(NAMES, error)

    def _version(self, shown: str, commit_id: CommitId) -> None:
        try:
            commit = read_commit(self._repository, commit_id)
            if f"{commit.entry}@{commit.version}" != shown:
                raise _wrong_commit(f"{shown} points to {commit.entry}@{commit.version}")
            files = list(files_of(self._repository, commit))
            check_tree_paths(file.path for file in files)
            if (len(files), sum(file.size for file in files)) != (commit.files, commit.size):
                raise _wrong_commit(f"the commit of {shown} says other sizes than its tree")
            self._past(shown, commit_id)
            self._expect_all(shown, needs_of(self._repository, commit))
        except MlregError as error:
            self._note(NAMES, error, shown)
            return
        for file in files:
            self._file(shown, file)
        for file in misstated(self._repository, files, self.bad):
            what = f"the tree of {shown} states another size of {quoted(file.path)} than that of its bytes"
            self._note(NAMES, _wrong_commit(what), shown)

    def _past(self, shown: str, commit_id: CommitId) -> None:
        """Follow what a version descends from; what was found to be whole is followed once for all versions."""
        followed, is_whole = list[CommitId](), True
        for earlier in past(self._repository, [commit_id], self._whole_past):
            followed.append(earlier)
            history = read_commit(self._repository, earlier).history()
            is_whole &= self._expect_all(shown, ((Sort.COMMIT, named) for named in history))
        if is_whole:
            self._whole_past.update(followed)

    def _expect_all(self, shown: str, wanted: Iterable[Wanted]) -> bool:
        """Note objects of which there is no good copy, and tell whether there are none; many are looked up at once."""
        left, are_there = iter(wanted), True
        while some := list(islice(left, LOOKED_UP)):
            for sort in {sort for sort, _ in some}:
                ids = [object_id for one, object_id in some if one is sort]
                places = self._repository.log.view.places_of(sort, ids)
                for object_id in ids:
                    are_there &= self._expect(shown, sort, object_id, places.get(object_id, []))
        return are_there

    def _expect(self, shown: str, sort: Sort, object_id: ObjectId, places: list[Place]) -> bool:
        bad = self.bad.get((sort, object_id), {})
        is_lost = all(place.pack in bad for place in places)
        if is_lost:
            error = self._repository.objects.lost(sort, object_id, bad[places[0].pack] if places else None)
            self._note(NAMES, error, shown)
        return not is_lost

    def _file(self, shown: str, file: File) -> None:
        """Note a file that is not what its recipe makes, which no id covers, or has another size than its tree says."""
        covered = self._turns.covered
        error = covered.wrong.get(file.id)
        if error is None and covered.sizes.get(file.id, file.size) != file.size:
            error = IntegrityError(
                "bad_recipe", f"the recipe of {file.id} makes other bytes than {file.size}", fix=REPAIR
            )
        if error:
            self.result.wrong_recipes.add(file.id)
            self._note(NAMES, error, shown)


def _wrong_commit(message: str) -> IntegrityError:
    return IntegrityError("wrong_commit", message, fix="ask who wrote it, with which program")


def _drawn(index: PackIndex, size: float) -> set[int]:
    """Return blocks of a pack, chosen at random, until they have so many bytes; none for none."""
    numbers = list(range(index.block_count()))
    random.shuffle(numbers)
    before = accumulate((index.block(number).stored_size for number in numbers), initial=0)
    return {number for number, so_far in zip(numbers, before, strict=False) if so_far < size}
