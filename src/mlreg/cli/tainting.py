"""What is wrong with versions and with all that was made from them: taint, untaint."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import output, views
from mlreg.cli.options import REF, Message, open_registry, register
from mlreg.cli.output import Printer
from mlreg.registry import tainting

Source = Annotated[str, typer.Argument(metavar="REF", help=REF)]


def taint(
    out: Printer,
    ref: Source,
    reason: Annotated[str, typer.Option("-m", "--reason", metavar="TEXT", help="What is wrong with it.")] = "",
) -> None:
    """Say that something is wrong with a version: it is tainted, and everything that was made from it.

    `get`, `cat`, `export`, `tag`, `copy`, `add --tag` and `run start` refuse what is tainted with exit code 15, unless
    --despite-taint says why; `run exec` does, too, before it starts anything.

    Example:

      mlreg taint data/frames@2026.11.23 --reason 'patients of the test split are in it'
    """
    registry = open_registry()
    result = tainting.taint(registry, ref, reason)
    tags = tainting.tags_on_tainted(registry, result.ref)
    output.warn(f"what these tags point to is tainted: {', '.join(tags)}" if tags else "")
    out.show("meta", result, views.annotated(result, "tainted"))


def untaint(out: Printer, ref: Source, message: Message = "") -> None:
    """Take the taint of a version back; those of what it was made from stay."""
    registry = open_registry()
    result = tainting.untaint(registry, ref, message)
    others = tainting.other_sources(registry, ref)
    output.warn(f"{result.ref} is tainted still, by {', '.join(others)}" if others else "")
    out.show("meta", result, views.annotated(result, "untainted"))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (taint, untaint):
        register(app)(command)
