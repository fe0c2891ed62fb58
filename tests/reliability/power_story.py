"""A story of two repositories, whose power is cut at any moment: what is left, and whether it can go on."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlreg.registry import collecting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from tests.reliability import contents
from tests.reliability.power import Recorder, State
from tests.reliability.soak_work import expect_bytes

PLACES = ("here", "there")
Held = dict[str, str] | None
"""What is in a repository: words of versions, and where tags point to; None if there is none."""


def registry_at(root: Path, place: str) -> Registry:
    return Registry(root / place, "Ann", None, {"origin": str(root / "there")} if place == "here" else {})


def adding(ref: str, word: str, tag: str = "") -> Callable[[Path], None]:
    def step(root: Path) -> None:
        folder = root.with_name("folder")
        shutil.rmtree(folder, ignore_errors=True)
        contents.write(word, folder)
        entry, _, version = ref.partition("@")
        registry_at(root, "here").add(entry, [folder], version=version, tags=[tag] if tag else [])

    return step


def collecting_at(place: str) -> Callable[[Path], None]:
    return lambda root: _ignore(collecting.collect(registry_at(root, place), grace=0, report=silent))


def _ignore(_: object) -> None:
    """Take no notice of an answer."""


def _snapshot(root: Path) -> None:
    log = registry_at(root, "here").repository.log
    log.refresh()
    log.write_snapshot()


WORDS = {
    "model/net@1.0.0": "weights-1",
    "model/net@1.1.0": "weights-2",
    "model/net@1.2.0": "weights-3",
    "data/rows@2026.01.01": "noise-9",
    "data/rows@2026.01.02": "tree-11",
}
STEPS: dict[str, Callable[[Path], None]] = {
    "init here": lambda root: _ignore(init(root / "here", shared=True)),
    "init there": lambda root: _ignore(init(root / "there", shared=True)),
    "add rows": adding("data/rows@2026.01.01", "noise-9"),
    "add net": adding("model/net@1.0.0", "weights-1", "production"),
    "add more": adding("model/net@1.1.0", "weights-2"),
    "push": lambda root: _ignore(Sync(registry_at(root, "here"), "origin").push()),
    "tag": lambda root: _ignore(registry_at(root, "here").tag("model/net@1.1.0", "production")),
    "remove": lambda root: _ignore(registry_at(root, "here").remove(["data/rows@2026.01.01"])),
    "collect": collecting_at("here"),
    "add other rows": adding("data/rows@2026.01.02", "tree-11"),
    "repack": lambda root: _ignore(repack(registry_at(root, "here"), delta=True, grace=0, report=silent)),
    "add the last": adding("model/net@1.2.0", "weights-3"),
    "snapshot": _snapshot,
    "push again": lambda root: _ignore(Sync(registry_at(root, "here"), "origin").push()),
    "remove there": lambda root: _ignore(registry_at(root, "there").remove(["data/rows@2026.01.01"])),
    "collect there": collecting_at("there"),
    "pull": lambda root: _ignore(Sync(registry_at(root, "here"), "origin").pull()),
}


def held(root: Path, place: str) -> Held:
    """Return what a repository holds, read byte by byte; it must be clean."""
    if not (root / place / "mlreg.json").exists():
        return None
    registry = registry_at(root, place)
    assert registry.verify().problems == ()
    found = {}
    for entry in registry.entries():
        for info in registry.versions(entry.ref):
            expect_bytes(registry, info.ref, WORDS[info.ref])
            found[info.ref] = WORDS[info.ref]
    return found | {tag.ref: tag.target for tag in registry.tags()}


class Story(NamedTuple):
    """All steps as they were recorded, and what was held after each."""

    root: Path
    recorder: Recorder
    after: list[dict[str, Held]]


def told(root: Path) -> Story:
    """Do all steps in an empty directory, and keep how they wrote."""
    recorder, after = Recorder(), [dict[str, Held].fromkeys(PLACES)]
    for name, step in STEPS.items():
        with recorder.recording():
            step(root)
        recorder.mark(name)
        after.append({place: held(root, place) for place in PLACES})
    return Story(root, recorder, after)


def cut_and_go_on(story: Story, place: Path, number: int) -> None:
    """Cut the power before an event, look, and do the step again that was cut."""
    chance = random.Random(number)
    at = chance.randrange(len(story.recorder.events) + 1)
    past = story.recorder.events[:at]
    step = sum(event.verb == "mark" for event in past)
    root = place / str(number) / "disk"
    root.parent.mkdir()
    State(past).cut(str(story.root), root, chance)
    _leave_pins(root, chance)

    for name in PLACES:
        assert held(root, name) in [one[name] for one in story.after[step : step + 2]], f"cut {number}"
    if step < len(STEPS):
        list(STEPS.values())[step](root)
        assert {name: held(root, name) for name in PLACES} == story.after[step + 1], f"cut {number}, repeated"
    shutil.rmtree(root.parent)


def _leave_pins(root: Path, chance: random.Random) -> None:
    """Leave an empty file where a note was written that is never flushed."""
    if (root / "here" / "mlreg.json").exists() and chance.random() < 0.5:
        (root / "here" / "remotes").mkdir(exist_ok=True)
        (root / "here" / "remotes" / "origin.json").write_bytes(b"")
