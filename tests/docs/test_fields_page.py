"""docs/fields.md: it lists the standard fields as they are checked, and its examples are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlreg.errors import UsageError
from mlreg.formats.card import SPELLINGS
from mlreg.formats.fields import MAX_METRIC_DEPTH, STANDARD_FIELDS, check_fields, check_schema
from mlreg.formats.yaml_document import parse_yaml

PAGE = (Path(__file__).parents[2] / "docs" / "fields.md").read_text(encoding="utf-8")
SPELT = re.findall(r"^\| `([a-z_-]+)` \| `([a-z_]+)` \| .+ \|$", PAGE, re.MULTILINE)
ROWS = re.findall(r"^\| `([a-z_]+)` \| (.+) \| `(.+: .+)` \|$", PAGE, re.MULTILINE)
SCHEMA = parse_yaml(re.findall(r"^```yaml\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)[0], "the page")


def test_the_page_lists_the_standard_fields() -> None:
    listed = {name: (holds, example) for name, holds, example in ROWS}
    assert listed == {name: (field.holds, field.example) for name, field in STANDARD_FIELDS.items()}
    assert f"at most {MAX_METRIC_DEPTH} deep" in PAGE


@pytest.mark.parametrize(("name", "example"), [(name, example) for name, _, example in ROWS])
def test_an_example_of_a_field_is_right(name: str, example: str) -> None:
    metadata = parse_yaml(example, "the page")

    assert list(metadata) == [name]
    assert check_fields(metadata) == []


@pytest.mark.parametrize("word", ["licence", "hyperparams", "metric"])
def test_what_the_page_calls_a_near_miss_is_one(word: str) -> None:
    assert f"`{word}`" in PAGE
    assert len(check_fields({word: "x"})) == 1


def test_the_schema_of_the_page_refuses_with_the_words_of_the_page() -> None:
    check_schema({"license": "MIT", "metrics": {"map": 0.9}}, SCHEMA, "schema.yaml")
    with pytest.raises(UsageError) as caught:
        check_schema({"license": "MIT", "metrics": {"map": 1.3}}, SCHEMA, "schema.yaml")
    assert f"`{caught.value.why}`" in PAGE.replace("\n", " ")


def test_the_page_lists_how_the_keys_of_cards_are_respelt() -> None:
    assert [(spelling.theirs, spelling.ours) for spelling in SPELLINGS] == SPELT
