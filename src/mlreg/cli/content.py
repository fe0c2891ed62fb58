"""Versions in and out: add, get, cat, rm, restore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import output, views
from mlreg.cli.metadata import read_inputs, read_metadata
from mlreg.cli.options import (
    REF,
    Bump,
    DespiteTaint,
    DryRun,
    Exclude,
    Include,
    Inputs,
    Message,
    Meta,
    MetaFile,
    Older,
    Stamp,
    Tags,
    Version,
    Yes,
    can_ask,
    confirm,
    open_registry,
    open_to_change,
    register,
    registry_of,
    rehearsed,
)
from mlreg.cli.output import Printer
from mlreg.config import Config
from mlreg.errors import UsageError
from mlreg.formats.amounts import count_of
from mlreg.formats.names import Entry
from mlreg.registry import results
from mlreg.registry.composing import Parts
from mlreg.registry.getting import Getting, Patterns
from mlreg.registry.reading import read
from mlreg.registry.stamps import keep_stamp_out, write_stamp


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
    include: Include = None,
    exclude: Exclude = None,
    taken: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="REF[:PATH]", help="Files of another version, under their paths."),
    ] = None,
    onto: Annotated[str, typer.Option("--onto", metavar="REF", help="A version whose files it has, too.")] = "",
    at: Annotated[str, typer.Option("--at", metavar="SUBDIR", help="Where in the version the files go.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Files of --onto go that are at --at, and are not put there again.")
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read files, too, that look as when they were added.")
    ] = False,
    despite_taint: DespiteTaint = "",
    stamp: Stamp = None,
    dry_run: DryRun = False,
) -> None:
    """Register files as a version of an entry.

    A directory stands for what is in it; what its file .mlregignore says is left out. The same files and
    metadata again are no new version. Of files of other versions no byte is read.

    Examples:

      mlreg add model/detector weights.safetensors --version 1.0.0

      mlreg add model/detector out/ --bump minor --in data=data/frames@latest --meta metrics.map=0.93

      mlreg add data/frames frames/ --bump date --tag golden

      mlreg add data/frames new/ --onto data/frames@latest --at monday --bump date

      mlreg add data/small --from data/frames@latest:train --include '*1.jpg' --version 2026.11.30
    """
    config = Config()
    registry = rehearsed(registry_of(config), dry_run)
    named = paths or () if taken else _named(paths or (), config, entry, stamp)
    with out.progress(f"add {entry}") as report:
        result = registry.add(
            entry,
            named,
            parts=Parts(include or (), exclude or (), taken or (), at, onto, replace),
            version=version,
            bump=bump,
            metadata=read_metadata(meta or (), meta_file or (), card),
            inputs=read_inputs(inputs or ()),
            message=message,
            tags=tag or (),
            may_be_older=older,
            reread=reread,
            despite_taint=despite_taint,
            report=report,
        )._replace(dry_run=dry_run)
    output.warn("; ".join(views.doubts(result)))
    write_stamp(None if dry_run else stamp, [results.Resolved(result.version.ref, result.version.id)])
    out.show("add", result, views.added(result))


def _named(paths: Sequence[str], config: Config, entry: str, stamp: Path | None) -> Sequence[str | Path]:
    named: Sequence[str | Path] = paths or [_place_of(config, entry)]
    keep_stamp_out(stamp, map(Path, named), "it would be in the next version, which would differ for it")
    return named


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
    despite_taint: DespiteTaint = "",
) -> None:
    """Register a version again under another name, with its files, metadata, inputs and labels.

    Examples:

      mlreg copy model/detector@1.0.0 --version 1.0.1

      mlreg copy model/detector@production model/detector-eu --version 1.0.0
    """
    registry = open_registry()
    with out.progress(f"copy {ref}") as report:
        result = registry.copy(
            ref,
            entry,
            version=version,
            bump=bump,
            message=message,
            tags=tag or (),
            despite_taint=despite_taint,
            report=report,
        )
    output.warn("; ".join(views.doubts(result)))
    out.show("copy", result, views.added(result))


def get(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help=f"{REF}[:PATH]")],
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="By default named like the entry.")] = None,
    include: Include = None,
    exclude: Exclude = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove files in DIR that are not part of it.")] = False,
    stamp: Stamp = None,
    despite_taint: DespiteTaint = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Write the files of a version; what is right already is not touched, and what differs is replaced.

    A file whose bytes are in no version would be lost: it is replaced only with -y, or when a terminal says y.

    Examples:

      mlreg get model/detector@production out/

      mlreg get model/detector@1.0.0:tokenizer out/

      mlreg get data/frames@latest out/ --include '*.csv' --include train/
    """
    patterns = Patterns(include or (), exclude or ())
    getting = _getting(ref, directory, stamp if delete else None, patterns, despite_taint)
    result = getting.preview(delete=delete, replace=yes) if dry_run else _get(out, ref, getting, delete, yes)
    output.warn(result.deprecated and f"{result.ref} is deprecated: {result.deprecated}")
    if not dry_run:
        write_stamp(stamp, [results.Resolved(result.ref, result.id)])
    out.show("get", result, views.got(result))


def _getting(
    ref: str, directory: Path | None, endangered: Path | None, patterns: Patterns, despite_taint: str
) -> Getting:
    registry = open_registry()
    target = directory or _target_of(Config(), registry.rev_parse(ref).called)
    keep_stamp_out(endangered, [target], "--delete removes it there")
    return Getting(registry, ref, target, patterns, despite_taint=despite_taint)


def _get(out: Printer, ref: str, getting: Getting, delete: bool, yes: bool) -> results.Got:
    if delete and (strays := getting.strays()):
        confirm(f"remove {count_of(len(strays), 'file')} that are not part of it?", yes=yes)
    if own := getting.own():
        confirm(f"replace {count_of(len(own), 'file')} that no version has?", yes=yes)
    with out.progress(f"get {ref}") as report:
        return getting.get(report, delete=delete, replace=yes or can_ask())


def _target_of(config: Config, entry: Entry) -> Path:
    return config.directory_of(entry) or Path(entry.name.rpartition("/")[2])


def cat(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF:PATH[#TENSOR]", help=f"{REF}:PATH, or a tensor in it")],
    span: Annotated[
        str, typer.Option("--range", metavar="A-B", help="Bytes A to B, from 0; A- is the rest, -N the last N.")
    ] = "",
    despite_taint: DespiteTaint = "",
) -> None:
    """Print the bytes of one file of a version, or of one tensor in it, which `mlreg show --tensors` lists.

    Of a tensor, and of a range, only those pieces are read that it lies in.

    Examples:

      mlreg cat model/detector@production:config.json

      mlreg cat 'model/detector@production:model.safetensors#head.weight' >head.bin

      mlreg cat data/frames@latest:table.csv --range 0-999
    """
    found = read(open_registry(), ref, span, despite_taint)
    if out.mode is output.Mode.TEXT:
        output.write_bytes(found.parts)
    else:
        out.show("cat", *views.content(found))


def rm(
    out: Printer,
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Versions: KIND/NAME@VERSION.")],
    message: Message = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Remove versions. Their bytes stay until `mlreg gc`, and `mlreg restore` brings them back.

    Examples:

      mlreg rm model/detector@1.0.0 -m 'trained on test data'

      mlreg rm -n model/detector@1.0.0 model/detector@1.0.1
    """
    registry = open_to_change(dry_run)
    if len(refs) > 1 and not dry_run:
        confirm(f"remove {len(refs)} versions?", yes=yes)
    result = registry.remove(refs, message)._replace(dry_run=dry_run)
    out.show("rm", result, views.changed(result, "removed"))


def restore(
    out: Printer,
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Versions that were removed.")],
    message: Message = "",
    dry_run: DryRun = False,
) -> None:
    """Bring removed versions back."""
    result = open_to_change(dry_run).restore(refs, message)._replace(dry_run=dry_run)
    out.show("restore", result, views.changed(result, "restored"))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (add, copy, get, cat, rm, restore):
        register(app)(command)
