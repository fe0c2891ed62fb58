"""What datasets are like: data profile, data drift, data check, data overlap."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import check_views, data_views
from mlreg.cli.data_pages import Page, write_check, write_drift, write_profile
from mlreg.cli.options import ExitCode, answer, open_registry, register
from mlreg.cli.output import Mode, Printer, warn
from mlreg.cli.report_files import Reports, read_reports, write_reports
from mlreg.registry import checking_data, drifting, overlapping, profiling
from mlreg.registry.documents import read_rules

tree = typer.Typer(no_args_is_help=True, help="What datasets are like, and what changed in them.")

DATA = "A version of a dataset, perhaps :PATH in it; or files: ./PATH."


def _warn_of_namesakes(out: Printer, read: Mapping[str, str]) -> None:
    """Warn whoever reads a version, and may have meant files; from what was asked for to what was read."""
    if out.mode is not Mode.TEXT:
        return
    for text in filter(profiling.has_namesake, read):
        what = "directory" if Path(text).is_dir() else "file"
        warn(f"{read[text]} was read; ./{text} means the {what}")


@register(tree)
def profile(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF|PATH", help=DATA)],
    columns: Annotated[bool, typer.Option("--columns", help="A line for each column, with its values.")] = False,
    path: Page = None,
) -> None:
    """Say what a dataset is like: tables, types and folders of files; or the columns of its tables.

    Tables are CSV, TSV, JSON lines and Parquet, by the names of the files; those with the same columns make one. A file
    is read once: what is known of it is kept in the cache. ~ stands before estimates, and --json has all that is known.

    Examples:

      mlreg data profile data/frames@2026.11.23

      mlreg data profile --columns ./train.csv

      mlreg data profile data/frames@latest -o profile.html
    """
    with out.progress(f"profile {ref}") as report:
        result = profiling.profile(open_registry(), ref, report)
    _warn_of_namesakes(out, {ref: result.ref})
    write_profile(result, path)
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
    path: Page = None,
) -> None:
    """Say what changed between two datasets: columns and types, values that are new, and how values are spread.

    The exit code is 3 if a table or a column is gone, a type is another one, or the population stability index (PSI)
    of a column is as large as the threshold. No p-value decides: with many rows, every difference is significant.

    Examples:

      mlreg data drift data/frames@2026.11.01 data/frames@latest

      mlreg data drift data/frames@latest ./today.parquet --threshold 0.2 --report junit=drift.xml

      mlreg data drift data/frames@latest~1 data/frames@latest -o drift.html
    """
    checked = read_reports(report, data_views.DRIFT_REPORTS)
    result = drifting.data_drift(open_registry(), before, after, threshold)
    write_reports(result, checked, data_views.DRIFT_REPORTS)
    _warn_of_namesakes(out, {before: result.before, after: result.after})
    write_drift(result, path)
    out.show("data-drift", result, data_views.drifted(result))
    answer(result.passed)


@register(tree)
def check(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF|PATH", help=DATA)],
    rules: Annotated[
        list[Path] | None,
        typer.Option("--rules", metavar="FILE", help="Rules in YAML; by default what registry.data.rules says."),
    ] = None,
    report: Reports = None,
    path: Page = None,
) -> None:
    """Say whether a dataset keeps the rules that were written for it.

    The exit code is 3 if a rule of severity error is broken. Rules of the settings are asked at `mlreg add`, too.

    Examples:

      mlreg data check data/frames@2026.11.23 --rules rules.yaml

      mlreg data check ./train.csv --rules rules.yaml --report junit=rules.xml -o rules.html
    """
    checked = read_reports(report, check_views.CHECK_REPORTS)
    result = checking_data.data_check(open_registry(), ref, read_rules(rules or ()))
    write_reports(result, checked, check_views.CHECK_REPORTS)
    _warn_of_namesakes(out, {ref: result.ref})
    write_check(result, path)
    out.show("data-check", result, check_views.checked(result))
    answer(result.passed)


@register(tree)
def overlap(
    out: Printer,
    left: Annotated[str, typer.Argument(metavar="REF|PATH", help=DATA)],
    right: Annotated[str, typer.Argument(metavar="REF|PATH", help="What should have nothing of it.")],
    samples: Annotated[
        int, typer.Option("--samples", min=0, metavar="N", help="Name up to N files and N rows, too.")
    ] = 0,
    exit_code: ExitCode = False,
) -> None:
    """Say what two datasets have in common: files, pieces of other files, and rows of tables.

    Rows are equal if the same columns have the same values, whatever the form of the table. With --exit-code, the
    exit code is 3 if anything is on both sides.

    Examples:

      mlreg data overlap data/frames@latest:train data/frames@latest:test --exit-code

      mlreg data overlap ./train.csv data/test@golden --samples 5
    """
    with out.progress(f"overlap of {left} and {right}"):
        result = overlapping.data_overlap(open_registry(), left, right, samples)
    _warn_of_namesakes(out, {left: result.left, right: result.right})
    out.show("data-overlap", result, check_views.overlapped(result))
    answer(not (exit_code and result.overlaps))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    app.add_typer(tree, name="data")
