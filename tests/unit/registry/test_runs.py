"""Runs from training code: how they begin, end, go on and belong together, and that nothing is lost."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import MlregError, NotFoundError
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.run import Run
from mlreg.registry.saying import say_metrics
from tests.unit.registry.experiments import artifacts, code_of, end_and_not_seal, files, points

# The end.


@pytest.mark.parametrize("status", ["finished", "failed", "killed"])
def test_a_run_ends_as_it_is_said_and_ending_it_again_says_the_same(
    registry: ExperimentRegistry, run: Run, status: str
) -> None:
    first = run.finish(status, "why")

    assert (first.status, first.facts["reason"]) == (status, "why")
    assert run.finish("failed", "another") == first
    assert registry.registry.repository.log.refresh().number == 1


def test_a_status_that_is_none_leaves_the_run_open(run: Run) -> None:
    for status in ("crashed", "running", "FINISHED"):
        assert code_of(partial(run.finish, status)) == "bad_status"
    run.log_metric("loss", 1)
    assert run.finish().status == "finished"


def test_nothing_can_be_logged_to_a_run_that_has_ended(tmp_path: Path, run: Run) -> None:
    run.finish()
    file = tmp_path / "file"
    file.touch()
    actions: list[Callable[[], object]] = [
        lambda: run.log_metric("loss", 1),
        lambda: run.log_metrics({"loss": 1}, 3),
        lambda: run.log_param("lr", 1),
        lambda: run.set_tag("a", 1),
        lambda: run.describe(name="x"),
        lambda: run.log_artifact(file),
        lambda: run.log_text("x", "y"),
        lambda: run.new_file("x"),
        lambda: run.say_facts({"a": 1}),
    ]

    assert {code_of(action) for action in actions} == {"run_ended"}
    assert not run.directory.exists()


def test_a_block_that_ends_ends_the_run(registry: ExperimentRegistry) -> None:
    with registry.start_experiment("churn") as run:
        run.log_metric("loss", 1)

    assert (registry.get_run(run.id).status, registry.get_run(run.id).sealed) == ("finished", True)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("no memory"), "failed", "ValueError: no memory"),
        (FileNotFoundError(2, "no file", "caf\udce9"), "failed", "FileNotFoundError: [Errno 2] no file: 'caf\\udce9'"),
        (KeyboardInterrupt(), "killed", "KeyboardInterrupt"),
        (SystemExit(3), "failed", "exit code 3"),
        (SystemExit("bad input"), "failed", "exit code bad input"),
        (SystemExit(0), "finished", None),
        (SystemExit(), "finished", None),
        (GeneratorExit(), "killed", "GeneratorExit"),
    ],
    ids=repr,
)
def test_a_block_that_raises_ends_the_run_and_its_error_goes_on(
    registry: ExperimentRegistry, error: BaseException, status: str, reason: str | None
) -> None:
    run = registry.start_experiment("churn")
    with pytest.raises(type(error)) as caught, run:
        raise error

    info = registry.get_run(run.id)
    assert caught.value is error
    assert (info.status, info.facts.get("reason"), info.sealed) == (status, reason, True)


def test_a_reason_without_an_end_is_cut(registry: ExperimentRegistry) -> None:
    with pytest.raises(ValueError, match="xxx"), registry.start_experiment("churn") as run:
        raise ValueError("x" * 3_000_000)

    assert 1000 < len(registry.get_run(run.id).facts["reason"]) <= 10_000


def test_the_error_of_a_block_goes_on_also_if_the_run_cannot_be_sealed(
    registry: ExperimentRegistry, tmp_path: Path
) -> None:
    run = registry.start_experiment("churn")
    # Someone took the repository away, and not the runs in it.
    (tmp_path / "registry" / "mlreg.json").unlink()
    registry.place.registry = Registry(tmp_path / "registry", "Ann")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="mine"), run:
            raise ValueError("mine")

    assert [str(one.message).startswith(f"run {run.id} is not sealed") for one in told] == [True]
    assert registry.get_run(run.id).status == "failed"


def test_a_run_that_was_closed_is_left_to_be_resumed_in_the_same_process(
    registry: ExperimentRegistry, run: Run
) -> None:
    run.log_metric("loss", 1)
    run.close()
    run.close()
    assert registry.get_run(run.id).status == "crashed"
    assert code_of(run.finish) == code_of(lambda: run.log_metric("loss", 2)) == "run_ended"

    resumed = registry.resume(run.id)
    resumed.log_metric("loss", 2)

    assert resumed.finish().status == "finished"
    assert points(registry, run) == [(0, 1.0), (1, 2.0)]


# A start that fails.


@pytest.mark.parametrize(
    "given",
    [
        {"inputs": [("data", "data/nothing")]},
        {"inputs": [("no role", "data/x")]},
        {"params": {"": 1}},
        {"params": {"x": "y" * 2_000_000}},
        {"tags": {"x": "y" * 2_000_000}},
        {"run_name": "y" * 2_000_000},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_run_that_could_not_be_started_is_not_there(registry: ExperimentRegistry, given: dict[str, Any]) -> None:
    for start in (registry.start_experiment, registry.open_run):
        with pytest.raises(MlregError):
            start("churn", **given)

    assert registry.list_runs() == []
    assert list(registry.place.directory.iterdir()) == []


@pytest.mark.parametrize("name", ["", "Churn", "a", "../x", "a b", "x\n", "exp/churn@1", "\ud800", "x" * 300])
def test_an_experiment_has_the_name_of_an_entry(registry: ExperimentRegistry, name: str) -> None:
    assert code_of(lambda: registry.start_experiment(name)) == "bad_name"


# Nested, grouped, joined.


def test_runs_may_be_parts_of_others_and_belong_to_groups(registry: ExperimentRegistry) -> None:
    with registry.start_experiment("churn", run_name="sweep", group="sweep 1") as parent:
        for seed in range(2):
            with parent.start(f"seed {seed}", "one of them", group="sweep 1", params={"seed": seed}) as child:
                child.log_metric("auc", seed)
    with registry.start_experiment("other", parent=parent.id):
        pass

    found = registry.list_runs("churn", "group = 'sweep 1'", sort="name")
    assert [(one.name, one.parent) for one in found] == [("seed 0", parent.id), ("seed 1", parent.id), ("sweep", "")]
    assert [one.experiment for one in registry.list_runs(where=f"parent = '{parent.id}'", sort="experiment")] == [
        "churn",
        "churn",
        "other",
    ]
    assert [one.params for one in found] == [{"seed": 0}, {"seed": 1}, {}]


def test_a_process_that_is_part_of_a_run_logs_to_it_and_starts_others_within_it(
    registry: ExperimentRegistry, tmp_path: Path
) -> None:
    outer = registry.start_experiment("churn", run_name="outer")
    inner = ExperimentRegistry(tmp_path / "registry", "Ann", run=outer.id)

    with inner.start_experiment("churn", "told inside", params={"lr": 1}) as same:
        with same.start("part") as part:
            part.log_metric("loss", 2)
        same.log_metric("loss", 1)
    with inner.start_experiment("churn", params={"lr": 2}) as second, inner.start_experiment("other") as other:
        pass
    info = outer.finish()

    assert same.id == outer.id
    assert (info.parent, info.metrics, info.params, info.facts["description"]) == (
        "",
        {"loss": 1.0},
        {"lr": 1},
        "told inside",
    )
    assert {registry.get_run(one.id).parent for one in (part, second, other)} == {outer.id}
    assert len({outer.id, part.id, second.id, other.id}) == 4


def test_a_run_that_is_no_more_is_no_run_to_be_part_of(registry: ExperimentRegistry, tmp_path: Path) -> None:
    outer = registry.start_experiment("churn")
    outer.finish()

    with ExperimentRegistry(tmp_path / "registry", "Ann", run=outer.id).start_experiment("churn") as run:
        pass

    assert (run.id != outer.id, registry.get_run(run.id).parent) == (True, outer.id)


def test_whoever_joined_a_run_does_not_end_it(registry: ExperimentRegistry, run: Run) -> None:
    with registry.join(run.id) as rank:
        rank.log_metric("loss", 1)
    assert registry.get_run(run.id).status == "running"

    with pytest.raises(ValueError, match="x"), registry.join(run.id[:13]):
        raise ValueError("x")
    assert run.finish().status == "finished"
    assert points(registry, run) == [(0, 1.0)]


def test_what_is_logged_by_others_after_a_run_has_ended_is_in_it_when_they_go(
    registry: ExperimentRegistry, run: Run
) -> None:
    ranks = [registry.join(run.id) for _ in range(3)]
    for rank in ranks:
        rank.log_metric("loss", 1)
    first = run.finish()
    assert first.ranges["loss"]["count"] == 3

    for rank in ranks[:2]:
        rank.log_metric("loss", 2)
        rank.log_text("late", f"{rank.directory.name}.txt")
    found = [rank.finish() for rank in ranks]

    last = registry.get_run(run.id)
    assert (last.status, last.sealed, last.ranges["loss"]["count"]) == ("finished", True, 5)
    assert found[-1] == last
    assert not run.directory.exists()
    assert sorted(artifacts(registry, last)) == [f"{run.id}.txt"]


def test_whoever_joins_at_the_last_moment_does_not_begin_the_run_again(registry: ExperimentRegistry, run: Run) -> None:
    end_and_not_seal(registry, run)
    rank = registry.join(run.id)
    rank.log_metric("loss", 1)

    assert run.finish().status == "finished"
    assert rank.finish().status == "finished"
    assert not run.directory.exists()


def test_a_run_that_is_not_there_cannot_be_joined_and_is_not_made(registry: ExperimentRegistry, run: Run) -> None:
    run.finish()

    for action in (registry.join, registry.attach, registry.adopt, registry.end):
        assert code_of(partial(action, run.id)) == "run_missing"
    assert list(registry.place.directory.iterdir()) == []


# Going on.


def test_a_run_goes_on_by_its_id_with_all_it_had_and_its_steps(registry: ExperimentRegistry, tmp_path: Path) -> None:
    run = registry.start_experiment("churn", params={"lr": 0.1}, tags={"a": 1})
    run.log_metrics({"loss": 1, "auc": 1})
    run.log_text("kept", "note.txt")
    run.finish("failed", "no memory")

    offline = ExperimentRegistry(tmp_path / "registry", "Bob")
    for number, name in enumerate((run.id, run.ref, run.id[:13]), 2):
        with offline.resume(name) as again:
            live = offline.get_run(run.id)
            assert (live.status, live.params, live.labels) == ("running", {"lr": 0.1}, {"a": 1})
            assert live.metrics == {"loss": number - 1, "auc": 1}
            assert code_of(partial(again.log_param, "lr", 0.2)) == "param_differs"
            again.log_metric("loss", number)
        info = offline.get_run(run.id)
        assert (info.status, info.ref, info.params, info.labels) == (
            "finished",
            f"{run.ref}+{number}",
            {"lr": 0.1},
            {"a": 1},
        )
    assert points(registry, run) == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]
    assert points(registry, run, "auc") == [(0, 1.0)]
    assert artifacts(registry, info) == {"note.txt": b"kept"}
    assert [one.id for one in registry.list_runs()] == [run.id]


def test_a_run_that_was_sealed_and_crashed_when_it_went_on_is_still_one(registry: ExperimentRegistry) -> None:
    with registry.start_experiment("churn", params={"lr": 0.1}) as run:
        run.log_metric("loss", 1)
    for value in (2, 3):
        again = registry.resume(run.id)
        again.log_metric("loss", value)
        with registry.join(run.id) as rank:
            assert code_of(partial(rank.log_param, "lr", 0.2)) == "param_differs"
        again.close()
    attached = registry.attach(run.id)
    attached.log_metric("loss", 4)
    say_metrics(registry.place, run.id, [({"loss": 5.0}, None)])

    assert points(registry, run) == [(number, number + 1.0) for number in range(5)]
    assert registry.adopt(run.id).ranges["loss"] == {"count": 5, "max": 5, "min": 1, "step": 4}
    assert points(registry, run) == [(number, number + 1.0) for number in range(5)]


def test_a_run_that_lives_cannot_be_resumed_adopted_or_ended_by_others(registry: ExperimentRegistry, run: Run) -> None:
    for action in (registry.resume, registry.adopt, registry.end):
        assert code_of(partial(action, run.id)) == "run_is_running"
    assert run.finish().status == "finished"


def test_a_run_that_was_killed_before_it_said_anything_is_taken_away(registry: ExperimentRegistry) -> None:
    young, old = (registry.start_experiment("churn") for _ in range(2))
    for run in (young, old):
        run.close()
        (journal,) = run.directory.glob("*.journal")
        journal.write_bytes(b"")
    os.utime(next(old.directory.glob("*.journal")), (1, 1))

    assert registry.adopt_all(crashed=True) == []
    assert [run.directory.exists() for run in (young, old)] == [True, False]


def test_a_run_that_cannot_be_sealed_is_in_nobodys_way(registry: ExperimentRegistry) -> None:
    runs = [registry.start_experiment("churn") for _ in range(3)]
    for run in runs:
        run.log_metric("loss", 1)
        run.close()
    # Of one, what says of which experiment it is was lost.
    (journal,) = runs[1].directory.glob("*.journal")
    journal.write_bytes(journal.read_bytes().partition(b"\n")[2])
    os.utime(journal, (1, 1))

    with pytest.raises(MlregError) as caught:
        registry.adopt_all(crashed=True)

    assert (caught.value.code, caught.value.exit_status) == ("not_all_adopted", 12)
    assert runs[1].id in caught.value.why
    assert [run.directory.exists() for run in runs] == [False, True, False]
    assert code_of(lambda: registry.adopt_all(crashed=True)) == "no_experiment"


def test_a_command_ends_a_run_that_it_began_whatever_the_clock_says(
    registry: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = registry.open_run("churn", params={"lr": 1})
    run.log_metric("loss", 1)
    run.close()
    assert registry.get_run(run.id).status == "running"
    monkeypatch.setattr("mlreg.registry.running.now", lambda: 5)

    info = registry.end(run.id, "failed", "why")

    assert (info.status, info.facts["reason"], info.sealed) == ("failed", "why", True)


def test_a_clock_that_went_back_does_not_keep_a_run_from_going_on(
    registry: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = registry.start_experiment("churn")
    run.log_metric("loss", 1)
    end_and_not_seal(registry, run, "killed")
    monkeypatch.setattr("mlreg.registry.resuming.now", lambda: 1000)
    monkeypatch.setattr("mlreg.registry.run.now", lambda: 2000)

    again = registry.resume(run.id)
    assert registry.get_run(run.id).status == "running"
    again.log_metric("loss", 2)

    assert again.finish("failed").status == "failed"
    assert [value for _, value in points(registry, run)] == [1, 2]


# Where.


def test_runs_may_live_elsewhere_than_in_the_repository(tmp_path: Path) -> None:
    place, _ = init(tmp_path / "project", shared=False)
    registry = ExperimentRegistry(place, "Ann", runs=tmp_path / "shared disk" / "runs", artifacts="files/")
    with registry.start_experiment("churn") as run:
        run.log_text("x", "a")
        assert run.directory.parent == tmp_path / "shared disk" / "runs"

    assert sorted(files(registry, registry.get_run(run.id))) == ["files/a"]


def test_two_who_seal_in_two_registries_what_a_copied_directory_holds_have_one_run(
    tmp_path: Path, registry: ExperimentRegistry
) -> None:
    run = registry.start_experiment("churn", params={"lr": 1}, tags={"team": "a"})
    run.log_text("x", "a")
    end_and_not_seal(registry, run)
    place, _ = init(tmp_path / "elsewhere", shared=True)
    shutil.copytree(run.directory, place / "runs" / run.id)
    other = ExperimentRegistry(place, "Bob")

    here, there = registry.adopt(run.id), other.adopt(run.id)

    assert here._replace(author="") == there._replace(author="")
    assert (here.author, there.author) == ("Ann", "Bob")


def test_a_run_that_someone_else_just_sealed_is_finished_without_an_error(
    registry: ExperimentRegistry, run: Run
) -> None:
    run.log_metric("loss", 1)
    end_and_not_seal(registry, run)
    ExperimentRegistry(registry.registry.path, "Bob").adopt(run.id)

    assert run.finish() == registry.get_run(run.id)
    made: list[str] = []
    info = registry.seal(run.id, lambda batch, sealed: made.append(sealed.commit.version))
    assert (info.sealed, info.metrics, made) == (True, {"loss": 1.0}, [run.id])


def test_a_run_of_nobody_cannot_be_sealed(registry: ExperimentRegistry, run: Run) -> None:
    run.finish()
    with pytest.raises(NotFoundError) as caught:
        registry.seal("01a20c4f-b500-7000-8203-040506070809")
    assert caught.value.code == "run_missing"
