"""A process that is part of a run logs to that run; what it starts within it is a run of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.run import Run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return init(tmp_path, shared=False)[0]


@pytest.fixture
def outer(place: Path) -> Run:
    return ExperimentRegistry(place, "Ann").start_experiment("churn", params={"lr": 0.1})


def test_a_part_of_a_run_logs_to_it_and_leaves_its_end_to_others(place: Path, outer: Run) -> None:
    part = ExperimentRegistry(place, "Ann", run=outer.id)

    with part.start_experiment("churn", "what it is for") as run:
        run.log_metric("loss", 0.5)
        with pytest.raises(MlregError) as refused:
            run.log_param("lr", 0.2)
    sealed = outer.finish()

    assert refused.value.code == "param_differs"
    assert (run.id, sealed.parent, sealed.metrics) == (outer.id, "", {"loss": 0.5})


def test_runs_within_a_part_of_a_run_are_runs_of_their_own(place: Path, outer: Run) -> None:
    part = ExperimentRegistry(place, "Ann", run=outer.id)

    joined = part.start_experiment("churn")
    folds = [joined.start(f"fold {number}").finish() for number in range(2)]
    other = part.start_experiment("other").finish()
    named = part.start_experiment("churn", parent=other.id).finish()

    assert len({outer.id, *(fold.id for fold in folds), other.id, named.id}) == 5
    assert [fold.parent for fold in folds] == [outer.id, outer.id]
    assert (other.parent, named.parent) == (outer.id, other.id)


def test_a_run_that_was_resumed_knows_what_it_said_before(place: Path, outer: Run) -> None:
    outer.log_metric("loss", 0.5, 7)
    outer.finish()
    registry = ExperimentRegistry(place, "Ann")

    registry.reopen(outer.id)
    with registry.attach(outer.id) as part:
        part.log_metric("loss", 0.25)
        with pytest.raises(MlregError) as refused:
            part.log_param("lr", 0.2)
    registry.end(outer.id)

    assert refused.value.code == "param_differs"
    assert list(registry.get_metrics(outer.id)["loss"].steps) == [7, 8]
