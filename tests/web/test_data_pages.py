"""Pages on data in a real browser: what they show is what is so, and no name and no value is more than text."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlreg.registry import ExperimentRegistry
from mlreg.registry.checking_data import data_check
from mlreg.registry.drifting import data_drift
from mlreg.registry.profiling import profile
from mlreg.registry.registry import Registry
from mlreg.web import check_page, drift_page, profile_page
from tests.web.conftest import Visit, made
from tests.web.test_hostile_page import INJECTED, INVISIBLE, TEXTS
from tests.web.test_page import SURROUNDINGS

REGISTRY = Registry("nowhere", "Ann")
Columns = Mapping[str, Sequence[object]]
BEFORE: Columns = {
    "age": [20 + at % 40 for at in range(200)],
    "height": [1.5 + at / 400 for at in range(200)],
    "plan": [*["basic"] * 150, *["plus"] * 50],
    "joined": [f"2026-01-{at % 28 + 1:02}" for at in range(200)],
    "old": ["x"] * 200,
    "note": [*[""] * 30, *[f"note {at}" for at in range(170)]],
    "same": [1] * 200,
}
AFTER: Columns = {
    "age": [20 + at % 40 for at in range(200)],
    "height": [1.7 + at / 300 for at in range(200)],
    "plan": [*["basic"] * 50, *["plus"] * 50, *["team"] * 100],
    "joined": [f"2026-02-{at % 28 + 1:02}" for at in range(200)],
    "note": [f"a longer note {at}" for at in range(200)],
    "same": ["one"] * 200,
    "more": [at % 3 for at in range(200)],
}
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0) + b"\0\0\0\0"
RULES = {"rules": [{"rule": "range", "column": "age", "max": 50}, {"rule": "not_null", "column": "plan"}]}


def write(path: Path, columns: Columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[*columns], *zip(*columns.values(), strict=True)])
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data before and after, and their pages."""
    root = tmp_path_factory.mktemp("data")
    before, after = write(root / "before" / "people.csv", BEFORE), write(root / "after" / "people.csv", AFTER)
    for place, count in (("cat", 3), ("dog", 1)):
        for at in range(count):
            (root / "before" / place).mkdir(exist_ok=True)
            (root / "before" / place / f"{at}.png").write_bytes(PNG)
    (root / "profile.html").write_text(profile_page.page(profile(REGISTRY, str(before.parent))), encoding="utf-8")
    (root / "drift.html").write_text(drift_page.page(data_drift(REGISTRY, str(before), str(after))), encoding="utf-8")
    check = data_check(REGISTRY, str(before), {"rules": RULES})
    (root / "check.html").write_text(check_page.page(check), encoding="utf-8")
    return root


PAGES = ("profile", "drift", "check")


def opened(visit: Visit, path: Path, **surroundings: Any) -> Any:
    return visit(path, ready="main", **surroundings)


def card(page: Any, name: str) -> Any:
    """Return the card of a column."""
    return page.locator("article.column").filter(has=page.locator("h3", has_text=name)).first


def facts(found: Any) -> dict[str, str]:
    return dict(
        zip(
            found.locator("dl.facts").first.locator("dt").all_inner_texts(),
            found.locator("dl.facts").first.locator("dd").all_inner_texts(),
            strict=True,
        )
    )


def heights(found: Any, kind: str) -> list[float]:
    return [float(bar.get_attribute("height")) for bar in found.locator(f"svg.spread rect.{kind}").all()]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_a_page_fits_its_window_and_needs_no_script(
    root: Path, visit: Visit, name: str, surroundings: dict[str, Any]
) -> None:
    page = opened(visit, root / f"{name}.html", java_script_enabled=False, **surroundings)

    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("nav a").all_inner_texts() == page.locator("section h2").all_inner_texts()
    assert page.locator("script").count() == 0
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href")).count() == 1


def test_a_profile_has_a_card_for_each_column_with_what_is_known_of_it(root: Path, visit: Visit) -> None:
    page = opened(visit, root / "profile.html")

    assert [text.split("\n")[0].split(" ")[0] for text in page.locator("article h3").all_inner_texts()] == [*BEFORE]
    age = facts(card(page, "age"))
    assert (age["nulls"], age["distinct"], age["range"], age["median"]) == ("0", "40", "20 to 59", "39.5")
    assert facts(card(page, "joined"))["range"] == "2026-01-01 to 2026-01-28"
    assert card(page, "note").locator(".marks").inner_text() == "15.0 % null"
    assert "all different" in card(page, "height").locator(".marks").inner_text()
    assert card(page, "old").locator(".marks").inner_text() == "one value"
    plan = card(page, "plan").locator("table.values tr")
    assert [row.split() for row in plan.all_inner_texts()] == [
        ["basic", "150", "75.0", "%"],
        ["plus", "50", "25.0", "%"],
    ]
    quantiles = card(page, "age").locator("details")
    quantiles.locator("summary").click()
    assert "25%" in quantiles.inner_text()


def test_the_bars_of_a_histogram_are_as_high_as_there_are_rows(tmp_path: Path, visit: Visit) -> None:
    rows = [at for at in range(20) for _ in range(at + 1)]
    path = tmp_path / "page.html"
    path.write_text(profile_page.page(profile(REGISTRY, str(write(tmp_path / "a.csv", {"a": rows})))))

    found = card(opened(visit, path), "a")

    assert heights(found, "rows") == [5.0 * (at + 1) for at in range(20)]
    assert found.locator("svg.spread title").last.text_content() == "18.05 to 19: 20 (9.5 %)"
    places = [float(found.locator(f"svg.quantiles .{kind}").get_attribute("x")) for kind in ("reach", "half", "middle")]
    assert places == sorted(places)


def test_images_that_are_broken_and_how_folders_are_balanced_are_shown(root: Path, visit: Visit) -> None:
    page = opened(visit, root / "profile.html")

    assert "4 broken images" in page.locator("#images").inner_text()
    assert "100000 x 100000" in page.locator("#images td").all_inner_texts()[1]
    assert [row.split()[:2] for row in page.locator("#folders tr").all_inner_texts()] == [
        ["cat", "3"],
        [".", "1"],
        ["dog", "1"],
    ]


def test_drift_shows_what_changed_first_and_then_the_largest_index(root: Path, visit: Visit) -> None:
    page = opened(visit, root / "drift.html")
    found = data_drift(REGISTRY, str(root / "before" / "people.csv"), str(root / "after" / "people.csv"))
    (table,) = found.tables

    assert page.locator("section h2").first.inner_text() == "Tables and columns"
    changed = [row.split("\t")[2] for row in page.locator("#changes tbody tr").all_inner_texts()]
    assert changed == ["same", "old", "more"]
    names = [text.split("\n")[0].split(" ")[0] for text in page.locator("article h3").all_inner_texts()]
    assert names == [one.name for one in table.columns]
    assert page.locator("header .verdict").inner_text() == "fail"
    for one in table.columns:
        if one.psi is not None:
            assert facts(card(page, one.name))["PSI"] == f"{one.psi:.4g}"


def test_drift_draws_both_distributions_over_each_other(root: Path, visit: Visit) -> None:
    page = opened(visit, root / "drift.html")

    height = card(page, "height")
    assert len(heights(height, "before")) == 20
    before = [title.split(": ")[1].split(", ") for title in height.locator("svg.spread title").all_text_contents()]
    assert before[0] == ["21.5 % before", "0 % after"] or before[0][1] == "0 % after"
    assert before[-1][0] == "0 % before"
    assert height.locator("svg.spread path.after").count() == 1
    plan = card(page, "plan").locator("table.values tr").all_inner_texts()
    assert [row.split("\t")[0] for row in plan] == ["basic", "plus", "team"]
    assert plan[2].endswith("0 % → 50.0 %")
    assert "team" in card(page, "plan").locator("p.soft").inner_text()


def test_rules_that_are_broken_stand_first_with_the_places(root: Path, visit: Visit) -> None:
    page = opened(visit, root / "check.html")

    assert page.locator("section h2").all_inner_texts() == ["Broken rules", "All rules"]
    assert page.locator("article").count() == 1
    assert page.locator("article tbody tr").first.inner_text().split("\t") == ["people.csv", "33", "51"]
    assert page.locator("#rules tbody tr").count() == 2


def test_a_report_shows_what_its_datasets_are_like(
    root: Path, visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def people(registry: ExperimentRegistry) -> None:
        registry.registry.add("data/people", [root / "before"], version="2026.01.01")

    page = visit(made(tmp_path_factory, "people", people).file)

    assert page.locator("nav a").all_inner_texts() == ["Data of data/people@2026.01.01", "Card"]
    assert page.locator("#data-0 article").count() == len(BEFORE)
    assert facts(card(page, "age"))["range"] == "20 to 59"
    assert "4 broken images" in page.locator("#data-0").inner_text()


def hostile(root: Path, texts: Sequence[str]) -> Path:
    """Write a table whose names and values are such texts, in files and folders that are called so."""
    rows = [{text: texts[(at + shift) % len(texts)] for at, text in enumerate(texts)} for shift in range(3)]
    for number, text in enumerate(texts):
        name = text.replace("/", "_").replace("\0", "0")[:60]
        folder = root / f"{number}{name}"
        folder.mkdir(parents=True)
        (folder / f"{name}.png").write_bytes(PNG)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.mark.parametrize("name", PAGES)
def test_no_name_and_no_value_becomes_an_element_or_runs(tmp_path: Path, visit: Visit, name: str) -> None:
    texts = [*TEXTS, *INVISIBLE]
    one, other = hostile(tmp_path / "<b>one</b>", texts), hostile(tmp_path / "two", [*texts[::-1], "more"])
    rules = {"rules": [{"rule": "unique", "name": text, "column": text} for text in texts]}
    pages = {
        "profile": lambda: profile_page.page(profile(REGISTRY, str(one))),
        "drift": lambda: drift_page.page(data_drift(REGISTRY, str(one), str(other))),
        "check": lambda: check_page.page(data_check(REGISTRY, str(one), {"rules": rules})),
    }
    path = tmp_path / "page.html"
    path.write_text(pages[name](), encoding="utf-8")
    page = opened(visit, path)

    assert page.evaluate("() => window.hit") is None
    assert [element.evaluate("one => one.outerHTML") for element in page.locator(INJECTED).all()] == []
    assert page.locator("script, iframe").count() == 0
    assert page.locator("style").count() == 1
    shown = page.locator("body").text_content()
    assert not set("\x00\x1b\x07\x9b\u2028\u2029\u202e\u2066\u200b\ufeff") & set(shown)
    assert r"\u202egnp.exe" in shown
    assert TEXTS[0] in shown


def test_a_script_that_is_put_into_a_page_does_not_run(root: Path, browser: Any) -> None:
    evil = (
        "<script>window.hit = 1</script><img src='https://example.org/x.png' onerror='window.hit = 2'>"
        "<style>body { color: rgb(1, 2, 3) }</style><iframe src='https://example.org/'></iframe>"
    )
    path = root / "evil.html"
    path.write_text((root / "profile.html").read_text(encoding="utf-8").replace("</body>", f"{evil}</body>"))
    said: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri())

    assert page.evaluate("() => window.hit ?? null") is None
    assert page.evaluate("() => getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    assert sum("Content Security Policy" in text for text in said) >= 4
    page.close()
