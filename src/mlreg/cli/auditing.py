"""Who did what, when, from where and why, and whether the log that says so is whole: audit."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from mlreg.cli import audit_views, output, views
from mlreg.cli.options import Limit, Place, open_place, open_registry, refuse_other, register
from mlreg.cli.output import Printer
from mlreg.registry import auditing, proving

app = typer.Typer(no_args_is_help=True, help="The audit trail: log, verify, head, forget.")


class Form(Enum):
    """What an audit trail is printed as."""

    JSONL = "jsonl"
    CSV = "csv"


@register(app)
def log(
    out: Printer,
    what: Annotated[
        str, typer.Argument(metavar="[REF]", help="A kind, a pattern, an entry, tag or version; a URL.")
    ] = "",
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="A part of the author, or of user@host.")] = "",
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="90d, 2h, a day or a time.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="A day, to its end, or a time.")] = "",
    actions: Annotated[
        list[str] | None, typer.Option("--action", metavar="WORD", help="add, tag, meta, gc, ...; repeatable.")
    ] = None,
    limit: Limit = 0,
    form: Annotated[Form | None, typer.Option("--output", help="A record a line, or for a spreadsheet.")] = None,
) -> None:
    """Show who did what, when, from where and why, the newest first: to names, by statements, and to stored bytes.

    The words are those of the commands: add, remove, restore, tag, untag, meta, label, mv, note, deprecate, freeze,
    taint, hold, gc, repack, and so on. What was read is in `mlreg usage`.

    Examples:

      mlreg audit log --by ann --since 30d

      mlreg audit log model/detector@production

      mlreg audit log 'model/*' --action tag --output csv >promotions.csv
    """
    refuse_other(form and form.value, out)
    registry, what = open_place(what)
    what = what and views.pattern_of(what)
    found = auditing.audit(registry, what, by=by, since=since, until=until, actions=actions or (), limit=limit)
    if form:
        output.write_lines(audit_views.LINES[form.value](found))
    else:
        audit_views.show(out, found)


@register(app)
def verify(
    out: Printer,
    place: Place = "",
    expected: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="NUMBER:HASH", help="What `audit head` printed then; repeatable."),
    ] = None,
) -> None:
    """Prove that the log is whole, and the one that was seen before: nothing cut, changed, doubled or brought back.

    Each transaction must follow the one before and fit the state that it found. Exit code 6 if one does not, or if the
    log is not the one that this user saw last. What the versions hold is for `mlreg verify`.

    Examples:

      mlreg audit verify

      mlreg audit verify origin

      mlreg audit verify --expect 42:8b7f67eb2204e2884c2bd2e57abe4468
    """
    result = proving.verify(open_registry(), place, expected or ())
    out.show("audit-verify", result, audit_views.proven(result))


@register(app)
def head(out: Printer, place: Place = "") -> None:
    """Print where the log ends, to be kept elsewhere: `audit verify --expect` takes it. Six words say the same.

    Example:

      mlreg audit head
    """
    result = proving.head(open_registry(), place)
    out.show("audit-head", result, audit_views.head(result))


@register(app)
def forget(
    out: Printer,
    remote: Annotated[str, typer.Argument(metavar="[REMOTE]", help="By default the repository here.")] = "",
) -> None:
    """Accept a log as it is, that went back or became another one: what was seen of it is forgotten.

    Example:

      mlreg audit forget
    """
    result = proving.forget(open_registry(), remote)
    out.show("audit-forget", result, audit_views.forgotten(result))


def add_commands(app_: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    app_.add_typer(app, name="audit")
