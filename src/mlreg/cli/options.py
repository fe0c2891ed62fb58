"""Options of commands, those that all have and those that many share, and what they open."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlreg.cli.output import Mode, Printer, ask
from mlreg.config import Config
from mlreg.errors import ANSWER_IS_NO, RefusedError, UsageError
from mlreg.formats.ref import split_place
from mlreg.registry.registry import Registry
from mlreg.registry.stamps import check_stamp

if TYPE_CHECKING:
    from mlreg.registry.experiment import ExperimentRegistry

Repo = Annotated[Path | None, typer.Option("-C", "--repo", metavar="DIR", help="Work as if started in DIR.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print refs only, one a line.")]
Format = Annotated[
    str, typer.Option("--format", metavar="TEMPLATE", help="Print a line like '{ref} {time}', with keys of --json.")
]
Message = Annotated[str, typer.Option("-m", "--message", metavar="TEXT", help="Why; kept in the log.")]
Version = Annotated[str, typer.Option("--version", metavar="V", help="Name of the version, e.g. 1.0.0.")]
Bump = Annotated[
    str,
    typer.Option("--bump", metavar="PART", help="Make the next version: major, minor or patch; date for data."),
]
Older = Annotated[bool, typer.Option("--older", help="Allow a version that is older than the newest of its line.")]
Meta = Annotated[
    list[str] | None, typer.Option("--meta", metavar="K=V", help="Metadata; K may be a.b, V is JSON or text.")
]
MetaFile = Annotated[list[Path] | None, typer.Option("--meta-file", metavar="FILE", help="Metadata in YAML or JSON.")]
Inputs = Annotated[list[str] | None, typer.Option("--in", metavar="ROLE=REF", help="What it was made from.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="NAME", help="Tag it in the same step.")]
DespiteTaint = Annotated[
    str, typer.Option("--despite-taint", metavar="REASON", help="Why, though it is tainted; it is kept.")
]
ForceTags = Annotated[bool, typer.Option("--force-tags", help="Where both sides moved a tag, the sender's wins.")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if the answer is no.")]

Include = Annotated[
    list[str] | None, typer.Option("--include", metavar="PATTERN", help="Only files like '*.csv', train/; repeatable.")
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="No files like '*.tmp', raw/; repeatable.")
]
DryRun = Annotated[bool, typer.Option("-n", "--dry-run", help="Say what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask; off a terminal nothing is ever asked.")]
Place = Annotated[str, typer.Argument(metavar="[REMOTE|URL]", help="By default the repository here.")]
Sample = Annotated[str, typer.Option("--sample", metavar="SHARE", help="Read only so many blocks, e.g. 5%.")]
Stamp = Annotated[
    Path | None,
    typer.Option("--stamp", metavar="FILE", help="Write `REF ID` there if it differs; for make.", callback=check_stamp),
]
Where = Annotated[
    str, typer.Option("--where", metavar="EXPR", help="Only runs for which it holds: 'metrics.auc > .9'.")
]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="As it was then: a day, or 2026-11-23T12:00Z.")]
Limit = Annotated[int, typer.Option("-n", "--limit", min=0, metavar="N", help="At most so many; 0 for all.")]

REF = "[KIND/]NAME[@VERSION|@TAG]"

Command = Callable[..., None]
"""Takes a `Printer` and its own arguments."""

_COMMON = [
    inspect.Parameter(word, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
    for word, option, default in (
        ("context", typer.Context, inspect.Parameter.empty),
        ("repo", Repo, None),
        ("as_json", AsJson, False),
        ("quiet", Quiet, False),
        ("template", Format, ""),
    )
]
"""Options that every command takes."""


def register(app: typer.Typer, name: str | None = None) -> Callable[[Command], Command]:
    """Return what puts a command into a tree, with the options that all commands have.

    The command is called in the directory that `-C` names, with the printer that was asked for.
    """

    def put(command: Command) -> Command:
        app.command(name)(_with_common_options(command))
        return command

    return put


def _with_common_options(command: Command) -> Command:
    @functools.wraps(command)
    def run(
        *, context: typer.Context, repo: Path | None, as_json: bool, quiet: bool, template: str, **own: object
    ) -> None:
        enter(repo)
        words = context.command_path.partition(" ")[2]
        command(Printer.of(words, as_json=as_json, quiet=quiet, template=template), **own)

    _, *arguments = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in arguments] + _COMMON
    # What typer reads of a function.
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def answer(yes: bool) -> None:
    """End with the exit code of an answer: `ANSWER_IS_NO`, or go on if it is yes."""
    if not yes:
        raise typer.Exit(ANSWER_IS_NO)


def can_ask() -> bool:
    """Tell whether someone is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal before something is done that is worth a second look; off a terminal there is no question.

    Raises:
        RefusedError: `not_confirmed`.
    """
    if yes or not can_ask():
        return
    if ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise RefusedError("not_confirmed", "nothing was done", why="the answer was not y", fix="-y asks nothing")


class Output(Enum):
    """What a lineage is printed as."""

    TREE = "tree"
    DOT = "dot"
    MERMAID = "mermaid"
    JSON = "json"


def printer_of(form: Output | None, out: Printer) -> Printer:
    """Return what prints a result that also has forms of its own; `one_output` if two ways were asked for."""
    if form is None or (form is Output.JSON and out.mode is Mode.JSON):
        return out
    refuse_other(form.value, out)
    return Printer(Mode.JSON) if form is Output.JSON else out


def refuse_other(form: str | None, out: Printer) -> None:
    """Refuse a form of its own beside another way to print.

    Raises:
        UsageError: `one_output`.
    """
    if form and out.mode is not Mode.TEXT:
        word = f"--output {form}"
        raise UsageError("one_output", f"{word} and {out.mode.value} exclude each other", fix=f"leave {word} out")


def enter(directory: Path | None) -> None:
    """Work in a directory from now on; `no_directory` if it is none."""
    if directory is None:
        return
    if not directory.is_dir():
        raise UsageError("no_directory", f"{directory} is not a directory", fix="check what stands behind -C")
    os.chdir(directory)


def open_registry() -> Registry:
    """Return the registry of this directory; an error at first use if there is none."""
    return registry_of(Config())


def open_to_change(dry_run: bool) -> Registry:
    """Return the registry of this directory, or one in which changes are only tried."""
    return rehearsed(open_registry(), dry_run)


def rehearsed(registry: Registry, dry_run: bool) -> Registry:
    """Return a registry, or one in which changes are only tried."""
    return registry.rehearsal() if dry_run else registry


def open_place(text: str, moment: str = "") -> tuple[Registry, str]:
    """Return the registry that a text speaks of, here or elsewhere, and what of it."""
    place, rest = split_place(text)
    registry = open_registry()
    found = registry.elsewhere(place) if place else registry
    return found.at(moment) if moment else found, rest


def open_experiments() -> ExperimentRegistry:
    """Return the experiments of this directory; an error at first use if there is no repository."""
    from mlreg.registry.experiment import ExperimentRegistry  # most commands need none

    return ExperimentRegistry(**Config().get_experiment_registry_config())


def registry_of(config: Config) -> Registry:
    """Return the registry that settings speak of; they are read when they are needed."""
    return Registry(
        lambda: config.repository,
        lambda: config.author,
        config.cache,
        lambda: config.remotes,
        lambda: config.formats,
        config.schemas,
        tracking=lambda: config.tracking,
        rules=config.rules,
        client=config.client,
    )
