"""Comparing two versions: what is shown, in which form, and how the answer becomes an exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3

from tests.cli.calling import Call

TWO = ("model/tree@1.0.0", "model/tree@2.0.0")


def name_of(data: bytes) -> str:
    return blake3(data).hexdigest()


def put(place: str, **files: bytes) -> str:
    Path(place).mkdir()
    for name, data in files.items():
        Path(place, name).write_bytes(data)
    return place


@pytest.fixture
def two(mlreg: Call) -> Call:
    """The command where model/tree 1.0.0 and 2.0.0 differ in everything."""
    old = put("old", kept=b"k", edited=b"1", gone=b"g", moved=b"m")
    new = put("new", kept=b"k", edited=b"2", come=b"c", elsewhere=b"m")
    words = ("--in", "data=data/rows", "--meta", "a.x=1", "--meta", "a.y=2")
    assert mlreg("add", "model/tree", old, "--version", "1.0.0", *words).status == 0
    others = ("--in", "base=model/net@1.0.0", "--meta", "a.x=true", "--meta", "z=null", "-m", "other words")
    assert mlreg("add", "model/tree", new, "--version", "2.0.0", *others).status == 0
    return mlreg


def test_every_difference_is_a_row_with_its_sign_and_what_was_and_is(two: Call) -> None:
    run = two("diff", *TWO)

    assert (run.status, run.err) == (0, "")
    assert run.rows == [
        ["+", "file", "come", "", name_of(b"c")],
        ["~", "file", "edited", name_of(b"1"), name_of(b"2")],
        [">", "file", "elsewhere", "moved", "elsewhere"],
        ["-", "file", "gone", name_of(b"g"), ""],
        ["~", "meta", "a.x", "1", "true"],
        ["-", "meta", "a.y", "2", ""],
        ["+", "meta", "z", "", "null"],
        ["+", "input", "base", "", "model/net@1.0.0"],
        ["-", "input", "data", "data/rows@2026.01.01", ""],
    ]


@pytest.mark.parametrize(("option", "what"), [("--files", "file"), ("--meta", "meta"), ("--inputs", "input")])
def test_one_part_alone_can_be_asked_for(two: Call, option: str, what: str) -> None:
    rows = two("diff", *TWO).rows

    assert two("diff", *TWO, option).rows == [row for row in rows if row[1] == what]


def test_what_was_not_asked_for_is_not_said_to_be_equal(two: Call) -> None:
    document = two("diff", *TWO, "--meta", "--json").document

    assert (document["files"], document["inputs"], document["same"]) == (None, None, False)
    assert document["metadata"][0] == {"change": "changed", "path": ["a", "x"], "before": 1, "after": True}


def test_quiet_prints_the_names_of_what_differs(two: Call) -> None:
    names = ["come", "edited", "elsewhere", "gone", "a.x", "a.y", "z", "base", "data"]

    assert two("diff", *TWO, "-q").out.splitlines() == names


@pytest.mark.parametrize("form", [(), ("--json",), ("-q",)])
def test_the_exit_code_is_the_answer_if_it_is_asked_for(two: Call, form: tuple[str, ...]) -> None:
    assert two("diff", *TWO, *form).status == 0
    differ = two("diff", *TWO, *form, "--exit-code")
    assert (differ.status, differ.out, differ.err) == (3, two("diff", *TWO, *form).out, "")
    assert two("diff", TWO[0], TWO[0], *form, "--exit-code").status == 0


def test_the_exit_code_answers_for_the_parts_that_are_asked_for(two: Call) -> None:
    assert two("add", "model/tree", "new", "--version", "3.0.0", "--in", "data=data/rows").status == 0

    assert two("diff", TWO[1], "model/tree@3.0.0", "--files", "--exit-code").status == 0
    assert two("diff", TWO[1], "model/tree@3.0.0", "--inputs", "--exit-code").status == 3


def test_equal_versions_of_other_entries_with_other_words_are_the_same(two: Call) -> None:
    assert two("copy", TWO[0], "model/twin", "--version", "7.0.0", "-m", "why not").status == 0

    run = two("diff", TWO[0], "model/twin")

    assert run.out == "no difference between model/tree@1.0.0 and model/twin@7.0.0\n"
    assert two("diff", TWO[0], "model/twin", "-q").out == ""
    assert two("diff", TWO[0], "model/twin", "--json").document["same"] is True


def test_a_version_of_a_remote_is_compared_where_it_is(two: Call) -> None:
    assert two("push", "origin", TWO[0]).status == 0

    assert two("diff", f"origin::{TWO[0]}", TWO[1]).rows == two("diff", *TWO).rows
    assert two("diff", f"origin::{TWO[0]}", TWO[0], "--exit-code").status == 0
    assert two("diff", f"origin::{TWO[0]}", TWO[1], "--json").document["before"] == f"origin::{TWO[0]}"


def test_a_correction_of_metadata_is_a_difference(two: Call) -> None:
    assert two("copy", TWO[0], "--version", "1.1.0").status == 0
    assert two("meta", "set", "model/tree@1.1.0", "a.x=5").status == 0

    assert two("diff", TWO[0], "model/tree@1.1.0").rows == [["~", "meta", "a.x", "1", "5"]]
