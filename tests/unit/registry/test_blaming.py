"""Blame names the step at which a metric got worse, and of what changed there what others are innocent of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import MlregError
from mlreg.registry.annotating import rename
from mlreg.registry.comparisons import Blame, Fall
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.measured import Measured
from mlreg.registry.run_results import RunInfo
from tests.unit.registry.sample_runs import ANN, make, refs, seal


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    return make(tmp_path)


def blame(experiments: ExperimentRegistry, ref: str = "exp/churn", **asked: Any) -> Blame:
    return experiments.blame(ref, asked.pop("metric", "auc"), **asked)


def only(found: Blame) -> Fall:
    (fall,) = found.falls
    return fall


def steps(found: Blame) -> list[tuple[str, str]]:
    return [(fall.before, fall.after) for fall in found.falls]


def names(fall: Fall) -> list[str]:
    return [one.name for one in fall.suspects]


def code(experiments: ExperimentRegistry, ref: str, **asked: Any) -> str:
    with pytest.raises(MlregError) as caught:
        blame(experiments, ref, **asked)
    assert caught.value.fix
    return caught.value.code


# Where it fell.


def test_without_a_metric_that_of_the_goal_is_looked_at(experiments: ExperimentRegistry) -> None:
    for value in (0.9, 0.8):
        seal(experiments, {"auc": value, "loss": 1 - value})
    with pytest.raises(MlregError) as caught:
        experiments.blame("exp/churn")
    assert (caught.value.code, caught.value.fix[:2]) == ("no_metric", ("-m auc", "-m loss"))

    experiments.set_goal("churn", "loss", "min")

    assert (experiments.blame("exp/churn").metric, len(experiments.blame("exp/churn").falls)) == ("loss", 1)
    assert experiments.blame("exp/churn", "auc").metric == "auc"


def test_the_largest_fall_comes_first_and_what_rose_is_none(experiments: ExperimentRegistry) -> None:
    runs = [seal(experiments, {"auc": value}) for value in (0.9, 0.8, 0.95, 0.5, 0.5, 0.45)]

    found = blame(experiments)

    assert steps(found) == [(runs[at].ref, runs[at + 1].ref) for at in (2, 0, 4)]
    assert [fall.delta for fall in found.falls] == pytest.approx([-0.45, -0.1, -0.05])
    assert (found.looked_at, found.passed_over, found.better, found.better_by) == (6, 0, "max", "name")
    assert steps(blame(experiments, limit=1)) == steps(found)[:1]


def test_of_equal_falls_the_last_comes_first(experiments: ExperimentRegistry) -> None:
    runs = [seal(experiments, {"auc": value}) for value in (0.75, 0.5, 0.75, 0.5)]

    assert steps(blame(experiments)) == [(runs[2].ref, runs[3].ref), (runs[0].ref, runs[1].ref)]


def test_only_what_came_before_the_run_that_is_asked_for_is_looked_at(experiments: ExperimentRegistry) -> None:
    runs = [seal(experiments, {"auc": value}) for value in (0.9, 0.8, 0.1)]
    seal(experiments, {"auc": 0}, experiment="other")

    assert steps(blame(experiments, runs[1].id)) == [(runs[0].ref, runs[1].ref)]
    assert blame(experiments, runs[0].ref).falls == ()
    assert blame(experiments, runs[0].ref).looked_at == 1


def test_runs_without_the_metric_and_runs_that_failed_are_passed_over(experiments: ExperimentRegistry) -> None:
    first = seal(experiments, {"auc": 0.9})
    seal(experiments, {"loss": 1})
    seal(experiments, {"auc": 0.1}, status="failed")
    last = seal(experiments, {"auc": 0.8})

    found = blame(experiments)

    assert steps(found) == [(first.ref, last.ref)]
    assert (found.looked_at, found.passed_over) == (2, 1)


def test_a_run_that_is_open_or_failed_may_be_asked_for(experiments: ExperimentRegistry) -> None:
    first = seal(experiments, {"auc": 0.9})
    failed = seal(experiments, {"auc": 0.8}, status="failed")
    run = experiments.open_run("churn")
    run.log_metric("auc", 0.7)

    assert steps(blame(experiments, failed.ref)) == [(first.ref, failed.ref)]
    assert steps(blame(experiments, run.id)) == [(first.ref, run.ref)]


def test_a_run_that_went_on_after_it_was_sealed_is_looked_at_as_it_was_and_as_it_is(
    experiments: ExperimentRegistry,
) -> None:
    run = seal(experiments, {"auc": 0.9})
    resumed = experiments.resume(run.id)
    resumed.log_metric("auc", 0.5)
    later = resumed.finish()

    assert steps(blame(experiments)) == [(run.ref, later.ref)]
    assert blame(experiments, run.ref).looked_at == 1


def test_a_run_that_was_removed_is_not_looked_at(experiments: ExperimentRegistry) -> None:
    runs = [seal(experiments, {"auc": value}) for value in (0.9, 0.1, 0.8)]
    experiments.registry.remove([runs[1].ref])

    assert steps(blame(experiments)) == [(runs[0].ref, runs[2].ref)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_any_more_has_fallen_furthest(value: float, experiments: ExperimentRegistry) -> None:
    runs = [seal(experiments, {"loss": loss}) for loss in (0.1, 99, value, value, 0.2)]

    found = blame(experiments, metric="loss")

    assert steps(found) == [(runs[1].ref, runs[2].ref), (runs[0].ref, runs[1].ref)]
    assert (found.better, found.falls[0].delta) == ("min", None)
    assert found.falls[0].value_after in ("NaN", "Infinity")


def test_what_is_better_is_what_is_asked_for_or_the_goal_or_the_name(experiments: ExperimentRegistry) -> None:
    for value in (1, 2, 1):
        seal(experiments, {"auc": value, "speed": value})

    assert code(experiments, "exp/churn", metric="speed") == "no_direction"
    assert blame(experiments, metric="speed", direction="max").better_by == "option"
    assert blame(experiments, metric="auc").better == "max"
    experiments.set_goal("churn", "auc", "min")
    rename(experiments.registry, "exp/churn", "exp/retention")
    found = blame(experiments, "exp/retention")
    assert (found.better, found.better_by, found.falls[0].delta) == ("min", "goal", 1.0)
    assert blame(experiments, "exp/churn", direction="max").falls[0].delta == -1.0


def test_what_cannot_be_answered_says_why(experiments: ExperimentRegistry) -> None:
    seal(experiments, {"auc": 1})

    assert code(experiments, "exp/churn", metric="f1") == "no_such_metric"
    assert code(experiments, "exp/churn", direction="up") == "bad_direction"
    assert code(experiments, "exp/nothing") == "ref_not_found"
    assert code(experiments, "data/rows") == "no_such_metric"


# What changed there.


def test_everything_that_may_be_to_blame_is_named_with_what_it_was_and_became(experiments: ExperimentRegistry) -> None:
    def run(number: int, auc: float) -> RunInfo:
        facts = {
            "code": {"commit": f"{number}" * 40, "dirty": bool(number), "diff": "d" * number},
            "command": ["python", "train.py", str(number)],
            "platform": "Linux",
        }
        given = [("train", f"data/rows@{number + 1}.0.0"), ("base", f"data/rows@{number + 1}.0.0")]
        packages = f"numpy=={number}.0 wheel==1"
        return seal(experiments, {"auc": auc}, {"lr": number}, inputs=given, facts=facts, packages=packages)

    run(0, 0.9), run(1, 0.8)

    fall = only(blame(experiments))

    # In the order in which a person looks: data and base, code, params, packages, the rest.
    assert names(fall) == [
        *("inputs.base", "inputs.train", "facts.code.commit", "facts.code.diff", "facts.code.dirty", "params.lr"),
        *("packages.numpy", "facts.command"),
    ]
    assert [(one.before, one.after) for one in fall.suspects if one.name in ("params.lr", "packages.numpy")] == [
        (0, 1),
        ("0.0", "1.0"),
    ]


def test_what_changed_without_harm_elsewhere_is_less_suspicious(experiments: ExperimentRegistry) -> None:
    rows = ("data/rows@1.0.0", "data/rows@2.0.0")
    for seed, data, auc in ((1, 0, 0.9), (2, 0, 0.91), (3, 0, 0.92), (4, 1, 0.7)):
        seal(experiments, {"auc": auc}, {"a_seed": seed}, inputs=[("train", rows[data])])

    fall = only(blame(experiments))

    assert [(one.name, one.changed_elsewhere, one.as_good) for one in fall.suspects] == [
        ("inputs.train", 0, 0),
        ("params.a_seed", 2, 0),
    ]


def test_what_a_good_run_has_too_is_not_to_blame(experiments: ExperimentRegistry) -> None:
    # Both changed at the fall; later lr alone is set back, and all is well.
    for data, lr, auc in ((1, 0.1, 0.9), (2, 0.5, 0.7), (2, 0.1, 0.9)):
        seal(experiments, {"auc": auc}, {"lr": lr}, inputs=[("train", f"data/rows@{data}.0.0")])

    fall = only(blame(experiments))

    assert [(one.name, one.changed_elsewhere, one.as_good) for one in fall.suspects] == [
        # That it was changed back, and the metric rose, does not speak for it.
        ("params.lr", 0, 0),
        ("inputs.train", 0, 1),
    ]


def test_where_nothing_that_is_known_changed_nobody_is_named(experiments: ExperimentRegistry) -> None:
    seal(experiments, {"auc": 0.9}, {"lr": 1, "same": [1, {"a": None}]})
    seal(experiments, {"auc": 0.8}, {"lr": 1.0, "same": [1, {"a": None}]})

    assert only(blame(experiments)).suspects == ()


@given(
    st.lists(
        st.tuples(st.floats(0, 1) | st.just(math.nan), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8
    )
)
def test_a_step_is_named_if_and_only_if_the_metric_got_worse_with_all_that_changed(
    rows: list[tuple[float, int, int]],
) -> None:
    from mlreg.registry import blaming

    way = [_measured(at, {"metrics.auc": auc, "params.a": a, "params.b": b}) for at, (auc, a, b) in enumerate(rows)]
    points = [point for run in way if (point := blaming._point(run, "auc", "max"))]
    walked = list(blaming._steps(points))

    worse = [at for at in range(len(rows) - 1) if _rank(rows[at + 1][0]) < _rank(rows[at][0])]
    assert [at for at, step in enumerate(walked) if step.fall] == worse
    for at, step in enumerate(walked):
        changed = {name for name, place in (("params.a", 1), ("params.b", 2)) if rows[at][place] != rows[at + 1][place]}
        assert set(step.changed) == changed
        if step.fall:
            found = blaming._fall(step, walked, points)
            assert {one.name for one in found.suspects} == changed
            keys = [(one.as_good > 0, one.changed_elsewhere) for one in found.suspects]
            assert keys == sorted(keys)


def _measured(number: int, facts: dict[str, Any]) -> Measured:
    return Measured(f"exp/churn@{number}", "", "finished", "", "churn", None, facts, ())  # type: ignore[arg-type]  # it is not read


def _rank(value: float) -> float:
    return -math.inf if math.isnan(value) else value


# Versions.


def versions(experiments: ExperimentRegistry, tmp_path: Path, runs: Sequence[RunInfo]) -> list[str]:
    """Register a version of a model for each run, made by it."""
    found = []
    for number, run in enumerate(runs):
        file = tmp_path / "weights"
        file.write_text(str(number))
        inputs = [("run", run.ref), ("base", f"data/rows@{1 + number // 2}.0.0")]
        added = experiments.registry.add("model/churn", [file], version=f"1.{number}.0", inputs=inputs)
        found.append(added.version.ref)
    return found


def test_versions_of_a_model_are_judged_by_the_runs_that_made_them(
    experiments: ExperimentRegistry, tmp_path: Path
) -> None:
    runs = [seal(experiments, {"auc": value}, {"lr": value > 0.8}) for value in (0.9, 0.85, 0.5)]
    made = versions(experiments, tmp_path, runs)

    found = blame(experiments, "model/churn@latest", limit=1)

    assert steps(found) == [(made[1], made[2])]
    # That each was made by another run is not to blame.
    assert names(only(found)) == ["inputs.base", "params.lr"]
    assert steps(blame(experiments, made[1])) == [(made[0], made[1])]


def test_metrics_that_were_stated_of_a_version_come_before_those_of_its_run(
    experiments: ExperimentRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "weights"
    run = seal(experiments, {"auc": 0.9})
    for number, auc in enumerate((0.5, 0.7)):
        file.write_text(str(number))
        metadata = {"metrics": {"auc": auc, "val": {"f1": 1 - number}}}
        inputs = [("run", run.ref)]
        experiments.registry.add("model/other", [file], version=f"{number}.0.0", metadata=metadata, inputs=inputs)

    assert blame(experiments, "model/other").falls == ()
    assert only(blame(experiments, "model/other", metric="val.f1")).delta == -1


def test_a_remote_is_asked_where_it_is(experiments: ExperimentRegistry, tmp_path: Path) -> None:
    runs = [seal(experiments, {"auc": value}) for value in (0.9, 0.8)]
    made = versions(experiments, tmp_path, runs)
    here = ExperimentRegistry(make(tmp_path / "here").registry.path, ANN, remotes={"origin": experiments.registry.path})

    assert steps(blame(here, "origin::exp/churn")) == [tuple(f"origin::{ref}" for ref in refs(runs))]
    assert steps(blame(here, "origin::model/churn")) == [tuple(f"origin::{ref}" for ref in made)]
