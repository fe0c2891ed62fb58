"""No run begins with what is tainted, unless it says why; and wherever it is shown it is seen to have done so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import NotStartedError, TaintedError
from mlreg.registry import annotating, tainting
from mlreg.registry.executing import Start, execute
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run import Run
from mlreg.registry.run_results import RunInfo
from tests.unit.registry.experiments import code_of
from tests.unit.registry.sample_runs import make, seal

ROWS, OTHER = "data/rows@1.0.0", "data/rows@2.0.0"
WRONG = [("train", ROWS), ("test", OTHER)]


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    made = make(tmp_path)
    tainting.taint(made.registry, ROWS, "wrong labels")
    return made


def taints(run: RunInfo) -> list[str]:
    return [taint.ref for taint in run.taints]


def ways(experiments: ExperimentRegistry) -> list[Callable[..., Run]]:
    within = experiments.start_experiment("churn")
    return [
        lambda **said: experiments.start_experiment("churn", **said),
        lambda **said: experiments.open_run("churn", **said),
        within.start,
    ]


def test_a_run_is_not_begun_with_what_is_tainted_and_leaves_nothing(experiments: ExperimentRegistry) -> None:
    for start in ways(experiments):
        before = experiments.list_runs()
        with pytest.raises(TaintedError, match="wrong labels"):
            start(inputs=WRONG)
        empty = code_of(lambda start=start: start(inputs=WRONG, despite_taint=" "))  # type: ignore[misc] # bound at once
        assert empty == "tainted"
        assert experiments.list_runs() == before
        start(inputs=[("train", OTHER)])


def test_a_reason_lets_it_begin_and_is_a_fact_of_the_run_also_when_it_is_sealed(
    experiments: ExperimentRegistry,
) -> None:
    for start in ways(experiments):
        run = start(inputs=WRONG, despite_taint="to see how bad it is")

        assert experiments.get_run(run.id).facts["despite_taint"] == "to see how bad it is"
        info = run.finish()
        assert (taints(info), info.facts["despite_taint"]) == ([ROWS], "to see how bad it is")
        assert {one.ref for one in info.inputs} == {ROWS, OTHER}


def test_a_reason_that_was_not_needed_is_no_fact(experiments: ExperimentRegistry) -> None:
    run = experiments.open_run("churn", inputs=[("train", OTHER)], despite_taint="perhaps")

    assert "despite_taint" not in experiments.get_run(run.id).facts


def test_a_command_is_not_started_on_what_is_tainted(experiments: ExperimentRegistry, tmp_path: Path) -> None:
    def run(despite_taint: str) -> int:
        command = ("touch", str(tmp_path / "started"))
        start = Start("churn", command, inputs=WRONG, despite_taint=despite_taint, keeps_diff=False)
        with (tmp_path / "out").open("ab", buffering=0) as stream:
            return execute(experiments, start, (stream, stream), {"PATH": "/usr/bin:/bin"}).exit_code

    with pytest.raises(NotStartedError) as caught:
        run("")
    assert (caught.value.code, caught.value.exit_status) == ("tainted", 125)
    assert not (tmp_path / "started").exists()
    assert run("it must") == 0
    assert (tmp_path / "started").exists()


def test_what_a_run_turns_out_to_use_is_kept_and_taints_it(experiments: ExperimentRegistry) -> None:
    run = experiments.start_experiment("churn")

    run.add_input("train", ROWS)

    assert taints(experiments.get_run(run.id)) == [ROWS]
    assert taints(run.finish()) == [ROWS]


def test_a_run_is_seen_to_be_tainted_wherever_it_is_shown_until_that_is_taken_back(
    experiments: ExperimentRegistry,
) -> None:
    clean = seal(experiments, {"auc": 0.9}, inputs=[("train", OTHER)])
    sealed = seal(experiments, {"auc": 0.8})
    tainting.untaint(experiments.registry, ROWS)
    used = seal(experiments, {"auc": 0.7}, inputs=WRONG)
    live = experiments.start_experiment("churn", inputs=WRONG)
    tainting.taint(experiments.registry, ROWS, "wrong again")
    tainting.taint(experiments.registry, sealed.ref, "the seed was fixed")

    shown = {run.id: taints(run) for run in experiments.list_runs("churn")}
    assert shown == {clean.id: [], sealed.id: [sealed.ref], used.id: [ROWS], live.id: [ROWS]}
    assert {run: taints(experiments.get_run(run)) for run in shown} == shown
    assert {one.ref for one in experiments.registry.show(used.ref).taints} == {ROWS}
    tainting.untaint(experiments.registry, ROWS)
    assert [taints(run) for run in experiments.list_runs("churn") if run.taints] == [[sealed.ref]]


def test_a_run_that_was_tainted_itself_is_known_under_the_new_name_of_its_experiment(
    experiments: ExperimentRegistry,
) -> None:
    run = seal(experiments, {"auc": 0.8})
    tainting.taint(experiments.registry, run.ref, "the seed was fixed")

    annotating.rename(experiments.registry, "exp/churn", "exp/leaving")

    assert taints(experiments.get_run(run.id)) == [f"exp/leaving@{run.id}"]
