"""A model of a disk whose power may be cut: what was not flushed is there, or not, or in part, in any combination.

It is as weak as a file system may be. Bytes are safe when their file was flushed; a name is safe when its directory
was, and until then each name that came or went may have done so alone. Files are recorded while mlreg writes them, and
then any moment can be played again: what the disk would hold if the power went just there.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.reliability.calls import put_in_place_of_os


class Event(NamedTuple):
    """One call that changes the disk, or a mark."""

    verb: str
    """`write`, `flush`, `flush directory`, `name`, `unname`, `directory` or `mark`."""
    path: str = ""
    file: int = 0
    """Which file: it keeps its number under all its names."""
    data: bytes = b""


class Recorder:
    """Stands for the module `os`, and keeps what is done to files."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._files: dict[int, int] = {}
        """From descriptors to files."""
        self._names: dict[str, int] = {}
        """From paths to files."""
        self._directories: dict[int, str] = {}
        self._count = 0
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Keep what is done in the block."""
        with put_in_place_of_os(self):
            yield

    def mark(self, text: str) -> None:
        """Say that something was acknowledged."""
        self.events.append(Event("mark", text))

    def open(self, path: str, flags: int, *mode: int) -> int:
        with self._lock:
            fd = os.open(path, flags, *mode)
            if flags & os.O_DIRECTORY:
                self._directories[fd] = path
            elif flags & os.O_CREAT:
                self._count += 1
                self._files[fd] = self._names[path] = self._count
                self.events.append(Event("name", path, self._count))
            return fd

    def close(self, fd: int) -> None:
        with self._lock:
            self._files.pop(fd, None)
            self._directories.pop(fd, None)
            os.close(fd)

    def write(self, fd: int, data: bytes) -> int:
        with self._lock:
            done = os.write(fd, data)
            if fd in self._files:
                self.events.append(Event("write", "", self._files[fd], bytes(data[:done])))
            return done

    def fsync(self, fd: int) -> None:
        """Take note; the real disk need not be waited for."""
        with self._lock:
            if fd in self._directories:
                self.events.append(Event("flush directory", self._directories[fd]))
            elif fd in self._files:
                self.events.append(Event("flush", "", self._files[fd]))

    def link(self, source: str, target: str, **options: Any) -> None:
        with self._lock:
            os.link(source, target, **options)
            self._names[target] = self._names[source]
            self.events.append(Event("name", target, self._names[source]))

    def replace(self, source: str, target: str) -> None:
        with self._lock:
            os.replace(source, target)  # noqa: PTH105 - the call that it stands for
            self._names[target] = self._names.pop(source)
            self.events.append(Event("name", target, self._names[target]))
            self.events.append(Event("unname", source))

    def unlink(self, path: str) -> None:
        with self._lock:
            os.unlink(path)  # noqa: PTH108 - the call that it stands for
            self._names.pop(path, None)
            self.events.append(Event("unname", path))

    def mkdir(self, path: Any, *mode: int) -> None:
        with self._lock:
            os.mkdir(path, *mode)  # noqa: PTH102 - the call that it stands for
            self.events.append(Event("directory", str(path)))


class _Directory:
    """Names that are safe, and those that came or went since; None for what is no file."""

    def __init__(self) -> None:
        self.safe: dict[str, int | None] = {}
        self.since: list[tuple[str, int | None, bool]] = []

    def left(self, chance: random.Random, odds: float) -> dict[str, int | None]:
        """Return what a cut leaves of it."""
        names = dict(self.safe)
        for name, file, is_there in self.since:
            if chance.random() < odds:
                if is_there:
                    names[name] = file
                else:
                    names.pop(name, None)
        return names


class State:
    """What disk and memory hold at some moment."""

    def __init__(self, events: list[Event]) -> None:
        """Play events, in order."""
        self._data: dict[int, bytes] = {}
        self._safe: dict[int, bytes] = {}
        self._directories: dict[str, _Directory] = {}
        for event in events:
            self._play(event)

    def _play(self, event: Event) -> None:
        if event.verb == "write":
            self._data[event.file] = self._data.get(event.file, b"") + event.data
        elif event.verb == "flush":
            self._safe[event.file] = self._data.get(event.file, b"")
        elif event.verb == "flush directory":
            found = self._at(event.path)
            found.safe, found.since = found.left(random.Random(), 2.0), []
        elif event.verb in ("name", "unname", "directory"):
            parent, _, name = event.path.rpartition("/")
            number = event.file if event.verb == "name" else None
            self._at(parent).since.append((name, number, event.verb != "unname"))

    def _at(self, path: str) -> _Directory:
        return self._directories.setdefault(path, _Directory())

    def cut(self, root: str, place: Path, chance: random.Random) -> None:
        """Write what is left of the directory `root` to a new place."""
        odds = chance.choice([0.0, 0.5, 1.0, chance.random()])
        self._write(root, place, chance, odds)

    def _write(self, path: str, place: Path, chance: random.Random, odds: float) -> None:
        place.mkdir()
        for name, file in self._at(path).left(chance, odds).items():
            if file is None:
                self._write(f"{path}/{name}", place / name, chance, odds)
            else:
                (place / name).write_bytes(self._left(file, chance))

    def _left(self, file: int, chance: random.Random) -> bytes:
        """Return the bytes of a file after the cut; of what was not flushed anything may be there."""
        safe, data = self._safe.get(file), self._data.get(file, b"")
        if safe == data:
            return data
        start = safe or b""
        rest = len(data) - len(start)
        return chance.choice([start, data, data[: len(start) + chance.randrange(rest + 1)], start + bytes(rest)])
