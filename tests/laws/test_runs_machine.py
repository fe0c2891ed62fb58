"""Runs of two people and a shared registry are what a few dictionaries say they should be, in any order.

Runs are started, joined, logged to, ended, killed, copied, resumed, sealed by one or by two at once, pushed and
pulled. Nothing that was logged is lost, nothing is there twice, and two registries unite as sets.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mlreg.errors import MlregError
from mlreg.formats.journal import line_of, read_journal
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.run import Run
from mlreg.registry.runs_here import RUNS_HERE
from mlreg.registry.sync import Sync

PEOPLE = ("ann", "bob")
PLACES = (*PEOPLE, "shared")
EXPERIMENT = "churn"


class Content(NamedTuple):
    """What a version of a run should hold."""

    values: tuple[tuple[str, tuple[float, ...]], ...]
    """Of each metric."""
    seeds: tuple[int, ...]
    status: str
    records: int
    """How much was said in all: a version in which more was said is another one."""

    def is_part_of(self, other: Content) -> bool:
        known = dict(other.values)
        return set(self.seeds) <= set(other.seeds) and all(
            set(some) <= set(known.get(name, ())) for name, some in self.values
        )


@dataclass
class Live:
    """What the directory of a run should hold."""

    values: dict[str, list[float]] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)
    ended: str = ""
    records: int = 1
    resumes: int | None = None
    """Which version of the run it goes on with, from 0."""
    writers: dict[str, Run] = field(default_factory=dict)
    """Those that live, by the metric that each logs."""

    @property
    def status(self) -> str:
        return self.ended or ("running" if self.writers else "crashed")

    def content(self, sealed: list[Content]) -> Content | None:
        """Return what it is sealed as; None if what it resumes is not there."""
        if self.resumes is not None and self.resumes >= len(sealed):
            return None
        before = sealed[self.resumes] if self.resumes is not None else Content((), (), "", 0)
        values = {name: list(some) for name, some in before.values}
        for name, some in self.values.items():
            values[name] = [*values.get(name, []), *some]
        seeds = tuple(dict.fromkeys((*before.seeds, *self.seeds)))
        kept = tuple(sorted((name, tuple(some)) for name, some in values.items() if some))
        return Content(kept, seeds, self.status, before.records + self.records)


class Clock:
    """Stands for the module `time`; no two things are said at one time."""

    def __init__(self) -> None:
        self.milliseconds = 1_795_502_880_000

    def time(self) -> float:
        self.milliseconds += 1
        return self.milliseconds / 1000 + 0.0004


people = st.sampled_from(PEOPLE)
picks = st.integers(0, 99)


class RunsOfTwoPeople(RuleBasedStateMachine):
    """`live` and `sealed` say what the registries should hold."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mlreg-runs-"))
        self.patch = pytest.MonkeyPatch()
        clock = Clock()
        for module in ("run", "run_place"):
            self.patch.setattr(f"mlreg.registry.{module}.time", clock)
        # What survives a power cut is the subject of other tests.
        self.patch.setattr(os, "fsync", lambda fd: None)
        self.count = 0
        self.registries: dict[str, ExperimentRegistry] = {}
        for name in PLACES:
            place, _ = init(self.root / name, shared=True)
            remotes = {} if name == "shared" else {"origin": str(self.root / "shared")}
            self.registries[name] = ExperimentRegistry(place, name, self.root / "cache" / name, remotes)
        self.live: dict[str, dict[str, Live]] = {name: {} for name in PEOPLE}
        self.sealed: dict[str, dict[str, list[Content]]] = {name: {} for name in PLACES}
        # What matters is what happens with runs of which there is something.
        for number in range(3):
            self.start("ann")
            self.join("ann", number)
            self.log("ann", number, 0, 1)
            self.log("ann", number, 1, 1)
        self.finish("ann", 0, "failed")
        self.kill("ann", 1, 1, all_of_them=True)
        self.copy("ann", 0)
        self.meet("ann", is_push=True)
        self.meet("bob", is_push=False)

    def teardown(self) -> None:
        if hasattr(self, "root"):
            for place in PLACES:
                self.look(place)
            for some in self.live.values():
                for live in some.values():
                    for writer in live.writers.values():
                        self.lose(writer)
            self.patch.undo()
            shutil.rmtree(self.root)

    def number(self) -> int:
        self.count += 1
        return self.count

    def pick(self, person: str, number: int, fits: Callable[[Live], bool]) -> tuple[str, Live] | None:
        """Choose one of a person's live runs that fit."""
        fitting = [(run, live) for run, live in sorted(self.live[person].items()) if fits(live)]
        return fitting[number % len(fitting)] if fitting else None

    def code_of(self, action: Callable[[], object]) -> str:
        try:
            action()
        except MlregError as error:
            return error.code
        return ""

    # Logging.

    @rule(person=people)
    def start(self, person: str) -> None:
        seed = self.number()
        run = self.registries[person].start_experiment(EXPERIMENT, params={"seed": seed})
        self.live[person][run.id] = Live({}, [seed], records=2, writers={"loss": run})

    @rule(person=people, number=picks)
    def join(self, person: str, number: int) -> None:
        if found := self.pick(person, number, lambda live: live.status == "running" and len(live.writers) < 3):
            run, live = found
            live.writers[f"rank{self.number()}"] = self.registries[person].join(run)
            live.records += 1

    @rule(person=people, number=picks, which=picks, points=st.integers(1, 3))
    def log(self, person: str, number: int, which: int, points: int) -> None:
        if found := self.pick(person, number, lambda live: bool(live.writers)):
            _, live = found
            name = sorted(live.writers)[which % len(live.writers)]
            for _ in range(points):
                value = float(self.number())
                live.writers[name].log_metric(name, value)
                live.values.setdefault(name, []).append(value)
                live.records += 1

    # Ends.

    @rule(person=people, number=picks, status=st.sampled_from(("finished", "failed")))
    def finish(self, person: str, number: int, status: str) -> None:
        if found := self.pick(person, number, lambda live: "loss" in live.writers):
            run, live = found
            info = live.writers.pop("loss").finish(status)
            live.ended, live.records = status, live.records + 1
            self.is_sealed(person, run)
            assert (info.id, info.status) == (run, status)

    @rule(person=people, number=picks, which=picks)
    def leave(self, person: str, number: int, which: int) -> None:
        if found := self.pick(person, number, lambda live: any(name != "loss" for name in live.writers)):
            run, live = found
            ranks = sorted(name for name in live.writers if name != "loss")
            live.writers.pop(ranks[which % len(ranks)]).finish()
            if live.ended:
                self.is_sealed(person, run)

    @rule(person=people, number=picks, which=picks, all_of_them=st.booleans())
    def kill(self, person: str, number: int, which: int, all_of_them: bool) -> None:
        """Let the processes of a run, or one of them, die without a word."""
        if found := self.pick(person, number, lambda live: bool(live.writers)):
            _, live = found
            names = sorted(live.writers)
            for name in names if all_of_them else [names[which % len(names)]]:
                self.lose(live.writers.pop(name))

    def lose(self, writer: Run) -> None:
        journal = writer._journal
        RUNS_HERE.discard(writer)
        journal.abandon()
        records = read_journal(journal.path.read_bytes()).records
        for record in records:
            if "start" in record:
                world, _, _ = record["start"]["began"].rpartition(":")
                record["start"]["began"] = f"{world}:1"
        journal.path.write_bytes(b"".join(map(line_of, records)))

    # Sealing.

    def is_sealed(self, person: str, run: str) -> None:
        """Take note that a live run was sealed as it is."""
        live, versions = self.live[person][run], self.sealed[person].setdefault(run, [])
        content = live.content(versions)
        assert content
        # A copy that was made while the run lived is a part of it, and no version of its own.
        is_part = content.status == "crashed" and live.resumes is None
        if content not in versions and not (is_part and any(map(content.is_part_of, versions))):
            versions.append(content)
        if not live.writers:
            del self.live[person][run]

    def can_be_sealed(self, person: str, run: str) -> bool:
        return self.live[person][run].content(self.sealed[person].get(run, [])) is not None

    @rule(person=people, number=picks, many=st.booleans())
    def adopt(self, person: str, number: int, many: bool) -> None:
        if not (found := self.pick(person, number, lambda live: True)):
            return
        run, live = found
        codes: list[str] = []

        def work() -> None:
            codes.append(self.code_of(lambda: self.registries[person].adopt(run)))

        threads = [threading.Thread(target=work) for _ in range(3 if many else 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if live.status == "running":
            assert set(codes) == {"run_is_running"}
        elif not self.can_be_sealed(person, run):
            assert set(codes) == {"version_missing"}
        else:
            assert "" in codes
            # Who came too late for it is told that it is not open any more.
            assert set(codes) <= {"", "run_missing"}
            self.is_sealed(person, run)

    @rule(person=people)
    def adopt_all(self, person: str) -> None:
        ready = [run for run, live in self.live[person].items() if live.status != "running"]
        whole = [run for run in ready if self.can_be_sealed(person, run)]

        code = self.code_of(lambda: self.registries[person].adopt_all(crashed=True))

        lacking = len(ready) - len(whole)
        assert code == ("" if not lacking else "version_missing" if lacking == 1 and not whole else "not_all_adopted")
        for run in whole:
            self.is_sealed(person, run)

    # Going on.

    @rule(person=people, number=picks)
    def resume(self, person: str, number: int) -> None:
        runs = sorted({*self.live[person], *self.sealed[person]})
        if not runs:
            return
        run = runs[number % len(runs)]
        live, versions = self.live[person].get(run), self.sealed[person].get(run, [])
        if live and live.status == "running":
            assert self.code_of(lambda: self.registries[person].resume(run)) == "run_is_running"
            return
        writer = self.registries[person].resume(run)
        if live:
            live.ended, live.records = "", live.records + 1
        else:
            live = self.live[person][run] = Live(resumes=len(versions) - 1)
        live.writers["loss"] = writer

    @rule(person=people, number=picks)
    def copy(self, person: str, number: int) -> None:
        """Carry the directory of a run to the other machine, on which its processes are not."""
        other = PEOPLE[1 - PEOPLE.index(person)]
        if found := self.pick(person, number, lambda live: not live.writers):
            run, live = found
            target = self.registries[other].place.directory / run
            if run not in self.live[other]:
                shutil.copytree(self.registries[person].place.directory / run, target)
                values = {name: list(some) for name, some in live.values.items()}
                self.live[other][run] = Live(values, list(live.seeds), live.ended, live.records, live.resumes)

    @rule(number=picks)
    def go_on_apart(self, number: int) -> None:
        """Let both go on with one run, neither knowing of the other."""
        if runs := sorted(
            self.sealed["ann"].keys() & self.sealed["bob"].keys() - {*self.live["ann"], *self.live["bob"]}
        ):
            run = runs[number % len(runs)]
            for person in PEOPLE:
                self.live[person][run] = live = Live(resumes=len(self.sealed[person][run]) - 1)
                with self.registries[person].resume(run) as writer:
                    live.values["loss"] = [float(self.number())]
                    writer.log_metric("loss", live.values["loss"][0])
                live.ended, live.records = "finished", live.records + 2
                self.is_sealed(person, run)
            for person in PEOPLE:
                self.meet(person, is_push=True)

    # Meeting.

    @rule(person=people, is_push=st.booleans())
    def meet(self, person: str, is_push: bool) -> None:
        mine, shared = self.sealed[person], self.sealed["shared"]
        sender, receiver = (mine, shared) if is_push else (shared, mine)
        sync = Sync(self.registries[person].registry, "origin")

        codes = {self.code_of(sync.push if is_push else sync.pull) for _ in range(2)}

        pairs = [
            (one, other)
            for run, some in sender.items()
            for one, other in zip(some, receiver.get(run, []), strict=False)
        ]
        if any(one != other for one, other in pairs):
            # It went on in two places: both are kept where they are, and who meets is told.
            assert codes == {"version_conflict"}
            return
        assert codes == {""}
        for run, some in sender.items():
            known = receiver.setdefault(run, [])
            known.extend(some[len(known) :])

    # What should be there.

    @invariant()
    def all_hold_what_they_should(self) -> None:
        for place in getattr(self, "sealed", {}):
            registry = self.registries[place]
            found = (
                {version.version for version in registry.registry.versions(f"exp/{EXPERIMENT}")}
                if self.sealed[place]
                else set()
            )
            named = {version_of(run, at) for run, some in self.sealed[place].items() for at in range(len(some))}
            assert found == named, place
            infos = {info.id: info for info in registry.list_runs()}
            live = self.live.get(place, {})
            assert set(infos) == {*self.sealed[place], *live}, place
            for run, info in infos.items():
                expected = live[run].status if run in live else self.sealed[place][run][-1].status
                assert (info.status, info.sealed) == (expected, run not in live), place

    @rule(place=st.sampled_from(PLACES))
    def look(self, place: str) -> None:
        registry = self.registries[place]
        live = self.live.get(place, {})
        for run, one in live.items():
            found = tuple((name, tuple(series.values)) for name, series in sorted(registry.get_metrics(run).items()))
            known = one.content(self.sealed[place].get(run, [])) or one.content([Content((), (), "", 0)] * 99)
            assert known
            assert found == known.values
        for run in self.sealed[place].keys() - live.keys():
            for at, content in enumerate(self.sealed[place][run]):
                ref = f"exp/{EXPERIMENT}@{version_of(run, at)}"
                metrics = registry.get_metrics(ref)
                assert tuple((name, tuple(series.values)) for name, series in metrics.items()) == content.values, ref
                assert registry.get_run(ref).params["seed"] == content.seeds[0]
        assert registry.registry.verify().problems == ()


def version_of(run: str, at: int) -> str:
    return run if at == 0 else f"{run}+{at + 1}"


RunsOfTwoPeople.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestRunsOfTwoPeople = RunsOfTwoPeople.TestCase
