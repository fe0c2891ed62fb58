"""How runs and experiments look as rows or as a sentence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlreg.cli import drawing
from mlreg.cli.output import Column, Style, View
from mlreg.formats.amounts import count_of
from mlreg.formats.names import EXPERIMENT
from mlreg.registry.run_results import Executed, ExperimentInfo, GoalInfo, RunInfo, all_facts, fact_of, facts
from mlreg.registry.searching_runs import near_to

COUNT = Style.COUNT
KNOWN = (
    *(Column("NAME", may_go=True), Column("STATUS", Style.NAME), Column("STARTED", Style.TIME)),
    *(Column("SECONDS", COUNT), Column("METRICS", may_go=True), Column("PARAMS", may_go=True)),
)
"""What a list tells of each run, unless other facts are asked for."""
BEGUN = len("01a22a39-31f5")
"""Of the id of a run, the digits of when it began."""
LOAD = "system/"
"""What the names of metrics begin with that tell of the machine."""


def nothing(refs: Sequence[str]) -> View:
    """What says nothing unless it is asked for."""
    return View((), (), refs)


def started(run: RunInfo) -> View:
    """After `run start`: the id, for a variable."""
    return View((), (), [run.id], run.id)


def doubts(run: RunInfo) -> str:
    """Say what is wrong with what a run uses; empty if nothing is."""
    return "; ".join(drawing.tainted_because(one) for one in run.taints)


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
    fields = _fields(columns)
    others = [Column(field.upper()) for field in fields] if fields else KNOWN
    return View(
        (Column("RUN", Style.NAME), *others), _rows(refs, items, fields), refs, "", _rows(_names(items), items, fields)
    )


def unknown(items: Sequence[RunInfo], columns: str) -> str:
    """Say which of the columns that are asked for no run has, and what may be meant; empty if there is none."""
    fields = [field for field in _fields(columns) if items and all(fact_of(item, field) is None for item in items)]
    known = {name for item in items for name in all_facts(item)} if fields else set()
    said = (f"{field} ({near[0]}?)" if (near := near_to(field, known)) else field for field in fields)
    return f"no run here has {', '.join(said)}" if fields else ""


def _fields(columns: str) -> list[str]:
    return [field.strip() for field in columns.split(",") if field.strip()]


def _rows(names: Iterable[str], items: Sequence[RunInfo], fields: Sequence[str]) -> Iterator[tuple[str, ...]]:
    cells = _chosen(items, fields) if fields else _known(items)
    return ((name, *some) for name, some in zip(names, cells, strict=True))


def _chosen(items: Sequence[RunInfo], fields: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(text(fact_of(item, field)) for field in fields) for item in items)


def _known(items: Sequence[RunInfo]) -> Iterator[tuple[str, ...]]:
    params = [dict(facts(item, "params")) for item in items]
    differ = _differing(params)
    measured = {name for item in items for name in item.metrics if not name.startswith(LOAD)}
    for item, some in zip(items, params, strict=True):
        known = (item.name, item.status, item.started, f"{item.seconds:.1f}")
        yield *known, _pairs(item.metrics, measured), _pairs(some, differ)


def _names(items: Sequence[RunInfo]) -> Iterator[str]:
    """Yield runs as people name them; what tells them from each other is left of their ids, and can be typed."""
    begun = Counter(short(item.ref) for item in items)
    for item in items:
        name = short(item.ref) if begun[short(item.ref)] == 1 else item.ref
        yield drawing.named(name, "live", tainted=bool(item.taints))


def short(ref: str) -> str:
    """Return a ref, that of a run with the beginning of its id alone, which says when it began, and finds it.

    >>> short("exp/churn@01a22a39-31f5-74ce-8e1b-b715eecf7b04")
    'exp/churn@01a22a39-31f5'
    """
    entry, _, version = ref.partition("@")
    is_run = entry.rpartition("::")[2].startswith(f"{EXPERIMENT}/")
    return f"{entry}@{version[:BEGUN]}" if is_run and version else ref


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
        *(("tainted", drawing.tainted_by(one)) for one in info.taints),
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
    styles = (Style.NAME, COUNT, COUNT, Style.TEXT, Style.NAME, Style.TIME)
    rows = [(item.ref, item.runs, item.live, item.goal, item.best, item.time) for item in items]
    shown = [(*row[:4], short(item.best), item.time) for row, item in zip(rows, items, strict=True)]
    return View(list(map(Column, words, styles)), rows, [item.ref for item in items], terminal_rows=shown)


def goal(result: GoalInfo) -> View:
    """After `exp set-goal`."""
    verb = "set" if result.changed else "unchanged"
    return View((), (), result.refs, f"{verb} the goal of {result.ref}: {result.direction} {result.metric}")
