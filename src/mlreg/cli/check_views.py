"""How the results of rules look, as rows, as JUnit and as Markdown; and what two datasets have in common."""

from __future__ import annotations

import html
from collections.abc import Iterator

from mlreg.cli.output import Column, Style, View, safe
from mlreg.cli.report_files import Forms, attribute, cell, markdown_table
from mlreg.registry.checking_data import DataCheck, told
from mlreg.registry.overlapping import DataOverlap

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


def overlapped(result: DataOverlap) -> View:
    """The counts, then the samples; `-q` prints the files that are on both sides, of those that were asked for."""
    words = ("", "BOTH", "OF", "BYTES", "LEFT", "RIGHT", "VALUE")
    columns = [Column(word, Style.COUNT if word in ("BOTH", "OF") else Style.TEXT) for word in words]
    columns[3] = Column("BYTES", Style.SIZE)
    return View(columns, list(_overlap_rows(result)), [name for one in result.file_samples for name in one.left])


def _overlap_rows(result: DataOverlap) -> Iterator[tuple[str | int, ...]]:
    yield "files", result.files, result.files_left, result.size, "", "", ""
    yield "pieces", result.pieces, "", result.pieces_size, "", "", ""
    yield "rows", result.rows, result.rows_left, "", "", "", ""
    for file in result.file_samples:
        yield "file", "", "", file.size, " ".join(file.left), " ".join(file.right), ""
    for row in result.row_samples:
        yield "row", "", "", "", f"{row.left}:{row.left_line}", f"{row.right}:{row.right_line}", row.value
