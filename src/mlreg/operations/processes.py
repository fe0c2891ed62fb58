"""Whether a process of this host still runs; a number alone may be that of another one by now."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_FIELDS_BEFORE_BEGIN = 19
"""Fields of `/proc/PID/stat` between the name of the program and when it began."""


@cache
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def began_of(pid: int) -> str:
    """Return what tells a process from all others of its number; empty if there is none, or no way to know."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    # The name of the program may have spaces and parentheses of its own.
    fields = text.rpartition(")")[2].split()
    return f"{_boot()}:{fields[_FIELDS_BEFORE_BEGIN]}"
