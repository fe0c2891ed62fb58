"""Commits that no mlreg would write, met on the way up, down and through the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.cli import drawing
from mlreg.formats.commit import Commit, Input
from mlreg.formats.pack import Sort
from mlreg.formats.transaction import RefChange
from mlreg.ids import CommitId, TreeId
from mlreg.registry import tracing
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.repository.log import Draft
from tests.unit.repository.samples import force_slot, put

EVIL = '"]\n}; evil [label="\x1b[2J\u202e|`#quot;\\'
DIRECTIONS: tuple[tracing.Direction, ...] = ("up", "down")


def commit_of(entry: str, inputs: tuple[Input, ...]) -> bytes:
    return Commit(entry, "1.0.0", TreeId.of(b""), 0, 0, "file", (), inputs, {}, EVIL, EVIL, EVIL).encode()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with model/good, made from a version with an evil name, and from one that is nowhere."""
    registry = Registry(init(tmp_path, shared=True)[0], "Ann", tmp_path / "cache")
    evil = commit_of(f"model/{EVIL}", ())
    inputs = (Input(EVIL, CommitId.of(evil), EVIL), Input(EVIL, CommitId.of(b"nowhere"), EVIL))
    good = commit_of("model/good", tuple(sorted(inputs)))
    put(registry.repository, [(Sort.COMMIT, evil), (Sort.COMMIT, good)])
    names = {"version/model/good/1.0.0": good, f"version/model/{EVIL}/1.0.0": evil, "version/rubbish": evil}
    for name, body in names.items():
        force_slot(registry.repository, Draft("Eve", refs=(RefChange(name, None, CommitId.of(body)),)))
    return registry


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_evil_name_is_followed_and_stays_in_its_quotes(direction: tracing.Direction, registry: Registry) -> None:
    graph = tracing.graph(registry, "model/good", direction=direction)
    nodes = tracing.lineage(registry, "model/good", direction=direction)

    assert len(graph.nodes) == len(nodes) == (3 if direction == "up" else 1)
    for draw in (drawing.dot, drawing.mermaid, drawing.log):
        lines = list(draw(graph))
        assert all(line.isprintable() for line in lines)
        assert not [line for line in lines if line.lstrip().startswith(("evil", "};"))]


def test_a_log_with_evil_names_is_drawn(registry: Registry) -> None:
    whole = tracing.log_graph(registry)

    assert [node.ref for node in whole.nodes if node.ref.startswith("model/good")] == ["model/good@1.0.0"]
    assert sum("*" in line for line in drawing.log(whole)) == len(whole.nodes) == 3
