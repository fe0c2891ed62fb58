"""What is said of versions and entries afterwards: meta, note, label, mv, deprecate, undeprecate, freeze, unfreeze."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import views
from mlreg.cli.metadata import read_metadata
from mlreg.cli.options import REF, Message, MetaFile, open_registry, register
from mlreg.cli.output import Printer
from mlreg.registry import annotating, noting, results

Ref = Annotated[str, typer.Argument(metavar="REF", help="KIND/NAME, for all its versions, or KIND/NAME@VERSION.")]
Pairs = Annotated[list[str] | None, typer.Argument(metavar="[K=V...]", help="K may be a.b, V is JSON or text.")]
VersionRef = Annotated[str, typer.Argument(metavar="REF", help=REF)]

app = typer.Typer(no_args_is_help=True, help="Correct metadata: set, unset; and see who did: log.")
notes = typer.Typer(no_args_is_help=True, help="Notes on entries, versions and runs: add, ls, rm.")


def _show(result: results.Annotated, verb: str, out: Printer) -> None:
    out.show("meta", result, views.annotated(result, verb))


@register(app, "set")
def set_(
    out: Printer,
    ref: VersionRef,
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="K=V...", help="K may be a.b, V is JSON or text.")
    ] = None,
    meta_file: MetaFile = None,
    message: Message = "",
) -> None:
    """Correct the metadata of a version. What it was registered with is kept, and `meta log` shows it.

    Example:

      mlreg meta set model/detector@1.0.0 metrics.map=0.91 -m 'measured on the clean split'
    """
    changes = read_metadata(pairs or (), meta_file or (), example="metrics.map=0.93")
    _show(annotating.correct(open_registry(), ref, changes, (), message), "corrected", out)


@register(app)
def unset(
    out: Printer,
    ref: VersionRef,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="a.b")],
    message: Message = "",
) -> None:
    """Take keys out of the metadata of a version."""
    _show(annotating.correct(open_registry(), ref, {}, keys, message), "corrected", out)


@register(app)
def log(out: Printer, ref: Ref) -> None:
    """Show what was said of a version or an entry, the last first: who, when, why, and what changed."""
    result = annotating.statements(open_registry(), ref)
    out.show("meta-log", result, views.statements(result))


def label(
    out: Printer,
    ref: Ref,
    pairs: Pairs = None,
    remove: Annotated[list[str] | None, typer.Option("--rm", metavar="KEY", help="Take a label away.")] = None,
    message: Message = "",
) -> None:
    """Label a version, or an entry with all its versions.

    Example:

      mlreg label model/detector team=vision
    """
    labels = read_metadata(pairs or (), (), example="team=vision")
    result = annotating.label(open_registry(), ref, labels, remove or (), message)
    _show(result, "labelled", out)


def mv(
    out: Printer,
    entry: Annotated[str, typer.Argument(metavar="KIND/NAME", help="An entry.")],
    name: Annotated[str, typer.Argument(metavar="KIND/NAME", help="What it is called from now on.")],
    message: Message = "",
) -> None:
    """Rename an entry. Its versions, tags and history stay as they are, and old refs go on to work.

    Example:

      mlreg mv model/detector model/vision/detector
    """
    result = annotating.rename(open_registry(), entry, name, message)
    out.show("mv", result, views.renamed(result))


def deprecate(out: Printer, ref: Ref, message: Message = "") -> None:
    """Say that something should not be used any more; -m says why, and `mlreg get` repeats it."""
    _show(annotating.deprecate(open_registry(), ref, message), "deprecated", out)


def undeprecate(out: Printer, ref: Ref, message: Message = "") -> None:
    """Take a deprecation back."""
    _show(annotating.undeprecate(open_registry(), ref, message), "undeprecated", out)


def freeze(out: Printer, ref: Ref, message: Message = "") -> None:
    """Keep a version, or all of an entry, from being removed."""
    _show(annotating.freeze(open_registry(), ref, message), "froze", out)


def unfreeze(out: Printer, ref: Ref, message: Message = "") -> None:
    """Let it be removed again."""
    _show(annotating.unfreeze(open_registry(), ref, message), "unfroze", out)


@register(notes, "add")
def add_note(
    out: Printer,
    ref: Ref,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Plain text, or Markdown.")],
) -> None:
    """Leave a note on an entry, a version or a sealed run. Notes travel with push and pull.

    Example:

      mlreg note add exp/churn@best 'the loss jumps at step 4000: see the learning rate'
    """
    result = noting.add(open_registry(), ref, text)
    out.show("note", result, views.noted(result))


@register(notes, "ls")
def list_notes(
    out: Printer, ref: Annotated[str, typer.Argument(metavar="[REF]", help="By default all notes.")] = ""
) -> None:
    """List notes, the oldest first; of an entry, those on its versions, too."""
    result = noting.notes(open_registry(), ref)
    out.show("note-ls", result, views.notes(result))


@register(notes, "rm")
def remove_note(
    out: Printer, ref: Ref, note: Annotated[str, typer.Argument(metavar="ID", help="Of the note, or its beginning.")]
) -> None:
    """Take a note away."""
    result = noting.remove(open_registry(), ref, note)
    out.show("note", result, views.noted(result))


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    tree.add_typer(app, name="meta")
    tree.add_typer(notes, name="note")
    for command in (label, mv, deprecate, undeprecate, freeze, unfreeze):
        register(tree)(command)
