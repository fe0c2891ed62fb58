"""Versions in and out: add, get, cat, rm, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import output, views
from mlreg.cli.metadata import read_inputs, read_metadata
from mlreg.cli.options import (
    REF,
    Bump,
    Inputs,
    Message,
    Meta,
    MetaFile,
    Older,
    Tags,
    Version,
    open_registry,
    register,
    registry_of,
)
from mlreg.cli.output import Printer
from mlreg.config import Config
from mlreg.errors import UsageError
from mlreg.formats.names import Entry


def add(
    out: Printer,
    entry: Annotated[str, typer.Argument(metavar="KIND/NAME", help="model/NAME or data/NAME.")],
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="By default where storage_path says.")
    ] = None,
    version: Version = "",
    bump: Bump = "",
    meta: Meta = None,
    meta_file: MetaFile = None,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="A model or dataset card: Markdown with front matter.")
    ] = None,
    inputs: Inputs = None,
    tag: Tags = None,
    message: Message = "",
    older: Older = False,
) -> None:
    """Register files as a version of an entry.

    A directory stands for what is in it. The same files and metadata again are no new version.

    Examples:

      mlreg add model/detector weights.safetensors --version 1.0.0

      mlreg add model/detector out/ --bump minor --in data=data/frames@latest --meta metrics.map=0.93

      mlreg add data/frames frames/ --bump date --tag golden
    """
    config = Config()
    registry = registry_of(config)
    metadata = read_metadata(meta or (), meta_file or (), card)
    with out.progress(f"add {entry}") as report:
        result = registry.add(
            entry,
            paths or [_place_of(config, entry)],
            version=version,
            bump=bump,
            metadata=metadata,
            inputs=read_inputs(inputs or ()),
            message=message,
            tags=tag or (),
            may_be_older=older,
            report=report,
        )
    output.warn("; ".join(result.hints))
    out.show("add", result, views.added(result))


def _place_of(config: Config, entry: str) -> Path:
    named = Entry.parse(entry)
    place = config.directory_of(named)
    if place is None:
        raise UsageError(
            "no_path",
            f"say which files {named} has",
            why=f"registry.{named.kind}.storage_path is not set",
            fix=(f"mlreg add {named} PATH...", f"mlreg config set registry.{named.kind}.storage_path {named.kind}s/"),
        )
    return place


def copy(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF)],
    entry: Annotated[str, typer.Argument(metavar="[KIND/NAME]", help="By default the same entry.")] = "",
    version: Version = "",
    bump: Bump = "",
    tag: Tags = None,
    message: Message = "",
) -> None:
    """Register a version again under another name, with its files, metadata and inputs.

    Examples:

      mlreg copy model/detector@1.0.0 --version 1.0.1

      mlreg copy model/detector@production model/detector-eu --version 1.0.0
    """
    registry = open_registry()
    with out.progress(f"copy {ref}") as report:
        result = registry.copy(ref, entry, version=version, bump=bump, message=message, tags=tag or (), report=report)
    out.show("copy", result, views.added(result))


def get(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help=f"{REF}[:PATH]")],
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="By default named like the entry.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove files in DIR that are not part of it.")] = False,
) -> None:
    """Write the files of a version; what is right already is not touched, and what differs is replaced.

    Examples:

      mlreg get model/detector@production out/

      mlreg get model/detector@1.0.0:tokenizer out/
    """
    registry = open_registry()
    target = directory or _target_of(Config(), registry.rev_parse(ref).entry)
    with out.progress(f"get {ref}") as report:
        result = registry.get(ref, target, delete=delete, report=report)
    output.warn(result.deprecated and f"{result.ref} is deprecated: {result.deprecated}")
    out.show("get", result, views.got(result))


def _target_of(config: Config, entry: Entry) -> Path:
    return config.directory_of(entry) or Path(entry.name.rpartition("/")[2])


def cat(out: Printer, ref: Annotated[str, typer.Argument(metavar="REF:PATH", help=f"{REF}:PATH")]) -> None:
    """Print the bytes of one file of a version.

    Example:

      mlreg cat model/detector@production:config.json
    """
    registry = open_registry()
    if out.mode is output.Mode.TEXT:
        output.write_bytes(registry.cat(ref))
    else:
        out.show("cat", *views.content(registry.files(ref), registry.cat(ref)))


def rm(
    out: Printer,
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Versions: KIND/NAME@VERSION.")],
    message: Message = "",
) -> None:
    """Remove versions. Their bytes stay, and `mlreg restore` brings them back."""
    result = open_registry().remove(refs, message)
    out.show("rm", result, views.changed(result, "removed"))


def restore(
    out: Printer,
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Versions that were removed.")],
    message: Message = "",
) -> None:
    """Bring removed versions back."""
    result = open_registry().restore(refs, message)
    out.show("restore", result, views.changed(result, "restored"))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (add, copy, get, cat, rm, restore):
        register(app)(command)
