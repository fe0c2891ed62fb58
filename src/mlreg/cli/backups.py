"""Backups, in a directory or as files: backup create, ls, verify, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import backup_views, verifying, views
from mlreg.cli.options import DryRun, Sample, open_registry, register
from mlreg.cli.output import Printer, warn
from mlreg.config import Config
from mlreg.registry import backups

Place = Annotated[str, typer.Argument(metavar="PLACE", help="A directory, or a file.")]
Number = Annotated[int, typer.Option("--at", min=0, metavar="N", help="Which one, by its number; 0 for the newest.")]
Bases = Annotated[
    list[str] | None, typer.Option("--base", metavar="PLACE", help="Backups that it was made since; repeatable.")
]

app = typer.Typer(no_args_is_help=True, help="Back up and restore: create, ls, verify, restore.")


@register(app)
def create(
    out: Printer,
    place: Annotated[str, typer.Argument(metavar="PLACE", help="A directory, new with / at its end; else a new file.")],
    since: Annotated[
        list[str] | None, typer.Option("--since", metavar="PLACE", help="Of a file: leave out what is in this backup.")
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", min=0, metavar="N", help="Of a directory: only the N newest stay; 0 for all.")
    ] = 0,
    dry_run: DryRun = False,
) -> None:
    """Back the repository up, as it is at one moment, while others write to it.

    A directory gets only what it lacks. Settings, open runs and counts of reads are kept, too.

    Examples:

      mlreg backup create /mnt/stick/registry/

      mlreg backup create monday.tar

      mlreg backup create tuesday.tar --since monday.tar
    """
    with out.progress("backup") as report:
        result = backups.create(open_registry(), place, since=since or (), keep=keep, dry_run=dry_run, report=report)
    out.show("backup", result, backup_views.backed_up(result))
    warn(backup_views.left_out(result))


@register(app, "ls")
def list_backups(out: Printer, place: Place) -> None:
    """List the backups in a place, the oldest first."""
    result = backups.ls(place)
    out.show("backup-ls", result, backup_views.listed(result))
    warn("; ".join(backups.damaged(place)))


@register(app)
def verify(
    out: Printer,
    place: Place,
    at: Number = 0,
    bases: Bases = None,
    sample: Sample = "100%",
) -> None:
    """Prove that a backup is whole: log, indexes, every block, every file of every version.

    Exit code 6 if it is not; the versions that this hurts are listed.
    """
    with out.progress("verify") as report:
        result = backups.verify(place, at, bases or (), views.share_of(sample), report)
    out.show("verify", result, verifying.view(result))
    result.refuse_problems()


@register(app)
def restore(
    out: Printer,
    place: Place,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New, or empty.")],
    at: Number = 0,
    bases: Bases = None,
    dry_run: DryRun = False,
) -> None:
    """Make a repository of a backup in a new directory. All of it is read and compared before it is put there.

    Examples:

      mlreg backup restore /mnt/stick/registry project

      mlreg backup restore tuesday.tar project --base monday.tar
    """
    with out.progress("restore") as report:
        result = backups.restore(
            place, directory, at, bases or (), dry_run=dry_run, report=report, client=Config().client()
        )
    out.show("backup-restore", result, backup_views.restored(result))


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    tree.add_typer(app, name="backup")
