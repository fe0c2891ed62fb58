"""The command tree: every command is a function in the file of its subject."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from mlreg.cli.options import Repo, enter
from mlreg.cli.output import print_version

COMMANDS: dict[str, tuple[str, ...]] = {
    "verifying": ("verify",),
    "upkeep": ("init", "status", "repair", "repack", "gc", "du", "why", "config"),
    "migrating": ("migrate",),
    "content": ("add", "copy", "get", "cat", "rm", "restore"),
    "looking": ("ls", "show", "log", "lineage", "rev-parse"),
    "runs": ("run", "exp"),
    "plotting": ("plot",),
    "reporting": ("report",),
    "importing": ("import",),
    "importing_stores": ("import-store",),
    "data": ("data",),
    "exporting": ("export",),
    "comparing": ("diff", "compare", "blame"),
    "tagging": ("tag",),
    "stating": ("meta", "note", "label", "mv", "deprecate", "undeprecate", "freeze", "unfreeze"),
    "tainting": ("taint", "untaint"),
    "usage": ("usage",),
    "auditing": ("audit",),
    "health": ("health", "doctor"),
    "policies": ("policy", "hold", "release"),
    "waiting": ("wait",),
    "backups": ("backup",),
    "bundles": ("bundle",),
    "sharing": ("remote", "push", "pull", "fetch", "clone"),
    "explaining": ("help", "schema", "completion"),
}
"""Which file of this folder has which commands, in the order in which help lists them."""

HELP = """A registry for machine learning that needs no server.

Any directory is a registry: models and datasets with versions, tags and lineage, kept by content.

Examples:

  mlreg init

  mlreg add model/detector weights.safetensors --version 1.0.0 --tag production

  mlreg get model/detector@production out/
"""


EPILOG = "Topics: mlreg help refs, output, exit-codes, errors, config, environment, make."


def tree(word: str = "") -> typer.Typer:
    """Return the command tree, or only the part of it that `word` is in.

    Building a command takes half a millisecond, and a call needs one: the rest is left out if the
    first word of the command line says which.
    """
    app = typer.Typer(
        help=HELP,
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_start,
        invoke_without_command=True,
    )
    named = [file for file, words in COMMANDS.items() if word in words]
    for file in named or COMMANDS:
        importlib.import_module(f"mlreg.cli.{file}").add_commands(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


def _start(
    repo: Repo = None,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", help="Print the version of mlreg.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    enter(repo)
