"""The table of runs in a report: what stands in it, and how it is sorted and filtered."""

from __future__ import annotations

import math

import pytest

from mlreg.registry import ExperimentRegistry
from tests.web.conftest import Visit, made
from tests.web.projects import VALUES, Project, log_run, many
from tests.web.using import by_name, column, names

OLDEST_FIRST = [f"try-{number}" for number in range(12)]
FIRST_LETTERS = {
    2**53 + 1: "9007199254740993",
    -(2**63): "-9223372036854775808",
    1e300: "1e+300",
    5e-324: "5e-324",
    "a\tb": "a b",
    "": "",
}


def test_the_best_run_stands_first_and_is_marked(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)

    assert names(page) == OLDEST_FIRST[::-1]
    assert page.locator("#runs td.goal.best").all_inner_texts() == ["★ 0.873333"]
    assert page.locator("#runs tbody tr").first.locator("td.goal.best").count() == 1
    assert page.locator("#glance .box").first.inner_text().split("\n")[:3] == ["best auc (max)", "0.8733", "try-11"]


@pytest.mark.parametrize(
    ("title", "key"), [("auc", "auc"), ("loss", "loss"), ("param lr", "lr"), ("param seed", "seed")]
)
def test_the_numbers_of_the_table_are_those_of_the_registry(churn: Project, visit: Visit, title: str, key: str) -> None:
    page = visit(churn.file)

    runs = churn.registry.list_runs("churn")
    expected = {run.name: {**run.params, **run.metrics}[key] for run in runs}
    assert {name: float(text) for name, text in by_name(page, title).items()} == {
        name: float(f"{value:.6g}") for name, value in expected.items()
    }


def test_a_number_that_is_cut_is_whole_under_the_pointer(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)

    best = churn.registry.list_runs(where="name = 'try-11'")[0]
    assert float(page.locator("#runs td.goal.best").get_attribute("title")) == best.metrics["auc"]


def test_a_click_sorts_the_best_first_and_the_next_one_turns_it_round(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    head = page.locator("#runs thead th", has_text="loss")

    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    losses = [float(text) for text in column(page, "loss")]
    assert losses == sorted(losses)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(page, "loss")] == losses[::-1]
    assert page.locator("#runs thead [aria-sort]").count() == 1


def test_the_enter_key_sorts_once_and_numbers_in_names_count(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    page.locator("#runs thead button", has_text="run").focus()

    page.keyboard.press("Enter")
    assert names(page) == OLDEST_FIRST
    page.keyboard.press("Enter")
    assert names(page) == OLDEST_FIRST[::-1]


def test_what_is_missing_or_nan_is_last_whichever_way_it_goes(mixed: Project, visit: Visit) -> None:
    page = visit(mixed.file)
    head = page.locator("#runs thead button", has_text="one")

    for sign in (-1, 1):
        head.click()
        texts = column(page, "one")
        there = [float(text) for text in texts if text not in ("", "NaN")]
        assert there == sorted(there, key=lambda value: sign * value)
        assert {math.inf, -math.inf} <= set(there)
        assert set(texts[len(there) :]) == {"", "NaN"}


def test_values_of_different_sorts_have_an_order_too(mixed: Project, visit: Visit) -> None:
    page = visit(mixed.file)
    head = page.get_by_role("button", name="param x", exact=True)

    head.click()
    rising = [text for text in column(page, "param x") if text]
    assert rising[:3] == ["false", "true", "-9223372036854775808"]
    assert rising.index("1e+300") < rising.index("adam") < rising.index("{}")


def test_values_of_all_sorts_are_shown_as_they_are(mixed: Project, visit: Visit) -> None:
    page = visit(mixed.file)
    shown = by_name(page, "param x")
    texts = {str(value): shown[f"run {number}"] for number, value in enumerate(VALUES)}

    for value, text in FIRST_LETTERS.items():
        assert texts[str(value)] == text
    assert texts[str([1, 2, "a"])] == '[1, 2, "a"]'
    assert texts[str([2**60])] == "[1152921504606846976]"
    assert texts[str([True, None, [1]])] == "[true, null, [1]]"
    assert texts["{}"] == "{}"
    assert texts["False"] == "false"


def test_text_that_is_no_expression_is_looked_for(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)

    page.fill("#filter", "ADAM")
    assert set(names(page)) == set(OLDEST_FIRST[1::2])
    page.fill("#filter", "try-7")
    assert names(page) == ["try-7"]
    assert page.locator("#runs .problem").inner_text() == ""
    page.fill("#filter", "no such thing")
    assert page.locator("#runs tbody").inner_text() == "no run fits"
    page.fill("#filter", "")
    assert len(names(page)) == 12


def test_a_wrong_expression_says_what_is_wrong(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    problem = page.locator("#runs .problem")

    page.fill("#filter", "metrics.auc > high")
    assert "at “high”: here stands a value" in problem.inner_text()
    page.fill("#filter", "metrik.auc > 1")
    assert "there is no such field; there are attributes, author" in problem.inner_text()
    page.fill("#filter", "metrics.auc > .7")
    assert problem.inner_text() == ""


def test_runs_that_did_not_finish_are_told_apart(mixed: Project, visit: Visit) -> None:
    page = visit(mixed.file)

    assert by_name(page, "status") == {run.name: run.status for run in mixed.report.runs}
    assert set(page.locator("#runs td.bad").all_inner_texts()) == {"failed", "killed"}


def test_more_runs_than_are_chosen_at_first_are_listed(tmp_path_factory: pytest.TempPathFactory, visit: Visit) -> None:
    page = visit(made(tmp_path_factory, "many", many).file)
    status = page.locator("#runs [role=status]")

    assert len(names(page)) == 60
    assert status.inner_text() == "60 of 60 runs, 50 chosen"
    page.get_by_label("choose all that are shown").check()
    assert status.inner_text() == "60 of 60 runs, 60 chosen"
    assert page.locator("#params [role=status]").inner_text() == "the first 50 of 60 chosen runs"
    page.locator("#params").get_by_role("button", name="show all").click()
    assert page.locator("#params thead th").count() == 61


def test_more_columns_than_can_be_read_are_left_to_the_filter(
    tmp_path_factory: pytest.TempPathFactory, visit: Visit
) -> None:
    def wide(registry: ExperimentRegistry) -> None:
        for number in range(2):
            log_run(registry, f"run {number}", {f"p{at}": number for at in range(500)}, {})

    page = visit(made(tmp_path_factory, "wide", wide).file)

    assert page.locator("#runs thead th").count() == 64
    page.fill("#filter", "params.p499 = 1")
    assert names(page) == ["run 1"]
