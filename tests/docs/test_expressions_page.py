"""docs/expressions.md: its examples hold, or are refused, as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlreg.errors import UsageError
from mlreg.formats import expression
from mlreg.formats.expression import parse_expression, parse_sort
from mlreg.formats.matching import matches

PAGE = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text(encoding="utf-8")
FIELDS = {"kind", "labels", "meta", "name", "size", "time", "version"}
DOCUMENT = json.loads(re.findall(r"^```json\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)[0])
HOLDS = [
    (one or two, answer) for two, one, answer in re.findall(r"^\| (?:``(.+)``|`(.+)`) \| (yes|no) \|$", PAGE, re.M)
]
FIXES = re.findall(r"^\| `([^|]+)` \| `(.+)` \|$", PAGE, re.MULTILINE)
INDENTED = re.findall(r"^    (.+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("text", "answer"), HOLDS)
def test_an_example_holds_as_the_page_says(text: str, answer: str) -> None:
    assert matches(parse_expression(text, FIELDS), DOCUMENT) == (answer == "yes")


@pytest.mark.parametrize(("text", "fix"), FIXES)
def test_an_example_is_refused_with_the_fix_of_the_page(text: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_expression(text, FIELDS)
    assert caught.value.fix == (fix,)


def test_the_page_has_examples_of_each() -> None:
    assert (len(HOLDS) > 20, len(FIXES) > 3) == (True, True)


def test_the_first_example_and_the_one_to_sort_by_are_read() -> None:
    assert str(parse_expression(INDENTED[0], FIELDS)) == INDENTED[0].replace(" .9", " 0.9")
    assert len(parse_sort(INDENTED[-1], FIELDS)) == 2


@pytest.mark.parametrize(
    "limit", [expression.MAX_CHARS, expression.MAX_NODES, expression.MAX_DEPTH, expression.MAX_SORT_KEYS]
)
def test_the_page_has_the_limits(limit: int) -> None:
    assert f"{limit:,}" in PAGE
