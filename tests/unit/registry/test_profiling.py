"""Datasets are profiled file by file, and what is known of a file is not computed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.quality.file_profile import decode, encode
from mlreg.registry.checking_data import data_check
from mlreg.registry.drifting import data_drift
from mlreg.registry.overlapping import data_overlap
from mlreg.registry.places import init
from mlreg.registry.profiling import Profile, profile
from mlreg.registry.registry import Registry

SHARD = "a,b\n1,x\n2,y\n"


class Data:
    """A repository with a dataset."""

    def __init__(self, root: Path) -> None:
        self.root = root
        place, _ = init(root / "project", shared=False)
        self.registry = Registry(place, "Ann Lee <ann@example.org>", root / "cache")

    def add(self, version: str, files: Mapping[str, str]) -> Profile:
        for path, text in files.items():
            file = self.root / version / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.registry.add("data/rows", [self.root / version], version=version)
        return self.profile(version)

    def profile(self, version: str) -> Profile:
        return profile(self.registry, f"data/rows@{version}")

    @property
    def kept(self) -> list[Path]:
        return sorted(self.root.glob("cache/*/profiles/*"))


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_a_word_that_is_no_ref_and_is_on_the_disk_is_offered_as_a_path(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.add("2026.01.01", {"one.csv": SHARD})
    monkeypatch.chdir(data.root)
    for name in ("csv", "a b", "model/none"):
        (data.root / name).mkdir(parents=True)
    ways: list[Callable[[str], object]] = [
        partial(profile, data.registry),
        lambda text: data_check(data.registry, text, {"rules": {"rules": []}}),
        lambda text: data_check(data.registry, text, {}),
        lambda text: data_overlap(data.registry, text, "data/rows"),
        lambda text: data_drift(data.registry, "data/rows", text),
    ]

    for way in ways:
        for name in ("csv", "a b", "model/none"):
            with pytest.raises(MlregError) as caught:
                way(name)
            assert f"./{name}" in caught.value.fix[0]
        with pytest.raises(MlregError) as caught:
            way("none")
        assert "./" not in caught.value.fix[0]


def test_files_with_the_same_columns_make_one_table(data: Data) -> None:
    found = data.add(
        "2026.01.01", {"one.csv": SHARD, "two.tsv": "b\ta\nz\t9\n", "other.jsonl": '{"c": 1}\n', "x/READ": "?"}
    )

    assert [(table.files, table.rows) for table in found.tables] == [(("one.csv", "two.tsv"), 3), (("other.jsonl",), 1)]
    assert [column.name for column in found.tables[0].columns] == ["a", "b"]
    assert [(one.suffix, one.files) for one in found.types] == [("", 1), (".csv", 1), (".jsonl", 1), (".tsv", 1)]
    assert [(one.path, one.files) for one in found.folders] == [(".", 3), ("x", 1)]
    assert found.files == 4


def test_a_shard_that_is_added_costs_only_itself(data: Data) -> None:
    data.add("2026.01.01", {"one.csv": SHARD})
    (kept,) = data.kept
    known = decode(kept.read_bytes())
    assert known
    # If the file were read again, this would not be what is told.
    kept.write_bytes(encode(known._replace(rows=1000)))

    found = data.add("2026.01.02", {"one.csv": SHARD, "two.csv": "a,b\n5,z\n"})

    assert found.tables[0].rows == 1001
    assert len(data.kept) == 2


def test_a_cache_that_is_damaged_or_gone_is_written_anew(data: Data) -> None:
    first = data.add("2026.01.01", {"one.csv": SHARD})
    (kept,) = data.kept
    right = kept.read_bytes()

    kept.write_bytes(right[: len(right) // 2])
    assert data.profile("2026.01.01") == first
    assert kept.read_bytes() == right
    kept.unlink()
    assert data.profile("2026.01.01") == first


def test_a_profile_of_a_version_is_that_of_its_files_on_the_disk(data: Data) -> None:
    stored = data.add("2026.01.01", {"one.csv": SHARD, "deep/two.csv": SHARD})

    found = profile(data.registry, str(data.root / "2026.01.01"))

    assert found.tables == stored.tables
    assert (found.files, found.size, found.folders) == (stored.files, stored.size, stored.folders)


def test_a_file_that_is_broken_is_named_by_version_path_and_line(data: Data) -> None:
    with pytest.raises(MlregError) as error:
        data.add("2026.01.01", {"good.csv": SHARD, "deep/bad.csv": "a,b\n1,2\n3\n"})

    assert error.value.code == "bad_table"
    assert "data/rows@2026.01.01:deep/bad.csv, line 3" in error.value.message
    assert error.value.fix == ("look at it: mlreg cat data/rows@2026.01.01:deep/bad.csv | sed -n 3p",)


def test_a_part_of_a_version_has_a_profile_of_its_own(data: Data) -> None:
    data.add("2026.01.01", {"train/one.csv": SHARD, "test/two.csv": "a,b\n1,2\n"})

    found = data.profile("2026.01.01:train")

    assert [table.files for table in found.tables] == [("train/one.csv",)]
    assert found.ref == "data/rows@2026.01.01:train"


def test_a_table_that_is_gone_fails_and_a_new_one_is_warned_of(data: Data) -> None:
    data.add("2026.01.01", {"one.csv": SHARD, "old.csv": "c\n1\n"})
    data.add("2026.01.02", {"one.csv": SHARD, "new.csv": "d\n1\n"})

    found = data_drift(data.registry, "data/rows@2026.01.01", "data/rows@2026.01.02")

    assert [(one.change, one.verdict) for one in found.tables] == [("removed", "fail"), ("added", "warn"), ("", "ok")]
    assert not found.passed


def test_of_files_that_are_no_tables_the_balance_of_folders_is_compared(data: Data) -> None:
    for version, cats in (("2026.01.01", 5), ("2026.01.02", 9)):
        data.add(version, {f"{'cat' if at < cats else 'dog'}/{at}.jpg": "" for at in range(10)})

    found = data_drift(data.registry, "data/rows@2026.01.01", "data/rows@2026.01.02")

    (table,) = found.tables
    assert [(one.name, one.verdict) for one in table.columns] == [("folder", "fail"), ("suffix", "ok")]


@pytest.mark.parametrize("threshold", [-1.0, float("nan"), float("inf")])
def test_a_threshold_that_is_none_is_refused(data: Data, threshold: float) -> None:
    with pytest.raises(MlregError) as error:
        data_drift(data.registry, "./a", "./b", threshold)

    assert error.value.code == "bad_threshold"
