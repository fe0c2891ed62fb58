"""Templates choose keys of a document, and reach nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.template import LONGEST, Template

DOCUMENT = {
    "ref": "model/net@1.0.0",
    "size": 12,
    "frozen": True,
    "message": "",
    "none": None,
    "tags": ["production", "eu"],
    "metadata": {"metrics": {"map": 0.9137}, "a.b": "dotted", "__class__": "a key like others"},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{ref}", "model/net@1.0.0"),
        (r"{ref}\t{size}", "model/net@1.0.0\t12"),
        (r"a\nb\0c\\n", "a\nb\0c\\n"),
        ("{metadata.metrics.map:.2f}", "0.91"),
        ("{metadata[metrics][map]:8.1%}", "   91.4%"),
        ("{metadata[a.b]}", "dotted"),
        ("{metadata.__class__}", "a key like others"),
        ("{tags}", '["production", "eu"]'),
        ("{tags[0]} {tags[7]}{tags.x}", "production "),
        ("{frozen}", "true"),
        ("{none}|{metadata.absent.deeper:>5}|", "|     |"),
        ("{size:>6,}", "    12"),
        ("{{literal}}", "{literal}"),
        ("", ""),
    ],
)
def test_a_field_is_the_value_of_its_key(template: str, expected: str) -> None:
    assert Template(template).of(DOCUMENT) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "}",
        "{}",
        "{0}",
        "{absent}",
        "{__class__}",
        "{ref!r}",
        "{ref:{size}}",
        "{size:.2q}",
        "{size:1000}",
        "{metadata.metrics.map:.99999999999f}",
        "{" + "[" * 20,
        "x" * (LONGEST + 1),
    ],
)
def test_what_names_no_key_or_no_format_is_refused(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template(template).of(DOCUMENT)
    assert caught.value.code == "bad_template"


def test_a_value_that_has_no_such_format_is_as_it_is() -> None:
    """What is printed may be done already, and is no reason to fail."""
    assert Template("{ref:d} {size:c}").of({"ref": "model/net@1.0.0", "size": 1 << 40}) == f"model/net@1.0.0 {1 << 40}"


def test_a_place_in_a_list_is_a_number_of_few_digits() -> None:
    document = {"tags": ["one", "two"]}
    assert Template("{tags[1]}{tags[00000000001]}{tags[9999999999]}{tags[-1]}").of(document) == "two"


def test_only_fields_are_shown_in_another_way() -> None:
    assert Template(r"{ref}\t").of({"ref": "a\tb"}, ascii) == "'a\\tb'\t"


def test_no_attribute_of_a_value_can_be_reached() -> None:
    """Whatever follows a string, there is nothing below it."""
    assert Template("{ref.__class__.__mro__}{ref[0]}{size.real}").of(DOCUMENT) == ""


@given(st.text(alphabet="{}[].:!%refsizemtad0_9<>^+ ,\\n"))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        assert isinstance(Template(text).of(DOCUMENT), str)
    except UsageError as error:
        assert error.code == "bad_template"  # noqa: PT017 - both ends are fine, nothing else is
