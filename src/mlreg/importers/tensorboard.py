"""Runs of TensorBoard: every directory with event files is one.

Source of the field numbers: `event.proto`, `summary.proto`, `tensor.proto` and `plugins/hparams/plugin_data.proto` of
TensorBoard.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlreg.errors import NotFoundError
from mlreg.formats.run import RunState, Series
from mlreg.importers.event_file import records
from mlreg.importers.foreign import ForeignModel, ForeignRun, Notices, began_state
from mlreg.importers.foreign_values import Names, add_point, json_value, moment, printable, run_word
from mlreg.importers.protobuf_message import Message

TOOL = "tensorboard"
MARK = "tfevents"
_HPARAMS = "hparams"
_MOMENT = re.compile(r"[0-9]{9,11}\.[0-9]+", re.ASCII)
_FLOAT, _DOUBLE, _INT32, _INT64 = 1, 2, 3, 9
_PACKED = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _INT64: "<q"}


class TensorboardImporter:
    """The event files below a directory."""

    tool = TOOL

    def __init__(self, directory: Path, experiment: str = "") -> None:
        """Name the directory.

        Args:
            directory: as `tensorboard --logdir` takes it.
            experiment: what the experiment is called; by default as the directory.

        Raises:
            NotFoundError: `file_missing`, there are no event files.
        """
        self.notices = Notices()
        self._directory = directory
        self._experiment = experiment or Names("exp").of(directory.resolve().name)
        found = [path for path in sorted(directory.rglob(f"*{MARK}*")) if path.is_file()]
        self._files = _by_run(found, {path.parent for path in found})
        if not self._files:
            raise NotFoundError(
                "file_missing", f"there are no event files below {directory}", fix="name a log directory"
            )

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        for directory, files in self._files.items():
            reading = _Reading(self.notices)
            for path in files:
                reading.take(path)
            name = directory.relative_to(self._directory).as_posix()
            if reading.events:
                yield ForeignRun(name, self._state(name, reading), "finished")

    def _state(self, name: str, reading: _Reading) -> RunState:
        began, ended = (moment(seconds * 1000) for seconds in (reading.began, reading.ended))
        state = began_state(TOOL, f"{name}:{reading.began!r}", began, ended, self._experiment)
        state.facts["source"]["id"] = printable(name)
        state.told = {"name": printable(name if name != "." else self._directory.resolve().name)}
        state.params, state.metrics = reading.params, reading.metrics
        return state

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`: there are none."""
        return iter(())


def _by_run(found: Iterable[Path], directories: Collection[Path]) -> dict[Path, list[Path]]:
    """Return the event files of each run: `add_hparams` of torch writes into a directory below that of its run."""
    files: dict[Path, list[Path]] = {}
    for path in found:
        place = path.parent
        is_part = _MOMENT.fullmatch(place.name) and place.parent in directories
        files.setdefault(place.parent if is_part else place, []).append(path)
    return files


class _Reading:
    """What the event files of one run say."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self.events = 0
        self.began = self.ended = 0.0
        """Seconds since 1970."""
        self.params: dict[str, Any] = {}
        self.metrics: dict[str, Series] = {}
        self._kinds: dict[str, str] = {}
        """Plugin by tag: only the first value of a tag says it."""

    def take(self, path: Path) -> None:
        """Add what a file says."""
        for data in records(path, self._notices):
            try:
                self._event(Message(data))
            except ValueError:
                self._notices.add("record left out that cannot be read")

    def _event(self, event: Message) -> None:
        self.events += 1
        time = event.double(1) if moment(event.double(1) * 1000) else 0.0
        self.began = self.began or time
        self.ended = max(self.ended, time)
        for data in event.message(5).all_bytes(1) if 5 in event else ():
            self._value(Message(data), event.integer(2), int(time * 1000))

    def _value(self, value: Message, step: int, time: int) -> None:
        tag = value.text(1)
        if 9 in value:
            plugin = value.message(9).message(1)
            self._kinds.setdefault(tag, plugin.text(1))
            if plugin.text(1) == _HPARAMS:
                self._take_params(Message(plugin.bytes_of(2)))
        number = value.single(2) if 2 in value else self._scalar(tag, value)
        if number is not None:
            add_point(self.metrics, tag, step, time, number)
        elif self._kinds.get(tag) != _HPARAMS:
            self._notices.add("picture, histogram or text left out")

    def _scalar(self, tag: str, value: Message) -> float | None:
        """Return the number in a tensor; None if it is more than one number."""
        if self._kinds.get(tag, "scalars") != "scalars" or 8 not in value:
            return None
        tensor = value.message(8)
        layout = _PACKED.get(tensor.integer(1))
        if layout and len(content := tensor.bytes_of(4)) == struct.calcsize(layout):
            return float(struct.unpack(layout, content)[0])
        for number, kind in ((5, "<f"), (6, "<d")):
            if len(content := tensor.bytes_of(number)) == struct.calcsize(kind):
                return float(struct.unpack(kind, content)[0])
        return None

    def _take_params(self, data: Message) -> None:
        # hparams of a session: a map from names to google.protobuf.Value.
        for one in data.message(3).all_bytes(1) if 3 in data else ():
            entry = Message(one)
            self.params.setdefault(run_word(entry.text(1)), _plain(entry.message(2)))


def _plain(value: Message) -> Any:  # noqa: ANN401 - a JSON value
    readers: Mapping[int, Any] = {2: value.double, 3: value.text, 4: lambda number: bool(value.integer(number))}
    found = next((read(number) for number, read in readers.items() if number in value), None)
    if isinstance(found, float) and found.is_integer() and abs(found) < 1 << 53:
        return int(found)
    return json_value(found)
