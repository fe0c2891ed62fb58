"""Decisions are numbered once and have every section; pages link to what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
SECTIONS = ["Question", "Decision", "Why", "Cost", "Rejected", "How we would notice it was wrong"]
PAGES = sorted(DOCS.rglob("*.md"))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def test_decisions_are_numbered_without_gap_or_repeat() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=name_of)
def test_a_decision_has_a_numbered_title_a_status_and_every_section_with_something_in_it(path: Path) -> None:
    text = text_of(path)
    bodies = re.split(r"^## .+\n", text, flags=re.MULTILINE)[1:]

    assert re.match(
        rf"# {int(path.name[:4])}\. .+\n\nStatus: (accepted|overturned by \d+)\. Date: \d{{4}}-\d\d-\d\d\.\n", text
    )
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(body.strip() for body in bodies)


@pytest.mark.parametrize("path", DECISIONS, ids=name_of)
def test_a_decision_fits_on_a_page(path: Path) -> None:
    assert len(text_of(path).splitlines()) <= 60


def test_the_index_lists_every_decision_under_its_number() -> None:
    listed = re.findall(r"^\| \[(\d+)\]\(decisions/([^)]+)\) \|", text_of(DOCS / "index.md"), re.MULTILINE)

    assert listed == [(str(int(path.name[:4])), path.name) for path in DECISIONS]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_what_is_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", text_of(path))
    targets = {(path.parent / link).resolve() for link in links}

    assert {target for target in targets if not target.exists()} == set()


def test_the_page_on_dependencies_lists_what_is_required_and_nothing_else() -> None:
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    required = [re.split(r"[<>=~! ]", requirement)[0] for requirement in project["dependencies"]]
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", text_of(DOCS / "dependencies.md"), re.MULTILINE)

    assert listed == sorted(required)


def test_a_word_of_the_glossary_has_one_meaning() -> None:
    words = re.findall(r"^\| \*([a-z]+)\* \|", text_of(DOCS / "glossary.md"), re.MULTILINE)

    assert len(words) == len(set(words)) > 30
