"""How runs and experiments look as rows or as a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from mlreg.cli.output import Column, Style, View, count_of
from mlreg.registry.run_results import Executed, ExperimentInfo, GoalInfo, RunInfo, fact_of, facts

COUNT = Style.COUNT
LOAD = "system/"
"""What the names of metrics begin with that tell of the machine."""


def nothing(refs: Sequence[str]) -> View:
    """What says nothing unless it is asked for."""
    return View((), (), refs)


def started(run: RunInfo) -> View:
    """After `run start`: the id, for a variable."""
    return View((), (), [run.id], run.id)


def sealed(run: RunInfo) -> View:
    """After `run finish`."""
    return View((), (), [run.ref], f"sealed {run.ref} ({run.status})")


def adopted(items: Sequence[RunInfo]) -> View:
    """After `run adopt`."""
    columns = (Column("RUN"), Column("STATUS"))
    return View(columns, [(item.ref, item.status) for item in items], [item.ref for item in items])


def executed(result: Executed) -> str:
    """Say what became of a command, and of what it made."""
    made = f"; made {', '.join(result.outputs)}" if result.outputs else ""
    reason = f": {result.run.facts.get('reason')}" if result.exit_code else ""
    return f"{result.run.status} {result.ref}{reason}{made}"


def listed(items: Sequence[RunInfo], columns: str = "") -> View:
    """Runs, with the facts that are asked for, or with their metrics and those params that differ."""
    refs = [item.ref for item in items]
    if fields := [field.strip() for field in columns.split(",") if field.strip()]:
        headings = (Column("RUN"), *(Column(field.upper()) for field in fields))
        return View(headings, ((item.ref, *(text(fact_of(item, field)) for field in fields)) for item in items), refs)
    words = ("RUN", "NAME", "STATUS", "STARTED", "SECONDS", "METRICS", "PARAMS")
    return View([Column(word, COUNT if word == "SECONDS" else Style.TEXT) for word in words], _rows(items), refs)


def _rows(items: Sequence[RunInfo]) -> Iterator[tuple[str, ...]]:
    params = [dict(facts(item, "params")) for item in items]
    differ = _differing(params)
    measured = {name for item in items for name in item.metrics if not name.startswith(LOAD)}
    for item, some in zip(items, params, strict=True):
        known = (item.ref, item.name, item.status, item.started, f"{item.seconds:.1f}")
        yield *known, _pairs(item.metrics, measured), _pairs(some, differ)


def _differing(params: Sequence[Mapping[str, object]]) -> set[str]:
    """Return the params that not all of the runs have with one value."""
    names = {name for some in params for name in some}
    return {name for name in names if any(some.get(name) != params[0].get(name) for some in params)}


def _pairs(values: Mapping[str, object], names: set[str]) -> str:
    return " ".join([f"{name}={text(values[name])}" for name in sorted(values) if name in names])


def text(value: object) -> str:
    """Return a value as people read it: a number with up to 6 digits; nothing for what is missing."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def run(info: RunInfo) -> View:
    """One run, a fact a line."""
    rows: list[tuple[str, object]] = [
        ("ref", info.ref),
        ("status", info.status if info.sealed else f"{info.status}, open"),
        ("started", info.started),
        ("ended", info.ended),
        ("seconds", f"{info.seconds:.1f}"),
        *((word, value) for word in ("name", "group", "parent", "author") if (value := getattr(info, word))),
        *((f"in {item.role}", item.ref) for item in info.inputs),
        *((f"label {key}", text(value)) for key, value in facts(info, "labels")),
        *((f"param {key}", text(value)) for key, value in facts(info, "params")),
        *((f"metric {key}", _with_range(info, key)) for key in sorted(info.metrics)),
        *((key, text(value)) for key, value in facts(info, "facts")),
        *([("damaged", f"{count_of(info.damaged, 'line')} of its journals cannot be read")] if info.damaged else []),
    ]
    return View((Column("FACT"), Column("VALUE")), rows, [info.ref])


def _with_range(info: RunInfo, name: str) -> str:
    last, found = text(info.metrics[name]), info.ranges.get(name)
    if not found:
        return last
    return f"{last} (min {text(found.get('min'))}, max {text(found.get('max'))}, {found.get('count')} points)"


def experiments(items: Sequence[ExperimentInfo]) -> View:
    """Experiments."""
    words = ("EXPERIMENT", "RUNS", "OPEN", "GOAL", "BEST", "NEWEST")
    rows = [(item.ref, item.runs, item.live, item.goal, item.best, item.time) for item in items]
    columns = [Column(word, COUNT if word in ("RUNS", "OPEN") else Style.TEXT) for word in words]
    return View(columns, rows, [item.ref for item in items])


def goal(result: GoalInfo) -> View:
    """After `exp set-goal`."""
    verb = "set" if result.changed else "unchanged"
    return View((), (), result.refs, f"{verb} the goal of {result.ref}: {result.direction} {result.metric}")
