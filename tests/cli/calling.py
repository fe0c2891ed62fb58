"""How tests call the command: in this process, as a process of its own, and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SRC = Path(__file__).parents[2] / "src"


class Run(NamedTuple):
    """What a call printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def error(self) -> dict[str, Any]:
        """The error under `--json`: the last line of standard error."""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])
        return found

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a list that was printed off a terminal."""
        return [line.split("\t") for line in self.out.splitlines()]


Call = Callable[..., Run]
"""Runs `mlreg` with these words, in the current directory."""


def command(*words: str) -> list[str]:
    """Return what starts the command as a process."""
    return [sys.executable, "-m", "mlreg", *words]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process that finds mlreg without an install."""
    return {**os.environ, "PYTHONPATH": str(SRC), **changes}


def on_terminal(*words: str, streams: str = "out err", **changes: str) -> Run:
    """Run the command with these of its streams on terminals of 100 columns, and return what they showed."""
    shown: dict[str, bytes] = {"out": b"", "err": b""}
    ends = {name: pty.openpty() for name in streams.split()}

    def collect(name: str, end: int) -> None:
        while True:
            try:
                data = os.read(end, 65536)
            except OSError:
                return
            shown[name] += data

    names: dict[str, Any] = {name: ends[name][1] if name in ends else subprocess.PIPE for name in shown}
    surroundings = environment(**{"COLUMNS": "100", "TERM": "xterm-256color", **changes})
    with subprocess.Popen(command(*words), stdout=names["out"], stderr=names["err"], env=surroundings) as process:
        for _, terminal in ends.values():
            os.close(terminal)
        readers = [threading.Thread(target=collect, args=(name, end)) for name, (end, _) in ends.items()]
        for reader in readers:
            reader.start()
        piped = process.communicate()
        for reader in readers:
            reader.join()
    for end, _ in ends.values():
        os.close(end)
    out, err = (shown[name] or piped[at] or b"" for at, name in enumerate(shown))
    return Run(process.returncode, *(text.decode(errors="replace") for text in (out, err)))


def with_options(words: list[str], *options: str) -> list[str]:
    """Return a command line with more options: they stand before a command that is to be run."""
    place = words.index("--") if "--" in words else len(words)
    return [*words[:place], *options, *words[place:]]
