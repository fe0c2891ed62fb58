"""The filter language: one AST for each text, printed as a text that means the same."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.expression import (
    EXAMPLE,
    MAX_CHARS,
    MAX_DEPTH,
    MAX_NODES,
    MAX_SORT_KEYS,
    SORT_EXAMPLE,
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

FIELDS = ("labels", "meta", "metrics", "name", "params", "tags", "time")
X = Field(("meta", "x"))
NAME = Field(("name",))

READ: dict[str, Expression] = {
    "meta.x = 1": Compare(X, "=", 1),
    "meta.x != 1.5": Compare(X, "!=", 1.5),
    "meta.x < -2": Compare(X, "<", -2),
    "meta.x >= 0.001": Compare(X, ">=", 0.001),
    "meta.x = true": Compare(X, "=", value=True),
    "meta.x = 'it''s'": Compare(X, "=", "it's"),
    "meta.x = ''": Compare(X, "=", ""),
    "name like 'tmp%'": Like(NAME, "tmp%"),
    "name not ilike 'a_'": Like(NAME, "a_", ignores_case=True, is_negated=True),
    "meta.x in (1, 'a', false)": In(X, (1, "a", False)),
    "meta.x not in ('a')": In(X, ("a",), is_negated=True),
    "meta.x is null": IsNull(X),
    "meta.x is not null": IsNull(X, is_negated=True),
    "not meta.x = 1": Not(Compare(X, "=", 1)),
    "not not name is null": Not(Not(IsNull(NAME))),
    "name is null or meta.x = 1 and meta.x = 2": Or(
        (IsNull(NAME), And((Compare(X, "=", 1), Compare(X, "=", 2)))),
    ),
    "(name is null or meta.x = 1) and meta.x = 2": And(
        (Or((IsNull(NAME), Compare(X, "=", 1))), Compare(X, "=", 2)),
    ),
    "not (name is null and meta.x is null)": Not(And((IsNull(NAME), IsNull(X)))),
    "meta.`a b`.`x.y` is null": IsNull(Field(("meta", "a b", "x.y"))),
    "meta.`` is null": IsNull(Field(("meta", ""))),
    "meta.`tick``s` is null": IsNull(Field(("meta", "tick`s"))),
    "meta.f1-score.0.and is null": IsNull(Field(("meta", "f1-score", "0", "and"))),
    "meta.`größe` is null": IsNull(Field(("meta", "größe"))),
    "meta.x = '\x00\n'": Compare(X, "=", "\x00\n"),
}

READ_AND_RESPELT = {
    "meta.x=.9": "meta.x = 0.9",
    "meta.x = 5.": "meta.x = 5.0",
    "meta.x == 1e-3": "meta.x = 0.001",
    "meta.x<>1E3": "meta.x != 1000.0",
    "meta.x = -0.0": "meta.x = -0.0",
    "metadata.x = 1": "meta.x = 1",
    'tags.team = "a""b"': "tags.team = 'a\"b'",
    'meta."x.y" is null': "meta.`x.y` is null",
    "meta.`plain` is null": "meta.plain is null",
    "meta.x IS NOT NULL": "meta.x is not null",
    "meta.x In (TRUE,False) AND name LIKE 'a' OR NOT name ILIKE 'b'": (
        "meta.x in (true, false) and name like 'a' or not name ilike 'b'"
    ),
    "((meta.x = 1))": "meta.x = 1",
    "\t meta.x\n=\r1 ": "meta.x = 1",
    "meta.x='a'and name='b'": "meta.x = 'a' and name = 'b'",
    "(meta.x = 1 and meta.x = 2) and meta.x = 3": "(meta.x = 1 and meta.x = 2) and meta.x = 3",
    "(params.lr < 1e-3 or tags.team = \"a\") and not name like 'tmp%'": (
        "(params.lr < 0.001 or tags.team = 'a') and not name like 'tmp%'"
    ),
}

REFUSED = {
    "nothing": "",
    "spaces": "   ",
    "a field alone": "meta.x",
    "a field alone behind not": "not meta.x",
    "a field alone before and": "meta.x and name = 'a'",
    "a hostile field alone": "meta.`\x1b[31m`",
    "a long field alone": "meta." + "x" * 5_000,
    "a long word as a value": "meta.x = " + "x" * 5_000,
    "a value alone": "1",
    "a text alone": "'meta'",
    "true alone": "true",
    "a value on the left": "1 = meta.x",
    "a field on the right": "meta.x = name",
    "no value": "meta.x =",
    "two operators": "meta.x = = 1",
    "two values": "meta.x = 1 2",
    "two tests": "meta.x = 1 name = 'a'",
    "an open parenthesis": "(meta.x = 1",
    "a closing parenthesis": "meta.x = 1)",
    "empty parentheses": "()",
    "nothing behind and": "meta.x = 1 and",
    "nothing behind not": "not",
    "null as a value": "meta.x = null",
    "null in a list": "meta.x in (1, null)",
    "is a value": "meta.x is 1",
    "an empty list": "meta.x in ()",
    "a list without parentheses": "meta.x in 1",
    "a list that does not end": "meta.x in (1, 2",
    "a list with a comma at its end": "meta.x in (1,)",
    "like a number": "name like 5",
    "not before an operator": "meta.x not = 1",
    "nan": "meta.x = nan",
    "inf": "meta.x < inf",
    "minus inf": "meta.x < -inf",
    "too large": "meta.x = 1e999",
    "more than 64 bits": f"meta.x = {MAX_INTEGER + 1}",
    "many digits": "meta.x = " + "9" * 5000,
    "plus": "meta.x = +1",
    "hexadecimal": "meta.x = 0x10",
    "digits and letters": "meta.x = 1GB",
    "two points": "meta.x = 1.2.3",
    "underscores": "meta.x = 1_000",
    "a number that touches a word": "meta.x = 1and name = ''",
    "quoted words of the language": "name = 'a' 'and' name = 'b'",
    "a quoted parenthesis": "'(' name = 'a' ')'",
    "an exponent alone": "meta.x = 1e",
    "arithmetic": "meta.x = 1 + 1",
    "Arabic digits": "meta.x = ٣",
    "full width digits": "meta.x = \uff11",
    "superscript": "meta.x² = 1",
    "letters that look the same": "m\u0435ta.x = 1",
    "quotes that look the same": "meta.x = \u2018a\u2019",
    "a space that is none": "meta.x\u00a0= 1",
    "NUL": "meta.x = 1\x00",
    "half of a surrogate pair": "meta.x = '\ud800'",
    "half of a surrogate pair in a field": "meta.`\udfff` is null",
    "an open quote": "meta.x = 'a",
    "an open quote behind a doubled one": "meta.x = 'a''",
    "an open double quote": 'meta.x = "a',
    "an open backtick": "meta.`x = 1",
    "a backtick in front": "`meta`.x = 1",
    "a dot at the end": "meta. = 1",
    "a dot in front": ".meta = 1",
    "two dots": "meta..x = 1",
    "a field in another case": "Meta.x = 1",
    "an unknown field": "nmae = 'a'",
    "a part of Python": "__import__('os').system('true')",
    "a statement of SQL": "name = 'a'; drop table versions",
    "a comment of SQL": "name = 'a' -- and",
    "a union of SQL": "name = 'a' union select 1",
    "an order": "name = 'a' order by 1",
    "a function": "lower(name) = 'a'",
    "template marks": "name = {{7*7}}",
    "a parameter": "name = ?",
    "one megabyte": "meta.x = '" + "a" * 1_000_000 + "'",
    "one megabyte of quotes": "'" * 1_000_000,
    "depth 10,000": "(" * 4_990 + "meta.x = 1" + ")" * 4_990,
    "not, 2,000 times": "not " * 2_000 + "meta.x = 1",
    "parentheses that never end": "(" * MAX_CHARS,
    "many tests": " or ".join(["name=''"] * (MAX_NODES // 2 + 1)),
    "many values": f"meta.x in ({','.join('1' * MAX_NODES)})",
    "digits that end in a letter": "meta.x = " + "1" * (MAX_CHARS - 10) + "a",
    "quotes that do not end": "meta.x = '" + "''" * 4_990,
}

words = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,5}", fullmatch=True)
unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
places = st.builds(
    lambda root, rest: Field((root, *rest)), st.sampled_from(FIELDS), st.lists(words | unicode, max_size=3)
)
values = (
    st.booleans()
    | st.integers(-MAX_INTEGER - 1, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | unicode
)
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
tests: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Compare, places, operators, values),
    st.builds(Like, places, unicode, st.booleans(), st.booleans()),
    st.builds(In, places, st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(IsNull, places, st.booleans()),
)


def joined(below: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(below, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, below) | st.builds(And, several) | st.builds(Or, several)


expressions = st.recursive(tests, joined, max_leaves=8)
scraps = st.lists(
    st.sampled_from(
        ["meta", ".x", ".`a b`", '."q"', "name", " ", " and ", " or ", "not ", "(", ")", "=", "<>", ">=", "like",
         " in ", "is", " null", "'", '"', "`", "''", "'a'", "1", ".5", "-", "e3", "true", ",", "\x00", "٣", "\u017f",
         "--", ";", "%"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


def refuses(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_expression(text, FIELDS)
    assert caught.value.code == "bad_expression"
    return caught.value


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_an_expression_in_our_spelling_is_read_and_printed_unchanged(text: str, expected: Expression) -> None:
    found = parse_expression(text, FIELDS)

    assert repr(found) == repr(expected)  # the text tells 1 from 1.0 and from true, which compare equal
    assert str(found) == text


@pytest.mark.parametrize(("text", "ours"), READ_AND_RESPELT.items())
def test_an_expression_in_another_spelling_is_printed_in_ours(text: str, ours: str) -> None:
    assert str(parse_expression(text, FIELDS)) == ours
    assert parse_expression(ours, FIELDS) == parse_expression(text, FIELDS)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_expression_is_refused_at_once(text: str) -> None:
    start = time.process_time()

    refuses(text)

    assert time.process_time() - start < 1


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_short_printable_ascii_with_the_place_and_a_fix(text: str) -> None:
    error = refuses(text)

    shown = " ".join((error.message, error.why, *error.fix))
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) < 1000
    assert error.why.startswith("at ")
    assert error.fix


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("meta.x = 'a", 'at character 10, "\'a":'),
        ("meta.x = 1 2", "at character 12, '2':"),
        ("meta.x = 'a''", "at character 10, \"'a''\": this quotation mark is not closed"),
        ("name = 'a' or meta.", "at character 15, 'meta.': behind a dot stands a word"),
        ("meta.x = ", "at the end:"),
        ("name = 'a' and\n metr.x = 1", "at character 17, 'metr.x = 1':"),
    ],
)
def test_a_refusal_names_the_place(text: str, place: str) -> None:
    assert refuses(text).why.startswith(place)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("meta.x", "meta.x is not null"),
        ("meta.x and name = 'a'", "meta.x is not null"),
        ("meta.`a b` = null", "meta.`a b` is null"),
        ("nmae = 'a'", "use name"),
        ("metrcs.map > 1", "use metrics.map"),
        ("Meta.x > 1", "use meta.x"),
        ("accuracy > 1", "use meta.accuracy"),
        ("labels.team = vision", "write it in quotes: 'vision'"),
        (f"meta.x = {MAX_INTEGER + 1}", "write 9.223372036854776e+18"),
    ],
)
def test_a_refusal_says_what_may_be_meant(text: str, fix: str) -> None:
    assert refuses(text).fix == (fix,)


def test_what_may_be_meant_is_an_expression() -> None:
    assert parse_expression(refuses("meta.`a b`").fix[0], FIELDS) == IsNull(Field(("meta", "a b")), is_negated=True)


def test_the_examples_of_right_texts_are_right() -> None:
    assert str(parse_expression(EXAMPLE, FIELDS)) == EXAMPLE
    assert ",".join(map(str, parse_sort(SORT_EXAMPLE, FIELDS))) == SORT_EXAMPLE


def test_metadata_is_a_field_of_its_own_where_the_caller_has_it() -> None:
    assert parse_expression("metadata.x = 1", {"metadata", "meta"}) == Compare(Field(("metadata", "x")), "=", 1)
    with pytest.raises(UsageError):
        parse_expression("metadata.x = 1", {"name"})


def test_the_longest_the_deepest_and_the_largest_expression_are_read() -> None:
    deep = "(" * MAX_DEPTH + "meta.x = 1" + ")" * MAX_DEPTH
    wide = " or ".join(["name=''"] * (MAX_NODES // 2))

    assert len(str(parse_expression("name = ''".ljust(MAX_CHARS), FIELDS))) == 9
    assert parse_expression(deep, FIELDS) == Compare(X, "=", 1)
    assert str(parse_expression("not " * MAX_DEPTH + "meta.x = 1", FIELDS)).count("not") == MAX_DEPTH
    assert str(parse_expression(wide, FIELDS)).count("name") == MAX_NODES // 2


@pytest.mark.parametrize("text", ["(" * (MAX_DEPTH + 1) + "name=''" + ")" * (MAX_DEPTH + 1), "name = ''".ljust(10_001)])
def test_one_more_is_refused(text: str) -> None:
    refuses(text)


@pytest.mark.parametrize(
    "text", ["'; drop table x; --", "' or ''='", "\\", "%_%", "${HOME}", "{0}", "\x1b[31m", "1\x00"]
)
def test_text_in_quotes_is_only_text(text: str) -> None:
    doubled = text.replace("'", "''")

    assert parse_expression(f"name = '{doubled}'", FIELDS) == Compare(NAME, "=", text)


@given(expressions)
@example(Not(Or((IsNull(X), IsNull(X)))))
@example(Compare(X, "=", -0.0))
@example(Compare(Field(("meta", "null")), "=", "null"))
def test_a_printed_expression_reads_back_as_itself(expression: Expression) -> None:
    found = parse_expression(str(expression), FIELDS)

    assert found == expression
    assert repr(found) == repr(expression)


@given(scraps | st.text(max_size=60))
def test_any_text_is_refused_or_printed_as_one_that_reads_the_same(text: str) -> None:
    try:
        found = parse_expression(text, FIELDS)
    except UsageError:
        refuses(text)
        return
    assert repr(parse_expression(str(found), FIELDS)) == repr(found)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("name", [SortKey(NAME)]),
        ("-meta.x", [SortKey(X, is_descending=True)]),
        ("-meta.x,name", [SortKey(X, is_descending=True), SortKey(NAME)]),
        (" - metadata.x , name ", [SortKey(X, is_descending=True), SortKey(NAME)]),
        ("-meta.`a,b`", [SortKey(Field(("meta", "a,b")), is_descending=True)]),
    ],
)
def test_sort_keys_are_read_in_their_order(text: str, keys: list[SortKey]) -> None:
    assert list(parse_sort(text, FIELDS)) == keys


@pytest.mark.parametrize(
    "text",
    ["", "-", "name,", ",name", "name desc", "--name", "+name", "name;meta.x", "nmae", "-1", "meta.", "'name'", "and",
     "name = 'a'", "٣", "name\x00", "\ud800", ",".join(["name"] * (MAX_SORT_KEYS + 1)), "name," * 200_000]
)  # fmt: skip
def test_what_is_nothing_to_sort_by_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sort(text, FIELDS)
    assert caught.value.code == "bad_sort"
    assert caught.value.fix
    assert caught.value.why.startswith("at ")


def test_as_many_sort_keys_as_are_allowed_are_read() -> None:
    assert len(parse_sort(",".join(["name"] * MAX_SORT_KEYS), FIELDS)) == MAX_SORT_KEYS


@given(st.lists(st.builds(SortKey, places, st.booleans()), min_size=1, max_size=4).map(tuple))
def test_printed_sort_keys_read_back_as_themselves(keys: Any) -> None:
    assert parse_sort(",".join(map(str, keys)), FIELDS) == keys
