"""Other repositories: remote, push, pull, fetch, clone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import output, views
from mlreg.cli.options import AsJson, ForceTags, Quiet, Repo, mode_of, open_config, open_registry
from mlreg.registry.results import RemoteInfo
from mlreg.registry.sync import Sync, forget

Remote = Annotated[str, typer.Argument(metavar="[REMOTE]", help="By default the only one, or origin.")]
Refs = Annotated[list[str] | None, typer.Argument(metavar="[REF...]", help="Entries or versions; all if left out.")]

remotes = typer.Typer(no_args_is_help=True, help="Name other repositories: add, ls, rm, forget.")


@remotes.command("add")
def add_remote(
    name: Annotated[str, typer.Argument(metavar="NAME", help="e.g. origin")],
    url: Annotated[str, typer.Argument(metavar="URL", help="A path or file:///path.")],
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Name another repository, to push to and pull from."""
    mode = mode_of(as_json=as_json, quiet=quiet)
    result = RemoteInfo(name, open_config(repo).set_remote(name, url))
    output.show("remote", result, views.remotes([result]), mode)


@remotes.command("ls")
def list_remotes(repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List the remotes."""
    result = [RemoteInfo(name, url) for name, url in open_config(repo).remotes.items()]
    output.show("remote-ls", result, views.remotes(result), mode_of(as_json=as_json, quiet=quiet))


@remotes.command("rm")
def remove_remote(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Forget a remote; the other repository stays as it is."""
    mode = mode_of(as_json=as_json, quiet=quiet)
    result = RemoteInfo(name, open_config(repo).remove_remote(name))
    output.show("remote", result, views.remotes([result]), mode)


@remotes.command("forget")
def forget_remote(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Accept a remote that was replaced or went back: forget how far its log went."""
    mode = mode_of(as_json=as_json, quiet=quiet)
    result = forget(open_registry(repo), name)
    output.show("remote", result, views.remotes([result]), mode)


def push(
    remote: Remote = "",
    refs: Refs = None,
    force_tags: ForceTags = False,
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Send versions and tags that a remote does not have.

    Examples:

      mlreg push

      mlreg push origin model/detector@1.0.0
    """
    mode = mode_of(as_json=as_json, quiet=quiet)
    with output.progress("push", mode) as report:
        result = Sync(open_registry(repo), remote).push(refs or (), force_tags=force_tags, report=report)
    output.show("push", result, views.synced(result, "pushed to"), mode)


def pull(
    remote: Remote = "",
    refs: Refs = None,
    force_tags: ForceTags = False,
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Bring versions from a remote, and move tags to where they are there."""
    mode = mode_of(as_json=as_json, quiet=quiet)
    with output.progress("pull", mode) as report:
        result = Sync(open_registry(repo), remote).pull(refs or (), force_tags=force_tags, report=report)
    output.show("pull", result, views.synced(result, "pulled from"), mode)


def fetch(
    remote: Remote = "", refs: Refs = None, repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Bring versions from a remote; the tags here stay where they are."""
    mode = mode_of(as_json=as_json, quiet=quiet)
    with output.progress("fetch", mode) as report:
        result = Sync(open_registry(repo), remote).fetch(refs or (), report)
    output.show("fetch", result, views.synced(result, "fetched from"), mode)


def clone(
    url: Annotated[str, typer.Argument(metavar="URL", help="A path or file:///path.")],
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="By default named like the URL.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a repository with everything that another one has. A clone that was cut goes on when it is repeated.

    Example:

      mlreg clone /srv/registry work
    """
    mode = mode_of(as_json=as_json, quiet=quiet)
    with output.progress("clone", mode) as report:
        result = open_config(None).clone(url, directory, report)
    output.show("clone", result, views.synced(result, "cloned from"), mode)


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (push, pull, fetch, clone):
        app.command()(command)
    app.add_typer(remotes, name="remote")
