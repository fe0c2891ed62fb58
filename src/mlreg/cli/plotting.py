"""Pictures of runs: plot."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import charts
from mlreg.cli.options import Limit, Where, open_experiments, register
from mlreg.cli.output import Printer, View, save
from mlreg.errors import UsageError
from mlreg.registry.plotting import STEP, Chosen, Curve, Table, curves, metric_of, table


class Kind(Enum):
    """What a picture is."""

    LINE = "line"
    SCATTER = "scatter"
    HIST = "hist"
    PARALLEL = "parallel"


class X(Enum):
    """What lies below a curve."""

    STEP = "step"
    TIME = "time"


def plot(
    out: Printer,
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="[REF...]", help="Runs, open ones too; exp/NAME: all its runs.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--metric", metavar="NAME", help="A metric, by default that of the goal; of other kinds, facts."
        ),
    ] = None,
    kind: Annotated[Kind, typer.Option("--kind", help="What to draw.")] = Kind.LINE,
    exp: Annotated[str, typer.Option("--exp", metavar="EXPERIMENT", help="Its runs.")] = "",
    where: Where = "",
    limit: Limit = 0,
    x: Annotated[X, typer.Option("--x", help="What lies below a curve; time is seconds.")] = X.STEP,
    smooth: Annotated[
        float, typer.Option("--smooth", metavar="W", help="0 to 1: how much; points stay visible.")
    ] = 0.0,
    logy: Annotated[bool, typer.Option("--logy", help="A logarithmic scale.")] = False,
    path: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write FILE.svg or FILE.html.")] = None,
) -> None:
    """Draw runs: curves of a metric, or facts of many runs, here or into a file.

    exp/NAME alone stands for all its runs, as --exp NAME does; exp/NAME@latest for the newest.

    Examples:

      mlreg plot exp/churn -m loss --smooth 0.6 --logy

      mlreg plot exp/churn@latest exp/churn@latest~1

      mlreg plot --exp churn --kind scatter -m params.lr -m metrics.auc --out lr.svg
    """
    chosen = Chosen(refs or (), exp, where, limit)
    place = open_experiments().place
    if kind is Kind.LINE:
        name = metric_of(place, chosen, metric or ())
        found = curves(place, chosen, name, x.value, smooth)
        out.show("plot", found, _line_view(found, name, x.value, logy, path))
    else:
        facts = table(place, chosen, _several(metric, kind))
        out.show("plot-table", facts, _table_view(facts, kind, path))


def _several(facts: Sequence[str] | None, kind: Kind) -> Sequence[str]:
    needed = {Kind.HIST: (1, 1), Kind.SCATTER: (2, 2), Kind.PARALLEL: (2, 16)}[kind]
    if not needed[0] <= len(facts or ()) <= needed[1]:
        fix = " ".join(("-m params.lr", "-m metrics.auc")[: needed[0]])
        raise UsageError("no_metric", f"a picture of the kind {kind.value} shows {needed[0]} or more facts", fix=fix)
    return [fact if "." in fact else f"metrics.{fact}" for fact in facts or ()]


def _line_view(found: Sequence[Curve], metric: str, axis: str, is_log: bool, path: Path | None) -> View:
    refs = [curve.ref for curve in found]
    if path is None:
        return View((), (), refs, lines=list(charts.line_chart(found, metric, axis, is_log=is_log)))
    from mlreg.web import svg

    _write(path, svg.line_chart(found, metric, axis if axis == STEP else "seconds", is_log=is_log), metric)
    return View((), (), refs, f"drew {path}")


def _table_view(found: Table, kind: Kind, path: Path | None) -> View:
    if path is None:
        drawers = {Kind.SCATTER: charts.scatter, Kind.HIST: charts.histogram, Kind.PARALLEL: charts.parallel}
        return View((), (), found.refs, lines=list(drawers[kind](found)))
    if kind is not Kind.SCATTER:
        page = f"mlreg report {' '.join(_experiments(found))} -o {path.with_suffix('.html')}"
        fix = page if kind is Kind.PARALLEL else "leave --out out"
        raise UsageError("bad_picture", f"{kind.value} is drawn on the terminal only", fix=fix)
    from mlreg.web import svg

    _write(path, svg.scatter(found), " and ".join(found.keys))
    return View((), (), found.refs, f"drew {path}")


def _experiments(found: Table) -> list[str]:
    return sorted({ref.partition("@")[0] for ref in found.refs})


def _write(path: Path, picture: str, title: str) -> None:
    from mlreg.web import svg

    if path.suffix not in (".svg", ".html"):
        raise UsageError("bad_picture", f"{path} is neither .svg nor .html", fix=f"--out {path.with_suffix('.svg')}")
    save(svg.page(picture, title) if path.suffix == ".html" else picture, path)


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(tree)(plot)
