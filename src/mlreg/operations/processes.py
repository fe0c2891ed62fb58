"""Whether a process of this host still runs; a number alone may be that of another one by now."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_FIELDS_BEFORE_BEGIN = 19
"""Fields of `/proc/PID/stat` between the state and when it began."""
_DEAD = ("Z", "X")
"""States of a process that has ended, and that whoever started it has not asked about yet."""


@cache
def _world() -> str:
    """Return what this kernel, since it was started, and these numbers of processes are called; empty if unknown.

    Hosts may share a name, and containers of one host have numbers of their own.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def began_of(pid: int) -> str:
    """Return what tells a process from all others, of other hosts too; empty if there is none, or no way to know."""
    fields = _fields(pid)
    return f"{_world()}:{fields[_FIELDS_BEFORE_BEGIN]}" if fields and _world() else ""


def is_alive(pid: int, began: str) -> bool | None:
    """Tell whether a process runs; None if that cannot be known from here.

    Args:
        pid: its number.
        began: what `began_of` returned for it.
    """
    if not began or began.rpartition(":")[0] != _world():
        return None
    if fields := _fields(pid):
        return fields[0] not in _DEAD and began_of(pid) == began
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    # There is one, and it is hidden from this user.
    return None


def _fields(pid: int) -> list[str]:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    # The name of the program may have spaces and parentheses of its own.
    return text.rpartition(")")[2].split()
