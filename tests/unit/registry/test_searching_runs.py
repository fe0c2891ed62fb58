"""Runs are found by the same rules whether an index or a person looks through them, and no query does anything else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlreg.errors import MlregError
from mlreg.formats.expression import And, Compare, Expression, Field, In, IsNull, Like, Not, Or
from mlreg.formats.matching import matches
from mlreg.operations.run_facts import facts_of_run
from mlreg.registry import annotating
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run_results import RunInfo, document_of
from mlreg.registry.searching_runs import keyed
from mlreg.registry.sync import Sync
from tests.unit.registry.sample_runs import ANN, make, refs, seal


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    return make(tmp_path)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> ExperimentRegistry:
    """Runs whose facts are of all kinds, two of them open."""
    made = make(tmp_path_factory.mktemp("many"))
    params: list[dict[str, object]] = [
        {"lr": 0.1, "optim": {"beta": {"one": 0.9}}, "a b": 1, "it's `odd`": "x", "text": "Adam"},
        {"lr": "0.1", "optim": {"beta": 2}, "dots.in.name": True, "text": "adam%"},
        {"lr": 1, "optim": "sgd", "list": [1, "a", None], "text": ""},
        {"lr": None, "optim": {}, "a b": False, "text": "İ'; drop table runs; --"},
        {"lr": math.nan, "text": "NaN"},
    ]
    metrics: list[dict[str, float | list[float]]] = [
        {"auc": 0.9},
        {"auc": [math.nan, 0.5]},
        {"auc": math.nan},
        {"auc": math.inf, "loss": -math.inf},
        {},
    ]
    for number, (some, measured) in enumerate(zip(params, metrics, strict=True)):
        both = [("train", "data/rows@1.0.0"), ("train", "data/rows@2.0.0")][: number % 3]
        seal(made, measured, some, inputs=both, name=f"run {number}", tags={"team": "ab"[number % 2]})
    seal(made, {"auc": 0.9}, status="failed", experiment="other")
    made.attach(made.open_run("churn").id).log_metrics({"auc": 0.25})
    made.open_run("new")
    return made


def test_a_field_to_sort_by_that_no_run_has_is_refused_with_what_is_near(many: ExperimentRegistry) -> None:
    for sort, near in (
        ("-metrics.acu", "use metrics.auc"),
        ("params.txet", "use params.text"),
        ("labels.tema", "use labels.team"),
    ):
        with pytest.raises(MlregError) as caught:
            many.list_runs("churn", sort=sort)
        assert (caught.value.code, caught.value.exit_status, caught.value.fix[0]) == ("no_such_fact", 4, near)
    with pytest.raises(MlregError) as caught:
        many.list_runs("churn", sort="-auc, text")
    assert (caught.value.code, caught.value.fix[:2]) == ("bad_sort", ("use metrics.auc", "use params.text"))
    # Of an open run, too; and nothing is missed where there is no run.
    assert many.list_runs("churn", "metrics.auc = .25", sort="metrics.auc")
    assert many.list_runs("churn", "name = 'nothing'", sort="metrics.acu") == []


def found(experiments: ExperimentRegistry, where: str = "", name: str = "churn", **asked: Any) -> list[str]:
    return refs(experiments.list_runs(name, where, **asked))


def facts(run: RunInfo) -> dict[str, Any]:
    """Return the facts of a run by dotted keys, infinities as numbers: the plain way to look at it."""
    numbers = {"Infinity": math.inf, "-Infinity": -math.inf}
    known = facts_of_run(document_of(run))
    return {
        key: numbers.get(value, value)
        if key.startswith(("metrics.", "min.", "max.")) and isinstance(value, str)
        else value
        for key, value in known.items()
    }


# The same meaning everywhere.

PLACES = (
    *("metrics.auc", "min.auc", "max.auc", "metrics.loss", "params.lr", "params.optim", "params.optim.beta"),
    *("params.optim.beta.one", "params.`a b`", "params.`it's ``odd```", "params.`dots.in.name`", "params.dots.in.name"),
    *("params.list", "params.text", "tags.team", "labels.team", "status", "attributes.status", "name", "sealed"),
    *("inputs.train", "experiment", "seconds", "params.`; drop table runs`", "facts.host", "started"),
)
VALUES: tuple[str | float | bool, ...] = (
    *(0, 1, -1, 2, 0.1, 0.5, 0.9, True, False, "0.1", "1", "NaN", "Infinity", "", "adam%", "Adam", "a", "x", "churn"),
    *("finished", "data/rows@1.0.0", "2026", "İ'; drop table runs; --", "%", "run _", "A%"),
)


def field(text: str) -> Field:
    """Return a field as the parser reads it."""
    from mlreg.formats.expression import parse_sort

    (key,) = parse_sort(text, [text.partition(".")[0]])
    return key.field


fields = st.sampled_from(PLACES).map(field)
operands = st.sampled_from(VALUES)
tests: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Compare, fields, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), operands),
    st.builds(Like, fields, operands.filter(lambda value: isinstance(value, str)), st.booleans(), st.booleans()),
    st.builds(In, fields, st.lists(operands, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(IsNull, fields, st.booleans()),
)
expressions = st.recursive(
    tests,
    lambda below: (
        st.builds(Not, below)
        | st.builds(And, st.lists(below, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(below, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


@given(expression=expressions)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_index_finds_the_runs_for_which_an_expression_holds_and_no_others(
    expression: Expression, many: ExperimentRegistry
) -> None:
    runs = many.list_runs("churn")

    fitting = [run.ref for run in runs if matches(keyed(expression), facts(run))]

    assert found(many, str(expression)) == fitting


@given(key=st.sampled_from(PLACES), is_descending=st.booleans(), limit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sorting_loses_no_run_and_puts_those_without_a_value_last(
    key: str, is_descending: bool, limit: int, many: ExperimentRegistry
) -> None:
    (name,) = keyed(IsNull(field(key))).field.parts  # type: ignore[union-attr]  # what is keyed stays what it is
    assume(any(name in facts(run) for run in many.list_runs("churn")))

    runs = many.list_runs("churn", sort=f"{'-' * is_descending}{key}")

    values = [facts(run).get(name) for run in runs]
    known = [value for value in values if value is not None and (value != "NaN" or name.startswith("params"))]
    numbers = [value for value in known if isinstance(value, int | float) and not isinstance(value, bool)]
    assert sorted(refs(runs)) == sorted(found(many))
    assert [*known, *(value for value in values if value in (None, "NaN") and value not in known)] == values
    assert numbers == sorted(numbers, reverse=is_descending)
    assert refs(many.list_runs("churn", sort=f"{'-' * is_descending}{key}", limit=limit)) == refs(runs)[: limit or None]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("metrics.auc > .6 and (params.lr < 1 or tags.team = 'b')", [3, 0]),
        ("metrics.auc >= 0.9 AND attributes.status = 'finished'", [3, 0]),
        # A number is no text: what MLflow keeps as text is compared as text.
        ("params.lr = 0.1", [0]),
        ("params.lr = '0.1'", [1]),
        ("params.lr is null", [3]),
        ("metrics.auc = 'NaN'", [2]),
        ("metrics.auc > 1000", [3]),
        ("metrics.loss < -1000", [3]),
        ("min.auc < 0.6 and max.auc < 0.6", [1]),
        ("params.optim.beta.one = .9", [0]),
        ("params.`a b` = 1", [0]),
        ("params.`it's ``odd``` = 'x'", [0]),
        ("params.text ilike 'ADAM%'", [1, 0]),
        ("params.text in ('Adam', 'x') or params.text = ''", [2, 0]),
        ("inputs.train = 'data/rows@1.0.0'", [4, 2, 1]),
        ("not status = 'finished'", []),
    ],
)
def test_the_words_of_mlflow_find_what_they_say(where: str, numbers: list[int], many: ExperimentRegistry) -> None:
    runs = many.list_runs("churn", f"({where}) and sealed = true")

    assert [run.name for run in runs] == [f"run {number}" for number in numbers]


@pytest.mark.parametrize(
    "where",
    [
        *("metrics.auc > 0; drop table runs", "metrics.auc > 0 -- ", "1=1", "metrics.auc > (select 1)"),
        *(
            "metrics.auc > 0 union select document from runs",
            "'a' = 'a'",
            "metrics.auc > 0 or 1",
            "runs.document = 'x'",
        ),
        *("metrics.auc > nan", "metrics.auc > 1e999", "sqlite_master.name = 'x'", "metrics.auc glob '*'", '"id" = 1'),
    ],
)
def test_a_filter_that_speaks_sql_is_refused_and_harms_nothing(where: str, many: ExperimentRegistry) -> None:
    before = found(many)

    with pytest.raises(MlregError) as caught:
        found(many, where)

    assert caught.value.code == "bad_expression"
    assert found(many) == before


def test_sql_in_names_and_values_is_only_text(experiments: ExperimentRegistry) -> None:
    odd = "x') or 1=1; drop table runs; --"
    run = seal(experiments, {odd: 0.5}, {odd: odd}, tags={odd: odd})
    seal(experiments, {"auc": 1})

    quoted = f"`{odd}`"
    text = odd.replace("'", "''")
    for where in (f"metrics.{quoted} = 0.5", f"params.{quoted} = '{text}'", f"tags.{quoted} like '%{text}'"):
        assert found(experiments, where) == [run.ref]
    assert found(experiments, sort=f"-metrics.{quoted}")[0] == run.ref
    assert len(found(experiments)) == 2


# What is listed.


def test_runs_that_are_sealed_or_spoken_of_after_the_index_was_built_are_found(experiments: ExperimentRegistry) -> None:
    first = seal(experiments, {"auc": 0.5})
    assert found(experiments, "metrics.auc > .7") == []

    second = seal(experiments, {"auc": 0.9}, {"lr": 1})
    assert found(experiments, "metrics.auc > .7") == [second.ref]

    annotating.label(experiments.registry, first.ref, {"team": "a"})
    annotating.correct(experiments.registry, second.ref, {"params": {"lr": 2}})
    assert found(experiments, "tags.team = 'a'") == [first.ref]
    assert found(experiments, "params.lr = 2") == [second.ref]


def test_a_run_that_was_removed_is_not_listed_and_one_that_was_restored_is(experiments: ExperimentRegistry) -> None:
    run, other = seal(experiments, {"auc": 0.5}), seal(experiments, {"auc": 0.6})
    experiments.set_goal("churn", "auc", "max")

    experiments.registry.remove([other.ref])
    assert (found(experiments), experiments.get_run("exp/churn@best").ref) == ([run.ref], run.ref)
    assert experiments.list_experiments()[0].best == run.ref

    experiments.registry.restore([other.ref])
    assert found(experiments) == [other.ref, run.ref]
    assert experiments.get_run("exp/churn@best").ref == other.ref


def test_a_renamed_experiment_is_found_by_both_names_with_the_runs_that_are_open(
    experiments: ExperimentRegistry,
) -> None:
    run = seal(experiments, {"auc": 0.5})
    before = experiments.open_run("churn").id
    annotating.rename(experiments.registry, "exp/churn", "exp/retention")
    after = experiments.open_run("retention").id

    # Those that began in one millisecond come in any order.
    wanted = sorted((f"exp/retention@{name}" for name in (after, before, run.id)), reverse=True)
    for name in ("retention", "churn", "exp/retention"):
        assert found(experiments, name=name) == wanted
    assert found(experiments, name="") == wanted
    (info,) = experiments.list_experiments()
    assert (info.ref, info.runs, info.live) == ("exp/retention", 1, 2)
    # Sealed, they belong to the same experiment.
    assert experiments.end(after).id == after
    sealed = sorted((f"exp/retention@{name}" for name in (after, run.id)), reverse=True)
    assert found(experiments, "sealed = true") == sealed


def test_a_run_that_goes_on_after_it_was_sealed_is_listed_once_as_it_is_now(experiments: ExperimentRegistry) -> None:
    run = seal(experiments, {"auc": 0.5})
    experiments.set_goal("churn", "auc", "max")
    resumed = experiments.resume(run.id)
    resumed.log_metric("auc", 0.9)
    assert [(one.id, one.sealed) for one in experiments.list_runs("churn")] == [(run.id, False)]

    sealed = resumed.finish()

    assert found(experiments) == [sealed.ref] == [f"{run.ref}+2"]
    assert experiments.list_experiments()[0].best == sealed.ref
    assert found(experiments, "metrics.auc = 0.5") == []


def test_runs_that_came_with_a_pull_are_found_beside_those_that_were_here(tmp_path: Path) -> None:
    here, there = make(tmp_path / "here"), make(tmp_path / "there")
    mine, theirs = seal(here, {"auc": 0.5}), seal(there, {"auc": 0.9})
    assert found(here) == [mine.ref]

    remotes = {"origin": there.registry.path}
    Sync(ExperimentRegistry(here.registry.path, ANN, remotes=remotes).registry, "origin").pull()

    assert found(here, sort="-metrics.auc") == [theirs.ref, mine.ref]


# The best.


@pytest.mark.parametrize(("direction", "best"), [("max", 1), ("min", 0)])
def test_the_best_run_is_the_first_of_those_with_the_best_number(
    direction: str, best: int, experiments: ExperimentRegistry
) -> None:
    values = (0.25, 0.75, 0.75, 0.25, math.nan)
    runs = [seal(experiments, {"auc": value}) for value in values]
    seal(experiments, {"auc": 9 if direction == "max" else -9}, status="failed")
    seal(experiments, {"loss": 9})
    experiments.set_goal("churn", "auc", direction)

    assert experiments.get_run("exp/churn@best").ref == runs[best].ref


def test_an_infinite_value_is_a_number_and_may_be_the_best(experiments: ExperimentRegistry) -> None:
    seal(experiments, {"auc": 1e308})
    run = seal(experiments, {"auc": math.inf})
    experiments.set_goal("churn", "auc", "max")

    assert experiments.get_run("exp/churn@best").ref == run.ref


def test_without_a_goal_or_a_number_there_is_no_best_run(experiments: ExperimentRegistry) -> None:
    seal(experiments, {"auc": math.nan})
    with pytest.raises(MlregError) as without_goal:
        experiments.get_run("exp/churn@best")
    experiments.set_goal("churn", "auc", "max")
    with pytest.raises(MlregError) as without_number:
        experiments.get_run("exp/churn@best")

    assert (without_goal.value.code, without_number.value.code) == ("no_goal", "no_best")
    assert experiments.list_experiments()[0].best == ""


def test_a_run_of_a_remote_is_shown_under_a_ref_that_can_be_used(tmp_path: Path) -> None:
    here, there = make(tmp_path / "here"), make(tmp_path / "there")
    seal(there, {"auc": [0.5, 0.9]})
    place = ExperimentRegistry(here.registry.path, ANN, remotes={"origin": there.registry.path})

    run = place.get_run("origin::exp/churn@latest")

    assert run.ref == f"origin::exp/churn@{run.id}"
    assert list(place.get_metrics(run.ref)["auc"].values) == [0.5, 0.9]
    assert json.dumps(run.metrics) == '{"auc": 0.9}'
