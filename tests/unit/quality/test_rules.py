"""Rules for data: what they find, what they pass over, and what is said of rules that cannot be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.quality.checking import RuleResult, Shelved, check
from mlreg.quality.rules import read_rules
from mlreg.quality.tables import Form, TableFile

DAY = 86_400_000_000
Row = dict[str, Any]
Asked = Callable[..., RuleResult]


def table(path: Path, form: Form, rows: Sequence[Row]) -> Shelved:
    """Write rows in a form, and return them as a table."""
    if form is Form.CSV:
        names = [*dict.fromkeys(name for row in rows for name in row)]
        lines = [",".join(names), *(",".join(cell(row.get(name)) for name in names) for row in rows)]
        path.write_text("\n".join([*lines, ""]))
    elif form is Form.JSONL:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        duckdb = pytest.importorskip("duckdb")
        source = path.with_suffix(".rows.jsonl")
        table(source, Form.JSONL, rows)
        query = f"COPY (SELECT * FROM read_json('{source}', sample_size=-1)) TO '{path}' (FORMAT parquet)"  # noqa: S608 - a path of the test
        duckdb.connect(":memory:", config={"threads": 1}).execute(query)
    return Shelved(path.name, lambda: nullcontext(TableFile(path, path.name, form)))


def cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture
def ask(tmp_path: Path) -> Asked:
    """What asks one rule of rows in a file for each list of them."""

    def one(rule: Row, *files: Sequence[Row], form: Form = Form.CSV, other: Sequence[Row] = (), now: int = 0) -> Any:
        tables = [table(tmp_path / f"{number}.{form}", form, rows) for number, rows in enumerate(files)]
        rules = read_rules({"rules": [rule]}, "rules.yaml")
        (found,) = check(tables, rules, lambda _: [table(tmp_path / f"other.{form}", form, other)], now)
        return found

    return one


ROWS: list[Row] = [
    {"id": 1, "age": 0.5, "label": "cat", "seen": "2026-01-01", "ok": True},
    {"id": 2, "age": 120, "label": "dog", "seen": "2026-01-02", "ok": True},
    {"id": 2, "age": 121.25, "label": "cow", "seen": "2025-12-31", "ok": False},
    {"id": 4, "age": None, "label": None, "seen": "2026-01-03", "ok": None},
]
EXPECTED: list[tuple[Row, str, int, int, list[str]]] = [
    ({"rule": "not_null", "columns": ["id", "label"]}, "fail", 8, 1, ["null"]),
    ({"rule": "not_null", "column": "id"}, "ok", 4, 0, []),
    ({"rule": "unique", "column": "id"}, "fail", 4, 1, ["2"]),
    ({"rule": "unique", "columns": ["id", "label"]}, "ok", 4, 0, []),
    ({"rule": "range", "column": "age", "min": 0, "max": 120, "severity": "warn"}, "warn", 3, 1, ["121.25"]),
    ({"rule": "range", "column": "age", "min": 0.5}, "ok", 3, 0, []),
    ({"rule": "range", "column": "seen", "min": "2026-01-01"}, "fail", 4, 1, ["2025-12-31"]),
    ({"rule": "range", "column": "label", "max": 1}, "fail", 3, 3, ["cat", "dog", "cow"]),
    ({"rule": "in_set", "column": "label", "values": ["cat", "dog"]}, "fail", 3, 1, ["cow"]),
    ({"rule": "in_set", "column": "id", "values": [1, 2.0, "4"]}, "ok", 4, 0, []),
    ({"rule": "in_set", "column": "ok", "values": [True]}, "fail", 3, 1, ["false"]),
    ({"rule": "regex", "column": "label", "pattern": "c.t|d.*"}, "fail", 3, 1, ["cow"]),
    ({"rule": "regex", "column": "label", "pattern": "[cd]o"}, "fail", 3, 3, ["cat", "dog", "cow"]),
    ({"rule": "type", "column": "age", "type": "number"}, "ok", 1, 0, []),
    ({"rule": "type", "column": "id", "type": "number"}, "ok", 1, 0, []),
    ({"rule": "type", "column": "age", "type": "integer"}, "fail", 1, 1, ["number"]),
    ({"rule": "row_count", "min": 4, "max": 4}, "ok", 4, 0, []),
    ({"rule": "row_count", "min": 5}, "fail", 4, 1, []),
    ({"rule": "row_count", "max": 3}, "fail", 4, 1, []),
    ({"rule": "null_share", "column": "label", "max": 0.25}, "ok", 4, 0, []),
    ({"rule": "null_share", "column": "label", "max": 0.24}, "fail", 4, 1, []),
    ({"rule": "freshness", "column": "seen", "max_age": "1d"}, "ok", 4, 0, []),
    ({"rule": "freshness", "column": "seen", "max_age": "23h"}, "fail", 4, 1, []),
    ({"rule": "freshness", "column": "label", "max_age": "1d"}, "fail", 3, 3, ["cat", "dog", "cow"]),
    ({"rule": "foreign_key", "column": "id", "ref": "data/other"}, "fail", 4, 1, ["4"]),
    ({"rule": "foreign_key", "column": "label", "ref": "data/other", "other_column": "kind"}, "fail", 3, 1, ["cow"]),
    ({"rule": "no_overlap", "columns": ["id"], "ref": "data/other"}, "fail", 4, 3, ["1", "2", "2"]),
    ({"rule": "no_overlap", "ref": "data/other"}, "ok", 4, 0, []),
    ({"rule": "schema_equal", "ref": "data/other"}, "fail", 1, 5, []),
]
OTHER = [{"id": 1, "kind": "cat"}, {"id": 2, "kind": "dog"}]
NOW = (20456 + 1) * DAY  # the fourth of January 2026


@pytest.mark.parametrize("form", [Form.CSV, Form.JSONL, Form.PARQUET])
@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_a_rule_finds_the_same_in_every_form(ask: Asked, number: int, form: Form) -> None:
    rule, verdict, checked, failing, values = EXPECTED[number]

    found = ask(rule, ROWS, form=form, other=OTHER, now=NOW)

    assert (found.verdict, found.checked, found.failing) == (verdict, checked, failing)
    assert bool(found.why) == bool(failing)
    if rule["rule"] != "schema_equal":
        assert [one.value for one in found.samples] == values


def test_every_rule_is_tried() -> None:
    from mlreg.quality.checks import CHECKS

    assert {rule["rule"] for rule, *_ in EXPECTED} == set(CHECKS)


def test_a_schema_is_equal_to_itself_and_not_to_one_with_another_type(ask: Asked) -> None:
    rule = {"rule": "schema_equal", "ref": "data/other"}

    assert ask(rule, ROWS, other=ROWS).verdict == "ok"
    changed = ask(rule, [{**row, "id": "a"} for row in ROWS], other=ROWS)
    assert [one.value for one in changed.samples] == ["id: text, there integer"]


def test_rows_overlap_whatever_the_order_of_the_columns(ask: Asked) -> None:
    turned = [dict(reversed(row.items())) for row in ROWS[1:2]]

    found = ask({"rule": "no_overlap", "ref": "data/other"}, ROWS, other=turned)

    assert [(one.file, one.line) for one in found.samples] == [("0.csv", 3)]


def test_keys_are_unique_over_all_files_that_the_patterns_fit(ask: Asked) -> None:
    files = [[{"id": 1}], [{"id": 1}], [{"id": 1}]]

    assert ask({"rule": "unique", "column": "id"}, *files).failing == 2
    some = ask({"rule": "unique", "column": "id", "files": ["0.*", "2.*"]}, *files)
    assert (some.files, some.failing, some.samples[0].file) == (2, 1, "2.csv")


def test_text_that_begins_with_zeros_is_another_key(ask: Asked) -> None:
    assert ask({"rule": "unique", "column": "id"}, [{"id": "007"}, {"id": "7"}]).verdict == "ok"


def test_what_is_no_number_is_in_no_range(ask: Asked) -> None:
    found = ask({"rule": "range", "column": "x", "min": 0}, [{"x": "nan"}, {"x": "inf"}, {"x": "-inf"}, {"x": "1_0"}])

    assert [one.value for one in found.samples] == ["nan", "-inf", "1_0"]


def test_a_dataset_without_tables_has_no_rows(ask: Asked) -> None:
    assert ask({"rule": "row_count", "max": 1}).verdict == "ok"
    assert ask({"rule": "row_count", "min": 1}).verdict == "fail"


def test_a_file_that_a_pattern_fits_must_have_the_column_and_others_need_not(ask: Asked) -> None:
    files = [[{"id": 1}], [{"other": 1}]]

    assert ask({"rule": "not_null", "column": "id"}, *files).verdict == "ok"
    found = ask({"rule": "not_null", "column": "id", "files": "*.csv"}, *files)
    assert (found.verdict, found.samples[0].file, found.samples[0].value) == ("fail", "1.csv", "there is no column id")


def test_a_key_that_only_later_lines_have_is_null_before(ask: Asked) -> None:
    rows = [*[{"a": 1}] * 9000, {"a": 1, "b": 2}]

    found = ask({"rule": "not_null", "column": "b"}, rows, form=Form.JSONL)

    assert (found.checked, found.failing, len(found.samples)) == (9001, 9000, 5)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"rule": "uniqe", "column": "id"}, "did you mean unique?"),
        ({"rule": "unique"}, "it names no column"),
        ({"rule": "unique", "colum": "id"}, "did you mean column"),
        ({"rule": "unique", "column": 3}, "column is a text"),
        ({"rule": "unique", "column": "id", "severity": "fatal"}, "severity is error or warn"),
        ({"rule": "range", "column": "id"}, "it has no min or max"),
        ({"rule": "range", "column": "id", "min": 3, "max": 2}, "is more than max"),
        ({"rule": "range", "column": "id", "min": 3, "max": "2026-01-01"}, "a number, the other one a time"),
        ({"rule": "range", "column": "id", "min": True}, "min is a number"),
        ({"rule": "range", "column": "id", "min": float("nan")}, "min is a number"),
        ({"rule": "in_set", "column": "id", "values": []}, "values is a list of values"),
        ({"rule": "regex", "column": "id", "pattern": "("}, "pattern is a regular expression"),
        ({"rule": "type", "column": "id", "type": "float"}, "type is one of"),
        ({"rule": "row_count", "column": "id", "min": 1}, "no key 'column'"),
        ({"rule": "row_count", "min": 1.5}, "min is a whole number"),
        ({"rule": "null_share", "column": "id", "max": 20}, "max is a share"),
        ({"rule": "freshness", "column": "id", "max_age": 3}, "max_age is a text"),
        ({"rule": "freshness", "column": "id", "max_age": "soon"}, "max_age is a duration"),
        ({"rule": "foreign_key", "column": "id"}, "it has no ref or file"),
        ({"rule": "no_overlap", "ref": "data/a", "file": "b"}, "it has ref and file"),
        ({"rule": "unique", "column": "idd"}, "did you mean id?"),
        ({"rule": "unique", "column": "id", "files": "train/*"}, "no table is called train/*"),
        ({"rule": "foreign_key", "column": "id", "file": "b.csv"}, "there is no table in b.csv"),
        ({"rule": "foreign_key", "column": "id", "ref": "data/a", "other_column": "x"}, "no column x"),
        ("unique", "it is no mapping"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_named(ask: Asked, rule: Any, told: str) -> None:
    with pytest.raises(UsageError) as error:
        ask(rule, ROWS, other=OTHER)

    assert error.value.code == "bad_rule"
    assert told in str(error.value)
    assert ("rule 1" if isinstance(rule, str) else rule["rule"]) in str(error.value)


@pytest.mark.parametrize(
    "document", [None, [], {"rules": []}, {"rules": {}}, {"rules": [{"rule": "row_count"}], "x": 1}]
)
def test_a_document_without_a_list_of_rules_is_refused(document: object) -> None:
    with pytest.raises(UsageError, match=r"rules\.yaml"):
        read_rules(document, "rules.yaml")


values = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3) | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["rule", "column", "min", "max", "ref", "values", "severity", "name"]), values))
def test_any_mapping_is_a_rule_or_is_refused_as_one(rule: Row) -> None:
    code, kinds = "", []
    try:
        kinds = [one.kind for one in read_rules({"rules": [{"rule": "range", **rule}]}, "rules.yaml")]
    except UsageError as error:
        code = error.code

    assert (code, kinds) in [("bad_rule", []), ("", [rule.get("rule", "range")])]
