"""The log protocol as an executable page: every rule in its smallest form, checked on random schedules.

Format pages: `docs/format/log.md`, `docs/format/snapshot.md`. Numbers, ids and hashes are plain integers
here; all else is as in the real thing:

- The log is slots 1, 2, 3 ... under create-if-absent. Who creates slot N+1 has committed. Slots are never
  deleted or changed.
- A slot names the hash of the one before, the refs it moves, the packs it adds, drops and reaps, and
  whether its drop took objects away (*lossy*). Slots 1 to N add up to a `State`.
- A writer prepares its change against the state of slot N and creates N+1. If the slot is taken by another,
  it folds that one, prepares again and tries N+2. See `Process.append`.
- A reader starts from its cache or the newest snapshot that hold, then probes slot after slot until one is
  absent. See `Process.read`.
- A file of a pack is deleted only after a slot reaped it. There is no grace period: all waiting in the real
  program is kindness, and none of it is needed for safety.

The world is hostile: a process stops between any two steps for any time or for ever; a request is lost, or
arrives long after its sender gave up waiting; a reply is lost, or comes from the second copy of a request.
`Law` lists what must hold all the same, `Mutant` what happens to be forgotten: `test_log_protocol_model.py`
shows that every rule is needed. Everything follows from the seed. A longer search:

    python tests/laws/log_protocol_model.py --seeds 2000
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from enum import Enum, auto
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

Objects: TypeAlias = frozenset[int]
Commit: TypeAlias = frozenset[int]
"""A commit is the set of all objects that it reaches."""
Result = TypeVar("Result")
Steps: TypeAlias = Generator[None, None, Result]
"""A part of a process: it may sleep for any time, or die, at every `yield`."""

BRANCHES = ("a", "b", "c", "d")
TAG = "production"
TAIL = 6
"""Slots behind the newest snapshot after which a writer tries to leave another."""


class Law(Enum):
    """What holds in every schedule, checked by `Laws`."""

    CLOSURE = "1: the objects of every ref lie in existing files of live packs, after every step"
    CHAIN = "2: slots have no gap, name the hash of the one before, and no transaction id comes twice"
    ONCE = "3: an acknowledged append is in the log exactly once, an aborted one never"
    NO_LOST_UPDATE = "4: a ref moves only from the value that its writer named as old"
    SNAPSHOT = "5: folding from any valid snapshot gives what folding from slot 1 gives"
    BASE = "6: whoever creates slot N+1 prepared it against the state that slots 1 to N add up to"


class Mutant(Enum):
    """A rule of the protocol, forgotten."""

    NO_GENERATION_CHECK = "relies on objects found before a lossy drop"
    NO_REAP_CHECK = "adds a pack that was reaped in the meantime"
    STALE_MARK = "collects by the marks of a state that has changed"
    UNLINK_BEFORE_LOG = "deletes files that no slot has reaped"
    NO_READ_BACK = "takes a slot for another's without looking, and goes on to the next"
    RETRIES_AS_NEW = "takes a slot for another's without looking, and starts anew under another id"
    REPORTS_SUCCESS = "reports success after an unclear answer"
    REPORTS_FAILURE = "reports failure after an unclear answer"
    GIVES_UP_EARLY = "reports failure when the slot is still absent, while its request is under way"
    TRUSTS_SNAPSHOT = "does not compare a snapshot's head with the slot"
    TRUSTS_TORN_SNAPSHOT = "does not verify a snapshot's own checksum"
    LABELS_SNAPSHOT_LATE = "gives a snapshot the number and head of the moment of writing"
    TRUSTS_CACHE = "does not compare its cache with the slot"
    NO_OLD_CHECK = "does not look at the old value of a ref again after a collision"


class Fault(Enum):
    """Trouble beyond what every schedule has."""

    PLANTED_SNAPSHOT = "someone writes snapshots of another history, whole and with a good checksum"
    OLD_COPY = "all processes stop, log and packs are replaced by an older copy, snapshots and caches stay"


class Answer(Enum):
    """What a writer hears after a create. Only CREATED can be believed."""

    CREATED = auto()
    EXISTS = auto()
    UNCLEAR = auto()


class LawBroken(Exception):
    """Ends a run."""

    def __init__(self, law: Law, detail: str) -> None:
        super().__init__(f"{law.value}; {detail}")
        self.law = law


class Chance(random.Random):
    """All chance of a run; it follows from the seed."""

    def strikes(self, probability: float) -> bool:
        """Return True once in 1 / `probability` calls, on average."""
        return self.random() < probability


def require(holds: bool, law: Law, detail: str) -> None:
    """End the run with `law` unless it holds."""
    if not holds:
        raise LawBroken(law, detail)


# --- Values: what lies in the store -----------------------------------------------------------------------


class RefChange(NamedTuple):
    """One name that moves from `old` to `new`; None means absent."""

    name: str
    old: Commit | None
    new: Commit | None


class Pack(NamedTuple):
    """An id, never used again, and what the pack holds."""

    id: int
    objects: Objects


class Change(NamedTuple):
    """What one transaction does, all of it or nothing."""

    refs: tuple[RefChange, ...] = ()
    add: tuple[Pack, ...] = ()
    drop: tuple[int, ...] = ()
    """Packs that are no longer read; their files are still there."""
    reap: tuple[int, ...] = ()
    """Packs whose files anyone may delete from now on, and that no later slot adds."""
    is_lossy: bool = False
    """Whether the drop took away objects that no live pack holds any more."""


class TransactionId(NamedTuple):
    """How a writer knows its own slot again: the same for every attempt of one append."""

    append: int
    retry: int = 0
    """Other than 0 only in the mutant that starts anew."""


class Slot(NamedTuple):
    """One transaction in its place."""

    number: int
    id: TransactionId
    previous: int
    """Hash of slot `number - 1`."""
    change: Change


class State(NamedTuple):
    """What slots 1 to N add up to."""

    refs: Mapping[str, Commit] = {}
    live: Mapping[int, Objects] = {}
    dropped: frozenset[int] = frozenset()
    reaped: frozenset[int] = frozenset()
    generation: int = 0
    """Lossy drops so far. While it stands still, an object once found in a live pack is in one."""

    def after(self, change: Change) -> State:
        """Return the state with one more change."""
        refs = {**self.refs, **{ref.name: ref.new for ref in change.refs}}
        live = {**self.live, **dict(change.add)}
        return State(
            refs={name: commit for name, commit in refs.items() if commit is not None},
            live={pack: objects for pack, objects in live.items() if pack not in change.drop},
            dropped=self.dropped.union(change.drop).difference(change.reap),
            reaped=self.reaped.union(change.reap),
            generation=self.generation + change.is_lossy,
        )

    def objects(self) -> Objects:
        """Return all objects in live packs."""
        return union(self.live.values())


class View(NamedTuple):
    """A state and the slot it was true at. A process keeps its last one as its cache."""

    number: int = 0
    head: int = 0
    """Hash of slot `number`; before slot 1, of the empty log."""
    state: State = State()

    def after(self, slot: Slot) -> View:
        """Return the view with the next slot folded in."""
        require((slot.number, slot.previous) == (self.number + 1, self.head), Law.CHAIN, f"{slot} is not next")
        return View(slot.number, hash(slot), self.state.after(slot.change))

    def checksum(self) -> int:
        """Return the hash over all of it; equal views have equal ones."""
        refs, live, *rest = self.state
        return hash((self.number, self.head, frozenset(refs.items()), frozenset(live.items()), *rest))


class Snapshot(NamedTuple):
    """A view as somebody wrote it down. It may be torn, and it may be of another history."""

    view: View
    checksum: int


def union(sets: Iterable[Objects]) -> Objects:
    """Return the union of any number of sets."""
    return frozenset().union(*sets)


# --- The store, and the laws that watch it ----------------------------------------------------------------


class Laws:
    """The judge. It sees everything at once; no process can ask it anything."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.history = [View()]
        """The view at slot 0, 1, 2 ..., folded from the start."""
        self.landed: dict[int, Slot] = {}
        """By append."""
        self.aborted: set[int] = set()

    def see_landing(self, slot: Slot, base: State) -> None:
        """Check a slot that was just created; `base` is the state that its writer had in mind."""
        now = self.history[-1]
        require(base == now.state, Law.BASE, f"{slot} was prepared against another state")
        is_new = slot.id not in {landed.id for landed in self.landed.values()}
        require(is_new, Law.CHAIN, f"{slot.id} comes twice")
        is_wanted = slot.id.append not in self.landed and slot.id.append not in self.aborted
        require(is_wanted, Law.ONCE, f"append {slot.id.append} was done or given up before slot {slot.number}")
        for ref in slot.change.refs:
            holds = now.state.refs.get(ref.name) == ref.old
            require(holds, Law.NO_LOST_UPDATE, f"slot {slot.number} moves {ref.name} from a value it does not have")
        self.history.append(now.after(slot))
        self.landed[slot.id.append] = slot

    def see_success(self, slot: Slot) -> None:
        """Check what a writer just reported as done."""
        require(self.world.log.get(slot.number) == slot, Law.ONCE, f"{slot} was acknowledged and is not in the log")

    def see_abort(self, append: int) -> None:
        """Check what a writer just reported as not done; see_landing goes on watching it."""
        require(append not in self.landed, Law.ONCE, f"append {append} was aborted and is in the log")
        self.aborted.add(append)

    def see_old_copy(self) -> None:
        """Take the log of the older copy for the truth; what came after it is gone."""
        del self.history[len(self.world.log) + 1 :]
        self.landed = {slot.id.append: slot for slot in self.world.log.values()}

    def check_closure(self) -> None:
        """Check that every ref can be read in full."""
        state, files = self.history[-1].state, self.world.files
        readable = union(files[pack] for pack in state.live if pack in files)
        for name, commit in state.refs.items():
            require(commit <= readable, Law.CLOSURE, f"{name} lost {sorted(commit - readable)}")

    def check_snapshots(self) -> None:
        """Check that it does not matter where a reader starts."""
        for snapshot in filter(self.world.is_valid, self.world.snapshots.values()):
            view = self.world.follow(snapshot.view)
            require(view == self.history[-1], Law.SNAPSHOT, f"snapshot {snapshot.view.number} leads elsewhere")


class World:
    """One store: slots, snapshots and files of packs, behind an unreliable wire."""

    def __init__(self, seed: int, mutant: Mutant | None = None) -> None:
        self.chance = Chance(seed)
        self.mutant = mutant
        self.log: dict[int, Slot] = {}
        self.snapshots: dict[int, Snapshot] = {}
        self.files: dict[int, Objects] = {}
        self.under_way: list[tuple[Slot, State]] = []
        """Creates that have not arrived yet."""
        self.fresh = itertools.count(1)
        """Random ids of the real thing: never twice."""
        self.events = Counter[str]()
        """What happened how often; a schedule in which nothing happens shows nothing."""
        self.laws = Laws(self)
        self.broken: LawBroken | None = None

    def create(self, slot: Slot, base: State) -> Answer:
        """Create a slot if it is absent, and answer, or not; `base` is for the judge alone."""
        luck = self.chance.random()
        if luck < 0.05:
            self.under_way.append((slot, base))
        if luck < 0.10:
            return Answer.UNCLEAR
        is_created = self.land(slot, base)
        if luck < 0.20:
            return Answer.UNCLEAR
        # A transport that sends a request twice answers with the refusal of the second.
        return Answer.CREATED if is_created and luck > 0.25 else Answer.EXISTS

    def land(self, slot: Slot, base: State) -> bool:
        """Store a slot unless its number is taken; return whether it was stored."""
        if slot.number in self.log:
            return False
        self.laws.see_landing(slot, base)
        self.log[slot.number] = slot
        self.events["landing"] += 1
        return True

    def upload(self, objects: Objects) -> Steps[Pack]:
        """Store a new pack under a new id; its file is there before any slot can name it."""
        yield
        pack = Pack(next(self.fresh), objects)
        self.files[pack.id] = objects
        yield
        return pack

    def create_snapshot(self, snapshot: Snapshot) -> None:
        """Store a snapshot if its number is free: whole, or cut short, or not at all."""
        view, luck = snapshot.view, self.chance.random()
        if luck < 0.15:
            snapshot = snapshot._replace(view=view._replace(state=State()))
        if luck < 0.90:
            self.snapshots.setdefault(view.number, snapshot)
            self.laws.check_snapshots()

    def holds(self, view: View) -> bool:
        """Return whether the log has the slot that a view was true at; the empty view needs none."""
        slot = self.log.get(view.number)
        return view == View() if slot is None else hash(slot) == view.head

    def is_valid(self, snapshot: Snapshot) -> bool:
        """Return whether a snapshot is whole and of this log."""
        return snapshot.view.checksum() == snapshot.checksum and self.holds(snapshot.view)

    def follow(self, view: View) -> View:
        """Fold slot after slot until one is absent; one step, as only the last probe tells the result."""
        while (slot := self.log.get(view.number + 1)) is not None:
            view = view.after(slot)
        return view


# --- A process: how to read, append and leave a snapshot --------------------------------------------------


class Plan(Protocol):
    """What an append wants to do."""

    def prepare(self, state: State) -> Steps[Change | None]:
        """Make the change ready for the slot after `state`, or return None if it is no longer wanted.

        Asked again, with a newer state, after every collision. The change must be right for this state
        and no other: whatever was found out from an earlier one has to be checked here.
        """
        ...


class Process:
    """One run of the program after another on one machine, with a cache that outlives them."""

    def __init__(self, world: World, job: Callable[[Process], Steps[None]]) -> None:
        self.world = world
        self.job = job
        self.steps = job(self)
        self.cache = View()

    def kill(self) -> None:
        """Stop the program between two steps and start it anew."""
        self.world.events["kill"] += 1
        self.steps.close()
        self.steps = self.job(self)

    def read(self) -> Steps[View]:
        """Return the view at the end of the log."""
        start = self._start()
        yield
        self.cache = self.world.follow(start)
        return self.cache

    def _start(self) -> View:
        """Return the cache if the log has its slot; a cold process has none, and looks for a snapshot."""
        world = self.world
        if world.chance.strikes(0.7):
            is_held = world.mutant is Mutant.TRUSTS_CACHE or world.holds(self.cache)
            world.events["cache_held" if is_held else "cache_refused"] += 1
            if is_held:
                return self.cache
        return self._newest_snapshot()

    def _newest_snapshot(self) -> View:
        """Return the newest snapshot that is whole and of this log; without one, the empty view."""
        for _, snapshot in sorted(self.world.snapshots.items(), reverse=True):
            if self._accepts(snapshot):
                self.world.events["snapshot_held"] += 1
                return snapshot.view
            self.world.events["snapshot_refused"] += 1
        return View()

    def _accepts(self, snapshot: Snapshot) -> bool:
        if self.world.mutant is Mutant.TRUSTS_SNAPSHOT:
            return snapshot.view.checksum() == snapshot.checksum
        if self.world.mutant is Mutant.TRUSTS_TORN_SNAPSHOT:
            return self.world.holds(snapshot.view)
        return self.world.is_valid(snapshot)

    def append(self, view: View, plan: Plan) -> Steps[View | None]:
        """Commit a plan; return the view with it, or None if the plan came to be unwanted.

        The only way to change anything. A process that dies in here knows nothing; whoever asks later
        finds the change in the log once, or not at all.
        """
        world = self.world
        own = TransactionId(next(world.fresh))
        while (change := (yield from plan.prepare(view.state))) is not None:
            slot = Slot(view.number + 1, own, view.head, change)
            is_ours = yield from self._place(slot, view.state)
            if is_ours:
                world.laws.see_success(slot)
                self.cache = view.after(slot)
                yield from self._leave_snapshot(self.cache)
                return self.cache
            if is_ours is None:
                break
            world.events["collision"] += 1
            if world.mutant is Mutant.RETRIES_AS_NEW:
                own = TransactionId(own.append, own.retry + 1)
            view = yield from self.read()
        world.events["abort"] += 1
        world.laws.see_abort(own.append)
        return None

    def _place(self, slot: Slot, base: State) -> Steps[bool | None]:
        """Create a slot until its number is taken; return whether by us.

        After any other answer than CREATED, the slot itself is asked, as a store does for who creates the
        same bytes again. While it is absent our request may still be under way, so that giving up is not
        open to us. None is only returned by mutants, which give up.
        """
        world = self.world
        while True:
            yield
            answer = world.create(slot, base)
            world.events[answer.name.lower()] += 1
            yield
            if answer is Answer.CREATED or world.mutant is Mutant.REPORTS_SUCCESS:
                return True
            if answer is Answer.UNCLEAR and world.mutant is Mutant.REPORTS_FAILURE:
                return None
            if world.mutant in {Mutant.NO_READ_BACK, Mutant.RETRIES_AS_NEW}:
                return False
            found = world.log.get(slot.number)
            if found is not None:
                world.events["found_own_slot"] += found.id == slot.id
                return found.id == slot.id
            if world.mutant is Mutant.GIVES_UP_EARLY:
                return None

    def _leave_snapshot(self, view: View) -> Steps[None]:
        """Write a snapshot of our own slot if the last good one is far behind."""
        if view.number - self._newest_snapshot().number >= TAIL:
            yield from self.write_snapshot(view)

    def write_snapshot(self, view: View) -> Steps[None]:
        """Write a view down under its own number, however late; only ever of a view that was folded."""
        yield
        if self.world.mutant is Mutant.LABELS_SNAPSHOT_LATE:
            view = self.world.follow(view)._replace(state=view.state)
        self.world.create_snapshot(Snapshot(view, view.checksum()))


# --- Plans: what to check again when the state has changed ------------------------------------------------


class Push:
    """Point a branch at a new commit, and upload the objects that no live pack holds.

    Relies on three things seen in an earlier state: the old value of the branch, the objects found in
    live packs (good while the generation stands still), and the own uploads (good until reaped).
    """

    def __init__(self, world: World, state: State) -> None:
        known = sorted(union(world.files.values()))  # some of it live, some dead, dropped or orphaned
        again = world.chance.sample(known, min(4, len(known)))
        self.world = world
        self.name = world.chance.choice(BRANCHES)
        self.old = state.refs.get(self.name)
        self.new = frozenset([*again, next(world.fresh), next(world.fresh)])
        self.generation: int | None = None
        """Of the state whose packs we rely on."""
        self.uploads: dict[int, Objects] = {}

    def prepare(self, state: State) -> Steps[Change | None]:
        is_first, mutant = self.generation is None, self.world.mutant
        if state.refs.get(self.name) != self.old and (is_first or mutant is not Mutant.NO_OLD_CHECK):
            return None
        if mutant is not Mutant.NO_REAP_CHECK:
            yield from self._replace_reaped(state)
        if is_first or (state.generation != self.generation and mutant is not Mutant.NO_GENERATION_CHECK):
            yield from self._negotiate(state)
        move = RefChange(self.name, self.old, self.new)
        return Change(refs=(move,), add=tuple(map(Pack._make, self.uploads.items())))

    def _negotiate(self, state: State) -> Steps[None]:
        """Upload what neither the live packs nor our own hold."""
        self.world.events["negotiation" if self.generation is None else "negotiated_again"] += 1
        yield from self._upload(self.new - state.objects() - union(self.uploads.values()))
        self.generation = state.generation

    def _replace_reaped(self, state: State) -> Steps[None]:
        """Upload again what somebody took for an orphan; a reaped id never comes back."""
        for pack in state.reaped & self.uploads.keys():
            self.world.events["pack_replaced"] += 1
            yield from self._upload(self.uploads.pop(pack))

    def _upload(self, objects: Objects) -> Steps[None]:
        if objects:
            pack = yield from self.world.upload(objects)
            self.uploads[pack.id] = objects


class MoveRef:
    """Point a name at what another points to, as tags do, or take it away.

    Relies on the old value of the name, and on the objects of the other one: there is nothing to upload,
    so if they are gone the move is off.
    """

    def __init__(self, world: World, state: State) -> None:
        self.world = world
        self.name, self.old = world.chance.choice([(TAG, state.refs.get(TAG)), *state.refs.items()])
        self.new = world.chance.choice([None, *(commit for commit in state.refs.values() if commit != self.old)])
        self.generation = state.generation

    def prepare(self, state: State) -> Steps[Change | None]:
        yield
        if self.new == self.old or state.refs.get(self.name) != self.old:
            return None
        is_gone = state.generation != self.generation and not (self.new or frozenset()) <= state.objects()
        if is_gone and self.world.mutant is not Mutant.NO_GENERATION_CHECK:
            return None
        return Change(refs=(RefChange(self.name, self.old, self.new),))


class Collect:
    """Replace packs by one with what is worth keeping: the reachable part of packs with dead objects.

    Relies on nothing from an earlier state: it marks again after every collision.
    """

    def __init__(self, world: World, _: State) -> None:
        self.world = world
        self.change: Change | None = None

    def prepare(self, state: State) -> Steps[Change | None]:
        if self.change is not None and self.world.mutant is Mutant.STALE_MARK:
            return self.change
        doomed, kept = self.choose(state)
        yield
        # A missing file means that this state is long gone: the next run reads a newer one.
        if not doomed or any(pack not in self.world.files for pack in doomed):
            return None
        stay = union(objects for pack, objects in state.live.items() if pack not in doomed)
        add = [(yield from self.world.upload(kept - stay))] if kept - stay else []
        is_lossy = not state.objects() <= kept | stay
        self.world.events["lossy_drop" if is_lossy else "harmless_drop"] += 1
        self.change = Change(add=tuple(add), drop=tuple(doomed), is_lossy=is_lossy)
        return self.change

    def choose(self, state: State) -> tuple[Collection[int], Objects]:
        """Return the packs to drop and the objects of them to keep."""
        reachable = union(state.refs.values())
        doomed = [pack for pack, objects in state.live.items() if not objects <= reachable]
        return doomed, union(state.live[pack] for pack in doomed) & reachable


class Compact(Collect):
    """Merge a few packs and keep all that is in them, dead or not: the generation stands still."""

    def choose(self, state: State) -> tuple[Collection[int], Objects]:
        doomed = self.world.chance.sample(list(state.live), min(3, len(state.live)))
        return doomed, union(state.live[pack] for pack in doomed)


class Reap:
    """Give files up for deletion: dropped packs, and orphans that no slot ever named."""

    def __init__(self, world: World, state: State) -> None:
        self.world = world
        self.found = [pack for pack in world.files if pack not in state.live]

    def prepare(self, state: State) -> Steps[Change | None]:
        yield
        reap = tuple(pack for pack in self.found if pack not in state.live and pack not in state.reaped)
        return Change(reap=reap) if reap else None


# --- Jobs: what a process does all day --------------------------------------------------------------------


def commit_all_day(*plans: Callable[[World, State], Plan]) -> Callable[[Process], Steps[None]]:
    """Return the job of reading, taking up one of the plans, and appending it."""

    def job(process: Process) -> Steps[None]:
        while True:
            view = yield from process.read()
            plan = process.world.chance.choice(plans)(process.world, view.state)
            yield from process.append(view, plan)

    return job


def sweep(process: Process) -> Steps[None]:
    """Reap in the log first, then delete the files of what is reaped, by whomever, at any later time."""
    world = process.world
    while True:
        view = yield from process.read()
        yield  # the list of files is newer than the view
        if world.mutant is Mutant.UNLINK_BEFORE_LOG:
            unlink: Collection[int] = [pack for pack in world.files if pack not in view.state.live]
        else:
            view = (yield from process.append(view, Reap(world, view.state))) or view
            unlink = sorted(view.state.reaped & world.files.keys())
        for pack in unlink:
            yield
            world.events["unlink"] += world.files.pop(pack, None) is not None


def take_snapshots(process: Process) -> Steps[None]:
    """Write snapshots that nobody asked for."""
    while True:
        view = yield from process.read()
        yield from process.write_snapshot(view)


def deliver(process: Process) -> Steps[None]:
    """Let late requests arrive, in any order, at any later time."""
    world = process.world
    while True:
        yield
        if world.under_way:
            slot, base = world.under_way.pop(world.chance.randrange(len(world.under_way)))
            world.events["late_landing"] += world.land(slot, base)


def plant_snapshots(process: Process) -> Steps[None]:
    """Write snapshots of a history that is not this one's, for slots that are there or will be."""
    world = process.world
    while True:
        yield
        number = max(1, len(world.log) - 1 + world.chance.randrange(4))
        forged = View(number, next(world.fresh), world.chance.choice(world.laws.history).state)
        world.create_snapshot(Snapshot(forged, forged.checksum()))


JOBS = (
    *[commit_all_day(Push)] * 3,
    commit_all_day(MoveRef),
    *[commit_all_day(Collect, Collect, Compact), sweep] * 2,
    take_snapshots,
    deliver,
)


# --- Schedules --------------------------------------------------------------------------------------------


def put_back(world: World, log: dict[int, Slot], files: dict[int, Objects], processes: Iterable[Process]) -> None:
    """Replace log and packs by an older copy, all of it of one moment.

    No process may be at work meanwhile, and no request under way: one that lands on a slot behind the end
    of the copy leaves a gap. That is the duty of whoever restores a repository.
    """
    for process in processes:
        process.kill()
    world.under_way.clear()
    world.log, world.files = log, files
    world.laws.see_old_copy()


def run(seed: int, steps: int = 400, mutant: Mutant | None = None, faults: Collection[Fault] = ()) -> World:
    """Run all jobs in a random order of `steps` steps until a law is broken; the laws are checked after each."""
    world = World(seed, mutant)
    try:
        _run(world, steps, faults)
    except LawBroken as error:
        world.broken = error
    return world


def _run(world: World, steps: int, faults: Collection[Fault]) -> None:
    chance = world.chance
    jobs = (*JOBS, plant_snapshots) if Fault.PLANTED_SNAPSHOT in faults else JOBS
    processes = [Process(world, job) for job in jobs]
    speeds: list[float] = []
    copied, restored = chance.randrange(steps // 2), chance.randrange(steps // 2, steps)
    copy = dict(world.log), dict(world.files)
    for step in range(steps):
        if not speeds or chance.strikes(0.01):
            speeds = [chance.choice([0.02, 1, 1, 5, 20]) for _ in processes]
        if chance.strikes(0.01):
            chance.choice(processes).kill()
        if step == copied:
            copy = dict(world.log), dict(world.files)
        if step == restored and Fault.OLD_COPY in faults:
            put_back(world, *copy, processes)
        next(chance.choices(processes, speeds)[0].steps)
        world.laws.check_closure()


def main() -> None:
    """Search for a broken law; exit with 1 if one is found."""
    parser = argparse.ArgumentParser(description="Model check of the log protocol.")
    parser.add_argument("--seeds", type=int, default=60, help="number of schedules (60)")
    seeds = parser.parse_args().seeds
    events = Counter[str]()
    for seed in range(seeds):
        world = run(seed, faults=[fault for bit, fault in enumerate(Fault) if seed >> bit & 1])
        if world.broken is not None:
            sys.exit(f"seed {seed}: law {world.broken}")
        events += world.events
    sys.stdout.write(f"no law broken in {seeds} schedules: {dict(sorted(events.items()))}\n")


if __name__ == "__main__":
    main()
