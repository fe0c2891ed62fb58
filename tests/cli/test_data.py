"""Profiles and drift on the terminal and in reports."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from mlreg.cli import data_views
from mlreg.cli.output import _table
from tests.cli.calling import Call


def test_a_line_for_each_column_is_whole_and_exact(mlreg: Call) -> None:
    Path("t.csv").write_text("a,b\n1,x\n2,x\n,y\n4,\n")

    rows = mlreg("data", "profile", "--columns", "t.csv").rows

    assert rows[0] == ["t.csv", "a", "integer", "1", "3", "1", "2.0", "4", *rows[0][8:]]
    assert rows[0][-1].count(",") == 19
    assert rows[1] == ["t.csv", "b", "text, lengths", "1", "2", "1", "1.0", "1", "1.0", "0.0", "x (2), y (1)"]


def test_a_terminal_shows_where_values_lie(mlreg: Call, capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text("\n".join(["a", *["0"] * 80, *["10"] * 9, "10.1", "20", ""]))
    from mlreg.registry.profiling import profile
    from mlreg.registry.registry import Registry

    _table(data_views.columns(profile(Registry("nowhere", "Ann"), "./t.csv")))

    assert "█         ▁        ▁" in capsys.readouterr().out
    assert mlreg("data", "profile", "./t.csv").rows[0] == ["table", "t.csv", "1", "91", "1", "87", ""]


def test_a_terminal_names_a_few_numbers_and_draws_no_picture_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["a", *["0"] * 80, *["1"] * 9, "2", ""]))
    from mlreg.registry.profiling import profile
    from mlreg.registry.registry import Registry

    _table(data_views.columns(profile(Registry("nowhere", "Ann"), str(table))))

    assert "0 (80), 1 (9), 2 (1)" in capsys.readouterr().out


def test_a_terminal_draws_both_states_of_a_column_alike(mlreg: Call, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{at},{'x' if at < 90 else 'y'}" for at in range(100)]
    Path("a.csv").write_text("\n".join(["a,b", *rows, ""]))
    Path("b.csv").write_text("\n".join(["a,b", *rows[:50], *["99,z"] * 50, ""]))
    from mlreg.registry.drifting import data_drift
    from mlreg.registry.registry import Registry

    _table(data_views.drifted(data_drift(Registry("nowhere", "Ann"), "a.csv", "b.csv")))

    out = capsys.readouterr().out
    assert "▁▁▁▁▁▁▁▁▁▁  ▁▁▁▁▁    █" in out.replace("▂", "▁")
    assert "values that were not there before: z" in " ".join(out.split())
    assert "PSI 0" not in out
    assert [len(row) for row in mlreg("data", "drift", "a.csv", "b.csv").rows] == [10, 10]


def test_reports_say_what_failed_and_names_are_only_text(mlreg: Call) -> None:
    Path("a.csv").write_text("<b>|*,w\n1,x\n2,x\n")
    Path("b.csv").write_text("<b>|*,w\nq,x\nq,x\n")

    run = mlreg("data", "drift", "a.csv", "b.csv", "--report", "junit=r.xml", "--report", "markdown=r.md")

    assert run.status == 3
    assert [row[:3] for row in run.rows] == [["fail", "b.csv", "<b>|*"], ["ok", "b.csv", "w"]]
    suites = ET.fromstring(Path("r.xml").read_text())  # noqa: S314 - our own
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suites.iter("testcase")] == ["<b>|*", "w"]
    assert [len(case.findall("failure")) for case in suites.iter("testcase")] == [1, 0]
    page = Path("r.md").read_text()
    assert "&lt;b&gt;&#124;&#42;" in page
    assert page.count("\n|") == 4
    assert mlreg("data", "drift", "a.csv", "b.csv", "-q").out == "<b>|*\n"


def test_a_broken_table_leaves_no_report(mlreg: Call) -> None:
    Path("a.csv").write_text("a,b\n1,2\n3\n")

    run = mlreg("data", "drift", "a.csv", "a.csv", "--report", "junit=r.xml")

    assert (run.status, run.out) == (2, "")
    assert "a.csv, line 3, is no sound CSV" in run.err
    assert not Path("r.xml").exists()


def test_a_page_is_written_beside_what_is_printed(mlreg: Call) -> None:
    Path("a.csv").write_text("a,<b>\n1,x\n2,x\n")
    Path("b.csv").write_text("a,<b>\n1,y\n2,y\n")
    Path("rules.yaml").write_text("rules: [{rule: range, column: a, max: 1}]\n")
    calls = (
        ["data", "profile", "a.csv"],
        ["data", "drift", "a.csv", "b.csv"],
        ["data", "check", "a.csv", "--rules", "rules.yaml"],
    )
    for words, status in zip(calls, (0, 3, 3), strict=True):
        run = mlreg(*words, "-o", "page.html")

        assert (run.status, run) == (status, mlreg(*words))
        page = Path("page.html").read_text(encoding="utf-8")
        assert "<article" in page
        assert "<b>" not in page
        Path("page.html").unlink()


def test_a_page_that_cannot_be_written_is_an_error(mlreg: Call) -> None:
    Path("a.csv").write_text("a\n1\n")

    run = mlreg("data", "profile", "a.csv", "-o", "nowhere/page.html")

    assert (run.status, run.out) == (2, "")
    assert "bad_place" in run.err


@pytest.mark.parametrize("words", [["profile"], ["check", "--rules", "rules.yaml"], ["drift"], ["overlap"]])
def test_data_of_a_repository_elsewhere_are_named_by_its_path(mlreg: Call, words: list[str]) -> None:
    Path("t.csv").write_text("a\n1\n")
    Path("rules.yaml").write_text("rules: [{rule: unique, column: a}]")
    assert mlreg("add", "data/table", "t.csv", "--version", "2026.01.01").status == 0
    other = ["./t.csv"] * (words[0] in {"drift", "overlap"})

    for place in ("./.mlreg", str(Path(".mlreg").resolve())):
        run = mlreg("data", words[0], f"{place}::data/table@2026.01.01", *other, *words[1:], "--json")
        assert (run.status, run.err) == (0, "")


@pytest.mark.parametrize("words", [["profile"], ["check", "--rules", "rules.yaml"], ["drift"], ["overlap"]])
def test_whoever_reads_a_version_that_is_called_like_a_directory_is_warned(mlreg: Call, words: list[str]) -> None:
    Path("rules.yaml").write_text("rules: [{rule: unique, column: a}]")
    Path("table").mkdir()
    Path("table/t.csv").write_text("a\n1\n")
    assert mlreg("add", "data/table", "table", "--version", "2026.01.01").status == 0
    other = ["./table"] * (words[0] in {"drift", "overlap"})
    asked = ["data", words[0], "table", *other, *words[1:]]

    assert mlreg(*asked).err == "warning: data/table@2026.01.01 was read; ./table means the directory\n"
    assert [mlreg(*asked, way).err for way in ("--json", "-q")] == ["", ""]
    assert mlreg("data", words[0], "table@latest", *other, *words[1:]).err == ""
