"""Completion at the tab key: the answer itself, and shells that ask for it."""

from __future__ import annotations

import pytest

from mlreg.cli import completing
from tests.cli.calling import Call
from tests.cli.words import written


def words(mlreg: Call, *typed: str) -> list[str]:
    """Return the words that the last of some words may become."""
    run = mlreg("__complete", "--", *typed)
    assert (run.status, run.err) == (0, "")
    assert all(line.count("\t") == 2 for line in run.out.splitlines())
    return [row[1] for row in run.rows]


def sorts(mlreg: Call, *typed: str) -> dict[str, str]:
    """Return the sort of each word."""
    return {row[1]: row[0] for row in mlreg("__complete", "--", *typed).rows}


def test_the_table_is_that_of_the_commands() -> None:
    assert completing.TABLE.read_text(encoding="utf-8") == written(), "run python -m tests.cli.words"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["sh"], ["show"]),
        (["tag", "l"], ["ls", "log"]),
        (["con"], ["config"]),
        (["show", "--j"], ["--json"]),
        (["tag", "rm", "--me"], ["--message"]),
        (["lineage", "x", "--output", ""], ["tree", "dot", "mermaid", "json"]),
        (["lineage", "--output=d"], ["--output=dot"]),
        (["add", "model/net", "--bump", "m"], ["major", "minor"]),
        (["config", "get", "registry.model.st"], ["registry.model.storage_path"]),
        (["config", "get", "remotes."], ["remotes.origin"]),
        (["config", "set", "aut"], ["author"]),
        (["config", "set", "author", ""], []),
        (["help", "re"], ["refs", "restore", "rev-parse", "remote"]),
        (["help", "remote", "f"], ["forget"]),
        (["schema", "tag"], ["tag", "tag-ls"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["push", "or"], ["origin"]),
        (["remote", "rm", ""], ["origin"]),
        (["remote", "add", ""], []),
        (["wait", "net", "--for", ""], ["exists", "tag="]),
        (["wait", "net", "--for", "tag="], ["tag=production"]),
        (["tag", "net@1.0.0", ""], ["production"]),
        (["tag", "set", "net@1.0.0", "p"], ["production"]),
        (["add", "model/net", "--tag", ""], ["production"]),
        (["add", "m"], ["model/"]),
        (["add", "model/net", "weights", "--in", "base=net@p"], ["base=net@production"]),
        (["add", "model/net", "weights", "--in", "base"], []),
        (["show", ""], ["data/", "model/"]),
        (["show", "model/n"], ["model/net"]),
        (["show", "models/"], ["models/net"]),
        (["show", "n"], ["net"]),
        (["show", "model/net@"], ["model/net@production", "model/net@latest", "model/net@1.0.0"]),
        (["show", "datasets/rows@2"], ["datasets/rows@2026.01.01"]),
        (["rm", "model/net@1.0.0", "data/rows@l"], ["data/rows@latest"]),
        (["show", "origin::model/"], []),
        (["show", "model/net@1.0.0", ""], []),
        (["show", "model/net@1.0.0:"], []),
        (["show", "model/nothing@"], []),
        (["show", "--format", ""], []),
        (["show", "--", "--j"], []),
        (["--nothing", "show", "--", "n"], ["net"]),
        (["frobnicate", ""], []),
        (["ls", "--limit=3", "n"], ["net"]),
    ],
    ids=" ".join,
)
def test_a_word_becomes_what_may_stand_there(typed: list[str], expected: list[str], mlreg: Call) -> None:
    assert words(mlreg, *typed) == expected
