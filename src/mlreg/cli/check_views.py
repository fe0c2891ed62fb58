"""How the results of rules look: as rows, as JUnit and as Markdown."""

from __future__ import annotations

import html
from collections.abc import Iterator

from mlreg.cli.output import Column, Style, View, safe
from mlreg.cli.report_files import Forms, attribute, cell, markdown_table
from mlreg.registry.checking_data import DataCheck, told

_WORDS = ("", "RULE", "KIND", "FILES", "CHECKED", "FAILING", "WHY", "FIRST")


def checked(result: DataCheck) -> View:
    """The rules in their order; `-q` prints those that are broken and are of severity error."""
    columns = [Column(word, Style.COUNT if word in ("FILES", "CHECKED", "FAILING") else Style.TEXT) for word in _WORDS]
    rows = [
        (one.verdict, one.name, one.rule, one.files, one.checked, one.failing, one.why, first)
        for one, first in zip(result.rules, _firsts(result), strict=True)
    ]
    return View(columns, rows, [one.name for one in result.rules if one.verdict == "fail"])


def _firsts(result: DataCheck) -> Iterator[str]:
    for one in result.rules:
        first = next(iter(one.samples), None)
        line = f":{first.line}" if first and first.line else ""
        yield f"{first.file}{line}: {first.value}" if first else ""


def markdown(result: DataCheck) -> Iterator[str]:
    """Yield the lines of a page in Markdown."""
    yield "# Rules"
    yield ""
    yield f"{cell(result.ref)}: **{result.verdict}**"
    yield ""
    yield from markdown_table(_WORDS, [[*map(str, row)] for row in checked(result).rows])


def junit(result: DataCheck) -> Iterator[str]:
    """Yield the lines of a report as JUnit writes it: a case for each rule."""
    counts = f'tests="{len(result.rules)}" failures="{result.failed}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites {counts}><testsuite name="mlreg data check" {counts}>'
    for one in result.rules:
        yield f"<testcase classname={attribute(result.ref)} name={attribute(one.name)}>"
        if one.verdict == "fail":
            samples = "\n".join(safe(f"{sample.file}:{sample.line}: {sample.value}") for sample in one.samples)
            yield f"<failure message={attribute(told(one))}>{html.escape(samples)}</failure>"
        said = told(one) if one.why else f"{one.checked} checked"
        yield f"<system-out>{html.escape(safe(f'{one.verdict}: {said}'))}</system-out></testcase>"
    yield "</testsuite></testsuites>"


CHECK_REPORTS: Forms[DataCheck] = {"junit": junit, "markdown": markdown}
"""Forms of reports on rules, by the words that ask for them."""
