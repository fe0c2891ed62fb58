"""Versions as documents that others read: export."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import output
from mlreg.cli.options import REF, DespiteTaint, open_registry, register
from mlreg.cli.output import Mode, Printer, View
from mlreg.formats.amounts import size_of
from mlreg.registry import exporting
from mlreg.registry.exporting import Exported


class Form(Enum):
    """What a version is written as."""

    CROISSANT = "croissant"
    CARD = "card"


def export(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF)],
    form: Annotated[Form, typer.Option("--as", help="What it is written as.")],
    path: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="By default it is printed.")] = None,
    despite_taint: DespiteTaint = "",
) -> None:
    """Write what a version is as a document that other tools read: of datasets Croissant, of all a card.

    Croissant is JSON-LD: files with SHA-256, columns of tables, license. Paths in it begin where it lies: put it beside
    the files that `mlreg get` writes. A card is Markdown with front matter.

    Examples:

      mlreg export data/frames@golden --as croissant frames/croissant.json

      mlreg export model/detector@production --as card
    """
    with out.progress(f"export {ref}") as report:
        result = _written(exporting.export(open_registry(), ref, form.value, report, despite_taint), path)
    output.warn("; ".join(result.hints))
    if path is None and out.mode is Mode.TEXT:
        output.write_text(result.document)
    else:
        out.show("export", result, View((), (), [result.ref], f"wrote {path} ({size_of(result.size)})"))


def _written(result: Exported, path: Path | None) -> Exported:
    if path is None:
        return result
    output.save(result.document, path)
    return result._replace(path=str(path))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(app)(export)
