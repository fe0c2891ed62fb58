"""To the newest format: migrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.options import register
from mlreg.cli.output import Printer, View
from mlreg.formats.amounts import count_of, size_of
from mlreg.registry import migrating


def migrate(
    out: Printer,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="By default the current one.")] = Path(),
) -> None:
    """Write a repository of an earlier format anew in the newest one, and prove it before it takes the old one's place.

    Ids, versions, tags and history are the same. The old repository is kept beside it until you delete it. No one may
    write to it meanwhile.

    Example:

      mlreg migrate
    """
    with out.progress("migrate") as report:
        result = migrating.migrate(directory, report)
    out.show("migrate", result, View((), (), [result.url], _said(result)))


def _said(result: migrating.Migrated) -> str:
    if not result.kept:
        return f"nothing to do: {result.url} has format {result.before}, the newest"
    what = f"{count_of(result.transactions, 'transaction')}, {count_of(result.versions, 'version')}"
    proven = f"{what}, {count_of(result.packs, 'pack')} read ({size_of(result.size)})"
    return f"format {result.before} -> {result.after}: {proven}; the old repository is {result.kept}"


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(app)(migrate)
