"""Every operation under every fault; at scale 1 each pair of them once in a while."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from tests.reliability.matrix import OPERATIONS, Cell, cells, scene, table, try_cell
from tests.reliability.matrix_faults import FAULTS

SHARE = 8
"""At scale 1 one pair in so many is tried, always the same ones, so that each operation and each fault is."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("matrix") / "scene"
    root.mkdir()
    scene(root)
    return root


def is_everyday(operation: str, fault: str) -> bool:
    return (list(OPERATIONS).index(operation) + list(FAULTS).index(fault)) % SHARE == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_an_operation_is_done_or_refused_and_nothing_is_lost(
    fault: str, before: Path, tmp_path: Path, scale: int
) -> None:
    tried = [pair for pair in cells() if pair[1] == fault and (scale > 1 or is_everyday(*pair))]
    found = [try_cell(before, tmp_path, *pair, tries=scale, seed=zlib.crc32(fault.encode())) for pair in tried]

    bad = {
        (cell.operation, number): wrong
        for cell in found
        for number, outcome in enumerate(cell.outcomes)
        if (wrong := outcome.against(cell.operation, FAULTS[fault]))
    }
    assert bad == {}
    assert found


def test_the_table_has_a_row_for_each_fault_and_a_column_for_each_operation() -> None:
    lines = table([Cell("add", "kill", ())])

    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(FAULTS)
    assert [name for name in OPERATIONS if f"| {name} |" in lines[0]] == list(OPERATIONS)
