"""How runs are named: by an experiment as a whole, by their order, by ids; and what is said of words that name none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.registry.comparing_runs import Question, compare
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.plotting import Chosen, chosen_runs
from mlreg.registry.reporting import Asked, gather
from mlreg.registry.run_results import RunInfo
from tests.unit.registry.sample_runs import make, seal


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    return make(tmp_path)


@pytest.fixture
def runs(experiments: ExperimentRegistry) -> list[RunInfo]:
    """Three runs of exp/churn, the oldest first, between runs of another experiment."""
    made = []
    for auc in (0.7, 0.9, 0.8):
        made.append(seal(experiments, {"auc": auc}))
        seal(experiments, {"auc": auc}, experiment="other")
    return made


def refused(call: Callable[[], object]) -> MlregError:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value


# The run before.


def test_a_step_back_from_a_run_is_the_run_that_began_before_it(
    experiments: ExperimentRegistry, runs: list[RunInfo]
) -> None:
    experiments.set_goal("churn", "auc", "max")
    named = {
        "exp/churn@latest": runs[2],
        "exp/churn@latest~0": runs[2],
        "exp/churn@latest~1": runs[1],
        "exp/churn@latest~1~1": runs[0],
        "exp/churn@latest~2": runs[0],
        "exp/churn@best~": runs[0],
        f"{runs[1].ref}~1": runs[0],
    }
    assert {ref: experiments.get_run(ref).ref for ref in named} == {ref: run.ref for ref, run in named.items()}


def test_before_the_first_run_is_none_and_that_is_said(experiments: ExperimentRegistry, runs: list[RunInfo]) -> None:
    first = refused(lambda: experiments.get_run(f"{runs[0].ref}~1"))
    assert (first.code, first.message) == ("ref_not_found", f"{runs[0].ref} is the first run")
    third = refused(lambda: experiments.get_run("exp/churn@latest~3"))
    assert third.message == f"2 runs began before {runs[2].ref}"


def test_a_run_that_was_resumed_is_one_run_and_one_that_was_removed_is_none(
    experiments: ExperimentRegistry, runs: list[RunInfo]
) -> None:
    again = experiments.resume(runs[1].id).finish()
    assert again.ref == f"{runs[1].ref}+2"

    assert experiments.get_run("exp/churn@latest~1").ref == again.ref
    assert experiments.get_run(f"{again.ref}~1").ref == runs[0].ref
    assert experiments.get_run(f"{again.ref}~0").ref == again.ref
    experiments.registry.remove([again.ref, runs[1].ref])
    assert experiments.get_run("exp/churn@latest~1").ref == runs[0].ref


# An experiment as a whole.


def test_an_experiment_is_all_its_runs_wherever_many_are_looked_at(
    experiments: ExperimentRegistry, runs: list[RunInfo]
) -> None:
    place, newest_first = experiments.place, [run.ref for run in reversed(runs)]
    for whole in ("exp/churn", "experiments/churn"):
        assert [run.ref for run in compare(place, Question([whole])).runs] == newest_first
        assert [run.ref for run in chosen_runs(place, Chosen([whole]))] == newest_first
        assert [run.ref for run in gather(place, Asked([whole])).runs] == newest_first
    latest = "exp/churn@latest"
    assert [run.ref for run in compare(place, Question([latest])).runs] == newest_first[:1]
    assert [run.ref for run in chosen_runs(place, Chosen([latest]))] == newest_first[:1]
    assert [run.ref for run in gather(place, Asked([latest])).runs] == newest_first[:1]


def test_the_first_that_is_named_is_the_baseline_and_each_run_is_there_once(
    experiments: ExperimentRegistry, runs: list[RunInfo]
) -> None:
    found = compare(experiments.place, Question([runs[0].ref, "exp/churn"], where="metrics.auc > .75"))

    assert [run.ref for run in found.runs] == [runs[0].ref, runs[2].ref, runs[1].ref]
    assert found.baseline == runs[0].ref
    assert refused(lambda: compare(experiments.place, Question(["exp/nothing"]))).code == "ref_not_found"


# Words that name no run.


def test_a_word_that_is_no_id_is_refused_with_what_is_called_so(
    experiments: ExperimentRegistry, runs: list[RunInfo], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    experiments.registry.add("model/churn", [file], version="1.0.0")
    place = experiments.place
    ways: list[Callable[[str], object]] = [
        lambda word: compare(place, Question([word])),
        lambda word: experiments.blame(word, "auc"),
        lambda word: gather(place, Asked([word])),
        lambda word: chosen_runs(place, Chosen([word])),
        experiments.get_run,
        experiments.get_metrics,
    ]
    for way in ways:
        error = refused(lambda way=way: way("churn"))  # type: ignore[misc] # bound at once
        assert error.code == "bad_ref"
        assert error.fix == ("write exp/churn", "write model/churn", "all its runs: --exp churn")
        assert refused(lambda way=way: way("chrun")).fix == ("mlreg run ls",)  # type: ignore[misc] # bound at once
        assert way(runs[0].id[:18])


def test_an_experiment_whose_runs_are_all_open_is_offered_too(experiments: ExperimentRegistry) -> None:
    experiments.open_run("new")

    assert refused(lambda: experiments.get_run("new")).fix == ("all its runs: --exp new",)


@pytest.mark.parametrize("name", ["churn", "exp/churn", "experiment/churn"])
def test_an_experiment_may_be_named_with_its_kind_in_python(experiments: ExperimentRegistry, name: str) -> None:
    with experiments.start_experiment(name) as run:
        run.log_metrics({"auc": 0.5})
    opened = experiments.open_run(name)
    experiments.set_goal(name, "auc", "max")

    assert (run.ref, opened.experiment) == (f"exp/churn@{run.id}", "churn")
    assert {one.id for one in experiments.list_runs(name)} == {run.id, opened.id}
    assert [one.ref for one in experiments.compare(experiment=name, where="status = 'finished'").runs] == [run.ref]


def test_of_a_run_that_is_sealed_it_is_said_how_it_goes_on(
    experiments: ExperimentRegistry, runs: list[RunInfo]
) -> None:
    ways: list[Callable[[str], object]] = [
        experiments.attach,
        experiments.join,
        experiments.end,
    ]
    for way in ways:
        for text in (runs[0].id, runs[0].ref, f"run/{runs[0].id[:18]}"):
            error = refused(lambda way=way, text=text: way(text))  # type: ignore[misc] # bound at once
            assert (error.code, error.message) == ("run_missing", f"{runs[0].ref} is sealed")
            assert error.fix == (f"mlreg run resume {runs[0].id}",)
        unknown = refused(lambda way=way: way("01a22a39-31f5"))  # type: ignore[misc] # bound at once
        assert unknown.fix == ("mlreg run ls",)


def test_of_a_run_of_no_process_it_is_not_said_that_its_process_lives(experiments: ExperimentRegistry) -> None:
    opened, lives = experiments.open_run("churn"), experiments.start_experiment("churn")

    for way in (experiments.adopt, experiments.resume):
        error = refused(lambda way=way: way(opened.id))  # type: ignore[misc] # bound at once
        assert (error.code, "process lives" in error.why) == ("run_is_running", False)
        assert f"mlreg run finish --run {opened.id} --status killed" in error.fix
        assert "process lives" in refused(lambda way=way: way(lives.id)).why  # type: ignore[misc] # bound at once
    assert experiments.end(opened.id, "killed").status == "killed"
