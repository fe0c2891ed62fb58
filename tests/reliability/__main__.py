"""Try what `docs/reliability.md` shows, and write it: `python -m tests.reliability [--only PART ...] [--write]`.

The whole takes an hour or two. CI runs the same at a small scale, as tests.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.reliability import matrix, mutants, soak
from tests.reliability.disks import MAKE, opened
from tests.reliability.matrix_faults import FAULTS
from tests.reliability.power_crew import cut_often
from tests.reliability.power_story import cut_and_go_on, told

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


class Amount(NamedTuple):
    """How much is tried."""

    operations: int
    tries: int
    """Of each operation under each fault."""
    model_cuts: int
    real_cuts: int
    """Of each file system."""
    seed: int


class Found(NamedTuple):
    """A table, and what must not be."""

    lines: list[str]
    complaints: list[str]


@contextmanager
def _directory() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="mlreg-reliability-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _soak(amount: Amount) -> Found:
    with _directory() as place:
        result = soak.soak(place, soak.Asked(amount.operations, seed=amount.seed))
    return Found([*soak.table(result), "", soak.summary(result)], result.complaints)


def _matrix(amount: Amount) -> Found:
    with _directory() as place:
        (place / "scene").mkdir()
        matrix.scene(place / "scene")
        found = [matrix.try_cell(place / "scene", place, *pair, amount.tries, amount.seed) for pair in matrix.cells()]
    complaints = [
        f"{cell.operation}, {cell.fault}: {text}"
        for cell in found
        for outcome in cell.outcomes
        for text in outcome.against(cell.operation, FAULTS[cell.fault])
    ]
    count = sum(len(cell.outcomes) for cell in found)
    return Found([*matrix.table(found), "", f"{count:,} tries, seed {amount.seed}."], complaints)


def _cuts(amount: Amount) -> Found:
    lines = ["| disk | power cuts | states looked for after them | lost, wrong or damaged |", "|---|---|---|---|"]
    complaints: list[str] = []
    with _directory() as place:
        (place / "disk").mkdir()
        story = told(place / "disk")
        for number in range(amount.model_cuts):
            cut_and_go_on(story, place, number)
    lines.append(
        f"| model of write orders | {amount.model_cuts:,} | {2 * amount.model_cuts:,} repositories, whole | 0 |"
    )
    for kind in sorted(MAKE):
        with _directory() as place:
            try:
                with opened(kind, place) as disk:
                    found = cut_often(disk, place, amount.real_cuts)
            except pytest.skip.Exception as skipped:
                lines.append(f"| {kind} | not tried: {skipped} | | |")
                continue
        complaints += found.complaints
        lines.append(f"| {kind} | {found.cuts} | {found.acknowledged:,} | {len(found.complaints)} |")
    return Found(lines, complaints)


def _mutants(_: Amount) -> Found:
    missed = [mutant.name for mutant in mutants.MUTANTS if not mutants.is_noticed(mutant)]
    return Found(mutants.table(), [f"not noticed: {name}" for name in missed])


PARTS: dict[str, Callable[[Amount], Found]] = {"soak": _soak, "matrix": _matrix, "cuts": _cuts, "mutants": _mutants}
"""The tables, by the marks between which they stand in the page."""


def write(part: str, lines: list[str]) -> None:
    """Put a table into the page, between the marks of its part."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    text = PAGE.read_text(encoding="utf-8")
    table = "\n".join(["", *lines, "", ""])
    PAGE.write_text(f"{text.split(begin)[0]}{begin}\n{table}{end}{text.split(end)[1]}", encoding="utf-8")


def main() -> None:
    """Try, print, and write if asked to; fail if something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="which tables; by default all")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--tries", type=int, default=10, help="of each operation under each fault")
    parser.add_argument("--model-cuts", type=int, default=1000)
    parser.add_argument("--real-cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    amount = Amount(options.operations, options.tries, options.model_cuts, options.real_cuts, options.seed)
    complaints = []
    for part in options.only:
        found = PARTS[part](amount)
        sys.stdout.write("\n".join(["", part, *found.lines, "", *found.complaints[:40], ""]))
        sys.stdout.flush()
        complaints += found.complaints
        if options.write and not found.complaints:
            write(part, found.lines)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
