"""Lineage and the log as pictures: what a terminal, Graphviz and Mermaid are given."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.cli import drawing, views
from mlreg.registry.results import Graph, GraphEdge, GraphNode, LineageNode
from tests.cli.calling import Call, on_terminal

STRING = r'"((?:[^"\\]|\\.)*)"'
DOT_LINE = re.compile(
    rf"digraph lineage {{|  rankdir=LR;|  node \[shape=box\];|}}"
    rf"|  {STRING} \[label={STRING}, style=(solid|dashed|dotted), tooltip={STRING}\];"
    rf"|  {STRING} -> {STRING} \[label={STRING}\];"
)
MERMAID_TEXT = r'"((?:[\w\-./@ (),]|#\d+;)*)"'
MERMAID_LINE = re.compile(
    rf"flowchart LR|  n\d+\[{MERMAID_TEXT}\]|  n\d+ -->\|{MERMAID_TEXT}\| n\d+"
    r"|  classDef (removed|absent) stroke-dasharray: \d \d|  class n\d+ (removed|absent)"
)
HOSTILE = [
    *('"]; evil [label="', "\\", '\\"', "a\nb", "\x1b[2J", "&quot;", "#34;", "`*", "]\n  end", "\u202e", "<b>"),
    *("%%{", "\\N"),
]


def node(name: str, state: str = "live", tags: tuple[str, ...] = (), message: str = "") -> GraphNode:
    return GraphNode(name, name, "model", state, tags, message)  # type: ignore[arg-type] # tests name real states


def graph(*edges: str, nodes: str = "") -> Graph:
    """Return a graph of nodes with one letter; `ab` is an edge from what was made, a, to what it was made from."""
    names = nodes or dict.fromkeys("".join(edges))
    return Graph(tuple(map(node, names)), tuple(GraphEdge(edge[1], edge[0], "data") for edge in edges))


PICTURES = {
    "a line": (graph("ab", "bc"), ["* a", "* b", "* c"]),
    "a fork that joins": (graph("ab", "ac", "bd", "cd"), ["* a", "|\\", "* | b", "| * c", "|/", "* d"]),
    "a fork that ends": (graph("ab", "ac", nodes="abc"), ["* a", "|\\", "* | b", " /", "* c"]),
    "three": (graph("ab", "ac", "ad"), ["* a", "|\\", "| |\\", "* | | b", " / /", "* | c", " /", "* d"]),
    "one for many": (
        graph("ab", "ax", "bc", "bx", "cx"),
        ["* a", "|\\", "* | b", "|\\ \\", "| |/", "* | c", "|/", "* x"],
    ),
    "no lines": (graph(nodes="ab"), ["* a", "* b"]),
    "nothing": (Graph((), ()), []),
    "a circle": (graph("ab", "bc", "ca"), ["* a", "* b", "* c"]),
    "two circles": (graph("ab", "ba", "cd", "dc"), ["* a", "* b", "* c", "* d"]),
    "itself": (graph("aa"), ["* a"]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_log_is_drawn_with_its_lines(name: str) -> None:
    drawn, lines = PICTURES[name]

    assert drawing.log(drawn) == lines


def test_a_tree_has_a_line_as_far_as_more_follows() -> None:
    depths = [0, 1, 2, 2, 1, 2]
    listed = [LineageNode("", "", "", depth, present=True, state="live") for depth in depths]

    assert drawing.tree(listed) == ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "   └─ "]
    assert drawing.tree([]) == []


def test_a_chain_of_any_length_stays_on_the_page() -> None:
    listed = [LineageNode("net", "", "", depth, present=True, state="live") for depth in range(5000)]

    view = views.lineage(listed)
    rows, shown = list(view.rows), list(view.terminal_rows)

    assert max(len(str(row[0])) for row in (*rows, *shown)) < 150
    assert str(rows[-1][0]).endswith(" [4999] net")
    assert str(shown[-1][0]).endswith("└─ [4999] net")


@given(st.sets(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")), max_size=12))
def test_every_version_is_in_a_log_once_and_above_what_it_came_from(pairs: set[tuple[str, str]]) -> None:
    edges = sorted(min(pair) + max(pair) for pair in pairs if pair[0] != pair[1])
    lines = drawing.log(graph(*edges, nodes="abcdefg"))

    found = [line.rpartition(" ")[2] for line in lines if "*" in line]
    assert sorted(found) == list("abcdefg")
    assert all(found.index(edge[0]) < found.index(edge[1]) for edge in edges)
    # A column is as wide as there are versions to lead to, however many lead there.
    assert max(line.count("|") for line in lines) <= len(found)


def test_tags_removal_and_the_first_line_of_the_message_are_said_in_a_log() -> None:
    one = Graph((node("a", "removed", ("production", "best"), "why\nat length"), node("b", "absent")), ())

    assert drawing.log(one) == ["* a (removed) (production, best) why", "* b (not here)"]


@given(*(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20)) for _ in range(3)))
def test_no_text_gets_out_of_its_quotes(name: str, message: str, role: str) -> None:
    nodes = (GraphNode(name, "1", "", "removed", (name,), message), GraphNode("", "2", "", "absent", (), ""))
    hostile = Graph(nodes, (GraphEdge("1", "2", role),))

    for lines, legal, count in ((drawing.dot(hostile), DOT_LINE, 7), (drawing.mermaid(hostile), MERMAID_LINE, 8)):
        written = list(lines)
        assert len(written) == count
        assert [line for line in written if not legal.fullmatch(line)] == []
        assert all(line.isprintable() for line in written)
    assert all(line.isprintable() for line in drawing.log(hostile))


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
@pytest.mark.parametrize("text", HOSTILE)
def test_graphviz_reads_what_is_written_for_it(text: str) -> None:
    lines = drawing.dot(Graph((node(text, message=text),), (GraphEdge(text, text, text),)))

    read = subprocess.run(["dot", "-Tjson"], input="\n".join(lines), capture_output=True, text=True, check=True)
    assert len(json.loads(read.stdout)["objects"]) == 1


def test_states_are_drawn_as_solid_dashed_and_dotted() -> None:
    states = Graph(tuple(node(state, state) for state in ("live", "removed", "absent")), ())

    drawn = "\n".join(drawing.dot(states))

    assert re.findall(r"style=(\w+)", drawn) == ["solid", "dashed", "dotted"]
    assert [line for line in drawing.mermaid(states) if line.startswith("  class ")] == [
        "  class n1 removed",
        "  class n2 absent",
    ]


def test_down_leads_from_the_data_to_the_model_also_when_that_was_removed(mlreg: Call) -> None:
    mlreg("tag", "rm", "model/net@production")
    mlreg("rm", "model/net@1.0.0")

    run = mlreg("lineage", "data/rows", "--down")

    assert [row[:2] for row in run.rows] == [["data/rows@2026.01.01", ""], ["  model/net@1.0.0 (removed)", "data"]]
    items = mlreg("lineage", "data/rows", "--down", "--json").document["items"]
    assert [(item["state"], item["depth"], item["present"]) for item in items] == [
        ("live", 0, True),
        ("removed", 1, True),
    ]
    assert mlreg("lineage", "data/rows", "--down", "--output", "json").document["items"] == items
    assert len(mlreg("lineage", "data/rows", "--down", "--depth", "0").rows) == 1


def test_a_terminal_gets_a_tree_with_lines(mlreg: Call) -> None:
    Path("weights").write_text("more")
    inputs = ("--in", "base=model/net@1.0.0", "--in", "data=data/rows")
    assert mlreg("add", "model/net", "weights", "--version", "1.1.0", *inputs).status == 0

    shown = on_terminal("lineage", "model/net").out

    for line in ("├─ model/net@1.0.0", "│  └─ data/rows@2026.01.01", "└─ data/rows@2026.01.01"):
        assert line in shown
    log = mlreg("log", "--graph", "model/net").out.splitlines()
    assert log == [
        "* model/net@1.1.0",
        "|\\",
        "* | model/net@1.0.0 (production)",
        "|/",
        "* data/rows@2026.01.01",
    ]
    assert mlreg("log", "--graph", "model/net", "-n", "1").out.startswith("* model/net@1.1.0\n|\\\n")


def test_a_drawn_log_ends_behind_the_newest(mlreg: Call) -> None:
    Path("weights").write_text("more")
    assert mlreg("add", "model/net", "weights", "--version", "1.1.0").status == 0

    assert mlreg("log", "--graph", "model/net", "-n", "1").out == "* model/net@1.1.0\n"
    whole = mlreg("log", "--graph", "--json").document
    assert [item["ref"] for item in whole["nodes"] if item["ref"].startswith("model/")] == [
        "model/net@1.1.0",
        "model/net@1.0.0",
    ]
    assert sorted(edge["role"] for edge in whole["edges"]) == ["data", "eval", "version before"]


def test_up_and_down_draw_the_same_edge(mlreg: Call) -> None:
    drawn = [
        set(mlreg("lineage", *words, "--output", "dot").out.splitlines())
        for words in (["model/net"], ["data/rows", "--down"])
    ]

    assert drawn[0] == drawn[1]
    assert sum("->" in line for line in drawn[0]) == 1


def test_a_log_is_cut_behind_the_newest(mlreg: Call) -> None:
    whole = mlreg("log").rows

    assert mlreg("log", "-n", "2").rows == whole[:2]
    assert mlreg("log", "--limit", "0").rows == whole
