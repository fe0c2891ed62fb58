"""Tables on terminals of any width: names, ids and times stand in one line, whatever text stands beside them."""

from __future__ import annotations

import pytest

from mlreg.cli import audit_views, views
from mlreg.cli.output import Column, Style, View, _table
from mlreg.registry.auditing import AuditEvent
from mlreg.registry.proving import Head
from mlreg.registry.results import Event
from tests.cli.calling import Call, on_terminal

WIDTHS = ["20", "80", "100", "300"]
HASH = "8b7f67eb2204e2884c2bd2e57abe44681e6abed0e6c8bdcc623760ab132f47a8"
TIME, AUTHOR = "2026-11-23T08:29:38Z", "Ann Lee <ann@example.org>"
REF, OTHER = "model/vision/detector-of-sutures@production", "model/vision/detector-of-sutures@2026.11.23"
WHY = "because it is better than the one before on the test split, which was made anew"


def shown(view: View, width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("COLUMNS", width)
    _table(view)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", WIDTHS)
def test_refs_ids_and_times_are_never_broken(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = AuditEvent(12, TIME, AUTHOR, "ann", "a-laptop.example.org", "tag", REF, OTHER, OTHER, WHY)
    audit = View(audit_views._COLUMNS, [audit_views._row(event)], [])
    log = views.events([Event(12, TIME, AUTHOR, message=WHY, change="tag", ref=REF, previous=OTHER, target=OTHER)])

    for view in (audit, log):
        text = shown(view, width, monkeypatch, capsys)
        assert REF in text
        assert text.count(OTHER) == 2
        assert "2026-11-23 08:29" in text
        assert all(word in text for word in WHY.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_the_head_of_a_log_is_in_one_line(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head = Head("/srv", 42, HASH, "a phrase of six words that is long", TIME, f"42:{HASH}")

    assert f"42:{HASH}" in shown(audit_views.head(head), width, monkeypatch, capsys)


def test_what_fits_is_not_broken_and_text_is_made_narrow_before_a_line_gets_longer_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = (Column("ID", Style.NAME), Column("WHY"), Column("TAGS", Style.LIST))
    view = View(columns, [("x" * 30, "yes " * 20, "first=1.0.0,second=2.0.0")], [])

    for width in (70, 200):
        lines = shown(view, str(width), monkeypatch, capsys).splitlines()
        assert max(map(len, lines)) <= width
    assert len(lines) == 2
    narrow = shown(view, "10", monkeypatch, capsys)
    assert "x" * 30 in narrow
    assert "first=1.0.0," in narrow
    assert "second=2.0.0" in narrow


def test_lists_on_a_terminal_of_80_columns_break_no_time_and_no_ref(mlreg: Call) -> None:
    for words in (["ls"], ["log"], ["tag", "log", "model/net@production"], ["audit", "log"]):
        text = on_terminal(*words, COLUMNS="80", NO_COLOR="1").out
        for item in mlreg(*words, "--json").document["items"]:
            assert item["ref"] in text
            assert item["time"][:16].replace("T", " ") in text
