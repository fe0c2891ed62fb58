"""Rules that datasets must keep to be registered, and what two datasets have in common."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlreg.cli.check_views import junit
from mlreg.config import Config
from mlreg.errors import ConflictError, NotFoundError, RefusedError, UsageError
from mlreg.formats.names import Entry
from mlreg.formats.yaml_document import parse_yaml
from mlreg.operations.scanning import Source
from mlreg.registry.checking_data import check_new, data_check
from mlreg.registry.overlapping import data_overlap
from mlreg.registry.places import init
from mlreg.registry.profiling import profile
from mlreg.registry.registry import Registry

ANN = "Ann Lee <ann@example.org>"
STRICT = {"rules.yaml": {"rules": [{"rule": "unique", "column": "id"}]}}
LENIENT = {"rules.yaml": {"rules": [{"rule": "unique", "column": "id", "severity": "warn"}]}}


def registry_with(place: Path, documents: Mapping[str, object]) -> Registry:
    """Return a registry whose data must keep rules."""
    return Registry(init(place, shared=False)[0], ANN, rules=lambda entry: documents if entry.kind == "data" else {})


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """A table in which one id is there twice."""
    (tmp_path / "twice.csv").write_text("id,n\n1,a\n1,b\n")
    return tmp_path / "twice.csv"


def test_data_that_break_a_rule_are_not_registered(tmp_path: Path, twice: Path) -> None:
    registry = registry_with(tmp_path / "r", STRICT)

    with pytest.raises(RefusedError, match=r"unique id: 1 of 2, first '1' in twice\.csv, line 3") as error:
        registry.add("data/rows", [twice], version="2026.01.01")

    assert error.value.code == "rules_failed"
    with pytest.raises(NotFoundError):
        registry.find("data/rows")


def test_what_a_rule_only_warns_of_is_registered_with_a_hint(tmp_path: Path, twice: Path) -> None:
    added = registry_with(tmp_path / "r", LENIENT).add("data/rows", [twice], version="2026.01.01")

    assert added.hints == ("data/rows: unique id: 1 of 2, first '1' in twice.csv, line 3",)


def test_models_have_no_rules_for_data(tmp_path: Path, twice: Path) -> None:
    assert registry_with(tmp_path / "r", STRICT).add("model/net", [twice], version="1.0.0").changed


def test_bytes_in_memory_are_asked_too(tmp_path: Path) -> None:
    registry = registry_with(tmp_path / "r", STRICT)
    source = Source("rows.csv", lambda: [b"id\n1\n", b"1\n"])

    with pytest.raises(RefusedError, match="breaks 1 rule;"):
        registry.register("data/rows", [source], "file", version="2026.01.01")


def test_a_file_that_changes_while_it_is_asked_is_no_answer(
    tmp_path: Path, twice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlreg.quality import checking

    look = checking._look
    monkeypatch.setattr(checking, "_look", lambda *args: (look(*args), twice.write_text("id,n\n1,a\n"), None)[-1])

    with pytest.raises(ConflictError) as error:
        check_new(
            registry_with(tmp_path / "r", {}), Entry.parse("data/rows"), [Source("t.csv", twice)], STRICT, lambda _: []
        )

    assert error.value.code == "file_changed"


def test_a_version_is_checked_by_the_rules_of_its_entry_or_others(tmp_path: Path, twice: Path) -> None:
    registry = registry_with(tmp_path / "r", LENIENT)
    registry.add("data/rows", [twice], version="2026.01.01")

    found, strict = data_check(registry, "data/rows", {}), data_check(registry, "data/rows", STRICT)

    assert (found.passed, found.verdict, found.warned, found.failed) == (True, "warn", 1, 0)
    assert (strict.passed, strict.verdict, strict.warned, strict.failed) == (False, "fail", 0, 1)
    with pytest.raises(UsageError) as error:
        data_check(registry, str(twice), {})
    assert error.value.code == "no_rules"


def test_a_rule_may_speak_of_another_dataset(tmp_path: Path, twice: Path) -> None:
    registry = registry_with(tmp_path / "r", {})
    registry.add("data/rows", [twice], version="2026.01.01")
    rules = {"r": {"rules": [{"rule": "no_overlap", "ref": "data/rows:twice.csv"}]}}

    assert not data_check(registry, str(twice), rules).passed


def test_settings_name_rules_for_all_data_or_by_patterns_of_names(tmp_path: Path) -> None:
    init(tmp_path, shared=False)
    config = Config(tmp_path, {"HOME": str(tmp_path)})
    (tmp_path / "rules.yaml").write_text("rules: [{rule: row_count, min: 1}]")

    config.set("registry.data.rules.frames/*", "rules.yaml")

    expected = {str(tmp_path / "rules.yaml"): {"rules": [{"rule": "row_count", "min": 1}]}}
    assert config.rules(Entry.parse("data/frames/left")) == expected
    assert config.rules(Entry.parse("data/other")) == config.rules(Entry.parse("model/frames/left")) == {}


def test_a_report_holds_hostile_names_as_text(tmp_path: Path) -> None:
    from xml.etree import ElementTree

    hostile = 'a"]]><x/>&\x1b[2J'
    (tmp_path / "t.jsonl").write_text('{"a\\"]]><x/>&\\u001b[2J": null}\n')
    rules = {"r": {"rules": [{"rule": "not_null", "column": hostile}, {"rule": "row_count", "min": 1}]}}

    found = data_check(registry_with(tmp_path / "r", {}), str(tmp_path / "t.jsonl"), rules)

    tree = ElementTree.fromstring("\n".join(junit(found)))  # noqa: S314 - written above
    assert [case.get("name") for case in tree.iter("testcase")] == ['not_null a"]]><x/>&\\x1b[2J', "row_count"]
    assert [len(case.findall("failure")) for case in tree.iter("testcase")] == [1, 0]


def test_rules_are_read_from_plain_yaml() -> None:
    text = "rules:\n- {rule: freshness, column: t, max_age: 7d}\n- {rule: range, column: x, min: 2026-01-01}\n"

    assert parse_yaml(text, "x")["rules"][1]["min"] == "2026-01-01"


# What two datasets have in common.


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with data/all: parts train and test that share a file, pieces of another, and one more row."""
    train, test = tmp_path / "all" / "train", tmp_path / "all" / "test"
    train.mkdir(parents=True)
    test.mkdir()
    (train / "a.csv").write_text("a,b\n1,x\n2,y\n,\n")
    (test / "b.jsonl").write_text('{"b": "x", "a": 1}\n{"a": 9}\n{"a": null}\n')
    for path in (train / "same.bin", train / "again.bin", test / "other.bin"):
        path.write_bytes(b"same")
    noise = random.Random(1).randbytes(6_000_000)
    (train / "big").write_bytes(noise)
    (test / "big").write_bytes(noise + b"more")
    for path in (train / "none", test / "none"):
        path.touch()
    found = registry_with(tmp_path / "r", {})
    found.add("data/all", [tmp_path / "all"], version="2026.01.01")
    return found


def test_parts_of_a_version_have_files_pieces_and_rows_in_common(registry: Registry) -> None:
    found = data_overlap(registry, "data/all:train", "data/all:test", 5)

    assert (found.files, found.files_left, found.size) == (2, 4, 4)
    assert [(one.left, one.right) for one in found.file_samples] == [
        (("train/again.bin", "train/same.bin"), ("test/other.bin",))
    ]
    assert found.pieces
    assert 4_000_000 < found.pieces_size < 6_000_000
    assert (found.rows, found.rows_left, found.overlaps) == (1, 3, True)
    (row,) = found.row_samples
    assert (row.left, row.left_line, row.right, row.right_line, row.value) == (
        *("train/a.csv", 2, "test/b.jsonl", 1),
        "1, x",
    )


def test_files_on_the_disk_have_in_common_what_their_versions_have(registry: Registry, tmp_path: Path) -> None:
    there = data_overlap(registry, "data/all:train", "data/all:test")
    here = data_overlap(registry, str(tmp_path / "all" / "train"), str(tmp_path / "all" / "test"))

    assert here._replace(left="", right="") == there._replace(left="", left_id="", right="", right_id="")
    assert (there.file_samples, there.row_samples) == ((), ())


def test_empty_files_and_rows_without_values_are_nothing_in_common(registry: Registry, tmp_path: Path) -> None:
    for side in ("left", "right"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "none").touch()
        (tmp_path / side / f"{side}.csv").write_text(f"a,b\n,\n{side},\n")

    assert not data_overlap(registry, str(tmp_path / "left"), str(tmp_path / "right")).overlaps


def test_a_dataset_is_not_compared_with_itself(registry: Registry) -> None:
    with pytest.raises(UsageError) as error:
        data_overlap(registry, "data/all", "data/all@latest")

    assert error.value.code == "same_data"


# Images.


def test_images_of_a_version_are_those_of_its_files_and_broken_ones_are_named(tmp_path: Path) -> None:
    gif = b"GIF89a\3\0\2\0\0\0\0,\0\0\0\0\3\0\2\0\0\2\2D\1\0;"
    (tmp_path / "pixels" / "cat").mkdir(parents=True)
    for name, data in (("cat/1.gif", gif), ("cat/2.gif", gif[:-4]), ("3.png", gif), ("rows.csv", b"a\n1\n")):
        (tmp_path / "pixels" / name).write_bytes(data)
    registry = registry_with(tmp_path / "r", {})
    registry.add("data/pixels", [tmp_path / "pixels"], version="2026.01.01")

    there, here = (profile(registry, text) for text in ("data/pixels", str(tmp_path / "pixels")))

    assert there.images == here.images
    assert [tuple(one) for one in there.images.kinds] == [("gif", "palette", 1, 3, 3, 2, 2, 1)]
    assert (there.images.broken, [one.path for one in there.images.broken_samples]) == (2, ["3.png", "cat/2.gif"])
    assert [table.rows for table in there.tables] == [1]
