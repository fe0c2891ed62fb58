"""The page on reliability has a row for all that is tried, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.reliability.__main__ import PAGE, PARTS
from tests.reliability.matrix import OPERATIONS
from tests.reliability.matrix_faults import FAULTS
from tests.reliability.mutants import table as mutants_table
from tests.reliability.soak import FAULTS as SOAK_FAULTS
from tests.reliability.soak_work import OPERATIONS as SOAK_OPERATIONS

ROOT = Path(__file__).parents[2]
TEXT = PAGE.read_text(encoding="utf-8")


def rows(part: str) -> list[list[str]]:
    """Return the cells of the table of a part, its head first."""
    inside = TEXT.split(f"<!-- {part}: begin -->")[1].split(f"<!-- {part}: end -->")[0]
    lines = [line for line in inside.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_part_has_its_place() -> None:
    assert re.findall(r"<!-- (\w+): begin -->", TEXT) == re.findall(r"<!-- (\w+): end -->", TEXT) == list(PARTS)


def test_the_soak_shows_every_operation_and_every_fault() -> None:
    head, *body = rows("soak")

    assert head[1:] == list(SOAK_FAULTS)
    assert [row[0] for row in body] == list(SOAK_OPERATIONS)


def test_the_matrix_shows_every_operation_and_every_fault_and_no_loss() -> None:
    head, *body = rows("matrix")

    assert head[1:-4] == list(OPERATIONS)
    assert [row[0] for row in body] == list(FAULTS)
    assert {tuple(row[-2:]) for row in body} == {("0", "0")}


def test_the_mutants_are_those_that_are_tried() -> None:
    assert [f"| {' | '.join(row)} |" for row in rows("mutants")] == [mutants_table()[0], *mutants_table()[2:]]


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)

    missing = [
        (file, name)
        for file, name in named
        if f"def {name}(" not in (ROOT / "tests" / file).read_text(encoding="utf-8")
    ]
    assert missing == []
    assert len(named) >= 34 + 12


def test_every_file_that_is_named_is_there() -> None:
    assert [path for path in re.findall(r"`(tests/[\w/.]*)`", TEXT) if not (ROOT / path).exists()] == []
