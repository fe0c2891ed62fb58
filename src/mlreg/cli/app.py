"""The command tree: every command is a function in the file of its subject."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import content, looking, sharing, tagging, upkeep

HELP = """A registry for machine learning that needs no server.

Any directory is a registry: models and datasets with versions, tags and lineage, kept by content.

Examples:

  mlreg init

  mlreg add model/detector weights.safetensors --version 1.0.0 --tag production

  mlreg get model/detector@production out/
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (upkeep, content, looking, sharing):
    part.add_commands(app)
app.add_typer(tagging.app, name="tag")
app.add_typer(sharing.remotes, name="remote")
app.add_typer(upkeep.settings, name="config")


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version of mlreg.", callback=upkeep.print_version, is_eager=True)
    ] = False,
) -> None:
    """A registry for machine learning that needs no server."""


start.__doc__ = HELP
