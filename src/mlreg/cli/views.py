"""How each result looks as rows or as a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from mlreg.cli import drawing
from mlreg.cli.options import Output
from mlreg.cli.output import Column, Style, View
from mlreg.config import Setting
from mlreg.errors import UsageError
from mlreg.formats.amounts import count_of, size_of
from mlreg.formats.names import KIND_WORDS
from mlreg.formats.ref import is_pattern, parse_ref
from mlreg.ids import ContentId
from mlreg.registry import reading, results
from mlreg.registry.registry import Registry

SIZE, COUNT, NAME, TIME = Style.SIZE, Style.COUNT, Style.NAME, Style.TIME


def added(result: results.Added) -> View:
    """After `add`."""
    version = result.version
    facts = f"{count_of(version.files, 'file')}, {size_of(version.size)}"
    verb = "added" if result.changed else "unchanged"
    return View((), (), result.refs, f"{mark_of(result.dry_run)}{verb} {version.ref} ({facts})")


def doubts(result: results.Added) -> list[str]:
    """What someone who adds a version should look at: keys that are perhaps misspelt, and taints."""
    return [*result.hints, *map(drawing.tainted_because, result.version.taints)]


def noted(note: results.NoteInfo) -> View:
    """After `note add` and `note rm`: the id, to name it by."""
    return View((), (), [note.id], note.id)


def notes(items: Sequence[results.NoteInfo]) -> View:
    """Notes."""
    columns = (Column("ID", NAME), Column("REF", NAME), Column("TIME", TIME), Column("BY"), Column("NOTE"))
    return View(columns, [(i.id, i.ref, i.time, i.author, i.text) for i in items], [item.id for item in items])


def renamed(result: results.Renamed) -> View:
    """After `mv`."""
    verb = f"renamed {result.previous} to" if result.changed else "unchanged"
    return View((), (), result.refs, f"{verb} {result.ref}")


def entries(items: Sequence[results.EntryInfo]) -> View:
    """The entries of a repository."""
    columns = (
        Column("ENTRY", NAME),
        Column("LATEST", NAME),
        Column("VERSIONS", COUNT),
        Column("SIZE", SIZE),
        Column("TAGS", Style.LIST),
        Column("ADDED", TIME),
    )
    rows = [(i.ref, _marked(i.latest, i.tainted), i.versions, i.size, _pairs(i.tags, i.tainted), i.time) for i in items]
    return View(columns, rows, [item.ref for item in items])


def _marked(version: str, tainted: Sequence[str]) -> str:
    return drawing.named(version, "live", tainted=version in tainted)


def versions(items: Sequence[results.VersionInfo], sort: str = "") -> View:
    """Versions, with the metadata and labels that they were sorted by."""
    fields = re.findall(r"\b((?:meta|labels)\.[\w.]+)", sort)
    columns = (
        Column("VERSION", NAME),
        Column("FILES", COUNT),
        Column("SIZE", SIZE),
        Column("TAGS", Style.LIST),
        Column("ADDED", TIME),
        Column("BY"),
        Column("MESSAGE"),
        *(Column(field.upper()) for field in fields),
    )
    names = [drawing.named(item.ref, "live", tainted=bool(item.taints)) for item in items]
    rows = [
        (name, i.files, i.size, ",".join(i.tags), i.time, i.author, i.message, *(_fact(i, field) for field in fields))
        for name, i in zip(names, items, strict=True)
    ]
    return View(columns, rows, [item.ref for item in items])


def _fact(info: results.VersionInfo, field: str) -> str:
    """Return a value of metadata or labels as text; empty if there is none."""
    kind, _, path = field.partition(".")
    value: object = info.metadata if kind == "meta" else info.labels
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def files(items: Sequence[results.FileInfo]) -> View:
    """The files of a version."""
    columns = (Column("ID", NAME), Column("SIZE", SIZE), Column("PATH", Style.WORDS))
    return View(columns, [(item.id, item.size, item.path) for item in items], [item.ref for item in items])


def tensors(items: Sequence[results.TensorInfo]) -> View:
    """The tensors in the files of a version."""
    columns = (Column("DTYPE"), Column("SHAPE"), Column("SIZE", SIZE), Column("PATH"), Column("TENSOR"))
    rows = [(item.dtype, list(item.shape), item.size, item.path, item.name) for item in items]
    return View(columns, rows, [item.ref for item in items])


def version(info: results.VersionInfo) -> View:
    """One version, a fact a line."""
    facts: list[tuple[str, object]] = [
        ("ref", info.ref),
        ("id", info.id),
        ("tags", ",".join(info.tags)),
        ("files", info.files),
        ("size", info.size),
        ("author", info.author),
        ("time", info.time),
        ("message", info.message),
        *(("tainted", drawing.tainted_by(one)) for one in info.taints),
        *([("deprecated", info.deprecated)] if info.deprecated else []),
        *([("frozen", "yes")] if info.frozen else []),
        *([("held", info.held)] if info.held else []),
        *((f"in {item.role}", item.ref) for item in info.inputs),
        *((f"label {key}", value) for key, value in _flat(info.labels)),
        *((f"meta {key}", value) for key, value in _flat(info.metadata)),
        *(
            ("disputed", f"{path}: see mlreg meta log {info.ref}, and of {info.kind}/{info.name}")
            for path in info.disputed
        ),
    ]
    return View((Column("FACT"), Column("VALUE", Style.WORDS)), facts, [info.ref])


def card_of(info: results.VersionInfo) -> str:
    """Return one version as a card: Markdown with front matter."""
    from mlreg.formats.card import render_card

    metadata = {key: value for key, value in info.metadata.items() if key != "card"}
    return render_card(metadata, str(info.metadata.get("card", "")), info.name)


def _flat(metadata: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in metadata.items():
        if isinstance(value, dict) and value:
            found.extend(_flat(value, f"{prefix}{key}."))
        else:
            found.append((prefix + key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return found


def _pairs(tags: Mapping[str, str], tainted: Sequence[str]) -> str:
    return ",".join(f"{name}={_marked(version, tainted)}" for name, version in tags.items())


def usage(items: Sequence[results.UsageInfo]) -> View:
    """How often versions were read."""
    columns = (
        Column("VERSION", NAME),
        Column("TIMES", COUNT),
        Column("LAST", TIME),
        Column("WAYS", Style.LIST),
        Column("BY"),
        Column("SIZE", SIZE),
        Column("ADDED", TIME),
    )
    rows = [
        (i.ref, i.times, i.last, ",".join(f"{way}={n}" for way, n in i.ways.items()), ",".join(i.by), i.size, i.time)
        for i in items
    ]
    return View(columns, rows, [item.ref for item in items])


def events(items: Sequence[results.Event]) -> View:
    """What happened."""
    columns = (
        Column("NO", COUNT),
        Column("TIME", TIME),
        Column("BY"),
        Column("CHANGE"),
        Column("REF", NAME),
        Column("FROM", NAME),
        Column("TO", NAME),
        Column("MESSAGE"),
    )
    rows = [(i.number, i.time, i.author, i.change, i.ref, i.previous, i.target, i.message) for i in items]
    return View(columns, rows, [item.ref for item in items])


def lineage(items: Sequence[results.LineageNode]) -> View:
    """A version and what it was made from, or what was made from it, indented."""
    columns = (Column("LINEAGE", NAME), Column("ROLE"), Column("ID", NAME))
    names = [drawing.named(item.ref, item.state, tainted=item.tainted) for item in items]
    rows = [(drawing.indented(i.depth) + name, i.role, i.id) for i, name in zip(items, names, strict=True)]
    lines = [line + name for line, name in zip(drawing.tree(items), names, strict=True)]
    on_terminal = [(line, item.role, item.id) for item, line in zip(items, lines, strict=True)]
    return View(columns, rows, [item.ref for item in items if item.ref], terminal_rows=on_terminal)


def lineage_graph(graph: results.Graph, language: Output) -> View:
    """The same as a picture, in a language that other programs draw."""
    draw = drawing.dot if language is Output.DOT else drawing.mermaid
    return picture(graph, list(draw(graph)))


def log_graph(graph: results.Graph) -> View:
    """Versions with lines to what they came from."""
    return picture(graph, drawing.log(graph))


def picture(graph: results.Graph, lines: Sequence[str]) -> View:
    """A graph, drawn."""
    return View((), (), [node.ref for node in graph.nodes if node.ref], lines=lines)


def tags(items: Sequence[results.TagInfo]) -> View:
    """The tags of entries."""
    columns = (Column("TAG", NAME), Column("VERSION", NAME))
    return View(columns, [(item.ref, item.target) for item in items], [item.ref for item in items])


def tagged(result: results.Tagged) -> View:
    """After `tag` or `tag rm`."""
    was = result.previous or "none"
    sentence = f"{result.ref}: {was} -> {result.target or 'none'}" if result.changed else f"unchanged {result.ref}"
    return View((), (), result.refs, sentence)


def annotated(result: results.Annotated, verb: str) -> View:
    """After `meta set`, `label`, `deprecate`, `freeze` and their opposites."""
    before = f"; before, it was held for: {result.previous}" if result.changed and result.previous else ""
    return View((), (), result.refs, f"{verb if result.changed else 'unchanged'} {result.ref}{before}")


def statements(items: Sequence[results.StatementInfo]) -> View:
    """What was said of a version or an entry."""
    columns = (Column("TIME", TIME), Column("BY"), Column("WHAT"), Column("WHY"))
    rows = [(i.time, i.author, " ".join(f"{k}={v}" for k, v in _flat(i.patch)), i.message) for i in items]
    return View(columns, rows, list(dict.fromkeys(item.ref for item in items)))


def got(result: results.Got) -> View:
    """After `get`."""
    mark = mark_of(result.dry_run)
    done = f"{count_of(result.written, 'file')} written ({size_of(result.size)}), {result.unchanged} unchanged"
    removed = f", {result.removed} removed" if result.removed else ""
    return View((), (), [result.ref], f"{mark}{result.ref} in {result.directory}: {done}{removed}")


def changed(result: results.Changed, verb: str) -> View:
    """After `rm` or `restore`."""
    word = verb if result.changed else "unchanged"
    return View((), (), result.refs, f"{mark_of(result.dry_run)}{word} {', '.join(result.refs)}")


def synced(result: results.Synced, verb: str) -> View:
    """After `push`, `pull`, `fetch` or `clone`."""
    if not result.changed:
        return View((), (), (), f"{mark_of(result.dry_run)}{result.remote}: everything is there already")
    what = f"{count_of(len(result.versions), 'version')}, {count_of(len(result.tags), 'tag')}"
    what += f", {count_of(result.notes, 'note')}" if result.notes else ""
    size = "" if result.dry_run else f", {size_of(result.size)}"
    return View((), (), result.refs, f"{mark_of(result.dry_run)}{verb} {result.remote}: {what}{size}")


def mark_of(dry_run: bool) -> str:
    """Return what stands before a sentence that is about nothing that was done."""
    return "dry run: " if dry_run else ""


def remotes(items: Sequence[results.RemoteInfo]) -> View:
    """The remotes that are configured."""
    return View((Column("REMOTE"), Column("URL")), [(i.name, i.url) for i in items], [i.name for i in items])


def status(result: results.Status) -> View:
    """Where a repository stands."""
    rows: list[tuple[str, object]] = [
        ("repository", result.path),
        ("transactions", result.transactions),
        ("entries", result.entries),
        ("versions", result.versions),
        ("tags", result.tags),
    ]
    for remote in result.remotes:
        push, pull = len(remote.unpushed) + remote.unpushed_notes, len(remote.unpulled) + remote.unpulled_notes
        stands = f"{push} to push, {pull} to pull, as of the last contact" if remote.seen else "not met yet"
        rows.append((f"remote {remote.name}", f"{remote.url}: {stands}"))
    refs = [ref for remote in result.remotes for ref in remote.unpushed]
    return View((Column("FACT"), Column("VALUE")), rows, list(dict.fromkeys(refs)))


def repacked(result: results.Repacked) -> View:
    """After `repack`."""
    done = []
    if result.packs:
        saved = f"{size_of(result.before)} in {count_of(result.packs, 'pack')} became {size_of(result.after)}"
        done.append(f"{count_of(result.pieces, 'piece')} stored as differences: {saved}")
    if result.merged:
        done.append(f"{count_of(result.merged, 'small pack')} became {result.merged_into}")
    done = done or ["nothing to store smaller"]
    if result.deleted:
        done.append(f"{size_of(result.deleted)} deleted")
    if result.waiting:
        done.append(f"{size_of(result.waiting)} of replaced packs wait to be deleted")
    return View((), (), (), f"{mark_of(result.dry_run)}{'; '.join(done)}")


def setting(item: Setting, *, origin: bool) -> View:
    """The value of a setting; a table with its origin, if that is asked for."""
    if origin:
        return View((Column("VALUE"), Column("ORIGIN")), [(item.value, item.origin)], [item.value])
    return View((), (), [item.value], item.value)


def unset(item: Setting) -> View:
    """After `config unset`."""
    return View((), (), [item.key], f"unset {item.key} in {item.origin}")


def settings(items: Sequence[Setting], *, origin: bool) -> View:
    """Settings, and if asked for where each is set."""
    columns = (Column("KEY"), Column("VALUE"), Column("ORIGIN"))
    shown = 3 if origin else 2
    rows = [(item.key, item.value, item.origin)[:shown] for item in items]
    return View(columns[:shown], rows, [item.value for item in items])


def checked(items: Sequence[Setting]) -> View:
    """After `config check`."""
    return View((), (), [item.key for item in items], f"{count_of(len(items), 'setting')}, and all are well")


def content(found: reading.Content) -> tuple[results.Content, View]:
    """The bytes of one file or tensor, as `cat --json` prints them."""
    import base64

    data = b"".join(found.parts)
    text = base64.b64encode(data).decode()
    return results.Content(found.ref, len(data), str(ContentId.of(data)), text), View((), (), [found.ref])


def resolved(items: Sequence[results.Resolved]) -> View:
    """What refs mean."""
    return View((Column("REF"),), [(item.ref,) for item in items], [item.ref for item in items])


def listed(registry: Registry, what: str) -> tuple[Sequence[object], View]:
    """What `ls` shows: entries, all or of a kind, the versions of an entry, or the files of a version."""
    pattern = pattern_of(what)
    if is_pattern(pattern):
        found = registry.entries(pattern)
        return found, entries(found)
    ref = parse_ref(what)
    if ref.name and ref.selector is None and ref.path is None:
        of_entry = registry.versions(what)
        return of_entry, versions(of_entry)
    of_version = registry.files(what)
    return of_version, files(of_version)


def pattern_of(what: str) -> str:
    """Return what a user wants listed as a pattern of `kind/name`: a kind, a pattern, or one entry."""
    word, slash, rest = what.partition("/")
    return f"{KIND_WORDS[word]}/{rest if slash else '*'}" if word in KIND_WORDS else what or "*"


def initialised(result: results.Initialised) -> View:
    """After `init`."""
    sentence = f"made an empty repository in {result.path}" if result.changed else f"unchanged {result.path}"
    return View((), (), [result.path], sentence)


def share_of(text: str) -> float:
    """Return a share of the whole: `5%` or `0.05`.

    Raises:
        UsageError: `bad_share`.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError("bad_share", f"{text!r} is not a share", fix="--sample 5%")
    return share
