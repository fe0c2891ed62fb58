"""What people read when they clean up: what went, what stays for now, and how it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.registry.registry import Registry
from tests.cli.calling import Call


@pytest.fixture
def removed(mlreg: Call, tmp_path: Path) -> Call:
    """The command, where model/net@2.0.0, 500 bytes of its own, was removed, here and at the remote."""
    Path("large").write_bytes(bytes(range(250)) * 2)
    mlreg("add", "model/net", "large", "--version", "2.0.0")
    mlreg("push")
    mlreg("rm", "model/net@2.0.0")
    Registry(str(tmp_path / "registry"), "Bob").remove(["model/net@2.0.0"])
    return mlreg


def first_two(rows: list[list[str]]) -> list[tuple[str, str]]:
    """Return what lines begin with, without sizes, which may differ."""
    return [(row[0], row[2]) for row in rows]


def test_each_thing_that_gc_comes_to_has_a_line_of_its_own(removed: Call) -> None:
    later = "for the end of the grace: --grace 0 deletes them now"

    tried, done = removed("gc", "-n").rows, removed("gc").rows

    assert first_two(tried)[0] == first_two(done)[0] == ("model/net@2.0.0", "removed before")
    assert [row[0] for row in tried[-3:]] == ["would be dropped", "would be deleted", "wait"]
    back = done[-1]
    assert (back[0], back[2][:17]) == ("to take it back", "mlreg gc --undo 1")
    assert first_two(done)[-2] == ("wait", later)
    waits = removed("gc")
    assert waits.out.startswith("nothing to do now; ")
    assert waits.out.endswith(f" wait {later}\n")
    assert [row[0] for row in removed("gc", "--grace", "0").rows][-1] == "deleted"
    assert removed("gc").out == "nothing to do: all is needed\n"


def test_gc_elsewhere_without_yes_says_what_is_missing(removed: Call) -> None:
    assert first_two(removed("gc", "origin").rows)[-1] == ("nothing was done", "add --yes to do it")
    assert "--yes" not in removed("gc", "origin", "-n").out
    assert "--yes" not in removed("gc", "origin", "--yes").out


def test_what_a_cut_push_left_is_told_apart_from_what_is_needed_and_from_the_log(mlreg: Call, tmp_path: Path) -> None:
    place = tmp_path / "registry" / "packs" / "ab"
    place.mkdir(parents=True)
    (place / f"{'ab' * 16}.pack").write_bytes(b"left")

    run = mlreg("gc", "origin", "--grace", "0")

    assert run.out == (
        "nothing to do now; 4 B are too young, in 1 file that no transaction names:"
        " --grace 0 deletes them when they are an hour old\n"
    )
    found = mlreg("gc", "origin", "--json").document
    assert (found["young"], found["young_size"]) == (1, 4)
    assert ["(named by no transaction: mlreg gc)", "", "", "4"] in mlreg("du", "--remote", "origin").rows


def test_why_names_holds_and_freezes(mlreg: Call) -> None:
    mlreg("hold", "model/net", "--reason", "an audit")
    mlreg("freeze", "model/net@1.0.0")

    assert mlreg("why", "model/net@1.0.0").rows[:3] == [
        ["held", "an audit"],
        ["frozen", "yes"],
        ["tag", "model/net@production"],
    ]
    assert mlreg("why", "model/net@1.0.0", "-q").out == "model/net@production\nmodel/net@1.0.0\n"


def test_what_was_removed_is_listed_with_the_way_back(removed: Call) -> None:
    ref, size, _, author, here, back, why = removed("ls", "--removed").rows[0]
    assert (ref, size, here, back, why) == (
        *("model/net@2.0.0", "500", "here", "mlreg restore model/net@2.0.0", "remove model/net@2.0.0"),
    )
    assert author.startswith("Ann Lee")
    removed("gc", "--grace", "0")

    (item,) = removed("ls", "--removed", "model/net", "--json").document["items"]
    assert (item["whole"], item["back"][0][:19]) == (False, "mlreg pull REMOTE m")
    assert removed("ls", "--removed", "data", "-q").out == ""
    assert removed("ls", "--removed", "--limit", "3", "--json").error["code"] == "removed_alone"
