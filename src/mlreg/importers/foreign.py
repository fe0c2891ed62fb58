"""Runs and models of other tools, in our words: what an importer yields, and what all importers need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from blake3 import blake3

from mlreg.formats.run import RunState, Status, run_id
from mlreg.operations.scanning import Source

ARTIFACTS = "artifacts"
MOST_SENTENCES = 20
"""Kinds of things that are told that were noticed."""


class ForeignRun(NamedTuple):
    """A run of another tool."""

    key: str
    """What the tool calls it."""
    state: RunState
    status: Status
    files: Sequence[Source] = ()


class ForeignVersion(NamedTuple):
    """A version of a model in another registry."""

    number: int
    """1 and up."""
    run: str
    """What the tool calls the run that made it; empty if it does not say."""
    files: Sequence[Source]
    metadata: Mapping[str, Any]
    labels: Mapping[str, str]
    tags: Sequence[str]
    """That point to it."""


class ForeignModel(NamedTuple):
    """A model of another registry, with its versions in their order."""

    name: str
    labels: Mapping[str, str]
    versions: Sequence[ForeignVersion]


@dataclass
class Notices:
    """What could not be taken along: each kind of thing with how often, in the order in which it was noticed."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, number: int = 1) -> None:
        """Notice something, so many times."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number

    def sentences(self) -> tuple[str, ...]:
        """Return what was noticed: the first kinds of it, and how many more there are."""
        found = [what if count == 1 else f"{what} ({count:,} times)" for what, count in self.counts.items()]
        more = [f"and {len(found) - MOST_SENTENCES:,} other kinds"] if len(found) > MOST_SENTENCES else []
        return (*found[:MOST_SENTENCES], *more)


class Importer(Protocol):
    """What another tool keeps, at one place."""

    tool: str
    """How the tool is called."""
    notices: Notices

    def runs(self) -> Iterator[ForeignRun]:
        """Yield the runs."""
        ...

    def models(self) -> Iterator[ForeignModel]:
        """Yield the models, if it keeps any."""
        ...


def foreign_id(tool: str, key: str, began: int) -> str:
    """Return the id of a run of another tool: the same whenever, wherever and by whomever it is imported.

    Args:
        tool: its name.
        key: what the tool calls the run, unique within all that it ever made.
        began: milliseconds since 1970.
    """
    return run_id(began, blake3(f"{tool}:{key}".encode()).digest(length=10))


def began_state(tool: str, key: str, began: int, ended: int, experiment: str) -> RunState:
    """Return the state of a run that says where it comes from."""
    state = RunState(foreign_id(tool, key, began))
    state.first, state.last = began, max(began, ended)
    state.experiment = experiment
    state.facts["source"] = {"id": key, "tool": tool}
    return state
