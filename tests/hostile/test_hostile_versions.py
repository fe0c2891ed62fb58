"""Versions that go back, take the place of others, or have numbers that no machine word holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import Call
from tests.hostile.conftest import Refuse

DIGITS = "9" * 110


def add(mlreg: Call, version: str, *words: str, entry: str = "model/line") -> None:
    Path("weights").write_text(f"{entry} {version}")
    run = mlreg("add", entry, "weights", "--version", version, *words)
    assert run.status == 0, run.err


BACK: dict[str, tuple[str, list[str], str]] = {
    "a lower patch": ("model", ["1.0.5"], "1.0.4"),
    "by number, not by text": ("model", ["1.0.10"], "1.0.9"),
    "beyond 64 bits": ("model", [f"1.0.1{DIGITS}"], f"1.0.{DIGITS}"),
    "from a release to what led to it": ("model", ["1.0.0"], "1.0.0-rc.1"),
    "from words to a number": ("model", ["1.0.0-alpha"], f"1.0.0-{DIGITS}"),
    "between two": ("model", ["1.0.1", "1.0.3"], "1.0.2"),
    "a day before": ("data", ["2026.11.23"], "2026.11.22"),
    "the end of days": ("data", ["9999.12.31"], "2026.11.22"),
    "a count of a day": ("data", [f"2026.11.23.1{DIGITS}"], f"2026.11.23.{DIGITS}"),
}


@pytest.mark.parametrize(("kind", "there", "wanted"), BACK.values(), ids=BACK)
def test_a_version_that_goes_back_is_refused_and_moves_nothing_if_it_is_meant(
    kind: str, there: list[str], wanted: str, mlreg: Call, refuse: Refuse
) -> None:
    entry = f"{kind}/line"
    for version in there:
        add(mlreg, version, entry=entry)
    Path("weights").write_text("older")

    error = refuse("add", entry, "weights", "--version", wanted, code="version_goes_back", status=11)
    assert any("--older" in fix for fix in error["fix"])

    assert mlreg("add", entry, "weights", "--version", wanted, "--older").status == 0
    assert mlreg("rev-parse", entry).out == f"{entry}@{there[-1]}\n"
    assert mlreg("ls", entry, "-q").out.split()[0] == f"{entry}@{there[-1]}"


def test_who_gets_a_name_by_the_day_behind_a_version_from_the_future_is_told(mlreg: Call) -> None:
    add(mlreg, "9999.12.31", entry="data/line")
    Path("weights").write_text("more")

    run = mlreg("add", "data/line", "weights", "--bump", "date")

    assert run.status == 0
    assert "latest is still 9999.12.31" in run.err
    assert mlreg("add", "data/other", "weights", "--bump", "date").err == ""


def test_older_replaces_nothing_and_gives_no_name_away(mlreg: Call, refuse: Refuse) -> None:
    add(mlreg, "1.0.0")
    add(mlreg, "1.0.1")
    mlreg("rm", "model/line@1.0.0")
    Path("weights").write_text("others")

    for version, code in (("1.0.1", "version_exists"), ("1.0.0", "version_removed")):
        refuse("add", "model/line", "weights", "--version", version, "--older", code=code, status=5)


def test_what_came_from_elsewhere_meanwhile_counts(mlreg: Call, refuse: Refuse, tmp_path: Path) -> None:
    here, there = ("-C", str(tmp_path / "project")), ("-C", str(tmp_path / "other"))
    mlreg("push")
    mlreg("clone", str(tmp_path / "registry"), str(tmp_path / "other"))
    (tmp_path / "other" / "weights").write_text("newer")
    assert mlreg("add", "model/net", "weights", "--version", "1.0.9", *there).status == 0
    assert mlreg("push", *there).status == 0
    assert mlreg("pull", *here).status == 0
    Path("weights").write_text("mine")

    refuse("add", "model/net", "weights", "--version", "1.0.8", code="version_goes_back", status=11)
    add(mlreg, "1.0.10", entry="model/net")


REFUSED = {
    "a path": ("model", "../../1.0.0"),
    "a path in the build": ("model", "1.0.0+../../x"),
    "a leading zero": ("model", "01.0.0"),
    "Arabic digits": ("model", "\u0663.0.0"),
    "an underscore": ("model", "1_0.0.0"),
    "a line break": ("model", "1.0.0\n"),
    "an escape": ("model", "1.0.0\x1b[2J"),
    "an option": ("model", "--help"),
    "nothing but a word": ("model", "latest"),
    "an id": ("model", "a" * 64),
    "129 characters": ("model", "1.0." + "1" * 125),
    "100,000 digits": ("model", "1.0." + "1" * 100_000),
    "no UTF-8": ("model", "1.0.0-\udcff"),
    "a month that is none": ("data", "2026.13.01"),
    "a day that is none": ("data", "2026.02.30"),
    "the year 0": ("data", "0000.01.01"),
    "a year of five digits": ("data", "10000.01.01"),
    "a count of 0": ("data", "2026.01.01.0"),
    "SemVer for data": ("data", "1.0.0"),
}


@pytest.mark.parametrize(("kind", "version"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_version_is_refused(kind: str, version: str, refuse: Refuse) -> None:
    refuse("add", f"{kind}/line", "weights", f"--version={version}", code="bad_version")


def test_the_next_version_counts_with_any_number_of_digits_as_far_as_a_name_goes(mlreg: Call, refuse: Refuse) -> None:
    add(mlreg, f"1.0.{DIGITS}")
    Path("weights").write_text("next")

    assert mlreg("add", "model/line", "weights", "--bump", "patch", "-q").out == f"model/line@1.0.1{'0' * 110}\n"
    add(mlreg, "1.0." + "9" * 124, entry="model/full")
    Path("weights").write_text("one more")
    refuse("add", "model/full", "weights", "--bump", "patch", code="bad_version")
    assert mlreg("add", "model/full", "weights", "--bump", "minor", "-q").out == "model/full@1.1.0\n"


def test_a_date_far_ahead_does_not_stop_the_days(mlreg: Call) -> None:
    add(mlreg, "9999.12.31", entry="data/line")
    Path("weights").write_text("today")

    run = mlreg("add", "data/line", "weights", "--bump", "date", "-q")
    assert run.status == 0
    assert not run.out.startswith("data/line@9999")


TAGS = ["../x", "1.0.0", "latest", "HEAD", "-rf", "--help", "@{upstream}", "a/b", "a" * 65, "deadbeef", "v1", "con",
        "a.lock", "a..b", "x\x1b[2J", "a\n", "\udcff", "\u0435prod", "", "refs~1", "a^", "a%00b"]  # fmt: skip


@pytest.mark.parametrize("tag", TAGS, ids=ascii)
def test_what_is_no_tag_is_refused_and_registers_nothing(tag: str, refuse: Refuse) -> None:
    refuse("tag", "model/net@1.0.0", "--", tag, code="bad_tag")
    refuse("add", "model/net", "weights", "--bump", "minor", "--tag", "fine", f"--tag={tag}", code="bad_tag")


NAMES = [
    *(
        "@{upstream}",
        "HEAD",
        "latest",
        "a" * 64,
        "../../x",
        "/etc",
        "a//b",
        "aa/",
        "con",
        "aux.x",
        "-rf",
        "_x",
        ".mlreg",
    ),
    *("r\u0435snet", "e\u0301e", "a\x1b[2J", "a\n", "a\0b", "\udcff", " ", "x" * 10_000, "a/b/c/d/e", "a.lock", "a..b"),
    *("a b", "model/aa", "version/aa", "tag", "remote/aa", "a%2e", "a;b", "$(id)", "{0.__class__}", "%s"),
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_what_is_no_name_is_refused_wherever_an_entry_is_made(name: str, refuse: Refuse) -> None:
    refuse("add", f"model/{name}", "weights", "--version", "1.0.0", code="bad_name")
    refuse("copy", "model/net@1.0.0", f"model/{name}", "--version", "1.0.0", code="bad_name")
