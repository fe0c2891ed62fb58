"""What a worker of the soak does: one random operation after the other, each written down before and after.

To add an operation: write a function that takes a `Hand`, and give it a weight. It says what it means to change with
`hand.means`, and returns what the judge is to know. Each worker changes versions and tags of its own entries, so that
what must be there follows from its own lines; all add to one entry that they share.
"""

from __future__ import annotations

import os
import random
import shutil
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlreg.errors import MlregError, NotFoundError
from mlreg.registry import annotating, collecting, mending, policies
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.registry import Registry, silent
from mlreg.registry.repacking import repack as store_smaller
from mlreg.registry.sync import Sync
from mlreg.retention.policy import Retention, parse_policies
from tests.reliability import contents, soak_faults
from tests.reliability.ledger import NOTHING, Journal, Key, Ledger, Step, steps_in

HOMES = ("main", "clone")
"""Repositories that workers work in; `remote` is the one that both push to."""
SHARED = "shared"
SKIPPED = "skipped"
Facts = dict[str, Any]


class Hand:
    """A worker: where it works, what it knows to be there, and its chance."""

    def __init__(self, work: Path, worker: int, *, is_calm: bool = False) -> None:
        """Take up what the worker did before it died, if it did."""
        self.is_calm = is_calm
        self.worker = worker
        self.home = HOMES[worker % 3 == 2]
        self.disk = work / "disk"
        self.cache = self.disk / "cache" / str(worker % 3)
        self.folder = work / "workers" / str(worker)
        path = work / "journals" / str(worker)
        past = list(steps_in(path))
        self.journal = Journal(path)
        self.ledger = Ledger(past)
        self.pushed = {ref for step in past for ref in step.facts.get("pushed", ())}
        self.number = past[-1].number + 1 if past else 0
        self.done = sum(step.end != SKIPPED for step in past)
        self.chance = random.Random()
        self.changes: dict[Key, str] = {}
        self.reopen()

    def reopen(self) -> None:
        """Begin with registries that know nothing, as a new process does."""
        author, remotes = f"worker {self.worker}", {"origin": str(self.disk / "remote")}
        self.registry = Registry(self.disk / self.home, author, self.cache, remotes)
        self.there = Registry(self.disk / "remote", author, self.cache)
        self.experiments = ExperimentRegistry(self.disk / self.home, author, self.cache)

    def means(self, sort: str, ref: str, state: str, place: str = "") -> None:
        """Write down what the operation is about to change."""
        key = Key(place or self.home, sort, ref)
        self.journal.write(key=key, state=state)
        self.changes[key] = state

    def sources(self, word: str) -> Path:
        """Return a directory with the files that a word stands for.

        It is the same one each time, its files just written; what comes again is left as it was, so that it is known.
        """
        if contents.is_common(word):
            place = self.folder.with_name(f"{self.folder.name}-{word}")
            if not place.exists():
                # As a whole, or not: a worker may be killed here, too.
                half = place.with_name(f"{place.name}.half")
                shutil.rmtree(half, ignore_errors=True)
                contents.write(word, half)
                half.rename(place)
            return place
        shutil.rmtree(self.folder, ignore_errors=True)
        contents.write(word, self.folder)
        return self.folder

    def own(self) -> str:
        """Return the name of one of the worker's entries."""
        return f"model/w{self.worker}-{self.chance.randrange(3)}"

    def live(self, place: str = "") -> list[str]:
        """Return the worker's versions that are certainly there."""
        return sorted(self.ledger.sure(place or self.home, "version"))

    def removed(self) -> list[str]:
        """Return those that are certainly not, and have been."""
        states = self.ledger.states
        keys = [key for key in states if key.place == self.home and key.sort == "version"]
        return sorted(key.ref for key in keys if states[key] == {NOTHING} and key.ref in self.ledger.contents)

    def unclear(self) -> list[Key]:
        """Return what the worker does not know."""
        return sorted(key for key, states in self.ledger.states.items() if len(states) > 1 and key.place == self.home)


class Nothing(Exception):
    """There is nothing that the operation could be done to."""


def _one(chance: random.Random, refs: list[str]) -> str:
    if not refs:
        raise Nothing
    return chance.choice(refs)


# Changes.


def add(hand: Hand) -> None:
    word, entry = contents.some(hand.chance), hand.own()
    version = f"1.{hand.number}.0"
    hand.means("version", f"{entry}@{version}", word)
    hand.registry.add(entry, [hand.sources(word)], version=version)


def add_shared(hand: Hand) -> Facts:
    word = contents.some(hand.chance)
    entry = f"model/{SHARED}-{hand.home}"
    added = hand.registry.add(entry, [hand.sources(word)], bump="minor", tags=["newest"])
    return {"made": [added.version.ref, word]} if added.changed else {"found": [added.version.ref, word]}


def tag(hand: Hand) -> None:
    ref = _one(hand.chance, hand.live())
    name = f"t{hand.number % 2}"
    hand.means("tag", f"{ref.partition('@')[0]}@{name}", ref)
    hand.registry.tag(ref, name)


def untag(hand: Hand) -> None:
    ref = _one(hand.chance, sorted(hand.ledger.sure(hand.home, "tag")))
    hand.means("tag", ref, NOTHING)
    hand.registry.untag(ref)


def remove(hand: Hand) -> None:
    ref = _one(hand.chance, hand.live())
    hand.means("version", ref, NOTHING)
    hand.registry.remove([ref])


def restore(hand: Hand) -> None:
    ref = _one(hand.chance, hand.removed())
    hand.means("version", ref, hand.ledger.contents[ref])
    hand.registry.restore([ref])


def annotate(hand: Hand) -> None:
    ref = _one(hand.chance, hand.live())
    hand.means("label", ref, str(hand.number))
    annotating.label(hand.registry, ref, {"seen": hand.number})


def policy(hand: Hand) -> None:
    kept = Retention(parse_policies([{"match": hand.own(), "keep-last": 4}]), ("t0",))
    plan = policies.plan(hand.registry, kept)
    for ref in plan.removes:
        hand.means("version", ref, NOTHING)
    if plan.removes:
        policies.apply(hand.registry, kept, policies.stored_plan(hand.registry, plan.id))


def settle(hand: Hand) -> None:
    """Look what has come of an operation that was cut: what is seen is as good as acknowledged."""
    live = hand.live()
    # What is said of a version that was removed is not seen.
    keys = [key for key in hand.unclear() if key.sort != "label" or key.ref in live]
    key = hand.chance.choice(keys or [None])
    if key is None:
        raise Nothing
    seen = state_of(hand.registry, key, hand.ledger)
    if seen not in hand.ledger.states[key]:
        raise AssertionError(f"{key} is {seen!r}, and may be {hand.ledger.states[key]}")
    hand.means(key.sort, key.ref, seen)


def run(hand: Hand) -> Facts:
    """Log to a run. What was logged is written down at once, for no kill may lose it."""
    count = hand.chance.randrange(1, 20)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = hand.experiments.start_experiment(f"of-{hand.worker}")
        for number in range(count):
            run.log_metric("loss", number)
            # A full disk lets points wait in memory, and says so.
            if not said:
                hand.journal.write(logged=[run.id, number + 1])
        info = run.finish()
    return {"sealed": [info.ref, count]}


def adopt(hand: Hand) -> None:
    hand.experiments.adopt_all(crashed=True)


# Between repositories.


def push(hand: Hand) -> Facts:
    live = hand.live()
    Sync(hand.registry, "origin").push()
    hand.pushed.update(live)
    return {"pushed": live}


def pull(hand: Hand) -> Facts:
    return {"pulled": list(Sync(hand.registry, "origin").pull().versions)}


def remove_there(hand: Hand) -> None:
    ref = _one(hand.chance, sorted(hand.pushed))
    hand.means("gone", ref, "gone", "remote")
    hand.there.remove([ref])


# Upkeep.


def gc(hand: Hand) -> None:
    collecting.collect(hand.registry, grace=0, report=silent)


def gc_there(hand: Hand) -> None:
    collecting.collect(hand.there, grace=0, report=silent)


def repack(hand: Hand) -> None:
    store_smaller(hand.registry, delta=True, grace=0, report=silent)


def verify(hand: Hand) -> None:
    _refuse_problems(hand.chance.choice([hand.registry, hand.there]).verify().problems)


def repair(hand: Hand) -> None:
    _refuse_problems(mending.repair(hand.registry, report=silent).problems)


def _refuse_problems(problems: tuple[object, ...]) -> None:
    if problems:
        raise NotCleanError(problems[:3])


class NotCleanError(AssertionError):
    """A repository is not clean; that may be so while its disk fails."""


# Reading.


def cat(hand: Hand) -> None:
    ref = _one(hand.chance, hand.live())
    expect_bytes(hand.registry, ref, hand.ledger.contents[ref])


def get(hand: Hand) -> None:
    ref = _one(hand.chance, hand.live())
    target = hand.folder.with_name(f"{hand.worker}-out")
    shutil.rmtree(target, ignore_errors=True)
    hand.registry.get(ref, target)
    found = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    if found != contents.files_of(hand.ledger.contents[ref]):
        raise WrongBytesError(ref)


class WrongBytesError(AssertionError):
    """What was read is not what was written."""


def expect_bytes(registry: Registry, ref: str, word: str) -> None:
    """Read all files of a version, and compare them.

    Raises:
        WrongBytesError: they are others.
    """
    expected = contents.files_of(word)
    found = {file.path: b"".join(registry.cat(f"{ref}:{file.path}")) for file in registry.files(ref)}
    if found != expected:
        raise WrongBytesError(f"{ref} is not {word}")


def state_of(registry: Registry, key: Key, ledger: Ledger) -> str:
    """Return what a key is now."""
    entry, _, leaf = key.ref.partition("@")
    try:
        if key.sort == "version":
            is_there = any(info.version == leaf for info in registry.versions(entry))
            return ledger.contents[key.ref] if is_there else NOTHING
        if key.sort == "label":
            return str(registry.show(key.ref).labels.get("seen", NOTHING))
        return next((tag.target for tag in registry.tags(entry) if tag.ref == key.ref), NOTHING)
    except NotFoundError:
        return NOTHING


OPERATIONS: dict[str, tuple[float, Callable[[Hand], Facts | None]]] = {
    "add": (30, add),
    "add to a shared entry": (6, add_shared),
    "tag": (12, tag),
    "untag": (3, untag),
    "rm": (9, remove),
    "restore": (5, restore),
    "label": (5, annotate),
    "policy apply": (1, policy),
    "run": (3, run),
    "run adopt": (1, adopt),
    "push": (5, push),
    "pull": (4, pull),
    "rm at the remote": (3, remove_there),
    "gc, no grace": (2, gc),
    "gc at the remote, no grace": (1, gc_there),
    "repack --delta": (1, repack),
    "verify": (1, verify),
    "repair": (0.3, repair),
    "cat": (5, cat),
    "get": (3, get),
    "look what came of it": (6, settle),
}
"""By name: how often, and what."""


# The worker.


def work(place: Path, worker: int, seed: int, count: int, is_calm: bool = False) -> None:
    """Do operations up to a number, beginning where the worker was before it died.

    Args:
        place: of the soak.
        worker: its number.
        seed: of all chance.
        count: how many operations, in all its lives.
        is_calm: whether nothing goes wrong but what comes from outside.
    """
    hand = Hand(place, worker, is_calm=is_calm)
    weights = [weight for weight, _ in OPERATIONS.values()]
    while hand.done < count:
        # It does not depend on how often the worker died.
        hand.chance = random.Random(f"{seed} {worker} {hand.number}")
        _step(hand, hand.chance.choices(list(OPERATIONS), weights)[0])
        hand.number += 1
    os._exit(0)


def _step(hand: Hand, name: str) -> None:
    """Do one operation, and write down how it ended."""
    fault = soak_faults.NONE if hand.is_calm else soak_faults.choose(hand.chance)
    hand.changes = {}
    hand.journal.write(number=hand.number, operation=name, fault=fault)
    with soak_faults.prepared(fault, hand.chance) as trouble:
        if fault in soak_faults.STORE or hand.chance.random() < 0.3:
            hand.reopen()
        end = _ended(hand, name)
    if fault in soak_faults.STORE:
        hand.reopen()
    hand.journal.write(**end, hit=trouble.was_hit)
    hand.ledger.add(
        Step(hand.worker, hand.number, name, fault, hand.changes, end["end"], end["code"], end["exit"], end["facts"])
    )
    hand.done += end["end"] != SKIPPED


def _ended(hand: Hand, name: str) -> dict[str, Any]:
    try:
        facts = OPERATIONS[name][1](hand)
    except Nothing:
        return {"end": SKIPPED, "code": "", "exit": 0, "facts": {}}
    except MlregError as error:
        facts = {"what": str(error)}
        return {"end": "refused", "code": error.code, "exit": error.exit_status, "facts": facts}
    except Exception as error:  # noqa: BLE001 - whatever it is, the judge is told
        facts = {"what": traceback.format_exc()}
        return {"end": "broken", "code": type(error).__name__, "exit": 1, "facts": facts}
    return {"end": "done", "code": "", "exit": 0, "facts": facts or {}}
