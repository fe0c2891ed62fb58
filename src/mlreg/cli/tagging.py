"""Tags: `tag REF NAME`, `tag rm`, `tag ls`, `tag log`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mlreg.cli import views
from mlreg.cli.options import REF, DespiteTaint, Message, open_place, open_registry, register
from mlreg.cli.output import Printer


class _TagGroup(TyperGroup):
    """`tag REF NAME` is what people type: without the word of a sub-command, `set` is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - its class moved in typer 0.26
        words = [arg for arg in args if not arg.startswith("-")]
        asks_for_help = not words and bool(args)
        if words and args and args[0] not in self.commands and not asks_for_help:
            args = ["set", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


app = typer.Typer(
    cls=_TagGroup, no_args_is_help=True, help="Point a tag at a version: mlreg tag REF NAME; or rm, ls, log."
)


@register(app, "set")
def set_(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The tag, e.g. production.")],
    message: Message = "",
    expect: Annotated[
        str, typer.Option("--expect", metavar="REF", help="Only if it points there now, or `none`; else exit code 5.")
    ] = "",
    despite_taint: DespiteTaint = "",
) -> None:
    """Point a tag at a version; the same as `mlreg tag REF NAME`. Every move is kept in the log."""
    result = open_registry().tag(ref, name, message, expect, despite_taint=despite_taint)
    out.show("tag", result, views.tagged(result))


@register(app)
def rm(
    out: Printer, ref: Annotated[str, typer.Argument(metavar="REF", help="KIND/NAME@TAG")], message: Message = ""
) -> None:
    """Take a tag away; its history stays."""
    result = open_registry().untag(ref, message)
    out.show("tag", result, views.tagged(result))


@register(app)
def ls(
    out: Printer, entry: Annotated[str, typer.Argument(metavar="[KIND/NAME]", help="One entry; all if left out.")] = ""
) -> None:
    """List tags and what they point to."""
    registry, what = open_place(entry)
    result = registry.tags(what)
    out.show("tag-ls", result, views.tags(result))


@register(app)
def log(out: Printer, ref: Annotated[str, typer.Argument(metavar="REF", help="KIND/NAME@TAG")]) -> None:
    """Show where a tag has been, the newest first."""
    result = open_registry().log(ref)
    out.show("log", result, views.events(result))


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    tree.add_typer(app, name="tag")
