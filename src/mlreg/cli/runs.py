"""Runs of experiments: run start, log, param, label, artifact, finish, exec, ls, show, adopt; exp ls, set-goal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from mlreg.cli import run_views
from mlreg.cli.metadata import read_inputs, read_metadata
from mlreg.cli.options import DespiteTaint, Inputs, Limit, Where, open_experiments, register
from mlreg.cli.output import Mode, Printer, note, warn
from mlreg.config import RUN, Config
from mlreg.errors import UsageError
from mlreg.registry import searching_runs
from mlreg.registry.run import Run
from mlreg.registry.run_results import Executed, Logged
from mlreg.registry.saying import read_lines, read_values, say_metrics

Experiment = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name, e.g. churn.")]
RunOption = Annotated[
    str,
    typer.Option("--run", metavar="RUN", envvar=RUN, help="Id of the run, or its beginning; by default $MLREG_RUN."),
]
Pairs = Annotated[list[str] | None, typer.Argument(metavar="K=V...", help="K may be a.b, V is JSON or text.")]
Name = Annotated[str, typer.Option("--name", metavar="TEXT", help="What the run is called, besides its id.")]
Group = Annotated[
    str, typer.Option("--group", metavar="TEXT", help="Of runs that belong together, e.g. of many seeds.")
]
Params = Annotated[list[str] | None, typer.Option("--param", metavar="K=V", help="A param; V is JSON or text.")]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="K=V", help="A label.")]
Description = Annotated[str, typer.Option("-m", "--message", metavar="TEXT", help="What the run is for.")]

PARAM, LABEL = "--param lr=0.1", "--label team=growth"
"""How they are typed."""

runs = typer.Typer(no_args_is_help=True, help="Runs of experiments: start, log to, end, run commands as, list.")
experiments = typer.Typer(no_args_is_help=True, help="Experiments: list them, and say which run is better.")


def _attached(run: str) -> Run:
    return open_experiments().attach(_named(run))


def _named(run: str) -> str:
    if not run:
        raise UsageError("no_run", "say which run", fix=("--run RUN", f"export {RUN}=$(mlreg run start EXPERIMENT)"))
    return run


@register(runs)
def start(
    out: Printer,
    experiment: Experiment,
    name: Name = "",
    group: Group = "",
    parent: Annotated[str, typer.Option("--parent", metavar="RUN", help="The run that this one is part of.")] = "",
    param: Params = None,
    label: Labels = None,
    inputs: Inputs = None,
    message: Description = "",
    despite_taint: DespiteTaint = "",
) -> None:
    """Start a run, and print its id. It stays open until `mlreg run finish`.

    Example:

      export MLREG_RUN=$(mlreg run start churn --param lr=0.1)
    """
    registry = open_experiments()
    # From training code the first run makes a repository; a command in the wrong directory should not.
    _ = registry.registry.repository
    run = registry.open_run(
        experiment,
        message,
        run_name=name,
        group=group,
        parent=parent,
        params=_read(param, PARAM),
        tags=_read(label, LABEL),
        inputs=read_inputs(inputs or ()),
        despite_taint=despite_taint,
    )
    result = registry.get_run(run.id)
    out.show("run", result, run_views.started(result))


def _read(pairs: Iterable[str] | None, example: str) -> dict[str, Any]:
    return read_metadata(pairs or (), (), example=example)


@register(runs)
def log(
    out: Printer,
    pairs: Annotated[list[str] | None, typer.Argument(metavar="K=V...", help="NAME=NUMBER.")] = None,
    step: Annotated[int | None, typer.Option("--step", metavar="N", help="By default one more than the last.")] = None,
    run: RunOption = "",
) -> None:
    """Log metrics of a run. Without K=V, from standard input: JSON lines like {"loss": 0.25, "step": 3}.

    A line that holds no metrics ends it, and is named by its number; what stands before it is logged.

    Example:

      mlreg run log loss=0.25 auc=0.91 --step 3
    """
    # The commonest form is answered in `fast.py`, before this is imported.
    points = [(read_values(pairs), step)] if pairs else read_lines(_typed())
    number = say_metrics(open_experiments().place, _named(run), points)
    _show(out, run, number)


def _typed() -> IO[bytes] | None:
    """Return standard input; None if it is closed."""
    return sys.stdin.buffer if sys.stdin else None


@register(runs)
def param(out: Printer, pairs: Pairs = None, run: RunOption = "") -> None:
    """Log params of a run. Each has one value: another one is refused."""
    _attached(run).log_params(_read(pairs, "mlreg run param lr=0.1"))
    _show(out, run)


@register(runs)
def label(out: Printer, pairs: Pairs = None, run: RunOption = "") -> None:
    """Label a run that is open; `mlreg label` does it with one that has ended."""
    _attached(run).set_tags(_read(pairs, "mlreg run label team=growth"))
    _show(out, run)


@register(runs)
def artifact(
    out: Printer,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a directory.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What it is called among the artifacts.")] = "",
    run: RunOption = "",
) -> None:
    """Log a file or a directory as it is now."""
    _attached(run).log_artifact(path, name)
    _show(out, run)


@register(runs)
def finish(
    out: Printer,
    status: Annotated[str, typer.Option("--status", metavar="S", help="finished, failed or killed.")] = "finished",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it failed.")] = "",
    run: RunOption = "",
) -> None:
    """End a run, and seal it: it becomes a version of its experiment."""
    result = open_experiments().end(_named(run), status, reason)
    warn(run_views.doubts(result))
    out.show("run", result, run_views.sealed(result))


@register(runs)
def resume(
    out: Printer, run: Annotated[str, typer.Argument(metavar="RUN", help="A ref, an id or its beginning.")]
) -> None:
    """Go on with a run that has ended or crashed, sealed or not, and print its id. It is open until `run finish`.

    Example:

      mlreg run log auc=0.91 --run $(mlreg run resume 0199ab3f)
    """
    result = open_experiments().reopen(run)
    warn(run_views.doubts(result))
    out.show("run", result, run_views.started(result))


@register(runs)
def adopt(
    out: Printer,
    run: Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Ids, or their beginnings.")] = None,
    crashed: Annotated[bool, typer.Option("--crashed", help="All runs whose processes are gone.")] = False,
) -> None:
    """Seal runs whose processes are gone, with everything that they had logged.

    Example:

      mlreg run adopt --crashed
    """
    result = open_experiments().adopt_all(run or (), crashed=crashed)
    out.show("run-ls", result, run_views.adopted(result))


@register(runs, "exec")
def execute_(
    out: Printer,
    experiment: Experiment,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND...", help="A program and its arguments.")
    ] = None,
    inputs: Inputs = None,
    output: Annotated[
        list[str] | None,
        typer.Option("--out", metavar="KIND/NAME=PATH", help="What it makes: registered if it succeeds."),
    ] = None,
    name: Name = "",
    group: Group = "",
    param: Params = None,
    label: Labels = None,
    message: Description = "",
    no_diff: Annotated[bool, typer.Option("--no-diff", help="Keep no diff of the code: it may hold secrets.")] = False,
    despite_taint: DespiteTaint = "",
) -> None:
    """Run a command as a run: with its code, environment, output, load, exit code, and what it makes.

    What the command prints goes on, signals go on to it, and its exit code is that of mlreg; 125 if it was not
    started. In the command, `mlreg run log`, and ExperimentRegistry for the same experiment, log to this run.
    What is kept, and what is not: docs/run-exec.md.

    Example:

      mlreg run exec churn --in data=data/train@latest --out model/churn=out/ -- python train.py --lr 0.1
    """
    from mlreg.registry.executing import Start, execute

    given = (read_inputs(inputs or ()), output or (), name, group, message, _read(param, PARAM), _read(label, LABEL))
    keeps_diff = Config().keeps_diff and not no_diff
    begun = Start(experiment, command or (), *given, keeps_diff=keeps_diff, despite_taint=despite_taint)
    result = execute(open_experiments(), begun, _streams(out), os.environ)
    _tell(out, result)
    raise typer.Exit(result.exit_code)


def _streams(out: Printer) -> tuple[Any, Any]:
    """Return where what a command prints goes on to; not between what is printed for programs."""
    buffers = (sys.stdout.buffer if out.mode is Mode.TEXT else sys.stderr.buffer, sys.stderr.buffer)
    # What was left in a buffer would fail again at the end, if who was reading has gone.
    output, errors = (getattr(buffer, "raw", buffer) for buffer in buffers)
    return output, errors


def _tell(out: Printer, result: Executed) -> None:
    """Say what became of a command. If no one listens any more, its exit code still is what it is."""
    if out.mode is not Mode.TEXT:
        out.show("run-exec", result, run_views.nothing(result.outputs or (result.ref,)))
        return
    with suppress(BrokenPipeError):
        note(run_views.executed(result))


@register(runs)
def ls(
    out: Printer,
    experiment: Annotated[str, typer.Argument(metavar="[EXPERIMENT]", help="By default all.")] = "",
    where: Where = "",
    sort: Annotated[str, typer.Option("--sort", metavar="KEYS", help="-metrics.auc,started; - is descending.")] = "",
    columns: Annotated[
        str, typer.Option("--columns", metavar="FIELDS", help="metrics.auc,params.lr; by default those that differ.")
    ] = "",
    limit: Limit = 0,
) -> None:
    """List runs, those that are open first, then the newest. Expressions: docs/expressions.md.

    Examples:

      mlreg run ls churn --where "metrics.auc > .9 and params.lr < 1e-3" --sort -metrics.auc

      mlreg run ls churn --columns metrics.auc,params.lr,labels.team
    """
    result = searching_runs.search(open_experiments().place, experiment, where, sort, limit)
    warn(run_views.unknown(result, columns))
    out.show("run-ls", result, run_views.listed(result, columns))


@register(runs)
def show(
    out: Printer,
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", envvar=RUN, help="A ref, an id or its beginning; by default $MLREG_RUN.")
    ] = "",
) -> None:
    """Show all that is known of a run, also while it is open."""
    result = open_experiments().get_run(_named(run))
    out.show("run", result, run_views.run(result))


@register(experiments, "ls")
def list_experiments(out: Printer) -> None:
    """List experiments."""
    result = open_experiments().list_experiments()
    out.show("exp-ls", result, run_views.experiments(result))


@register(experiments)
def set_goal(
    out: Printer,
    experiment: Experiment,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="Its last value counts.")],
    direction: Annotated[str, typer.Argument(metavar="min|max", help="Which value is better.")],
) -> None:
    """Say which of two runs is better: exp/NAME@best is the best one.

    Example:

      mlreg exp set-goal churn auc max
    """
    result = searching_runs.declare_goal(open_experiments().place, experiment, metric, direction)
    out.show("exp-goal", result, run_views.goal(result))


def _show(out: Printer, run: str, records: int = 1) -> None:
    out.show("run-log", Logged(run, records), run_views.nothing([run]))


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    tree.add_typer(runs, name="run")
    tree.add_typer(experiments, name="exp")
