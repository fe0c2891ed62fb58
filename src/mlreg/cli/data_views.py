"""How profiles of data and drift look: as rows, as JUnit and as Markdown."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence

from mlreg.cli.output import Column, Style, View, safe
from mlreg.cli.report_files import Forms, attribute, cell, markdown_table
from mlreg.quality.drift import ColumnDrift
from mlreg.quality.profile import ColumnProfile, TableProfile
from mlreg.registry.drifting import DataDrift, TableDrift
from mlreg.registry.profiling import Profile
from mlreg.registry.profiling_images import ImageKind

_HEIGHTS = " ▁▂▃▄▅▆▇█"
TOP = 3
"""Values that a terminal shows of a column without numbers."""
WIDE = 10
"""Intervals, or values, of which a terminal draws both states of a column."""
LONGEST = 24
"""Characters of a value that a terminal shows."""

Cell = str | int


def overview(result: Profile) -> View:
    """What a dataset is made of: tables, types of files, folders."""
    headings = ("", "NAME", "FILES", "ROWS", "COLUMNS", "DUPLICATES")
    columns = [*(Column(word, Style.COUNT if at > 1 else Style.TEXT) for at, word in enumerate(headings))]
    columns.append(Column("SIZE", Style.SIZE))
    return View(columns, list(_parts(result)), [result.ref])


def _parts(result: Profile) -> Iterator[tuple[Cell, ...]]:
    for table in result.tables:
        yield "table", named(table.files), len(table.files), table.rows, len(table.columns), table.duplicates, ""
    for kind in result.types:
        yield "files", kind.suffix or "no suffix", kind.files, "", "", "", kind.size
    for one in result.images.kinds:
        yield "images", _sizes(one), one.files, "", "", "", ""
    if result.images.broken:
        yield "broken", _first_broken(result), result.images.broken, "", "", "", ""
    for folder in result.folders:
        yield "folder", folder.path, folder.files, "", "", "", ""


def _sizes(one: ImageKind) -> str:
    least, most = f"{one.min_width}x{one.min_height}", f"{one.max_width}x{one.max_height}"
    return f"{one.format} {one.mode} {least}" + (f" to {most}" if least != most else "")


def _first_broken(result: Profile) -> str:
    first, more = result.images.broken_samples[0], result.images.broken - 1
    return f"{first.path}: {first.why}" + (f"; and {more} more" if more else "")


def named(files: Sequence[str]) -> str:
    """Return what a table is called that is made of files."""
    return files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def columns(result: Profile) -> View:
    """The columns of tables; a terminal shows where the values lie as a picture, or the most frequent ones."""
    words = ("TABLE", "COLUMN", "TYPE", "NULLS", "DISTINCT", "MIN", "MEDIAN", "MAX", "VALUES")
    headings = [Column(word, Style.COUNT if word in ("NULLS", "DISTINCT") else Style.TEXT) for word in words]
    both = [(table, column) for table in result.tables for column in table.columns]
    # The name of the only table says nothing on each line.
    start = int(len(result.tables) < 2)
    shown = [_shown_row(table, column)[start:] for table, column in both]
    return View(headings[start:], [_row(*one) for one in both], [result.ref], terminal_rows=shown)


def _shown_row(table: TableProfile, column: ColumnProfile) -> tuple[Cell, ...]:
    # Of a few values the names say more than a picture does.
    picture = _blocks(_bins(column)) if column.distinct > TOP else ""
    values = picture or _most(column, TOP)
    return *_start(table, column), *_range(column, _short), values


def _row(table: TableProfile, column: ColumnProfile) -> tuple[Cell, ...]:
    found = column.numbers or column.lengths
    spread = (_exact(found.mean), _exact(found.sd)) if found else ("", "")
    values = ",".join(map(str, _bins(column))) or _most(column, len(column.top))
    return *_start(table, column), *_range(column, _exact), *spread, values


def _start(table: TableProfile, column: ColumnProfile) -> tuple[Cell, ...]:
    distinct = f"~{column.distinct}" if "distinct" in column.estimated else str(column.distinct)
    kind = f"{column.type}, lengths" if column.lengths else column.type
    return named(table.files), column.name, kind, column.nulls, distinct


def _range(column: ColumnProfile, spelled: Callable[[object], str]) -> tuple[str, str, str]:
    """Return the smallest value, the middle and the largest."""
    found = column.numbers or column.lengths
    middle = [one.value for one in found.quantiles if one.at == 0.5] if found else []
    if not found or not middle:
        return "", "", ""
    about = "~" if "quantiles" in column.estimated else ""
    return spelled(found.min), about + spelled(middle[0]), spelled(found.max)


def _exact(value: object) -> str:
    return "" if value is None else str(value)


def _short(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else _exact(value).removesuffix("T00:00:00")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _bins(column: ColumnProfile) -> list[int]:
    return [one.rows for one in column.numbers.histogram] if column.numbers else []


def _blocks(counts: Sequence[float], most: float = 0) -> str:
    """Return a picture of how many rows lie in each interval; what is there at all can be seen."""
    most = most or max(counts, default=0)
    return "".join(_HEIGHTS[max(bool(count), round(count * 8 / most))] for count in counts) if most else ""


def _most(column: ColumnProfile, limit: int) -> str:
    return ", ".join(f"{_short(one.value)} ({one.rows})" for one in column.top[:limit])


# Drift.


def drifted(result: DataDrift) -> View:
    """The columns, the worst first; a terminal draws them, as wide as fits; `-q` prints those that fail."""
    words = ("TABLE", "", "COLUMN", "PSI", "KS", "NULLS", "BEFORE", "AFTER", "WHY")
    # The name of the only table says nothing on each line.
    start = int(len(result.tables) < 2)
    shown = [row[start:] for row in _shown_drift(result)]
    headings = [Column(word) for word in words[start:]]
    return View(headings, list(_drift_rows(result)), list(dict.fromkeys(_failing(result))), terminal_rows=shown)


def _shown_drift(result: DataDrift) -> Iterator[tuple[str, ...]]:
    for table in result.tables:
        if table.change:
            yield _name(table), table.verdict, *[""] * 6, f"the table was {table.change}"
        for one in table.columns:
            distances = ["" if value is None else f"{value:.4f}" for value in (one.psi, one.ks)]
            nulls = " → ".join(dict.fromkeys(filter(None, map(_share, (one.nulls_before, one.nulls_after)))))
            # The index stands in a column of its own.
            why = "; ".join(reason for reason in one.reasons if not reason.startswith("PSI "))
            yield _name(table), one.verdict, one.name, *distances, nulls, *_both(one), why


def _both(one: ColumnDrift) -> tuple[str, str]:
    """Return pictures of a column before and after, as shares of its own rows, and of the same height."""
    pairs = [(each.before, each.after) for each in one.histogram or one.top[:WIDE]]
    step = -(-len(pairs) // WIDE) or 1
    merged = [[sum(side) for side in zip(*pairs[at : at + step], strict=True)] for at in range(0, len(pairs), step)]
    before, after = ([counts[side] for counts in merged] for side in (0, 1))
    shares = [[count / (sum(counts) or 1) for count in counts] for counts in (before, after)]
    most = max((share for side in shares for share in side), default=0)
    return _blocks(shares[0], most), _blocks(shares[1], most)


def _failing(result: DataDrift) -> Iterator[str]:
    for table in result.tables:
        if table.change == "removed":
            yield _name(table)
        yield from (one.name for one in table.columns if one.verdict == "fail")


def _name(table: TableDrift) -> str:
    return named(table.files_after or table.files_before)


def _drift_rows(result: DataDrift) -> Iterator[tuple[str, ...]]:
    for table in result.tables:
        if table.change:
            yield table.verdict, _name(table), *[""] * 7, f"the table was {table.change}"
        for one in table.columns:
            nulls = (_share(one.nulls_before), _share(one.nulls_after))
            yield one.verdict, _name(table), one.name, one.by, *_distances(one), *nulls, "; ".join(one.reasons)


def _distances(one: ColumnDrift) -> tuple[str, ...]:
    return tuple("" if value is None else f"{value:.4f}" for value in (one.psi, one.ks, one.js))


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def markdown(result: DataDrift) -> Iterator[str]:
    """Yield the lines of a page in Markdown."""
    yield "# Drift"
    yield ""
    yield f"From {cell(result.before)} to {cell(result.after)}: **{result.verdict}**"
    yield ""
    heading = ("", "table", "column", "by", "PSI", "KS", "JS", "nulls before", "nulls after", "why")
    yield from markdown_table(heading, list(_drift_rows(result)))


def junit(result: DataDrift) -> Iterator[str]:
    """Yield the lines of a report as JUnit writes it: a case for each column."""
    cases = list(_cases(result))
    counts = f'tests="{len(cases)}" failures="{sum(verdict == "fail" for _, _, verdict, _ in cases)}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites {counts}><testsuite name="mlreg data drift" {counts}>'
    for table, column, verdict, told in cases:
        yield f"<testcase classname={attribute(table)} name={attribute(column)}>"
        if verdict == "fail":
            yield f"<failure message={attribute(told)}/>"
        yield f"<system-out>{html.escape(safe(told))}</system-out></testcase>"
    yield "</testsuite></testsuites>"


def _cases(result: DataDrift) -> Iterator[tuple[str, str, str, str]]:
    for table in result.tables:
        if table.change:
            yield _name(table), "table", table.verdict, f"the table was {table.change}"
        for one in table.columns:
            index = f"PSI {one.psi:.4f}" if one.psi is not None else one.verdict
            yield _name(table), one.name, one.verdict, "; ".join(one.reasons) or index


DRIFT_REPORTS: Forms[DataDrift] = {"junit": junit, "markdown": markdown}
"""Forms of reports on drift, by the words that ask for them."""
