"""A report as a whole in a browser, and all of it that is neither the table of runs nor curves."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.registry import ExperimentRegistry
from tests.web.conftest import Visit, made
from tests.web.projects import Project, log_run, report_on
from tests.web.using import choose, drawn, settle

SURROUNDINGS: dict[str, dict[str, Any]] = {
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 360, "height": 700}},
    "dense": {"device_scale_factor": 3},
}


def test_a_report_opens_from_a_disk_and_asks_for_nothing(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)

    assert page.title() == "data/rows, exp/churn, model/churn"
    assert page.locator("nav a").all_inner_texts() == page.locator("section h2").all_inner_texts()
    assert page.locator("section").count() == 9


@pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_a_page_fits_its_window(churn: Project, visit: Visit, surroundings: dict[str, Any]) -> None:
    page = visit(churn.file, **surroundings)
    drawn(page, "auc")

    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_on_paper_there_are_all_charts_and_no_controls(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    for metric in ("auc", "loss"):
        drawn(page, metric)

    page.emulate_media(media="print")

    assert page.locator(".chart:visible").count() == 2
    assert page.locator("nav:visible, input:visible, select:visible, .bar button:visible").count() == 0
    assert page.locator("#runs tbody tr:visible").count() == 12


def test_a_report_may_have_a_title(churn: Project, visit: Visit) -> None:
    page = visit(report_on(churn.registry, ["exp/churn"], "Quarter <3> & \ud83d more").file)

    assert page.locator("h1").inner_text() == r"Quarter <3> & \ud83d more"


def test_a_report_without_curves_says_so(tmp_path_factory: pytest.TempPathFactory, visit: Visit) -> None:
    page = visit(made(tmp_path_factory, "bare", lambda registry: log_run(registry, "one", {}, {})).file)

    assert page.locator("nav a").all_inner_texts() == ["Runs", "Curves"]
    assert "No run here has a metric with more than one point." in page.locator("#curves").inner_text()


def test_a_report_on_a_version_alone_has_no_table(
    churn: Project, visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def model(registry: ExperimentRegistry) -> None:
        registry.registry.add("model/net", [churn.file], version="1.0.0")

    page = visit(made(tmp_path_factory, "model", model).file)

    assert page.locator("nav a").all_inner_texts() == ["Card"]


def test_choosing_runs_changes_every_picture(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    assert drawn(page, "auc") == 12
    assert page.locator("#scatter circle").count() == 12

    page.get_by_label("choose try-4").uncheck()
    settle(page)
    assert drawn(page, "auc") == 11
    assert page.locator("#scatter circle").count() == 11
    assert page.locator("#parallel path.line").count() == 11
    assert page.locator("#params thead th").count() == 12
    assert page.locator("#curves .legend button").count() == 11

    choose(page, "params.seed = 1")
    assert drawn(page, "auc") == 4
    assert page.locator("#runs [role=status]").inner_text() == "4 of 12 runs, 4 chosen"

    page.get_by_role("button", name="none").click()
    settle(page)
    assert drawn(page, "auc") == 0
    assert page.get_by_text("No run is chosen.").is_visible()


def test_scatter_shows_the_facts_that_are_picked(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)

    page.select_option("#scatter-x", "params.optim.name")
    page.select_option("#scatter-y", "metrics.loss")
    settle(page)

    texts = page.locator("#scatter svg text").all_text_contents()
    assert {"adam", "sgd", "params.optim.name", "metrics.loss"} <= set(texts)
    assert len({circle.get_attribute("cx") for circle in page.locator("#scatter circle").all()}) == 2
    page.locator("#scatter circle").first.hover()
    assert "params.optim.name: " in page.locator("#tip").inner_text()


@pytest.mark.parametrize("fact", ["metrics.auc", "metrics.loss", "params.lr", "params.seed"])
def test_ticks_are_round_numbers(churn: Project, visit: Visit, fact: str) -> None:
    page = visit(churn.file)

    page.select_option("#scatter-x", fact)
    settle(page)

    ticks = page.locator("#scatter svg text:not(.name)").all_text_contents()
    assert len(ticks) > 4
    assert [text for text in ticks if len(text.replace(".", "").strip("0")) > 2] == []


def test_parallel_coordinates_have_an_axis_for_each_chosen_fact(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    assert page.locator("#parallel line.axis").count() == 4

    page.locator("#parallel summary").click()
    page.get_by_label("metrics.loss", exact=True).check()
    for name in ("params.seed", "params.lr"):
        page.get_by_label(name, exact=True).uncheck()
    settle(page)

    assert page.locator("#parallel line.axis").count() == 3
    assert page.locator("#parallel text.name").all_text_contents() == ["optim.name", "loss", "auc"]
    # The best run ends at the upper end of the last axis.
    box = page.locator("#parallel line.axis").last.bounding_box()
    page.mouse.move(box["x"] - 2, box["y"] + 3)
    assert page.locator("#tip").inner_text().split("\n")[0] == "try-11"
    assert page.locator("#parallel path.lifted").count() == 1


def test_params_that_differ_stand_beside_each_other(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    rows = page.locator("#params tbody tr")
    assert rows.locator("th").all_inner_texts() == ["lr", "optim.name", "seed", "data"]
    assert rows.nth(1).locator("td").all_inner_texts() == ["adam", "sgd"] * 6

    choose(page, "params.seed = 1 and params.optim.name = 'adam'")
    assert "seed" not in rows.locator("th").all_inner_texts()
    page.get_by_label("equal ones, too").check()
    assert "seed" in rows.locator("th").all_inner_texts()


def test_lineage_names_runs_and_puts_those_alike_into_one_box(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    boxes = [" ".join(box.locator("text").all_text_contents()) for box in page.locator("#lineage g.node").all()]

    assert sorted(boxes) == [
        "data/rows 2026.01.01",
        "exp/churn 7 runs",
        "exp/churn try-4",
        "exp/churn try-8",
        "model/churn 1.0.0",
        "model/churn 1.1.0 production",
    ]
    assert "3 versions came from nothing that was recorded" in page.locator("#lineage").inner_text()
    assert page.locator("#lineage path.edge").count() == 7


def test_a_card_is_shown_with_its_marks(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    card = page.locator("#cards article", has_text="model/churn@1.1.0")

    assert card.locator("h4").inner_text() == "Churn model"
    assert card.locator("em").inner_text() == "leave"
    assert card.locator("li").all_inner_texts() == ["first", "second"]
    assert card.locator("td").all_inner_texts() == ["test", "0.91"]
    assert card.locator("pre").inner_text() == "loss < 1 && auc > 0"
    assert card.get_by_role("link").get_attribute("href") == "https://example.org/churn"
    assert "finds who leaves" in card.locator("dl").inner_text()
    assert "production" in card.locator("dl").inner_text()


def test_notes_name_what_they_are_on(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)

    heads, texts = (page.locator(f"#notes {place}").all_inner_texts() for place in ("h3", ".prose"))
    run = churn.registry.list_runs(where="name = 'try-8'")[0]
    assert dict(zip(heads, texts, strict=True)) == {
        f"try-8 {run.ref}": "the best one\nso far",
        "exp/churn": "all of them with the old split",
    }
