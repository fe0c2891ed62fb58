"""Runs of wandb: what its directories hold, read without its library.

A file `run-ID.wandb` holds all that was logged, in the log format of LevelDB: blocks of 32 KiB with records in
pieces, of which each has a CRC-32. A record is a message of `wandb_internal.proto`, whose field numbers stand here.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlreg.errors import MlregError, NotFoundError, explain
from mlreg.formats.run import Series, Status
from mlreg.formats.yaml_document import parse_yaml
from mlreg.importers.foreign import (
    ARTIFACTS,
    ForeignModel,
    ForeignRun,
    Names,
    Notices,
    add_point,
    began_state,
    files_below,
    json_value,
    printable,
    run_word,
)
from mlreg.importers.protobuf_message import Message

TOOL = "wandb"
_SUFFIX = ".wandb"
_HEADER = b":W&B\xe1\xbe\x00"
_BLOCK = 32 * 1024
_PIECE = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
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
        self._files = sorted(directory.glob(f"*run-*/*{_SUFFIX}")) or sorted(directory.glob(f"*{_SUFFIX}"))
        # `latest-run` is a link to another one.
        self._files = [path for path in self._files if not path.parent.is_symlink()]
        if not self._files:
            raise NotFoundError(
                "file_missing", f"there are no runs of wandb in {directory}", fix="name its directory wandb"
            )

    def runs(self) -> Iterator[ForeignRun]:
        """As `Importer`."""
        for path in self._files:
            reading = _Reading(self.notices)
            for record in records(path, self.notices):
                reading.take(record)
            yield self._run(path, reading)

    def _run(self, path: Path, reading: _Reading) -> ForeignRun:
        key = printable(f"{reading.project}/{reading.id or path.stem.removeprefix('run-')}")
        name = self._experiment or self._names.of(reading.project or "wandb")
        state = began_state(TOOL, key, reading.began, reading.ended, name)
        state.told = {word: printable(text) for word, text in reading.told.items() if text}
        state.metrics, state.params = reading.all_metrics(), reading.config or self._config(path.parent / "files")
        state.labels = {printable(tag): True for tag in reading.tags}
        for word, values in (("git", reading.git), ("summary", reading.summary)):
            if values:
                state.facts[word] = values
        if reading.host:
            state.facts["host"] = printable(reading.host)
        files = files_below(path.parent / "files", ARTIFACTS, self.notices) if (path.parent / "files").is_dir() else []
        return ForeignRun(key, state, reading.status, files)

    def _config(self, files: Path) -> dict[str, Any]:
        """Return the params of a run whose log does not say them: each stands below `value`."""
        path = files / "config.yaml"
        try:
            found = parse_yaml(path.read_text(encoding="utf-8", errors="replace"), str(path))
        except (OSError, MlregError):
            return {}
        values = {key: one.get("value") for key, one in found.items() if isinstance(one, dict)} if found else {}
        return {run_word(str(key)): json_value(value) for key, value in values.items() if key != "_wandb"}

    def models(self) -> Iterator[ForeignModel]:
        """As `Importer`: there are none."""
        return iter(())


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
            if _is_number(value):
                add_point(self.metrics, key, last, self.ended or self.began, float(value))
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
            self.began = self.began or start.integer(1) * 1000 + start.integer(2) // 1_000_000
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
        step = history.message(2).integer(1) if 2 in history else _whole(items.get("_step"))
        time = int(float(items.get("_timestamp") or 0) * 1000) or self.began
        self.ended = max(self.ended, time)
        for key, value in items.items():
            if key.startswith("_"):
                continue
            if _is_number(value):
                add_point(self.metrics, key, step, time, float(value))
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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def records(path: Path, notices: Notices) -> Iterator[bytes]:
    """Yield the records of a log; where it is damaged or half written, what stands before."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise explain(error, str(path)) from error
    if not data.startswith(_HEADER[:6]):
        notices.add("file of wandb left out that is of another form")
        return
    whole = b""
    for kind, piece in _pieces(data, notices):
        whole = piece if kind in (_FULL, _FIRST) else whole + piece
        if kind in (_FULL, _LAST):
            yield whole


def _pieces(data: bytes, notices: Notices) -> Iterator[tuple[int, bytes]]:
    place = len(_HEADER)
    while place + _PIECE.size <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _PIECE.size:
            place += left
            continue
        crc, length, kind = _PIECE.unpack_from(data, place)
        piece = data[place + _PIECE.size : place + _PIECE.size + length]
        if kind == 0 and length == 0:
            place += left
            continue
        if len(piece) < length:
            return
        if crc != zlib.crc32(piece, zlib.crc32(bytes([kind]))):
            notices.add("a file of wandb is damaged: what stands before the damage is imported")
            return
        yield kind, piece
        place += _PIECE.size + length
