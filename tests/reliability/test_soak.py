"""A small soak: random operations by many processes, with kills, full disks and a store that fails."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.ledger import NOTHING, Journal, Key, Ledger, steps_in
from tests.reliability.soak import Asked, soak, table
from tests.reliability.soak_work import OPERATIONS

OPERATIONS_AT_ONCE = 200
"""At scale 1; `make soak` tries fifty times as many."""


def test_nothing_acknowledged_is_lost_by_what_goes_wrong_around_it(tmp_path: Path, scale: int) -> None:
    result = soak(tmp_path, Asked(OPERATIONS_AT_ONCE * scale, processes=4 if scale == 1 else 8))

    assert result.complaints == []
    assert len(result.steps) >= OPERATIONS_AT_ONCE * scale
    assert result.acknowledged > OPERATIONS_AT_ONCE * scale / 3
    # It would be no soak if nothing had gone wrong, or all had.
    assert len({step.fault for step in result.steps}) >= 4
    assert {step.end for step in result.steps} >= {"done", "refused", "died"}
    assert len(table(result)) == len(OPERATIONS) + 2


KEY = Key("main", "version", "model/net@1.0.0")


def ledger(path: Path, *ends: tuple[str, int]) -> Ledger:
    """Return what lines add up to that end so, the last one with no end if it is to be of one who died."""
    journal = Journal(path)
    for number, (end, status) in enumerate(ends):
        journal.write(number=number, operation="add", fault="none")
        journal.write(key=KEY, state=f"text-{number}")
        if end != "died":
            journal.write(end=end, code="", exit=status, facts={}, hit=True)
    return Ledger(steps_in(path))


def test_only_what_was_acknowledged_must_be_there_and_what_was_cut_may_be(tmp_path: Path) -> None:
    assert ledger(tmp_path / "0", ("done", 0), ("done", 0)).states[KEY] == {"text-1"}
    assert ledger(tmp_path / "1", ("done", 0), ("refused", 11)).states[KEY] == {"text-0"}
    assert ledger(tmp_path / "2", ("done", 0), ("refused", 8)).states[KEY] == {"text-0", "text-1"}
    assert ledger(tmp_path / "3", ("died", 0)).states[KEY] == {NOTHING, "text-0"}
    assert ledger(tmp_path / "4", ("died", 0), ("done", 0)).states[KEY] == {"text-1"}
    assert ledger(tmp_path / "5", ("refused", 14)).states == {}
