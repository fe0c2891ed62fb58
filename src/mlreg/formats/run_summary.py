"""What a commit says of a sealed run: its facts, params, and of each metric the last value and the range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlreg.formats.journal import spelled
from mlreg.formats.run import RunState, Series, Status

_BRIEF = ("ended", "name", "seconds", "started", "status")
"""Facts that still stand in the commit of a run that has too many."""


def summary(
    state: RunState,
    status: Status,
    metrics: Mapping[str, Series],
    missing: Sequence[str] = (),
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the metadata of a run: JSON values.

    Args:
        state: what was said since it was started or resumed.
        status: how it is, or ended.
        metrics: all of them, those from before it was resumed too.
        missing: files that were logged and are not there.
        earlier: the metadata from before it was resumed.
    """
    before = earlier or {}
    run = {**before.get("run", {}), **state.facts, **state.told, **_times(state, before.get("run", {}))}
    run["status"] = status
    for name, value in (("reason", state.reason), ("missing", list(missing)), ("changed_params", _plain(state))):
        run.pop(name, None)
        if value:
            run[name] = value
    return {
        "metrics": {name: spelled(series.values[-1]) for name, series in sorted(metrics.items())},
        "params": {**state.params, **before.get("params", {})},
        "ranges": {name: _range(series) for name, series in sorted(metrics.items()) if len(series) > 1},
        "run": run,
    }


def _plain(state: RunState) -> dict[str, Any]:
    return {name: list(values) for name, values in state.changed.items()}


def _times(state: RunState, before: Mapping[str, Any]) -> dict[str, Any]:
    seconds = (state.last - state.first) / 1000 + float(before.get("seconds", 0))
    return {"started": before.get("started", moment(state.first)), "ended": moment(state.last), "seconds": seconds}


def moment(milliseconds: int) -> str:
    """Return a time as RFC 3339 has it: `2026-11-24T06:28:00.125Z`."""
    from datetime import UTC, datetime

    seconds, rest = divmod(milliseconds, 1000)
    try:
        day = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{day:%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def _range(series: Series) -> dict[str, Any]:
    """Return the smallest and the largest value, NaN left out, the number of points, and the last step."""
    numbers: Iterable[float] = [value for value in series.values if not math.isnan(value)]
    low, high = min(numbers, default=math.nan), max(numbers, default=math.nan)
    return {"count": len(series), "max": spelled(high), "min": spelled(low), "step": series.steps[-1]}


def brief(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of metadata always fits into a commit, if the whole does not."""
    run = {name: value for name, value in metadata["run"].items() if name in _BRIEF}
    return {"metrics": {}, "params": {}, "ranges": {}, "run": run}
