"""Runs to look for, compare and draw: short to make, and of known facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlreg.ids import ContentId
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.run_results import RunInfo

ANN = "Ann Lee <ann@example.org>"


def make(root: Path, *, cache: bool = True) -> ExperimentRegistry:
    """Return the experiments of a new repository with two datasets: data/rows@1.0.0 and data/rows@2.0.0."""
    place, _ = init(root / "project", shared=True)
    made = ExperimentRegistry(place, ANN, root / "cache" if cache else None, formats={"data": "semver"})
    for version in ("1.0.0", "2.0.0"):
        file = root / "rows.csv"
        file.write_text(version)
        made.registry.add("data/rows", [file], version=version)
    return made


def seal(
    experiments: ExperimentRegistry,
    metrics: Mapping[str, float | Sequence[float]],
    params: Mapping[str, object] | None = None,
    *,
    experiment: str = "churn",
    inputs: Sequence[tuple[str, str]] = (),
    facts: Mapping[str, Any] | None = None,
    packages: str = "",
    status: str = "finished",
    name: str = "",
    tags: Mapping[str, object] | None = None,
) -> RunInfo:
    """Return a run that was started, logged to and sealed.

    Args:
        experiments: where.
        metrics: values of each, a point for each value.
        params: of the run.
        experiment: its name.
        inputs: (role, ref).
        facts: what was found out about it.
        packages: its environment as `mlreg run exec` keeps it, `numpy==1.26.0`, lines separated by spaces.
        status: how it ends.
        name: what it is called.
        tags: labels.
    """
    run = experiments.start_experiment(experiment, run_name=name, params=params, tags=tags, inputs=inputs)
    for metric, values in metrics.items():
        for value in [values] if isinstance(values, int | float) else values:
            run.log_metric(metric, value)
    run.say_facts(facts or {})
    if packages:
        text = "\n".join(["python 3.12.1", *packages.split()]).encode()
        run.keep_file(text, "environment.txt")
        run.say_facts({"environment": str(ContentId.of(text))})
    return run.finish(status)


def refs(runs: Sequence[RunInfo]) -> list[str]:
    return [run.ref for run in runs]
