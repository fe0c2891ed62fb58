"""What was acknowledged, and what may be so: each worker writes down what it is about to do, and what it was told.

A line is written before an operation, one for each change that it means to make, and one after it. So what a
repository must hold follows from the lines alone, whoever was killed in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

NOTHING = ""
"""The state of what is not there."""


class Key(NamedTuple):
    """Something that has one state at a time, and one worker who changes it."""

    place: str
    """Which repository."""
    sort: str
    """`version`, `tag` or `label`."""
    ref: str


class Step(NamedTuple):
    """One operation, from its first line to its last."""

    worker: int
    number: int
    operation: str
    fault: str
    changes: dict[Key, str]
    """What it meant to make of which key."""
    end: str
    """`done`, `refused` or `broken`; `died` if no last line is there."""
    code: str
    exit: int
    facts: dict[str, Any]

    @property
    def is_unclear(self) -> bool:
        """Whether the changes may have been made or not."""
        return self.end == "died" or (self.end == "refused" and self.exit == 8)


class Journal:
    """The lines of one worker. They survive its death, since the system has them when `write` returns."""

    def __init__(self, path: Path) -> None:
        """Append to a file."""
        self._path = path

    def write(self, **fields: Any) -> None:
        """Write one line in one call."""
        with self._path.open("ab", buffering=0) as file:
            file.write(json.dumps(fields).encode() + b"\n")


def steps_in(path: Path) -> Iterator[Step]:
    """Yield the operations of a worker in order."""
    if not path.exists():
        return
    worker = int(path.stem)
    lines: list[dict[str, Any]] = []
    for line in map(json.loads, path.read_bytes().splitlines()):
        if "operation" in line and lines:
            yield _step(worker, lines)
            lines = []
        lines.append(line)
    if lines:
        yield _step(worker, lines)


def _step(worker: int, lines: list[dict[str, Any]]) -> Step:
    first, last = lines[0], lines[-1]
    changes = {Key(*line["key"]): str(line["state"]) for line in lines if "key" in line}
    is_ended = "end" in last
    facts = dict(last.get("facts", {}))
    facts |= {word: line[word] for line in lines for word in line if word == "logged"}
    return Step(
        worker,
        first["number"],
        first["operation"],
        _fault(first["fault"], is_ended, bool(last.get("hit"))),
        changes,
        last["end"] if is_ended else "died",
        last.get("code", ""),
        last.get("exit", 0),
        facts,
    )


def _fault(prepared: str, is_ended: bool, was_hit: bool) -> str:
    """Return what went wrong; a fault that was prepared and did not come is none."""
    if not is_ended:
        return prepared if prepared == "killed at a call" else "killed from outside"
    return prepared if was_hit else "none"


class Ledger:
    """The states that each key may have, and those words that stand for the content of versions."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        """Add up steps, in the order of each worker."""
        self.states: dict[Key, set[str]] = {}
        self.contents: dict[str, str] = {}
        """From each version to the word for its bytes, whether it is there or not."""
        for step in steps:
            self.add(step)

    def add(self, step: Step) -> None:
        """Take a step into account."""
        for key, state in step.changes.items():
            if key.sort == "version" and state:
                self.contents[key.ref] = state
            if step.end == "done":
                self.states[key] = {state}
            elif step.is_unclear:
                self.states.setdefault(key, {NOTHING}).add(state)

    def sure(self, place: str, sort: str) -> dict[str, str]:
        """Return what is certainly there, by ref."""
        found = {}
        for key, states in self.states.items():
            if (key.place, key.sort) == (place, sort) and len(states) == 1 and NOTHING not in states:
                found[key.ref] = next(iter(states))
        return found
