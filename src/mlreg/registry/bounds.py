"""Bounds of the checks of `mlreg health`: from where on something is yellow, and from where on red."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from mlreg.errors import UsageError

PREFIX = "health."
NEVER = "never"
Unit = Literal["share", "time", "size", "count"]
State = Literal["green", "yellow", "red"]


class Bounds(NamedTuple):
    """From where on a value is yellow, and red; None for never."""

    unit: Unit
    yellow: float | None
    red: float | None
    text: str
    """As they were written."""

    def state_of(self, value: float, *, less_is_worse: bool = False) -> State:
        """Return the state of a value."""
        sign = -1 if less_is_worse else 1
        if self.red is not None and sign * value >= sign * self.red:
            return "red"
        return "yellow" if self.yellow is not None and sign * value >= sign * self.yellow else "green"


UNITS: Mapping[str, Unit] = {
    "backup_age": "time",
    "clock_ahead": "time",
    "crashed_runs": "count",
    "disk_free": "share",
    "live_packs": "count",
    "overdue": "count",
    "transactions": "count",
    "unsent": "count",
    "waiting": "size",
}
DEFAULTS: Mapping[str, str] = {
    "backup_age": "7d never",
    "clock_ahead": "5m 1d",
    "crashed_runs": "1 never",
    "disk_free": "10% 5%",
    "live_packs": "1000 never",
    "overdue": "1 never",
    "transactions": "never never",
    "unsent": "1 never",
    "waiting": "never never",
}
MEANINGS: Mapping[str, str] = {
    "backup_age": "the age of the last backup, in time like 7d,",
    "clock_ahead": "how far a transaction is ahead of the clock, in time like 5m,",
    "crashed_runs": "how many runs have crashed",
    "disk_free": "the share of the disk that is free, like 10%,",
    "live_packs": "how many packs are read",
    "overdue": "how many versions the retention policies would remove",
    "transactions": "how many transactions the log has",
    "unsent": "how much is not pushed to a remote",
    "waiting": "how much waits to be deleted, in bytes like 50G,",
}
_FORMS: Mapping[Unit, tuple[str, Mapping[str, float]]] = {
    "share": ("5%", {"%": 0.01}),
    "time": ("7d", {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}),
    "size": ("50G", {"": 1, "B": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}),
    "count": ("10", {"": 1}),
}
"""An example, and what each unit stands for."""


def parse_bounds(name: str, text: str) -> Bounds:
    """Return the bounds that a setting names: `10% 5%`, yellow first, or `never`.

    Args:
        name: of `UNITS`.
        text: two words.

    Raises:
        UsageError: `bad_config`.
    """
    unit, words = UNITS[name], text.split()
    if len(words) != 2:
        raise _bad(name, text, unit)
    yellow, red = (None if word == NEVER else _number(name, word, unit) for word in words)
    # Of what is free, less is worse.
    if yellow is not None and red is not None and (yellow < red if unit == "share" else yellow > red):
        raise _reversed(name, text)
    return Bounds(unit, yellow, red, text)


def _reversed(name: str, text: str) -> UsageError:
    yellow, red = text.split()
    return UsageError(
        "bad_config",
        f"{PREFIX}{name} would be red before it is yellow: {text!r:.80}",
        why=f"yellow is the first of the two, and what is worse is {'less' if UNITS[name] == 'share' else 'more'}",
        fix=f"write it like '{red} {yellow}'",
    )


def _number(name: str, word: str, unit: Unit) -> float:
    _, powers = _FORMS[unit]
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([%a-zA-Z]?)", word)
    if not found or found[2] not in powers:
        raise _bad(name, word, unit)
    return float(found[1]) * powers[found[2]]


def _bad(name: str, text: str, unit: Unit) -> UsageError:
    example, _ = _FORMS[unit]
    return UsageError(
        "bad_config",
        f"{PREFIX}{name} is two bounds, yellow and red, not {text!r:.80}",
        fix=f"write it like '{example} {NEVER}'",
    )
