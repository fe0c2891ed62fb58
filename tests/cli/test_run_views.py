"""How runs and notes look in lists: what differs, NaN as NaN, and nothing of theirs that a terminal would obey."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest

from mlreg.registry.experiment import ExperimentRegistry
from tests.cli.calling import Call, on_terminal
from tests.cli.conftest import ANN

STYLE = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\n\u202e<script>[red]"


def add(metrics: dict[str, float], params: dict[str, Any], **about: Any) -> str:
    """Seal a run of exp/views in the project, and return its ref."""
    registry = ExperimentRegistry(Path(".mlreg").absolute(), ANN)
    with registry.start_experiment("views", params=params, **about) as run:
        run.log_metrics(metrics)
    return run.ref


def is_harmless(text: str) -> bool:
    """Tell whether a terminal shows text and does nothing else."""
    return not any(category(one) in ("Cc", "Cf") and one not in "\t\n" for one in text)


def test_a_list_shows_the_params_that_differ_and_all_metrics_but_those_of_the_machine(mlreg: Call) -> None:
    add({"auc": 0.5, "system/cpu": 1}, {"lr": 0.1, "same": 1, "optim": {"beta": 2}}, run_name="one")
    add({"auc": math.nan, "loss": math.inf}, {"lr": 0.2, "same": 1, "optim": {"beta": 3}}, run_name="two")

    rows = mlreg("run", "ls", "views").rows

    assert [(row[1], row[5], row[6]) for row in rows] == [
        ("two", "auc=NaN loss=Infinity", "lr=0.2 optim.beta=3"),
        ("one", "auc=0.5", "lr=0.1 optim.beta=2"),
    ]


def test_an_id_is_not_broken_on_a_terminal_of_80_columns_and_finds_its_run(mlreg: Call) -> None:
    for number in range(3):
        add(
            {f"metric/{n}": 0.123456 for n in range(5)},
            {f"param.{n}": number for n in range(5)},
            run_name="a long name",
        )

    for words in (["run", "ls"], ["run", "ls", "views"], ["run", "ls", "views", "--columns", "params.param.0,author"]):
        shown = STYLE.sub("", on_terminal(*words, COLUMNS="80").out)
        names = {line.split()[0] for line in shown.splitlines() if line.startswith("exp/")}
        runs = mlreg(*words, "-q").out.split()
        assert len(names) == len(runs)
        for name in names:
            assert mlreg("run", "show", name, "-q").out.strip() in runs
        assert max(map(len, shown.splitlines())) <= 80
    assert "a long name" not in STYLE.sub("", on_terminal("run", "ls", "churn", COLUMNS="80").out)
    assert "NAME" not in on_terminal("run", "ls", "churn", COLUMNS="80").out
    best = on_terminal("exp", "ls", COLUMNS="80").out
    assert mlreg("run", "show", "exp/churn@best", "-q").out[: len("exp/churn@01a22a39-31f5")] in best


def test_a_column_that_no_run_has_is_warned_of_with_what_is_near(mlreg: Call) -> None:
    add({"auc": 0.5}, {"lr": 0.1})

    run = mlreg("run", "ls", "views", "--columns", "params.lr,auc,metrics.x")

    assert run.err == "warning: no run here has auc (metrics.auc?), metrics.x\n"
    assert [row[1:] for row in run.rows] == [["0.1", "", ""]]
    assert mlreg("run", "ls", "views", "--columns", "params.lr,metrics.auc").err == ""
    assert mlreg("run", "ls", "views", "--where", "name = 'none'", "--columns", "params.x").err == ""


def test_chosen_columns_are_shown_in_their_order_and_empty_where_a_run_has_none(mlreg: Call) -> None:
    ref = add({"auc": math.nan}, {"lr": 0.123456789, "list": [1, "a"]}, tags={"team": "b"})

    run = mlreg("run", "ls", "views", "--columns", " params.lr, metrics.auc,params.none ,tags.team,params.list")

    assert run.rows == [[ref, "0.123457", "NaN", "", "b", '[1, "a"]']]


@pytest.mark.parametrize("words", [["run", "ls", "views"], ["run", "show", "exp/views"]])
def test_texts_of_runs_are_shown_and_not_obeyed(words: list[str], mlreg: Call) -> None:
    about = {"run_name": HOSTILE, "description": HOSTILE, "group": HOSTILE, "tags": {"t": HOSTILE}}
    ref = add({"auc": 1}, {"text": HOSTILE, "nested": {HOSTILE: HOSTILE}}, **about)

    piped, shown = mlreg(*words), on_terminal(*words)

    assert (piped.status, shown.status) == (0, 0)
    assert is_harmless(piped.out)
    assert piped.out.count("\n") == (1 if words[1] == "ls" else piped.out.count("\t"))
    assert ref in piped.out
    assert not any(mark in shown.out for mark in ("\x1b]", "\x1b[2J", "\u202e", "\x07"))
    # A program gets what was said.
    assert json.loads(mlreg("run", "show", ref, "--json").out)["params"]["text"] == HOSTILE


def test_notes_are_a_line_each_that_is_shown_and_not_obeyed(mlreg: Call) -> None:
    ref = add({"auc": 1}, {})
    for text in (HOSTILE, "one\ntwo\tthree", "plain"):
        assert mlreg("note", "add", ref, text).status == 0

    listed = mlreg("note", "ls", ref)

    assert (len(listed.rows), is_harmless(listed.out)) == (3, True)
    assert {len(row) for row in listed.rows} == {len(listed.rows[0])}
    for words in ([ref], ["exp/views"], []):
        items = mlreg("note", "ls", *words, "--json").document["items"]
        # The oldest first, also of those of one second.
        assert [note["text"] for note in items if note["ref"] == ref] == [HOSTILE, "one\ntwo\tthree", "plain"]
    assert "\x1b]" not in on_terminal("note", "ls", ref).out
