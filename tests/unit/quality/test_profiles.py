"""Profiles: what they say, that nothing but the rows decides it, and that files add up to all of their rows."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.quality import values
from mlreg.quality.file_profile import FileProfile, decode, encode
from mlreg.quality.numbers import POINTS, QUANTILES, Numbers, in_order, merged, numbers_of
from mlreg.quality.profile import added_up, shown
from mlreg.quality.profiling import profile_of
from mlreg.quality.tables import table_file

NUMBERS = st.lists(st.floats(-1e9, 1e9).map(lambda value: value + 0.0), min_size=1, max_size=60)


def profiled(path: Path) -> FileProfile:
    found = table_file(path)
    assert found
    return profile_of(found)


def summed(found: Sequence[float]) -> Numbers:
    ordered = in_order(np.asarray(found, np.float64))
    return numbers_of(ordered, len(found) - len(ordered))


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


# Numbers and values, file by file.


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.randoms())
def test_few_numbers_of_many_files_are_summed_up_as_those_of_one(
    files: list[list[float]], chance: random.Random
) -> None:
    whole = summed([one for file in files for one in file])
    parts = [summed(file) for file in files]

    added = merged(parts)
    chance.shuffle(parts)

    assert merged(parts) == added
    assert added._replace(mean=0, squares=0) == whole._replace(mean=0, squares=0)
    assert added.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-3)
    assert (added.sd or 0) == pytest.approx(whole.sd or 0, rel=1e-6, abs=1e-3)


@given(NUMBERS)
def test_numbers_are_those_of_numpy(found: list[float]) -> None:
    told = summed([*found, float("nan"), float("inf")])

    assert (told.size, told.not_finite) == (len(found), 2)
    assert (told.min, told.max) == (min(found), max(found))
    assert told.mean == pytest.approx(np.mean(found), rel=1e-9, abs=1e-6)
    assert told.quantiles == pytest.approx(np.quantile(found, QUANTILES), rel=1e-9, abs=1e-6)
    assert told.zeros == found.count(0)
    assert told.histogram
    assert sum(told.histogram.counts) == len(found)


def test_many_numbers_of_several_files_are_estimated_as_closely_as_is_promised() -> None:
    chance = np.random.default_rng(7)
    files = [chance.normal(at, 1 + at, 20_000) for at in range(4)]
    every = np.sort(np.concatenate(files))

    added = merged([summed(file.tolist()) for file in files])

    assert (added.is_exact, added.size) == (False, len(every))
    ranks = np.searchsorted(every, added.quantiles) / len(every)
    assert np.max(np.abs(ranks - QUANTILES)) <= 1 / POINTS
    assert added.sd == pytest.approx(np.std(every, ddof=1))


@given(st.lists(st.lists(st.integers(0, 30), max_size=40), min_size=2, max_size=4), st.randoms())
def test_few_values_of_many_files_are_counted_as_those_of_one(files: list[list[int]], chance: random.Random) -> None:
    def counted(found: list[int]) -> values.Values:
        return values.of_texts({str(one): found.count(one) for one in found})

    parts = [counted(file) for file in files]
    added = values.merged(parts)
    chance.shuffle(parts)

    assert values.merged(parts) == added
    assert dict(added.counts) == dict(counted([one for file in files for one in file]).counts)
    assert added.is_exact


def test_many_different_values_of_several_files_are_estimated_to_a_few_percent() -> None:
    parts = [
        values.of_texts({f"value {one}": 1 for one in range(start, start + 30_000)}) for start in (0, 10_000, 20_000)
    ]

    added = values.merged(parts)

    assert not added.is_exact
    assert added.distinct == pytest.approx(50_000, rel=0.06)
    assert values.merged(parts[::-1]) == added


# Files.

ROWS: list[tuple[Any, ...]] = [
    *((at % 7, at / 3, "abc"[at % 3], f"2026-01-{at % 28 + 1:02}", at % 2 == 0) for at in range(90)),
    (None, float("nan"), None, None, None),
    *[(3, -1.5, 'a,"b\n', "2026-02-01", True)] * 2,
]
NAMES = ("whole", "real", "word", "day", "flag")


def write_jsonl(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    path.write_text("".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows))
    return path


def test_a_profile_is_the_same_in_every_form_of_text(tmp_path: Path) -> None:
    one = profiled(write_csv(tmp_path / "a.csv", [NAMES, *ROWS]))
    other = profiled(write_jsonl(tmp_path / "a.jsonl", ROWS))

    assert one == other
    assert (one.rows, one.duplicates) == (93, 1)


def test_a_profile_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    mixed = random.Random(3).sample(ROWS, len(ROWS))

    assert profiled(write_csv(tmp_path / "a.csv", [NAMES, *ROWS])) == profiled(
        write_csv(tmp_path / "b.csv", [NAMES, *mixed])
    )


def test_a_profile_of_parquet_does_not_depend_on_threads_or_row_groups_and_is_that_of_text(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from datetime import date

    days = [(*row[:3], date.fromisoformat(row[3]) if row[3] else None, row[4]) for row in ROWS]
    columns = dict(zip(NAMES, map(list, zip(*days, strict=True)), strict=True))
    found = []
    for size in (10, 1000):
        parquet.write_table(arrow.table(columns), tmp_path / "a.parquet", row_group_size=size)
        table = table_file(tmp_path / "a.parquet")
        assert table
        found += [profile_of(table, threads=threads) for threads in (1, 2, 4)]

    text = profiled(write_csv(tmp_path / "a.csv", [NAMES, *ROWS]))
    assert all(one == found[0] for one in found)
    assert [one._replace(stored="") for one in found[0].columns] == [one._replace(stored="") for one in text.columns]
    assert found[0].duplicates == text.duplicates


def test_files_add_up_to_all_of_their_rows_in_any_order(tmp_path: Path) -> None:
    whole = profiled(write_csv(tmp_path / "all.csv", [NAMES, *ROWS]))
    parts = [
        profiled(write_csv(tmp_path / f"{start}.csv", [NAMES, *ROWS[start : start + 40]])) for start in (0, 40, 80)
    ]

    added = added_up(parts)

    assert added_up(parts[::-1]) == added
    for one, other in zip(added.columns, whole.columns, strict=True):
        assert (one.type, one.nulls, one.values) == (other.type, other.nulls, other.values)
        if one.numbers and other.numbers:
            assert one.numbers.quantiles == other.numbers.quantiles
            assert one.numbers.sd == pytest.approx(other.numbers.sd)
    assert [column.estimated for column in shown(added, ["all"]).columns] == [()] * len(NAMES)


def test_files_that_do_not_agree_on_a_type_are_told_of_as_mixed(tmp_path: Path) -> None:
    parts = [profiled(write_csv(tmp_path / f"{cell}.csv", [["a", "b"], [cell, "1.5"]])) for cell in ("1", "x")]

    added = added_up(parts)

    assert [column.type.value for column in added.columns] == ["mixed", "number"]
    assert added.columns[0].values.counts == (("1", 1), ("x", 1))


def test_what_is_kept_of_a_profile_is_all_of_it(tmp_path: Path) -> None:
    rows = [[str(number), f"text {number}", number / 7] for number in range(3000)]
    found = profiled(write_csv(tmp_path / "a.csv", [["a", "b", "c"], *rows]))

    kept = encode(found)

    assert decode(kept) == found
    assert decode(kept[:-3]) is None
    assert decode(b"") is None


def test_a_profile_is_what_pandas_says_of_real_data(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    datasets = pytest.importorskip("sklearn.datasets")
    frame = datasets.load_wine(as_frame=True).frame
    frame["name"] = frame["target"].map(lambda number: f"class {number}")
    frame.to_csv(tmp_path / "wine.csv", index=False)
    paths = [tmp_path / "wine.csv"]
    if find_spec("duckdb") and find_spec("pyarrow"):
        frame.to_parquet(tmp_path / "wine.parquet")
        paths.append(tmp_path / "wine.parquet")

    for path in paths:
        told = shown(profiled(path), [path.name])
        assert (told.rows, told.duplicates) == (len(frame), int(frame.duplicated().sum()))
        for column in told.columns:
            series = frame[column.name]
            assert (column.nulls, column.distinct) == (int(series.isna().sum()), series.nunique())
            if column.numbers:
                about = series.describe(percentiles=QUANTILES)
                assert column.numbers.mean == pytest.approx(about["mean"])
                assert column.numbers.sd == pytest.approx(about["std"])
                assert [one.value for one in column.numbers.quantiles] == pytest.approx(
                    series.quantile(QUANTILES).tolist()
                )
                counts, edges = np.histogram(series, bins=20)
                assert [one.rows for one in column.numbers.histogram] == counts.tolist()
                assert [one.low for one in column.numbers.histogram] == pytest.approx(edges[:-1].tolist())
            else:
                assert {one.value: one.rows for one in column.top} == series.value_counts().to_dict()


def test_a_number_that_no_float_holds_is_infinite(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"a": {10**400}}}\n{{"a": -1}}\n')

    (column,) = profiled(tmp_path / "a.jsonl").columns

    assert column.numbers
    assert (column.type.value, column.numbers.size, column.numbers.not_finite) == ("number", 1, 1)


def test_every_type_of_parquet_has_a_profile_and_no_name_of_a_column_is_in_the_way(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    made: dict[str, tuple[Any, list[Any], str]] = {
        "v": (pa.int8(), [1, None], "integer"),
        "n": (pa.uint64(), [2**64 - 1, 0], "number"),
        "size": (pa.decimal128(18, 3), [None, Decimal("1.25")], "number"),
        'q"x': (pa.float32(), [float("nan"), float("-inf")], "number"),
        "tz": (pa.timestamp("ns", "Europe/Berlin"), [0, 10**18], "timestamp"),
        "s": (pa.timestamp("s"), [0, 10**9], "timestamp"),
        "day": (pa.date32(), [0, 1], "date"),
        "clock": (pa.time64("us"), [0, None], "text"),
        "set": (pa.dictionary(pa.int8(), pa.string()), ["x", "y"], "text"),
        "raw": (pa.binary(), [b"\x00\xff", b""], "bytes"),
        "list": (pa.list_(pa.int64()), [[1], []], "json"),
        "object": (pa.struct({"a": pa.int64()}), [{"a": 1}, None], "json"),
        "nothing": (pa.null(), [None, None], "empty"),
    }
    arrays = {name: pa.array(values, kind) for name, (kind, values, _) in made.items()}
    parquet.write_table(pa.table(arrays), tmp_path / "a.parquet")

    told = shown(profiled(tmp_path / "a.parquet"), ["a.parquet"])

    assert {one.name: one.type for one in told.columns} == {name: word for name, (_, _, word) in made.items()}
    nulls = {name: values.count(None) for name, (_, values, _) in made.items()}
    assert {one.name: one.nulls for one in told.columns} == nulls
    tz = told.columns[4].numbers
    assert tz
    assert (tz.min, tz.max) == ("1970-01-01T00:00:00", "2001-09-09T01:46:40")
