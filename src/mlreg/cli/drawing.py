"""Pictures of versions as text: trees, DOT, Mermaid, and a log with its lines.

Names and messages may be someone else's work. What goes into a picture is first made harmless for a
terminal, and then quoted as the language of the picture wants it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from mlreg.cli.output import safe
from mlreg.registry import results

MARKS = {"live": "", "removed": " (removed)", "absent": " (not here)"}
TAINT_MARK = " (tainted)"
BOXES = {"live": "solid", "removed": "dashed", "absent": "dotted"}
SHORT = 12
"""Digits that are shown of an id that has no name."""

DEEPEST = 40
"""Steps that are drawn by moving to the right; farther ones are counted, or a long chain would fill the disk."""


def indented(depth: int) -> str:
    """Return what stands before a node that is some steps from the start, without lines."""
    return "  " * min(depth, DEEPEST) + _count(depth)


def _count(depth: int) -> str:
    return f"[{depth}] " if depth > DEEPEST else ""


def tree(items: Sequence[results.LineageNode]) -> list[str]:
    """Return the lines before each node of a tree that is listed depth first: `│  └─ `."""
    prefixes: list[str] = []
    # Read from the end, where it is known whether more children of the same depth follow.
    follows: set[int] = set()
    for item in reversed(items):
        bars = "".join("│  " if depth in follows else "   " for depth in range(1, min(item.depth, DEEPEST)))
        corner = ("├─ " if item.depth in follows else "└─ ") if item.depth else ""
        prefixes.append(bars + corner + _count(item.depth))
        follows = {depth for depth in follows if depth < min(item.depth, DEEPEST)} | {item.depth}
    return prefixes[::-1]


def named(ref: str, state: str, *, tainted: bool = False) -> str:
    """Return a version as people read it, with what is the matter with it."""
    return (ref + MARKS[state] + TAINT_MARK * tainted).strip()


def tainted_because(taint: results.TaintInfo) -> str:
    """Return a taint as a warning."""
    return f"it is tainted by {taint.ref}: {taint.reason}"


def tainted_by(taint: results.TaintInfo) -> str:
    """Return what is wrong, with what, and who said so when."""
    return f"{taint.reason} ({taint.ref}, {taint.author}, {taint.time})"


def _label(node: results.GraphNode) -> str:
    tags = f" ({', '.join(node.tags)})" if node.tags else ""
    return safe(named(node.ref or node.id[:SHORT], node.state, tainted=node.tainted) + tags)


def dot(graph: results.Graph) -> Iterator[str]:
    """Yield the lines of a graph in the language of Graphviz, from what was used to what was made."""
    yield "digraph lineage {"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    for node in graph.nodes:
        facts = f"label={_quoted(_label(node))}, style={BOXES[node.state]}, tooltip={_quoted(node.message)}"
        yield f"  {_quoted(node.id)} [{facts}];"
    for edge in graph.edges:
        yield f"  {_quoted(edge.source)} -> {_quoted(edge.target)} [label={_quoted(edge.role)}];"
    yield "}"


def _quoted(text: str) -> str:
    r"""Return a string of DOT. A backslash is doubled: `\N` in a label would be the name of the node.

    Every string goes through here, ids too, so that none brings a control character along.

    >>> _quoted('a"b')
    '"a\\"b"'
    """
    # `&` begins an entity there, too.
    return '"' + safe(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") + '"'


def mermaid(graph: results.Graph) -> Iterator[str]:
    """Yield the lines of a graph in the language of Mermaid, from what was used to what was made."""
    numbers = {node.id: number for number, node in enumerate(graph.nodes)}
    yield "flowchart LR"
    for node in graph.nodes:
        yield f'  n{numbers[node.id]}["{_entities(_label(node))}"]'
    for edge in graph.edges:
        yield f'  n{numbers[edge.source]} -->|"{_entities(safe(edge.role))}"| n{numbers[edge.target]}'
    yield "  classDef removed stroke-dasharray: 6 4"
    yield "  classDef absent stroke-dasharray: 1 3"
    for node in graph.nodes:
        if node.state != "live":
            yield f"  class n{numbers[node.id]} {node.state}"


def _entities(text: str) -> str:
    """Return text for between the quotes of Mermaid, which has no escapes: entities by number.

    >>> _entities('a"b')
    'a#34;b'
    """
    plain = "-./@ (),_"
    return "".join(c if c.isalnum() or c in plain else f"#{ord(c)};" for c in text)


def log(graph: results.Graph) -> list[str]:
    """Return the lines of a log: columns that lead from each version down to what it came from, and the version."""
    origins: dict[str, dict[str, None]] = {node.id: {} for node in graph.nodes}
    for edge in graph.edges:
        origins[edge.target][edge.source] = None
    lines: list[str] = []
    columns: list[str] = []
    drawn: set[str] = set()
    for node in _users_first(graph, origins):
        drawn.add(node.id)
        if node.id not in columns:
            columns.append(node.id)
        at = columns.index(node.id)
        bars = " ".join("*" if column == at else "|" for column in range(len(columns)))
        subject = node.message.partition("\n")[0]
        lines.append(f"{bars} {_label(node)} {safe(subject)}".rstrip())
        # What a circle leads back to stands above already.
        lines.extend(_go_on(columns, at, [origin for origin in origins[node.id] if origin not in drawn]))
    return lines


def _go_on(columns: list[str], at: int, origins: Sequence[str]) -> Iterator[str]:
    """Let a column lead to what its version came from, in place, and yield the lines that draw it."""
    behind = len(columns) - 1 - at
    columns[at : at + 1] = origins
    if not origins and behind:
        yield "| " * at + " /" * behind
    for column in range(at + 1, at + len(origins)):
        yield " ".join("|" * column) + "\\" + " \\" * behind
    yield from _join(columns)


def _join(columns: list[str]) -> Iterator[str]:
    """Join columns that lead to the same version, in place, and yield the lines that draw it."""
    for at in range(len(columns) - 1, -1, -1):
        first = columns.index(columns[at])
        if first < at:
            gaps = [*("_" if column >= first else " " for column in range(at - 1)), "/"]
            yield "".join(f"|{gap}" for gap in gaps) + " /" * (len(columns) - 1 - at)
            columns.pop(at)


def _users_first(graph: results.Graph, origins: Mapping[str, Iterable[str]]) -> Iterator[results.GraphNode]:
    """Yield the nodes in their order, but none before what was made from it; of a circle, the first one first."""
    places = {node.id: place for place, node in enumerate(graph.nodes)}
    rest = {node.id: node for node in graph.nodes}
    users = Counter(source for sources in origins.values() for source in sources)
    # What nothing else leads on from comes as soon as it can: its column ends there.
    ready = [(1, place, one) for one, place in places.items() if not users[one]]
    while rest:
        *_, one = heappop(ready) if ready else (next(iter(rest)),)
        if one not in rest:
            continue
        yield rest.pop(one)
        for source in origins[one]:
            users[source] -= 1
            if not users[source]:
                heappush(ready, (bool(origins[source]), places[source], source))
