"""Logging from training code: what a user logs is kept as it is, or refused in words."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlreg.formats.canonical import MAX_INTEGER
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run import Run
from tests.unit.registry.experiments import artifacts, code_of, files, points

# All at once.


def test_the_example_of_the_documents_works_and_what_was_logged_is_there_before_and_after_the_end(
    tmp_path: Path, registry: ExperimentRegistry
) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    run = registry.start_experiment(name="suture_detection", description="a try")
    run.log_metrics({"loss": 0.5, "auc": 0.9})
    run.log_params({"lr": 0.1, "layers": [1, 2]})
    run.log_artifact(tmp_path / "model.pt")
    run.set_tags({"team": "vision"})

    live = registry.get_run(run.id)
    done = run.finish()

    assert (live.status, live.sealed, done.status, done.sealed) == ("running", False, "finished", True)
    for info in (live, done, registry.get_run(run.id), registry.get_run(run.ref), registry.list_runs()[0]):
        assert (info.experiment, info.metrics, info.labels) == (
            "suture_detection",
            {"loss": 0.5, "auc": 0.9},
            {"team": "vision"},
        )
        assert info.params == {"lr": 0.1, "layers": [1, 2]}
        assert info.facts["description"] == "a try"
    assert artifacts(registry, done) == {"model.pt": b"weights"}
    assert not run.directory.exists()


# Metrics.


def test_steps_count_by_themselves_and_may_be_given_again_and_back(registry: ExperimentRegistry, run: Run) -> None:
    for value, step in (
        (0.0, None),
        (1.0, None),
        (2.0, 10),
        (3.0, None),
        (4.0, 3),
        (5.0, None),
        (6.0, -2),
        (7.0, None),
        (8.0, 0),
    ):
        run.log_metric("loss", value, step)
    before = points(registry, run)

    run.finish()

    assert (
        before == points(registry, run) == list(zip((0, 1, 10, 11, 3, 4, -2, -1, 0), map(float, range(9)), strict=True))
    )


def test_metrics_that_are_logged_together_have_one_step(registry: ExperimentRegistry, run: Run) -> None:
    run.log_metric("loss", 1)
    run.log_metric("loss", 2)
    run.log_metrics({"loss": 3, "auc": 4})

    assert (points(registry, run)[-1], points(registry, run, "auc")) == ((2, 3.0), [(2, 4.0)])


VALUES: list[Any] = [
    0.1,
    -0.0,
    1e-320,
    1.7e308,
    3,
    True,
    np.float32(0.5),
    np.int64(7),
    np.array(2.5),
    Decimal("0.25"),
    2**60,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_numbers_of_any_library_are_kept_as_doubles(registry: ExperimentRegistry, run: Run, value: Any) -> None:
    run.log_metric("loss", value)

    assert repr(run.finish().metrics["loss"]) == repr(float(value)) == repr(points(registry, run)[0][1])


@pytest.mark.parametrize(
    ("value", "word"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (np.float64("nan"), "NaN")]
)
def test_what_is_not_finite_is_kept_and_shown(registry: ExperimentRegistry, run: Run, value: float, word: str) -> None:
    run.log_metrics({"loss": value, "auc": 1})

    info = run.finish()

    assert (info.metrics["loss"], registry.list_runs()[0].metrics["loss"]) == (word, word)
    assert repr(points(registry, run)[0][1]) == repr(float(value))


@pytest.mark.parametrize(
    "value",
    ["0.5", b"1", None, [1], {}, 1j, 10**400, np.array([1, 2]), object()],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_no_metric_and_nothing_of_the_call_is_logged(
    registry: ExperimentRegistry, run: Run, value: Any
) -> None:
    assert code_of(lambda: run.log_metrics({"auc": 1, "loss": value})) == "bad_metric"
    assert registry.get_metrics(run.id) == {}


@pytest.mark.parametrize("step", [MAX_INTEGER, -MAX_INTEGER, np.int64(3), 4.0, True])
def test_a_step_is_any_whole_number_of_64_bits(registry: ExperimentRegistry, run: Run, step: Any) -> None:
    run.log_metric("loss", 1, step)

    assert points(registry, run) == [(int(step), 1.0)]


@pytest.mark.parametrize(
    "step", [MAX_INTEGER + 1, -MAX_INTEGER - 1, 10**30, 0.5, "1", math.nan, math.inf, [1]], ids=repr
)
def test_what_is_no_step_is_refused_and_not_lost_in_silence(registry: ExperimentRegistry, run: Run, step: Any) -> None:
    assert code_of(lambda: run.log_metric("loss", 1, step)) == "bad_step"
    run.log_metric("loss", 2, MAX_INTEGER)
    assert code_of(lambda: run.log_metric("loss", 3)) == "bad_step"
    assert points(registry, run) == [(MAX_INTEGER, 2.0)]


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m", "x" * 251, 3, "\ud800"])
def test_a_name_that_cannot_be_printed_is_refused_everywhere(run: Run, name: Any) -> None:
    assert code_of(lambda: run.log_metric(name, 1)) == "bad_run_name"
    assert code_of(lambda: run.log_param(name, 1)) == "bad_run_name"
    assert run.finish().metrics == {}


@pytest.fixture
def impatient() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient")
def test_threads_that_log_one_metric_get_steps_of_their_own(registry: ExperimentRegistry, run: Run) -> None:
    def work(thread: int) -> None:
        for number in range(100):
            run.log_metric("loss", thread * 1000 + number)
            run.log_metric(f"of {thread}", number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()

    shared = points(registry, run)
    assert [step for step, _ in shared] == list(range(800))
    for number in range(8):
        assert [value for _, value in shared if value // 1000 == number] == [number * 1000 + one for one in range(100)]
        assert points(registry, run, f"of {number}") == [(one, float(one)) for one in range(100)]


# Params, labels, facts.


Colour = Enum("Colour", ["RED"])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1, 1),
        ((1, 2), [1, 2]),
        (np.float64(0.5), 0.5),
        ({"a": {"b": (1,)}}, {"a": {"b": [1]}}),
        (math.nan, "NaN"),
        (Path("a/b"), "a/b"),
        (Colour.RED, "Colour.RED"),
        (10**30, str(10**30)),
        ({1: 2}, "{1: 2}"),
        ([math.nan], "[nan]"),
        ("caf\udce9", "caf\\udce9"),
        (b"x", "b'x'"),
    ],
    ids=repr,
)
def test_a_param_or_a_label_is_a_json_value_or_the_text_of_it(
    registry: ExperimentRegistry, run: Run, value: Any, kept: Any
) -> None:
    run.log_param("p", value)
    run.log_param("p", value)
    run.set_tag("t", value)
    run.say_facts({"f": value})

    info = run.finish()

    assert (info.params["p"], info.labels["t"], info.facts["f"]) == (kept, kept, kept)
    assert registry.get_run(run.id).labels == info.labels


def test_a_value_that_holds_itself_or_is_very_deep_is_kept_as_text(run: Run) -> None:
    ring: list[Any] = []
    ring.append(ring)
    deep: Any = 1
    for _ in range(500):
        deep = [deep]

    run.log_params({"ring": ring, "deep": deep})

    assert all(isinstance(value, str) for value in run.finish().params.values())


def test_a_param_has_one_value_and_of_a_call_that_is_refused_nothing_is_logged(
    registry: ExperimentRegistry, run: Run
) -> None:
    run.log_params({"lr": 0.1, "optim": {"a": 1, "b": 2}})
    run.log_params({"lr": 0.1, "optim": {"b": 2, "a": 1}})

    for other in ({"new": 1, "lr": 0.2}, {"lr": "0.1"}, {"optim": {"a": 1}}):
        assert code_of(partial(run.log_params, other)) == "param_differs"
    assert registry.get_run(run.id).params == {"lr": 0.1, "optim": {"a": 1, "b": 2}}


def test_params_that_other_processes_logged_otherwise_are_all_kept(registry: ExperimentRegistry, run: Run) -> None:
    other = registry.join(run.id)
    run.log_param("lr", 0.1)
    other.log_param("lr", 0.2)
    other.finish()

    info = run.finish()

    assert sorted(info.facts["changed_params"]["lr"]) == [0.1, 0.2]
    assert info.params["lr"] in (0.1, 0.2)


def test_of_labels_the_last_one_holds_and_none_takes_one_away(registry: ExperimentRegistry, run: Run) -> None:
    run.set_tags({"team": "a", "x": 1, "y": {"a": None, "b": 1}, "z": 0})
    run.set_tags({"team": "b", "x": None})
    expected = {"team": "b", "y": {"b": 1}, "z": 0}

    assert registry.get_run(run.id).labels == run.finish().labels == registry.get_run(run.id).labels == expected
    with registry.resume(run.id) as again:
        again.set_tag("z", None)
    assert registry.get_run(run.id).labels == {"team": "b", "y": {"b": 1}}


def test_a_thing_that_is_too_long_to_be_said_is_refused_and_the_run_goes_on(run: Run) -> None:
    assert code_of(lambda: run.log_param("text", "x" * 2_000_000)) == "record_too_large"
    run.log_param("text", "short")

    assert run.finish().params == {"text": "short"}


def test_a_run_of_which_more_is_known_than_a_commit_holds_is_shown_found_and_resumed_whole(
    registry: ExperimentRegistry, run: Run
) -> None:
    long = {f"p{number}": "x" * 600_000 for number in range(3)}
    for name, value in long.items():
        run.log_param(name, value)
    run.log_metrics({"auc": 0.5})

    info = run.finish()

    (found,) = registry.list_runs(where="metrics.auc > 0.4")
    assert info.params == found.params == registry.get_run(run.id).params == long
    assert info == found == registry.get_run(run.id)
    with registry.resume(run.id) as again:
        assert code_of(lambda: again.log_param("p0", 1)) == "param_differs"
        again.log_param("p3", 1)
    assert registry.get_run(run.id).params == {**long, "p3": 1}


# Files.


def test_an_artifact_is_the_file_as_it_was_when_it_was_logged(
    tmp_path: Path, registry: ExperimentRegistry, run: Run
) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(b"first")
    run.log_artifact(file)
    run.log_artifact(file, "best/model.pt")
    file.write_bytes(b"second")
    run.log_artifact(file, "last.pt")
    file.unlink()

    assert artifacts(registry, run.finish()) == {"model.pt": b"first", "best/model.pt": b"first", "last.pt": b"second"}


def test_an_artifact_is_on_the_disk_before_the_journal_speaks_of_it(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    flushed: list[tuple[bytes, int]] = []
    (journal,) = run.directory.glob("*.journal")

    def note(fd: int) -> None:
        flushed.append((Path(f"/proc/self/fd/{fd}").readlink().read_bytes(), journal.stat().st_size))

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    before = journal.stat().st_size
    monkeypatch.setattr(os, "fsync", note)
    run.log_artifact(tmp_path / "model.pt")
    after = journal.stat().st_size
    run.log_text("text", "note.txt")

    assert flushed == [(b"weights", before), (b"text", after)]


def test_of_artifacts_with_one_name_the_last_holds(registry: ExperimentRegistry, run: Run) -> None:
    run.log_text("first", "note.txt")
    run.log_text("größer", "note.txt")

    assert artifacts(registry, run.finish()) == {"note.txt": "größer".encode()}


def test_a_directory_is_logged_under_its_name_and_what_is_in_it_at_the_top(
    tmp_path: Path, registry: ExperimentRegistry, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("out/a", "out/sub/b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path / "out")

    run.log_artifact(tmp_path / "out")
    run.log_artifact(".", "named")
    run.log_artifacts(tmp_path / "out")
    run.log_artifacts(tmp_path / "out", "below/here")

    tops = ("out/", "named/", "", "below/here/")
    assert sorted(artifacts(registry, run.finish())) == sorted(
        f"{top}{name}" for top in tops for name in ("a", "sub/b")
    )


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\nb", "con", "", "a//b"])
def test_an_artifact_with_an_unsafe_name_is_refused_and_leaves_nothing(run: Run, name: str) -> None:
    assert code_of(lambda: run.log_text("x", name)) == "unsafe_path"
    assert not (run.directory / "files").exists() or not list((run.directory / "files").iterdir())


def test_what_cannot_be_logged_as_a_file_is_refused_and_leaves_nothing(tmp_path: Path, run: Run) -> None:
    assert code_of(lambda: run.log_artifact(tmp_path / "nothing")) == "file_missing"
    assert code_of(lambda: run.log_artifact("")) == "empty_path"
    assert code_of(lambda: run.log_artifact("/dev/null")) == "special_file"
    assert not (run.directory / "files").exists()


def test_files_whose_names_are_one_on_some_system_are_both_kept(registry: ExperimentRegistry, run: Run) -> None:
    run.log_text("lower", "a")
    run.log_text("upper", "A")
    run.log_text("below", "a/b")

    info = run.finish()

    assert sorted(files(registry, info).values()) == [b"below", b"lower", b"upper"]
    assert sorted(info.facts["moved"].values()) == ["artifacts/A", "artifacts/a/b"]


class Figure:
    """As matplotlib has it."""

    def savefig(self, file: io.BytesIO, format: str) -> None:
        file.write(f"a {format}".encode())


def test_figures_and_tables_are_logged_as_their_names_say(registry: ExperimentRegistry, run: Run) -> None:
    run.log_figure(Figure(), "roc.svg")
    run.log_table([{"id": 1, "p": 0.5}, {"id": 2, "x": "a,b"}], "p.csv")
    run.log_table({"id": np.array([1, 2]), "p": [0.5, None]}, "p.jsonl")

    found = artifacts(registry, run.finish())

    assert found["roc.svg"] == b"a svg"
    assert list(csv.reader(io.StringIO(found["p.csv"].decode()))) == [
        ["id", "p", "x"],
        ["1", "0.5", ""],
        ["2", "", "a,b"],
    ]
    assert [json.loads(line) for line in found["p.jsonl"].splitlines()] == [{"id": 1, "p": 0.5}, {"id": 2, "p": None}]
    assert code_of(lambda: registry.start_experiment("churn").log_figure(object(), "x.png")) == "bad_figure"


def test_a_file_may_grow_until_the_run_ends(registry: ExperimentRegistry, run: Run) -> None:
    with run.new_file("logs/stdout.txt") as file:
        file.write(b"one\n")
        file.flush()
        run.log_metric("loss", 1)
        file.write(b"two\n")

    assert files(registry, run.finish())["logs/stdout.txt"] == b"one\ntwo\n"
