"""What datasets are like: data profile, data drift."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import data_views
from mlreg.cli.options import answer, open_registry, register
from mlreg.cli.output import Printer
from mlreg.cli.report_files import Reports, read_reports, write_reports
from mlreg.registry import drifting, profiling

tree = typer.Typer(no_args_is_help=True, help="What datasets are like, and what changed in them.")

DATA = "A version of a dataset, perhaps :PATH in it; or files: ./PATH."


@register(tree)
def profile(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF|PATH", help=DATA)],
    columns: Annotated[bool, typer.Option("--columns", help="A line for each column, with its values.")] = False,
) -> None:
    """Say what a dataset is like: tables, types and folders of files; or the columns of its tables.

    Tables are CSV, TSV, JSON lines and Parquet, by the names of the files; those with the same columns make one. A file
    is read once: what is known of it is kept in the cache. ~ stands before estimates, and --json has all that is known.

    Examples:

      mlreg data profile data/frames@2026.11.23

      mlreg data profile --columns ./train.csv
    """
    with out.progress(f"profile {ref}") as report:
        result = profiling.profile(open_registry(), ref, report)
    out.show("data-profile", result, data_views.columns(result) if columns else data_views.overview(result))


@register(tree)
def drift(
    out: Printer,
    before: Annotated[str, typer.Argument(metavar="REF|PATH", help=DATA)],
    after: Annotated[str, typer.Argument(metavar="REF|PATH", help="What is compared with it.")],
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="X", help="The PSI that fails; two fifths of it warn.")
    ] = 0.25,
    report: Reports = None,
) -> None:
    """Say what changed between two datasets: columns and types, values that are new, and how values are spread.

    The exit code is 3 if a table or a column is gone, a type is another one, or the population stability index (PSI)
    of a column is as large as the threshold. No p-value decides: with many rows, every difference is significant.

    Examples:

      mlreg data drift data/frames@2026.11.01 data/frames@latest

      mlreg data drift data/frames@latest ./today.parquet --threshold 0.2 --report junit=drift.xml
    """
    checked = read_reports(report, data_views.DRIFT_REPORTS)
    result = drifting.data_drift(open_registry(), before, after, threshold)
    write_reports(result, checked, data_views.DRIFT_REPORTS)
    out.show("data-drift", result, data_views.drifted(result))
    answer(result.passed)


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    app.add_typer(tree, name="data")
