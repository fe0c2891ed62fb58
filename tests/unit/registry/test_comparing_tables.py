"""The tables of two versions: only files that differ are read, and a row may go from one shard to another."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.registry.comparing import compare
from mlreg.registry.comparing_tables import RowQuestion, not_all_compared
from mlreg.registry.data import DataRegistry
from mlreg.registry.differences import TableDifference
from mlreg.registry.places import init

ANN = "Ann Lee <ann@example.org>"
Files = Mapping[str, bytes]


class Data:
    """A repository with a dataset."""

    def __init__(self, root: Path) -> None:
        self.datasets = DataRegistry(init(root / "project", shared=False)[0], ANN, root / "cache")
        self.versions = 0

    def add(self, files: Files) -> str:
        self.versions += 1
        self.datasets.register_dataset(files, "rows", f"2026.01.{self.versions:02}")
        return f"2026.01.{self.versions:02}"

    def differ(self, before: Files, after: Files, key: str = "", samples: int = 0) -> list[TableDifference]:
        """Register two versions, and return how their tables differ."""
        versions = self.add(before), self.add(after)
        found = self.datasets.diff("rows", *versions, rows=True, key=key.split(), samples=samples).tables
        assert found is not None
        return list(found)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def counts(one: TableDifference) -> tuple[int, int, int]:
    assert one.changes
    return one.changes.added, one.changes.removed, one.changes.changed


def table(*rows: str, head: str = "id,n") -> bytes:
    return "\n".join([head, *rows, ""]).encode()


def test_a_row_that_went_to_another_shard_is_no_difference(data: Data) -> None:
    before = {"t/part-0.csv": table("1,a", "2,b"), "t/part-1.csv": table("3,c"), "t/part-2.csv": table("9,z")}
    after = {"t/part-0.csv": table("1,a"), "t/part-1.csv": table("3,C"), "t/part-3.csv": table("2,b"), **before}
    after |= {"t/part-0.csv": table("1,a"), "t/part-1.csv": table("3,C")}

    (found,) = data.differ(before, after, "id", samples=9)

    assert found.before == ("t/part-0.csv", "t/part-1.csv")
    assert found.after == ("t/part-0.csv", "t/part-1.csv", "t/part-3.csv")
    assert counts(found) == (0, 0, 1)
    assert found.changes
    # What did not change was not read.
    assert (found.changes.rows_before, found.changes.equal) == (3, 2)
    (sample,) = found.changes.samples
    assert (sample.before, sample.after) == (("t/part-1.csv", 2), ("t/part-1.csv", 2))
    assert sample.key == {"id": "3"}


def test_files_of_other_names_and_folders_are_tables_of_their_own(data: Data) -> None:
    before = {"train.csv": table("1,a", "2,b"), "test.csv": table("3,c"), "old/train.csv": table("5,e")}
    after = {"train.csv": table("1,a"), "test.csv": table("2,b", "3,c"), "old/train.csv": table("5,f")}

    found = data.differ(before, after)

    assert [(one.after, counts(one)) for one in found] == [
        (("old/train.csv",), (1, 1, 0)),
        (("test.csv",), (1, 0, 0)),
        (("train.csv",), (0, 1, 0)),
    ]


def test_shards_with_other_columns_are_other_tables_unless_a_file_became_the_other(data: Data) -> None:
    before = {"1.csv": table("1,a"), "2.csv": table("2,b"), "3.csv": table("x", head="y")}
    after = {"1.csv": table("1,a,", head="id,n,new"), "2.csv": table("2,c,", head="id,n,new"), "3.csv": table(head="y")}

    found = data.differ(before, after)

    assert [(one.after, counts(one)) for one in found] == [(("1.csv", "2.csv"), (1, 1, 0)), (("3.csv",), (0, 1, 0))]
    assert found[0].changes
    assert [(one.change, one.name) for one in found[0].changes.columns] == [("added", "new")]


def test_shards_that_spark_names_are_one_table(data: Data) -> None:
    names = [f"part-0000{n}-{n}b8a6a1e-33b9-4f0c-8d55-0c8f0a6c7d0{n}-c000.csv.gz" for n in (1, 2)]
    before = {names[0]: gzip.compress(table("1,a", "2,b"), mtime=0)}
    after = {names[1]: gzip.compress(table("2,b", "1,c"), mtime=0)}

    (found,) = data.differ(before, after, "id")

    assert (found.before, found.after) == ((names[0],), (names[1],))
    assert counts(found) == (0, 0, 1)


def test_a_table_that_was_renamed_or_is_the_same_is_not_read(data: Data) -> None:
    broken = b"a,b\n1\n"

    assert data.differ({"old.csv": broken, "same.csv": broken}, {"new.csv": broken, "same.csv": broken}) == []


def test_a_table_that_became_one_of_another_form_is_compared(data: Data) -> None:
    lines = b'{"id": 1, "n": "a"}\n{"n": "c", "id": 2}\n'

    (found,) = data.differ({"t.csv": table("1,a", "2,b")}, {"t.jsonl": lines}, "id", 1)

    assert (found.before, found.after, counts(found)) == (("t.csv",), ("t.jsonl",), (0, 0, 1))
    assert found.changes
    assert found.changes.columns == ()


BROKEN = {"bad.csv": b"id,n\n1,a\n2\n", "good.csv": table("1,a")}


def test_a_table_that_is_broken_is_named_by_ref_and_line_and_hides_no_other(data: Data) -> None:
    bad, good = data.differ({**BROKEN, "bad.csv": table("1,a")}, {**BROKEN, "good.csv": table("1,b")})

    assert counts(good) == (1, 1, 0)
    assert (bad.changes, bad.after) == (None, ("bad.csv",))
    assert bad.problem
    assert bad.problem.code == "bad_table"
    assert bad.problem.message == "data/rows@2026.01.02:bad.csv, line 3, is no sound CSV"
    error = not_all_compared([bad, good])
    assert error
    assert (error.code, error.exit_status) == ("not_all_compared", 12)
    assert "data/rows@2026.01.02:bad.csv, line 3" in error.why
    assert not_all_compared([good]) is None


def test_if_no_table_can_be_compared_the_first_error_is_that_of_all(data: Data) -> None:
    with pytest.raises(MlregError) as caught:
        data.differ({"a.csv": table("1,a"), "b.jsonl": b"{}\n"}, {"a.csv": b"id\n1,2\n", "b.jsonl": b'{"a":1}\n[\n'})

    assert caught.value.code == "bad_table"
    assert "a.csv, line 2" in caught.value.message


def test_parquet_that_is_cut_off_is_a_problem_of_its_table(data: Data) -> None:
    pytest.importorskip("duckdb")
    one, other = data.differ(
        {"a.csv": table("1,a"), "b.parquet": b"PAR1 and so on"}, {"a.csv": table(), "b.parquet": b"PAR1"}
    )

    assert counts(one) == (0, 1, 0)
    assert other.problem
    assert "b.parquet is no sound Parquet" in other.problem.message


def test_without_duckdb_all_but_parquet_is_compared(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    one, other = data.differ(
        {"a.csv": table("1,a"), "b.parquet": b"PAR1 and so on"}, {"a.csv": table(), "b.parquet": b"PAR1 and so"}
    )

    assert counts(one) == (0, 1, 0)
    assert other.problem
    assert (other.problem.code, other.problem.fix) == ("missing_extra", ("pip install 'mlreg[data]'",))


def test_a_key_is_used_by_the_tables_that_have_it(data: Data) -> None:
    before = {"users.csv": table("1,a"), "words.csv": table("x", head="word")}
    after = {"users.csv": table("1,b"), "words.csv": table("y", head="word")}

    users, words = data.differ(before, after, "id")

    assert (counts(users), counts(words)) == ((0, 0, 1), (1, 1, 0))
    assert users.changes
    assert words.changes
    assert (users.changes.key, words.changes.key) == (("id",), ())


@pytest.mark.parametrize(("key", "fix"), [("idd", "did you mean id?"), ("id x", "the columns are id, n")])
def test_a_key_that_no_table_has_is_refused_with_what_was_meant(data: Data, key: str, fix: str) -> None:
    with pytest.raises(MlregError) as caught:
        data.differ({"users.csv": table("1,a")}, {"users.csv": table("1,b")}, key)

    assert (caught.value.code, caught.value.exit_status, caught.value.fix) == ("no_such_column", 2, (fix,))
    assert repr(key.rsplit(maxsplit=1)[-1]) in caught.value.why


def test_a_key_that_the_only_table_does_not_have_is_refused_before_it_is_read(data: Data) -> None:
    long = table(*["1,a"] * 5000, "1")

    with pytest.raises(MlregError) as caught:
        data.differ({"users.csv": table("1,a")}, {"users.csv": long}, "ids")
    assert caught.value.code == "no_such_column"
    with pytest.raises(MlregError) as caught:
        data.differ({"users.csv": table("1,a")}, {"users.csv": long}, "id")
    assert caught.value.code == "bad_table"


def test_two_files_are_compared_alone_whatever_they_are_called(data: Data) -> None:
    one = data.add({"a.csv": table("1,a"), "x": b"1"})
    two = data.add({"deep/b.csv": table("1,b"), "x": b"2", "a.csv": table("1,a")})
    refs = f"data/rows@{one}:a.csv", f"data/rows@{two}:deep/b.csv"
    registry = data.datasets.registry

    found = compare(registry, *refs, rows=RowQuestion(["id"]))

    assert (found.before, found.after, found.metadata, found.inputs) == (*refs, None, None)
    assert found.files
    assert [(file.change, file.path) for file in found.files] == [("changed", "deep/b.csv")]
    assert found.files[0].before
    assert found.files[0].before.ref == refs[0]
    assert found.tables
    assert [counts(table) for table in found.tables] == [(0, 0, 1)]
    same = compare(registry, refs[0], f"data/rows@{two}:a.csv", rows=RowQuestion())
    assert (same.same, same.files, same.tables) == (True, (), ())


@pytest.mark.parametrize(("one", "other"), [(":a.csv", ""), ("", ":a.csv"), (":deep", ":deep"), (":a.csv", ":deep")])
def test_a_file_is_compared_with_a_file_only(data: Data, one: str, other: str) -> None:
    version = data.add({"a.csv": table("1,a"), "deep/b.csv": table("1,a")})

    with pytest.raises(MlregError) as caught:
        compare(data.datasets.registry, f"data/rows@{version}{one}", f"data/rows@{version}{other}")

    assert caught.value.code == "path_in_diff"


def test_rows_are_not_read_unless_they_are_asked_for(data: Data) -> None:
    versions = data.add(BROKEN), data.add({**BROKEN, "bad.csv": b"a,b\n1\n"})

    assert data.datasets.diff("rows", *versions).tables is None
