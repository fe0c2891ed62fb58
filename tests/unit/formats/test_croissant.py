"""Croissant: the same dataset makes the same document, whatever its files and columns are called."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats.croissant import MOST_FILES, DatasetOf, FieldOf, FileOf, TableOf, croissant, render_croissant

DATASET = DatasetOf(
    name="frames",
    version="2026.01.05",
    time="2026-01-05T06:28:00Z",
    author="Ann Lee <ann@example.org>",
    metadata={
        "license": "MIT",
        "description": "frames of videos",
        "keywords": ["video"],
        "splits": {"b": "b/*", "a": ""},
    },
    files=[FileOf("a/rows.csv", 9, "0" * 64), FileOf("é #1.JPG", 3, "1" * 64), FileOf("x", 0, "2" * 64)],
    tables=[TableOf("a/rows.csv", [FieldOf("n", "integer", "how many"), FieldOf("of what", "json")])],
)


def test_a_dataset_says_what_it_is() -> None:
    found = croissant(DATASET)

    assert (found["name"], found["version"], found["datePublished"]) == ("frames", "2026.1.5", "2026-01-05T06:28:00Z")
    assert (found["license"], found["keywords"]) == ("https://spdx.org/licenses/MIT", ["video"])
    assert found["creator"]["name"] == "Ann Lee"
    assert "ann@example.org" not in render_croissant(DATASET)


@pytest.mark.parametrize("license_", ["mit", "other", "MIT OR Apache-2.0"])
def test_a_license_that_has_no_page_of_its_own_stays_as_it_is(license_: str) -> None:
    assert croissant(DATASET._replace(metadata={"license": license_}))["license"] == license_


def test_files_have_sums_sizes_and_paths_from_the_document() -> None:
    files = croissant(DATASET)["distribution"]

    assert [(file["contentUrl"], file["contentSize"], file["sha256"][0]) for file in files] == [
        ("a/rows.csv", "9 B", "0"),
        ("é #1.JPG", "3 B", "1"),
        ("x", "0 B", "2"),
    ]
    assert [file["encodingFormat"] for file in files] == ["text/csv", "image/jpeg", "application/octet-stream"]
    assert files[1]["@id"] == "%C3%A9%20%231.JPG"


def test_columns_lead_to_their_file() -> None:
    splits, rows = croissant(DATASET)["recordSet"]

    assert splits["data"] == [{"splits/name": "a"}, {"splits/name": "b"}]
    assert [field["source"]["extract"]["column"] for field in rows["field"]] == ["n", "of what"]
    assert {field["source"]["fileObject"]["@id"] for field in rows["field"]} == {"a/rows.csv"}
    assert [field["dataType"] for field in rows["field"]] == ["sc:Integer", "sc:Text"]


def test_of_very_many_files_it_says_how_they_are_called() -> None:
    files = [FileOf(f"d/{number}.{end}", 1, "") for number in range(MOST_FILES) for end in ("jpg", "txt")]

    found = croissant(DATASET._replace(files=files, tables=[]))["distribution"]

    assert [(one["@type"], one["includes"]) for one in found] == [
        ("cr:FileSet", "**/*.jpg"),
        ("cr:FileSet", "**/*.txt"),
    ]


@pytest.mark.parametrize(
    ("version", "semantic"),
    [("2026.01.05", "2026.1.5"), ("2026.01.05.2", "2026.1.5+2"), ("7", "7"), ("1.0.0-rc.1", "1.0.0-rc.1"), ("x", "x")],
)
def test_a_version_is_semantic_if_it_can_be(version: str, semantic: str) -> None:
    assert croissant(DATASET._replace(version=version))["version"] == semantic


metadata = st.dictionaries(
    st.sampled_from(["description", "license", "keywords", "splits", "url", "language", "citation"]),
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
)


@given(metadata=metadata, names=st.lists(st.text(min_size=1), unique=True, max_size=5))
def test_whatever_it_is_told_the_document_is_json_with_ids_that_differ(
    metadata: dict[str, Any], names: list[str]
) -> None:
    names = [name.encode("utf-8", "replace").decode() for name in names]
    names = list(dict.fromkeys(names))
    fields = [FieldOf(name, "text") for name in names]
    dataset = DATASET._replace(
        metadata=metadata,
        files=[FileOf(name, 1, "0" * 64) for name in names],
        tables=[TableOf(name, fields) for name in names],
    )

    found = json.loads(render_croissant(dataset))

    assert len({file["@id"] for file in found["distribution"]}) == len(names)
    tables = [one for one in found["recordSet"] if one["@id"] != "splits"]
    assert len({field["@id"] for one in tables for field in one["field"]}) == len(names) ** 2
    shuffled = dict(random.Random(1).sample(list(metadata.items()), len(metadata)))
    assert render_croissant(dataset._replace(metadata=shuffled)) == render_croissant(dataset)
