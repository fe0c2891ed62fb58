"""Reports as files: JUnit for what runs tests, Markdown for what people read there."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from mlreg.cli.output import no_directory, safe, save
from mlreg.errors import UsageError

Result = TypeVar("Result")
Forms = Mapping[str, Callable[[Result], Iterator[str]]]
"""What yields the lines of a report, by the word that asks for the form."""

Reports = Annotated[
    list[str] | None, typer.Option("--report", metavar="FORM=FILE", help="junit=FILE or markdown=FILE.")
]


def read_reports(reports: Sequence[str] | None, forms: Forms[Result]) -> list[tuple[str, Path]]:
    """Return form and file of each report that is asked for.

    Raises:
        UsageError: `bad_report`; `bad_place`, its directory is not there.
    """
    return [_read(report, forms) for report in reports or ()]


def _read(report: str, forms: Forms[Result]) -> tuple[str, Path]:
    form, equals, path = report.partition("=")
    if form not in forms or not equals or not path:
        fix = tuple(f"--report {one}=FILE" for one in forms)
        raise UsageError("bad_report", f"{report!r:.80} is no report", fix=fix)
    if not Path(path).parent.is_dir():
        raise no_directory(Path(path))
    return form, Path(path)


def write_reports(
    result: Result,
    reports: Sequence[tuple[str, Path]],
    forms: Forms[Result],
    write: Callable[[str, Path], object] = save,
) -> None:
    """Write a result to files, each in its form."""
    for form, path in reports:
        write("".join(f"{line}\n" for line in forms[form](result)), path)


def markdown_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield f"| {' | '.join(map(cell, heading))} |"
    yield f"|{'---|' * len(heading)}"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"


_MARKS = {ord(mark): f"&#{ord(mark)};" for mark in r"\|`*_[]~"}
"""What Markdown would obey, and what stands for it."""


def cell(value: str) -> str:
    """Return text that is only text, in a cell too.

    >>> cell("a|b <i>")
    'a&#124;b &lt;i&gt;'
    """
    return html.escape(safe(value), quote=False).translate(_MARKS)


def attribute(value: str) -> str:
    """Return text as the value of an attribute in XML."""
    return f'"{html.escape(safe(value))}"'
