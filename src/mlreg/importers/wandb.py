"""Runs of wandb: what its directories hold, read without its library.

A file `run-ID.wandb` holds all that was logged, in the log format of LevelDB: blocks of 32 KiB with records in
pieces, of which each has a CRC-32. A record is a message of `wandb_internal.proto`, whose field numbers stand here.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from mlreg.errors import MlregError, NotFoundError, explain
from mlreg.formats.run import Series, Status
from mlreg.formats.yaml_document import parse_yaml
from mlreg.importers.foreign import ARTIFACTS, ForeignModel, ForeignRun, Notices, began_state
from mlreg.importers.foreign_files import Roots
from mlreg.importers.foreign_values import Names, add_point, json_value, moment, number_of, printable, run_word, whole
from mlreg.importers.protobuf_message import Message

TOOL = "wandb"
_SUFFIX = ".wandb"
_HEADER = b":W&B\xe1\xbe\x00"
_BLOCK = 32 * 1024
_PIECE = struct.Struct("<IHB")
_FULL, _FIRST, _LAST = 1, 2, 4
MAX_RECORD = 1 << 26
"""Bytes of a record that is read."""
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18


class WandbImporter:
    """The runs in a directory `wandb`."""

    tool = TOOL

    def __init__(self, directory: Path, experiment: str = "") -> None:
        """Name the directory.

        Args:
            directory: with directories `run-*` or `offline-run-*`, or one of these.
            experiment: what the experiment is called; by default as the project of each run.

        Raises:
            NotFoundError: `file_missing`, there are no runs.
        """
        self.notices = Notices()
        self._names = Names("exp")
        self._experiment = experiment
        self._roots = Roots(directory)
        found = sorted(directory.glob(f"*run-*/*{_SUFFIX}")) or sorted(directory.glob(f"*{_SUFFIX}"))
        self._runs: dict[str, list[Path]] = {}
        """Of each run its files, the oldest first: one that was resumed has a directory for each time."""
        # `latest-run` is a link to another one.
        real = (path for path in found if not path.parent.is_symlink() and self._roots.file(path))
        for path in sorted(real, key=_began):
            self._runs.setdefault(path.stem.removeprefix("run-"), []).append(path)
        if not self._runs:
            raise NotFoundError(
                "file_missing", f"there are no runs of wandb in {directory}", fix="name its directory wandb"
            )

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        for run, paths in self._runs.items():
            reading = _Reading(self.notices)
            for path in paths:
                for record in records(path, self.notices):
                    reading.take(record)
            yield self._run(run, paths, reading)

    def _run(self, run: str, paths: Sequence[Path], reading: _Reading) -> ForeignRun:
        key = printable(f"{reading.project}/{reading.id or run}")
        name = self._experiment or self._names.of(reading.project or "wandb")
        state = began_state(TOOL, key, reading.began, reading.ended, name)
        state.told = {word: printable(text) for word, text in reading.told.items() if text}
        places = [found for path in paths if (found := self._roots.directory(path.parent / "files"))]
        state.metrics, state.params = reading.all_metrics(), reading.config or self._config(places)
        state.labels = {printable(tag): True for tag in reading.tags}
        for word, values in (("git", reading.git), ("summary", reading.summary)):
            if values:
                state.facts[word] = values
        if reading.host:
            state.facts["host"] = printable(reading.host)
        # Of files with one name the last one counts.
        files = [file for place in places for file in self._roots.files_below(place, ARTIFACTS, self.notices)]
        return ForeignRun(key, state, reading.status, files)

    def _config(self, places: Sequence[Path]) -> dict[str, Any]:
        """Return the params of a run whose log does not say them: each stands below `value`."""
        texts = [self._roots.text(place / "config.yaml", self.notices) for place in places]
        try:
            found = parse_yaml(next(filter(None, reversed(texts)), ""), "config.yaml")
        except MlregError:
            found = None
        if not isinstance(found, dict):
            return {}
        values = {key: one.get("value") for key, one in found.items() if isinstance(one, dict)}
        return {run_word(str(key)): json_value(value) for key, value in values.items() if key != "_wandb"}

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`: there are none."""
        return iter(())


def _began(path: Path) -> str:
    """Return when a directory was made: `run-20260101_000000-ID`, `offline-run-20260101_000000-ID`."""
    return path.parent.name.partition("run-")[2]


class _Reading:
    """What the log of a run says."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self.id = self.project = self.host = ""
        self.began = self.ended = 0
        """Milliseconds since 1970."""
        self.told: dict[str, str] = {}
        self.tags: list[str] = []
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.git: dict[str, str] = {}
        self.metrics: dict[str, Series] = {}
        self.status: Status = "crashed"

    def all_metrics(self) -> dict[str, Series]:
        """Return the metrics, with those that only the summary has: what is no number stays in the summary."""
        last = max((series.steps[-1] for series in self.metrics.values()), default=0)
        for key, value in list(self.summary.items()):
            if (number := number_of(value)) is not None:
                add_point(self.metrics, key, last, self.ended or self.began, number)
                del self.summary[key]
        return self.metrics

    def take(self, data: bytes) -> None:
        """Add what a record says."""
        takers = {_HISTORY: self._history, _SUMMARY: self._summary, _CONFIG: self._config, _RUN: self._run}
        try:
            record = Message(data)
            for number, take in takers.items():
                if number in record:
                    take(record.message(number))
            if _EXIT in record:
                self.status = "failed" if record.message(_EXIT).integer(1) else "finished"
        except ValueError:
            self._notices.add("record left out that cannot be read")

    def _run(self, run: Message) -> None:
        self.id, self.project, self.host = run.text(1), run.text(3), run.text(13)
        self.told = {"name": run.text(8), "description": run.text(9), "group": run.text(6)}
        self.tags = [tag.decode("utf-8", "replace") for tag in run.all_bytes(10)]
        self._config(run.message(4))
        if 17 in run:
            start = run.message(17)
            self.began = self.began or moment(start.integer(1) * 1000 + start.integer(2) // 1_000_000)
        if 21 in run:
            git = run.message(21)
            self.git = {"commit": printable(git.text(2)), "remote": printable(git.text(1))}

    def _config(self, config: Message) -> None:
        self.config.update(
            (run_word(key), json_value(value)) for key, value in self._items(config) if not key.startswith("_wandb")
        )

    def _summary(self, summary: Message) -> None:
        # What history says too is there with all its points.
        for key, value in self._items(summary):
            if not key.startswith("_") and run_word(key) not in self.metrics:
                self.summary[run_word(key)] = json_value(value)

    def _history(self, history: Message) -> None:
        items = dict(self._items(history))
        step = history.message(2).integer(1) if 2 in history else whole(items.get("_step"))
        time = moment((number_of(items.get("_timestamp")) or 0.0) * 1000) or self.began
        self.ended = max(self.ended, time)
        for key, value in items.items():
            if key.startswith("_"):
                continue
            if (number := number_of(value)) is not None:
                add_point(self.metrics, key, step, time, number)
                self.summary.pop(run_word(key), None)
            else:
                self._notices.add("value left out that is no number")

    def _items(self, message: Message) -> Iterator[tuple[str, Any]]:
        for data in message.all_bytes(1):
            item = Message(data)
            key = item.text(1) or ".".join(part.decode("utf-8", "replace") for part in item.all_bytes(2))
            try:
                yield key, json.loads(item.text(16) or "null")
            except (ValueError, RecursionError):
                self._notices.add("value left out that cannot be read")


def records(path: Path, notices: Notices) -> Iterator[bytes]:
    """Yield the records of a log; where it is damaged or half written, what stands before."""
    try:
        with path.open("rb") as file:
            if not file.read(len(_HEADER)).startswith(_HEADER[:6]):
                notices.add("file of wandb left out that is of another form")
                return
            yield from _records(file, notices)
    except OSError as error:
        raise explain(error, str(path)) from error


def _records(file: IO[bytes], notices: Notices) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for kind, piece in _pieces(file, notices):
        if kind in (_FULL, _FIRST):
            parts, size = [], 0
        size += len(piece)
        if size <= MAX_RECORD:
            parts.append(piece)
        if kind in (_FULL, _LAST) and size <= MAX_RECORD:
            yield b"".join(parts)
        elif kind == _LAST:
            notices.add("record left out that is too long")


def _pieces(file: IO[bytes], notices: Notices) -> Iterator[tuple[int, bytes]]:
    place = len(_HEADER)
    while head := file.read(min(_PIECE.size, _BLOCK - place % _BLOCK)):
        place += len(head)
        if len(head) < _PIECE.size:
            # Too little is left of the block for a piece, or the file ends here.
            continue
        crc, length, kind = _PIECE.unpack(head)
        if kind == 0 and length == 0:
            place += len(file.read(_BLOCK - place % _BLOCK)) if place % _BLOCK else 0
            continue
        piece = file.read(length)
        place += len(piece)
        if len(piece) < length:
            return
        if crc != zlib.crc32(piece, zlib.crc32(bytes([kind]))):
            notices.add("a file of wandb is damaged: what stands before the damage is imported")
            return
        yield kind, piece
