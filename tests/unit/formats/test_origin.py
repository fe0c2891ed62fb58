"""Where a slot was written: what is written is read, and what no release writes is passed over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats.origin import MAX_NAME, NOWHERE, Origin, origin_of

WRITTEN = {"host": "node-1", "sort": "origin", "user": "ann"}


def test_a_note_is_written_only_if_it_says_something() -> None:
    assert Origin("ann", "node-1").notes() == (WRITTEN,)
    assert NOWHERE.notes() == Origin("\x1b", "\n").notes() == ()


@given(st.text(), st.text())
def test_what_is_written_is_read_without_what_cannot_be_printed(user: str, host: str) -> None:
    found = origin_of(Origin(user, host).notes())

    assert all(name.isprintable() and len(name) <= MAX_NAME for name in found)
    if user.isprintable() and host.isprintable():
        assert found == Origin(user[:MAX_NAME], host[:MAX_NAME])


@pytest.mark.parametrize(
    "note", [{}, {"sort": "annotation"}, {**WRITTEN, "more": 1}, {**WRITTEN, "host": {}}, {**WRITTEN, "user": None}]
)
def test_another_note_is_passed_over(note: dict[str, Any]) -> None:
    assert origin_of([note]) == NOWHERE
    assert origin_of([note, WRITTEN]) == Origin("ann", "node-1")
