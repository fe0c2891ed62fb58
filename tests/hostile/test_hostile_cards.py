"""Cards that would command a terminal, pose as something else, or never end; see also the documents of metadata."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlreg.formats.card import MAX_CHARS, MAX_FRONT_CHARS
from mlreg.registry import ModelRegistry
from tests.cli.calling import Call, on_terminal
from tests.hostile.conftest import Refuse

ADD = ("add", "model/net", "weights", "--bump", "minor", "--card", "card.md")
PATIENCE = 5.0
"""Seconds of computing that any of this may take."""

REFUSED: dict[str, tuple[bytes, str]] = {
    "not closed": (b"---\nlicense: MIT\n", "bad_card"),
    "not closed, at length": (b"---\n" + b"\n" * (MAX_CHARS - 10), "bad_card"),
    "closed by dots": (b"---\nlicense: MIT\n...\n# Net\n", "bad_card"),
    "lines that nearly close it": (b"---\n" + b"--- -\n" * 150_000, "bad_card"),
    "too long": (b"x" * (MAX_CHARS + 1), "bad_card"),
    "200 MB": (b"", "bad_card"),
    "too long in front": (b"---\n" + b"# x\n" * MAX_FRONT_CHARS + b"---\n", "bad_card"),
    "a list in front": (b"---\n- license\n---\n", "bad_card"),
    "a page in front": (b"---\n<html><script>alert(1)</script></html>\n---\n", "bad_card"),
    "UTF-16": ("---\nlicense: MIT\n---\n".encode("utf-16"), "bad_meta"),
    "Latin-1": (b"---\nlicense: MIT\n---\n\xe9\n", "bad_meta"),
    "a pickle": (b"\x80\x05cos\nsystem\n(S'touch pwned'\ntR.", "bad_meta"),
    "NUL in a license": (b'---\nlicense: "MIT\\0"\n---\n', "bad_field"),
    "a license that is a list": (b"---\nlicense: [MIT]\n---\n", "bad_field"),
    "a metric that is no number": (b"---\nmetrics: {map: .nan}\n---\n", "bad_json"),
    "a metric beyond all": (b"---\nmetrics: {map: 1e999}\n---\n", "bad_json"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_card_is_refused(name: str, refuse: Refuse) -> None:
    data, code = REFUSED[name]
    with Path("card.md").open("wb") as file:
        file.write(data)
        if name == "200 MB":
            file.truncate(200 << 20)  # of zeros, which take no room
    began = time.process_time()

    refuse(*ADD, code=code)
    assert time.process_time() - began < PATIENCE
    assert not Path("pwned").exists()


BODY = """# Net

\x1b[2J\x1b]0;title\x07 \x1b]52;c;cHduZWQ=\x07 \x9b2J \u202egnp.exe \u200b [red]red[/] {0.__class__} %s
<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) &lt; <!-- --> ]]>
---
license: other
---
"""
FRONT = '---\nlicense: mit\n"\\e[2J": "\\e]0;x\\a<script>"\ncard: not the card\nadapter: pickle\n---\n\n'


def test_a_hostile_card_is_kept_as_it_is_and_commands_nothing(mlreg: Call) -> None:
    Path("card.md").write_text(FRONT + BODY, encoding="utf-8")
    assert mlreg(*ADD, "-q").out == "model/net@1.1.0\n"

    metadata = mlreg("show", "model/net@1.1.0", "--json").document["metadata"]
    assert metadata == {"license": "mit", "\x1b[2J": "\x1b]0;x\x07<script>", "card": BODY, "adapter": "pickle"}
    assert mlreg("show", "model/net@1.1.0", "--json").out.isascii()
    for words in (["show", "model/net"], ["show", "--card", "model/net"], ["diff", "net@latest~1", "net"]):
        # A card goes into a file as it was; everything else, and a terminal, gets escapes.
        assert "--card" in words or all(line.replace("\t", "").isprintable() for line in mlreg(*words).out.split("\n"))
        # What a terminal is told, rich says: colours and such, but nothing of the text.
        shown = on_terminal(*words)
        assert shown.status == 0
        assert not [mark for mark in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e", "\u200b") if mark in shown.out]
        assert words[0] == "diff" or "[red]" in shown.out


def test_a_card_does_not_choose_what_unpickles(mlreg: Call, tmp_path: Path) -> None:
    Path("model.pickle").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    Path("card.md").write_text(FRONT, encoding="utf-8")
    assert mlreg("add", "model/net", "model.pickle", "--bump", "minor", "--card", "card.md").status == 0
    models = ModelRegistry(tmp_path / "project" / ".mlreg", "Ann", tmp_path / "cache")

    assert models.get_model("net", trust=True).read_bytes() == Path("model.pickle").read_bytes()
    assert not Path("pwned").exists()


INDEXES = [
    "x",
    "5",
    "[]",
    "[[]]",
    "[{name: 5, results: [{dataset: {name: 6}, metrics: [{type: 7, value: 8}]}]}]",
    "[{name: x, results: [{dataset: {name: [1]}, metrics: 5}]}]",
    "[{name: x, results: [{dataset: {name: y}, metrics: [{type: {a: 1}, value: 5}]}]}]",
    "[{name: x, results: [{dataset: y, metrics: [{type: a, value: '5'}]}]}]",
    "[{name: x, results: " + "[" * 25 + "]" * 25 + "}]",
]


@pytest.mark.parametrize("index", INDEXES)
def test_an_index_of_any_shape_is_kept_and_comes_back(index: str, mlreg: Call) -> None:
    Path("card.md").write_text(f"---\nmodel-index: {index}\n---\n# Net\n", encoding="utf-8")
    assert mlreg(*ADD).status == 0
    kept = mlreg("show", "model/net", "--json").document["metadata"]

    Path("card.md").write_text(mlreg("show", "model/net", "--card").out, encoding="utf-8")
    assert mlreg(*ADD, "--json").document["changed"] is False
    assert kept["model-index"] is not None


def test_the_longest_front_matter_is_read_in_some_seconds(mlreg: Call) -> None:
    Path("card.md").write_text("---\na: [" + "0," * (MAX_FRONT_CHARS // 2 - 10) + "]\n---\n", encoding="utf-8")
    began = time.process_time()

    assert mlreg(*ADD).status == 0
    assert time.process_time() - began < PATIENCE
