"""Saying things of a run while it lives: each is in the kernel's hands when the call returns.

A run has a directory, and each of its writers a journal in it, to which only this writer appends: no lock, and
no other writer that could be in the way. What was said survives the end of the process, however it ends; what
was said before the last `flush` survives a power cut. A full disk stops no training: what cannot be written
waits in memory, and the end of the run fails if it still waits then.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import warnings
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlreg.errors import explain
from mlreg.formats.journal import FORMAT, SUFFIX, line_of
from mlreg.operations.processes import began_of

MOST_WAITING = 64 * 1024 * 1024
"""Bytes that wait in memory for room on the disk."""
FILES = "files"
"""Where in the directory of a live run the files lie that were logged."""
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_MODE = 0o664


class Journal:
    """Appends records of one writer. Any thread may call it."""

    def __init__(self, path: Path) -> None:
        """Open a journal to append to it.

        Raises:
            OSError: it cannot be opened.
        """
        self.path = path
        self._fd = os.open(path, _APPEND, _FILE_MODE)
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        """Bytes that wait."""
        self._trouble: OSError | None = None
        # An earlier writer may have left half a line.
        if _ends_within_a_line(path):
            os.write(self._fd, b"\n")

    def say(self, record: Mapping[str, Any]) -> None:
        """Append a record; errors as `append`, and of `line_of`."""
        self.append(line_of(record))

    def append(self, line: bytes) -> None:
        """Append a line as one write; it waits in memory if there is no room.

        Raises:
            NoSpaceError, UnavailableError: more waits than may.
        """
        if self._waiting:
            self._wait(line, None)
            return
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            self._wait(line, error)
            return
        if written < len(line):
            self._wait(b"\n" + line, None)

    def _wait(self, line: bytes, error: OSError | None) -> None:
        with self._lock:
            if error and self._trouble is None:
                self._trouble = error
                text = f"{self.path} cannot be written: {error.strerror}. What is logged waits in memory"
                warnings.warn(text, RuntimeWarning, stacklevel=5)
            self._waiting.append(line)
            self._size += len(line)
            self._try_again()
            if self._size > MOST_WAITING:
                raise self._explained()

    def _try_again(self) -> None:
        """Write what waits, as far as there is room."""
        try:
            while self._waiting:
                line = self._waiting[0]
                if os.write(self._fd, line) < len(line):
                    # What was written of it stands as a line of its own, which no one takes for a record.
                    self._waiting[0] = b"\n" + line.lstrip(b"\n")
                    return
                self._size -= len(self._waiting.popleft())
        except OSError as error:
            self._trouble = error
            return
        self._trouble = None

    def _explained(self) -> Exception:
        return explain(self._trouble or OSError("the journal is full"), str(self.path))

    def flush(self) -> None:
        """Let all that was said survive a power cut.

        Raises:
            NoSpaceError, UnavailableError: something still waits for room, or the disk refuses.
        """
        with self._lock:
            self._try_again()
            if self._waiting:
                raise self._explained()
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise explain(error, str(self.path)) from error

    def beat(self) -> None:
        """Show that the writer lives, as the time of the file; and try again what waits."""
        with suppress(OSError), self._lock:
            if self._waiting:
                self._try_again()
            os.utime(self._fd)

    def close(self) -> None:
        """Write what waits, and let go of the file; errors as `flush`, without the power cut."""
        with self._lock:
            self._try_again()
            trouble = self._explained() if self._waiting else None
            os.close(self._fd)
        if trouble:
            raise trouble


def _ends_within_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return False
        file.seek(size - 1)
        return file.read(1) != b"\n"


def host() -> str:
    """Return what this host is called, as it may stand in the name of a file."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64] or "host"


def open_journal(directory: Path, run: str, time: int, start: Mapping[str, Any], *, lives: bool) -> Journal:
    """Begin a journal of this writer in the directory of a run, which is made if need be.

    Args:
        directory: of the run.
        run: its id.
        time: now, in milliseconds.
        start: what is said of the writer: `experiment`, if the run is new, and what it `resumes`.
        lives: whether the writer is this process, which shows that it lives. Otherwise it is whoever calls the
            command line on this host, and they share one journal.

    Raises:
        AccessError, NoSpaceError, UnavailableError.
    """
    writer = f"{host()}-{os.getpid()}-{os.urandom(4).hex()}" if lives else host()
    path = directory / f"{writer}{SUFFIX}"
    process = {"pid": os.getpid(), "began": began_of(os.getpid())} if lives else {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        journal = Journal(path)
    except OSError as error:
        raise explain(error, str(path)) from error
    if is_new:
        said = {"format": FORMAT, "host": socket.gethostname(), "run": run, **process, **start}
        journal.say({"start": said, "time": time})
    return journal
