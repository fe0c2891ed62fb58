"""What expressions and sort keys mean: compared with the same rules, written as plainly as they can be."""

from __future__ import annotations

import dataclasses
import functools
import re
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.formats.expression import (
    And,
    Compare,
    Expression,
    Field,
    In,
    IsNull,
    Like,
    Not,
    Or,
    SortKey,
    parse_expression,
    parse_sort,
)
from mlreg.formats.matching import fits, matches, selected, sorted_by, value_at

FIELDS = ("a", "b", "meta")
X = Field(("meta", "x"))

# Few values and few fields, so that they often meet.
scalars = st.sampled_from([None, True, False, 0, 1, -1, 1.0, 0.5, 2**53, 2.0**53, "", "a", "A", "ab", "1", "İ"])
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("xy"), below, max_size=2),
    max_leaves=4,
)
documents = st.fixed_dictionaries(
    {"a": values}, optional={"b": values, "meta": st.fixed_dictionaries({"x": st.fixed_dictionaries({"y": values})})}
)
PLACES = [Field(("a",)), Field(("b",)), Field(("a", "x")), Field(("meta", "x", "y"))]
places = st.sampled_from(PLACES)
operands = scalars.filter(lambda value: value is not None)
tests: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Compare, places, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), operands),
    st.builds(Like, places, st.text("aAb%_", max_size=3), st.booleans(), st.booleans()),
    st.builds(In, places, st.lists(operands, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(IsNull, places, st.booleans()),
)


def joined(below: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(below, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, below) | st.builds(And, several) | st.builds(Or, several)


expressions = st.recursive(tests, joined, max_leaves=6)


def type_of(value: object) -> str:
    """Return the name that JSON has for the type of a value."""
    names = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "mapping"}
    return "null" if value is None else names[type(value)]


def found_at(document: Any, parts: tuple[str, ...]) -> Any:
    """Walk down mappings only."""
    for part in parts:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def like_reference(text: str, pattern: str) -> bool:
    """Translate a pattern, each character by itself."""
    return bool(re.fullmatch("".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern), text, re.DOTALL))


def compare_reference(found: Any, sign: str, value: Any) -> bool:
    """Say each rule of the page by itself."""
    if isinstance(found, list):
        contains = [item for item in found if compare_reference_alone(item, "=", value)]
        return {"=": bool(contains), "!=": not contains}.get(sign, False)
    return compare_reference_alone(found, sign, value)


def compare_reference_alone(found: Any, sign: str, value: Any) -> bool:
    """Compare what is no list."""
    if type_of(found) != type_of(value) or type_of(found) in ("null", "list", "mapping"):
        return False
    if type_of(found) == "boolean" and sign not in ("=", "!="):
        return False
    less, equal = bool(found < value), bool(found == value)
    return {"=": equal, "!=": not equal, "<": less, "<=": less or equal, ">": not less and not equal, ">=": not less}[
        sign
    ]


def reference(expression: Expression, document: dict[str, Any]) -> bool:
    """Evaluate as the page says."""
    match expression:
        case Not(operand):
            return not reference(operand, document)
        case And(operands):
            return all(reference(operand, document) for operand in operands)
        case Or(operands):
            return any(reference(operand, document) for operand in operands)
        case _:
            return reference_of_a_test(expression, found_at(document, expression.field.parts))


def reference_of_a_test(test: Compare | Like | In | IsNull, found: Any) -> bool:
    """Evaluate one test."""
    match test:
        case IsNull(_, is_negated):
            return (found is None) is not is_negated
        case Like(_, pattern, ignores_case, is_negated):
            if not isinstance(found, str):
                return False
            change = str.lower if ignores_case else str
            return like_reference(change(found), change(pattern)) is not is_negated
        case In(_, values, False):
            return any(compare_reference(found, "=", value) for value in values)
        case In(_, values, True):
            return all(compare_reference(found, "!=", value) for value in values)
        case Compare(_, sign, value):
            return compare_reference(found, sign, value)
    raise AssertionError


@given(tests | expressions, documents)
@example(Compare(X, "<", "b"), {"meta": {"x": ["a"]}})
@example(Compare(X, "=", value=True), {"meta": {"x": 1}})
@example(Compare(X, ">", value=False), {"meta": {"x": True}})
@example(Compare(X, "!=", 1), {"meta": {"x": None}})
@example(Compare(X, "!=", "a"), {"meta": {"x": []}})
@example(Compare(X, "=", "a"), {"meta": "x"})
@example(Compare(X, "=", 1.0), {"meta": {"x": 1}})
@example(Like(X, "A_", ignores_case=True), {"meta": {"x": "ab"}})
@example(Like(X, "a_", ignores_case=True), {"meta": {"x": "AB"}})
def test_an_expression_means_what_the_plain_rules_say(expression: Expression, document: dict[str, Any]) -> None:
    assert matches(expression, document) == reference(expression, document)


@given(expressions, st.lists(documents, max_size=5))
def test_documents_are_selected_by_columns_as_one_by_one(expression: Expression, several: list[dict[str, Any]]) -> None:
    # Each field becomes one key, as the facts of runs have it.
    found = {"/".join(field.parts): field for field in (*PLACES, X)}
    columns = {
        key: {at: value for at, one in enumerate(several) if (value := value_at(one, field)) is not None}
        for key, field in found.items()
    }

    assert list(selected(in_one_key(expression), range(len(several)), columns)) == [
        at for at, one in enumerate(several) if matches(expression, one)
    ]


def in_one_key(expression: Expression) -> Expression:
    match expression:
        case And(operands) | Or(operands):
            return dataclasses.replace(expression, operands=tuple(map(in_one_key, operands)))
        case Not(operand):
            return Not(in_one_key(operand))
        case _:
            return dataclasses.replace(expression, field=Field(("/".join(expression.field.parts),)))


@given(expressions, documents)
def test_printing_and_reading_an_expression_changes_nothing_in_what_it_means(
    expression: Expression, document: dict[str, Any]
) -> None:
    assert matches(parse_expression(str(expression), FIELDS), document) == matches(expression, document)


@pytest.mark.parametrize(
    "test", ["= 1", "!= 1", "< 1", ">= 1", "= 'a'", "!= 'a'", "like '%'", "not like 'a'", "in (1)", "not in (1)"]
)
@pytest.mark.parametrize(
    "document", [{}, {"meta": None}, {"meta": {}}, {"meta": {"x": None}}, {"meta": "x"}, {"meta": ["x"]}]
)
def test_every_test_is_false_where_the_field_is_missing_or_null(test: str, document: dict[str, Any]) -> None:
    assert not matches(parse_expression(f"meta.x {test}", FIELDS), document)
    assert matches(parse_expression("meta.x is null", FIELDS), document)


@pytest.mark.parametrize("found", [1, 1.5, "1", True, None, [], {}, {"y": 1}])
@pytest.mark.parametrize("value", ["1", "1.5", "'1'", "true"])
@pytest.mark.parametrize("sign", ["=", "!=", "<", "<=", ">", ">="])
def test_values_of_different_types_are_neither_equal_nor_unequal(found: object, value: str, sign: str) -> None:
    test = parse_expression(f"meta.x {sign} {value}", FIELDS)
    assert isinstance(test, Compare)

    if type_of(found) != type_of(test.value) and found != []:
        assert not matches(test, {"meta": {"x": found}})


@pytest.mark.parametrize("name", ["__class__", "0", "keys", "__len__"])
def test_a_field_never_names_what_belongs_to_python(name: str) -> None:
    for found in ["text", ["item"], 1, None]:
        assert value_at({"meta": found}, Field(("meta", name))) is None


@given(st.text("ab%_\n", max_size=8), st.text("ab%_\n", max_size=6))
@example("", "")
@example("", "%")
@example("a", "")
@example("ab", "%%b")
@example("aXb".lower(), "a_b")
def test_a_pattern_fits_what_the_same_pattern_of_re_fits(text: str, pattern: str) -> None:
    assert fits(text, pattern) == like_reference(text, pattern)


@pytest.mark.parametrize("mark", list(".*+?[](){}|^$\\#&~-"))
def test_marks_of_other_pattern_languages_mean_themselves(mark: str) -> None:
    assert fits(f"a{mark}b", f"a{mark}b")
    assert not fits("axb", f"a{mark}b")


@pytest.mark.parametrize("pattern", ["%a" * 20 + "b", "%" + "a_" * 30 + "b%", "%" * 9000 + "b", "a%" * 4000 + "b"])
def test_no_pattern_takes_more_than_some_steps_for_each_character(pattern: str) -> None:
    start = time.process_time()

    assert not fits("a" * 200_000, pattern)

    assert time.process_time() - start < 5  # some 0.1 s; with backtracking, more than a life


def test_lists_contain_values_but_have_no_order() -> None:
    document = {"meta": {"x": ["a", 1, None]}}

    assert [
        matches(parse_expression(f"meta.x {test}", FIELDS), document)
        for test in ("= 'a'", "= 1", "= true", "!= 'a'", "!= 'b'", "in ('b', 1)", "not in ('b')", ">= 'a'", "like 'a'")
    ] == [True, True, False, False, True, True, True, False, False]


def sorted_documents(documents: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    return sorted_by(documents, parse_sort(text, FIELDS), lambda document: document)


def test_types_are_sorted_in_a_fixed_order_and_missing_values_come_last_in_both_directions() -> None:
    order: list[Any] = [False, True, -1, 0.5, 2, 10, "", "B", "a", []]
    nothing: list[dict[str, Any]] = [{}, {"a": None}]
    shuffled = [*nothing, *({"a": value} for value in (*order[::2], *order[1::2]))]

    assert sorted_documents(shuffled, "a") == [*({"a": value} for value in order), *nothing]
    assert sorted_documents(shuffled, "-a") == [*({"a": value} for value in reversed(order)), *nothing]


def compared(one: dict[str, Any], other: dict[str, Any], keys: tuple[SortKey, ...]) -> int:
    """Compare two documents, key by key."""
    types = ["boolean", "number", "text"]
    for key in keys:
        left, right = (found_at(document, key.field.parts) for document in (one, other))
        if left is None or right is None:
            if (left is None) != (right is None):
                return 1 if left is None else -1
            continue
        ranks = [types.index(type_of(value)) if type_of(value) in types else 3 for value in (left, right)]
        less, more = (
            (left < right, left > right) if ranks[0] == ranks[1] < 3 else (ranks[0] < ranks[1], ranks[0] > ranks[1])
        )
        if less or more:
            return (-1 if less else 1) * (-1 if key.is_descending else 1)
    return 0


@given(st.lists(documents, max_size=8), st.lists(st.builds(SortKey, places, st.booleans()), max_size=3).map(tuple))
def test_documents_are_sorted_key_by_key_and_equal_ones_stay_in_order(
    found: list[dict[str, Any]], keys: tuple[SortKey, ...]
) -> None:
    def document_of(item: tuple[int, dict[str, Any]]) -> dict[str, Any]:
        return item[1]

    def compared_items(one: tuple[int, dict[str, Any]], other: tuple[int, dict[str, Any]]) -> int:
        return compared(one[1], other[1], keys)

    numbered = list(enumerate(found))

    expected = sorted(numbered, key=functools.cmp_to_key(compared_items))

    assert [number for number, _ in sorted_by(numbered, keys, document_of)] == [number for number, _ in expected]


def test_ten_thousand_documents_take_less_than_a_second() -> None:
    expression = parse_expression("(meta.map < .3 or meta.team = 'nlp') and not a like 'tmp%'", FIELDS)
    found = [{"a": f"name {number}", "meta": {"map": number / 10_000, "team": "vision"}} for number in range(10_000)]
    start = time.process_time()

    assert sum(matches(expression, document) for document in found) == 3_000

    assert time.process_time() - start < 1  # some 20 ms
