"""Whether all is as it was written: verify."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from mlreg.cli.options import Place, Sample, open_registry, register
from mlreg.cli.output import Column, Printer, View
from mlreg.cli.views import share_of
from mlreg.formats.amounts import count_of, size_of
from mlreg.registry import verifying
from mlreg.registry.results import Verified
from mlreg.registry.waiting import seconds_of


def verify(
    out: Printer,
    place: Place = "",
    sample: Sample = "100%",
    stored: Annotated[
        bool, typer.Option("--stored", help="Compare stored bytes with their sums, and compute no ids: faster.")
    ] = False,
    limit: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Read for so long, first what was not read for the longest.")
    ] = "",
    older: Annotated[
        str, typer.Option("--older", metavar="TIME", help="Read only what was not found whole for so long, e.g. 30d.")
    ] = "",
) -> None:
    """Prove that nothing is damaged: log, indexes, every block, every file of every version.

    Exit code 6 if something is; the versions that it hurts are listed. What was found whole is remembered: with --for
    and --older a check goes on where another one stopped. Without them all is read, whatever is remembered.

    Examples:

      mlreg verify

      mlreg verify origin --sample 5%

      mlreg verify --for 10m
    """
    registry = open_registry().elsewhere(place) if place else open_registry()
    share, seconds, age = share_of(sample), seconds_of(limit) if limit else math.inf, seconds_of(older or "0")
    with out.progress("verify") as report:
        result = verifying.verify(
            registry.repository, share, report, place=place, decodes=not stored, older=age, limit=seconds
        )
    out.show("verify", result, view(result))
    result.refuse_problems()


def view(result: Verified) -> View:
    """What was found."""
    hurt = sorted({ref for problem in result.problems for ref in problem.hurts})
    if result.is_clean:
        return View((), (), (), "; ".join(filter(None, (_looked(result), _left(result)))))
    rows = [(p.code, p.message, p.why, ",".join(p.hurts)) for p in result.problems]
    return View((Column("PROBLEM"), Column("WHAT"), Column("WHY"), Column("HURTS")), rows, hurt)


def _looked(result: Verified) -> str:
    read = f"{count_of(result.objects, 'object')} read" if result.decoded else "read as stored"
    return (
        f"clean: {count_of(result.transactions, 'transaction')}, {count_of(result.versions, 'version')}, "
        f"{count_of(result.packs, 'pack')}, {read} ({size_of(result.size)})"
    )


def _left(result: Verified) -> str:
    """What was not read now, and how long ago it was."""
    if result.complete:
        return ""
    if result.share < 1:
        return f"{result.share:.0%} of the blocks were read"
    never = f"{result.never} of them never found whole here" if result.never else ""
    oldest = f"the others since {result.oldest}" if never else f"all of them found whole since {result.oldest}"
    return ", ".join(filter(None, (f"{size_of(result.total)} in all", never, oldest if result.oldest else "")))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(app)(verify)
