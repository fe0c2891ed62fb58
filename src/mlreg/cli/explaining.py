"""What mlreg says of itself: help, schema, and scripts for shells."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.answers import Completion, HelpText, SchemaDocument, SchemaInfo
from mlreg.cli.options import register
from mlreg.cli.output import Column, Printer, View

SCRIPTS = Path(__file__).with_name("completions")


class Shell(Enum):
    """What command lines are typed into."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def help_(
    out: Printer,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC|COMMAND...]", help="By default all commands and topics.")
    ] = None,
) -> None:
    """Explain a topic, or a command as its --help does.

    The topics are refs, output, exit-codes, errors, config, environment and make.

    Examples:

      mlreg help refs

      mlreg help tag set
    """
    from mlreg.cli.topic import explain

    result = explain(words or ())
    out.show("help", result, _page(result))


def schema(
    out: Printer,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="e.g. ls or mlreg.ls/1; by default all are listed.")
    ] = "",
) -> None:
    """Print the JSON Schema of what a command prints with --json, or list the schemas.

    The schema is printed as it is. With --json it is the field `document` of a document with a schema of its own.

    Examples:

      mlreg schema

      mlreg schema ls
    """
    from mlreg.cli import schemas

    if name:
        result = schemas.schema_named(name)
        out.show("schema", result, _whole(result))
    else:
        found = schemas.listed()
        out.show("schema-list", found, _schemas(found))


def completion(
    out: Printer, shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Where it is for.")]
) -> None:
    """Print a script that completes commands, options, refs, remotes and keys at the tab key.

    Only the repository here is asked, never a remote.

    Examples:

      eval "$(mlreg completion bash)"

      eval "$(mlreg completion zsh)"

      mlreg completion fish | source
    """
    result = Completion(shell.value, (SCRIPTS / shell.value).read_text(encoding="utf-8"))
    out.show("completion", result, _script(result))


def _page(result: HelpText) -> View:
    return View((), (), [result.subject], lines=result.text.splitlines())


def _script(result: Completion) -> View:
    return View((), (), [result.shell], lines=result.script.splitlines())


def _whole(result: SchemaDocument) -> View:
    return View((), (), [result.name], lines=json.dumps(result.document, indent=2).splitlines())


def _schemas(items: list[SchemaInfo]) -> View:
    rows = [(item.name, ", ".join(item.commands)) for item in items]
    return View((Column("SCHEMA"), Column("PRINTED BY")), rows, [item.name for item in items])


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(app, "help")(help_)
    register(app)(schema)
    register(app)(completion)
