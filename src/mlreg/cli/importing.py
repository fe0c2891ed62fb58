"""Bringing along what other tools keep: import mlflow, tensorboard, wandb, trackio, csv."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.options import DryRun, open_to_change, register
from mlreg.cli.output import Printer, View, warn
from mlreg.formats.amounts import count_of
from mlreg.registry import importing
from mlreg.registry.importing import Imported

Name = Annotated[str, typer.Option("--exp", metavar="EXPERIMENT", help="What the experiment is called here.")]

tree = typer.Typer(no_args_is_help=True, help="Bring along runs and models from other tools, without their libraries.")


@register(tree)
def mlflow(
    out: Printer,
    where: Annotated[str, typer.Argument(metavar="PATH|URI", help="mlruns, mlflow.db or sqlite:///PATH.")] = "mlruns",
    artifacts: Annotated[
        Path | None, typer.Option("--artifacts", metavar="DIR", help="Artifacts may lie below DIR, too; else not read.")
    ] = None,
    experiment: Annotated[str, typer.Option("--exp", metavar="NAME", help="Only this one, as mlflow calls it.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Import experiments, runs, artifacts, registered models, their versions and aliases: docs/importing.md.

    Importing again adds what is new, and changes nothing else.

    Examples:

      mlreg import mlflow mlruns

      mlreg import mlflow sqlite:///mlflow.db --artifacts /data/artifacts
    """
    _bring(out, importing.mlflow(where, artifacts, experiment), dry_run)


@register(tree)
def tensorboard(
    out: Printer,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="As tensorboard --logdir takes it.")],
    experiment: Name = "",
    dry_run: DryRun = False,
) -> None:
    """Import scalars and hparams from event files: every directory with such files is a run."""
    _bring(out, importing.tensorboard(directory, experiment), dry_run)


@register(tree)
def wandb(
    out: Printer,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory wandb, with its run-* in it.")] = Path(
        "wandb"
    ),
    experiment: Name = "",
    dry_run: DryRun = False,
) -> None:
    """Import runs from the directories that wandb writes, offline ones above all: config, history, summary, files."""
    _bring(out, importing.wandb(directory, experiment), dry_run)


@register(tree)
def trackio(
    out: Printer,
    place: Annotated[
        Path | None, typer.Argument(metavar="[DIR|FILE]", envvar="TRACKIO_DIR", help="Its directory, or one database.")
    ] = None,
    experiment: Name = "",
    dry_run: DryRun = False,
) -> None:
    """Import runs from the databases of trackio, one for each project."""
    default = Path("~/.cache/huggingface/trackio").expanduser()
    _bring(out, importing.trackio(place or default, experiment), dry_run)


@register(tree)
def csv(
    out: Printer,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A table whose first row names the columns.")],
    experiment: Name = "",
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="PATTERN", help="Columns that are metrics: 'val_*'.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Import a table: a row is a run, or with a column step or epoch a point of its curves.

    Columns may be called params.NAME, metrics.NAME and labels.NAME; others are params, or metrics with --metric.

    Example:

      mlreg import csv results.csv --exp churn --metric auc --metric 'loss*'
    """
    _bring(out, importing.csv(path, experiment, metric or ()), dry_run)


def _bring(out: Printer, importer: importing.Origin, dry_run: bool) -> None:
    result = importing.bring(open_to_change(dry_run), importer)._replace(dry_run=dry_run)
    warn("; ".join(result.warnings))
    out.show("import", result, view(result))


def view(result: Imported) -> View:
    """What was imported: counts, and whether anything was new."""
    counts = [
        count_of(number, word)
        for number, word in (
            (result.runs, "run"),
            (result.points, "point"),
            (result.artifacts, "artifact"),
            (result.versions, "version"),
        )
    ]
    verb = "would be added" if result.dry_run else "added"
    return View((), (), result.refs, f"{', '.join(counts)} in {result.tool}; {result.added} {verb}")


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    app.add_typer(tree, name="import")
