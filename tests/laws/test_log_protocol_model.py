"""The log protocol keeps its laws on random schedules, and no rule of it can be left out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import cache, partial

import pytest

from tests.laws import log_protocol_model as model
from tests.laws.log_protocol_model import Fault, Law, Mutant, World, run

SCHEDULES = 60
"""Per set of faults, and per mutant; of 400 steps."""

FAULTS = [(), (Fault.PLANTED_SNAPSHOT,), (Fault.OLD_COPY,), tuple(Fault)]

# Which laws a forgotten rule may break, and the fault it takes to show.
MUTANTS: dict[Mutant, tuple[set[Law], tuple[Fault, ...]]] = {
    Mutant.NO_GENERATION_CHECK: ({Law.CLOSURE}, ()),
    Mutant.NO_REAP_CHECK: ({Law.CLOSURE}, ()),
    Mutant.STALE_MARK: ({Law.CLOSURE}, ()),
    Mutant.UNLINK_BEFORE_LOG: ({Law.CLOSURE}, ()),
    Mutant.NO_READ_BACK: ({Law.ONCE, Law.CHAIN}, ()),
    Mutant.RETRIES_AS_NEW: ({Law.ONCE}, ()),
    Mutant.REPORTS_SUCCESS: ({Law.ONCE}, ()),
    Mutant.REPORTS_FAILURE: ({Law.ONCE}, ()),
    Mutant.GIVES_UP_EARLY: ({Law.ONCE}, ()),
    # A wrong start shows in what is appended, in the chain, or in a snapshot written from it.
    Mutant.TRUSTS_SNAPSHOT: ({Law.BASE, Law.CHAIN}, (Fault.PLANTED_SNAPSHOT,)),
    Mutant.TRUSTS_TORN_SNAPSHOT: ({Law.BASE, Law.SNAPSHOT}, ()),
    Mutant.LABELS_SNAPSHOT_LATE: ({Law.SNAPSHOT}, ()),
    # A sweeper with the cache of another history deletes what is live in this one: law 1.
    Mutant.TRUSTS_CACHE: ({Law.BASE, Law.CHAIN, Law.CLOSURE}, (Fault.OLD_COPY,)),
    Mutant.NO_OLD_CHECK: ({Law.NO_LOST_UPDATE}, ()),
}


@cache
def healthy_worlds(faults: tuple[Fault, ...]) -> list[World]:
    return [run(seed, faults=faults) for seed in range(SCHEDULES)]


@cache
def laws_broken_by(mutant: Mutant) -> Counter[Law]:
    _, faults = MUTANTS[mutant]
    worlds = [run(seed, mutant=mutant, faults=faults) for seed in range(SCHEDULES)]
    return Counter(world.broken.law for world in worlds if world.broken is not None)


@pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: "+".join(fault.name for fault in faults) or "none")
def test_the_whole_protocol_breaks_no_law(faults: tuple[Fault, ...], scale: int) -> None:
    broken = {seed: run(seed, faults=faults).broken for seed in range(SCHEDULES * scale)}

    assert {seed: str(law) for seed, law in broken.items() if law} == {}


@pytest.mark.parametrize("mutant", Mutant, ids=lambda mutant: mutant.name)
def test_a_forgotten_rule_breaks_the_law_that_it_keeps(mutant: Mutant) -> None:
    expected, _ = MUTANTS[mutant]
    broken = laws_broken_by(mutant)

    assert broken, f"nobody noticed that the program {mutant.value}"
    assert broken.keys() <= expected


def test_every_law_is_broken_by_some_mutant() -> None:
    broken = sum((laws_broken_by(mutant) for mutant in Mutant), Counter[Law]())

    assert broken.keys() == set(Law)


@pytest.mark.parametrize(
    "event",
    [
        "abort", "cache_held", "collision", "exists", "found_own_slot", "harmless_drop", "kill", "late_landing",
        "lossy_drop", "negotiated_again", "pack_replaced", "snapshot_held", "snapshot_refused", "unclear", "unlink",
    ],
)  # fmt: skip
def test_the_schedules_contain_what_the_rules_are_for(event: str) -> None:
    assert sum(world.events[event] for world in healthy_worlds(())) >= SCHEDULES / 10


def test_an_older_copy_of_the_log_makes_caches_useless() -> None:
    assert sum(world.events["cache_refused"] for world in healthy_worlds(())) == 0
    assert sum(world.events["cache_refused"] for world in healthy_worlds((Fault.OLD_COPY,))) >= SCHEDULES


def test_the_writers_get_on_with_their_work() -> None:
    assert sum(len(world.log) for world in healthy_worlds(())) >= 15 * SCHEDULES


def test_a_seed_gives_the_same_schedules_in_every_process() -> None:
    command = [sys.executable, model.__file__, "--seeds", "8"]
    outputs = {
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }

    assert len(outputs) == 1


def test_a_search_that_finds_something_fails_and_names_seed_and_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["log_protocol_model.py", "--seeds", "60"])
    monkeypatch.setattr(model, "run", partial(run, mutant=Mutant.UNLINK_BEFORE_LOG))

    with pytest.raises(SystemExit, match=r"^seed \d+: law 1: ") as caught:
        model.main()
    assert caught.value.code != 0
