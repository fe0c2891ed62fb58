"""What a command prints, kept in a file: all of it, or of very much its beginning and its end."""

from __future__ import annotations

from contextlib import suppress
from typing import IO

MOST = 256 * 1024 * 1024
"""Bytes that are kept of the beginning."""
LAST = 1024 * 1024
"""Bytes that are kept of the end, in memory until it comes."""


class KeptOutput:
    """Takes what is printed. A full disk is no error: the end of what did not fit is tried again at the end."""

    def __init__(self, file: IO[bytes], most: int = MOST, last: int = LAST) -> None:
        """Take a file that is not buffered, and how much of the beginning and of the end is kept."""
        self._file = file
        self._room = most
        self._last = last
        self._tail = bytearray()
        self._beyond = 0
        """Bytes that came when there was no room any more."""

    def take(self, data: bytes) -> None:
        """Keep what was printed next."""
        rest = data[self._write(data[: self._room]) :]
        if rest:
            self._room = 0
            self._beyond += len(rest)
            self._tail += rest
            if len(self._tail) > 2 * self._last:
                del self._tail[: -self._last]

    def _write(self, data: bytes) -> int:
        """Write as much as there is room for; returns how much that was."""
        done = 0
        with suppress(OSError):
            while done < len(data):
                done += self._file.write(data[done:])
        self._room -= done
        return done

    def end(self) -> int:
        """Write what is kept of the end, and close the file; returns how many bytes are not kept."""
        tail = bytes(self._tail[-self._last :])
        left_out = self._beyond - len(tail)
        mark = b"\n[%d bytes are left out here]\n" % left_out if left_out else b""
        self._room = len(mark) + len(tail)
        written = self._write(mark + tail)
        with suppress(OSError):
            self._file.close()
        return left_out + min(len(tail), len(mark) + len(tail) - written)
