"""A store that fails when it is told to, wrapped around one that works; for tests.

Every call gets a number, counted from 1. A plan says which calls fail and how; what was called is in
`calls`, so that a test can first run without faults and then repeat with a fault at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TypeAlias

from mlreg.errors import UnavailableError
from mlreg.stores.store import Leftover, Store, Upload


class Fault(Enum):
    """How a call fails."""

    BEFORE = "nothing happens, and the reply is an error"
    AFTER = "it happens, and the reply is lost"


Plan: TypeAlias = Callable[[int, str, str], Fault | None]
"""From the number of a call, its verb and its key to the fault it has, if any."""


def fail_at(number: int, fault: Fault) -> Plan:
    """Return the plan under which only call `number` fails."""
    return lambda count, verb, key: fault if count == number else None


class FaultyStore:
    """Passes every call to `inner`, unless the plan says otherwise."""

    def __init__(self, inner: Store, plan: Plan = lambda count, verb, key: None) -> None:
        """Wrap a store; without a plan nothing fails."""
        self.url = inner.url
        self.inner = inner
        self.plan = plan
        self.calls: list[tuple[str, str]] = []

    @contextmanager
    def _call(self, verb: str, key: str) -> Iterator[None]:
        self.calls.append((verb, key))
        fault = self.plan(len(self.calls), verb, key)
        if fault is Fault.BEFORE:
            raise UnavailableError("store_unavailable", f"{verb} {key} was made to fail", fix="try again")
        yield
        if fault is Fault.AFTER:
            raise UnavailableError(
                "store_unavailable", f"the reply to {verb} {key} was made to be lost", fix="try again"
            )

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        with self._call("read", key):
            return self.inner.read(key, start, size)

    def size(self, key: str) -> int | None:
        with self._call("size", key):
            return self.inner.size(key)

    def create(self, key: str, data: bytes) -> None:
        with self._call("create", key):
            self.inner.create(key, data)

    @contextmanager
    def upload(self, key: str) -> Iterator[Upload]:
        with self._call("upload", key), self.inner.upload(key) as upload:
            yield upload

    def list(self, prefix: str) -> Iterator[str]:
        with self._call("list", prefix):
            return self.inner.list(prefix)

    def delete(self, key: str) -> None:
        with self._call("delete", key):
            self.inner.delete(key)

    def modified(self, key: str) -> float | None:
        with self._call("modified", key):
            return self.inner.modified(key)

    def leftovers(self) -> Iterator[Leftover]:
        with self._call("leftovers", ""):
            return self.inner.leftovers()

    def discard(self, leftover: Leftover) -> None:
        with self._call("discard", leftover.name):
            self.inner.discard(leftover)
