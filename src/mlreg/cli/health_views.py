"""How checks look: as a table, and as OpenMetrics for whatever watches many machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from mlreg.cli.output import Column, View
from mlreg.cli.report_files import Forms
from mlreg.registry.health import Check, Health

_STATES = ("green", "yellow", "red")


class _Metric(NamedTuple):
    name: str
    unit: str
    """The last word of the name; empty for a count."""
    help: str


_METRICS = {
    "backup": _Metric("mlreg_backup_age_seconds", "seconds", "Time since the last backup."),
    "clock": _Metric("mlreg_clock_ahead_seconds", "seconds", "How far a transaction is ahead of the clock."),
    "disk": _Metric("mlreg_disk_free_ratio", "ratio", "Share of the disk, or of its files, that is free."),
    "integrity": _Metric("mlreg_damaged_objects", "", "Kinds of damage in the sample that was read."),
    "log": _Metric("mlreg_transactions", "", "Transactions of the log."),
    "packs": _Metric("mlreg_live_packs", "", "Packs that are read."),
    "remote": _Metric("mlreg_unsent_names", "", "Versions, tags and statements that a remote does not have."),
    "retention": _Metric("mlreg_overdue_versions", "", "Versions that the retention policies would remove."),
    "runs": _Metric("mlreg_crashed_runs", "", "Open runs whose process is gone."),
    "snapshot": _Metric("mlreg_transactions_since_snapshot", "", "Transactions since the last snapshot."),
    "waiting": _Metric("mlreg_waiting_bytes", "bytes", "Bytes that wait to be deleted."),
}
"""What the number of each check is called."""


def is_well(result: Health, fail_on: str) -> bool:
    """Tell whether everything is better than a state."""
    return _STATES.index(result.state) < _STATES.index(fail_on)


def checked(result: Health) -> View:
    """The checks; `-q` prints the names of those that are not green."""
    words = ("STATE", "CHECK", "VALUE", "BOUNDS", "WHAT TO DO")
    columns = [Column(word, may_go=word == "WHAT TO DO") for word in words]
    rows = [(one.state, _name(one), one.value, one.bound, one.fix) for one in result.checks]
    return View(columns, rows, [_name(one) for one in result.checks if one.state != "green"])


def _name(check: Check) -> str:
    return ":".join(filter(None, (check.name, check.subject)))


def openmetrics(result: Health) -> Iterator[str]:
    """Yield the lines of a text in the format OpenMetrics 1.0."""
    seen = datetime.fromisoformat(result.time).timestamp()
    place = _label("repository", result.url)
    yield from _family(_Metric("mlreg_health_time_seconds", "seconds", "When it was looked at, since 1970."))
    yield f"mlreg_health_time_seconds{{{place}}} {seen:.0f}"
    yield from _family(_Metric("mlreg_health_state", "", "0 green, 1 yellow, 2 red."))
    for one in result.checks:
        yield f"mlreg_health_state{{{_labels(place, one)}}} {_STATES.index(one.state)}"
    for name, metric in _METRICS.items():
        known = [one for one in result.checks if one.name == name and one.number is not None]
        yield from _family(metric) if known else ()
        yield from (f"{metric.name}{{{_labels(place, one)}}} {one.number}" for one in known)
    yield "# EOF"


def _family(metric: _Metric) -> Iterator[str]:
    yield f"# TYPE {metric.name} gauge"
    if metric.unit:
        yield f"# UNIT {metric.name} {metric.unit}"
    yield f"# HELP {metric.name} {metric.help}"


def _labels(place: str, check: Check) -> str:
    return ",".join((place, _label("check", check.name), _label("subject", check.subject)))


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{escaped}"'


REPORTS: Forms[Health] = {"openmetrics": openmetrics}
"""Forms of reports on health, by the words that ask for them."""
