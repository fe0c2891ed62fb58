"""Other repositories: remote, push, pull, fetch, clone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import views
from mlreg.cli.options import DryRun, ExitCode, ForceTags, Stamp, answer, open_registry, register
from mlreg.cli.output import Printer
from mlreg.config import Config
from mlreg.errors import UsageError
from mlreg.registry.results import RemoteInfo, Synced
from mlreg.registry.stamps import write_stamp
from mlreg.registry.sync import Sync, forget

Remote = Annotated[str, typer.Argument(metavar="[REMOTE]", help="By default the only one, or origin.")]
Refs = Annotated[list[str] | None, typer.Argument(metavar="[REF...]", help="Entries or versions; all if left out.")]

remotes = typer.Typer(no_args_is_help=True, help="Name other repositories: add, ls, rm, forget.")


@register(remotes, "add")
def add_remote(
    out: Printer,
    name: Annotated[str, typer.Argument(metavar="NAME", help="e.g. origin")],
    url: Annotated[str, typer.Argument(metavar="URL", help="A path or file:///path.")],
) -> None:
    """Name another repository, to push to and pull from."""
    result = RemoteInfo(name, Config().set_remote(name, url))
    out.show("remote", result, views.remotes([result]))


@register(remotes, "ls")
def list_remotes(out: Printer) -> None:
    """List the remotes."""
    result = [RemoteInfo(name, url) for name, url in Config().remotes.items()]
    out.show("remote-ls", result, views.remotes(result))


@register(remotes, "rm")
def remove_remote(out: Printer, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Forget a remote; the other repository stays as it is."""
    result = RemoteInfo(name, Config().remove_remote(name))
    out.show("remote", result, views.remotes([result]))


@register(remotes, "forget")
def forget_remote(out: Printer, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Accept a remote that was replaced or went back: forget how far its log went."""
    result = forget(open_registry(), name)
    out.show("remote", result, views.remotes([result]))


def push(
    out: Printer,
    remote: Remote = "",
    refs: Refs = None,
    force_tags: ForceTags = False,
    stamp: Stamp = None,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
) -> None:
    """Send versions and tags that a remote does not have. With -n --exit-code, exit code 3 says that there are some.

    Examples:

      mlreg push

      mlreg push origin model/detector@1.0.0

      mlreg push -n --exit-code
    """
    _refuse_lone_exit_code(exit_code, dry_run)
    sync, chosen = Sync(open_registry(), remote), refs or ()
    if dry_run:
        result = sync.preview_push(chosen, force_tags=force_tags)
    else:
        result = _push(out, sync, chosen, force_tags)
        write_stamp(stamp, sync.there(chosen) if stamp else ())
    out.show("push", result, views.synced(result, "pushed to"))
    answer(not (exit_code and result.changed))


def _push(out: Printer, sync: Sync, refs: list[str] | tuple[()], force_tags: bool) -> Synced:
    with out.progress("push") as report:
        return sync.push(refs, force_tags=force_tags, report=report)


def _refuse_lone_exit_code(exit_code: bool, dry_run: bool) -> None:
    """Refuse `--exit-code` where something is done, and no question is asked.

    Raises:
        UsageError: `exit_code_without_dry_run`.
    """
    if exit_code and not dry_run:
        raise UsageError(
            "exit_code_without_dry_run",
            "--exit-code is for --dry-run",
            why="a push that was done is no question",
            fix="mlreg push -n --exit-code",
        )


def pull(
    out: Printer, remote: Remote = "", refs: Refs = None, force_tags: ForceTags = False, dry_run: DryRun = False
) -> None:
    """Bring versions from a remote, and move tags to where they are there."""
    sync = Sync(open_registry(), remote)
    if dry_run:
        result = sync.preview_pull(refs or (), force_tags=force_tags)
    else:
        with out.progress("pull") as report:
            result = sync.pull(refs or (), force_tags=force_tags, report=report)
    out.show("pull", result, views.synced(result, "pulled from"))


def fetch(out: Printer, remote: Remote = "", refs: Refs = None, dry_run: DryRun = False) -> None:
    """Bring versions from a remote; the tags here stay where they are."""
    sync = Sync(open_registry(), remote)
    if dry_run:
        result = sync.preview_fetch(refs or ())
    else:
        with out.progress("fetch") as report:
            result = sync.fetch(refs or (), report)
    out.show("fetch", result, views.synced(result, "fetched from"))


def clone(
    out: Printer,
    url: Annotated[str, typer.Argument(metavar="URL", help="A path or file:///path.")],
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="By default named like the URL.")] = None,
) -> None:
    """Make a repository with everything that another one has. A clone that was cut goes on when it is repeated.

    Example:

      mlreg clone /srv/registry work
    """
    with out.progress("clone") as report:
        result = Config().clone(url, directory, report)
    out.show("clone", result, views.synced(result, "cloned from"))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (push, pull, fetch, clone):
        register(app)(command)
    app.add_typer(remotes, name="remote")
