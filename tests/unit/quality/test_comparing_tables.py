"""What differs between two tables is what dictionaries say, in every form, however the rows lie in files."""

from __future__ import annotations

import csv
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import UnsupportedError, UsageError
from mlreg.quality import digests
from mlreg.quality.comparing_tables import compare_tables, moved
from mlreg.quality.counted import Shard
from mlreg.quality.table_changes import RowPlace, TableChanges
from mlreg.quality.tables import table_file

Row = Mapping[str, Any]
Table = Sequence[Row]
COLUMNS = ("a", "b", "c")
NUMBER = count()


# Forms: how rows are written, and which cells are equal.


def write_csv(path: Path, rows: Table, columns: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([columns, *([row.get(name) for name in columns] for row in rows)])


def write_json(path: Path, rows: Table, columns: Sequence[str]) -> None:
    lines = (json.dumps({name: row[name] for name in columns if name in row}) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines))


def write_parquet(path: Path, rows: Table, columns: Sequence[str]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = dict(zip(COLUMNS, (pa.int64(), pa.string(), pa.float64()), strict=True))
    fields = {name: pa.array([row.get(name) for row in rows], kinds.get(name)) for name in columns}
    parquet.write_table(pa.table(fields), path, row_group_size=3)


def by_value(cell: Any) -> Hashable:
    """Return a cell so that Python finds equal what is equal as a value: 1 and 1.0, NaN and NaN, not 1 and True."""
    if isinstance(cell, float) and math.isnan(cell):
        return "NaN", 0
    if isinstance(cell, float) and cell.is_integer():
        return "int", int(cell)
    if isinstance(cell, list):
        return "list", tuple(map(by_value, cell))
    if isinstance(cell, dict):
        return "dict", tuple(sorted((name, by_value(one)) for name, one in cell.items()))
    return type(cell).__name__, cell


class Form(NamedTuple):
    """A form of tables."""

    suffix: str
    write: Callable[[Path, Table, Sequence[str]], None]
    cells: tuple[st.SearchStrategy[Any], ...]
    """Of each of the columns."""


TEXT = st.sampled_from(["x", "y", "0", "0.0", "00", ' "', "a,b\nc", "\r", "é", "NULL", "\x00"])
JSON = st.sampled_from([0, 0.0, 1, 1.5, True, "", "1", [1], [1.0], {"p": 1, "q": 2}, {"q": 2, "p": 1}, math.nan])
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, 1e300])
INTEGERS, WORDS = st.integers(-1, 2), st.sampled_from(["", "x", "y", "é\n"])
FORMS = [
    Form(".csv", write_csv, (TEXT, TEXT, TEXT)),
    Form(".jsonl", write_json, (JSON, JSON, JSON)),
]
if find_spec("duckdb") and find_spec("pyarrow"):
    FORMS.append(Form(".parquet", write_parquet, (INTEGERS, WORDS, NUMBERS)))
A_FORM = st.sampled_from([*FORMS[:2], *FORMS])
"""Parquet less often: opening the engine takes longer than all else."""


def rows_in(form: Form) -> st.SearchStrategy[list[Row]]:
    """Rows whose cells are often null, and often equal."""
    cells = {name: st.none() | values for name, values in zip(COLUMNS, form.cells, strict=True)}
    return st.lists(st.fixed_dictionaries(cells), max_size=8)


def compared(
    form: Form,
    before: Table | Sequence[Table],
    after: Table | Sequence[Table],
    key: Sequence[str] = (),
    samples: int = 0,
    columns: tuple[Sequence[str], Sequence[str]] = (COLUMNS, COLUMNS),
) -> TableChanges:
    """Write two tables, each in one file or in several, and compare them."""
    with TemporaryDirectory() as directory:
        sides = []
        for rows, names in zip((before, after), columns, strict=True):
            files = rows if rows and not isinstance(rows[0], Mapping) else [rows]
            shards = []
            for number, part in enumerate(files):
                path = Path(directory, f"{next(NUMBER)}{form.suffix}")
                form.write(path, part, names)  # type: ignore[arg-type]  # a file of rows
                table = table_file(path)
                assert table
                shards.append(Shard(f"{number}{form.suffix}", table))
            sides.append(shards)
        return compare_tables((sides[0], sides[1]), key, samples)


def whole(row: Row, columns: Sequence[str] = COLUMNS) -> Hashable:
    """Return all of a row that counts: nulls are as if they were not there."""
    return tuple((name, by_value(row[name])) for name in columns if row.get(name) is not None)


def counts(found: TableChanges) -> tuple[int, int, int]:
    return found.added, found.removed, found.changed


# What dictionaries say.


@given(form=A_FORM, data=st.data())
def test_rows_with_keys_differ_as_dictionaries_do(form: Form, data: st.DataObject) -> None:
    tables = [data.draw(rows_in(form)) for _ in "ab"]
    before, after = ({whole(row, ["a"]): row for row in rows} for rows in tables)

    found = compared(form, list(before.values()), list(after.values()), ["a"], samples=99)

    both = [(before[name], after[name]) for name in before.keys() & after.keys()]
    changed = [pair for pair in both if whole(pair[0]) != whole(pair[1])]
    assert counts(found) == (len(after.keys() - before.keys()), len(before.keys() - after.keys()), len(changed))
    assert found.unpaired == 0
    cells = {name: sum(whole(old, [name]) != whole(new, [name]) for old, new in changed) for name in COLUMNS}
    assert {one.column: one.rows for one in found.cells} == {name: n for name, n in cells.items() if n}
    assert found.equal == len(both) - len(changed)
    assert found.equal == found.rows_after - found.added - found.changed


@given(form=A_FORM, data=st.data())
def test_rows_without_keys_differ_as_multisets_do(form: Form, data: st.DataObject) -> None:
    before, after = (data.draw(rows_in(form)) for _ in "ab")

    found = compared(form, before, after)

    old, new = Counter(map(whole, before)), Counter(map(whole, after))
    assert counts(found) == ((new - old).total(), (old - new).total(), 0)
    assert (found.rows_before, found.rows_after) == (len(before), len(after))
    assert (found.cells, found.samples, found.key) == ((), (), ())


@given(form=A_FORM, data=st.data())
def test_what_a_key_does_not_tell_apart_is_removed_and_added_and_counted(form: Form, data: st.DataObject) -> None:
    before, after = (data.draw(rows_in(form)) for _ in "ab")
    old, new = Counter(map(whole, before)), Counter(map(whole, after))
    by_key: dict[Hashable, list[int]] = {}
    for side, left in enumerate((old - new, new - old)):
        for row, times in left.items():
            assert isinstance(row, tuple)
            by_key.setdefault(tuple(cell for cell in row if cell[0] in "ab"), [0, 0])[side] += times

    found = compared(form, before, after, ["a", "b"])

    pairs = [sides for sides in by_key.values() if sides == [1, 1]]
    others = [sides for sides in by_key.values() if sides != [1, 1]]
    assert counts(found) == (sum(n for _, n in others), sum(n for n, _ in others), len(pairs))
    assert found.unpaired == sum(sum(sides) for sides in others if all(sides))


@given(form=st.sampled_from([FORMS[1], *FORMS[1:]]), data=st.data())  # of these, every row is a line
def test_what_is_shown_of_all_rows_makes_the_first_table_the_second(form: Form, data: st.DataObject) -> None:
    before, after = (data.draw(rows_in(form)) for _ in "ab")

    found = compared(form, before, after, data.draw(st.sampled_from([(), ("a",)])), samples=99)

    rows = Counter(map(whole, before))
    for one in found.samples:
        old = before[one.before.line - 1] if one.before else {}
        new = after[one.after.line - 1] if one.after else {}
        assert (bool(one.before), bool(one.after)) == (one.change != "added", one.change != "removed")
        assert {cell.column for cell in one.cells} == {
            name for name in COLUMNS if whole(old, [name]) != whole(new, [name])
        }
        rows[whole(old)] -= 1 if one.before else 0
        rows[whole(new)] += 1 if one.after else 0
    assert +rows == Counter(map(whole, after))
    assert min(rows.values(), default=0) >= 0


# What must not matter.


@given(form=A_FORM, data=st.data())
def test_neither_the_order_of_rows_nor_the_files_they_are_in_matter(form: Form, data: st.DataObject) -> None:
    before, after = (data.draw(rows_in(form)) for _ in "ab")
    key = data.draw(st.sampled_from([(), ("a",), ("a", "c")]))
    mixed = [data.draw(st.permutations(rows)) for rows in (before, after)]
    cuts = [data.draw(st.integers(0, len(rows))) for rows in mixed]
    parts = [[rows[:cut], rows[cut:]] for rows, cut in zip(mixed, cuts, strict=True)]

    whole_tables, sharded = compared(form, before, after, key), compared(form, parts[0], parts[1], key)

    assert sharded._replace(columns=()) == whole_tables._replace(columns=())


@given(form=A_FORM, data=st.data())
def test_the_other_way_round_what_was_added_is_removed(form: Form, data: st.DataObject) -> None:
    before, after = (data.draw(rows_in(form)) for _ in "ab")
    key = data.draw(st.sampled_from([(), ("b",), ("a", "c")]))

    one, other = compared(form, before, after, key), compared(form, after, before, key)

    assert counts(other) == (one.removed, one.added, one.changed)
    assert (other.cells, other.unpaired, other.equal) == (one.cells, one.unpaired, one.equal)


@given(form=A_FORM, data=st.data())
def test_nothing_differs_between_a_table_and_itself(form: Form, data: st.DataObject) -> None:
    rows = data.draw(rows_in(form))
    key = data.draw(st.sampled_from([(), ("a",)]))

    found = compared(form, rows, rows, key, samples=5)

    assert counts(found) == (0, 0, 0)
    assert (found.unpaired, found.columns, found.cells, found.samples) == (0, (), (), ())
    assert found.equal == len(rows)


@given(form=A_FORM, data=st.data())
def test_only_columns_that_both_have_are_compared_wherever_they_stand(form: Form, data: st.DataObject) -> None:
    rows = [{**row, "a": 1 if form.suffix != ".csv" else "1"} for row in data.draw(rows_in(form))]
    names = data.draw(st.permutations([*COLUMNS, "late"]))
    old = data.draw(st.sets(st.sampled_from(COLUMNS)).map(lambda some: [one for one in COLUMNS if one in {*some, "a"}]))
    later = [{**row, "late": n} for n, row in enumerate(rows)]

    found = compared(form, rows, later, columns=(old, names))

    assert counts(found) == (0, 0, 0)
    assert found.equal == len(rows)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.suffix)
def test_a_column_that_a_shard_does_not_have_is_null_there(form: Form, tmp_path: Path) -> None:
    first, second, third = (1, 2, 3) if form.suffix != ".csv" else ("1", "2", "3")
    shards: list[list[tuple[Table, str]]] = [
        [([{"b": "x", "a": first}], "ba"), ([{"a": second, "c": None}], "ac")],
        [([{"a": second, "b": None}, {"a": third, "b": "y"}], "ab"), ([{"c": None, "a": first, "b": "x"}], "cab")],
    ]
    sides: list[list[Shard]] = [[], []]
    for side, files in enumerate(shards):
        for rows, columns in files:
            path = tmp_path / f"{next(NUMBER)}{form.suffix}"
            form.write(path, rows, list(columns))
            table = table_file(path)
            assert table
            sides[side].append(Shard(path.name, table))

    for key in ([], ["a"], ["b", "a"]):
        found = compare_tables((sides[0], sides[1]), key)
        assert counts(found) == (1, 0, 0), key
        assert (found.equal, found.compared) == (2, ("a", "b", "c"))
    assert compare_tables((sides[0], sides[1]), ["a"], -1).samples == ()
    assert len(compare_tables((sides[0], sides[1]), ["a"], 1 << 70).samples) == 1


def test_cells_are_not_mistaken_for_others_whatever_characters_they_hold() -> None:
    pairs = [("x\0y", "z"), ("x", "y\0z"), ("x'", "y"), ("x", "'y"), ("x\0", "y"), ("x", "\0y"), ("'x', 'y'", "z")]
    rows = [{"a": one, "b": other} for one, other in pairs]

    for form in FORMS[:2]:
        for at, row in enumerate(rows):
            assert counts(compared(form, rows, rows[:at] + rows[at + 1 :])) == (0, 1, 0), row
            assert counts(compared(form, [row], rows[:at] + rows[at + 1 :])) == (len(rows) - 1, 1, 0), row


def test_what_is_much_goes_to_the_disk_and_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    before = [{"a": f"{n}", "b": f"{chance.random()}"} for n in range(3000)]
    after = [{**row, "b": "new"} if chance.random() < 0.1 else row for row in before if chance.random() < 0.9]
    form = FORMS[0]
    held = compared(form, before, after, ["a"], samples=3)

    monkeypatch.setattr(digests, "HELD", 64)

    assert compared(form, before, after, ["a"], samples=3) == held
    assert held.changed > 200
    assert held.removed > 200


def test_the_first_rows_by_their_place_are_shown() -> None:
    before = [{"a": f"{n}", "b": "old"} for n in range(500)]
    after = [{"a": f"{n}", "b": "new" if n % 7 == 3 else "old"} for n in range(20, 500)][::-1]
    after += [{"a": f"x{n}", "b": ""} for n in range(50)]

    found = compared(FORMS[0], before, after, ["a"], samples=2)

    assert [(one.change, one.key) for one in found.samples] == [
        ("added", {"a": "x0"}),
        ("added", {"a": "x1"}),
        ("removed", {"a": "0"}),
        ("removed", {"a": "1"}),
        ("changed", {"a": "493"}),
        ("changed", {"a": "486"}),
    ]
    last = found.samples[-1]
    assert (last.before, last.after) == (RowPlace("0.csv", 488), RowPlace("0.csv", 15))
    assert [tuple(cell) for cell in last.cells] == [("b", "old", "new")]
    assert [tuple(cell) for cell in found.samples[0].cells] == [("a", None, "x0")]


# Columns.


@given(st.permutations(range(7)))
def test_the_names_that_do_not_move_stand_in_order_and_no_fewer_move(order: list[int]) -> None:
    names = [str(one) for one in order]
    ordered = sorted(names)

    found = moved(ordered, names)

    stay = [name for name in names if name not in found]
    assert stay == sorted(stay)
    longest = [1] * len(names)
    for at in range(len(names)):
        longest[at] = 1 + max((longest[one] for one in range(at) if names[one] < names[at]), default=0)
    assert len(stay) == max(longest)


def test_columns_are_added_removed_moved_and_of_another_type() -> None:
    before = [{"gone": "x", "a": "1", "b": "x", "c": "1"}]
    after = [{"c": "1", "a": "1.5", "b": "x", "come": ""}]

    found = compared(FORMS[0], before, after, columns=(["gone", "a", "b", "c"], ["c", "a", "b", "come"]))

    assert [(one.change, one.name) for one in found.columns] == [
        ("moved", "c"),
        ("changed", "a"),
        ("added", "come"),
        ("removed", "gone"),
    ]
    changed = found.columns[1]
    assert (changed.before, changed.after) == (("integer", "integer", 2), ("number", "number", 2))
    assert found.compared == ("a", "b", "c")


def test_tables_without_a_column_in_common_have_no_row_in_common() -> None:
    for form in FORMS:
        empty: list[Row] = [{"a": None, "b": None}] * 3

        found = compared(form, empty, [{"c": None}] * 2, ["a"], 1, (["a"], ["c"]))

        # In JSON lines, a line says which keys there are.
        assert counts(found) == (2, 3, 0), form.suffix
        assert found.key == ()


def test_a_table_that_is_new_is_added_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n2\n")
    table = table_file(tmp_path / "a.csv")
    assert table

    found = compare_tables(([], [Shard("a.csv", table)]), ["a"], 1)

    assert (counts(found), found.rows_before, found.rows_after) == ((2, 0, 0), 0, 2)
    assert [(one.change, one.name) for one in found.columns] == [("added", "a")]
    assert compare_tables(([Shard("a.csv", table)], [])).removed == 2


def test_one_form_is_compared_with_another_by_text(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    rows: list[Row] = [{"a": 1, "b": "x", "c": 0.5}, {"a": 2, "b": None, "c": None}]
    write_parquet(tmp_path / "t.parquet", rows, COLUMNS)
    write_csv(tmp_path / "t.csv", [*rows, {"a": 3, "b": "new"}], COLUMNS)
    write_json(tmp_path / "t.jsonl", rows, COLUMNS)
    sides = {}
    for end in ("parquet", "csv", "jsonl"):
        table = table_file(tmp_path / f"t.{end}")
        assert table
        sides[end] = [Shard(f"t.{end}", table)]

    found = compare_tables((sides["parquet"], sides["csv"]), ["a"], 2)

    assert (counts(found), found.columns) == ((1, 0, 0), ())
    assert found.samples[0].key == {"a": "3"}
    assert counts(compare_tables((sides["csv"], sides["parquet"]), ["a"], 2)) == (0, 1, 0)
    assert counts(compare_tables((sides["jsonl"], sides["parquet"]), ["a"])) == (0, 0, 0)


# Parquet.


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[..., TableChanges]:
    """What compares two tables of Arrow, as Parquet."""
    pytest.importorskip("duckdb")
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    def compare(before: Any, after: Any, key: Sequence[str] = (), samples: int = 0) -> TableChanges:
        sides = []
        for number, fields in enumerate((before, after)):
            parquet.write_table(pa.table(fields), tmp_path / f"{number}.parquet")
            table = table_file(tmp_path / f"{number}.parquet")
            assert table
            sides.append([Shard(f"{number}.parquet", table)])
        return compare_tables((sides[0], sides[1]), key, samples)

    return compare


def test_numbers_of_another_type_are_equal_if_their_values_are(parquet: Callable[..., TableChanges]) -> None:
    pa = pytest.importorskip("pyarrow")
    narrow = {"a": pa.array([1, 2, 3], pa.int8()), "b": pa.array([1, 2, None], pa.int64())}
    wide = {"a": pa.array([1, 2, 3], pa.int64()), "b": pa.array([1.0, 2.5, None], pa.float64())}

    found = parquet(narrow, wide, ["a"], 1)

    assert counts(found) == (0, 0, 1)
    assert [(one.change, one.name) for one in found.columns] == [("changed", "a"), ("changed", "b")]
    assert [tuple(cell) for cell in found.samples[0].cells] == [("b", 2, 2.5)]


def test_columns_of_parquet_may_have_any_names_and_types(parquet: Callable[..., TableChanges]) -> None:
    pa = pytest.importorskip("pyarrow")
    names = ['"q"', "c0", "c1", "side", "file", "line", "number", "file_row_number", "Ä b", "filename"]
    same = {name: pa.array([number, number + 1]) for number, name in enumerate(names)}
    deep = {
        "list": pa.array([[1, None], []]),
        "struct": pa.array([{"x": 1.0, "y": "b"}, None]),
        "time": pa.array([0, 10**9], pa.timestamp("us", "UTC")),
        "bytes": pa.array([b"\x00", b"\xff"]),
        "decimal": pa.array([1, 2], pa.decimal128(10, 2)),
        "boolean": pa.array([True, None]),
    }

    found = parquet({**same, **deep}, {**same, **deep, "list": pa.array([[1, 2], []])}, ["number", "c0"], 2)

    assert counts(found) == (0, 0, 1)
    assert [tuple(cell) for cell in found.samples[0].cells] == [("list", "[1,null]", "[1,2]")]
    assert found.samples[0].key == {"number": 6, "c0": 1}
    assert (found.columns, found.equal) == ((), 1)


def test_null_is_not_empty_text_in_parquet_and_is_equal_to_null(parquet: Callable[..., TableChanges]) -> None:
    assert counts(parquet({"a": [1, None], "b": ["", "x"]}, {"a": [1, None], "b": [None, "y"]}, ["a"])) == (0, 0, 2)


def test_parquet_without_duckdb_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and so on")
    table = table_file(tmp_path / "t.parquet")
    assert table
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)

    with pytest.raises(UnsupportedError) as error:
        compare_tables(([Shard("t.parquet", table)], []))

    assert (error.value.code, error.value.fix) == ("missing_extra", ("pip install 'mlreg[data]'",))


# What is broken, and what is real.


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("ragged.csv", b"a,b\n1,2\n3\n", "line 3"),
        ("quote.csv", b'a,b\n1,"x"y\n', "line 2"),
        ("mixed.csv", b"a,b\n1,2\n1,\xe9\n", "line 3"),
        ("bad.jsonl", b'{"a":1}\n\n{"a":\n', "line 3"),
        ("deep.jsonl", b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}\n", "line 1"),
        ("cut.parquet", b"PAR1 and so on", "cut.parquet"),
    ],
)
def test_a_broken_table_is_named_with_its_line(tmp_path: Path, name: str, data: bytes, place: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("duckdb")
    (tmp_path / name).write_bytes(data)
    table = table_file(tmp_path / name, name)
    assert table

    with pytest.raises(UsageError) as error:
        compare_tables(([Shard(name, table)], [Shard(name, table)]), ["a"])

    assert error.value.code == "bad_table"
    assert place in error.value.message


@pytest.mark.parametrize("name", ["iris.csv", "wine_data.csv"])
def test_real_tables_differ_as_a_merge_of_pandas_says(name: str, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    data = pytest.importorskip("sklearn.datasets")
    path = Path(data.__file__).parent / "data" / name
    frame = pandas.read_csv(path, skiprows=1, header=None, dtype=str)
    frame.columns = [f"f{at}" for at in frame.columns]
    chance = random.Random(3)
    other = frame.drop(index=chance.sample(range(len(frame)), 20)).sample(frac=1, random_state=1)
    other.iloc[5:15, 1] = "7.77"
    other = pandas.concat([other, frame.iloc[[0, 0, 9]]])
    frame.to_csv(tmp_path / "before.csv", index=False)
    other.to_csv(tmp_path / "after.csv", index=False)
    sides = []
    for side in ("before", "after"):
        table = table_file(tmp_path / f"{side}.csv")
        assert table
        sides.append([Shard(f"{side}.csv", table)])

    found = compare_tables((sides[0], sides[1]))

    # Equal rows are numbered, so that a merge takes each once.
    numbered = [one.assign(n=one.groupby(list(frame.columns)).cumcount()) for one in (frame, other)]
    merged = numbered[0].merge(numbered[1], how="outer", indicator=True)["_merge"].value_counts()
    assert counts(found) == (merged["right_only"], merged["left_only"], 0)
    assert found.equal == merged["both"]
    assert found.removed > 20
