"""What a commit says of a sealed run: its facts, params, and of each metric the last value and the range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlreg.formats.journal import spelled
from mlreg.formats.run import MAX_NAME_CHARS, NEVER, RunState, Series, Status, is_same

LONG = "run.json"
"""The file in which the metadata of a run stands that is too long for a commit."""
REST = "rest"
"""Says in such a commit, as a fact of the run, where the rest is."""
_BRIEF = ("ended", "name", "seconds", "started", "status")
"""Facts that still stand in the commit of a run that has too many."""


def summary(
    state: RunState,
    status: Status,
    metrics: Mapping[str, Series],
    missing: Sequence[str] = (),
    earlier: Mapping[str, Any] | None = None,
    moved: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the metadata of a run: JSON values.

    Args:
        state: what was said since it was started or resumed.
        status: how it is, or ended.
        metrics: all of them, those from before it was resumed too.
        missing: files that were logged and are not there.
        earlier: the metadata from before it was resumed.
        moved: from where files stand to where they were to stand, of those that have no room there.
    """
    before = earlier or {}
    run_before, params_before = (_mapping(before.get(name)) for name in ("run", "params"))
    run = {**run_before, **state.facts, **state.told, **_times(state, run_before), "status": status}
    changed = _changed(state, params_before, _mapping(run_before.get("changed_params")))
    noted = {"reason": state.reason, "missing": list(missing), "moved": dict(moved or {}), "changed_params": changed}
    for name, value in noted.items():
        run.pop(name, None)
        if value:
            run[name] = value
    return {
        "metrics": {name: spelled(series.values[-1]) for name, series in sorted(metrics.items()) if len(series)},
        "params": {**state.params, **params_before},
        "ranges": {name: _range(series) for name, series in sorted(metrics.items()) if len(series) > 1},
        "run": run,
    }


def _mapping(value: object) -> Mapping[str, Any]:
    # What is sealed may be someone else's work.
    return value if isinstance(value, Mapping) else {}


def _changed(state: RunState, known: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params that have more than one value, with all of them; `known` and `before` are sealed ones."""
    found = {**before, **{name: list(values) for name, values in state.changed.items()}}
    for name in known.keys() & state.params.keys():
        earlier = before[name] if isinstance(before.get(name), list) else [known[name]]
        later = state.changed.get(name, [state.params[name]])
        if is_same(later[0], known[name]):
            # It was logged again, as it is.
            later = later[1:]
        found[name] = [*earlier, *later]
    return {name: values for name, values in found.items() if len(values) > 1}


def _times(state: RunState, before: Mapping[str, Any]) -> dict[str, Any]:
    took = before.get("seconds")
    seconds = (state.last - state.first) / 1000 + (float(took) if isinstance(took, int | float) else 0.0)
    return {"started": before.get("started", moment(state.first)), "ended": moment(state.last), "seconds": seconds}


def moment(milliseconds: int) -> str:
    """Return a time as RFC 3339 has it: `2026-11-24T06:28:00.125Z`; empty of one that no calendar has."""
    from datetime import UTC, datetime

    seconds, rest = divmod(milliseconds, 1000)
    try:
        if milliseconds == NEVER:
            return ""
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
    if "name" in run:
        run["name"] = str(run["name"])[:MAX_NAME_CHARS]
    run[REST] = LONG
    return {"metrics": {}, "params": {}, "ranges": {}, "run": run}
