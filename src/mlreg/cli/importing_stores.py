"""Bringing along versions of files that others keep: import-store dvc, tree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.options import DryRun, open_registry, register
from mlreg.cli.output import Column, Mode, Printer, Style, View, warn
from mlreg.registry import importing_stores
from mlreg.registry.importing_stores import ImportedStore

Kind = Annotated[str, typer.Option("--kind", metavar="KIND", help="All is model, or data; by default paths tell it.")]
COLUMNS = (
    Column("STATE"),
    Column("REF", Style.WORDS),
    Column("FILES", Style.COUNT),
    Column("SIZE", Style.SIZE),
    Column("TAGS", Style.LIST),
    Column("FROM"),
)

tree = typer.Typer(no_args_is_help=True, help="Bring along versions of models and data from where they were kept.")


@register(tree)
def dvc(
    out: Printer,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Of dvc, with .dvc in it.")] = Path(),
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Where its cache is, if not in .dvc/cache.")
    ] = None,
    kind: Kind = "",
    dry_run: DryRun = False,
) -> None:
    """Import what dvc tracks, with its history in git: each commit that changed an out is a version.

    The md5 of each file is checked. What is not in the cache is listed: `dvc fetch --all-commits` gets it. Importing
    again adds what is new.

    Examples:

      mlreg import-store dvc -n

      mlreg import-store dvc ../project --cache /srv/dvc-cache
    """
    _bring(out, importing_stores.dvc(directory, cache, kind), dry_run)


@register(tree, "tree")
def directories(
    out: Printer,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="With models, data, or both in it.")],
    kind: Kind = "",
    dry_run: DryRun = False,
) -> None:
    """Import models and data that are kept in directories: names say what is a version of what.

    NAME/v1, NAME/1.2.0 and NAME/2024-05-01 are versions of NAME, and so is a file NAME_v1.pt; a link to one of them
    is a tag. A directory in which nothing is named so is one version. Importing again adds what is new.

    Examples:

      mlreg import-store tree /srv/models -n

      mlreg import-store tree /srv/models --kind model
    """
    _bring(out, importing_stores.directories(directory, kind), dry_run)


def _bring(out: Printer, origin: importing_stores.Origin, dry_run: bool) -> None:
    with out.progress("import") as report:
        result = importing_stores.bring(open_registry(), origin, report, dry_run=dry_run)
    out.show("import-store", result, view(result))
    result.refuse_nothing()
    warn(result.left_out_in_words if out.mode is Mode.QUIET else "")


def view(result: ImportedStore) -> View:
    """The versions of the other place, each with what becomes of it, and what is left out."""
    new = "would be added" if result.dry_run else "added"
    rows: list[tuple[object, ...]] = [
        (new if one.added else "here", one.ref, one.files, one.size, ",".join(one.tags), one.key)
        for one in result.versions
    ]
    rows += [("left out", one.what, "", "", "", one.why) for one in result.left_out]
    return View(COLUMNS, rows, [one.ref for one in result.versions], "" if rows else "there is nothing to import")


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    app.add_typer(tree, name="import-store")
