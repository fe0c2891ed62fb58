"""Comparing two versions: what is shown, in which form, and how the answer becomes an exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blake3 import blake3

from mlreg.tensors.safetensors import encode_arrays
from tests.cli.calling import Call, on_terminal

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


def test_a_version_is_compared_with_a_directory_as_add_would_take_it(two: Call) -> None:
    Path("new/.mlregignore").write_text("*.log\n")
    Path("new/train.log").write_text("ignored")
    Path("new/edited").write_bytes(b"3")
    Path("new/kept").chmod(0o755)

    run = two("diff", "model/tree@2.0.0", "./new")
    assert run.rows == [
        ["~", "file", "edited", name_of(b"2"), name_of(b"3")],
        ["~", "file", "kept", name_of(b"k"), name_of(b"k") + " executable"],
    ]
    back = two("diff", str(Path("new").absolute()), "model/tree@2.0.0", "--exit-code", "--json")
    found = json.loads(back.out)
    assert (back.status, [one["change"] for one in found["files"]]) == (3, ["changed", "changed"])
    assert (found["before_id"], found["metadata"], found["inputs"], found["tensors"]) == ("", None, None, None)
    assert two("diff", "model/tree@1.0.0", "./old", "--exit-code").status == 0
    assert two("diff", "./old", "./old").out == "no difference between ./old and ./old\n"


def test_a_file_of_a_version_is_compared_with_one_on_the_disk(two: Call) -> None:
    run = two("diff", "model/tree@1.0.0:edited", "./new/edited")
    assert run.rows == [["~", "file", "edited", name_of(b"1"), name_of(b"2")]]
    after = json.loads(two("diff", "model/tree@1.0.0:edited", "./new/edited", "--json").out)["files"][0]["after"]
    assert after["ref"] == "./new:edited"
    assert two("diff", "model/tree@1.0.0:kept", "./new/kept", "--exit-code").status == 0


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (["model/tree@1.0.0", "./new/edited"], "path_in_diff", 2),
        (["model/tree@1.0.0:edited", "./new"], "path_in_diff", 2),
        (["model/tree@1.0.0", "./nothing"], "file_missing", 4),
        (["model/tree@1.0.0", "./new", "--rows"], "rows_on_disk", 2),
    ],
)
def test_what_cannot_be_compared_with_a_path_is_said(words: list[str], code: str, status: int, two: Call) -> None:
    run = two("diff", *words)
    assert (run.status, run.out, code in run.err) == (status, "", True)


@pytest.mark.parametrize(("option", "what"), [("--files", "file"), ("--meta", "meta"), ("--inputs", "input")])
def test_one_part_alone_can_be_asked_for(two: Call, option: str, what: str) -> None:
    rows = two("diff", *TWO).rows

    assert two("diff", *TWO, option).rows == [row for row in rows if row[1] == what]


def test_who_asks_for_tensors_beside_another_part_gets_files_too(two: Call) -> None:
    rows = two("diff", *TWO).rows

    assert two("diff", *TWO, "--meta", "--tensors").rows == [row for row in rows if row[1] in ("file", "meta")]
    assert two("diff", *TWO, "--tensors").rows == rows


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


# Tensors.


def put_tensors(mlreg: Call, version: str, name: str = "w.safetensors", **arrays: Any) -> str:
    put(version, **{name: b"".join(map(bytes, encode_arrays(arrays)))})
    assert mlreg("add", "model/tensors", version, "--version", version).status == 0
    return f"model/tensors@{version}"


ONES, ZEROS = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)


def test_tensors_of_changed_files_are_compared_by_their_headers(mlreg: Call) -> None:
    one = put_tensors(mlreg, "1.0.0", kept=ONES, edited=ONES, gone=ONES, wide=ONES)
    two = put_tensors(mlreg, "2.0.0", kept=ONES, edited=ZEROS, come=ONES, wide=ONES.astype("float16"))

    assert mlreg("diff", one, two).rows[1:] == [
        ["+", "tensor", "w.safetensors#come", "", "F32[2, 3]"],
        ["-", "tensor", "w.safetensors#gone", "F32[2, 3]", ""],
        ["~", "tensor", "w.safetensors#wide", "F32[2, 3]", "F16[2, 3]"],
        ["=", "tensor", "w.safetensors", "2 of equal dtype and shape", ""],
    ]
    assert mlreg("diff", one, two, "-q").out == "w.safetensors\n"


MOVED = "100.0%, max 1, mean 1"


def test_the_bytes_of_tensors_are_compared_if_it_is_asked_for(mlreg: Call) -> None:
    one = put_tensors(mlreg, "1.0.0", kept=ONES, edited=ONES)
    two = put_tensors(mlreg, "2.0.0", kept=ONES, edited=ZEROS)

    run = mlreg("diff", one, two, "--tensors")

    ids = [name_of(array.tobytes()) for array in (ONES, ZEROS)]
    assert run.rows[1:] == [
        ["~", "tensor", "w.safetensors#edited", *(f"F32[2, 3] {name}" for name in ids), MOVED],
        ["=", "tensor", "w.safetensors", "2 of equal dtype and shape", "1 of equal bytes", ""],
    ]
    (table,) = mlreg("diff", one, two, "--tensors", "--json").document["tensors"]
    assert (table["path"], table["same_shape"], table["same_bytes"]) == ("w.safetensors", 2, 1)
    assert table["changes"][0]["moved"] == {"share": 1.0, "max": 1.0, "mean": 1.0, "not_finite": 0}
    assert table["changes"][0]["before"] == {"dtype": "F32", "shape": [2, 3], "id": ids[0]}


def test_a_file_of_another_name_is_searched_for_tensors_if_it_is_asked_for(mlreg: Call) -> None:
    one, two = (put_tensors(mlreg, f"{n}.0.0", "weights", a=array) for n, array in enumerate([ONES, ZEROS], 1))

    assert {row[1] for row in mlreg("diff", one, two).rows} == {"file"}
    assert {row[1] for row in mlreg("diff", one, two, "--tensors").rows} == {"file", "tensor"}


def test_a_file_that_is_called_so_and_is_cut_is_a_changed_file_and_no_more(mlreg: Call) -> None:
    one = put_tensors(mlreg, "1.0.0", a=ONES)
    whole = Path("1.0.0/w.safetensors").read_bytes()
    put("cut", **{"w.safetensors": whole[:-1]})
    assert mlreg("add", "model/tensors", "cut", "--version", "2.0.0").status == 0

    run = mlreg("diff", one, "model/tensors@2.0.0", "--tensors")

    assert run.rows == [["~", "file", "w.safetensors", name_of(whole), name_of(whole[:-1])]]


# What people may have put there.


def test_nothing_that_is_stored_is_obeyed_by_a_terminal(mlreg: Call) -> None:
    evil = "\x1b[2J\u202e\t\n"
    one = put_tensors(mlreg, "1.0.0", a=ONES)
    put("2.0.0", **{"w.safetensors": b"".join(map(bytes, encode_arrays({evil: ONES})))})
    Path("meta.json").write_text(json.dumps({evil: evil}))
    assert mlreg("add", "model/tensors", "2.0.0", "--version", "2.0.0", "--meta-file", "meta.json").status == 0
    words = ("diff", one, "model/tensors@2.0.0")

    shown = r"\x1b[2J\u202e\t\n"
    run = mlreg(*words)
    assert run.rows[-1] == ["+", "meta", shown, "", r'"\u001b[2J\u202e\t\n"']
    assert run.rows[1] == ["+", "tensor", f"w.safetensors#{shown}", "", "F32[2, 3]"]
    assert len(mlreg(*words, "-q").out.splitlines()) == 2
    terminal = on_terminal(*words).out
    assert "\x1b[2J" not in terminal
    assert "\u202e" not in terminal


def test_a_terminal_shows_the_ends_of_a_huge_value_and_a_program_gets_all_of_it(mlreg: Call) -> None:
    huge = f"first{'x' * 500_000}last"
    Path("meta.json").write_text(json.dumps({"huge": huge}))
    assert mlreg("add", "model/net", "weights", "--version", "2.0.0", "--meta-file", "meta.json").status == 0
    words = ("diff", "model/net@1.0.0", "model/net@2.0.0", "--meta")

    assert ["+", "meta", "huge", "", f'"{huge}"'] in mlreg(*words).rows
    terminal = on_terminal(*words).out
    assert '"firstxxx' in terminal
    assert 'xxxlast"' in terminal
    assert len(terminal) < 2000


# Rows.


@pytest.fixture
def users(mlreg: Call) -> Call:
    """The command where data/users 1 and 2 have a table that differs."""
    before, after = "id,age,plan\n1,31,a\n2,47,b\n3,52,b\n", "id,plan,age,paid\n1,a,31,\n2,b,48,1\n4,c,20,\n"
    for version, text in (("2026.01.01", before), ("2026.01.02", after)):
        put(version, **{"users.csv": text.encode(), "README": version.encode()})
        assert mlreg("add", "data/users", version, "--version", version).status == 0
    return mlreg


USERS = ("data/users@2026.01.01", "data/users@2026.01.02")


def test_rows_are_counted_first_and_shown_if_it_is_asked_for(users: Call) -> None:
    run = users("diff", *USERS, "--key", "id", "--samples", "1")

    assert (run.status, run.err) == (0, "")
    assert [row for row in run.rows if row[1] != "file"] == [
        ["+", "rows", "users.csv", "", "1"],
        ["-", "rows", "users.csv", "1", ""],
        ["~", "rows", "users.csv", "1", "1"],
        ["=", "rows", "users.csv", "1 of 3", "1 of 3"],
        [">", "column", "users.csv#age", "at 2", "at 3"],
        ["+", "column", "users.csv#paid", "", "integer"],
        ["~", "cells", "users.csv#age", "1", "1"],
        ["+", "row", 'users.csv:4 id="4"', "", 'id="4", plan="c", age="20"'],
        ["-", "row", 'users.csv:4 id="3"', 'id="3", age="52", plan="b"', ""],
        ["~", "row", 'users.csv:3 id="2"', 'age="47"', 'age="48"'],
    ]
    assert users("diff", *USERS, "--rows", "-q").out.splitlines() == ["README", "users.csv"]


def test_each_of_the_options_asks_for_rows_and_none_of_them_for_other_parts(users: Call) -> None:
    plain = users("diff", *USERS, "--json").document
    assert plain["tables"] is None
    for words in (["--rows"], ["--key", "id"], ["--samples", "1"], ["--meta", "--rows"]):
        document = users("diff", *USERS, "--json", *words).document
        assert [table["after"] for table in document["tables"]] == [["users.csv"]], words
        assert document["files"] == plain["files"]
        assert (document["inputs"] is None) == ("--meta" in words)


def test_two_files_are_compared_also_in_a_remote(users: Call) -> None:
    assert users("push", "origin", USERS[0]).status == 0
    one, two = f"origin::{USERS[0]}:users.csv", f"{USERS[1]}:users.csv"

    document = users("diff", one, two, "--rows", "--json").document

    assert (document["before"], document["after"]) == (one, two)
    (table,) = document["tables"]
    assert (table["changes"]["added"], table["changes"]["removed"], table["problem"]) == (2, 2, None)
    assert users("diff", one, one, "--rows", "--exit-code").status == 0
    assert users("diff", one, two, "--rows", "--exit-code").status == 3


def test_a_table_that_cannot_be_compared_is_shown_and_is_an_error(users: Call) -> None:
    put("2026.01.03", **{"users.csv": b"id\n1,2\n", "more.csv": b"id\n1\n"})
    assert users("add", "data/users", "2026.01.03", "--version", "2026.01.03").status == 0

    run = users("diff", USERS[0], "data/users@2026.01.03", "--rows", "--exit-code")

    assert run.status == 12
    why = "data/users@2026.01.03:users.csv, line 2, is no sound CSV: it has 2 cells, and the first line has 1"
    assert ["!", "table", "users.csv", "bad_table", why] in run.rows
    assert ["+", "rows", "more.csv", "", "1"] in run.rows
    assert run.err.splitlines()[0] == "error[not_all_compared]: 1 of 2 tables could not be compared"
    assert why in run.err
    assert users("diff", USERS[0], "data/users@2026.01.03", "--rows", "--json").error["code"] == "not_all_compared"


def test_a_column_of_a_key_may_have_a_comma(mlreg: Call) -> None:
    for version, text in (("2026.01.01", '"a,b",n\n1,2\n'), ("2026.01.02", '"a,b",n\n1,3\n')):
        put(version, **{"t.csv": text.encode()})
        assert mlreg("add", "data/ages", version, "--version", version).status == 0

    found = mlreg("diff", "data/ages@2026.01.01", "data/ages@2026.01.02", "--key", '"a,b"', "--json").document

    assert found["tables"][0]["changes"]["changed"] == 1


def test_what_is_shown_of_rows_is_whole_on_a_terminal_and_obeyed_by_none(mlreg: Call) -> None:
    for version, text in (("2026.01.01", "id,n\n"), ("2026.01.02", f"id,n\n1,{'x' * 150}\x1b[2J\n")):
        put(version, **{"t.csv": text.encode()})
        assert mlreg("add", "data/ages", version, "--version", version).status == 0

    shown = on_terminal("diff", "data/ages@2026.01.01", "data/ages@2026.01.02", "--samples", "1").out

    assert shown.count("x") >= 150
    assert "\x1b[2J" not in shown
