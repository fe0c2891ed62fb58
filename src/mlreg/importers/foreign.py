"""Runs and models of other tools, in our words: what an importer yields, and what all importers need."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from blake3 import blake3

from mlreg.errors import MlregError, UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.names import MAX_SEGMENTS, Entry
from mlreg.formats.paths import check_path
from mlreg.formats.run import MAX_NAME_CHARS, RunState, Series, Status, run_id
from mlreg.operations.scanning import Source, sources_below

ARTIFACTS = "artifacts"


class ForeignRun(NamedTuple):
    """A run of another tool."""

    key: str
    """What the tool calls it."""
    state: RunState
    status: Status
    files: Sequence[Source] = ()


class ForeignVersion(NamedTuple):
    """A version of a model in another registry."""

    version: str
    """SemVer."""
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
        """Return what was noticed."""
        return tuple(what if count == 1 else f"{what} ({count:,} times)" for what, count in self.counts.items())


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


class Names:
    """Names of entries for the names of another tool: equal ones for equal ones, other ones for others."""

    def __init__(self, kind: str) -> None:
        """Know none yet. Names that are asked for in the same order are the same another time."""
        self._kind = kind
        self._given: dict[str, str] = {}

    def of(self, original: str) -> str:
        """Return the name of an entry for any text; the text itself if it is one."""
        if original not in self._given:
            name = _legal(self._kind, original)
            if name in self._given.values():
                name = f"{name[:57]}-{_digest(original)}"
            self._given[original] = name
        return self._given[original]


def _legal(kind: str, original: str) -> str:
    segments = (segment_of(part) for part in original.lower().split("/"))
    name = "/".join([segment for segment in segments if segment][:MAX_SEGMENTS])
    for candidate in (name, f"x-{name}"):
        try:
            return Entry.parse(f"{kind}/{candidate}").name
        except UsageError:
            continue
    return f"x-{_digest(original)}"


def segment_of(text: str) -> str:
    """Return a part of a name that is as near to a text as may be; empty if nothing of it may stand there."""
    found = re.sub(r"[^a-z0-9._-]+|\.{2,}", "-", text.lower(), flags=re.ASCII)[:60].strip("-._")
    return f"{found}-" + "x" if len(found) == 1 else found


def _digest(text: str) -> str:
    return blake3(text.encode("utf-8", "replace")).hexdigest()[:6]


def run_word(name: str) -> str:
    """Return the name of a metric or a param without what may not stand in one."""
    printable = "".join(mark if mark.isprintable() else "\ufffd" for mark in name)
    return printable[:MAX_NAME_CHARS] or "\ufffd"


_WORDS = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None}


def value_of(text: str) -> Any:  # noqa: ANN401 - a JSON value
    """Return what a text was before a tool made a text of it; the text if it was one.

    A number is taken for one only if its text is what Python writes for it: `1.10` stays a text.

    >>> [value_of(text) for text in ("0.001", "1e-05", "1.10", "7", "True", "adam")]
    [0.001, 1e-05, '1.10', 7, True, 'adam']
    """
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text and math.isfinite(value):
            return json_value(value)
    return printable(text)


def json_value(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Return a value that was read from JSON so that every reader of JSON reads the same: large integers as texts."""
    if isinstance(value, Mapping):
        return {printable(str(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= MAX_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return printable(str(value))


def printable(text: str) -> str:
    """Return a text without halves of characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def add_point(metrics: dict[str, Series], name: str, step: int, time: int, value: float) -> None:
    """Add a point; the name is made a legal one."""
    word = run_word(name)
    if word not in metrics:
        metrics[word] = Series.empty()
    metrics[word].add(_in_64_bits(step), _in_64_bits(time), value)


def _in_64_bits(number: int) -> int:
    return max(-(1 << 63), min(number, (1 << 63) - 1))


def files_below(directory: Path, place: str, notices: Notices) -> list[Source]:
    """Return the files of a directory as they stand in a version; those that cannot be kept are noticed."""
    try:
        found = sources_below([directory])
    except MlregError as error:
        if error.code != "nothing_to_add":
            notices.add(f"directory of artifact left out: {error.message}")
        return []
    return list(_kept((one._replace(path=f"{place}/{one.path}" if place else one.path) for one in found), notices))


def _kept(sources: Iterable[Source], notices: Notices) -> Iterator[Source]:
    for source in sources:
        try:
            check_path(source.path)
        except MlregError as error:
            notices.add(f"artifact left out: {error.message}")
        else:
            yield source
