"""Looking: ls, show, log, lineage, rev-parse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mlreg.cli import output, views
from mlreg.cli.options import (
    REF,
    AsJson,
    At,
    Limit,
    Output,
    Quiet,
    Repo,
    mode_of,
    mode_of_form,
    open_place,
    open_registry,
)
from mlreg.registry import tracing


def ls(
    what: Annotated[
        str, typer.Argument(metavar="[REF]", help="A kind, a pattern, an entry, a version; REMOTE::, a URL.")
    ] = "",
    where: Annotated[str, typer.Option("--where", metavar="EXPR", help="Versions for which this holds.")] = "",
    words: Annotated[
        list[str] | None, typer.Option("--search", metavar="WORD", help="Versions that have all of these words.")
    ] = None,
    sort: Annotated[str, typer.Option("--sort", metavar="KEYS", help="Versions, e.g. by -meta.metrics.map,name.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="At most so many versions.")] = 0,
    at: At = "",
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List entries; the versions of an entry; or the files of a version, with their ids.

    Examples:

      mlreg ls

      mlreg ls data

      mlreg ls 'model/team/*'

      mlreg ls model/detector

      mlreg ls model/detector@production

      mlreg ls file:///srv/registry

      mlreg ls --where "meta.metrics.map > .9 and labels.team = 'vision'" --sort -meta.metrics.map
    """
    found: Sequence[object]
    registry, what = open_place(repo, what, at)
    if where or words or sort or limit:
        from mlreg.registry.searching import search

        chosen = search(registry, views.pattern_of(what), where, sort, words or (), limit)
        found, view = chosen, views.versions(chosen)
    else:
        found, view = views.listed(registry, what)
    output.show("ls", found, view, mode_of(as_json=as_json, quiet=quiet))


def show(
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF)],
    card: Annotated[bool, typer.Option("--card", help="Print it as a card: Markdown with front matter.")] = False,
    at: At = "",
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show what is known of a version: files, metadata, labels, inputs, tags, author."""
    registry, what = open_place(repo, ref, at)
    result = registry.show(what)
    view = views.card(result) if card else views.version(result)
    output.show("show", result, view, mode_of(as_json=as_json, quiet=quiet))


def log(
    ref: Annotated[str, typer.Argument(metavar="[REF]", help="An entry, a tag or a version; all if left out.")] = "",
    graph: Annotated[bool, typer.Option("--graph", help="Draw versions, and what they came from.")] = False,
    limit: Limit = 0,
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show what happened, the newest first: versions and tags, who, when and why.

    Examples:

      mlreg log -n 10

      mlreg log --graph model/detector
    """
    mode = mode_of(as_json=as_json, quiet=quiet)
    registry, what = open_place(repo, ref)
    if graph:
        drawn = tracing.log_graph(registry, what, limit)
        output.show("log-graph", drawn, views.log_graph(drawn), mode)
    else:
        events = registry.log(what)[: limit or None]
        output.show("log", events, views.events(events), mode)


def lineage(
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF)],
    down: Annotated[bool, typer.Option("--down", help="Show what was made from it instead.")] = False,
    depth: Annotated[int | None, typer.Option("--depth", min=0, metavar="N", help="At most so many steps.")] = None,
    form: Annotated[Output | None, typer.Option("--output", help="What to print.")] = None,
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show what a version was made from, and what that was made from; or the other way round.

    Examples:

      mlreg lineage model/detector@production

      mlreg lineage data/frames@2026.11.23 --down

      mlreg lineage model/detector --output dot | dot -Tsvg >lineage.svg
    """
    mode, registry = mode_of_form(form, as_json=as_json, quiet=quiet), open_registry(repo)
    direction: tracing.Direction = "down" if down else "up"
    if form in (Output.DOT, Output.MERMAID):
        drawn = tracing.graph(registry, ref, direction=direction, depth=depth)
        output.show("lineage-graph", drawn, views.lineage_graph(drawn, form), mode)
    else:
        listed = tracing.lineage(registry, ref, direction=direction, depth=depth)
        output.show("lineage", listed, views.lineage(listed), mode)


def rev_parse(
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help=REF)],
    repo: Repo = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Print the one canonical form of refs: KIND/NAME@VERSION."""
    registry = open_registry(repo)
    result = [{"ref": str(target), "id": str(target.commit_id)} for target in map(registry.rev_parse, refs)]
    output.show("rev-parse", result, views.parsed(result), mode_of(as_json=as_json, quiet=quiet))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (ls, show, log, lineage):
        app.command()(command)
    app.command("rev-parse")(rev_parse)
