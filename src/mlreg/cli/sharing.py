"""Other repositories: remote, push, pull, fetch, clone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import views
from mlreg.cli.options import ForceTags, open_registry, register
from mlreg.cli.output import Printer
from mlreg.config import Config
from mlreg.registry.results import RemoteInfo
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


def push(out: Printer, remote: Remote = "", refs: Refs = None, force_tags: ForceTags = False) -> None:
    """Send versions and tags that a remote does not have.

    Examples:

      mlreg push

      mlreg push origin model/detector@1.0.0
    """
    with out.progress("push") as report:
        result = Sync(open_registry(), remote).push(refs or (), force_tags=force_tags, report=report)
    out.show("push", result, views.synced(result, "pushed to"))


def pull(out: Printer, remote: Remote = "", refs: Refs = None, force_tags: ForceTags = False) -> None:
    """Bring versions from a remote, and move tags to where they are there."""
    with out.progress("pull") as report:
        result = Sync(open_registry(), remote).pull(refs or (), force_tags=force_tags, report=report)
    out.show("pull", result, views.synced(result, "pulled from"))


def fetch(out: Printer, remote: Remote = "", refs: Refs = None) -> None:
    """Bring versions from a remote; the tags here stay where they are."""
    with out.progress("fetch") as report:
        result = Sync(open_registry(), remote).fetch(refs or (), report)
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
