"""Runs that live, as their directories have them: in order, with the right status, and whatever lies in there."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import AccessError, MlregError, NotFoundError
from mlreg.formats.run import Point, Series
from mlreg.operations.live_runs import SILENT, live_ids, read_live_run, sizes_in
from tests.unit.formats.journals import lines
from tests.unit.operations.live import HERE, NOW, OTHER, RUN, end, left, logged, read, start, write


def status(runs: Path, **journals: list[dict[str, Any]]) -> str:
    return read(runs, journals).status


def silent(runs: Path, name: str) -> None:
    """Let a journal be one that was not touched for long."""
    path = runs / RUN / f"{name}.journal"
    os.utime(path, (path.stat().st_mtime - SILENT - 60,) * 2)


# The order.


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=4), st.integers(0, 99))
def test_the_points_of_all_writers_are_there_and_those_of_each_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, writers: list[list[int]], seed: int
) -> None:
    def said(writer: int, times: list[int]) -> list[dict[str, Any]]:
        values = [{"loss": step, f"of {writer}": step} for step in range(len(times))]
        return [{"metrics": one, "step": writer, "time": time} for one, time in zip(values, times, strict=True)]

    journals = [(str(writer), [start(), *said(writer, times)]) for writer, times in enumerate(writers)]
    random.Random(seed).shuffle(journals)

    metrics = read(tmp_path_factory.mktemp("runs"), dict(journals)).state.metrics

    def points(name: str) -> list[Point]:
        return list(metrics.get(name, Series.empty()).points())

    for writer, times in enumerate(writers):
        own = [(writer, step, time) for step, time in enumerate(times)]
        assert [(one.step, one.value, one.time) for one in points("loss") if one.step == writer] == own
        assert [one.time for one in points(f"of {writer}")] == times


def test_points_of_writers_stand_by_their_time_and_those_of_one_in_its_order_whatever_its_clock_did(
    tmp_path: Path,
) -> None:
    run = read(
        tmp_path,
        {
            "a": [start(0), logged(1, 10), logged(2, 5), logged(3, 30)],
            "b": [start(1, experiment=None), logged(4, 7), logged(5, 20), logged(6, 40)],
        },
    )

    assert [point.value for point in run.state.metrics["loss"].points()] == [4, 1, 2, 5, 3, 6]


def test_of_several_writers_the_first_to_log_a_param_wins_and_the_last_to_set_a_label(tmp_path: Path) -> None:
    def said(value: int, time: int) -> list[dict[str, Any]]:
        return [{"params": {"lr": value}, "labels": {"team": value}, "time": NOW + time}]

    run = read(tmp_path, {"a": said(1, 9), "b": said(2, 3), "c": said(3, 5)})

    assert (run.state.params, run.state.changed) == ({"lr": 2}, {"lr": [2, 3, 1]})
    assert run.state.labels == {"team": 1}


def test_an_end_that_was_taken_back_is_none_though_the_clock_of_who_goes_on_is_behind(tmp_path: Path) -> None:
    """Whoever resumes a run begins after all that was said; what it says later counts from there on."""
    run = read(tmp_path, {"a": [start(0), end(100, "killed")], "b": [start(101, **HERE), logged(1, 2)]})

    assert (run.status, run.state.ended) == ("running", "")
    assert status(tmp_path, b=[start(101, **HERE), logged(1, 2), end(3)]) == "finished"


# The status.


def test_a_run_runs_while_its_process_does(tmp_path: Path) -> None:
    assert status(tmp_path, a=[start(**HERE)]) == "running"
    assert status(tmp_path, a=[start()]) == "crashed"
    assert status(tmp_path, a=[start(), end(1, "failed")]) == "failed"


def test_a_run_that_its_process_left_goes_on_no_more(tmp_path: Path) -> None:
    assert status(tmp_path, a=[start(**HERE), left(1)]) == "crashed"
    assert status(tmp_path, a=[start(**HERE), left(1), start(2, **HERE)]) == "running"


def test_a_process_that_joined_keeps_a_run_alive_until_it_goes(tmp_path: Path) -> None:
    joined = start(1, experiment=None, **HERE)

    assert status(tmp_path, a=[start()], b=[joined]) == "running"
    assert status(tmp_path, a=[start()], b=[joined, left(2)]) == "crashed"
    assert status(tmp_path, a=[start(), end(3)], b=[joined]) == "finished"


def test_the_command_line_keeps_alive_what_it_began_and_not_what_it_spoke_of(tmp_path: Path) -> None:
    began, spoke = start(pid=None, began=None), start(1, pid=None, began=None, experiment=None)

    assert status(tmp_path, host=[began]) == "running"
    assert status(tmp_path, host=[began], a=[start(1, experiment=None), left(2)]) == "running"
    shutil.rmtree(tmp_path / RUN)
    assert status(tmp_path, host=[spoke], a=[start()]) == "crashed"
    assert status(tmp_path, host=[spoke], a=[start(**HERE)]) == "running"


def test_a_run_that_a_process_went_on_with_is_that_processs_run(tmp_path: Path) -> None:
    began = [start(pid=None, began=None), end(1, "failed")]

    assert status(tmp_path, host=began, a=[start(2)]) == "crashed"
    assert status(tmp_path, host=began, a=[start(2, **HERE)]) == "running"


@pytest.mark.parametrize(
    "began", [None, "another-kernel:4026531836:77", f"{HERE['began']}0:5"], ids=["nothing", "kernel", "start"]
)
def test_of_a_process_that_cannot_be_seen_the_last_sign_of_life_counts(tmp_path: Path, began: str | None) -> None:
    """Containers of one host have its name and numbers of their own; some systems have no /proc."""
    assert status(tmp_path, a=[start(began=began)]) == "running"
    silent(tmp_path, "a")
    assert read_live_run(tmp_path, RUN).status == "crashed"


def test_a_sign_of_life_from_the_future_is_none(tmp_path: Path) -> None:
    write(tmp_path, {"a": [start(began=None)]})
    path = tmp_path / RUN / "a.journal"
    os.utime(path, (path.stat().st_mtime + 10 * SILENT,) * 2)

    assert read_live_run(tmp_path, RUN).status == "crashed"


def test_a_run_whose_beginning_is_damaged_runs_while_it_is_written(tmp_path: Path) -> None:
    write(tmp_path, {"a": [logged(1, 1)]})
    assert read_live_run(tmp_path, RUN).status == "running"
    silent(tmp_path, "a")
    assert read_live_run(tmp_path, RUN).status == "crashed"


@pytest.mark.parametrize(
    ("said", "is_written"),
    [
        ([start(**HERE)], True),
        ([start(**HERE), end(1)], False),
        ([start(**HERE), left(1)], False),
        ([start()], False),
        ([start(pid=None, began=None)], False),
    ],
)
def test_a_run_is_written_by_processes_that_live_and_did_not_say_that_they_go(
    tmp_path: Path, said: list[dict[str, Any]], is_written: bool
) -> None:
    assert read(tmp_path, {"a": said}).is_written is is_written


# What lies in a directory.


def test_half_a_line_at_the_end_disturbs_no_one(tmp_path: Path) -> None:
    whole = lines([start(), logged(1, 1)])
    directory = write(tmp_path, {})
    for size in range(len(lines([start()])), len(whole)):
        (directory / "a.journal").write_bytes(whole[:size])

        run = read_live_run(tmp_path, RUN)

        assert (run.damaged, list(run.state.metrics)) == (0, [])
        assert run.sizes == (("a.journal", size),) == sizes_in(directory)


@pytest.mark.parametrize("name", ["b.journal", "files"])
@pytest.mark.parametrize("sort", ["link", "dangling", "pipe", "directory", "device"])
def test_what_is_no_file_is_no_journal_and_is_not_opened_for_long(tmp_path: Path, sort: str, name: str) -> None:
    directory = write(tmp_path / "runs", {"a": [start(), logged(1, 1)]})
    (tmp_path / "other").write_bytes(lines([logged(2, 2)]))
    path = directory / name
    if sort == "pipe":
        os.mkfifo(path)
    elif sort == "directory":
        path.mkdir()
    else:
        path.symlink_to({"link": tmp_path / "other", "dangling": tmp_path / "nothing"}.get(sort, Path("/dev/zero")))

    run = read_live_run(tmp_path / "runs", RUN)

    assert [point.value for point in run.state.metrics["loss"].points()] == [1]
    assert [name for name, _ in run.sizes] == ["a.journal"] == [name for name, _ in sizes_in(directory)]


def test_only_directories_that_are_called_by_an_id_are_runs(tmp_path: Path) -> None:
    write(tmp_path, {"a": [start()]})
    for name in (
        "latest",
        RUN.upper() + "x",
        f"{RUN}.0a0b.aside",
        f"{RUN}.0a0b.done",
        f"{RUN}+2",
        ".hidden",
        RUN + " ",
    ):
        (tmp_path / name).mkdir()
    (tmp_path / OTHER).symlink_to(tmp_path / RUN)

    assert live_ids(tmp_path) == [RUN]
    assert live_ids(tmp_path / "nothing") == live_ids(tmp_path / RUN / "a.journal") == []


def test_an_empty_directory_is_no_run(tmp_path: Path) -> None:
    write(tmp_path, {})

    with pytest.raises(NotFoundError) as caught:
        read_live_run(tmp_path, RUN)
    assert caught.value.code == "run_missing"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_may_not_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    (write(tmp_path, {"a": [start()]}) / "a.journal").chmod(0)

    with pytest.raises(AccessError):
        read_live_run(tmp_path, RUN)


def test_any_bytes_in_a_journal_are_read_without_an_error(tmp_path: Path) -> None:
    directory, rng = write(tmp_path, {"a": [start()]}), random.Random(0)
    for _ in range(100):
        (directory / "b.journal").write_bytes(rng.randbytes(rng.randrange(200)))
        try:
            assert read_live_run(tmp_path, RUN).state.experiment == "churn"
        except MlregError as error:
            pytest.fail(str(error))
