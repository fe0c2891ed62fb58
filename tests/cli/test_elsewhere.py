"""Reading a registry that was not cloned: a URL, a path or a remote, with nothing of mlreg around."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calling import Call

LOOKS = [
    ["ls", "{place}"],
    ["ls", "{place}::"],
    ["ls", "{place}::model"],
    ["ls", "{place}::model/net"],
    ["ls", "{place}::net@production"],
    ["ls", "{place}::", "--where", "meta.metrics.map > .1"],
    ["ls", "{place}", "--at", "2999-01-01"],
    ["show", "{place}::net@production"],
    ["log", "{place}"],
    ["log", "{place}::model/net"],
    ["lineage", "{place}::net"],
    ["rev-parse", "{place}::net@production^data"],
    ["cat", "{place}::net:weights"],
    ["tag", "ls", "{place}"],
    ["tag", "ls", "{place}::net"],
    ["tag", "log", "{place}::net@production"],
    ["verify", "{place}"],
    ["audit", "log", "{place}"],
    ["audit", "log", "{place}::model/net"],
    ["audit", "verify", "{place}"],
    ["audit", "head", "{place}"],
]


@pytest.fixture
def outside(mlreg: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return the command in an empty directory; the registry beside it has what the project has."""
    assert mlreg("push").status == 0
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return mlreg


@pytest.mark.parametrize("place", ["file://{root}/registry", "{root}/registry", "../registry", "../project"])
@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_whatever_reads_reads_elsewhere(outside: Call, tmp_path: Path, words: list[str], place: str) -> None:
    before = sorted((tmp_path / "registry").rglob("*"))

    run = outside(*(word.format(place=place.format(root=tmp_path)) for word in words), "--json")
    assert (run.status, run.err) == (0, "")
    document = json.loads(run.out)
    assert document.get("items", [1]) != []
    # Nothing is left behind, here or there.
    assert list(Path().iterdir()) == []
    assert sorted((tmp_path / "registry").rglob("*")) == before


def test_a_remote_is_read_by_its_name(mlreg: Call) -> None:
    mlreg("push")

    assert mlreg("ls", "origin::", "-q").out == mlreg("ls", "-q").out == "data/rows\nexp/churn\nmodel/net\n"
    assert mlreg("tag", "ls", "origin::net", "-q").out == "model/net@production\n"


def test_a_version_is_got_without_a_clone(outside: Call, tmp_path: Path) -> None:
    run = outside("get", f"file://{tmp_path}/registry::model/net@production", "out")

    assert run.status == 0
    assert [path.name for path in Path().iterdir()] == ["out"]
    assert Path("out/weights").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("file:///nowhere/at/all", "no_repository"),
        ("../nothing", "no_repository"),
        ("ftp://host/x", "unknown_scheme"),
        ("nobody::", "no_remote"),
        ("file:///x\x1b[2J::net", "bad_url"),
    ],
)
def test_a_place_where_nothing_is_is_named(outside: Call, place: str, code: str) -> None:
    run = outside("ls", place, "--json")

    assert run.status > 0
    assert json.loads(run.err)["code"] == code
    assert "\x1b" not in outside("ls", place).err


def test_what_changes_something_is_refused_elsewhere(outside: Call, tmp_path: Path) -> None:
    net = f"{tmp_path}/registry::model/net@1.0.0"

    for words in (["tag", net, "x1"], ["rm", net], ["meta", "set", net, "a=1"], ["freeze", net], ["copy", net]):
        run = outside(*words, "--json")
        assert json.loads(run.err)["code"] in ("remote_change", "version_or_bump", "no_repository")


def test_a_time_holds_for_a_registry_elsewhere_too(outside: Call, tmp_path: Path) -> None:
    run = outside("show", f"{tmp_path}/registry::model/net", "--at", "2001-01-01", "--json")

    assert (run.status, json.loads(run.err)["code"]) == (4, "ref_not_found")
