"""What must hold at the end of a soak: all that was acknowledged is there, byte for byte, and nothing is damaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mlreg.errors import MlregError, PartialError
from mlreg.operations import collect as deleting
from mlreg.registry import collecting
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.registry import Registry, silent
from mlreg.registry.sync import Sync
from tests.reliability.ledger import NOTHING, Ledger, Step
from tests.reliability.soak_work import HOMES, WrongBytesError, expect_bytes, state_of

PLACES = (*HOMES, "remote")


class Judge:
    """Looks at the repositories when no one writes any more, and notes what is wrong."""

    def __init__(self, disk: Path, steps: Sequence[Step]) -> None:
        """Know what was done, and where."""
        self.steps = steps
        self.ledger = Ledger(steps)
        remotes = {"origin": str(disk / "remote")}
        self.registries = {place: Registry(disk / place, "judge", disk / "judge", remotes) for place in PLACES}
        self.experiments = {home: ExperimentRegistry(disk / home, "judge", disk / "judge") for home in HOMES}
        self.lost: list[str] = []
        """What was acknowledged and is not there."""
        self.wrong: list[str] = []
        """What is there with other bytes."""
        self.problems: list[str] = []
        self.acknowledged = 0
        """Changes that were looked for."""

    def look(self) -> None:
        """Look at everything; then let the repositories meet, collect without grace, and look again."""
        for part in (
            self._verify,
            self._runs,
            self._states,
            self._sent,
            self._meet,
            self._collect,
            self._verify,
            self._bytes,
        ):
            try:
                part()
            except MlregError as error:
                self.problems.append(f"{part.__name__}: {error}")

    def look_after_a_cut(self) -> None:
        """Look at what a power cut may not take: all but the points of runs that go on."""
        self._verify()
        self._states()
        self._sent()
        self._bytes()

    def _verify(self) -> None:
        for place, registry in self.registries.items():
            self.problems += [f"{place}: {problem}" for problem in registry.verify().problems]

    def _states(self) -> None:
        """Compare each key with the states that it may have."""
        live = {place: set(_live(registry)) for place, registry in self.registries.items()}
        tags = {place: {tag.ref: tag.target for tag in one.tags()} for place, one in self.registries.items()}
        for key, states in sorted(self.ledger.states.items()):
            if key.sort == "gone":
                continue
            self.acknowledged += 1
            if key.sort == "version":
                seen = self.ledger.contents[key.ref] if key.ref in live[key.place] else NOTHING
            elif key.sort == "tag":
                seen = tags[key.place].get(key.ref, NOTHING)
            elif key.ref in live[key.place]:
                seen = state_of(self.registries[key.place], key, self.ledger)
            else:
                continue  # what is said of a version that was removed
            if seen not in states:
                self.lost.append(f"{key} is {seen!r}, and was acknowledged as {sorted(states)}")

    def _sent(self) -> None:
        """Look for what was added to shared entries, pushed and pulled."""
        made = [(step, *step.facts[word]) for step in self.steps for word in ("made", "found") if word in step.facts]
        self._expect((_home(step.worker), ref) for step, ref, _ in made)
        given = Counter((_home(step.worker), ref) for step, ref, _ in made if "made" in step.facts)
        self.problems += [f"{ref} was given to two" for ref, count in given.items() if count > 1]
        gone = {key.ref for key, states in self.ledger.states.items() if key.sort == "gone" and "gone" in states}
        pushed = {ref for step in self.steps for ref in step.facts.get("pushed", ())}
        self._expect(("remote", ref) for ref in pushed - gone)
        pulled = [(_home(step.worker), ref) for step in self.steps for ref in step.facts.get("pulled", ())]
        own = {(key.place, key.ref) for key in self.ledger.states if key.sort == "version"}
        self._expect(set(pulled) - own)

    def _expect(self, found: Iterable[tuple[str, str]]) -> None:
        there = {place: set(_live(registry)) for place, registry in self.registries.items()}
        for place, ref in sorted(set(found)):
            self.acknowledged += 1
            if ref not in there[place]:
                self.lost.append(f"{ref} is not in {place}")

    def _runs(self) -> None:
        """Look for the points of all runs; those whose process was killed are sealed first."""
        sealed = {}
        for home, experiments in self.experiments.items():
            # Of a run that died before its first word nothing is known; it stays.
            with suppress(PartialError):
                experiments.adopt_all(crashed=True)
            sealed[home] = {info.id: info for info in experiments.list_runs()}
        for step in self.steps:
            if "logged" in step.facts:
                home, (run, points) = _home(step.worker), step.facts["logged"]
                self.acknowledged += 1
                series = self.experiments[home].get_metrics(run) if run in sealed[home] else {}
                found = [point.value for point in series["loss"].points()] if "loss" in series else []
                if found[:points] != list(map(float, range(points))):
                    self.lost.append(f"run {run} has {len(found)} points of {points}")

    def _meet(self) -> None:
        """Push and pull until nothing is left to do."""
        try:
            changed = [self._met(home) for _ in range(3) for home in HOMES]
        except MlregError as error:
            self.problems.append(f"the repositories cannot meet: {error}")
        else:
            self.problems += ["the repositories do not come to rest"] * any(changed[-2:])

    def _met(self, home: str) -> bool:
        sync = Sync(self.registries[home], "origin")
        pushed = sync.push().changed
        return sync.pull().changed or pushed

    def _collect(self) -> None:
        """Delete all that is not needed, what those left who were killed too."""
        usual, deleting.UNNAMED = deleting.UNNAMED, 0.0
        try:
            for registry in self.registries.values():
                collecting.collect(registry, grace=0, report=silent)
        finally:
            deleting.UNNAMED = usual
        for place, registry in self.registries.items():
            if registry.verify().orphans:
                self.problems.append(f"{place}: files are left that no transaction names")

    def _bytes(self) -> None:
        """Read every version of which the words are known, wherever it is."""
        words = dict(self.ledger.contents)
        shared = {
            place: {ref: word for step in self.steps for ref, word in _made(step) if _home(step.worker) == place}
            for place in HOMES
        }
        words |= {ref: word for some in shared.values() for ref, word in some.items()}
        for registry in self.registries.values():
            for ref in _live(registry):
                if ref in words:
                    self._read(registry, ref, words[ref])

    def _read(self, registry: Registry, ref: str, word: str) -> None:
        try:
            expect_bytes(registry, ref, word)
        except WrongBytesError as error:
            self.wrong.append(f"{registry.path}: {error}")
        except MlregError as error:
            self.lost.append(f"{registry.path}: {ref}: {error}")


def _made(step: Step) -> Iterator[tuple[str, str]]:
    for word in ("made", "found"):
        if word in step.facts:
            yield step.facts[word][0], step.facts[word][1]


def _home(worker: int) -> str:
    return HOMES[worker % 3 == 2]


def _live(registry: Registry) -> Iterator[str]:
    for entry in registry.entries():
        yield from (info.ref for info in registry.versions(entry.ref))
