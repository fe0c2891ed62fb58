"""The page's own reading of expressions is that of the command line: two parsers, one meaning."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.expression import (
    MAX_CHARS,
    MAX_NODES,
    And,
    Compare,
    Expression,
    Field,
    In,
    IsNull,
    Like,
    Not,
    Or,
)
from mlreg.registry.run_results import all_facts
from tests.unit.formats.test_expression import REFUSED, scraps
from tests.web.conftest import Visit
from tests.web.projects import METRICS, VALUES, Project
from tests.web.using import names

HOLDS = (
    *("metrics.auc > .9", "metrics.auc >= 0.9 and params.lr < 1e-1", "min.auc < 0.2", "max.auc = 0.95"),
    *("metrics.auc > 0.9 or metrics.auc < 0 and params.lr = 1", "(metrics.auc > .9 or metrics.auc<0) and params.lr=1"),
    *("not metrics.auc > 0", "not not metrics.auc > 0", "NOT (status = 'finished' OR status = 'failed')"),
    *("status = 'finished'", "status == 'failed'", "status != 'finished'", "status <> 'finished'"),
    *("status in ('failed', 'killed')", "status not in ('failed')", "status is null", "status is not null"),
    *("params.x = 1", "params.x = 1.0", "params.x = '1'", "params.x != 1", "params.x = true", "params.x != true"),
    *("params.x > true", "params.x = TRUE", "params.x in (1, 'adam', false)", "params.x not in (1, 'adam')"),
    *("params.x = 'adam'", "params.x like 'adam'", "params.x ilike 'ADAM%'", "params.x not like 'a%'"),
    *("params.x like 'a_b'", "params.x like 'a%b'", "params.x like '%'", "params.x like ''", "params.x like '_'"),
    *(
        "params.x like '%\U0001f600%'",
        "params.x like '__'",
        "params.x ilike '%SS%'",
        "params.x ilike '\u03c3\u03b1\u03c3'",
    ),
    *("params.x not ilike 'i%'", "params.x ilike 'i%'", "params.x like '%\n%'", "params.x like 'x_y'"),
    *("params.x = 'it''s'", 'params.x = "say ""x"""', "params.x = 'say \"x\"'", "params.x = '`tick`'"),
    *("params.x = 9007199254740992", "params.x = 9007199254740993", "params.x > 9007199254740992"),
    *("params.x = 9007199254740992.0", "params.x >= 9223372036854775807", "params.x = -9223372036854775808"),
    *("params.x = 1e300", "params.x < -9007199254740992", "params.x = 5e-324", "params.x = 0", "params.x < 0"),
    *("params.x = -0.0", "params.x = 'NaN'", "params.x = 'Infinity'", "params.x > 'a'", "params.x < '\ue000'"),
    *("params.x > '\ue000'", "params.x >= '\U0001f600'", "params.x = 2", "params.x != 2", "params.x in (2, 'b')"),
    *("params.x not in (2, 'b')", "params.x = 1152921504606846976", "params.x like '1%'", "params.x > 0"),
    *("params.x is null", "params.x is not null", "params.missing is null", "params.missing != 1"),
    *("not params.missing = 1", "params.x.name = 'adam'", "params.x.deep.er = 1", "params.x.deep is null"),
    *("params.`a b` = 1", 'params."a b" > 1', "params.`a b`in(1,2)", "params.constructor = true"),
    *("params.toString is null", "params.__proto__ = 1", "params.valueOf is not null", "params.hasOwnProperty = 1"),
    *("metrics.auc = 'NaN'", "metrics.auc like 'N%'", "metrics.auc < 'O'", "metrics.auc > 1e299", "metrics.auc < -1"),
    *("metrics.auc = 'Infinity'", "max.auc = 'NaN'", "min.auc > 0", "metrics.one = 7", "min.one = 7"),
    *("metrics.`val/loss` = 0.7", "min.`val/loss` = 0.5", 'max."val/loss" = 1', "metrics.val = 1"),
    *("tags.team = 'adam'", "labels.team = 'adam'", "tags.owner like 'a%'", "tags.team = 3", "tags.x is null"),
    *("attributes.status = 'failed'", "attributes.name like 'run 1%'", "attributes is null", "attributes.params.x = 1"),
    *("name like 'run _'", "name = 'open'", "name.x is null", "name > 'run 2'", "experiment = 'other'"),
    *("experiment in ('mixed')", "group = ''", "group = 'g1'", "group >= 'g2'", "parent = ''", "sealed = false"),
    *("sealed = true", "sealed != true", "author = ''", "author like 'Ann%'", "seconds >= 0", "seconds < 0"),
    *("started >= '2020'", "started < '2020'", "ended >= '2020'", "ended is not null", "id like '%-7%'", "id > '0'"),
    *("inputs is null", "inputs.data is null", "facts is null", "params is null", "metrics is not null"),
    *(
        "metrics.auc>.9",
        "metrics.auc>-1 and(status='finished')",
        " \tmetrics.auc\n>\r.9 ",
        "metrics.auc > 5.",
        "metrics.auc>.5e1",
    ),
    *(" or ".join(["name=''"] * (MAX_NODES // 2)), f"params.x in ({','.join('1' * (MAX_NODES - 1))})"),
    *("(" * 50 + "params.x = 1" + ")" * 50, "not " * 50 + "params.x = 1", "name = '" + "a" * (MAX_CHARS - 9) + "'"),
)
"""Expressions of both, and what only one might read."""
WRONG = (
    *REFUSED.values(),
    *("", " ", "metrics", "metrics.auc", "metrics.auc >", "metrics.auc > nan", "metrics.auc > inf", "> 1", "1 < 2"),
    *(
        "params.x = null",
        "params.x is 1",
        "params.x not = 1",
        "params.x not 1",
        "params.x not is null",
        "params.x like 1",
    ),
    *("params.x like true", "params.x in ()", "params.x in 1", "params.x in (1", "params.x in (1,)", "params.x = adam"),
    *("in = 1", "null = 1", "true = true", "and", "not", "like 'a'", "params.x = 1 params.x = 2", "params.x = 1 and"),
    *("params.-x = 1", "params.x = 1.2.3", "params.x = 1x", "params.x = 1e999", "params.x = 9223372036854775808"),
    *("params.x = -9223372036854775809", "params.x = 0x10", "params.x = 1_000", "params.x = +1", "params.x == = 1"),
    *(
        "ended > started",
        "metrics.auc>-1and status='a'",
        "ref = 'a'",
        "meta.x = 1",
        "Metrics.auc = 1",
        "max",
        "duration > 1",
        "params.x\u00a0= 1",
        "params.x = ٣",
    ),
    *("(" * 51 + "params.x = 1" + ")" * 51, "not " * 51 + "params.x = 1", "params.x = (1)", "(params.x) = 1", "()"),
    *("name = '" + "a" * (MAX_CHARS - 8) + "'", f"params.x in ({','.join('1' * MAX_NODES)})"),
)

# What a test may speak of: facts that some runs have, and others that none has.
places = st.sampled_from(
    [
        *(Field(("params", name)) for name in ("x", "lr", "a b", "constructor", "__proto__", "missing", "x`y")),
        *(Field((first, name)) for first in ("metrics", "min", "max") for name in ("auc", "one", "val/loss", "none")),
        *(Field(("params", "x", *rest)) for rest in (("name",), ("deep", "er"), ("deep",))),
        *(Field(("tags", name)) for name in ("team", "owner", "none")),
        *(Field(("labels", "team")), Field(("attributes", "status")), Field(("attributes",)), Field(("facts", "host"))),
        *(Field((name,)) for name in ("name", "status", "group", "experiment", "sealed", "author", "inputs", "params")),
    ]
)
scalars = [
    value
    for value in (*VALUES, *METRICS)
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
]
values = st.sampled_from(scalars) | st.one_of(
    st.booleans(),
    st.integers(-MAX_INTEGER - 1, MAX_INTEGER),
    st.integers(-2, 8),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
patterns = st.text(st.sampled_from("%_aAdDmMsSßİ\u03c3\U0001f600\n '\""), max_size=6)
tests: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Compare, places, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), values),
    st.builds(Like, places, patterns, st.booleans(), st.booleans()),
    st.builds(In, places, st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(IsNull, places, st.booleans()),
)


def joined(below: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(below, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, below) | st.builds(And, several) | st.builds(Or, several)


expressions = st.recursive(tests, joined, max_leaves=5).map(str)

READ = """texts => texts.map(text => {
  try {
    const test = parseFilter(text);
    return report.runs.filter(run => test(run.facts)).map(run => run.facts.get("name"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return error.message;
  }
})"""


@pytest.fixture(scope="module")
def reader(browser: Any, mixed: Project) -> Any:
    """Return a page that is only asked, and never changed."""
    page = browser.new_page()
    page.goto(mixed.file.as_uri())
    page.wait_for_selector("html[data-ready]")
    return page


def of_page(reader: Any, texts: list[str]) -> list[set[str] | None]:
    """Return the names of the runs that the page finds for each expression; None for one that it refuses."""
    return [set(found) if isinstance(found, list) else None for found in reader.evaluate(READ, texts)]


def of_registry(project: Project, text: str) -> set[str] | None:
    """Return the names of the runs that the registry finds; None if it refuses the expression."""
    try:
        return project.names(text) if text else None
    except UsageError:
        return None


@pytest.mark.parametrize("text", HOLDS, ids=lambda text: text[:60])
def test_a_filter_gives_the_same_runs_on_the_page_as_in_the_registry(reader: Any, mixed: Project, text: str) -> None:
    expected = mixed.names(text)

    assert of_page(reader, [text]) == [expected]


def test_the_table_tells_runs_apart(mixed: Project) -> None:
    sizes = [len(mixed.names(text)) for text in HOLDS]

    assert sum(0 < size < len(mixed.report.runs) for size in sizes) > len(HOLDS) / 2


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_what_the_registry_refuses_the_page_refuses(reader: Any, mixed: Project, text: str) -> None:
    assert of_registry(mixed, text) is None
    assert of_page(reader, [text]) == [None]


@settings(max_examples=25)
@given(st.lists(expressions, min_size=20, max_size=20))
def test_any_expression_gives_the_same_runs_on_the_page(reader: Any, mixed: Project, texts: list[str]) -> None:
    found = of_page(reader, texts)

    assert dict(zip(texts, found, strict=True)) == {text: of_registry(mixed, text) for text in texts}


@settings(max_examples=25)
@given(st.lists(scraps.map(lambda text: text.replace("meta", "params")), min_size=40, max_size=40))
def test_any_scraps_are_read_or_refused_by_both(reader: Any, mixed: Project, texts: list[str]) -> None:
    found = of_page(reader, texts)

    assert dict(zip(texts, found, strict=True)) == {text: of_registry(mixed, text) for text in texts}


@pytest.mark.parametrize("text", ["metrics.auc > .9", "params.x = 'adam'", "status != 'finished' and sealed = true"])
def test_the_table_shows_what_the_command_line_lists(visit: Visit, mixed: Project, text: str) -> None:
    page = visit(mixed.file)

    page.fill("#filter", text)

    assert set(names(page)) == mixed.names(text) != set()
    assert page.locator("#runs .problem").inner_text() == ""


def test_both_have_the_same_facts_of_each_run(reader: Any, mixed: Project) -> None:
    found = reader.evaluate("() => report.runs.map(run => [...run.facts.keys()])")

    assert list(map(set, found)) == [set(all_facts(run)) for run in mixed.report.runs]
