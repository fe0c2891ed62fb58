"""Pages on runs and versions: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.options import Where, open_experiments, register
from mlreg.cli.output import Printer, View, save
from mlreg.formats.amounts import size_of
from mlreg.registry import reporting
from mlreg.registry.reporting import Asked, Report, Reported


def report(
    out: Printer,
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="[REF...]", help="Runs, exp/NAME, versions of models and datasets.")
    ] = None,
    path: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="What is written.")] = Path("report.html"),
    exp: Annotated[str, typer.Option("--exp", metavar="EXPERIMENT", help="Its runs.")] = "",
    top: Annotated[int, typer.Option("--top", min=0, metavar="N", help="Its best runs, by its goal.")] = 0,
    where: Where = "",
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What stands above it.")] = "",
) -> None:
    """Write one HTML file on runs and versions, which opens anywhere, without a network.

    A table with filter and sort, curves, params that differ, scatter, parallel coordinates, lineage, cards and notes.
    exp/NAME alone stands for all its runs, as --exp NAME does; exp/NAME@latest for the newest.

    Examples:

      mlreg report exp/churn -o churn.html

      mlreg report model/churn@production --exp churn --top 20 -o release.html
    """
    result = _write(path, reporting.gather(open_experiments().place, Asked(refs or (), exp, where, top, title)))
    out.show("report", result, View((), (), [result.path], f"wrote {path} ({size_of(result.size)})"))


def _write(path: Path, found: Report) -> Reported:
    from mlreg.web.report import page

    return reporting.reported(found, str(path), save(page(found), path))


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(tree)(report)
