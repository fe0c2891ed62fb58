"""The goal of an experiment, which is stated like a label, and the best run by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from mlreg.errors import NotFoundError
from mlreg.formats.annotation import about_entry, facts_of
from mlreg.formats.names import Entry
from mlreg.formats.run import check_name, id_in
from mlreg.formats.transaction import Transaction
from mlreg.operations.annotate import annotate
from mlreg.operations.naming import meant
from mlreg.operations.run_facts import as_number
from mlreg.operations.run_index import RunIndex, asked
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

FACT = "goal"
Direction = Literal["min", "max"]


class Goal(NamedTuple):
    """What makes one run better than another."""

    metric: str
    direction: Direction

    def is_better(self, one: float, other: float) -> bool:
        """Tell whether a value is better than another."""
        return one > other if self.direction == "max" else one < other


def goal_of(view: View, entry: Entry) -> Goal | None:
    """Return the goal that was declared for an experiment, under whatever name it has or had."""
    stated = facts_of(view.annotations(about_entry(meant(view, entry)))).get(FACT)
    if not isinstance(stated, Mapping):
        return None
    metric, direction = stated.get("metric"), stated.get("direction")
    return Goal(metric, direction) if isinstance(metric, str) and direction in ("min", "max") else None


def set_goal(repository: Repository, entry: Entry, goal: Goal, author: str) -> Transaction | None:
    """Declare what makes a run of an experiment better than another; None if it is declared already.

    Raises:
        UsageError: `bad_run_name`.
    """
    check_name(goal.metric, "metric")
    patch: dict[str, Any] = {FACT: goal._asdict()}
    message = f"goal of {entry}: {goal.direction} {goal.metric}"
    return annotate(repository, about_entry(entry), patch, author, message, lambda view: {})


def best_run(repository: Repository, entry: Entry) -> str:
    """Return the id of the best finished run of an experiment; of equally good ones, the first.

    Raises:
        NotFoundError: `no_goal`; `no_best`, no run has the metric.
    """
    goal = goal_of(repository.log.view, entry)
    if goal is None:
        raise NotFoundError(
            "no_goal", f"{entry} has no goal, and so no best run", fix=f"mlreg exp set-goal {entry.name} METRIC max"
        )
    best = asked(repository, lambda index: best_in(index, entry, goal))
    if best is None:
        why = f"its goal is {goal.direction} {goal.metric}, and no finished run has that metric"
        raise NotFoundError("no_best", f"{entry} has no best run", why=why, fix=f"mlreg run ls {entry.name}")
    return id_in(best)


def best_in(index: RunIndex, entry: Entry, goal: Goal) -> str | None:
    """Return the version of the best finished run of an experiment; None if none has a value of the metric."""
    values, status = index.column(f"metrics.{goal.metric}"), index.column("status")
    best: tuple[float, int] | None = None
    for number in reversed(index.numbers([entry.name])):
        value = as_number(values.get(number))
        if value is None or math.isnan(value) or status.get(number) != "finished":
            continue
        if best is None or goal.is_better(value, best[0]):
            best = (value, number)
    return str(index.documents([best[1]])[0]["ref"]).rpartition("@")[2] if best else None
