"""Tables in files: what they are, what is in them, and what is said of those that are broken."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import MlregError, UsageError
from mlreg.quality.inferring import Guess
from mlreg.quality.schema import batches, schema_of
from mlreg.quality.tables import Form, TableFile, Type, table_file

Written = Callable[[str, bytes], TableFile]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """What writes a file and returns it as a table."""

    def write(name: str, data: bytes) -> TableFile:
        (tmp_path / name).write_bytes(data)
        found = table_file(tmp_path / name, name)
        assert found
        return found

    return write


def types(table: TableFile) -> dict[str, str]:
    return {column.name: column.type.value for column in schema_of(table).columns}


def test_types_are_those_of_all_cells(written: Written) -> None:
    rows = b'a,b,c,d,e,f\r\n1,x,true,2020-01-01,,1\r\n\r\n2,"1\n2",False,2020-01-02T03:04:05Z,1e5,2020-01-01\r\n'

    found = types(written("a.csv", b"\xef\xbb\xbf" + rows))

    assert found == {"a": "integer", "b": "text", "c": "boolean", "d": "timestamp", "e": "number", "f": "text"}


def test_types_of_json_are_those_of_its_values(written: Written) -> None:
    lines = b'{"a":1,"s":"x"}\n\n{"a":2.5,"b":"2020-01-01","s":1}\n{"a":3,"c":[1],"big":9223372036854775808}\n'

    table = written("a.jsonl", lines)

    assert types(table) == {"a": "number", "s": "mixed", "b": "date", "c": "json", "big": "number"}
    assert schema_of(table).rows == 3


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("ragged.csv", b"a,b\n1,2\n3\n", "line 3"),
        ("quote.csv", b'a,b\n1,"x"y\n3,4\n', "line 2"),
        ("open.csv", b'a,b\n1,2\n1,"x\n3,4\n', "line 3"),
        ("behind.csv", b'a,b\n1,"x\ny"\n3\n', "line 4"),
        ("mixed.csv", b"a,b\n1,2\n1,\xe9\n3,4\n", "line 3"),
        ("empty.csv", b"", "empty.csv"),
        ("wide.tsv", b"a\tb\n1\t2\t3\n", "line 2"),
        ("cut.jsonl", b'{"a":1}\n{"a":\n', "line 2"),
        ("number.jsonl", b'{"a":1}\n\n3\n', "line 3"),
        ("deep.jsonl", b'{"a":' + b"[" * 100_000, "line 1"),
        ("latin.jsonl", b'{"a":1}\n{"a":"\xe9"}\n', "line 2"),
        ("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-9], "cut.csv.gz"),
        ("cut.parquet", b"PAR1 and so on", "cut.parquet"),
        ("none.parquet", b"", "none.parquet"),
    ],
)
def test_a_broken_table_is_refused_by_file_and_line(written: Written, name: str, data: bytes, place: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("duckdb")
    table = written(name, data)

    with pytest.raises(UsageError) as error:
        schema_of(table)

    assert error.value.code == "bad_table"
    assert name in error.value.message
    assert place in error.value.message
    assert error.value.why
    assert error.value.fix


def test_the_first_bytes_of_a_file_count_more_than_its_name(written: Written, tmp_path: Path) -> None:
    assert written("a.csv", b"PAR1").form is Form.PARQUET
    assert written("a.tsv", gzip.compress(b"a\tb\n", mtime=0)).is_packed
    (tmp_path / "a.txt").write_bytes(b"a,b\n1,2\n")
    assert table_file(tmp_path / "a.txt") is None


@pytest.mark.parametrize(
    ("line", "names"), [(b"1;b", "column_1 column_2"), (b"a;a", "column_1 column_2"), (b"a;b", "a b")]
)
def test_a_first_row_that_cannot_be_names_is_data(written: Written, line: bytes, names: str) -> None:
    (batch,) = batches(written("a.csv", line + b"\n3;4,5\n"))

    assert " ".join(batch.names) == names
    assert batch.rows[-1] == ("3", "4,5")
    assert len(batch.rows) == batch.lines[-1] - (names == "a b")


def test_the_engine_reads_no_file_but_those_that_were_named(written: Written, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    from mlreg.quality.engine import connected

    table = written("a.csv", b"a\n1\n")
    other = written("b.csv", b"a\n2\n")
    with connected([table]) as connection:
        assert connection.execute("SELECT * FROM read_csv(?)", [str(table.path)]).fetchall() == [(1,)]
        for statement in (
            f"FROM read_csv('{other.path}')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
            "SET enable_external_access = true",
            "LOAD httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
        # It would be drawn on standard output.
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]
        # Times with a zone would be spelt as the machine likes them.
        assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("name", "told", "code", "fix"),
    [
        ("InvalidInputException", "Required module 'pytz' failed to import", "missing_extra", "pip install --upgrade"),
        ("OutOfMemoryException", "could not allocate block", "no_space", "make room"),
        ("InvalidInputException", "the footer is no footer", "bad_table", "write the file again"),
    ],
)
def test_what_the_engine_lacks_is_not_blamed_on_the_file(
    written: Written, name: str, told: str, code: str, fix: str
) -> None:
    duckdb = pytest.importorskip("duckdb")
    from mlreg.quality.engine import explained

    with pytest.raises(MlregError, match=r"a\.parquet") as error, explained(written("a.parquet", b"PAR1")):
        raise getattr(duckdb, name)(told)

    assert (error.value.code, error.value.why) == (code, told)
    assert error.value.fix[0].startswith(fix)


MADE = (st.integers(), st.floats(), st.dates(), st.datetimes(), st.booleans())
CELLS = st.one_of(*(made.map(str) for made in MADE), st.text(min_size=1))


@given(st.lists(CELLS, min_size=1), st.data())
def test_a_type_does_not_depend_on_the_order_of_rows_or_where_batches_end(
    cells: list[str], data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(cells))
    cut = data.draw(st.integers(0, len(cells)))
    one, other = Guess(), Guess()

    one.see(cells)
    other.see(mixed[:cut])
    other.see(mixed[cut:])

    assert one.type is other.type
    assert one.type is not Type.EMPTY
