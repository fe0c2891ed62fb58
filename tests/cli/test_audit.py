"""The audit trail on the command line: for people, programs, spreadsheets; and a log that is not what it was."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from mlreg.cli.audit_views import harmless
from tests.cli.calling import Call, on_terminal

EVIL = '=HYPERLINK("http://x")\x1b[2J\u202egpj\n+1,"\''


def test_the_trail_is_printed_in_every_form_and_says_the_same(mlreg: Call) -> None:
    items = mlreg("audit", "log", "--json").document["items"]

    lines = mlreg("audit", "log", "--output", "jsonl").out.splitlines()
    table = list(csv.DictReader(io.StringIO(mlreg("audit", "log", "--output", "csv").out)))
    assert [json.loads(line) for line in lines] == items
    assert table == [{key: str(value) for key, value in item.items()} for item in items]
    assert [row[0] for row in mlreg("audit", "log").rows] == [str(item["number"]) for item in items]
    assert [item["number"] for item in items] == sorted((item["number"] for item in items), reverse=True)
    assert mlreg("audit", "log", "-q").out.split() == list(dict.fromkeys(item["ref"] for item in items if item["ref"]))


@pytest.mark.parametrize("other", [["--json"], ["-q"], ["--format", "{ref}"]])
def test_a_form_beside_another_way_to_print_is_refused(other: list[str], mlreg: Call) -> None:
    run = mlreg("audit", "log", "--output", "csv", *other)

    assert (run.status, run.out) == (2, "")
    assert "one_output" in run.err


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "\u00a0@x"])
def test_text_that_a_spreadsheet_would_calculate_gets_a_mark_before_it(text: str) -> None:
    assert harmless(text) == f"'{text}"


def test_other_text_and_numbers_stay_as_they_are() -> None:
    cells = ["a=1", "", "model/net@1.0.0", "'", 1, -1, "2026-01-01T00:00:00Z"]

    assert [harmless(cell) for cell in cells] == cells


def test_no_cell_of_the_table_is_a_formula_whatever_people_write(mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLREG_AUTHOR", "@cmd")
    monkeypatch.setenv("USER", "+me")
    mlreg("tag", "net@1.0.0", "candidate", "-m", EVIL)
    mlreg("label", "model/net", "team=-2+3", "-m", "=2")
    mlreg("note", "add", "model/net", "=1")

    run = mlreg("audit", "log", "--output", "csv")
    table = list(csv.reader(io.StringIO(run.out)))
    assert {len(row) for row in table} == {len(table[0])}
    assert [cell for row in table for cell in row if cell[:1] in tuple("=+-@\t\r\n")] == []
    assert [row[9] for row in table if row[6] == "model/net@candidate"] == [f"'{EVIL}"]
    assert {(row[2], row[3]) for row in table[1:3]} == {("'@cmd", "'+me")}


@pytest.mark.parametrize("form", [[], ["--output", "csv"], ["--output", "jsonl"]])
def test_a_terminal_obeys_no_byte_of_what_people_write(form: list[str], mlreg: Call) -> None:
    mlreg("tag", "net@1.0.0", "candidate", "-m", EVIL)

    shown = on_terminal("audit", "log", *form, COLUMNS="400").out

    assert "candidate" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_the_trail_says_who_from_where_unless_that_is_switched_off(
    mlreg: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "ann")
    mlreg("tag", "net@1.0.0", "one")
    mlreg("config", "set", "audit.keep_origin", "false")
    mlreg("tag", "net@1.0.0", "two")

    two, one = mlreg("audit", "log", "-n", "2", "--json").document["items"]
    assert (one["user"], bool(one["host"])) == ("ann", True)
    assert (two["user"], two["host"]) == ("", "")


def test_a_push_says_in_the_remote_who_pushed_from_where(mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ann")
    mlreg("push")

    items = mlreg("audit", "log", "origin::", "--json").document["items"]
    assert {(item["user"], bool(item["host"])) for item in items} == {("ann", True)}


def go_back() -> None:
    """Bring an old copy of the repository back over a newer one."""
    shutil.rmtree(".mlreg")
    shutil.move("old", ".mlreg")


COMMANDS = [
    ["ls"],
    ["status"],
    ["rev-parse", "net@production"],
    ["tag", "net@1.0.0", "candidate"],
    ["add", "model/net", "weights", "--version", "2.0.0"],
    ["get", "net@production", "out"],
    ["push"],
    ["pull"],
    ["gc"],
    ["audit", "log"],
    ["audit", "head"],
    ["audit", "verify"],
    ["rm", "data/rows@2026.01.01", "-n"],
]


def test_every_command_refuses_a_log_that_went_back_until_that_is_accepted(mlreg: Call, tmp_path: Path) -> None:
    shutil.copytree(".mlreg", "old")
    mlreg("tag", "net@1.0.0", "newer")
    go_back()
    before = {path: path.stat().st_mtime_ns for path in Path(".mlreg").rglob("*")}
    shutil.rmtree(tmp_path / "cache")

    ends = {" ".join(words): (mlreg(*words).status, mlreg(*words, "--json").error["code"]) for words in COMMANDS}

    assert set(ends.values()) == {(6, "log_went_back")}
    assert {path: path.stat().st_mtime_ns for path in Path(".mlreg").rglob("*")} == before
    assert (mlreg("health", "--offline").status, mlreg("doctor").status) == (3, 3)
    run = mlreg("ls")
    assert "mlreg audit forget" in run.err
    assert "why:" in run.err
    assert mlreg("audit", "forget").status == 0
    assert mlreg("ls").status == 0


def test_a_remote_that_went_back_is_refused_by_those_who_meet_it(mlreg: Call, tmp_path: Path) -> None:
    mlreg("push")
    shutil.copytree(tmp_path / "registry", tmp_path / "old")
    mlreg("tag", "net@1.0.0", "newer")
    mlreg("push")
    shutil.rmtree(tmp_path / "registry")
    shutil.move(tmp_path / "old", tmp_path / "registry")

    for words in (["push"], ["pull"], ["fetch"]):
        assert (mlreg(*words).status, mlreg(*words, "--json").error["code"]) == (6, "remote_went_back")
    assert mlreg("audit", "verify", "origin", "--json").error["code"] == "log_went_back"
    assert mlreg("health").status == 3


def test_a_head_that_was_kept_proves_the_log_later(mlreg: Call) -> None:
    head = mlreg("audit", "head", "-q").out.strip()
    words = mlreg("audit", "head", "--format", "{number}:{phrase}").out.strip()
    mlreg("tag", "net@1.0.0", "newer")

    assert mlreg("audit", "verify", "--expect", head, "--expect", words).status == 0
    number, _, digits = head.partition(":")
    other = f"{number}:{digits[::-1]}"
    assert mlreg("audit", "verify", "--expect", other, "--json").error["code"] == "log_forked"
    assert mlreg("audit", "verify", "--expect", f"999:{digits}", "--json").error["code"] == "log_went_back"
    assert mlreg("audit", "verify", "--expect", digits).status == 2
