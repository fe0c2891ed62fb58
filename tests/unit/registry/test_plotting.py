"""What pictures show is what was logged: nothing is lost by thinning, and nothing is passed over in silence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import MlregError
from mlreg.registry import annotating, plotting
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.plotting import Chosen, Curve, metric_of
from tests.unit.registry.sample_runs import ANN, make, seal


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    return make(tmp_path)


def curves(experiments: ExperimentRegistry, metric: str = "loss", *refs: str, **asked: Any) -> list[Curve]:
    return plotting.curves(experiments.place, Chosen(refs, "" if refs else "churn"), metric, **asked)


def code(experiments: ExperimentRegistry, metric: str = "loss", *refs: str, **asked: Any) -> str:
    with pytest.raises(MlregError) as caught:
        curves(experiments, metric, *refs, **asked)
    return caught.value.code


def test_a_curve_has_the_points_of_a_run_by_step(experiments: ExperimentRegistry) -> None:
    run = seal(experiments, {"loss": [3.0, 1.0, 2.0]}, name="first")

    (curve,) = curves(experiments)

    assert curve[:5] == (run.ref, "first", (0.0, 1.0, 2.0), (3.0, 1.0, 2.0), ())
    assert (curve.points, curve.not_finite, curve.last) == (3, 0, 2.0)


def test_what_is_not_finite_is_counted_and_the_last_value_told_as_it_is(experiments: ExperimentRegistry) -> None:
    seal(experiments, {"loss": [3.0, math.nan, math.inf, 2.0, -math.inf]})

    (curve,) = curves(experiments, smoothing=0.5)

    assert (curve.x, curve.y, curve.not_finite, curve.last) == ((0.0, 3.0), (3.0, 2.0), 3, "-Infinity")
    # The average passes over it, too.
    assert curve.smooth == pytest.approx((3.0, (0.25 * 3 + 0.5 * 2) / 0.75))


def test_of_many_points_the_peaks_are_drawn(experiments: ExperimentRegistry) -> None:
    values = [float(at % 7) for at in range(plotting.MOST_POINTS * 3)]
    values[4321] = 99.0
    values[1234] = -99.0
    with experiments.start_experiment("churn") as run:
        for value in values:
            run.log_metric("loss", value)

    (curve,) = curves(experiments)

    assert len(curve.y) <= plotting.MOST_POINTS < curve.points == len(values)
    assert (max(curve.y), min(curve.y), curve.x[0], curve.x[-1]) == (99.0, -99.0, 0.0, len(values) - 1.0)
    assert (4321.0, 99.0) in zip(curve.x, curve.y, strict=True)


def test_by_time_a_curve_begins_at_nought(experiments: ExperimentRegistry) -> None:
    seal(experiments, {"loss": [3.0, 1.0]})

    (curve,) = curves(experiments, axis=plotting.TIME)

    assert curve.x[0] == 0
    assert list(curve.x) == sorted(curve.x)


def test_an_open_run_and_one_of_a_remote_are_drawn_beside_sealed_ones(
    experiments: ExperimentRegistry, tmp_path: Path
) -> None:
    there = make(tmp_path / "there")
    remote = seal(there, {"loss": 1.0})
    here = ExperimentRegistry(experiments.registry.path, ANN, remotes={"origin": there.registry.path})
    sealed, run = seal(experiments, {"loss": 2.0}), experiments.open_run("churn")
    run.log_metric("loss", 3.0)

    found = curves(here, "loss", sealed.ref, run.id, f"origin::{remote.ref}")

    assert [curve.last for curve in found] == [2.0, 3.0, 1.0]


def test_runs_without_the_metric_are_left_out_and_if_none_has_it_the_others_are_named(
    experiments: ExperimentRegistry,
) -> None:
    run = seal(experiments, {"loss": 1.0})
    seal(experiments, {"auc": 1.0})
    annotating.correct(experiments.registry, run.ref, {"metrics": {"stated": 0.5}})

    assert [curve.ref for curve in curves(experiments)] == [run.ref]
    # It has a value, and no points.
    assert code(experiments, "stated") == "no_such_metric"
    with pytest.raises(MlregError) as caught:
        curves(experiments, "nothing")
    assert caught.value.fix[0] == "use -m auc"


@pytest.mark.parametrize("weight", [1.0, -0.1, math.nan, math.inf])
def test_a_weight_that_is_none_is_refused(weight: float, experiments: ExperimentRegistry) -> None:
    assert code(experiments, smoothing=weight) == "bad_smoothing"


def test_without_a_metric_that_of_the_goal_is_drawn(experiments: ExperimentRegistry) -> None:
    seal(experiments, {"auc": [0.5, 0.6], "loss": [2, 1]})
    place, chosen = experiments.place, Chosen(["exp/churn"])
    for asked, offered in (((), ("-m auc", "-m loss")), (("loss", "auc"), ("-m loss", "-m auc"))):
        with pytest.raises(MlregError) as caught:
            metric_of(place, chosen, asked)
        assert (caught.value.code, caught.value.fix) == ("no_metric", offered)

    experiments.set_goal("churn", "loss", "min")

    assert metric_of(place, chosen, ()) == "loss"
    assert metric_of(place, chosen, ["metrics.auc"]) == "auc"


def test_of_facts_runs_that_lack_one_are_left_out(experiments: ExperimentRegistry) -> None:
    run = seal(experiments, {"auc": 0.5}, {"lr": 1, "optim": {"name": "adam"}, "deep": True}, tags={"team": "a"})
    seal(experiments, {"auc": math.nan}, {"lr": 2})
    seal(experiments, {"loss": 1}, {"lr": 3})
    keys = ("params.lr", "metrics.auc", "params.optim.name", "params.deep", "tags.team", "attributes.status")

    found = plotting.table(experiments.place, Chosen(experiment="churn"), keys)

    assert (found.keys, found.refs) == (keys, (run.ref,))
    assert found.rows == ((1.0, 0.5, "adam", "True", "a", "finished"),)
    with pytest.raises(MlregError) as caught:
        plotting.table(experiments.place, Chosen(experiment="churn"), ("metrics.auc", "metrics.loss"))
    assert caught.value.code == "no_such_fact"


def test_a_run_that_is_named_twice_is_drawn_once_and_no_run_is_an_error(experiments: ExperimentRegistry) -> None:
    assert code(experiments) == "ref_not_found"
    run = seal(experiments, {"loss": 1.0})

    assert len(curves(experiments, "loss", run.ref, run.id, "exp/churn@latest")) == 1
    with pytest.raises(MlregError) as caught:
        plotting.curves(experiments.place, Chosen(experiment="churn", where="metrics.loss > 1"), "loss")
    assert caught.value.code == "nothing_to_plot"
