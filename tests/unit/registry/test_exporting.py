"""Exports: what others read of a version, and that those who wrote the format accept it."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import MlregError
from mlreg.formats import croissant
from mlreg.formats.card import parse_card
from mlreg.registry import DataRegistry, exporting
from mlreg.registry.exporting import export
from mlreg.registry.registry import silent

ROWS = b"id,name,x,ok,day,n\n1,a,0.5,true,2026-01-02,1\n2,b,,false,2026-01-03,\n"
FILES = {
    "rows.csv": ROWS,
    "d e/\xe9 #1.jsonl": b'{"a": 1, "b": "x"}\n{"a": 2, "b": null}\n',
    "packed.tsv.gz": gzip.compress(b"a\tb\n1\tx\n", mtime=0),
    "raw.bin": b"123",
}
SAID = {
    "description": "some rows",
    "license": "mit",
    "schema": {"id": {"type": "text", "description": "which"}, "name": "text"},
    "splits": {"train": "rows.csv", "test": "d e/*"},
}


@pytest.fixture
def datasets(tmp_path: Path) -> DataRegistry:
    return DataRegistry(tmp_path / "registry", "Ann <ann@example.org>", tmp_path / "cache")


def exported(datasets: DataRegistry, ref: str = "data/set", form: str = "croissant") -> exporting.Exported:
    return export(datasets.registry, ref, form, silent)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own
def test_mlcroissant_accepts_a_dataset_and_reads_its_rows(datasets: DataRegistry, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    datasets.register_dataset(FILES, "set", "2026.01.05", SAID)
    place = datasets.get_dataset("set", directory=tmp_path / "out")
    document = place / "croissant.json"
    document.write_text(exported(datasets).document, encoding="utf-8")

    found = mlcroissant.Dataset(jsonld=str(document))

    assert not found.metadata.issues.errors
    assert [one for one in found.metadata.issues.warnings if "citeAs" not in one] == []
    rows = list(found.records("records/rows.csv"))
    assert [row["records/rows.csv/id"] for row in rows] == [b"1", b"2"]
    assert [row["records/rows.csv/x"] for row in rows] == [0.5, None]
    assert [row["records/rows.csv/day"].isoformat() for row in rows] == ["2026-01-02T00:00:00", "2026-01-03T00:00:00"]
    lines = "records/d%20e/%C3%A9%20%231.jsonl"
    assert [row[f"{lines}/a"] for row in found.records(lines)] == [1, 2]
    assert [row["records/packed.tsv.gz/a"] for row in found.records("records/packed.tsv.gz")] == [1]
    assert sorted(row["splits/name"] for row in found.records("splits")) == ["test", "train"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own
def test_mlcroissant_accepts_a_dataset_of_very_many_files(
    datasets: DataRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    monkeypatch.setattr(croissant, "MOST_FILES", 3)
    monkeypatch.setattr(exporting, "MOST_FILES", 3)
    datasets.register_dataset({f"{number}.txt": b"1" for number in range(9)}, "set", "2026.01.05", SAID)
    document = tmp_path / "croissant.json"
    result = exported(datasets)
    document.write_text(result.document, encoding="utf-8")

    assert not mlcroissant.Dataset(jsonld=str(document)).metadata.issues.errors
    assert (result.files, result.listed) == (9, 0)


def test_sums_are_those_of_the_bytes_and_are_computed_once(
    datasets: DataRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.register_dataset({"a": b"1", "same": b"1", "empty": b""}, "set")
    first = exported(datasets)

    files = json.loads(first.document)["distribution"]
    assert {file["name"]: file["sha256"] for file in files} == {
        name: sha256(data).hexdigest() for name, data in {"a": b"1", "same": b"1", "empty": b""}.items()
    }
    monkeypatch.delattr(type(datasets.registry.repository.objects), "read_whole")
    assert exported(datasets) == first


def test_sums_that_were_lost_or_damaged_are_computed_again(datasets: DataRegistry, tmp_path: Path) -> None:
    datasets.register_dataset(FILES, "set")
    first = exported(datasets)
    (kept,) = (tmp_path / "cache").rglob("sha256.sqlite")
    kept.write_bytes(b"damaged" * 1000)

    assert exported(datasets) == first


def test_a_table_that_cannot_be_read_is_listed_without_columns_and_said(datasets: DataRegistry) -> None:
    datasets.register_dataset({"good.csv": ROWS, "bad.csv": b"a,b\n1\n2,3,4\n", "cut.parquet": b"PAR1"}, "set")

    result = exported(datasets)

    assert (result.files, result.listed, result.tables) == (3, 3, 1)
    assert [hint.partition(" ")[0] for hint in result.hints] == ["bad.csv", "cut.parquet"]


def test_tables_that_are_too_many_or_too_large_are_listed_without_columns(
    datasets: DataRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.register_dataset({"a.csv": b"a\n", "b.csv": b"a\n1\n"}, "set")
    monkeypatch.setattr(exporting, "MAX_TABLE", 3)
    assert (exported(datasets).tables, len(exported(datasets).hints)) == (1, 1)
    monkeypatch.setattr(exporting, "MOST_TABLES", 1)
    assert (exported(datasets).tables, len(exported(datasets).hints)) == (0, 1)


def test_a_card_is_read_as_it_was_written(datasets: DataRegistry) -> None:
    datasets.register_dataset(b"1", "set", metadata={**SAID, "card": "# Rows\n\nMany."})

    card: Any = parse_card(exported(datasets, form="card").document, "card")

    assert (card.fields, card.body) == (SAID, "# Rows\n\nMany.")


@pytest.mark.parametrize(("ref", "code"), [("data/set:a", "path_in_export"), ("model/net", "no_dataset")])
def test_what_is_no_dataset_is_not_exported_as_one(datasets: DataRegistry, ref: str, code: str, tmp_path: Path) -> None:
    datasets.register_dataset({"a": b"1"}, "set")
    (tmp_path / "w").write_bytes(b"1")
    datasets.registry.add("model/net", [tmp_path / "w"], version="1.0.0")

    with pytest.raises(MlregError) as caught:
        exported(datasets, ref)
    assert caught.value.code == code
