"""Runs side by side: only what differs, metrics beside a baseline, groups, and warnings in plain words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import MlregError
from mlreg.registry.annotating import rename
from mlreg.registry.comparisons import ComparedFact, ComparedMetric, Comparison
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.measured import mark
from tests.unit.registry.sample_runs import make, refs, seal


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    return make(tmp_path)


def metric(found: Comparison, name: str) -> ComparedMetric:
    (one,) = [one for one in found.metrics if one.name == name]
    return one


def code(experiments: ExperimentRegistry, *texts: str, **asked: object) -> str:
    with pytest.raises(MlregError) as caught:
        experiments.compare(*texts, **asked)  # type: ignore[arg-type]  # what a test asks for
    return caught.value.code


# What differs.


def test_params_that_are_equal_everywhere_are_left_out_and_the_others_stand_in_the_order_of_the_runs(
    experiments: ExperimentRegistry,
) -> None:
    one = seal(experiments, {"auc": 0.9}, {"lr": 0.1, "optim": {"beta": 0.9, "eps": 1}, "seed": 1})
    other = seal(experiments, {"auc": 0.8}, {"lr": 0.1, "optim": {"beta": 0.5, "eps": 1.0}, "depth": 3})

    found = experiments.compare(other.ref, one.ref)

    # 1 and 1.0 are one number; what one run lacks is null there.
    assert found.params == (
        ComparedFact("params.depth", (3, None)),
        ComparedFact("params.optim.beta", (0.5, 0.9)),
        ComparedFact("params.seed", (None, 1)),
    )


def test_a_pattern_chooses_params_and_metrics(experiments: ExperimentRegistry) -> None:
    runs = [seal(experiments, {"val/auc": n, "loss": n, "system/cpu": n}, {"optim.lr": n, "seed": n}) for n in (1, 2)]

    found = experiments.compare(*refs(runs), params="optim.*", metrics="val*")

    assert [one.name for one in found.params] == ["params.optim.lr"]
    assert [one.name for one in found.metrics] == ["val/auc"]
    assert [one.name for one in experiments.compare(*refs(runs)).metrics] == ["loss", "val/auc"]
    assert [one.name for one in experiments.compare(*refs(runs), metrics="system/*").metrics] == ["system/cpu"]


def test_several_patterns_choose_with_commas_or_one_by_one_and_with_their_first_word(
    experiments: ExperimentRegistry,
) -> None:
    runs = [seal(experiments, {"val/auc": n, "loss": n, "mse": n}, {"optim.lr": n, "seed": n, "n": 1}) for n in (1, 2)]

    def shown(metrics: str | list[str], params: str | list[str]) -> tuple[list[str], list[str]]:
        found = experiments.compare(*refs(runs), metrics=metrics, params=params)
        return [one.name for one in found.metrics], [one.name for one in found.params]

    both = (["loss", "val/auc"], ["params.optim.lr", "params.seed"])
    assert shown("val/*,loss", "seed,optim.*") == both
    assert shown(["loss", " metrics.val/auc , "], ["params.seed", "params.optim.lr"]) == both
    # What does not differ is known all the same.
    assert shown("loss", "n") == (["loss"], [])
    assert shown([], []) == (["loss", "mse", "val/auc"], both[1])


def test_a_pattern_that_fits_nothing_is_refused_with_what_is_near(experiments: ExperimentRegistry) -> None:
    runs = refs([seal(experiments, {"val.auc": n, "loss": n}, {"optim.lr": n}) for n in (1, 2)])

    for asked, missing, near in (
        ({"metrics": "loss,lsos"}, "no_such_metric", "--metrics loss"),
        ({"metrics": ["auc"]}, "no_such_metric", "--metrics val.auc"),
        ({"params": "params.lr"}, "no_such_fact", "--params optim.lr"),
        ({"params": "x*"}, "no_such_fact", "--params optim.lr"),
    ):
        with pytest.raises(MlregError) as caught:
            experiments.compare(*runs, **asked)
        assert (caught.value.code, caught.value.fix[0]) == (missing, near)
    assert "val.auc" in caught.value.why or "optim.lr" in caught.value.why


def test_code_that_differs_and_inputs_that_are_others_are_named(experiments: ExperimentRegistry) -> None:
    facts = {"command": ["python", "train.py"], "code": {"commit": "a" * 40, "dirty": False}}
    dirty = {**facts, "code": {"commit": "a" * 40, "dirty": True, "diff": "d" * 64}}
    one = seal(experiments, {"auc": 0.9}, inputs=[("train", "data/rows@1.0.0")], facts=facts)
    other = seal(experiments, {"auc": 0.8}, inputs=[("train", "data/rows@2.0.0")], facts=dirty)

    found = {one.name: one.values for one in experiments.compare(one.ref, other.ref).surroundings}

    assert {name: value for name, value in found.items() if name != "inputs.train"} == {
        "facts.code.diff": (None, "d" * 64),
        "facts.code.dirty": (False, True),
    }
    assert [str(value).partition(" ")[0] for value in found["inputs.train"]] == ["data/rows@1.0.0", "data/rows@2.0.0"]


def test_an_input_that_was_renamed_since_is_no_other_one(experiments: ExperimentRegistry) -> None:
    one = seal(experiments, {"auc": 0.9}, inputs=[("test", "data/rows@1.0.0")])
    rename(experiments.registry, "data/rows", "data/lines")
    other = seal(experiments, {"auc": 0.8}, inputs=[("test", "data/lines@1.0.0")])

    found = experiments.compare(one.ref, other.ref)

    assert (found.surroundings, found.warnings) == ((), ())


def test_all_inputs_of_a_role_are_compared_and_not_the_last_one(experiments: ExperimentRegistry) -> None:
    both = [("train", "data/rows@1.0.0"), ("train", "data/rows@2.0.0")]
    one, other = seal(experiments, {"auc": 1}, inputs=both), seal(experiments, {"auc": 1}, inputs=both[1:])

    (fact,) = experiments.compare(one.ref, other.ref).surroundings

    assert (fact.name, str(fact.values[0]).count("data/rows@")) == ("inputs.train", 2)


def test_environments_differ_by_packages_where_their_lists_are_known(experiments: ExperimentRegistry) -> None:
    one = seal(experiments, {"auc": 0.9}, packages="numpy==1.26.0 torch==2.1.0 wheel==0.4")
    other = seal(experiments, {"auc": 0.8}, packages="numpy==2.0.0 scipy==1.13 wheel==0.4")

    assert experiments.compare(one.ref, other.ref).surroundings == (
        ComparedFact("packages.numpy", ("1.26.0", "2.0.0")),
        ComparedFact("packages.scipy", (None, "1.13")),
        ComparedFact("packages.torch", ("2.1.0", None)),
    )


@pytest.mark.parametrize("forged", ["0" * 64, "no id", "", "é"])
def test_environments_differ_by_their_ids_where_a_list_is_not_here(
    forged: str, experiments: ExperimentRegistry
) -> None:
    one = seal(experiments, {"auc": 0.9}, packages="numpy==1.26.0")
    other = seal(experiments, {"auc": 0.8}, facts={"environment": forged})

    assert [fact.name for fact in experiments.compare(one.ref, other.ref).surroundings] == ["facts.environment"]


# Metrics.


def test_deltas_are_those_from_the_baseline_which_is_the_first_run_or_the_one_that_is_named(
    experiments: ExperimentRegistry,
) -> None:
    runs = [seal(experiments, {"auc": value}) for value in (0.5, 0.75, 0.25)]

    first = experiments.compare(*refs(runs))
    named = experiments.compare(*refs(runs), baseline=runs[1].id)

    assert (first.baseline, metric(first, "auc").deltas) == (runs[0].ref, (0.0, 0.25, -0.25))
    assert (named.baseline, metric(named, "auc").deltas) == (runs[1].ref, (-0.25, 0.0, -0.5))
    assert code(experiments, runs[0].ref, baseline=runs[1].ref) == "no_baseline"


def test_a_value_that_is_missing_or_not_finite_is_shown_and_has_no_delta(experiments: ExperimentRegistry) -> None:
    values = (0.5, math.nan, math.inf, -math.inf)
    runs = [*(seal(experiments, {"auc": value}) for value in values), seal(experiments, {"loss": 1})]

    found = metric(experiments.compare(*refs(runs)), "auc")

    assert found.values == (0.5, "NaN", "Infinity", "-Infinity", None)
    assert found.deltas == (0.0, None, None, None, None)
    assert found.best == (2,)


@pytest.mark.parametrize(
    ("goal", "better", "best"),
    [(None, "max", (1, 2)), (("auc", "min"), "min", (0,)), (("loss", "min"), "max", (1, 2))],
)
def test_the_best_is_that_of_the_goal_or_else_of_the_name(
    goal: tuple[str, str] | None, better: str, best: tuple[int, ...], experiments: ExperimentRegistry
) -> None:
    runs = [seal(experiments, {"auc": value, "speed": value}) for value in (0.5, 0.75, 0.75)]
    if goal:
        experiments.set_goal("churn", *goal)

    found = experiments.compare(*refs(runs))

    assert (metric(found, "auc").better, metric(found, "auc").best) == (better, best)
    # Nothing says whether speed is good.
    assert (metric(found, "speed").better, metric(found, "speed").best) == ("", ())
    assert found.best == runs[best[0]].ref


def test_a_goal_goes_on_to_hold_when_its_experiment_is_renamed(experiments: ExperimentRegistry) -> None:
    runs = [seal(experiments, {"speed": value}) for value in (1, 2)]
    experiments.set_goal("churn", "speed", "max")
    rename(experiments.registry, "exp/churn", "exp/retention")

    found = experiments.compare(experiment="retention", top=1)

    assert [run.ref for run in found.runs] == [f"exp/retention@{runs[1].id}"]
    assert metric(experiments.compare(experiment="exp/churn"), "speed").better == "max"


def test_a_model_without_metrics_of_its_own_has_those_of_the_run_that_made_it(
    experiments: ExperimentRegistry, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    versions = []
    for number, auc in enumerate((0.75, 0.5)):
        run = seal(experiments, {"auc": auc}, {"lr": auc}, inputs=[("train", "data/rows@1.0.0")])
        weights.write_text(str(number))
        versions.append(
            experiments.registry.add(
                "model/churn",
                [weights],
                version=f"1.{number}.0",
                inputs=[("run", run.ref)],
                metadata={"metrics": {"val": {"f1": number}}, "hyperparameters": {"depth": number}},
            ).version.ref
        )

    found = experiments.compare(*versions)

    assert {one.name: one.values for one in found.metrics} == {"auc": (0.75, 0.5), "val.f1": (0, 1)}
    assert {one.name: one.values for one in found.params} == {"params.lr": (0.75, 0.5), "params.depth": (0, 1)}
    # That each was made by a run of its own says nothing; both runs used the same data.
    assert found.surroundings == ()


# What is compared.


def test_a_run_that_is_named_twice_is_compared_once(experiments: ExperimentRegistry) -> None:
    run = seal(experiments, {"auc": 0.5})

    found = experiments.compare(run.ref, run.id, f"run/{run.id[:13]}", "exp/churn@latest", experiment="churn")

    assert [one.ref for one in found.runs] == [run.ref]


def test_the_best_runs_of_an_experiment_have_finished_and_have_a_number(experiments: ExperimentRegistry) -> None:
    experiments.set_goal("churn", "auc", "max")
    good = [seal(experiments, {"auc": value}) for value in (0.5, 0.75, 0.25)]
    seal(experiments, {"auc": 0.9}, status="failed")
    seal(experiments, {"auc": math.nan})
    seal(experiments, {"loss": 1})

    best = [one.ref for one in experiments.compare(experiment="churn", top=2).runs]
    assert best == [good[1].ref, good[0].ref]
    assert best[0] == experiments.get_run("exp/churn@best").ref
    assert len(experiments.compare(experiment="churn", top=9).runs) == 3
    assert len(experiments.compare(experiment="churn").runs) == 6


def test_what_cannot_be_compared_says_why(experiments: ExperimentRegistry) -> None:
    run = seal(experiments, {"auc": 0.5})

    assert code(experiments, experiment="churn", where="metrics.auc > 1") == "nothing_to_compare"
    assert code(experiments, experiment="churn", top=1) == "no_goal"
    assert code(experiments, top=1) == "no_goal"
    assert code(experiments, experiment="chrun") == "ref_not_found"
    assert code(experiments, run.ref, group_by=["lr"]) == "bad_sort"
    assert code(experiments, run.ref, gate="metrics.auc <") == "bad_expression"


# Groups.


def test_groups_are_in_the_order_of_their_values_and_say_of_how_many_runs_a_mean_is(
    experiments: ExperimentRegistry,
) -> None:
    for lr, auc in ((10, 0.5), (2, 0.25), (2.0, 0.75), (None, 1.0), (2, math.nan)):
        seal(experiments, {"auc": auc}, {} if lr is None else {"lr": lr})

    found = experiments.compare(experiment="churn", where="status = 'finished'", group_by=["params.lr"])

    assert [(group.values, len(group.runs)) for group in found.groups] == [((2,), 3), ((10,), 1), ((None,), 1)]
    two = found.groups[0].metrics[0]
    # A run without a number is in the group, and not in the mean.
    assert (two.name, two.runs, two.mean, two.std) == ("auc", 2, 0.5, math.sqrt(0.125))


def test_runs_are_grouped_by_several_facts_and_by_labels_as_mlflow_calls_them(
    experiments: ExperimentRegistry,
) -> None:
    for lr, team in ((1, "a"), (1, "b"), (2, "a"), (1, "a")):
        seal(experiments, {"auc": lr}, {"lr": lr}, tags={"team": team})

    found = experiments.compare(experiment="churn", group_by=["tags.team", "params.lr"])

    assert [(group.values, len(group.runs)) for group in found.groups] == [(("a", 1), 2), (("a", 2), 1), (("b", 1), 1)]


@given(st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text("1.a", max_size=2), st.data())
def test_two_values_have_one_mark_if_and_only_if_they_are_equal_and_both_or_none_are_numbers(
    one: object, data: st.DataObject
) -> None:
    other = data.draw(
        st.just(one) | st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text("1.a", max_size=2)
    )
    kinds = {
        bool if isinstance(value, bool) else float if isinstance(value, int | float) else type(value)
        for value in (one, other)
    }

    assert (mark(one) == mark(other)) == (len(kinds) == 1 and one == other)


# Evaluation data.


def test_metrics_that_were_measured_on_different_data_are_warned_of_and_with_strict_refused(
    experiments: ExperimentRegistry,
) -> None:
    one = seal(experiments, {"auc": 0.9}, inputs=[("test", "data/rows@1.0.0")])
    other = seal(experiments, {"auc": 0.8}, inputs=[("test", "data/rows@2.0.0")])
    third = seal(experiments, {"auc": 0.8})

    (warning,) = experiments.compare(one.ref, other.ref).warnings

    assert warning.startswith("metrics were measured on different data: as test, data/rows@1.0.0 ")
    assert "; data/rows@2.0.0 " in warning
    assert "nothing" in experiments.compare(one.ref, third.ref).warnings[0]
    assert code(experiments, one.ref, other.ref, is_strict=True) == "not_comparable"


def test_other_training_data_is_a_difference_and_no_reason_to_warn(experiments: ExperimentRegistry) -> None:
    both = [("test", "data/rows@1.0.0")]
    one = seal(experiments, {"auc": 0.9}, inputs=[*both, ("train", "data/rows@1.0.0")])
    other = seal(experiments, {"auc": 0.8}, inputs=[*both, ("train", "data/rows@2.0.0")])

    found = experiments.compare(one.ref, other.ref, is_strict=True)

    assert ([fact.name for fact in found.surroundings], found.warnings) == (["inputs.train"], ())
