"""Waiting for what others make: wait."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.options import open_registry, register
from mlreg.cli.output import Printer, View
from mlreg.registry.results import Resolved


def wait(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help="A version; behind REMOTE:: or URL:: elsewhere.")],
    condition: Annotated[
        str, typer.Option("--for", metavar="WHAT", help="exists, or tag=NAME: until this tag points to it.")
    ] = "exists",
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="For how long: 90s, 10m, 2h. 0 looks once.")
    ] = "10m",
    interval: Annotated[str, typer.Option("--interval", metavar="TIME", help="Between two looks.")] = "2s",
) -> None:
    """Wait until a version is there, and print its canonical ref. When the time is up, the exit code is 124.

    A repository elsewhere need not be there yet, nor answer all the time.

    Examples:

      mlreg wait origin::model/detector@1.2.0 --timeout 2h

      mlreg wait model/detector@1.2.0 --for tag=production
    """
    from mlreg.registry import waiting

    target = waiting.wait(
        open_registry(),
        ref,
        tag=waiting.tag_in(condition),
        limit=waiting.seconds_of(timeout),
        interval=waiting.seconds_of(interval),
    )
    result = Resolved(str(target), str(target.commit_id))
    out.show("wait", result, View((), (), [result.ref], summary=result.ref))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(app)(wait)
