"""What is known of a run: as one document, and as flat facts by which runs are found, sorted and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlreg.formats.commit import Commit, Input
from mlreg.formats.journal import NOT_FINITE
from mlreg.formats.run import id_in
from mlreg.formats.run_summary import summary
from mlreg.operations.earlier_part import Earlier
from mlreg.operations.live_runs import LiveRun

FIELDS = (
    *("author", "ended", "experiment", "facts", "group", "id", "inputs", "labels", "max", "metrics", "min", "name"),
    *("params", "parent", "sealed", "seconds", "started", "status"),
)
"""What expressions may speak of: first words of facts."""
_TEXTS = ("name", "status", "started", "ended", "group", "parent")
_PLAIN = ("author", "ended", "experiment", "group", "id", "name", "parent", "sealed", "seconds", "started", "status")


def sealed_document(commit: Commit, stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a sealed run: the fields of `RunInfo`, as JSON values.

    Args:
        commit: of the run.
        stated: what statements about it add up to, beginning from its metadata.
    """
    about = _mapping(stated.get("metadata"))
    document = _document(commit.entry, commit.version, about, _mapping(stated.get("labels")), commit.inputs)
    return {**document, "author": commit.author, "sealed": True}


def live_document(run: LiveRun, earlier: Earlier) -> dict[str, Any]:
    """Return what is known of a run that is not sealed: the fields of `RunInfo`, as JSON values.

    Args:
        run: as its journals have it.
        earlier: what was sealed of it before it was resumed.
    """
    state = run.state
    about = summary(state, run.status, earlier.all_metrics(state), earlier=earlier.metadata)
    document = _document(f"exp/{state.experiment}", state.id, about, earlier.all_labels(state), earlier.inputs)
    inputs = [*document["inputs"], *({"role": one.role, "ref": one.ref, "id": one.commit} for one in state.inputs)]
    return {**document, "author": "", "sealed": False, "damaged": run.damaged, "inputs": inputs}


def _document(
    entry: str, version: str, about: Mapping[str, Any], labels: Mapping[str, Any], inputs: Iterable[Input]
) -> dict[str, Any]:
    run = _mapping(about.get("run"))
    seconds = run.get("seconds")
    return {
        "ref": f"{entry}@{version}",
        "id": id_in(version),
        "experiment": entry.partition("/")[2],
        **{name: str(run.get(name, "")) for name in _TEXTS},
        "seconds": seconds if isinstance(seconds, int | float) else 0.0,
        **{name: dict(_mapping(about.get(name))) for name in ("params", "metrics")},
        "ranges": {name: one for name, one in _mapping(about.get("ranges")).items() if isinstance(one, Mapping)},
        "labels": dict(labels),
        "inputs": [{"role": one.role, "ref": one.ref, "id": str(one.commit)} for one in inputs],
        "facts": {name: value for name, value in run.items() if name not in (*_TEXTS, "seconds")},
        "damaged": 0,
    }


def _mapping(value: object) -> Mapping[str, Any]:
    # Metadata may be someone else's work: what should be a mapping is one.
    return value if isinstance(value, Mapping) else {}


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings by dotted keys; a key may have dots of its own.

    >>> dict(flat({"optim": {"lr": 0.1}, "seed": 1}))
    {'optim.lr': 0.1, 'seed': 1}
    """
    for key, value in values.items():
        # Most are numbers, for which the first question takes a fifth of the time of the second.
        if type(value) is not float and isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def facts_of_run(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a run, by dotted keys that begin with one of `FIELDS`."""
    facts = {name: document[name] for name in _PLAIN}
    for name in ("params", "labels", "facts"):
        facts.update(flat(document[name], f"{name}."))
    facts.update((f"metrics.{name}", value) for name, value in document["metrics"].items())
    for end in ("min", "max"):
        # The range of a metric with one point is that point.
        facts.update((f"{end}.{name}", value) for name, value in document["metrics"].items())
        facts.update((f"{end}.{name}", one.get(end)) for name, one in document["ranges"].items())
    facts.update(_inputs(document["inputs"]))
    return facts


def _inputs(inputs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the refs of inputs by role: a list, where there are several in one."""
    found: dict[str, list[str]] = {}
    for one in inputs:
        found.setdefault(f"inputs.{one['role']}", []).append(one["ref"])
    return {role: refs if len(refs) > 1 else refs[0] for role, refs in found.items()}


def as_number(value: object) -> float | None:
    """Return a value of a metric as a number, NaN and infinities too; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    return NOT_FINITE.get(value) if isinstance(value, str) else None
