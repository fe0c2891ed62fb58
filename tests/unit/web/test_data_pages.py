"""Pages on data as they are written: any table has one, and none grows without an end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.registry.drifting import data_drift
from mlreg.registry.profiling import profile
from mlreg.registry.registry import Registry
from mlreg.web import drift_page, profile_page

REGISTRY = Registry("nowhere", "Ann")
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.just(1e308)
TIMES = st.dates().map(str) | st.datetimes().map(lambda moment: moment.isoformat())
VALUES = st.none() | st.booleans() | NUMBERS | TIMES | st.text(max_size=9) | st.lists(st.integers(), max_size=2)
COLUMN = st.sampled_from([NUMBERS, st.integers(0, 40), TIMES, VALUES, st.none(), st.text(max_size=3)])
TABLE = st.dictionaries(
    st.sampled_from(["a", "b", "<c>", ""]),
    COLUMN.flatmap(lambda values: st.lists(values, min_size=14, max_size=14)),
    max_size=4,
)


class Elements(HTMLParser):
    """Which elements are open, and how many there were."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag != "meta":
            self.open.append(tag)
        if tag == "rect":
            assert all(0 <= float(value or 0) <= 1000 for name, value in attrs if name in ("x", "y", "width", "height"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> str:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@settings(max_examples=60)
@given(TABLE, TABLE)
def test_any_table_has_a_page_and_so_have_any_two(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> None:
    with TemporaryDirectory() as directory:
        first, second = (write(Path(directory) / f"{at}.jsonl", some) for at, some in enumerate((one, other)))
        found, drift = profile(REGISTRY, first), data_drift(REGISTRY, first, second)

    for text, tables in ((profile_page.page(found), found.tables), (drift_page.page(drift), drift.tables)):
        elements = Elements(text)
        assert elements.open == []
        assert elements.counts.get("article", 0) == sum(len(table.columns) for table in tables)


def test_a_page_has_so_many_columns_and_says_how_many_more_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_page, "MOST_COLUMNS", 3)
    monkeypatch.setattr(drift_page, "MOST_COLUMNS", 3)
    for name in "abc":
        write(tmp_path / f"{name}.jsonl", {f"{name}{at}": [at] for at in range(2)})

    found = profile(REGISTRY, str(tmp_path))
    for text in (profile_page.page(found), drift_page.page(data_drift(REGISTRY, str(tmp_path), str(tmp_path)))):
        assert Elements(text).counts["article"] == 3
        assert [f"{left} column" in text for left in (0, 1, 2)] == [False, True, True]
