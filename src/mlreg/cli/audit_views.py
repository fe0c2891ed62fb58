"""How the audit trail looks: as a table, as JSON lines, and as CSV that no spreadsheet takes for more than text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from mlreg.cli.output import Column, Mode, Printer, Style, View
from mlreg.formats.amounts import count_of
from mlreg.registry.auditing import AuditEvent
from mlreg.registry.proving import Forgotten, Head, ProvenLog

_COLUMNS = (
    Column("NO", Style.COUNT),
    Column("TIME", Style.TIME),
    Column("BY"),
    Column("FROM", may_go=True),
    Column("ACTION"),
    Column("REF", Style.NAME),
    Column("WAS", Style.NAME),
    Column("IS", Style.WORDS),
    Column("MESSAGE"),
)
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, if blanks stand before it, too."""


def show(out: Printer, found: Iterable[AuditEvent]) -> None:
    """Print events; in memory is only what has to be."""
    events = found if out.mode is Mode.TEXT else list(found)
    refs = [] if out.mode is Mode.TEXT else list(dict.fromkeys(one.ref for one in events if one.ref))
    out.show("audit-log", events, View(_COLUMNS, map(_row, events), refs))


def _row(one: AuditEvent) -> tuple[object, ...]:
    place = "@".join(filter(None, (one.user, one.host)))
    return one.number, one.time, one.author, place, one.action, one.ref, one.previous, one.target, one.message


def json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Yield a JSON document for each event."""
    return (json.dumps(one._asdict(), ensure_ascii=True) for one in events)


def csv_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Yield the rows of a table with a heading, as RFC 4180 has them, but for the ends of lines."""
    yield ",".join(AuditEvent._fields)
    for one in events:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([harmless(cell) for cell in one])
        yield line.getvalue()


def harmless(cell: object) -> object:
    """Return a cell that a spreadsheet shows as it is: text that it would calculate gets a quotation mark before it.

    >>> harmless("=1+1"), harmless("a=1"), harmless(-1)
    ("'=1+1", 'a=1', -1)
    """
    if not isinstance(cell, str):
        return cell
    return f"'{cell}" if cell[:1] in ("\t", "\r", "\n") or cell.lstrip().startswith(_FORMULA) else cell


LINES: Mapping[str, Callable[[Iterable[AuditEvent]], Iterator[str]]] = {"jsonl": json_lines, "csv": csv_lines}
"""What writes events a line each, by the word that asks for it."""


def proven(result: ProvenLog) -> View:
    """After `audit verify`: a sentence; `-q` prints the head."""
    compared = ", ".join(f"{one.number} as {one.by} saw it" for one in result.compared)
    beside = f"; beside the transactions lie {', '.join(result.strays)}" if result.strays else ""
    said = f"whole: {count_of(result.transactions, 'transaction')}, {compared or 'not seen before'}{beside}"
    return View((), (), [f"{result.transactions}:{result.hash}"], said)


def head(result: Head) -> View:
    """Where a log ends."""
    columns = (Column("HEAD", Style.NAME), Column("PHRASE"), Column("TIME", Style.TIME))
    return View(columns, [(result.head, result.phrase, result.time)], [result.head])


def forgotten(result: Forgotten) -> View:
    """After `audit forget`."""
    said = "accepted as it is" if result.changed else "unchanged, nothing was kept of it"
    return View((), (), [result.url], f"{result.url}: {said}")
