"""What compare, blame and their reports say: readable by machines and people, whatever runs are called."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.cli import comparison_views as views
from mlreg.registry.comparisons import ComparedFact, ComparedMetric, ComparedRun, Comparison, Group, GroupMetric
from mlreg.registry.experiment import ExperimentRegistry
from tests.cli.calling import Call, on_terminal
from tests.cli.conftest import ANN

HOSTILE = (
    "]]></failure><testcase name='x'/>",
    '" onload="alert(1)',
    "a|b\\|c`d`<i>[x](javascript:1)",
    "\x00\x1b[2J\ufffe\uffff\ud800\u202e",
    "one\ntwo\r\n| three |",
    "**bold** _it_ ~~no~~ # &amp; &#124;",
)
texts = st.text(max_size=20) | st.sampled_from(HOSTILE) | st.text("|\\`<>&'\"[]()*_~\n", max_size=12)


def comparison(words: Iterable[str], *, failed: bool = True) -> Comparison:
    """Return two runs of which every word is someone else's."""
    name, value, other, reason, warning = words
    refs = ("exp/churn@1", "exp/churn@2")
    return Comparison(
        runs=(ComparedRun(refs[0], name, "finished", ""), ComparedRun(refs[1], value, "finished", "")),
        baseline=refs[0],
        params=(ComparedFact(f"params.{name}", (value, other)),),
        metrics=(ComparedMetric(name, (0.5, "NaN"), (0.0, None), "max", (0,)),),
        surroundings=(ComparedFact("facts.command", ([value, other], None)),),
        group_by=(f"params.{name}",),
        groups=(Group((value,), refs, (GroupMetric(name, 2, 0.5, 0.1, 0.4, 0.6),)),),
        warnings=(warning,),
        gate=reason,
        failed=refs[1:] if failed else (),
        reasons=(reason,) if failed else (),
    )


def lines(report: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in report)


# JUnit.


@given(st.lists(texts, min_size=5, max_size=5), st.booleans())
@example(words=list(HOSTILE[:5]), failed=True)
@example(words=list(HOSTILE[1:]), failed=True)
def test_a_junit_report_is_xml_with_one_case_and_what_failed(words: list[str], failed: bool) -> None:
    text = lines(views.junit(comparison(words, failed=failed)))

    root = ElementTree.fromstring(text.encode())  # noqa: S314 - it is ours, which is what is tested

    (case,) = root.iter("testcase")
    assert (root.get("tests"), root.get("failures"), case.get("name")) == ("1", str(int(failed)), "exp/churn@2")
    assert [one.tag for one in case] == (["failure", "system-out"] if failed else ["system-out"])
    assert (case.find("system-out").text or "").count("\n") == 2  # type: ignore[union-attr]  # it is there


# Markdown.


def cells(line: str) -> list[str]:
    """Return the cells of a row, read as GitHub reads them: a backslash takes its meaning from a bar."""
    return re.split(r"(?<!\\)\|", re.sub(r"\\\\", "", line))[1:-1]


@given(st.lists(texts, min_size=5, max_size=5))
@example(words=list(HOSTILE[:5]))
@example(words=list(HOSTILE[1:]))
def test_markdown_has_the_cells_of_its_tables_and_nothing_that_it_would_obey(words: list[str]) -> None:
    page = lines(views.markdown(comparison(words)))

    rows = [line for line in page.split("\n") if line.startswith("|")]
    assert [len(cells(row)) for row in rows] == [3] * 5 + [3] * 3
    allowed = page.replace("<code>", "").replace("</code>", "").replace("> **Warning:**", "").replace("**Failed:**", "")
    assert not re.search(r"[<>`\[\]~\\_*]", allowed)
    assert page.startswith("# Comparison\n")


def test_markdown_reads_as_what_was_compared() -> None:
    page = lines(views.markdown(comparison(["lr", "a|b", "2", "metrics.auc < baseline", "other data"])))

    assert html.unescape(page).split("\n") == [
        *("# Comparison", "", "> **Warning:** other data", ""),
        *("|  | exp/churn@1 | exp/churn@2 |", "|---|---|---|"),
        *("| param lr | a|b | 2 |", "| metric lr | 0.5* | NaN |", '| command | ["a|b", "2"] |  |', ""),
        *("| PARAMS.LR | RUNS | lr |", "|---|---|---|", "| a|b | 2 | 0.5 ±0.1 [0.4, 0.6] |", ""),
        "**Failed:** <code>metrics.auc < baseline</code>",
        *("- exp/churn@2: <code>metrics.auc < baseline</code>", ""),
    ]


# Groups.


def test_a_group_says_of_how_many_of_its_runs_a_mean_is_and_one_run_has_no_interval() -> None:
    metric = ComparedMetric("auc", (), (), "max", ())
    groups = (
        Group((1,), ("a", "b", "c"), (GroupMetric("auc", 2, 0.5, 0.1, 0.4, 0.6),)),
        Group((2,), ("d",), (GroupMetric("auc", 1, 0.75, 0.0, 0.75, 0.75),)),
        Group((3,), ("e",), ()),
    )
    found = comparison("abcde")._replace(metrics=(metric,), groups=groups, group_by=("params.lr",))

    assert views.table(found).rows == [
        ["params.lr=1", "runs=3", "auc=0.5 ±0.1 [0.4, 0.6] of 2"],
        ["params.lr=2", "runs=1", "auc=0.75*"],
        ["params.lr=3", "runs=1", "auc="],
    ]


# The commands.


def add_runs(values: Iterable[float], name: str = "") -> list[str]:
    """Seal runs of exp/gate in the project, and return their refs."""
    registry = ExperimentRegistry(Path(".mlreg").absolute(), ANN)
    found = []
    for value in values:
        with registry.start_experiment("gate", run_name=name, params={"lr": value}) as run:
            run.log_metric("auc", value)
        found.append(run.ref)
    return found


def test_a_gate_that_fails_ends_with_3_and_says_which_run_and_why(mlreg: Call) -> None:
    good, bad, unknown = add_runs([0.9, 0.5, float("nan")])
    gate = "metrics.auc < baseline - 0.01"

    run = mlreg("compare", good, bad, unknown, "--fail-if", gate)
    printed = mlreg("compare", good, bad, unknown, "--fail-if", gate, "--json")

    assert (run.status, printed.status, printed.err) == (3, 3, "")
    assert run.err.splitlines() == [
        f"failed: {bad}: {gate}",
        f"failed: {unknown}: metrics.auc: missing or NaN, here or in the baseline",
    ]
    assert (printed.document["failed"], printed.document["passed"]) == ([bad, unknown], False)
    assert mlreg("compare", good, good, "--fail-if", gate).status == 0
    # NaN is printed as a word, as JSON has none.
    (metric,) = printed.document["metrics"]
    assert metric["values"] == [0.9, 0.5, "NaN"]


def test_reports_are_written_beside_what_is_printed_also_if_the_gate_fails(mlreg: Call) -> None:
    good, bad = add_runs([0.9, 0.5])
    words = ["compare", good, bad, "--fail-if", "metrics.auc < baseline"]

    assert mlreg(*words, "--report", "junit=out.xml", "--report", "markdown=out.md").status == 3

    assert ElementTree.parse("out.xml").getroot().get("failures") == "1"  # noqa: S314 - it is ours
    assert "**Failed:**" in Path("out.md").read_text()
    refused = mlreg(*words, "--report", "junit=nowhere/out.xml")
    assert (refused.status, refused.out) == (2, "")


def test_different_evaluation_data_is_a_warning_on_standard_error_and_a_field_of_the_document(mlreg: Call) -> None:
    warned, printed = mlreg("compare", "--exp", "churn"), mlreg("compare", "--exp", "churn", "--json")

    assert warned.err.startswith("warning: metrics were measured on different data: as eval, ")
    assert (printed.err, len(printed.document["warnings"])) == ("", 1)
    refused = mlreg("compare", "--exp", "churn", "--strict")
    assert (refused.status, refused.out) == (11, "")


def test_lines_of_groups_say_what_is_in_them(mlreg: Call) -> None:
    run = mlreg("compare", "exp/churn", "--where", "status = 'finished'", "--group-by", "params.lr")

    assert [[cell.partition("=")[0] for cell in row] for row in run.rows] == [["params.lr", "runs", "auc", "loss"]] * 2
    assert sorted(row[0] for row in run.rows) == ["params.lr=0.1", "params.lr=0.2"]
    shown = on_terminal("compare", "exp/churn", "--where", "status = 'finished'", "--group-by", "params.lr").out
    assert "PARAMS.LR" in shown
    assert "auc=" not in shown


def test_patterns_may_be_given_again_and_what_fits_nothing_is_an_error(mlreg: Call) -> None:
    words = ("compare", "exp/churn", "--where", "status = 'finished'")
    both = mlreg(*words, "--metrics", "metrics.auc", "--metrics", "loss", "--params", "none", "--json")
    assert (both.status, both.error["code"]) == (4, "no_such_fact")

    found = mlreg(*words, "--metrics", "metrics.auc", "--metrics", "loss", "--json").document["metrics"]
    assert [one["name"] for one in found] == ["auc", "loss"]
    assert mlreg(*words, "--metrics", "ayc", "--json").error["fix"][0] == "--metrics auc"


def test_quietly_the_best_run_is_printed_and_nothing_if_none_is_known_to_be(mlreg: Call) -> None:
    refs = add_runs([0.5, 0.9])

    assert mlreg("compare", *refs, "-q").out == f"{refs[1]}\n"
    assert mlreg("compare", *refs, "--metrics", "nothing", "-q").out == ""


def test_what_runs_are_called_does_not_reach_a_terminal_as_commands_or_markup(mlreg: Call) -> None:
    refs = add_runs([0.5, 0.9], name="[red]\x1b]0;owned\x07[/]")
    assert mlreg("compare", *refs).status == 0

    shown = on_terminal("compare", *refs)

    assert (shown.status, "\x1b]0" in shown.out) == (0, False)
    # As it was written, in whatever lines it stands.
    assert "[red]" in re.sub(r"\s|\x1b\[[0-9;]*m", "", shown.out)


def test_blame_says_what_changed_at_each_fall_and_what_was_looked_at(mlreg: Call) -> None:
    refs = add_runs([0.9, 0.5, 0.7, 0.6])

    run = mlreg("blame", "exp/gate", "-m", "metrics.auc")
    one = mlreg("blame", refs[1], "-m", "auc", "--direction", "min")

    assert run.rows == [
        *(["run", refs[0], refs[1], ""], ["metric auc", "0.9", "0.5 (-0.4)", ""]),
        ["param lr", "0.9", "0.5", "1 other step without harm"],
        *(["run", refs[2], refs[3], ""], ["metric auc", "0.7", "0.6 (-0.1)", ""]),
        ["param lr", "0.7", "0.6", "1 other step without harm"],
    ]
    assert run.err == "smaller values of auc are worse, as its name says; looked at 4 that have it\n"
    assert one.out == f"auc never got worse up to {refs[1]}\n"
    assert mlreg("blame", refs[0], "-m", "auc").out == f"nothing before {refs[0]} has auc, so nothing can be compared\n"
    assert mlreg("blame", "exp/gate", "-m", "auc", "-q", "-n", "1").out == f"{refs[1]}\n"
    assert mlreg("blame", "exp/gate", "-m", "auc", "--format", "{better} {falls[0].after}").out == f"max {refs[1]}\n"
    assert json.loads(mlreg("blame", "exp/gate", "-m", "auc", "-n", "0", "--json").out)["looked_at"] == 4
