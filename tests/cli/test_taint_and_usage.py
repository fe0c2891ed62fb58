"""Taint and usage as a user meets them: marks, the exit code, reasons, settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import Call, on_terminal

NET, ROWS = "model/net@1.0.0", "data/rows@2026.01.01"
WHY = "wrong labels"


@pytest.fixture
def tainted(mlreg: Call) -> Call:
    assert mlreg("taint", ROWS, "--reason", WHY).out == f"tainted {ROWS}\n"
    return mlreg


def test_a_taint_on_data_refuses_the_tag_production_two_steps_down_with_its_exit_code(tainted: Call) -> None:
    tainted("add", "model/tuned", "weights", "--version", "1.0.0", "--in", f"base={NET}")

    run = tainted("tag", "model/tuned@1.0.0", "production", "--json")

    assert (run.status, run.out, run.error["code"], run.error["exit"]) == (15, "", "tainted", 15)
    assert WHY in run.error["message"]
    assert tainted("tag", "ls", "model/tuned").out == ""
    assert tainted("untaint", ROWS).out == f"untainted {ROWS}\n"
    assert tainted("tag", "model/tuned@1.0.0", "production").status == 0


def test_who_taints_is_told_which_tags_point_there_and_who_untaints_what_still_taints(mlreg: Call) -> None:
    assert "model/net@production" in mlreg("taint", ROWS, "--reason", WHY).err
    assert mlreg("taint", "exp/churn@latest", "--reason", WHY).err == ""

    run = mlreg("untaint", NET)
    assert (run.status, run.out) == (0, f"unchanged {NET}\n")
    assert f"{NET} is tainted still, by {ROWS}" in run.err
    assert mlreg("untaint", ROWS).err == ""


def test_who_registers_what_is_tainted_is_told(tainted: Call) -> None:
    added = tainted("add", "model/tuned", "weights", "--version", "1.0.0", "--in", f"base={NET}")

    assert (added.status, added.err) == (0, f"warning: it is tainted by {ROWS}: {WHY}\n")
    assert tainted("add", "model/free", "weights", "--version", "1.0.0").err == ""


def test_it_is_marked_wherever_versions_are_listed(tainted: Call) -> None:
    rows = {line.split("\t")[0]: line.split("\t") for line in tainted("ls", "model").out.splitlines()}
    assert rows["model/net"][1] == "1.0.0 (tainted)"
    assert rows["model/net"][4] == "production=1.0.0 (tainted)"
    assert tainted("ls", "model/net").out.startswith(f"{NET} (tainted)\t")
    assert tainted("ls", "model/net", "-q").out == f"{NET}\n"
    assert f"tainted\t{WHY} ({ROWS}, " in tainted("show", NET).out
    assert [item["tainted"] for item in tainted("lineage", NET, "--json").document["items"]] == [True, True]
    assert tainted("lineage", NET).out.count("(tainted)") == 2
    assert tainted("lineage", NET, "--output", "mermaid").out.count("(tainted)") == 2
    assert tainted("log", "--graph", "model/net").out.count("(tainted)") == 2
    (taint,) = tainted("show", NET, "--json").document["taints"]
    assert (taint["ref"], taint["reason"]) == (ROWS, WHY)


def test_what_is_not_tainted_has_no_mark(mlreg: Call) -> None:
    mlreg("taint", NET, "--reason", WHY)

    assert "tainted" not in mlreg("ls", "data").out + mlreg("show", ROWS).out + mlreg("lineage", ROWS).out
    assert mlreg("get", ROWS, "out").status == 0


def test_files_are_not_written_nor_is_a_preview_made_of_what_is_tainted(tainted: Call) -> None:
    for words in (["get", NET, "out"], ["get", NET, "out", "-n"], ["copy", NET, "--bump", "minor"]):
        assert tainted(*words).status == 15
    assert not Path("out").exists()


@pytest.mark.parametrize("words", [["cat", f"{NET}:weights"], ["export", NET, "--as", "card"]])
def test_nothing_of_what_is_tainted_is_printed_without_a_reason(tainted: Call, words: list[str]) -> None:
    run = tainted(*words)
    assert (run.status, run.out) == (15, "")

    run = tainted(*words, "--despite-taint", "for a look")
    assert run.status == 0
    assert run.out != ""
    assert tainted("meta", "log", NET, "--format", "{message}").out.endswith("(despite taint: for a look)\n")


def test_a_run_is_begun_with_what_is_tainted_only_for_a_reason_and_is_marked(tainted: Call) -> None:
    begin = ("run", "start", "churn", "--in", f"train={ROWS}")
    assert tainted(*begin, "--json").error["code"] == "tainted"
    assert tainted("run", "exec", "churn", "--in", f"train={ROWS}", "--", "touch", "begun").status == 125
    assert not Path("begun").exists()

    run = tainted(*begin, "--despite-taint", "to measure it").out.strip()
    assert tainted("run", "exec", "churn", "--in", f"train={ROWS}", "--despite-taint", "must", "--", "true").status == 0

    for status in ("running, open", "finished"):
        shown = dict(row[:2] for row in tainted("run", "show", run).rows)
        assert (shown["status"], shown["despite_taint"]) == (status, "to measure it")
        assert shown["tainted"].startswith(f"{WHY} ({ROWS}, ")
        tainted("run", "finish", "--run", run)
    assert f"tainted\t{WHY} ({ROWS}, " in tainted("show", f"exp/churn@{run}").out
    assert tainted("run", "resume", run).err == f"warning: it is tainted by {ROWS}: {WHY}\n"
    assert tainted("run", "finish", "--run", run).err == f"warning: it is tainted by {ROWS}: {WHY}\n"
    assert [bool(one["taints"]) for one in tainted("run", "ls", "--json").document["items"]].count(True) == 2
    assert on_terminal("run", "ls", "churn").out.count("(tainted)") == 2
    assert "(tainted)" not in tainted("run", "ls", "churn").out


def test_a_reason_is_kept_where_it_is_looked_for(tainted: Call) -> None:
    assert tainted("get", NET, "out", "--despite-taint", "for a look").status == 0
    assert tainted("tag", NET, "demo", "-m", "shown", "--despite-taint", "to us").status == 0
    assert tainted("copy", NET, "--version", "1.0.1", "--tag", "beta", "--despite-taint", "a try").status == 0

    assert tainted("meta", "log", NET, "--format", "{message}").out == f"get {NET} (despite taint: for a look)\n"
    assert tainted("tag", "log", "net@demo", "--format", "{message}").out == "shown (despite taint: to us)\n"
    assert "(despite taint: a try)" in tainted("tag", "log", "net@beta", "--format", "{message}").out


def test_a_read_is_counted_by_way(mlreg: Call) -> None:
    mlreg("get", NET, "out")
    mlreg("get", NET, "out", "-n")
    mlreg("cat", f"{NET}:weights")
    mlreg("show", NET)

    (item,) = mlreg("usage", "--json").document["items"]
    assert (item["ref"], item["times"], item["ways"]) == (NET, 2, {"cat": 1, "get": 1})
    assert len(item["by"]) == 1
    assert mlreg("usage", "-q").out == f"{NET}\n"
    assert mlreg("usage", ROWS, "--format", "{times}").out == "0\n"


def test_usage_of_a_remote_is_what_was_pushed_there_without_names(mlreg: Call, tmp_path: Path) -> None:
    mlreg("get", NET, "out")
    mlreg("push")

    (item,) = mlreg("usage", "origin::model/net", "--json").document["items"]
    assert (item["times"], item["by"]) == (1, [])
    files = [path for path in (tmp_path / "registry" / "usage").rglob("*") if path.is_file()]
    assert len(files) == 1
    assert b"Ann" not in files[0].read_bytes()


@pytest.mark.parametrize("word", ["off", "false"])
def test_a_setting_ends_it(mlreg: Call, tmp_path: Path, word: str) -> None:
    assert mlreg("config", "set", "usage.tracking", word).status == 0
    mlreg("get", NET, "out")
    mlreg("push")

    assert mlreg("usage").out == ""
    assert not (Path(".mlreg") / "usage").exists()
    assert not (tmp_path / "registry" / "usage").exists()


def test_a_setting_that_is_neither_is_refused(mlreg: Call) -> None:
    assert mlreg("config", "set", "usage.tracking", "maybe", "--json").error["code"] == "bad_config"
    assert mlreg("config", "set", "usage.share_names", "yes", "--json").error["code"] == "bad_config"
    assert mlreg("config", "set", "usage.share_names", "true").status == 0
    mlreg("get", NET, "out")
    mlreg("push")
    assert mlreg("usage", "origin::model/net", "--json").document["items"][0]["by"] != []
