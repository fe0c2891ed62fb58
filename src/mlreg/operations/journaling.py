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

from mlreg.errors import NotFoundError, RefusedError, explain
from mlreg.formats.journal import FORMAT, SUFFIX, line_of
from mlreg.operations.processes import began_of

MOST_WAITING = 64 * 1024 * 1024
"""Bytes that wait in memory for room on the disk."""
FILES = "files"
"""Where in the directory of a live run the files lie that were logged."""
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_MODE = 0o664
_CHUNK = 1 << 20
_CLOSED = -1


class Journal:
    """Appends records of one writer. Any thread may call it, and so may a handler of signals."""

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        """Open a journal to append to it.

        Args:
            path: of the file.
            is_shared: whether other processes append to it, too, at the same time: calls of the command line.

        Raises:
            OSError: it cannot be opened.
        """
        self.path = path
        self._is_shared = is_shared
        self._fd = os.open(path, _APPEND, _FILE_MODE)
        # A handler of signals may come in the middle.
        self._lock = threading.RLock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        """Bytes that wait."""
        self._trouble: OSError | None = None
        self._is_placed = False
        """Whether the name of the file survives a power cut."""
        # An earlier writer may have left half a line.
        self._before = b"\n" if is_shared or _ends_within_a_line(self._fd) else b""

    def say(self, record: Mapping[str, Any]) -> None:
        """Append a record; errors as `append`, and of `line_of`."""
        self.append(line_of(record))

    def append(self, line: bytes) -> None:
        """Append a line as one write; it waits in memory if there is no room.

        Raises:
            NoSpaceError, UnavailableError: more waits than may; this line was not taken.
            RefusedError: `run_ended`, the journal is closed.
        """
        with self._lock:
            if self._fd == _CLOSED:
                raise _ended(self.path)
            if self._waiting:
                self._wait(self._before + line)
                self._try_again()
            else:
                self._write(self._before + line)
            self._before = b"\n" if self._is_shared else b""

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            self._wait(line)
            if self._trouble is None:
                self._trouble = error
                text = f"{self.path} cannot be written: {error.strerror}. What is logged waits in memory"
                warnings.warn(text, RuntimeWarning, stacklevel=5)
            return
        if written < len(line):
            self._wait(_rest(line, written))

    def _wait(self, line: bytes) -> None:
        if self._size + len(line) > MOST_WAITING:
            raise self._explained()
        self._waiting.append(line)
        self._size += len(line)

    def _try_again(self) -> None:
        """Write what waits, as far as there is room."""
        try:
            while self._waiting:
                line = self._waiting[0]
                written = os.write(self._fd, line)
                self._size -= len(self._waiting.popleft())
                if written < len(line):
                    self._waiting.appendleft(_rest(line, written))
                    self._size += len(self._waiting[0])
                    return
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
            if self._fd == _CLOSED:
                return
            self._settle()
            # The lock is not held while the disk works: training goes on.
            fd = os.dup(self._fd)
        try:
            os.fsync(fd)
            self._keep_name()
        except OSError as error:
            raise explain(error, str(self.path)) from error
        finally:
            os.close(fd)

    def _keep_name(self) -> None:
        """Let the names of the journal, of the run's directory and of its files survive a power cut, too."""
        directory = self.path.parent
        if (directory / FILES).is_dir():
            _flush_directory(directory / FILES)
        if not self._is_placed:
            _flush_directory(directory)
            _flush_directory(directory.parent)
            self._is_placed = True

    def beat(self) -> None:
        """Show that the writer lives, as the time of the file; try again what waits, and come back if need be."""
        with suppress(OSError), self._lock:
            if self._fd != _CLOSED:
                self._try_again()
                self._come_back()
                os.utime(self._fd)

    def close(self) -> None:
        """Write what waits, and let go of the file. If something still waits, it stays open, to be tried again.

        Raises:
            NoSpaceError, UnavailableError: as `flush`.
            RefusedError: `run_ended`, the run was sealed meanwhile, and what was said of it last may not be in it.
        """
        with self._lock:
            if self._fd == _CLOSED:
                return
            self._settle()
            is_lost = self._is_shared and self._is_gone()
            self.abandon()
        if is_lost:
            raise _ended(self.path)

    def leave(self, time: int) -> None:
        """Say that this writer says no more, and close the journal; errors as `close`."""
        if not self._is_shared:
            self.say({"left": {}, "time": time})
        self.close()

    def abandon(self) -> None:
        """Let go of the file, and of what waits."""
        fd, self._fd = self._fd, _CLOSED
        self._waiting.clear()
        self._size = 0
        with suppress(OSError):
            os.close(fd)

    def _settle(self) -> None:
        self._try_again()
        if self._waiting:
            raise self._explained()
        try:
            self._come_back()
        except OSError as error:
            raise explain(error, str(self.path)) from error

    def _is_gone(self) -> bool:
        """Tell whether the file was taken away: whoever sealed the run took its writer for dead."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return True
        own = os.fstat(self._fd)
        return (found.st_ino, found.st_dev) != (own.st_ino, own.st_dev)

    def _come_back(self) -> None:
        """Write all that was said once more if the file was taken away, so that it is sealed again, and whole."""
        if self._is_shared or not self._is_gone():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_suffix(".again")
        fd = os.open(aside, _APPEND | os.O_TRUNC, _FILE_MODE)
        try:
            at = 0
            while data := os.pread(self._fd, _CHUNK, at):
                at += os.write(fd, data)
            aside.replace(self.path)
            os.dup2(fd, self._fd, inheritable=False)
        finally:
            os.close(fd)
        self._is_placed = False


def _rest(line: bytes, written: int) -> bytes:
    """Return what is still to be written of a line of which a part was.

    Others may write before it goes on, so it begins anew: what was written stands as a line of its own, which no
    one takes for a record. Unless nothing but its end is missing: then it would stand there twice.
    """
    return b"\n" if written == len(line) - 1 else b"\n" + line.lstrip(b"\n")


def _ended(path: Path) -> RefusedError:
    run = path.parent.name
    why = "it ended meanwhile, and what was said last may not be in it"
    return RefusedError("run_ended", f"run {run} has ended", why=why, fix=f"mlreg run show {run}")


def _flush_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _ends_within_a_line(fd: int) -> bool:
    size = os.fstat(fd).st_size
    return size > 0 and os.pread(fd, 1, size - 1) != b"\n"


def host() -> str:
    """Return what this host is called, as it may stand in the name of a file."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64] or "host"


def open_journal(directory: Path, run: str, time: int, start: Mapping[str, Any], *, lives: bool) -> Journal:
    """Begin a journal of this writer in the directory of a run, which is made for one who begins the run.

    Args:
        directory: of the run.
        run: its id.
        time: now, in milliseconds.
        start: what is said of the writer: `experiment`, if it begins the run or goes on with it, and what it
            `resumes`.
        lives: whether the writer is this process, which shows that it lives. Otherwise it is whoever calls the
            command line on this host, and they share one journal.

    Raises:
        NotFoundError: `run_missing`, there is no such directory, and it is not to be made.
        AccessError, NoSpaceError, UnavailableError.
    """
    writer = f"{host()}-{os.getpid()}-{os.urandom(4).hex()}" if lives else host()
    path = directory / f"{writer}{SUFFIX}"
    process = {"pid": os.getpid(), "began": began_of(os.getpid())} if lives else {}
    try:
        if "experiment" in start:
            directory.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        journal = Journal(path, is_shared=not lives)
    except FileNotFoundError as error:
        raise NotFoundError(
            "run_missing", f"no run {run} is open", why="it may be sealed", fix="mlreg run ls"
        ) from error
    except OSError as error:
        raise explain(error, str(path)) from error
    if is_new or start:
        said = {"format": FORMAT, "host": socket.gethostname(), "run": run, **process, **start}
        journal.say({"start": said, "time": time})
    return journal
