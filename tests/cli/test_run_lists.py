"""How runs look in a list."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.cli import run_views
from mlreg.registry.run_results import RunInfo, info_of

PARAMS, METRICS = -1, -2


def run(params: dict[str, Any], metrics: dict[str, Any] | None = None) -> RunInfo:
    document: dict[str, Any] = dict.fromkeys(RunInfo._fields, "")
    known = {"ranges": {}, "labels": {}, "facts": {}, "inputs": (), "params": params, "metrics": metrics or {}}
    return info_of({**document, **known, "seconds": 1.0})


def cells(runs: list[RunInfo], at: int) -> list[object]:
    return [row[at] for row in run_views.listed(runs).rows]


@pytest.mark.parametrize(
    ("several", "shown"),
    [
        ([], []),
        ([{"lr": 0.1}], [""]),
        ([{"lr": 0.1, "seed": 1}, {"lr": 0.1, "seed": 2}], ["seed=1", "seed=2"]),
        ([{"lr": 0.1}, {"lr": 0.1}, {"lr": 0.1, "seed": 2}], ["", "", "seed=2"]),
        ([{"lr": 0.1}, {"lr": 0.1}, {}], ["lr=0.1", "lr=0.1", ""]),
        ([{"optim": {"lr": 0.1}}, {"optim": {"lr": 0.2}}], ["optim.lr=0.1", "optim.lr=0.2"]),
        ([{"b": 1, "a": 1}, {"a": 2, "b": 2}], ["a=1 b=1", "a=2 b=2"]),
    ],
)
def test_a_list_of_runs_shows_the_params_in_which_they_differ_and_no_others(
    several: list[dict[str, Any]], shown: list[str]
) -> None:
    assert cells([run(params) for params in several], PARAMS) == shown


def test_a_list_of_runs_shows_all_metrics_but_the_load_of_the_machine() -> None:
    assert cells([run({}, {"system/cpu": 99.5, "auc": 0.91234567, "loss": "NaN"})], METRICS) == [
        "auc=0.912346 loss=NaN"
    ]
