"""A run: its id, its states, and what its journals add up to.

Format page: `docs/format/run.md`. A run is known by a UUID of version 7 (RFC 9562), which begins with the
time, so that runs that are ordered by their ids are ordered by when they began. While a run lives, each of
its writers appends to a journal of its own (`journal.py`); what all of them say is folded here.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mlreg.errors import UsageError
from mlreg.formats import canonical
from mlreg.formats.names import quoted

Status = Literal["running", "finished", "failed", "killed", "crashed"]
ENDS: tuple[Status, ...] = ("finished", "failed", "killed")
"""How a run may be ended by who made it; `crashed` is said of one that was not ended."""

MAX_NAME_CHARS = 250
"""Of a metric or a param."""
NEVER = -1
"""When something was said of a run of which nothing was said."""
TOLD = ("name", "description", "group", "parent")
"""Texts about a run that may be given at any time; the last one holds."""

OUR_WORDS = {"tags": "labels", "attributes": ""}
"""MLflow's first words of fields in expressions, and ours."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_VERSION = re.compile(rf"({_ID.pattern})(?:\+([2-9]|[1-9][0-9]{{1,8}}))?", re.ASCII)


def run_id(milliseconds: int, random: bytes) -> str:
    """Return the id of a run.

    Args:
        milliseconds: since 1970, when it began.
        random: 10 bytes.

    Source: RFC 9562, section 5.7.

    >>> run_id(0x0199AB3F21C5, bytes(10))
    '0199ab3f-21c5-7000-8000-000000000000'
    """
    digits = f"{milliseconds & (1 << 48) - 1:012x}7{random.hex()[:3]}{0x80 | random[2] & 0x3F:02x}{random[3:].hex()}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def is_run_id(text: str) -> bool:
    """Tell whether a text is the id of a run."""
    return _ID.fullmatch(text) is not None


def is_run_version(text: str) -> bool:
    """Tell whether a text names a sealed run: its id, and from the second time it was sealed on `+2`, `+3`."""
    return _VERSION.fullmatch(text) is not None


def id_in(version: str) -> str:
    """Return the id of the run that a version is."""
    return version.partition("+")[0]


def next_version(run: str, present: Sequence[str]) -> str:
    """Return under which name a run is sealed next: `ID`, `ID+2`, `ID+3`.

    Args:
        run: its id.
        present: the names under which it was sealed, the last one last.
    """
    if not present:
        return run
    return f"{run}+{int(present[-1].partition('+')[2] or 1) + 1}"


def began(run: str) -> int:
    """Return when a run began, by its id: milliseconds since 1970."""
    return int(run[:8] + run[9:13], 16)


def is_name(name: object) -> bool:
    """Tell whether something may be the name of a metric or a param: 1 to 250 characters that can be printed."""
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS and name.isprintable()


def check_name(name: object, what: str) -> None:
    """Refuse what cannot be the name of a metric or a param.

    Args:
        name: as `is_name` says.
        what: `metric`, `param`, for the message.

    Raises:
        UsageError: `bad_run_name`.
    """
    if not is_name(name):
        raise UsageError(
            "bad_run_name",
            f"{quoted(str(name))} cannot be the name of a {what}",
            why=f"a name is text of 1 to {MAX_NAME_CHARS} characters that can be printed",
            fix="use a shorter name, without control characters",
        )


def check_status(status: str) -> None:
    """Refuse what is no way to end a run.

    Raises:
        UsageError: `bad_status`.
    """
    if status not in ENDS:
        what = f"{quoted(status)} is no way to end a run"
        raise UsageError("bad_status", what, fix=tuple(f"use {end}" for end in ENDS))


class Point(NamedTuple):
    """One value of a metric."""

    step: int
    time: int
    """Milliseconds since 1970."""
    value: float


class Series:
    """The points of one metric, in the order in which they were logged."""

    __slots__ = ("steps", "times", "values")

    def __init__(self, steps: array[int], times: array[int], values: array[float]) -> None:
        """Take the columns, which have one length; times are milliseconds since 1970."""
        self.steps = steps
        self.times = times
        self.values = values

    @classmethod
    def empty(cls) -> Series:
        """Return a series without points."""
        return cls(array("q"), array("q"), array("d"))

    def __eq__(self, other: object) -> bool:
        """Tell whether both have the same points; a NaN is equal to none, as everywhere."""
        return isinstance(other, Series) and list(self.points()) == list(other.points())

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        """Return how many points there are."""
        return f"<Series of {len(self)} points>"

    def add(self, step: int, time: int, value: float) -> None:
        """Append a point."""
        self.steps.append(step)
        self.times.append(time)
        self.values.append(value)

    def column(self, name: str) -> array[Any]:
        """Return the column `step`, `time` or `value`."""
        columns: dict[str, array[Any]] = {"step": self.steps, "time": self.times, "value": self.values}
        return columns[name]

    def extend(self, points: Points) -> None:
        """Append points, whatever their names are."""
        self.steps.extend(points.steps)
        self.times.extend(points.times)
        self.values.extend(points.values)

    def joined(self, later: Series) -> Series:
        """Return the points of this one, and then those of another."""
        return Series(self.steps + later.steps, self.times + later.times, self.values + later.values)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.steps)

    def points(self) -> Iterable[Point]:
        """Yield the points."""
        return map(Point, self.steps, self.times, self.values)


class Points(NamedTuple):
    """Points that were logged one after the other, of any metrics, in columns."""

    names: list[str]
    steps: array[int]
    times: array[int]
    values: array[float]

    def between(self, at: int, end: int) -> Points:
        """Return some of them, the last one left out."""
        return Points(self.names[at:end], self.steps[at:end], self.times[at:end], self.values[at:end])

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield what a journal says of each."""
        for name, step, time, value in zip(*self, strict=True):
            yield {"metrics": {name: value}, "step": step, "time": time}


class Artifact(NamedTuple):
    """A file that was logged."""

    path: str
    """Where it stands among the files of the run."""
    place: str
    """Where it lies in the directory of the live run."""


class RunInput(NamedTuple):
    """What a run used."""

    role: str
    commit: str
    ref: str


class RunState:
    """What is known of a run that is not sealed."""

    def __init__(self, run: str) -> None:
        """Know nothing but the id."""
        self.id = run
        self.experiment = ""
        self.told: dict[str, str] = {}
        """The texts of `TOLD`."""
        self.facts: dict[str, Any] = {}
        """What was found out about it: host, process, command, code."""
        self.params: dict[str, Any] = {}
        self.changed: dict[str, list[Any]] = {}
        """Params that were logged with other values, too: all values, in order."""
        self.metrics: dict[str, Series] = {}
        self.labels: dict[str, Any] = {}
        """A merge patch: null takes a label away that was set before, also before the run was resumed."""
        self.inputs: list[RunInput] = []
        self.artifacts: dict[str, Artifact] = {}
        """By path; the last one of a path holds."""
        self.ended: Literal["", "finished", "failed", "killed"] = ""
        self.reason = ""
        """Why it failed."""
        self.first = NEVER
        self.last = NEVER
        """When the first and the last thing was said of it: milliseconds since 1970."""
        self.resumes = ""
        """Version of the sealed run that this goes on with."""

    def take(self, record: Mapping[str, Any]) -> None:
        """Add what one record of a journal says; what is not known to this release is passed over."""
        if "left" in record:
            # It says something of its writer, and nothing of the run.
            return
        time = record["time"]
        self._note_times(time, time)
        for key, value in record.items():
            if key == "metrics":
                self._take_metrics(record["step"], time, value)
            elif (take := _TAKERS.get(key)) is not None:
                take(self, value)

    def _note_times(self, first: int, last: int) -> None:
        self.first = first if self.first == NEVER else min(self.first, first)
        self.last = max(self.last, last)

    def take_points(self, points: Points) -> None:
        """Add points, of which there is at least one."""
        self._note_times(min(points.times), max(points.times))
        if len(set(points.names)) == 1:
            self._series(points.names[0]).extend(points)
            return
        for name, step, time, value in zip(*points, strict=True):
            self._series(name).add(step, time, value)

    def _take_metrics(self, step: int, time: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self._series(name).add(step, time, float(value))

    def _series(self, name: str) -> Series:
        if (series := self.metrics.get(name)) is None:
            series = self.metrics[name] = Series.empty()
        return series

    def _take_params(self, params: Mapping[str, Any]) -> None:
        for name, value in params.items():
            known = self.params.setdefault(name, value)
            if not is_same(known, value):
                self.changed.setdefault(name, [known]).append(value)

    def _take_told(self, told: Mapping[str, str]) -> None:
        self.told.update({name: told[name] for name in TOLD if name in told})

    def _take_facts(self, facts: Mapping[str, Any]) -> None:
        for name, value in facts.items():
            self.facts.setdefault(name, value)

    def _take_labels(self, labels: Mapping[str, Any]) -> None:
        self.labels.update(labels)

    def _take_input(self, given: Mapping[str, str]) -> None:
        one = RunInput(given["role"], given["commit"], given["ref"])
        if one not in self.inputs:
            self.inputs.append(one)

    def _take_artifact(self, given: Mapping[str, str]) -> None:
        self.artifacts[given["path"]] = Artifact(given["path"], given["place"])

    def _take_end(self, given: Mapping[str, Any]) -> None:
        self.ended, self.reason = given["status"], given.get("reason", "")

    def _take_start(self, given: Mapping[str, Any]) -> None:
        self.experiment = self.experiment or given.get("experiment", "")
        self.resumes = self.resumes or given.get("resumes", "")
        # Whoever resumes a run has not ended it yet; who only joins it, perhaps late, does not begin it again.
        if given.get("experiment"):
            self.ended, self.reason = "", ""


_TAKERS = {
    "artifact": RunState._take_artifact,
    "end": RunState._take_end,
    "facts": RunState._take_facts,
    "input": RunState._take_input,
    "labels": RunState._take_labels,
    "params": RunState._take_params,
    "start": RunState._take_start,
    "told": RunState._take_told,
}


def is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON values
    """Tell whether two JSON values are the same: 1, 1.0 and true are not."""
    return one is other or canonical.encode(one) == canonical.encode(other)
