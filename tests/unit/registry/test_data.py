"""Datasets from code: what is handed over comes back, whole, in part, and as tables."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlreg.codecs.codec import Buffer
from mlreg.config import Config
from mlreg.errors import ConflictError, MlregError, NotFoundError, TaintedError, UsageError
from mlreg.formats.recipe import Part
from mlreg.operations import stored_file
from mlreg.registry import DataRegistry
from mlreg.registry.frames import sources_of


@pytest.fixture
def datasets(tmp_path: Path) -> DataRegistry:
    return DataRegistry(tmp_path / "registry", "Ann", tmp_path / "cache")


@pytest.fixture
def pandas() -> Any:
    pytest.importorskip("pyarrow")
    return pytest.importorskip("pandas")


def content_of(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_a_mapping_comes_back_as_a_directory(datasets: DataRegistry, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "x").write_bytes(b"x")
    (tmp_path / "one").write_bytes(b"1")

    files: dict[str, Any] = {"a/b.txt": b"ab", "tree": tmp_path / "in", "c": str(tmp_path / "one"), "d": {"e": b"e"}}
    info = datasets.register_dataset(files, "set", "2026.11.23")

    found = {"a/b.txt": b"ab", "tree/deep/x": b"x", "c": b"1", "d/e": b"e"}
    assert content_of(datasets.get_dataset("set")) == found
    assert [file.path for file in datasets.list_files("set", "latest", "d")] == ["d/e"]
    assert (info.ref, info.files) == ("data/set@2026.11.23", 4)


def test_a_file_and_bytes_come_back_as_a_file(datasets: DataRegistry, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"a\n1\n")
    datasets.register_dataset(tmp_path / "rows.csv", "rows")
    datasets.register_dataset(b"\0bytes", "raw")

    assert datasets.get_dataset("rows").name == "rows.csv"
    assert datasets.get_dataset("rows").read_bytes() == b"a\n1\n"
    assert datasets.get_dataset("raw").read_bytes() == b"\0bytes"


def test_a_version_is_called_by_the_day_and_the_same_content_is_the_same_version(datasets: DataRegistry) -> None:
    first = datasets.register_dataset(b"1", "set")
    again = datasets.register_dataset(b"1", "set")
    other = datasets.register_dataset(b"2", "set")

    assert re.fullmatch(r"20\d\d\.\d\d\.\d\d", first.version)
    assert again.id == first.id
    assert [one.version for one in datasets.list_versions("set")] == [other.version, first.version]
    with pytest.raises(ConflictError):
        datasets.register_dataset(b"3", "set", first.version)


def test_a_part_is_got_without_the_rest(datasets: DataRegistry, tmp_path: Path) -> None:
    datasets.register_dataset({"train/a": b"a", "train/b": b"b", "test/a": b"c"}, "set")

    assert content_of(datasets.get_dataset("set", directory=tmp_path / "out", path="train")) == {"a": b"a", "b": b"b"}
    assert datasets.get_dataset("set", path="test/a").read_bytes() == b"c"
    assert content_of(tmp_path / "out") == {"train/a": b"a", "train/b": b"b"}
    with pytest.raises(NotFoundError):
        datasets.get_dataset("set", path="nothing")


def test_an_opened_file_reads_only_the_pieces_of_what_is_asked_for(
    datasets: DataRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(number.to_bytes(4, "big") for number in range(3_000_000))
    datasets.register_dataset({"large": data}, "set")
    objects = datasets.registry.repository.objects
    read: list[int] = []
    original = objects.read_part

    def counted(part: Part) -> Buffer:
        read.append(part.end - part.start)
        return original(part)

    monkeypatch.setattr(objects, "read_part", counted)

    with datasets.open("set", "latest", "large") as file:
        assert (file.size, file.seek(-8, io.SEEK_END), file.read()) == (len(data), len(data) - 8, data[-8:])
        file.seek(5_000_000)
        assert file.read(10) == data[5_000_000:5_000_010]

    assert 0 < sum(read) < len(data) / 2
    with pytest.raises(UsageError):
        datasets.open("set", "latest", "")


def test_a_dataset_is_looked_at_tagged_compared_and_traced(datasets: DataRegistry) -> None:
    raw = datasets.register_dataset(b"raw", "raw", "2026.11.01")
    datasets.register_dataset({"a": b"1"}, "set", "2026.11.02", {"license": "mit"}, inputs=[("raw", raw.ref)])
    datasets.register_dataset({"a": b"1", "b": b"2"}, "set", "2026.11.03", {"license": "mit"}, tags=["golden"])
    datasets.tag("set", "2026.11.02", "first")

    assert [one.ref for one in datasets.list_datasets("s*")] == ["data/set"]
    assert datasets.get_info("set", "first").metadata == {"license": "mit"}
    assert [node.ref for node in datasets.lineage("set", "first")] == ["data/set@2026.11.02", raw.ref]
    assert [node.ref for node in datasets.used_by("raw")] == [raw.ref, "data/set@2026.11.02"]
    changes = datasets.diff("set", "first", "golden").files
    assert changes is not None
    assert [(one.after.path if one.after else "") for one in changes] == ["b"]
    datasets.registry.untag("data/set@first")
    assert datasets.delete("set", "2026.11.02").changed


@pytest.mark.parametrize("end", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("into", ["pandas", "arrow", "duckdb"])
def test_tables_come_back_one_below_the_other(datasets: DataRegistry, pandas: Any, end: str, into: str) -> None:
    pytest.importorskip("duckdb")
    frame = pandas.DataFrame({"n": [1, 2, 3], "word": ["a", "b, c", 'd"e']})
    forms: dict[str, Callable[[Any], Any]] = {
        "csv": lambda rows: rows.to_csv(index=False).encode(),
        "tsv": lambda rows: rows.to_csv(index=False, sep="\t").encode(),
        "jsonl": lambda rows: rows.to_json(orient="records", lines=True).encode(),
        "parquet": lambda rows: rows,
    }
    form = forms[end]
    datasets.register_dataset({f"a.{end}": form(frame[:2]), f"b.{end}": form(frame[2:]), "README": b"hi"}, "set")

    found = datasets.get_dataset("set", into=into)

    method = {"arrow": "to_pandas", "duckdb": "df"}.get(into)
    rows = getattr(found, method)() if method else found
    assert rows.to_dict("list") == frame.to_dict("list")


def test_a_table_is_kept_as_parquet_and_the_same_table_is_the_same_version(datasets: DataRegistry, pandas: Any) -> None:
    import pyarrow

    frame = pandas.DataFrame({"n": [1, 2], "t": pandas.to_datetime(["2026-01-01", None])})
    first = datasets.register_dataset(frame, "set")

    assert datasets.register_dataset(frame.copy(), "set").id == first.id
    assert datasets.get_dataset("set", into="pandas").equals(frame)
    arrow = pyarrow.table({"x": [1.5, None]})
    datasets.register_dataset(arrow, "arrow")
    assert datasets.get_dataset("arrow", into="arrow").equals(arrow)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (object(), "bad_data"),
        ({"a": 3}, "bad_data"),
        ({"../a": b"1"}, "unsafe_path"),
        ({"a": b"1", "A": b"2"}, "colliding_paths"),
        ("/nowhere", "file_missing"),
        ({}, "nothing_to_add"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_registered(
    datasets: DataRegistry, data: object, code: str
) -> None:
    with pytest.raises(MlregError) as caught:
        datasets.register_dataset(data, "set")
    assert caught.value.code == code
    with pytest.raises(MlregError):
        datasets.list_versions("set")


@pytest.mark.parametrize(
    ("files", "into", "code"),
    [
        ({"a": b"1"}, "pandas", "no_table"),
        ({"a.csv": b"a\n", "b.tsv": b"a\n"}, "arrow", "unlike_tables"),
        ({"a.csv": b"a\n"}, "spreadsheet", "no_form"),
    ],
)
def test_what_is_no_table_is_said(datasets: DataRegistry, files: dict[str, bytes], into: str, code: str) -> None:
    datasets.register_dataset(files, "set")
    with pytest.raises(MlregError) as caught:
        datasets.get_dataset("set", into=into)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a", "deep/a.parquet.csv"])
def test_a_table_is_not_kept_under_a_name_that_says_another_form(
    datasets: DataRegistry, pandas: Any, name: str
) -> None:
    frame = pandas.DataFrame({"n": [1]})
    with pytest.raises(UsageError) as caught:
        datasets.register_dataset({name: frame}, "set")
    assert (caught.value.code, caught.value.fix[0][:8]) == ("bad_data", "call it ")

    fixed = caught.value.fix[0].removeprefix("call it ")
    datasets.register_dataset({fixed: frame}, "set")
    assert datasets.get_dataset("set", into="pandas").equals(frame)


def test_a_package_that_is_not_there_is_named_with_its_extra() -> None:
    class DataFrame:
        """Looks like one of pandas."""

        __module__ = "pandas"

        def to_parquet(self, target: object) -> None:
            raise ImportError("no pyarrow")

    with pytest.raises(MlregError) as caught:
        sources_of(DataFrame())
    assert (caught.value.code, caught.value.fix) == ("missing_extra", ("pip install 'mlreg[pandas]'",))


def test_a_file_of_very_many_pieces_is_read_at_any_place(
    datasets: DataRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(number.to_bytes(4, "big") for number in range(3_000_000))
    datasets.register_dataset({"large": data}, "set")
    monkeypatch.setattr(stored_file, "MAX_PARTS", 1)

    with datasets.open("set", "latest", "large") as file:
        for start in (0, 6_000_000, len(data) - 10):
            file.seek(start)
            assert file.read(10) == data[start : start + 10]


@pytest.mark.parametrize("word", ["data", "dataset", "datasets"])
def test_a_name_may_have_its_kind_in_front_everywhere(datasets: DataRegistry, word: str) -> None:
    name = f"{word}/team/rows"
    info = datasets.register_dataset(b"a\n1\n", name, "2026.01.01", tags=["golden"])
    assert info.ref == "data/team/rows@2026.01.01"

    assert datasets.get_dataset(name, "golden").read_bytes() == b"a\n1\n"
    assert datasets.get_info(name).ref == datasets.get_info("team/rows").ref == info.ref
    assert [one.ref for one in datasets.list_versions(name)] == [info.ref]
    assert [one.ref for one in datasets.list_datasets(f"{word}/team/*")] == ["data/team/rows"]
    assert datasets.tag(name, "2026.01.01", "best").changed
    with pytest.raises(MlregError) as caught:
        datasets.get_dataset("model/team/rows")
    assert caught.value.code == "bad_ref"
    with pytest.raises(MlregError) as caught:
        datasets.get_dataset("team/rows@golden")
    assert (caught.value.code, caught.value.fix) == ("bad_name", ("write 'team/rows', 'golden'",))


def test_settings_say_all_that_a_registry_of_data_asks_for(tmp_path: Path) -> None:
    config = Config(tmp_path, {"MLREG_AUTHOR": "Ann", "MLREG_CACHE_DIR": str(tmp_path / "cache")})
    datasets = DataRegistry(**config.get_data_registry_config())

    datasets.register_dataset({"a.csv": b"n\n1\n"}, "rows", "2026.01.01")
    datasets.get_dataset("rows")

    assert [path.name for path in (tmp_path / ".mlreg" / "usage").iterdir()]


def test_a_tainted_dataset_is_refused_in_every_form_unless_a_reason_is_given(datasets: DataRegistry) -> None:
    datasets.register_dataset({"a.csv": b"n\n1\n"}, "rows", "2026.01.01")
    datasets.taint("rows", "2026.01.01", "wrong labels")

    for ask in (
        lambda: datasets.get_dataset("rows"),
        lambda: datasets.open("rows", "latest", "a.csv"),
        lambda: datasets.tag("rows", "latest", "golden"),
    ):
        with pytest.raises(TaintedError):
            ask()
    assert datasets.open("rows", "latest", "a.csv", despite_taint="to look at it").read() == b"n\n1\n"


def test_what_a_dataset_is_like_how_it_drifts_and_whether_it_keeps_rules_is_asked_by_its_name(
    datasets: DataRegistry,
) -> None:
    datasets.register_dataset({"a.csv": b"n,s\n1,x\n2,y\n"}, "rows", "2026.01.01")
    datasets.register_dataset({"a.csv": b"n\n1\n2\n3\n"}, "rows", "2026.01.02")
    rules = {"rules": [{"rule": "unique", "column": "n"}, {"rule": "row_count", "max": 2}]}

    assert datasets.profile("rows").tables[0].rows == 3
    assert datasets.drift("rows", "2026.01.01").verdict == "fail"
    assert [one.verdict for one in datasets.check("rows", rules=rules).rules] == ["ok", "fail"]


def test_a_text_alone_is_one_tag_and_one_key(datasets: DataRegistry) -> None:
    datasets.register_dataset({"a.csv": b"id,n\n1,x\n2,y\n"}, "set", "2026.11.01", tags="golden")
    datasets.register_dataset({"a.csv": b"id,n\n1,x\n2,z\n"}, "set", "2026.11.02")
    datasets.registry.copy("data/set@golden", "data/copy", version="2026.11.02", tags="golden")

    (table,) = datasets.diff("set", "golden", key="id").tables or ()
    assert table.changes is not None
    assert (list(table.changes.key), table.changes.changed) == (["id"], 1)
    assert [datasets.get_info(name, "golden").version for name in ("set", "copy")] == ["2026.11.01", "2026.11.02"]


@pytest.mark.parametrize(
    "inputs", [{"raw": "data/raw@2026.11.01"}, [("raw", "data/raw@2026.11.01")], [["raw", "data/raw@2026.11.01"]]]
)
def test_inputs_are_pairs_or_a_mapping(datasets: DataRegistry, tmp_path: Path, inputs: Any) -> None:
    raw = datasets.register_dataset(b"raw", "raw", "2026.11.01")
    (tmp_path / "x").write_bytes(b"x")

    made = datasets.register_dataset(b"1", "set", inputs=inputs).inputs
    added = datasets.registry.add("data/added", [tmp_path / "x"], version="2026.11.01", inputs=inputs).version.inputs

    assert [(one.role, one.ref) for one in (*made, *added)] == [("raw", raw.ref)] * 2


@pytest.mark.parametrize(
    "inputs", ["data/raw@latest", ["data/raw@latest"], ("raw", "data/raw"), [("raw", 1)], [("raw",)], 3, {"raw": 1}]
)
def test_inputs_without_roles_are_refused_with_how_they_are_written(datasets: DataRegistry, inputs: Any) -> None:
    with pytest.raises(UsageError) as caught:
        datasets.register_dataset(b"1", "set", inputs=inputs)
    assert caught.value.code == "bad_inputs"
    assert caught.value.fix[0].startswith('inputs=[("data", "')


def test_rules_are_read_from_a_path(datasets: DataRegistry, tmp_path: Path) -> None:
    datasets.register_dataset({"a.csv": b"id\n1\n1\n"}, "set")
    (tmp_path / "rules.yaml").write_text("rules: [{rule: unique, column: id}]")

    assert [datasets.check("set", rules=one(tmp_path / "rules.yaml")).failed for one in (str, Path)] == [1, 1]
    with pytest.raises(NotFoundError) as caught:
        datasets.check("set", rules="nofile.yaml")
    assert caught.value.code == "file_missing"
