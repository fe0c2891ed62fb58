"""Which versions are read, and which are not: usage."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import views
from mlreg.cli.options import open_place, register
from mlreg.cli.output import Printer
from mlreg.registry import usage as uses


def usage(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="[REF]", help="An entry or a version; all if left out.")] = "",
    unused: Annotated[
        bool, typer.Option("--unused", help="List what no one read since then, the largest first.")
    ] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="90d, 12w, or a day; with --unused by default 90d.")
    ] = "",
) -> None:
    """Show how often versions were read, when last and how: what the repository knows of itself and from others.

    Examples:

      mlreg usage data/frames

      mlreg usage --unused --since 90d
    """
    registry, what = open_place(ref)
    found = uses.unused(registry, what, since) if unused else uses.usage(registry, what, since)
    out.show("usage", found, views.usage(found))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(app)(usage)
