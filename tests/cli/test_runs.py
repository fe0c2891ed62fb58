"""Runs on the command line: started, logged to, ended and gone on with, by words and by lines."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlreg.cli import fast
from tests.cli.calling import Call, command, environment
from tests.cli.conftest import CRASHED, OPEN, RUNNING


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what puts bytes on standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


def shown(mlreg: Call, run: str) -> dict[str, Any]:
    return mlreg("run", "show", run, "--json").document


def points(run: str) -> dict[str, list[tuple[int, float]]]:
    """Return what the journals of an open run say of metrics, in the order in which it was said."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(Path(".mlreg/runs", run).glob("*.journal")):
        for line in filter(None, path.read_text().splitlines()):
            record = json.loads(line[9:])
            for name, value in record.get("metrics", {}).items():
                found.setdefault(name, []).append((record["step"], value))
    return found


# A whole life.


@pytest.mark.parametrize("says_which", [True, False])
def test_a_run_lives_by_commands_alone(says_which: bool, mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    run = mlreg("run", "start", "churn", "--name", "first", "--param", "lr=0.1", "-m", "try").out.strip()
    which = ("--run", run) if says_which else ()
    if not says_which:
        monkeypatch.setenv("MLREG_RUN", run)

    for words in (
        ("log", "loss=0.5", "--step", "3"),
        ("log", "loss=0.25"),
        ("param", "seed=1"),
        ("label", "team=vision"),
        ("artifact", "weights"),
        ("artifact", "weights", "--name", "copies/one"),
    ):
        assert mlreg("run", *words, *which).status == 0
    assert mlreg("run", "show", *which[1:], "--json").document["status"] == "running"
    sealed = mlreg("run", "finish", *which, "--json").document

    assert (sealed["status"], sealed["sealed"], sealed["name"]) == ("finished", True, "first")
    assert (sealed["params"], sealed["labels"]) == ({"lr": 0.1, "seed": 1}, {"team": "vision"})
    assert (sealed["metrics"], sealed["ranges"]["loss"]["step"]) == ({"loss": 0.25}, 4)
    files = [row[2] for row in mlreg("ls", sealed["ref"]).rows]
    assert {"artifacts/weights", "artifacts/copies/one"} <= set(files)


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["run", "start", "churn", "--param", "lr"], "--param lr=0.1"),
        (["run", "start", "churn", "--label", "lr"], "--label team=growth"),
        (["run", "exec", "churn", "--param", "lr", "--", "true"], "--param lr=0.1"),
        (["run", "param", "lr", "--run", OPEN], "mlreg run param lr=0.1"),
        (["run", "label", "lr", "--run", OPEN], "mlreg run label team=growth"),
        (["label", "model/net", "team"], "team=vision"),
        (["meta", "set", "net@1.0.0", "map"], "metrics.map=0.93"),
        (["add", "model/net", "weights", "--bump", "minor", "--meta", "map"], "--meta metrics.map=0.93"),
    ],
)
def test_a_word_without_a_value_is_refused_with_how_it_is_typed_there(
    words: list[str], typed: str, mlreg: Call
) -> None:
    place = words.index("--") if "--" in words else len(words)

    assert mlreg(*words[:place], "--json", *words[place:]).error["fix"] == [f"write it like {typed}"]


def test_a_value_that_is_no_json_is_named_by_its_key(mlreg: Call) -> None:
    assert "layers" in mlreg("run", "param", "layers=[1", "--run", OPEN, "--json").error["message"]


def test_the_short_way_to_log_says_of_a_sealed_run_how_it_goes_on(mlreg: Call) -> None:
    mlreg("run", "finish", "--run", OPEN)

    error = mlreg("run", "log", "loss=1", "--run", OPEN, "--json").error

    assert (error["code"], error["fix"]) == ("run_missing", [f"mlreg run resume {OPEN}"])


def test_a_run_that_is_not_named_is_asked_for(mlreg: Call) -> None:
    for words in (["log", "loss=1"], ["param", "a=1"], ["label", "a=1"], ["artifact", "weights"], ["finish"], ["show"]):
        done = mlreg("run", *words, "--json")
        assert (done.status, done.error["code"]) == (2, "no_run")


def test_a_run_that_is_sealed_goes_on_and_is_sealed_again(mlreg: Call) -> None:
    run = mlreg("run", "start", "churn", "--param", "lr=0.1").out.strip()
    mlreg("run", "log", "loss=0.5", "--step", "7", "--run", run)
    mlreg("run", "finish", "--run", run, "--status", "failed", "--reason", "no power")

    assert mlreg("run", "resume", run[:20]).out.strip() == run
    assert shown(mlreg, run)["status"] == "running"
    assert mlreg("run", "resume", run).out.strip() == run
    assert mlreg("run", "log", "loss=0.25", "--run", run).status == 0
    assert mlreg("run", "param", "lr=0.2", "--run", run, "--json").error["code"] == "param_differs"
    sealed = mlreg("run", "finish", "--run", run, "--json").document

    assert (sealed["ref"], sealed["status"]) == (f"exp/churn@{run}+2", "finished")
    assert (sealed["params"], sealed["facts"].get("reason")) == ({"lr": 0.1}, None)
    assert (sealed["ranges"]["loss"]["count"], sealed["ranges"]["loss"]["step"]) == (2, 8)


def test_a_run_that_crashed_goes_on(mlreg: Call) -> None:
    assert shown(mlreg, CRASHED)["status"] == "crashed"

    mlreg("run", "resume", CRASHED)

    assert shown(mlreg, CRASHED)["status"] == "running"
    assert mlreg("run", "finish", "--run", CRASHED, "--json").document["status"] == "finished"


def test_what_the_command_line_says_of_a_crashed_run_does_not_make_it_live(mlreg: Call) -> None:
    assert mlreg("run", "log", "late=1", "--run", CRASHED).status == 0

    assert shown(mlreg, CRASHED)["status"] == "crashed"
    assert mlreg("run", "adopt", "--crashed", "--json").document["items"][0]["metrics"] == {"late": 1, "loss": 0.5}


def test_a_run_that_lives_is_not_gone_on_with(mlreg: Call) -> None:
    done = mlreg("run", "resume", RUNNING, "--json")

    assert (done.status, done.error["code"]) == (11, "run_is_running")


# Lines.


def test_lines_are_logged_as_they_come(mlreg: Call, typed: Any) -> None:
    typed(
        b'{"loss": 0.5, "step": 3}\n\n{"loss": 0.25, "auc": NaN}\n'
        b'{"loss": -Infinity, "step": -1}\r\n{"\xc3\xa4 / x": 1e400}\n{"loss": 2'
        b"}"
    )

    done = mlreg("run", "log", "--run", OPEN, "--json")

    assert (done.status, done.document["records"]) == (0, 5)
    assert points(OPEN) == {
        "loss": [(0, 0.5), (3, 0.5), (4, 0.25), (-1, "-Infinity"), (0, 2)],
        "auc": [(4, "NaN")],
        "ä / x": [(0, "Infinity")],
    }


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[1]",
        b"{",
        b'{"loss": "low"}',
        b'{"loss": true}',
        b'{"loss": null}',
        b'{"loss": 1, "step": 1.5}',
        b'{"loss": 1, "step": 99999999999999999999}',
        b'{"lo\\u0000ss": 1}',
        b'{"": 1}',
        b'{"%s": 1}' % (b"x" * 251),
        b'{"loss": 1%s}' % (b"0" * 400),
        b'{"loss": %s}' % (b"[" * 100_000),
        b"\xff\xfe",
        b" " * (1 << 20) + b'{"loss": 1}',
    ],
)
def test_a_line_that_holds_no_metrics_is_named_and_what_stands_before_is_logged(
    line: bytes, mlreg: Call, typed: Any
) -> None:
    typed(b'{"loss": 9, "step": 5}\n\n' + line + b'\n{"loss": 7}\n')

    done = mlreg("run", "log", "--run", OPEN, "--json")

    assert (done.status, done.error["code"]) == (2, "bad_metric")
    assert "line 3" in done.error["message"]
    assert points(OPEN)["loss"] == [(0, 0.5), (5, 9)]


def test_nothing_is_logged_of_no_lines(mlreg: Call, typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(b"")
    assert mlreg("run", "log", "--run", OPEN, "--json").document["records"] == 0
    monkeypatch.setattr(sys, "stdin", None)
    assert mlreg("run", "log", "--run", OPEN, "--json").document["records"] == 0


# The short way.

SAME = [
    ["loss=0.5"],
    ["loss=0.5", "--step", "3"],
    ["loss=0.5", "--step=3"],
    ["--step", "-3", "loss=0.5", "auc=nan"],
    ["loss=0.5", "--step", "1", "--step", "2"],
    ["loss=inf", "ä b=1e400"],
    ["a=b=1"],
    ["loss= 1 "],
    ["loss=1_0"],
    ["loss=0.5", "--step"],
    ["loss=0.5", "--step", ""],
    ["loss=0.5", "--step="],
    ["loss=0.5", "--step", "three"],
    ["loss=0.5", "--step", "1.0"],
    ["loss=0.5", "--step", "--run"],
    ["loss=0.5", "--step", "9223372036854775807"],
    ["loss=0.5", "--step", "9223372036854775808"],
    ["loss=0.5", "--step", "-9223372036854775809"],
    ["loss=0.5", "--step", "٣"],
    ["loss=0.5", "--run"],
    ["loss=0.5", "--run="],
    ["loss=0.5", "--run", "nothing"],
    ["loss=0.5", f"--run={OPEN[:13]}"],
    ["loss=0.5", "--run", f"run/{OPEN}"],
    ["loss=0.5", "--run", f"exp/churn@{OPEN}"],
    ["loss"],
    ["loss=low"],
    ["=1"],
    ["x\x00=1"],
    ["x" * 251 + "=1"],
    ["--", "loss=0.5"],
    ["loss=0.5", "--", "--step=1"],
    ["loss=0.5", "-x"],
    ["loss=0.5", "--steps", "1"],
    ["loss=0.5", "-"],
]


@pytest.mark.parametrize("words", SAME, ids=" ".join)
def test_the_short_way_does_what_the_long_one_does(
    words: list[str], mlreg: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import shutil

    monkeypatch.setenv("MLREG_RUN", OPEN)
    shutil.copytree(".mlreg", tmp_path / "before")

    def outcome() -> object:
        done = mlreg("run", "log", *words)
        found = (done.status, done.out, done.err, points(OPEN))
        shutil.rmtree(".mlreg")
        shutil.copytree(tmp_path / "before", ".mlreg")
        return found

    short = outcome()
    monkeypatch.setattr(fast, "can_answer", lambda arguments: False)
    assert short == outcome()


def test_both_ways_say_where_there_is_no_repository(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("run", "log", "loss=0.5", "--run", OPEN)

    short = call(*words)
    monkeypatch.setattr(fast, "can_answer", lambda arguments: False)

    for done in (short, call(*words)):
        assert (done.status, done.err[:22]) == (10, "error[no_repository]: ")


def test_the_short_way_is_taken_for_what_is_said_often(mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlreg.cli.main._run_tree", lambda arguments: pytest.fail("the long way"))

    assert mlreg("run", "log", "loss=0.5", "--step", "3", "--run", OPEN).status == 0


SLOW = {"typer", "click", "rich", "numpy", "sqlite3", "yaml", "pydantic", "zstandard", "semver", "cryptography"}


@pytest.mark.usefixtures("mlreg")
def test_logging_a_value_imports_nothing_slow(tmp_path: Path) -> None:
    # A project without settings: to read them takes yaml.
    Path(".mlreg/config.yaml").unlink()
    Path(".mlreg.yaml").unlink()
    hook = "import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules)))"
    (tmp_path / "sitecustomize.py").write_text(hook)
    surroundings = environment(MLREG_RUN=OPEN)
    surroundings["PYTHONPATH"] = f"{tmp_path}:{surroundings['PYTHONPATH']}"

    done = subprocess.run(
        command("run", "log", "loss=0.5", "--step", "3"), env=surroundings, capture_output=True, text=True, check=True
    )

    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "mlreg" in loaded
    assert loaded & SLOW == set()
