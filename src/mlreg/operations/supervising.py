"""Running a command in our place: signals go on to it, and what it prints goes to who wants it.

It has our standard input, our open files, our process group and our terminal, if there is one. Its standard output and
error are pipes.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from types import FrameType, TracebackType
from typing import IO, NamedTuple, Protocol, Self

Take = Callable[[bytes], None]
"""Takes what was printed next."""

TICK = 1.0
"""Seconds after which a signal is passed on at the latest."""
LINGER = 3.0
"""Seconds for which what is printed is still read after the end, if something was left running that could print."""
_CHUNK = 65536
_LEFT_TO_READ = 16
"""Chunks that are read of what is printed without an end by something that was left running."""
_OF_KEYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""What a terminal sends to all processes of the group in front of it."""
_PASSED_ON = (*_OF_KEYS, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Stream(Protocol):
    """A file that is not buffered."""

    def fileno(self) -> int:
        """Return the number of the open file."""
        ...

    def write(self, data: memoryview, /) -> int | None:
        """Write bytes, and return how many; None if it is full and does not wait."""
        ...


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    """Its exit code; of a signal, the number of it as a negative one."""
    has_left: bool
    """Whether something goes on to run that it started, and that may print."""


class Signals:
    """Signals that are sent to this process within the block, and are meant for another one.

    Those that were ignored before, as `nohup` asks for, stay so.
    """

    def __init__(self) -> None:
        """Change nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        """Take the signals from now on."""
        for one in _PASSED_ON:
            if (before := signal.getsignal(one)) not in (signal.SIG_IGN, None):
                self._before[one] = before
                signal.signal(one, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let signals do what they did before."""
        for one, before in self._before.items():
            signal.signal(one, before)

    def go_to(self, process: subprocess.Popen[bytes]) -> None:
        """Send them on to a process, also those that came before there was one."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        elif number not in _OF_KEYS or not _is_in_front():
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


def _is_in_front() -> bool:
    """Tell whether keys of a terminal reach this process and with it all of its group, the command among them."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


class Supervised:
    """A command that runs."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: Take, errors: Take, signals: Signals
    ) -> None:
        """Start it.

        Args:
            command: a program and its arguments.
            environment: all of it.
            output: takes what it prints to standard output; from a thread of its own.
            errors: takes what it prints to standard error.
            signals: go on to it.

        Raises:
            OSError: it cannot be run.
        """
        self.process = subprocess.Popen(  # noqa: S603 - this is what was asked for
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            close_fds=False,  # `<(...)` of a shell, and what make hands on
        )
        signals.go_to(self.process)
        self._stop, self._stopped = os.pipe()
        pipes = ((self.process.stdout, output), (self.process.stderr, errors))
        self._readers = [Thread(target=self._read, args=pipe, name="mlreg-output", daemon=True) for pipe in pipes]
        for reader in self._readers:
            reader.start()

    def end(self) -> Ended:
        """Wait for its end, and for the end of what it prints."""
        code = self._code()
        end = time.monotonic() + LINGER
        for reader in self._readers:
            reader.join(max(0, end - time.monotonic()))
        has_left = any(reader.is_alive() for reader in self._readers)
        os.close(self._stopped)
        for reader in self._readers:
            reader.join()
        os.close(self._stop)
        return Ended(code, has_left)

    def _code(self) -> int:
        # A signal that comes just before a wait begins is not looked at while that lasts.
        while True:
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(TICK)

    def _read(self, pipe: IO[bytes], take: Take) -> None:
        found = select.poll()
        found.register(pipe, select.POLLIN)
        found.register(self._stop, select.POLLIN)
        left = _LEFT_TO_READ
        with pipe:
            while left:
                ready = [number for number, _ in found.poll()]
                left -= self._stop in ready
                data = os.read(pipe.fileno(), _CHUNK) if pipe.fileno() in ready else b""
                if not data:
                    return
                take(data)


class Onward:
    """Writes what was printed to where it would have gone; if who was reading has gone, nothing comes of it."""

    def __init__(self, stream: Stream) -> None:
        """Take a stream that is not buffered, so that nothing is left in it that fails later."""
        self._stream = stream
        self._is_gone = False

    def take(self, data: bytes) -> None:
        """Write it, however long that takes."""
        left = memoryview(data)
        try:
            while left and not self._is_gone:
                # None: it is full, and does not wait by itself.
                if (written := self._stream.write(left)) is None:
                    select.select([], [self._stream], [])
                left = left[written or 0 :]
        except (OSError, ValueError):
            self._is_gone = True
