"""The repository itself: init, status, verify, config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import output, views
from mlreg.cli.options import AsJson, Quiet, Repo, mode_of, open_config, open_registry
from mlreg.registry.places import init as make_repository
from mlreg.registry.sync import status as read_status

settings = typer.Typer(no_args_is_help=True, help="Read and write settings: get, set, list.")


def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="By default the current one.")] = Path(),
    shared: Annotated[bool, typer.Option("--shared", help="Make DIR itself the repository, to push to.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make an empty repository. One that is there already stays as it is.

    Examples:

      mlreg init

      mlreg init --shared /srv/registry
    """
    mode = mode_of(as_json=as_json, quiet=quiet)
    path, changed = make_repository(directory, shared=shared)
    result = {"path": str(path), "changed": changed}
    output.show("init", result, views.initialised(path, changed=changed), mode)


def status(repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show where the repository stands, and what is not pushed, as of the last contact with each remote."""
    result = read_status(open_registry(repo))
    output.show("status", result, views.status(result), mode_of(as_json=as_json, quiet=quiet))


def verify(
    place: Annotated[str, typer.Argument(metavar="[REMOTE|URL]", help="By default the repository here.")] = "",
    sample: Annotated[
        str, typer.Option("--sample", metavar="SHARE", help="Read only so many blocks, e.g. 5%.")
    ] = "100%",
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Prove that nothing is damaged: log, indexes, every block, every file of every version.

    Exit code 6 if something is; the versions that it hurts are listed.

    Examples:

      mlreg verify

      mlreg verify origin --sample 5%
    """
    mode = mode_of(as_json=as_json, quiet=quiet)
    with output.progress("verify", mode) as report:
        result = open_registry(repo).verify(place, views.share_of(sample), report)
    output.show("verify", result, views.verified(result), mode)
    result.refuse_problems()


@settings.command("get")
def get_setting(
    key: Annotated[str, typer.Argument(metavar="KEY")],
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Print the value of a setting."""
    result = open_config(repo).get(key)._asdict()
    view = output.View((), (), [result["value"]], result["value"])
    output.show("config", result, view, mode_of(as_json=as_json, quiet=quiet))


@settings.command("set")
def set_setting(
    key: Annotated[str, typer.Argument(metavar="KEY")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Empty to take it away.")],
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Set a value for this repository."""
    mode = mode_of(as_json=as_json, quiet=quiet)
    result = open_config(repo).set(key, value)._asdict()
    output.show("config", result, views.settings([result]), mode)


@settings.command("list")
def list_settings(repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List all settings, and where each is set."""
    result = [setting._asdict() for setting in open_config(repo).listed()]
    output.show("config-list", result, views.settings(result), mode_of(as_json=as_json, quiet=quiet))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (init, status, verify):
        app.command()(command)
    app.add_typer(settings, name="config")
