"""Drift between two states of data as one HTML file: what changed first, with both distributions over each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from mlreg.quality.drift import ORDER, ColumnDrift
from mlreg.registry.drifting import DataDrift, TableDrift
from mlreg.web import bars
from mlreg.web.data_page import (
    EXAMPLES,
    MOST_COLUMNS,
    Section,
    data_page,
    ends,
    facts,
    glance,
    named,
    number,
    percent,
    point,
    table,
    values,
    verdict,
)
from mlreg.web.markup import Markup, make

MOST_VALUES = 12
"""Values of a column that are shown."""
MOST_NEW = 5


def page(drift: DataDrift, now: datetime | None = None) -> str:
    """Return the page.

    Args:
        drift: what it shows.
        now: when it is made.
    """
    about = (verdict(drift.verdict), f" warned of from PSI {drift.warn_at:g} on, failed from {drift.fail_at:g} on")
    title = f"{drift.before} → {drift.after}"
    return data_page(title, about, _glance(drift), list(_sections(drift)), now or datetime.now(UTC))


def _glance(drift: DataDrift) -> Markup:
    columns = Counter(one.verdict for each in drift.tables for one in each.columns)
    rows = [sum(counts) for counts in zip(*((one.rows_before, one.rows_after) for one in drift.tables), strict=True)]
    worst = max((one for each in drift.tables for one in each.columns), key=lambda one: one.psi or 0.0, default=None)
    boxes: list[tuple[str, object, Sequence[object]]] = [
        ("columns", f"{columns.total():,}", [", ".join(f"{columns[word]:,} {word}" for word in ORDER)]),
        ("rows", f"{rows[0]:,} → {rows[1]:,}", [f"{len(drift.tables):,} table{'s' * (len(drift.tables) != 1)}"]),
    ]
    if worst and worst.psi:
        boxes.append(("largest PSI", number(round(worst.psi, 4)), [worst.name]))
    return glance(boxes)


def _sections(drift: DataDrift) -> Iterator[Section]:
    if changes := list(_changes(drift)):
        headings = ("", "table", "column", "before", "after", "why")
        yield Section("changes", "Tables and columns", [table(headings, changes, "wide")])
    left = MOST_COLUMNS
    for place, one in enumerate(drift.tables):
        if one.columns:
            yield _table(f"table-{place}", one, max(left, 0))
            left -= len(one.columns)


def _changes(drift: DataDrift) -> Iterator[tuple[object, ...]]:
    """Yield what is another one, and not only spread in another way."""
    for one in drift.tables:
        if one.change:
            yield verdict(one.verdict), _name(one), "", "", "", f"the table was {one.change}"
        for column in one.columns:
            if column.change:
                types = (column.type_before, column.type_after)
                yield verdict(column.verdict), _name(one), column.name, *types, "; ".join(column.reasons)


def _name(one: TableDrift) -> str:
    return named(one.files_after or one.files_before)


def _table(key: str, one: TableDrift, most: int) -> Section:
    rows = (one.rows_before, one.rows_after)
    words = zip(("before", "after"), (one.files_before, one.files_after), rows, strict=True)
    legend = (
        make("span", make("span", class_=f"swatch {word}"), f"{word}: {count:,} rows in {named(files)}")
        for word, files, count in words
    )
    cards = make("div", *(_card(column, rows) for column in one.columns[:most]), class_="columns")
    left = len(one.columns) - most
    more = make("p", f"{left:,} columns more: --json has them all", class_="soft") if left > 0 else None
    return Section(key, _name(one), [make("div", *legend, class_="legend sides"), cards, more])


def _card(column: ColumnDrift, rows: tuple[int, int]) -> Markup:
    types = [column.type_before, column.type_after]
    told = " → ".join(dict.fromkeys(filter(None, types)))
    heading = make("h3", column.name or "(no name)", make("span", told, class_="group"), verdict(column.verdict))
    reasons = make("p", "; ".join(column.reasons), class_="why") if column.reasons else None
    return make("article", heading, reasons, facts(_facts(column)), *_picture(column, rows), class_="column")


def _facts(column: ColumnDrift) -> Iterator[tuple[str, object]]:
    for word, value in (("PSI", column.psi), ("JS", column.js), ("KS", column.ks), ("chi²", column.chi2)):
        if value is not None:
            yield word, f"{value:.4g}"
    for word, value in (("p of KS", column.ks_p), ("p of chi²", column.chi2_p)):
        if value is not None:
            yield word, f"{value:.2g}"
    if column.nulls_before or column.nulls_after:
        yield "nulls", " → ".join("none" if one is None else percent(one, 1) for one in _nulls(column))


def _nulls(column: ColumnDrift) -> tuple[float | None, float | None]:
    return column.nulls_before, column.nulls_after


def _picture(column: ColumnDrift, rows: tuple[int, int]) -> Iterator[Markup]:
    if column.histogram:
        yield _histogram(column)
    elif column.top:
        most = MOST_VALUES if any(max(one.before, one.after) > 1 for one in column.top) else EXAMPLES
        yield values(_value(one.value, one.before, one.after, rows) for one in column.top[:most])
        left = len(column.top) - most
        if left > 0:
            yield make("p", "others are left out", class_="soft")
    for word, some in (("new", column.new), ("gone", column.gone)):
        if some:
            more = f" and {len(some) - MOST_NEW} more" if len(some) > MOST_NEW else ""
            yield make("p", make("strong", f"{word}: "), ", ".join(map(number, some[:MOST_NEW])), more, class_="soft")


def _histogram(column: ColumnDrift) -> Markup:
    before, after = ([one.before for one in column.histogram], [one.after for one in column.histogram])
    sizes = sum(before), sum(after)
    told = [
        f"{point(one.low)} to {point(one.high)}: {percent(one.before, sizes[0])} before, "
        f"{percent(one.after, sizes[1])} after"
        for one in column.histogram
    ]
    caption = make("figcaption", "lengths in characters") if column.by == "lengths" else None
    low, high = column.histogram[0].low, column.histogram[-1].high
    return make("figure", bars.overlay(before, after, told), ends(low, high), caption)


def _value(value: object, before: int, after: int, rows: tuple[int, int]) -> Markup:
    one, other = before / (rows[0] or 1), after / (rows[1] or 1)
    cells = (
        ("name", number(value) or make("em", "empty")),
        ("bar", bars.share(before=one, after=other)),
        ("number", f"{percent(before, rows[0])} → {percent(after, rows[1])}"),
    )
    return make("tr", *(make("td", cell, class_=kind) for kind, cell in cells))
