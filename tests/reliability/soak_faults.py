"""What may go wrong in one operation of the soak: calls that fail, replies that are lost, a death in the middle."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mlreg import stores
from mlreg.stores.faulty import Fault, FaultyStore
from tests.reliability.calls import READS, WRITES, Act, Counted, fail, kill, put_in_place_of_os

NONE = "none"
LONG = 1_000_000
"""Calls that a full disk fails: all that come."""


class Trouble(NamedTuple):
    """A fault of calls to the operating system."""

    act: Act
    calls: frozenset[str]
    lasts: int


SYSTEM = {
    "killed at a call": Trouble(kill, frozenset(READS | WRITES), 1),
    "disk full": Trouble(fail(errno.ENOSPC), frozenset({"write", "mkdir", "link"}), LONG),
    "write fails": Trouble(fail(errno.EIO), frozenset(WRITES), 2),
    "read fails": Trouble(fail(errno.EIO), frozenset(READS), 2),
}
STORE = {"store call fails": Fault.BEFORE, "reply is lost": Fault.AFTER}
WEIGHTS = {NONE: 66, "killed at a call": 8, **dict.fromkeys([*SYSTEM, *STORE][1:], 5)}
"""How often each fault is prepared; it may come too late to be met."""


def choose(chance: random.Random) -> str:
    """Return the name of a fault."""
    return chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


class Prepared:
    """A fault that may come while an operation runs."""

    def __init__(self) -> None:
        self.was_hit = False


@contextmanager
def prepared(fault: str, chance: random.Random) -> Iterator[Prepared]:
    """Prepare a fault for what is done in the block."""
    found = Prepared()
    # As often at the first calls as at any later ten times as many.
    k = int(10 ** chance.uniform(0, 2))
    if fault in SYSTEM:
        trouble = SYSTEM[fault]
        counted = Counted(k, trouble.act, trouble.calls, trouble.lasts)
        with put_in_place_of_os(counted):
            yield found
        found.was_hit = counted.was_hit
    elif fault in STORE:
        with _failing(found, k, k + chance.randrange(1, 4), STORE[fault]):
            yield found
    else:
        yield found


@contextmanager
def _failing(found: Prepared, first: int, end: int, fault: Fault) -> Iterator[None]:
    """Let some calls fail of all stores that are opened in the block."""
    count = 0

    def plan(*_: object) -> Fault | None:
        nonlocal count
        count += 1
        found.was_hit |= first <= count < end
        return fault if first <= count < end else None

    usual = stores.STORES["file"]
    stores.STORES["file"] = lambda url: FaultyStore(usual(url), plan)
    try:
        yield
    finally:
        stores.STORES["file"] = usual
