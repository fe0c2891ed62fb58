"""The standard fields of metadata, and schemas."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import UnsupportedError, UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.fields import MAX_METRIC_DEPTH, MAX_VIOLATIONS, STANDARD_FIELDS, check_fields, check_schema
from tests.unit.formats.test_canonical import texts, values

numbers = st.integers(-MAX_INTEGER - 1, MAX_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
several = st.lists(texts, max_size=3)
standard: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "description": texts,
        "license": st.sampled_from(
            ["MIT", "other", "Apache-2.0", "cc-by-nc-4.0", "GPL-2.0+", "(MIT OR LGPL-2.1-only)"]
        ),
        "framework": texts | st.fixed_dictionaries({"name": texts}, optional={"version": texts}),
        "task": texts,
        "metrics": st.dictionaries(texts, numbers | st.dictionaries(texts, numbers, max_size=2), max_size=3),
        "hyperparameters": st.dictionaries(texts, values, max_size=3),
        "base_model": texts | several,
        "data": texts | several,
        "keywords": several,
        "schema": st.dictionaries(
            texts, texts | st.fixed_dictionaries({}, optional={"type": texts, "description": texts, "unit": values})
        ),
        "splits": st.dictionaries(texts, texts | several, max_size=3),
        "card": texts,
    },
)
"""What is right, whatever it says."""


def nested_metrics(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"x": value}
    return value


REFUSED: dict[str, tuple[str, Any]] = {
    "description": ("description", 5),
    "description.": ("description", ["a"]),
    "license, free text": ("license", "MIT License"),
    "license, empty": ("license", ""),
    "license, a list": ("license", ["MIT"]),
    "license, two lines": ("license", "MIT\n"),
    "license, other letters": ("license", "\u041cI\u0422"),
    "license, other digits": ("license", "GPL-٣"),
    "license, too long": ("license", "a" * 201),
    "license, an operator alone": ("license", "MIT OR"),
    "license, a megabyte of parentheses": ("license", "(" * 1_000_000),
    "framework": ("framework", 2),
    "framework.version": ("framework", {"name": "torch", "version": 2.1}),
    "framework, without name": ("framework", {"version": "2"}),
    "framework, with more": ("framework", {"name": "torch", "cuda": "12"}),
    "task": ("task", True),
    "schema": ("schema", ["age"]),
    "schema.age": ("schema", {"age": 3}),
    "schema.age.type": ("schema", {"age": {"type": ["int"]}}),
    "schema.age.description": ("schema", {"age": {"description": {}}}),
    "splits": ("splits", ["train"]),
    "splits.train": ("splits", {"train": 0.8}),
    "splits.train[1]": ("splits", {"train": ["a", 2]}),
    "metrics": ("metrics", ["map"]),
    "metrics, a number": ("metrics", 0.9),
    "metrics.map, text": ("metrics", {"map": "0.93"}),
    "metrics.map, true": ("metrics", {"map": True}),
    "metrics.map, null": ("metrics", {"map": None}),
    "metrics.map, list": ("metrics", {"map": [0.9]}),
    "metrics.map, nan": ("metrics", {"map": float("nan")}),
    "metrics.test.map, inf": ("metrics", {"test": {"map": float("-inf")}}),
    "metrics, deep": ("metrics", nested_metrics(MAX_METRIC_DEPTH + 1)),
    "metrics, deeper": ("metrics", nested_metrics(10_000)),
    "hyperparameters": ("hyperparameters", [1]),
    "base_model": ("base_model", {"name": "x"}),
    "base_model[1]": ("base_model", ["a", 1]),
    "data": ("data", 1),
    "data[0]": ("data", [None]),
    "keywords": ("keywords", "surgery"),
    "keywords[1]": ("keywords", ["a", True]),
    "card": ("card", {}),
}


def refuses(metadata: dict[str, Any]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        check_fields(metadata)
    assert caught.value.code == "bad_field"
    return caught.value


@given(standard)
def test_what_the_fields_hold_is_taken_without_a_note(metadata: dict[str, Any]) -> None:
    assert check_fields(metadata) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_field_cannot_hold_is_refused_with_its_path_and_a_fix(name: str) -> None:
    field, value = REFUSED[name]

    error = refuses({"free": value, field: value})

    shown = " ".join((error.message, error.why, *error.fix))
    assert name.partition(",")[0].rstrip(".") in error.message
    assert error.why
    assert error.fix
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) < 1000


@pytest.mark.parametrize(
    ("metadata", "fix"),
    [
        ({"metrics": {"map": "0.93"}}, "leave its quotes out"),
        ({"framework": {"name": "torch", "version": 2.1}}, "put it in quotes"),
        ({"license": "MIT License"}, "write it like license: Apache-2.0"),
    ],
)
def test_a_refusal_says_what_to_write(metadata: dict[str, Any], fix: str) -> None:
    assert refuses(metadata).fix == (fix,)


def test_hostile_names_in_a_path_reach_no_terminal() -> None:
    message = refuses({"metrics": {"\x1b[31m" + "x" * 1_000_000: "x"}}).message

    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("name", STANDARD_FIELDS)
def test_null_is_the_same_as_leaving_out(name: str) -> None:
    assert check_fields({name: None}) == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("licence", "license"),
        ("License", "license"),
        ("hyperparams", "hyperparameters"),
        ("hyper-parameters", "hyperparameters"),
        ("metric", "metrics"),
        ("datasets", "data"),
        ("tags", "keywords"),
        ("base-model", "base_model"),
    ],
)
def test_a_near_miss_is_noted_and_never_an_error(key: str, meant: str) -> None:
    metadata = {key: object()}

    (note,) = check_fields(metadata)

    assert key in note
    assert repr(meant) in note
    assert list(metadata) == [key]


@pytest.mark.parametrize("key", ["x", "date", "mask", "author", "metrics_file", "", "ключ", "a" * 1_000_000])
def test_other_keys_are_free(key: str) -> None:
    assert check_fields({key: object()}) == []


def test_a_near_miss_beside_the_field_itself_is_not_noted() -> None:
    assert check_fields({"licence": "x", "license": "MIT"}) == []


@given(st.dictionaries(st.sampled_from([*STANDARD_FIELDS]) | texts, values, max_size=4))
def test_any_metadata_is_taken_or_refused_with_one_code(metadata: dict[str, Any]) -> None:
    try:
        check_fields(metadata)
    except UsageError:
        refuses(metadata)


# Schemas.

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["license"],
    "properties": {"metrics": {"$ref": "#/$defs/shares"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "$defs": {"shares": {"type": "object", "additionalProperties": {"type": "number", "maximum": 1}}},
}


def violations(metadata: dict[str, Any], schema: object = SCHEMA) -> str:
    with pytest.raises(UsageError) as caught:
        check_schema(metadata, schema, "schema.yaml")
    assert caught.value.code == "schema_violation"
    return caught.value.why


def test_metadata_that_keeps_the_schema_is_taken() -> None:
    check_schema({"license": "MIT", "metrics": {"map": 0.9}, "tags": ["a"]}, SCHEMA, "schema.yaml")


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"license": "MIT", "metrics": {"map": 1.3}}, "metrics.map: 1.3 is greater than the maximum of 1"),
        ({"license": "MIT", "tags": ["a", 1]}, "tags[1]: 1 is not of type 'string'"),
        ({}, "'license' is a required property"),
    ],
)
def test_a_breach_is_named_by_its_path(metadata: dict[str, Any], why: str) -> None:
    assert violations(metadata) == why


@pytest.mark.parametrize(
    ("wrong", "more"), [(1, False), (MAX_VIOLATIONS, False), (MAX_VIOLATIONS + 1, True), (100_000, True)]
)
def test_the_first_ten_breaches_are_listed(wrong: int, more: bool) -> None:
    why = violations({"license": "MIT", "metrics": {f"m{number}": 2 for number in range(wrong)}})

    assert why.count("greater than") == min(wrong, MAX_VIOLATIONS)
    assert why.endswith("and more") == more


def test_a_breach_shows_no_more_of_a_value_than_fits_a_line() -> None:
    why = violations({"license": "MIT", "metrics": {"\x1b[31m\x9b": "é" * 1_000_000}})

    assert why.isascii()
    assert why.isprintable()
    assert len(why) < 300


BAD: dict[str, Any] = {
    "no mapping": [],
    "nothing": None,
    "an unknown type": {"type": "nix"},
    "a broken pattern": {"properties": {"license": {"pattern": "("}}},
    "a loop": {"$ref": "#"},
    "a place that is not there": {"$ref": "#/$defs/nix"},
    "an anchor that is not there": {"$ref": "#nix"},
    "another draft": {"$schema": "http://json-schema.org/draft-07/schema#"},
    "a dialect of its own": {"$schema": "https://example.org/dialect"},
    "a broken address": {"$id": "http://[bad", "$ref": "x"},
    "a ref that is no text": {"$ref": 5},
    "a number beyond all others": {"properties": {"share": {"multipleOf": 10**400}}},
    "a file": {"$ref": Path(__file__).as_uri()},
    "a relative file": {"$ref": "schema.json"},
    "another address": {"$ref": "https://example.org/schema.json"},
    "a place within what is no schema": {"properties": {"share": {"$ref": "#/foo/9"}}, "foo": [1]},
    "a broken pattern within what is no schema": {"$ref": "#/foo", "foo": {"patternProperties": {"(": {}}}},
    "a type within what is no schema": {"$ref": "#/foo", "foo": {"properties": {"share": {"minimum": "x"}}}},
    "a dynamic ref": {"$dynamicRef": "https://example.org/schema.json#meta"},
    "too deep": json.loads('{"not":' * 400 + "{}" + "}" * 400),
}


@pytest.mark.parametrize("name", BAD)
def test_a_schema_that_is_wrong_itself_is_refused_as_such(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_schema({"license": "MIT", "share": 0.5}, BAD[name], "schema.yaml")
    assert caught.value.code == "bad_schema"
    assert caught.value.why
    assert caught.value.fix


@pytest.fixture
def _impatient_sockets() -> Iterator[None]:
    """Let whoever connects to a server that never answers fail, not wait."""
    socket.setdefaulttimeout(0.5)
    yield
    socket.setdefaulttimeout(None)


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
@pytest.mark.usefixtures("_impatient_sockets")
def test_a_remote_ref_is_never_fetched(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        with pytest.raises(UsageError) as caught:
            check_schema({}, {"properties": {}, "allOf": [{keyword: url}]}, "schema.yaml")

        with pytest.raises(TimeoutError):
            server.accept()
    assert caught.value.code == "bad_schema"
    assert "127.0.0.1" in caught.value.why


def test_a_schema_in_a_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("{}")

    with pytest.raises(UsageError) as caught:
        check_schema({}, {"$id": tmp_path.as_uri() + "/", "$ref": "schema.json"}, "schema.yaml")
    assert caught.value.code == "bad_schema"


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)

    with pytest.raises(UnsupportedError) as caught:
        check_schema({}, SCHEMA, "schema.yaml")
    assert caught.value.code == "missing_extra"
    assert caught.value.exit_status == 13
    assert caught.value.fix == ("pip install 'mlreg[schema]'",)


def test_the_library_is_imported_only_for_a_schema() -> None:
    program = "import sys; from mlreg.formats.fields import check_fields; check_fields({}); print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert not {"jsonschema", "referencing", "yaml"}.intersection(loaded)


@pytest.mark.parametrize("value", [float("nan"), 10**400, nested_metrics(10_000), object()])
def test_what_is_no_json_is_refused_before_a_schema_sees_it(value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        check_schema({"a": value}, {"properties": {"a": {"multipleOf": 0.1}}}, "schema.yaml")
    assert caught.value.code == "bad_json"


@given(st.dictionaries(texts, values, max_size=3))
def test_a_schema_that_demands_nothing_takes_all_metadata(metadata: dict[str, Any]) -> None:
    check_schema(metadata, {}, "schema.yaml")


def test_a_loop_is_found_at_once() -> None:
    start = time.process_time()

    with pytest.raises(UsageError):
        check_schema({"a": {"a": {}}}, {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "schema.yaml")

    assert time.process_time() - start < 5
