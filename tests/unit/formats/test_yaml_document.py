"""YAML as people write it: the JSON part of it, and nothing that surprises."""

from __future__ import annotations

import json
import math
import textwrap
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.yaml_document import MAX_CHARS, MAX_DEPTH, parse_yaml, scalar
from tests.unit.formats.test_canonical import values


@given(value=values, is_ascii=st.booleans())
@example(value={"emoji": "\U0001f600", "\U0001f600": "key"}, is_ascii=True)
def test_a_json_document_means_what_json_says(value: Any, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    # The rest of C1 and the line ends of Unicode are white space or forbidden in YAML, but never needed unescaped.
    if is_ascii or text.isprintable():
        assert repr(parse_yaml(text, "x")) == repr(json.loads(text))


@given(text=st.text(max_size=40))
@example(text='"\\UFFFFFFFF"')
@example(text='"\\U00110000"')
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "x")
    except UsageError as error:
        code = error.code
    else:
        code = "bad_yaml"
    assert code == "bad_yaml"


READ = {
    "empty": ("", None),
    "a comment": ("# nothing\n", None),
    "block style": ("a: 1\nb:\n  - x\n  - 2.5\n", {"a": 1, "b": ["x", 2.5]}),
    "flow style": ("{a: [1, true, null], b: {}}", {"a": [1, True, None], "b": {}}),
    "Norway": ("country: NO", {"country": "NO"}),
    "yes and on": ("[yes, on, off, True, Null, FALSE]", ["yes", "on", "off", "True", "Null", "FALSE"]),
    "a date": ("2026-11-23", "2026-11-23"),
    "a time": ("12:30:45", "12:30:45"),
    "a version": ("1.2.3", "1.2.3"),
    "octal": ("[010, 0o10, 0x10]", ["010", "0o10", "0x10"]),
    "underscores": ("1_000", "1_000"),
    "infinity": ("[.inf, -.inf, NaN, Infinity]", [math.inf, -math.inf, "NaN", "Infinity"]),
    "numbers as YAML 1.2 has them": ("[.88, -.5e-1, 3.]", [0.88, -0.05, 3.0]),
    "numbers as JSON has them": ("[1, -2, 0.5, 1e-3]", [1, -2, 0.5, 0.001]),
    "quoted numbers": ("['1', \"true\"]", ["1", "true"]),
    "nothing": ("a:\nb: ~\n", {"a": None, "b": None}),
    "folded text": ("a: >\n  one\n  two\n", {"a": "one two\n"}),
    "kept lines": ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
    "a merge key is a key": ("<<: {a: 1}", {"<<": {"a": 1}}),
    "numbers as keys are text": ("1: a", {"1": "a"}),
    "byte order mark": ("\ufeffa: 1", {"a": 1}),
    "one document, marked": ("---\na: 1\n...\n", {"a": 1}),
}


@pytest.mark.parametrize("name", READ)
def test_a_document_is_read_as_it_looks(name: str) -> None:
    text, expected = READ[name]

    assert repr(parse_yaml(text, "x")) == repr(expected)


BOMB = textwrap.dedent("""
    a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]
    b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
    c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
    d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]
""")

REFUSED = {
    "alias bomb": BOMB,
    "anchor": "a: &name 1",
    "alias": "a: *name",
    "anchor that holds itself": "&a [*a]",
    "merge of an anchor": "a: &a {b: 1}\nc:\n  <<: *a",
    "object": "!!python/object/apply:os.system ['true']",
    "tag": "a: !secret x",
    "standard tag": "!!str 1",
    "local tag on a mapping": "!model {a: 1}",
    "two documents": "a: 1\n---\nb: 2",
    "the same key twice": "a: 1\na: 2",
    "the same key in two spellings": '1: a\n"1": b',
    "list as key": "? [a]\n: b",
    "mapping as key": "{{a: 1}: b}",
    "tab": "a:\n\tb: 1",
    "control character": "a: \x07",
    "unclosed": "{a: 1",
    "half of a surrogate pair": '"\\ud800"',
    "half of a surrogate pair in a key": '"\\ud800": 1',
    "beyond Unicode": '"\\U00110000"',
    "far beyond Unicode": '"\\UFFFFFFFF"',
    "too deep": "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    "100,000 lists": "[" * 100_000,
    "100,000 mappings": "{a: " * 100_000,
    "100,000 nested items": "- " * 100_000,
    "too long": "#" * (MAX_CHARS + 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_surprises_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_yaml(REFUSED[name], "settings.yaml")
    assert caught.value.code == "bad_yaml"
    assert "settings.yaml" in caught.value.message


def test_the_deepest_document_that_is_allowed_is_read() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "x") is not None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("12", 12),
        ("-0", 0),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("007", "007"),
        ("+1", "+1"),
        (".5", 0.5),
        ("-.5", -0.5),
        ("5.", 5.0),
        (".5e3", 500.0),
        (".nan", math.nan),
        ("-.inf", -math.inf),
        (".", "."),
        ("1.2.3", "1.2.3"),
        (".5.", ".5."),
        ("1 ", 1),
        ("[1]", "[1]"),
        ('{"a":1}', '{"a":1}'),
        ('"quoted"', '"quoted"'),
        ("nan", "nan"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("٣", "٣"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_word_is_what_json_makes_of_it_or_the_word(word: str, expected: object) -> None:
    assert repr(scalar(word)) == repr(expected)
