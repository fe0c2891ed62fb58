"""Faults in calls to the operating system: a process counts its own, and dies or gets an error at one of them."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from mlreg.errors import MlregError
from mlreg.operations import beside, checkout, journaling, logged_files, placing
from mlreg.stores import archive, directory

WRITES = {"write", "pwrite", "ftruncate", "fsync", "link", "replace", "rename", "unlink", "mkdir"}
READS = {"open", "pread", "read", "lstat"}
CALLS = WRITES | READS | {"close"}
MODULES = (archive, directory, beside, checkout, placing, journaling, logged_files)
"""Those that read and write what lasts."""

Act = Callable[[], None]


class Counted:
    """Stands for the module `os`, and does something before call k, and before later ones if it lasts."""

    def __init__(self, k: int, act: Act, calls: Collection[str] = frozenset(CALLS), lasts: int = 1) -> None:
        self.k, self.act, self.calls, self.lasts, self.count = k, act, calls, lasts, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.calls:
            return real

        def call(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.k <= self.count < self.k + self.lasts:
                self.act()
            return real(*args, **options)

        return call

    @property
    def was_hit(self) -> bool:
        """Whether the fault came."""
        return self.count >= self.k


@contextmanager
def put_in_place_of_os(stand_in: object) -> Iterator[None]:
    """Let the modules that read and write what lasts call this instead of `os`."""
    before = [(module, vars(module)["os"]) for module in MODULES]
    try:
        for module in MODULES:
            vars(module)["os"] = stand_in
        yield
    finally:
        for module, present in before:
            _give_back(module, present)


def _give_back(module: ModuleType, present: object) -> None:
    vars(module)["os"] = present


def kill() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> Act:
    """Return what raises the error with a number, such as `errno.EIO`."""

    def act() -> None:
        raise OSError(number, os.strerror(number))

    return act


FAULTS: dict[str, Act] = {"kill": kill, "EIO": fail(errno.EIO), "ENOSPC": fail(errno.ENOSPC)}


class End(IntEnum):
    """How a child ended."""

    DONE = 0
    """Without having met the fault: it has fewer calls."""
    DONE_ALL_THE_SAME = 1
    FAILED = 2
    BROKEN = 3
    """By something else than an error of mlreg."""
    KILLED = 4


def run_in_child(operation: Callable[[Path], None], root: Path, counted: Counted) -> End:
    """Run an operation in a process of its own, with a fault at one of its calls."""
    child = os.fork()
    if child == 0:
        with put_in_place_of_os(counted):
            try:
                operation(root)
            except MlregError:
                os._exit(End.FAILED)
            except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
                os._exit(End.BROKEN)
            os._exit(End.DONE_ALL_THE_SAME if counted.was_hit else End.DONE)
    _, status = os.waitpid(child, 0)
    return End(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else End.KILLED
