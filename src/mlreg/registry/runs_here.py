"""The runs of this process: they show that they live, and learn of a fork, and of the end of the program."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import warnings
from contextlib import suppress
from typing import Protocol

from mlreg.errors import MlregError

BEAT_SECONDS = 10.0
"""So often a run shows that it lives, and what was logged is flushed to the disk."""


class Living(Protocol):
    """A run that this process works on."""

    def beat(self) -> None:
        """Show that the run lives, and flush what was logged."""

    def forked(self) -> None:
        """Take note that this is another process now, and not the one that works on the run."""

    def end_with_program(self, error: BaseException | None) -> None:
        """End the run, since the program has ended: with an error that no one caught, or without."""


class RunsHere:
    """The runs that this process works on, and the thread that lets them show that they live."""

    def __init__(self) -> None:
        """Begin without runs, and without a thread."""
        self._runs: set[Living] = set()
        self._process = 0

    def add(self, run: Living) -> None:
        """Let a run show that it lives, until it is discarded."""
        self._runs.add(run)
        # A process that was forked off has no thread yet.
        if self._process != os.getpid():
            self._process = os.getpid()
            threading.Thread(target=self._beat, name="mlreg-pulse", daemon=True).start()

    def discard(self, run: Living) -> None:
        """Let go of a run."""
        self._runs.discard(run)

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_SECONDS)
            for run in list(self._runs):
                with suppress(OSError):
                    run.beat()

    def forked(self) -> None:
        """Tell the runs that they are in another process, which works on none of them."""
        runs, self._runs = self._runs, set()
        for run in runs:
            run.forked()

    def end(self) -> None:
        """End the runs that the program has left open."""
        # At a prompt, an error is not the end of the program.
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
        for run in list(self._runs):
            try:
                run.end_with_program(error)
            except MlregError as trouble:
                warnings.warn(f"{run} is not sealed: {trouble}", RuntimeWarning, stacklevel=1)


RUNS_HERE = RunsHere()
os.register_at_fork(after_in_child=RUNS_HERE.forked)
atexit.register(RUNS_HERE.end)
