"""Projects to report on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.registry import ExperimentRegistry, noting
from mlreg.registry.reporting import Asked, Report, gather
from mlreg.web.report import page

ANN = "Ann Lee <ann@example.org>"
CARD = """# Churn model

Finds customers who *leave*, **soon**; see `train.py` and [the paper](https://example.org/churn).

- first
- second

| split | auc |
|---|---|
| test | 0.91 |

```
loss < 1 && auc > 0
```
"""


class Project(NamedTuple):
    """A registry, and a report on it."""

    registry: ExperimentRegistry
    report: Report
    file: Path

    def names(self, where: str) -> set[str]:
        """Return the names of the runs that an expression fits, as the command line would list them."""
        return {run.name for run in self.registry.list_runs(where=where)}


def report_on(registry: ExperimentRegistry, refs: Sequence[str] = (), title: str = "") -> Project:
    """Write a report on all experiments, models and datasets, or on some refs."""
    all_of_them = [entry.ref for entry in registry.registry.entries()]
    report = gather(registry.place, Asked(refs or all_of_them, title=title))
    file = Path(registry.registry.path).parent / f"report{' titled' * bool(title)}.html"
    file.write_text(page(report), encoding="utf-8")
    return Project(registry, report, file)


def log_run(
    registry: ExperimentRegistry,
    name: str,
    params: Mapping[str, object],
    curves: Mapping[str, Sequence[float]],
    **surroundings: Any,
) -> str:
    """Log a run of the experiment churn, unless another is named, and return its ref."""
    experiment = surroundings.pop("experiment", "churn")
    status = surroundings.pop("status", "finished")
    with registry.start_experiment(experiment, run_name=name, params=params, **surroundings) as run:
        for metric, values in curves.items():
            for step, value in enumerate(values):
                run.log_metrics({metric: value}, step)
        return run.finish(status).ref


def churn(registry: ExperimentRegistry) -> None:
    """Fill a registry with twelve runs with curves, a dataset, two models, a card and notes."""
    file = Path(registry.registry.path).parent / "rows.csv"
    file.write_text("1,2\n")
    registry.registry.add("data/rows", [file], version="2026.01.01")
    registry.set_goal("churn", "auc", "max")
    refs = []
    for number in range(12):
        params = {
            "lr": 10.0 ** -(number % 4 + 1),
            "optim": {"name": "adam" if number % 2 else "sgd"},
            "seed": number % 3,
        }
        curves = {
            "auc": [0.5 + number / 40 + step / 600 for step in range(60)],
            "loss": [2 * math.exp(-step / (10 + number)) + 0.01 for step in range(60)],
            "system/cpu": [50.0 + number, 60.0],
            "last": [float(number)],
        }
        status = "failed" if number == 3 else "finished"
        inputs = [("data", "data/rows@latest")] if number < 9 else []
        refs.append(
            log_run(registry, f"try-{number}", params, curves, status=status, inputs=inputs, tags={"team": "vision"})
        )
    for version, ref in (("1.0.0", refs[4]), ("1.1.0", refs[8])):
        metadata = {"metrics": {"auc": 0.9}, "card": CARD, "description": "finds who leaves"}
        inputs = [("run", ref), ("data", "data/rows@latest")]
        registry.registry.add(
            "model/churn", [file], version=version, inputs=inputs, metadata=metadata, tags=["production"]
        )
    noting.add(registry.registry, refs[8], "the best one\nso *far*")
    noting.add(registry.registry, "exp/churn", "all of them with the old split")


VALUES: tuple[object, ...] = (
    *(0, 1, -1, 3, 0.1, 1e-3, 1.5, 1e300, 5e-324, -0.0, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 1e16),
    *("", "adam", "Adam", "ADAM W", "a_b", "a%b", "it's", 'say "x"', "1", "true", "null", "NaN", "Infinity"),
    *("straße", "STRASSE", "\U0001f600", "\ue000", "ﬀ", "İ", "ΣΑΣ", "a\tb", "x\ny", "`tick`", "constructor"),
    *(True, False, None, [1, 2, "a"], [], [True, None, [1]], [2**60], {}, {"name": "adam", "deep": {"er": 1}}),
)
"""Of params and labels."""
METRICS = (0.5, 0.9, 0.95, -1.0, 0.0, 1e300, 1e-300, math.nan, math.inf, -math.inf, 7.0)


def mixed(registry: ExperimentRegistry) -> None:
    """Fill a registry with runs that have values of all sorts."""
    for number, value in enumerate(VALUES):
        params = {"x": value, "lr": 10.0 ** -(number % 5), "a b": number % 4, "constructor": number % 2 == 0}
        metric = METRICS[number % len(METRICS)]
        log_run(
            registry,
            f"run {number}",
            params if number % 5 else {"x": value, "__proto__": 1},
            {"auc": [0.1, metric], "one": [metric], "val/loss": [1.0, 0.5, 0.7]} if number % 7 else {},
            experiment="mixed" if number % 3 else "other",
            status=("finished", "failed", "killed")[number % 3],
            tags={"team": value, "owner": "ann"},
            group=f"g{number % 4}" if number % 4 else "",
        )
    registry.open_run("mixed").describe(name="open")


def many(registry: ExperimentRegistry) -> None:
    """Fill a registry with more runs than are chosen at first."""
    for number in range(60):
        log_run(registry, f"run {number}", {"n": number}, {})
