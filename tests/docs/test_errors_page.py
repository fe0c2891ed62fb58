"""docs/errors.md: every code that is raised is explained, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from mlreg import errors
from tests.docs.error_codes import EXIT_STATUS, codes_in_source, unnamed_codes

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z_]+)` \| (\d+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def test_every_code_that_is_raised_is_explained_under_its_exit_status_and_no_other() -> None:
    raised = {(code, status) for code, statuses in codes_in_source().items() for status in statuses}

    assert {(code, int(status)) for code, status, _, _ in ROWS} == raised


def test_codes_are_listed_once_and_sorted() -> None:
    listed = [(code, int(status)) for code, status, _, _ in ROWS]

    assert listed == sorted(set(listed))


def test_every_error_that_is_raised_has_a_code_that_can_be_listed() -> None:
    assert unnamed_codes() == ()


def test_every_explanation_is_made_of_sentences() -> None:
    cells = [cell for row in ROWS for cell in row[2:]]

    assert [cell for cell in cells if not re.fullmatch(r"[A-Z`].*\.", cell)] == []


def test_the_page_lists_the_classes_with_their_exit_statuses() -> None:
    listed = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE)

    assert {name: int(status) for status, name in listed} == EXIT_STATUS


def test_an_error_class_is_in_the_tree_that_its_module_shows() -> None:
    shown = re.findall(r"(\w+Error)\s+exit (\d+)", errors.__doc__ or "")

    assert {name: int(status) for name, status in shown} == EXIT_STATUS
