"""Metadata that would harm, deceive or not come back: typed, in files, from programs, and said afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlreg.cli import views
from mlreg.errors import MlregError
from mlreg.formats.annotation import Annotation, about_version
from mlreg.formats.yaml_document import MAX_CHARS, MAX_NODES
from mlreg.operations.history import read_commit
from mlreg.registry import ModelRegistry, annotating
from mlreg.registry.comparing import compare
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.searching import search
from mlreg.repository.log import Draft
from tests.cli.calling import Call
from tests.hostile.conftest import Refuse, digest_of

ADD = ("add", "model/net", "weights", "--bump", "minor")
ONE = "model/net@1.0.0"

# Typed.

PAIRS: dict[str, tuple[list[str], str]] = {
    "no value": (["map"], "bad_meta"),
    "no key": (["=1"], "bad_meta"),
    "no value, at length": (["x" * 100_000], "bad_meta"),
    "no value, and an escape": (["\x1b[2J"], "bad_meta"),
    "a key below a value": (["x=1", "x.y=1"], "bad_meta"),
    "a key below a value, at length": ([f"{'x' * 50_000}=1", f"{'x' * 50_000}.y=1"], "bad_meta"),
    "too deep": (["a." * 40 + "b=1"], "bad_json"),
    "not a number": (["x=.nan"], "bad_json"),
    "infinite": (["x=1e999"], "bad_json"),
    "more than 64 bits": (["x=9223372036854775808"], "bad_json"),
    "no UTF-8": (["x=\udcff"], "bad_json"),
    "a key that is no UTF-8": (["\udcff=x"], "bad_json"),
    "half of a list": (["x=[1,"], "bad_yaml"),
    "an alias": (["x=[&a 1, *a]"], "bad_yaml"),
    "an object": (["x=[!!python/object/apply:os.system ['touch pwned']]"], "bad_yaml"),
    "a key twice": (["x={a: 1, a: 2}"], "bad_yaml"),
    "50,000 brackets": (["x=" + "[" * 50_000], "bad_yaml"),
    "a truth value as a metric": (["metrics.map=true"], "bad_field"),
    "NUL in a license": (["license=MIT\0"], "bad_field"),
}


@pytest.mark.parametrize(("pairs", "code"), PAIRS.values(), ids=PAIRS)
def test_a_pair_that_cannot_be_kept_is_refused(pairs: list[str], code: str, refuse: Refuse) -> None:
    refuse(*ADD, *(word for pair in pairs for word in ("--meta", pair)), code=code)
    refuse("meta", "set", ONE, *pairs, code=code)
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["label", "model/net", "x"], "bad_meta"),
        (["label", "model/net", "x=.inf"], "bad_json"),
        (["label", "model/net", "\udcff=x"], "bad_json"),
        (["label", "model/net", "x=1", "-m", "\udcff"], "bad_json"),
        (["deprecate", "model/net", "-m", ""], "no_reason"),
        (["deprecate", "model/net", "-m", " \t\n"], "no_reason"),
        (["deprecate", "model/net", "-m", "\udcff"], "bad_json"),
        (["meta", "set", "model/net", "x=1"], "no_version_named"),
    ],
)
def test_what_cannot_be_said_afterwards_is_refused(words: list[str], code: str, refuse: Refuse) -> None:
    refuse(*words, code=code)


# In files: each as a file of metadata, and as the front matter of a card.

DOCUMENTS = {
    "an alias bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    "an anchor that holds itself": "a: &a [*a]\n",
    "a merge of an anchor": "a: &a {b: 1}\nc:\n  <<: *a\n",
    "an object of Python": "a: !!python/object/apply:os.system ['touch pwned']\n",
    "a module of Python": "a: !!python/module:os\n",
    "a time": "a: !!timestamp 2026-01-01\n",
    "bytes": "a: !!binary aGVsbG8=\n",
    "a tag of its own": "a: !secret x\n",
    "a key twice": "license: MIT\nlicense: GPL-3.0-only\n",
    "a key twice, in two spellings": "'no': 1\nno: 2\n",
    "a list as a key": "? [a]\n: b\n",
    "a tab": "a:\n\tb: 1\n",
    "NUL": "a: \0\n",
    "an escape": "a: \x1b[2J\n",
    "half of a surrogate pair": 'a: "\\ud800"\n',
    "a character beyond Unicode": 'a: "\\U00110000"\n',
    "not closed": "a: [1\n",
    "100,000 lists": "a: " + "[" * 100_000 + "\n",
}


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_yaml_that_surprises_is_refused_wherever_it_stands(text: str, refuse: Refuse) -> None:
    Path("meta.yaml").write_text(text, encoding="utf-8")
    Path("card.md").write_text(f"---\n{text}---\n# Net\n", encoding="utf-8")

    for words in ((*ADD, "--meta-file"), ("meta", "set", ONE, "--meta-file")):
        assert "meta.yaml" in refuse(*words, "meta.yaml", code="bad_yaml")["message"]
    assert "card.md" in refuse(*ADD, "--card", "card.md", code="bad_yaml")["message"]
    assert not Path("pwned").exists()


FILES = {
    "empty": (b"", "bad_meta"),
    "a list": (b"- a\n", "bad_meta"),
    "a word": (b"a\n", "bad_meta"),
    "UTF-16": ("a: 1\n".encode("utf-16"), "bad_meta"),
    "Latin-1": (b"a: \xe9\n", "bad_meta"),
    "a pickle": (b"\x80\x05cos\nsystem\n", "bad_meta"),
    "two documents": (b"a: 1\n---\nb: 2\n", "bad_yaml"),
    "too many values": (b"a: [" + b"0," * MAX_NODES + b"]\n", "bad_yaml"),
    "too many keys": (b"".join(b"k%d: 1\n" % number for number in range(MAX_NODES // 2)), "bad_yaml"),
    "too long": (b"a: " + b"x" * MAX_CHARS, "bad_yaml"),
    "an infinite number": (b"a: .inf\n", "bad_json"),
    "a number of 65 bits": (b"a: 36893488147419103232\n", "bad_json"),
    "metrics that are text": (b"metrics: {map: 0.9.1}\n", "bad_field"),
}


@pytest.mark.parametrize(("data", "code"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_metadata_is_refused(data: bytes, code: str, refuse: Refuse) -> None:
    Path("meta.yaml").write_bytes(data)

    refuse(*ADD, "--meta-file", "meta.yaml", code=code)


@pytest.mark.parametrize("place", ["/dev/zero", "."])
@pytest.mark.parametrize(("option", "too_long"), [("--meta-file", "bad_yaml"), ("--card", "bad_card")])
def test_what_never_ends_and_what_is_no_file_are_not_read_as_metadata(
    option: str, too_long: str, place: str, refuse: Refuse
) -> None:
    refuse(*ADD, option, place, code="bad_meta" if place == "." else too_long)


# Norway and its friends: what looks like one thing is that thing.

AS_IT_LOOKS: dict[str, Any] = {
    "country: NO": {"country": "NO"},
    "NO: 1": {"NO": 1},
    "a: yes": {"a": "yes"},
    "a: off": {"a": "off"},
    "a: 2026-01-01": {"a": "2026-01-01"},
    "a: 2001-12-14t21:59:43.10-05:00": {"a": "2001-12-14t21:59:43.10-05:00"},
    "a: 1:30": {"a": "1:30"},
    "a: 0777": {"a": "0777"},
    "a: 0o17": {"a": "0o17"},
    "a: 0x1F": {"a": "0x1F"},
    "a: 1_000": {"a": "1_000"},
    "a: 1e3": {"a": 1000.0},
    "a: -0": {"a": 0},
    "a: =": {"a": "="},
    "null: 1": {"null": 1},
    "1.0: 1": {"1.0": 1},
    "<<: {b: 2}": {"<<": {"b": 2}},
    "__proto__: {constructor: 1}": {"__proto__": {"constructor": 1}},
    "a: " + "9" * 5000: {"a": "9" * 5000},
    "\ufeffa: 1\r\nb: 2\r\n": {"a": 1, "b": 2},
}


@pytest.mark.parametrize(("text", "expected"), AS_IT_LOOKS.items(), ids=lambda value: ascii(value)[:30])
def test_yaml_means_what_it_looks_like(text: str, expected: dict[str, Any], mlreg: Call) -> None:
    Path("meta.yaml").write_text(text, encoding="utf-8", newline="")

    assert mlreg(*ADD, "--meta-file", "meta.yaml").status == 0
    found = mlreg("show", "model/net@1.1.0", "--json").document["metadata"]
    assert repr(found) == repr(expected)


# From programs.


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "weights").write_bytes(b"weights")
    found = Registry(init(tmp_path / "place", shared=True)[0], "Ann", tmp_path / "cache")
    found.add("model/net", [tmp_path / "weights"], version="1.0.0", metadata={"metrics": {"map": 0.5}})
    return found


def holds_itself() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["again"] = [found]
    return found


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


OBJECTS: dict[str, tuple[dict[str, Any], str]] = {
    "metadata that holds itself": ({"metadata": holds_itself()}, "bad_json"),
    "a metric that holds itself": ({"metadata": {"metrics": holds_itself()}}, "bad_json"),
    "metadata of depth 10,000": ({"metadata": {"a": nested(10_000)}}, "bad_json"),
    "an object": ({"metadata": {"a": object()}}, "bad_json"),
    "a set": ({"metadata": {"a": {1}}}, "bad_json"),
    "a number as a key": ({"metadata": {1: 2}}, "bad_json"),
    "nothing as a key": ({"metadata": {None: 2}}, "bad_json"),
    "two megabytes": ({"metadata": {"a": "x" * (2 << 20)}}, "metadata_too_large"),
    "200,000 keys": ({"metadata": {f"k{number}": 1 for number in range(200_000)}}, "metadata_too_large"),
    "a card of two megabytes": ({"metadata": {"card": "x" * (2 << 20)}}, "metadata_too_large"),
    "a message that is no UTF-8": ({"message": "\ud800"}, "bad_json"),
    "a message of 5 MB": ({"message": "x" * 5_000_000}, "commit_too_large"),
    "a way out as a tag": ({"tags": ["fine", "../x"]}, "bad_tag"),
    "50,000 tags": ({"tags": [f"t{number:060}" for number in range(50_000)]}, "transaction_too_large"),
    "a way out as a role": ({"inputs": [("../x", "model/net")]}, "bad_role"),
    "a way out as an input": ({"inputs": [("base", "../../x")]}, "bad_ref"),
}


@pytest.mark.parametrize(("arguments", "code"), OBJECTS.values(), ids=OBJECTS)
def test_what_a_program_hands_over_is_refused_and_leaves_nothing(
    arguments: dict[str, Any], code: str, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "weights").write_bytes(b"others")
    before = digest_of(tmp_path / "place")

    with pytest.raises(MlregError) as caught:
        registry.add("model/net", [tmp_path / "weights"], version="2.0.0", **arguments)

    assert caught.value.code == code
    assert digest_of(tmp_path / "place") == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (holds_itself(), "bad_json"),
        ({"a": nested(10_000)}, "bad_json"),
        ({"a": "x" * (2 << 20)}, "annotation_too_large"),
        ({"a": float("nan")}, "bad_json"),
        ({"a": "\ud800"}, "bad_json"),
    ],
    ids=["holds itself", "too deep", "too long", "not a number", "no UTF-8"],
)
def test_a_correction_that_cannot_be_kept_is_refused_and_leaves_nothing(
    changes: dict[str, Any], code: str, registry: Registry, tmp_path: Path
) -> None:
    before = digest_of(tmp_path / "place")

    for say in (annotating.correct, annotating.label):
        with pytest.raises(MlregError) as caught:
            say(registry, ONE, changes)
        assert caught.value.code == code
    assert digest_of(tmp_path / "place") == before


# Said by someone who does not use mlreg, and so unchecked.

FORGED: dict[str, dict[str, Any]] = {
    "metadata that is a number": {"metadata": 5},
    "metadata that is a list": {"metadata": [1]},
    "metadata that is gone": {"metadata": None},
    "metrics that are text": {"metadata": {"metrics": "high"}},
    "a card that is a list": {"metadata": {"card": [1]}},
    "fields of other kinds": {"metadata": {"keywords": 5, "license": {"a": 1}, "framework": [1], "task": [[]]}},
    "an index that is none": {"metadata": {"model-index": [{"name": 5, "results": [{"metrics": None}]}]}},
    "escapes": {"metadata": {"\x1b[2J": "\x1b]0;x\x07"}, "deprecated": "\x1b[2J", "labels": {"\u202e": "\x9b"}},
    "a deprecation that is a mapping": {"deprecated": {"a": 1}},
    "a freeze that is text": {"frozen": "no"},
    "labels that are a list": {"labels": [1]},
    "facts of no meaning": {"": "", "owner": {"a": [1]}},
    "a megabyte": {"metadata": {"a" * 900: "b" * 900_000}},
}


@pytest.mark.parametrize("subject", ["version", "entry"])
@pytest.mark.parametrize("patch", FORGED.values(), ids=FORGED)
def test_whatever_someone_said_everything_can_still_be_looked_at_and_put_right(
    patch: dict[str, Any], subject: str, registry: Registry, tmp_path: Path
) -> None:
    commit = read_commit(registry.repository, registry.find(ONE)[2].commit_id)
    version = about_version("version/model/net/1.0.0", commit.content())
    about = version if subject == "version" else "entry/model/net"
    said = Annotation("0" * 32, about, patch, (), "Eve\x1b[2J", "2026-11-23T06:28:00Z", "why\x1b[2J")
    registry.repository.log.append(lambda view: Draft("Eve", "", notes=(said.note(),)))
    registry.add("model/net", [tmp_path / "weights"], version="1.1.0", metadata={"a": 1})
    expression = "meta.metrics.map > 0 or labels.a.b = 1 or deprecated = 'x' or frozen = true"

    looks: list[Callable[[], object]] = [
        lambda: views.version(registry.show(ONE)),
        lambda: views.versions(registry.versions("model/net")),
        lambda: views.statements(annotating.statements(registry, ONE)),
        lambda: search(registry, "*", expression, "meta.metrics,-meta.card,labels,deprecated,frozen", ["x"]),
        lambda: compare(registry, ONE, "model/net@1.1.0"),
        lambda: registry.get(ONE, tmp_path / "out"),
    ]
    for look in looks:
        look()
    assert registry.verify().problems == ()
    annotating.correct(registry, ONE, {}, ["metrics", "card", "keywords", "license", "framework", "task", "a" * 900])
    annotating.undeprecate(registry, ONE)
    annotating.unfreeze(registry, ONE)
    assert views.card_of(registry.show(ONE))
    assert registry.show(ONE).disputed == ()


def test_a_correction_does_not_choose_what_loads_a_model(tmp_path: Path) -> None:
    init(tmp_path / "place", shared=True)
    models = ModelRegistry(tmp_path / "place", "Ann", tmp_path / "cache")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.pickle").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    models.register_model(tmp_path / "folder", "net", "1.0.0")

    annotating.correct(models.registry, ONE, {"adapter": "pickle"})

    assert models.get_info("net").metadata["adapter"] == "pickle"
    assert (models.get_model("net", trust=True) / "model.pickle").is_file()
    assert not Path("pwned").exists()


def test_two_who_correct_the_same_are_both_shown_and_hide_nothing(mlreg: Call, tmp_path: Path) -> None:
    evil = "\x1b[2J\u202e"
    ann, eve = ("-C", str(tmp_path / "project")), ("-C", str(tmp_path / "eve"))
    mlreg("push")
    mlreg("clone", str(tmp_path / "registry"), str(tmp_path / "eve"))
    mlreg("meta", "set", ONE, "metrics.map=0.6", "-m", "mine", *ann)
    mlreg("meta", "set", ONE, "metrics.map=0.7", f"{evil}={evil}", "-m", evil, *eve)
    assert mlreg("push", *eve).status == 0
    assert mlreg("pull", *ann).status == 0

    shown, said = mlreg("show", ONE), mlreg("meta", "log", ONE)
    assert [row[0] for row in shown.rows].count("disputed") == 1
    assert {row[2].split(" ")[0] for row in said.rows} == {"metadata.metrics.map=0.6", "metadata.metrics.map=0.7"}
    assert all(cell.isprintable() for row in shown.rows + said.rows for cell in row)
    assert mlreg("meta", "set", ONE, "metrics.map=0.7").status == 0
    assert not mlreg("show", ONE, "--json").document["disputed"]
