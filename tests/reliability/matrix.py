"""Every operation under every fault: done, or refused with a code that says why; nothing is lost, no byte is wrong.

Each try is made in a process of its own on a copy of one scene. Then the repository is verified and read as it is, what
was damaged is put back, and all that was acknowledged must be there.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import MlregError, UnavailableError
from mlreg.registry import annotating, backups, bundles, collecting, mending, policies
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.repacking import repack as store_smaller
from mlreg.registry.sync import Sync
from mlreg.retention.policy import Retention, parse_policies
from tests.reliability import contents
from tests.reliability.matrix_faults import FAULTS, GONE, Fault
from tests.reliability.soak_work import WrongBytesError, expect_bytes

HERE, THERE, NEW = "here", "there", "new"
WORDS = {
    "model/net@1.0.0": "weights-1",
    "model/net@1.1.0": "weights-2",
    "data/rows@2026.01.01": "tree-11",
    "data/rows@2026.01.02": "text-7",
}
"""Versions that are there at first, in both repositories but for the last."""
REMOVED = ("model/old@1.0.0", "noise-5")


def registry_at(root: Path, place: str = HERE, *, is_cached: bool = True) -> Registry:
    """Return a registry of the scene."""
    remotes = {"origin": str(root / THERE)} if place != THERE else {}
    return Registry(root / place, "Ann", root / "cache" if is_cached else None, remotes)


def put(root: Path, registry: Registry, ref: str, word: str) -> None:
    """Register what a word stands for."""
    folder = root / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    contents.write(word, folder)
    entry, _, version = ref.partition("@")
    registry.add(entry, [folder], version=version)


def scene(root: Path) -> None:
    """Make two repositories, one of which was pushed to, with an older copy beside each."""
    for place in (HERE, THERE):
        init(root / place, shared=True)
    registry = registry_at(root)
    put(root, registry, *REMOVED)
    registry.remove([REMOVED[0]])
    for number, (ref, word) in enumerate(WORDS.items()):
        if number == len(WORDS) - 1:
            registry.tag("model/net@1.0.0", "production")
            Sync(registry, "origin").push()
            registry_at(root, THERE).tag("model/net@1.1.0", "there")
            for place in (HERE, THERE):
                shutil.copytree(root / place, root / f"{place}.older")
        put(root, registry, ref, word)
    there = registry_at(root, THERE)
    put(root, there, "model/theirs@1.0.0", "common-1")
    for one in (registry, there):
        one.repository.log.refresh()
        one.repository.log.write_snapshot()


# Operations.


def initialise(root: Path) -> None:
    init(root / NEW, shared=True)


def add(root: Path) -> None:
    registry_at(root).add("model/net", [root / "added"], version="2.0.0", tags=["candidate"])


def tag(root: Path) -> None:
    registry_at(root).tag("model/net@1.1.0", "production")


def remove(root: Path) -> None:
    registry_at(root).remove(["data/rows@2026.01.01"])


def restore(root: Path) -> None:
    registry_at(root).restore([REMOVED[0]])


def annotate(root: Path) -> None:
    annotating.label(registry_at(root), "model/net@1.0.0", {"team": "vision"})


def run(root: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a disk that cannot be written to lets points wait, and says so
        with ExperimentRegistry(root / HERE, "Ann", root / "cache").start_experiment("churn") as run:
            run.log_metrics({"loss": 1.0})


def policy(root: Path) -> None:
    kept = Retention(parse_policies([{"match": "data/*", "keep-last": 1}]), ("production",))
    plan = policies.plan(registry_at(root), kept)
    if not plan.stored:
        raise UnavailableError("store_unavailable", "a plan that cannot be stored is shown, and not applied")
    policies.apply(registry_at(root), kept, policies.stored_plan(registry_at(root), plan.id))


def get(root: Path) -> None:
    registry_at(root).get("model/net@1.0.0", root / "out")


def push(root: Path) -> None:
    Sync(registry_at(root), "origin").push()


def pull(root: Path) -> None:
    Sync(registry_at(root), "origin").pull()


def clone(root: Path) -> None:
    initialise(root)
    Sync(registry_at(root, NEW), "origin").pull()


def gc(root: Path) -> None:
    collecting.collect(registry_at(root), grace=0, report=silent)


def repack(root: Path) -> None:
    store_smaller(registry_at(root), delta=True, grace=0, report=silent)


def verify(root: Path) -> None:
    registry_at(root).verify().refuse_problems()


def repair(root: Path) -> None:
    mending.repair(registry_at(root), report=silent).refuse_loss()


def back_up(root: Path) -> None:
    backups.create(registry_at(root), f"{root}/kept/", report=silent)
    backups.restore(f"{root}/kept", root / NEW, report=silent)


def bundle(root: Path) -> None:
    bundles.create(registry_at(root), f"{root}/net.bundle", ["model/net"], report=silent)
    initialise(root)
    bundles.apply(registry_at(root, NEW), f"{root}/net.bundle", report=silent)


class Operation(NamedTuple):
    """An operation, and what must be so when it was reported as done."""

    act: Callable[[Path], None]
    has: tuple[tuple[str, str, str], ...] = ()
    """Place, ref and word of what is there then."""
    reads: str = HERE
    """The repository that is damaged."""
    may_remove: frozenset[str] = frozenset()
    """Refs that may be gone then."""


OLD_ROWS = "data/rows@2026.01.01"
OPERATIONS: dict[str, Operation] = {
    "init": Operation(initialise),
    "add": Operation(add, ((HERE, "model/net@2.0.0", "weights-9"),)),
    "tag": Operation(tag, ((HERE, "model/net@production", "weights-2"),)),
    "rm": Operation(remove, may_remove=frozenset({OLD_ROWS})),
    "restore": Operation(restore, ((HERE, *REMOVED),)),
    "label": Operation(annotate),
    "run": Operation(run),
    "policy apply": Operation(policy, may_remove=frozenset({OLD_ROWS})),
    "get": Operation(get),
    "push": Operation(push, ((THERE, "data/rows@2026.01.02", "text-7"),)),
    "pull": Operation(pull, ((HERE, "model/theirs@1.0.0", "common-1"),), THERE),
    "clone": Operation(clone, ((NEW, "model/theirs@1.0.0", "common-1"),), THERE),
    "backup": Operation(back_up, ((NEW, "data/rows@2026.01.02", "text-7"),)),
    "bundle": Operation(bundle, ((NEW, "model/net@1.0.0", "weights-1"),)),
    "gc": Operation(gc),
    "repack --delta": Operation(repack),
    "verify": Operation(verify),
    "repair": Operation(repair),
}
"""All of them; a new one is a function and a line."""
MAY_HEAL = ("repair", "gc", "repack --delta")
"""They may take damage away, with what is not needed."""


# Trying.


class Outcome(NamedTuple):
    """How a try ended."""

    end: str
    """`done`, `refused`, `killed` or `broken`."""
    exit: int
    code: str
    wrong: tuple[str, ...]
    """What was read that is not what was written."""
    lost: tuple[str, ...]
    """What was acknowledged and is not there when all is put back."""
    is_called_clean: bool
    """By `verify`, before."""

    def against(self, operation: str, fault: Fault) -> list[str]:
        """Return what must not be."""
        found = [*self.wrong, *self.lost]
        if fault.is_found and self.is_called_clean and operation not in MAY_HEAL:
            found.append("called clean")
        if self.end == "broken" or (self.end == "refused" and self.exit not in _exits(operation, fault)):
            found.append(f"{self.end} with {self.exit}, {self.code}")
        if self.end == "killed" and not fault.may_kill:
            found.append("killed")
        return found


def _exits(operation: str, fault: Fault) -> frozenset[int]:
    """Return the codes with which an operation may be refused under a fault."""
    is_damage = fault.before is not Fault().before and 6 in fault.exits
    # To them, a disk that does not answer is damaged, too.
    looks = operation in ("verify", "repair") and (is_damage or 8 in fault.exits)
    # What was removed and cannot be found was collected, as far as anyone can tell.
    is_gone = operation == "restore" and is_damage
    return fault.exits | ({6} if looks else set()) | ({4} if is_gone else set())


def tried(before: Path, root: Path, name: str, fault_name: str, chance: random.Random) -> Outcome:
    """Try an operation under a fault.

    Args:
        before: the scene.
        root: an absent directory.
        name: of the operation.
        fault_name: of the fault.
        chance: which file, bit and call.
    """
    shutil.copytree(before, root)
    operation, fault = OPERATIONS[name], FAULTS[fault_name]
    contents.write("weights-9", root / "added")
    # A cache knows where the repository is, so it must be made where the copy is.
    registry_at(root).open()
    registry_at(root, THERE).open()
    kept = _kept(root / operation.reads)
    fault.before(root / operation.reads, chance)
    damaged = {path for path, data in kept.items() if not path.exists() or path.read_bytes() != data}
    added = {path for path in _files(root / operation.reads) if path not in kept}
    end, status, code = _ended(operation, fault, root, chance)
    is_clean = _is_clean(root, operation.reads)
    wrong = list(_wrong(root))
    if (root / GONE).exists():
        (root / GONE).rename(root / THERE)
    elif fault.takes_back:
        for path in damaged:
            _put_back(path, kept[path])
        for path in added:
            path.unlink(missing_ok=True)
    lost = list(_lost(root, operation, end == "done", fault))
    return Outcome(end, status, code, tuple(wrong), tuple(lost), is_clean)


def _files(place: Path) -> Iterator[Path]:
    return (path for path in place.rglob("*") if path.is_file())


def _kept(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in _files(place)}


def _put_back(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def _ended(operation: Operation, fault: Fault, root: Path, chance: random.Random) -> tuple[str, int, str]:
    """Do the operation in a process of its own."""
    child = os.fork()
    if child == 0:
        with fault.during(chance):
            answer = _answer(operation.act, root)
        (root / "answer").write_text(json.dumps(answer))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFEXITED(status):
        return "killed", 0, ""
    end, code, what = json.loads((root / "answer").read_text())
    return str(end), int(code), str(what)


def _answer(act: Callable[[Path], None], root: Path) -> tuple[str, int, str]:
    try:
        act(root)
    except MlregError as error:
        return "refused", error.exit_status, error.code
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
        return "broken", 1, traceback.format_exc()
    return "done", 0, ""


def _is_clean(root: Path, place: str) -> bool:
    try:
        return not registry_at(root, place, is_cached=False).verify().problems
    except MlregError:
        return False


def _places(root: Path) -> Iterator[str]:
    return (place for place in (HERE, THERE, NEW) if (root / place / "mlreg.json").exists())


def _wrong(root: Path) -> Iterator[str]:
    """Yield what is read in any state, cached or not, that is not what was written."""
    words = {**WORDS, "model/net@2.0.0": "weights-9", "model/theirs@1.0.0": "common-1", REMOVED[0]: REMOVED[1]}
    for place in _places(root):
        for ref, word in words.items():
            try:
                expect_bytes(registry_at(root, place), ref, word)
            except WrongBytesError as error:
                yield f"{place}: {error}"
            except MlregError:
                continue


def _lost(root: Path, operation: Operation, is_done: bool, fault: Fault) -> Iterator[str]:
    """Yield what is not there, or not clean, when what was damaged is as it was."""
    expected = [(HERE, ref, word) for ref, word in WORDS.items() if ref not in operation.may_remove]
    expected += [(THERE, ref, word) for ref, word in list(WORDS.items())[:-1]]
    if is_done:
        expected += operation.has
    is_lost_by_hand = fault.is_found and not fault.takes_back
    if is_lost_by_hand:
        # What stood in the part of the log that a hand has taken away is gone with it.
        expected = [row for row in expected if row[0] != operation.reads or row[1] in list(WORDS)[:-1]]
        expected = [row for row in expected if row not in operation.has]
    for place, ref, word in expected:
        try:
            expect_bytes(registry_at(root, place, is_cached=False), ref, word)
        except (MlregError, WrongBytesError) as error:
            yield f"{place}: {ref}: {error}"
    for place in () if is_lost_by_hand else _places(root):
        if not _is_clean(root, place):
            problems = registry_at(root, place, is_cached=False).verify().problems
            yield f"{place} is not clean: {problems[:2]}"


# The table.


class Cell(NamedTuple):
    """Several tries of one operation under one fault."""

    operation: str
    fault: str
    outcomes: Sequence[Outcome]


def applies(operation: str, fault: str) -> bool:
    """Tell whether there is something to try: what is made anew cannot have been damaged before."""
    return operation != "init" or FAULTS[fault].before is Fault().before


def cells() -> list[tuple[str, str]]:
    """Return all pairs of operation and fault."""
    return [(operation, fault) for fault in FAULTS for operation in OPERATIONS if applies(operation, fault)]


def try_cell(before: Path, place: Path, operation: str, fault: str, tries: int, seed: int = 0) -> Cell:
    """Try an operation under a fault several times."""
    outcomes = []
    for number in range(tries):
        root = place / f"{operation} {fault} {number}".replace(" ", "-")
        outcomes.append(tried(before, root, operation, fault, random.Random(f"{seed} {operation} {fault} {number}")))
        shutil.rmtree(root)
    return Cell(operation, fault, outcomes)


def table(found: Sequence[Cell]) -> list[str]:
    """Return the counts as Markdown: done / tried, and over all operations how the others ended."""
    by = {(cell.operation, cell.fault): cell.outcomes for cell in found}
    lines = [
        f"| fault | {' | '.join(OPERATIONS)} | refused with | seen by `verify` | lost | wrong bytes |",
        "|---" * (len(OPERATIONS) + 5) + "|",
    ]
    for fault in FAULTS:
        some = [by.get((operation, fault), ()) for operation in OPERATIONS]
        each = [
            f"{sum(one.end == 'done' for one in outcomes)}/{len(outcomes)}" if outcomes else "" for outcomes in some
        ]
        lines.append(
            f"| {fault} | {' | '.join([*each, *_sums([one for outcomes in some for one in outcomes], fault)])} |"
        )
    return lines


def _sums(outcomes: Sequence[Outcome], fault: str) -> tuple[str, str, str, str]:
    codes = Counter(one.exit for one in outcomes if one.end == "refused")
    killed = sum(one.end == "killed" for one in outcomes)
    refused = [f"{status}: {count}" for status, count in sorted(codes.items())] + (
        [f"killed: {killed}"] if killed else []
    )
    seen = f"{sum(not one.is_called_clean for one in outcomes)}/{len(outcomes)}" if FAULTS[fault].is_found else ""
    return (
        ", ".join(refused),
        seen,
        str(sum(len(one.lost) for one in outcomes)),
        str(sum(len(one.wrong) for one in outcomes)),
    )
