"""Metrics of a run that are logged by a call of the command line: one line, with nothing else looked at."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from mlreg.errors import UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.journal import MAX_LINE, spelled
from mlreg.formats.names import quoted
from mlreg.formats.run import check_name
from mlreg.registry.logged_values import step_of
from mlreg.registry.run_place import Place

Point = tuple[Mapping[str, float], int | None]
"""Values of metrics, and their step if it is given."""


def say_metrics(place: Place, run: str, points: Iterable[Point]) -> int:
    """Log values of metrics; return how many times.

    Args:
        place: where the run lives.
        run: its id or the beginning of it.
        points: without a step, a metric gets the one behind its last.

    Raises:
        NotFoundError: `run_missing`.
        UsageError: `bad_run_name`, `bad_step`; what came before is logged.
    """
    journal = place.journal(run, lives=False)
    written = 0
    try:
        for record in _records(place, run, points):
            journal.say(record)
            written += 1
    finally:
        journal.close()
    return written


def _records(place: Place, run: str, points: Iterable[Point]) -> Iterator[dict[str, Any]]:
    next_steps: dict[str, int] = {}
    for metrics, given in points:
        for name in metrics:
            check_name(name, "metric")
        if given is None and not next_steps:
            next_steps = _next_steps(place, run)
        step = step_of(max((next_steps.get(name, 0) for name in metrics), default=0) if given is None else given)
        next_steps.update(dict.fromkeys(metrics, step + 1))
        values = {name: spelled(value) for name, value in metrics.items()}
        yield {"metrics": values, "step": step, "time": int(time.time() * 1000)}


def _next_steps(place: Place, run: str) -> dict[str, int]:
    state = place.find(run).state
    found = {name: series.steps[-1] + 1 for name, series in state.metrics.items()}
    if not state.resumes:
        return found
    from mlreg.registry.resuming import before  # which needs all that reads

    return {**before(place, state).steps, **found}


def read_values(pairs: Iterable[str]) -> dict[str, float]:
    """Return the values of metrics as they are typed: `loss=0.25`.

    Raises:
        UsageError: `bad_metric`.
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.rpartition("=")
        try:
            if not equals:
                raise ValueError
            found[name] = float(text)
        except ValueError as error:
            raise UsageError(
                "bad_metric", f"{quoted(pair)} is not NAME=NUMBER", fix="write it like loss=0.25"
            ) from error
    return found


def read_lines(file: IO[bytes] | None) -> Iterator[Point]:
    """Yield the points of JSON lines: `{"loss": 0.25, "step": 3}`; an empty line is passed over.

    Args:
        file: in UTF-8; None holds nothing.

    Raises:
        UsageError: `bad_metric`, with the number of the line; what stands before it was yielded.
    """
    lines = iter(lambda: file.readline(MAX_LINE + 1), b"") if file else iter(())
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            point = _point(_json(line))
        except (ValueError, RecursionError, OverflowError, UsageError) as error:
            why, fix = f"{error}; what stands before it is logged", 'write it like {"loss": 0.25, "step": 3}'
            raise UsageError("bad_metric", f"line {number} holds no metrics", why=why, fix=fix) from error
        yield point


def _json(line: bytes) -> Any:  # noqa: ANN401 - anything may stand there
    if len(line) > MAX_LINE:
        raise ValueError(f"it has more than {MAX_LINE} bytes")
    return json.loads(line.decode())


def _point(values: Any) -> Point:  # noqa: ANN401 - anything may stand there
    if not isinstance(values, dict):
        raise ValueError("it is no object")
    step = values.pop("step", None)
    if step is not None and (type(step) is not int or abs(step) > MAX_INTEGER):
        raise ValueError("its step is no whole number")
    if wrong := [
        name for name, value in values.items() if isinstance(value, bool) or not isinstance(value, int | float)
    ]:
        raise ValueError(f"{quoted(wrong[0])} is no number")
    for name in values:
        check_name(name, "metric")
    return {name: float(value) for name, value in values.items()}, step
