"""Looking: ls, show, log, lineage, rev-parse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mlreg.cli import cleaning_views, output, views
from mlreg.cli.options import REF, At, Limit, Output, Stamp, open_place, open_registry, printer_of, register
from mlreg.cli.output import Printer, View
from mlreg.errors import UsageError
from mlreg.registry import tracing
from mlreg.registry.registry import Registry
from mlreg.registry.results import Resolved
from mlreg.registry.stamps import write_stamp


def ls(
    out: Printer,
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
    removed: Annotated[
        bool, typer.Option("--removed", help="Versions that were removed, and what brings them back.")
    ] = False,
) -> None:
    """List entries; the versions of an entry; or the files of a version, with their ids.

    Examples:

      mlreg ls

      mlreg ls data

      mlreg ls 'model/team/*'

      mlreg ls model/detector

      mlreg ls model/detector@production

      mlreg ls --removed model/detector

      mlreg ls file:///srv/registry

      mlreg ls --where "meta.metrics.map > .9 and labels.team = 'vision'" --sort -meta.metrics.map
    """
    registry, what = open_place(what, at)
    if removed:
        _refuse_filters(where, words, sort, limit)
        return _list_removed(out, registry, what)
    found, view = _found(registry, what, where, words, sort, limit)
    return out.show("ls", found, view)


def _found(
    registry: Registry, what: str, where: str, words: Sequence[str] | None, sort: str, limit: int
) -> tuple[Sequence[object], View]:
    if not (where or words or sort or limit):
        return views.listed(registry, what)
    from mlreg.registry.searching import search

    chosen = search(registry, views.pattern_of(what), where, sort, words or (), limit)
    return chosen, views.versions(chosen, sort)


def _refuse_filters(*asked: object) -> None:
    """Refuse to search in what was removed.

    Raises:
        UsageError: `removed_alone`.
    """
    if any(asked):
        why = "they look into versions that are there"
        fix = "mlreg ls --removed [ENTRY|PATTERN]"
        raise UsageError("removed_alone", "--removed takes no --where, --search, --sort and --limit", why=why, fix=fix)


def _list_removed(out: Printer, registry: Registry, what: str) -> None:
    from mlreg.registry.removed import removed

    gone = removed(registry, views.pattern_of(what))
    out.show("ls-removed", gone, cleaning_views.removed(gone))


def show(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF)],
    card: Annotated[bool, typer.Option("--card", help="Print it as a card: Markdown with front matter.")] = False,
    tensors: Annotated[bool, typer.Option("--tensors", help="List the tensors in its files instead.")] = False,
    at: At = "",
) -> None:
    """Show what is known of a version: files, metadata, labels, inputs, tags, author.

    Tensors are found in safetensors, GGUF, ONNX, npy, and uncompressed archives of numpy.savez and torch.save.

    Examples:

      mlreg show model/detector@production

      mlreg show --tensors model/detector@production:model.safetensors
    """
    registry, what = open_place(ref, at)
    if tensors:
        listed = registry.tensors(what)
        out.show("show-tensors", listed, views.tensors(listed))
    elif card and out.mode is output.Mode.TEXT:
        output.write_text(views.card_of(registry.show(what)))
    else:
        result = registry.show(what)
        out.show("show", result, views.version(result))


def log(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="[REF]", help="An entry, a tag or a version; all if left out.")] = "",
    graph: Annotated[bool, typer.Option("--graph", help="Draw versions, and what they came from.")] = False,
    limit: Limit = 0,
) -> None:
    """Show what happened, the newest first: versions and tags, who, when and why.

    Examples:

      mlreg log -n 10

      mlreg log --graph model/detector
    """
    registry, what = open_place(ref)
    if graph:
        drawn = tracing.log_graph(registry, what, limit)
        out.show("log-graph", drawn, views.log_graph(drawn))
    else:
        events = registry.log(what)[: limit or None]
        out.show("log", events, views.events(events))


def lineage(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF)],
    down: Annotated[bool, typer.Option("--down", help="Show what was made from it instead.")] = False,
    depth: Annotated[int | None, typer.Option("--depth", min=0, metavar="N", help="At most so many steps.")] = None,
    form: Annotated[Output | None, typer.Option("--output", help="What to print.")] = None,
) -> None:
    """Show what a version was made from, and what that was made from; or the other way round.

    Examples:

      mlreg lineage model/detector@production

      mlreg lineage data/frames@2026.11.23 --down

      mlreg lineage model/detector --output dot | dot -Tsvg >lineage.svg
    """
    out, registry = printer_of(form, out), open_registry()
    direction: tracing.Direction = "down" if down else "up"
    if form in (Output.DOT, Output.MERMAID):
        drawn = tracing.graph(registry, ref, direction=direction, depth=depth)
        out.show("lineage-graph", drawn, views.lineage_graph(drawn, form))
    else:
        listed = tracing.lineage(registry, ref, direction=direction, depth=depth)
        out.show("lineage", listed, views.lineage(listed))


def rev_parse(
    out: Printer, refs: Annotated[list[str], typer.Argument(metavar="REF...", help=REF)], stamp: Stamp = None
) -> None:
    """Print the one canonical form of refs: KIND/NAME@VERSION."""
    registry = open_registry()
    result = [Resolved(str(target), str(target.commit_id)) for target in map(registry.rev_parse, refs)]
    write_stamp(stamp, result)
    out.show("rev-parse", result, views.resolved(result))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (ls, show, log, lineage):
        register(app)(command)
    register(app, "rev-parse")(rev_parse)
