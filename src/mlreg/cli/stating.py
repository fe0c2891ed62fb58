"""What is said of versions and entries afterwards: meta, label, deprecate, undeprecate, freeze, unfreeze."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import output, views
from mlreg.cli.metadata import read_metadata
from mlreg.cli.options import REF, AsJson, Message, MetaFile, Quiet, Repo, mode_of, open_registry
from mlreg.registry import annotating, results

Ref = Annotated[str, typer.Argument(metavar="REF", help="KIND/NAME, for all its versions, or KIND/NAME@VERSION.")]
Pairs = Annotated[list[str] | None, typer.Argument(metavar="[K=V...]", help="K may be a.b, V is JSON or text.")]
VersionRef = Annotated[str, typer.Argument(metavar="REF", help=REF)]

app = typer.Typer(no_args_is_help=True, help="Correct metadata: set, unset; and see who did: log.")


def _show(result: results.Annotated, verb: str, *, as_json: bool, quiet: bool) -> None:
    output.show("meta", result, views.annotated(result, verb), mode_of(as_json=as_json, quiet=quiet))


@app.command("set")
def set_(
    ref: VersionRef,
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="K=V...", help="K may be a.b, V is JSON or text.")
    ] = None,
    meta_file: MetaFile = None,
    message: Message = "",
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Correct the metadata of a version. What it was registered with is kept, and `meta log` shows it.

    Example:

      mlreg meta set model/detector@1.0.0 metrics.map=0.91 -m 'measured on the clean split'
    """
    mode_of(as_json=as_json, quiet=quiet)
    changes = read_metadata(pairs or (), meta_file or ())
    _show(annotating.correct(open_registry(repo), ref, changes, (), message), "corrected", as_json=as_json, quiet=quiet)


@app.command()
def unset(
    ref: VersionRef,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="a.b")],
    message: Message = "",
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Take keys out of the metadata of a version."""
    mode_of(as_json=as_json, quiet=quiet)
    _show(annotating.correct(open_registry(repo), ref, {}, keys, message), "corrected", as_json=as_json, quiet=quiet)


@app.command()
def log(ref: Ref, repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show what was said of a version or an entry, the last first: who, when, why, and what changed."""
    result = annotating.statements(open_registry(repo), ref)
    output.show("meta-log", result, views.statements(result), mode_of(as_json=as_json, quiet=quiet))


def label(
    ref: Ref,
    pairs: Pairs = None,
    remove: Annotated[list[str] | None, typer.Option("--rm", metavar="KEY", help="Take a label away.")] = None,
    message: Message = "",
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Label a version, or an entry with all its versions.

    Example:

      mlreg label model/detector team=vision
    """
    mode_of(as_json=as_json, quiet=quiet)
    labels = read_metadata(pairs or (), ())
    result = annotating.label(open_registry(repo), ref, labels, remove or (), message)
    _show(result, "labelled", as_json=as_json, quiet=quiet)


def deprecate(
    ref: Ref, message: Message = "", repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Say that something should not be used any more; -m says why, and `mlreg get` repeats it."""
    _show(annotating.deprecate(open_registry(repo), ref, message), "deprecated", as_json=as_json, quiet=quiet)


def undeprecate(
    ref: Ref, message: Message = "", repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Take a deprecation back."""
    _show(annotating.undeprecate(open_registry(repo), ref, message), "undeprecated", as_json=as_json, quiet=quiet)


def freeze(ref: Ref, message: Message = "", repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Keep a version, or all of an entry, from being removed."""
    _show(annotating.freeze(open_registry(repo), ref, message), "froze", as_json=as_json, quiet=quiet)


def unfreeze(ref: Ref, message: Message = "", repo: Repo = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Let it be removed again."""
    _show(annotating.unfreeze(open_registry(repo), ref, message), "unfroze", as_json=as_json, quiet=quiet)


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    tree.add_typer(app, name="meta")
    for command in (label, deprecate, undeprecate, freeze, unfreeze):
        tree.command()(command)
