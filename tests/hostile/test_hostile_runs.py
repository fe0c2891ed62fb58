"""Runs that lie, in journals and directories that someone else wrote: sealed with what they truly hold, or refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import MlregError
from mlreg.formats.run import is_run_id
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from tests.cli.calling import Call
from tests.hostile.counting import TRIED
from tests.unit.operations.live import GONE, NOW, OTHER, RUN, end, logged, start, write

SECRET = b"the key of this machine"


@pytest.fixture
def registry(tmp_path: Path) -> ExperimentRegistry:
    place, _ = init(tmp_path / "registry", shared=True)
    return ExperimentRegistry(place, "Ann")


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(MlregError) as caught:
        action()
    assert caught.value.message.isprintable()
    return caught.value.code


# What stands in journals.

texts = st.text(max_size=6) | st.sampled_from(
    ["\x1b[2J", "\ud800", "../x", "<script>", "x" * 300, "NaN", "loss", "data"]
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from([2**63, -(2**64), 10**400, 1e400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
keys = ("artifact", "end", "facts", "input", "labels", "left", "metrics", "params", "start", "told")
fields = (
    "path",
    "place",
    "status",
    "reason",
    "role",
    "commit",
    "ref",
    "name",
    "group",
    "parent",
    "description",
    "format",
)
shaped = st.dictionaries(st.sampled_from(fields) | texts, anything, max_size=4)
claims = st.dictionaries(st.sampled_from(keys), shaped | anything, min_size=1, max_size=3)
stamps = st.fixed_dictionaries(
    {"time": st.integers(0, 2**63 - 1) | anything}, optional={"step": st.integers() | anything}
)
lies = st.builds(lambda said, stamp: {**said, **stamp}, claims, stamps)


def line(record: Any) -> bytes:
    """Return the line of something that need be no record; its check fits."""
    body = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (crc32(body), body)


@given(said=st.lists(lies, max_size=6), more=st.lists(lies, max_size=3))
def test_whatever_else_stands_in_its_journals_a_run_is_sealed_with_what_it_truly_said(
    tmp_path_factory: pytest.TempPathFactory, said: list[Any], more: list[Any]
) -> None:
    shelf = ExperimentRegistry(init(tmp_path_factory.mktemp("shelf"), shared=True)[0], "Ann")
    directory = write(shelf.place.directory, {"a": [start(), logged(0.5, 1, name="true")]}, {"f": b"x"})
    with (directory / "a.journal").open("ab") as journal:
        journal.write(b"".join(map(line, said)))
    (directory / "b.journal").write_bytes(b"".join(map(line, more)))
    TRIED["lies in journals"] += len(said) + len(more)

    live = shelf.get_run(RUN)
    shelf.list_runs()
    if live.status == "running":
        # Someone claims to be a process of which nothing can be known here.
        assert code_of(lambda: shelf.adopt(RUN)) == "run_is_running"
        return

    info = shelf.adopt(RUN)

    assert (info.experiment, info.metrics["true"]) == ("churn", 0.5)
    assert info.metrics == live.metrics
    assert shelf.get_metrics(info.ref)["true"].values[0] == 0.5
    assert shelf.get_run(info.ref).params == live.params
    assert all(is_run_id(one.id) for one in shelf.list_runs())
    assert shelf.registry.verify().problems == ()
    assert not directory.exists()


def test_a_journal_of_another_run_and_one_of_a_later_release_are_told_apart(registry: ExperimentRegistry) -> None:
    later = {"start": {"format": 2, "run": RUN, **GONE}, "time": NOW}
    write(registry.place.directory, {"a": [start(), logged(1, 1)], "b": [later, logged(2, 2)]})

    info = registry.get_run(RUN)

    # Lines stand alone: the later release says what of its lines an earlier one can read.
    assert (info.damaged, info.ranges["loss"]["count"]) == (1, 2)


def test_a_line_without_an_end_in_a_huge_journal_costs_no_more_than_its_bytes(registry: ExperimentRegistry) -> None:
    directory = write(registry.place.directory, {"a": [start(), logged(1, 1), end(2)]})
    with (directory / "b.journal").open("wb") as file:
        file.write(b"00000000 " + b"x" * 50_000_000)
    with (directory / "c.journal").open("wb") as file:
        file.truncate(50_000_000)

    assert registry.adopt(RUN).metrics == {"loss": 1.0}


# Where a directory leads.


@pytest.mark.parametrize(
    "way", ["files is a link", "a file is a link", "a place leads out", "a file is a hard link of a link"]
)
def test_nothing_from_outside_of_a_run_gets_into_its_version(
    tmp_path: Path, registry: ExperimentRegistry, way: str
) -> None:
    outside = tmp_path / "home"
    outside.mkdir()
    (outside / "key").write_bytes(SECRET)
    place = {"files is a link": "key", "a place leads out": "../../../home/key"}.get(way, "link")
    said = [start(), {"artifact": {"path": "artifacts/stolen", "place": place}, "time": NOW}, end(1)]
    directory = write(registry.place.directory, {"a": said})
    if way == "files is a link":
        (directory / "files").symlink_to(outside)
    else:
        (directory / "files").mkdir()
        (directory / "files" / "first").symlink_to(outside / "key")
        os.link(directory / "files" / "first", directory / "files" / "link", follow_symlinks=False)

    info = registry.adopt(RUN)

    assert info.facts["missing"] == ["artifacts/stolen"]
    assert list(registry.registry.files(info.ref)) == []
    assert (outside / "key").read_bytes() == SECRET
    assert not directory.exists()


def test_a_directory_of_runs_that_is_a_link_to_a_run_leaves_that_run_alone(
    registry: ExperimentRegistry, tmp_path: Path
) -> None:
    real = write(tmp_path / "elsewhere", {"a": [start(), logged(1, 1), end(2)]})
    registry.place.directory.mkdir()
    for name in (RUN, OTHER):
        (registry.place.directory / name).symlink_to(real)

    assert registry.adopt_all(crashed=True) == []
    assert code_of(lambda: registry.adopt(RUN)) == "run_missing"
    assert registry.list_runs() == []
    assert (real / "a.journal").is_file()


def test_a_pipe_in_the_place_of_a_journal_keeps_no_one_waiting(registry: ExperimentRegistry) -> None:
    directory = write(registry.place.directory, {"a": [start(), logged(1, 1), end(2)]})
    os.mkfifo(directory / "b.journal")
    (directory / "c.journal").symlink_to("/dev/zero")

    assert registry.adopt(RUN).metrics == {"loss": 1.0}


# Names that are none.

NO_IDS = [
    "",
    ".",
    "..",
    "../../etc",
    "/etc",
    RUN[:7],
    RUN.upper(),
    f"{RUN}/files",
    f"{RUN}.0.aside",
    "\x1b[2J",
    "a\0b",
    "\ud800",
    "x" * 100_000,
    "%",
    "*",
]


@pytest.mark.parametrize("text", NO_IDS, ids=lambda text: ascii(text[:20]))
def test_what_is_no_id_of_a_run_finds_none_and_makes_none(registry: ExperimentRegistry, text: str) -> None:
    write(registry.place.directory, {"a": [start(), end(1)]})
    before = sorted(registry.place.directory.rglob("*"))

    for action in (registry.adopt, registry.resume, registry.join, registry.attach, registry.get_run, registry.end):
        code = code_of(partial(action, text))
        assert code in ("run_missing", "ref_not_found", "bad_ref", "ref_ambiguous", "bad_id"), (action, code)
    assert sorted(registry.place.directory.rglob("*")) == before


# Words that deceive.

EVIL = "\x1b[2J\x1b]0;owned\x07\u202e<script>alert(1)</script>\r\n\t'; DROP TABLE runs"


def test_a_terminal_obeys_nothing_that_a_run_says(mlreg: Call) -> None:
    (run,) = mlreg("run", "start", "churn", "--name", EVIL, "--group", EVIL, "-m", EVIL, "-q").out.split()
    registry = ExperimentRegistry(Path(".mlreg"), "Ann")
    attached = registry.attach(run)
    attached.log_params({"p": EVIL, "deep": {EVIL: [EVIL]}})
    attached.set_tags({EVIL: EVIL, "team": EVIL})
    attached.say_facts({EVIL: EVIL})
    attached.log_metric("<img src=x onerror=alert(1)>", float("nan"))

    def shown() -> list[str]:
        words = [
            ("run", "show", run),
            ("run", "ls"),
            ("run", "ls", "--columns", "labels.team,params.p,name"),
            ("exp", "ls"),
        ]
        return [call.out for call in (mlreg(*one) for one in words) if call.status == 0]

    texts_shown = [*shown(), mlreg("run", "finish", "--run", run, "--status", "failed", "--reason", EVIL).out, *shown()]

    assert len(texts_shown) == 9
    for text in texts_shown:
        assert all(part.isprintable() for one in text.split("\n") for part in one.split("\t")), text
    found = mlreg("run", "show", run, "--json").document
    assert (found["name"], found["labels"]["team"], found["params"]["p"]) == (EVIL, EVIL, EVIL)


def test_a_name_that_cannot_be_printed_is_refused_on_the_command_line_too(mlreg: Call) -> None:
    (run,) = mlreg("run", "start", "churn", "-q").out.split()

    for words in (
        ["run", "log", f"{EVIL}=1"],
        ["run", "param", "\x1b=1"],
        ["run", "log", "=1"],
        ["run", "log", f"{'x' * 251}=1"],
    ):
        call = mlreg(*words, "--run", run)
        assert (call.status, call.out) == (2, "")
        assert call.err.startswith("error[bad_")
        assert all(part.isprintable() for part in call.err.split("\n"))


# Directories that were carried around.


def test_a_copy_that_was_made_while_the_run_lived_does_not_stand_for_the_run_later(
    registry: ExperimentRegistry,
) -> None:
    said = [
        start(),
        {"params": {"lr": 1}, "time": NOW},
        {"artifact": {"path": "artifacts/a", "place": "f"}, "time": NOW},
    ]
    said += [logged(float("nan") if number == 2 else number, number, number) for number in range(4)]
    said[5]["metrics"]["loss"] = "NaN"
    runs = registry.place.directory
    write(runs, {"a": [*said, end(9)]}, {"f": b"x"})
    whole = registry.adopt(RUN)

    for count in range(1, len(said) + 1):
        write(runs, {"a": said[:count]}, {"f": b"x"})
        assert registry.get_run(RUN).status == "crashed"
        assert registry.adopt_all(crashed=True) == [whole], count

    assert registry.get_run(RUN) == whole
    assert [one.version for one in registry.registry.versions("exp/churn")] == [RUN]


@pytest.mark.parametrize("more", ["a point", "a point again", "a param", "a file", "another file"])
def test_a_copy_that_holds_something_of_its_own_is_kept(registry: ExperimentRegistry, more: str) -> None:
    said = [start(), logged(1, 1), {"params": {"lr": 1}, "time": NOW}]
    said.append({"artifact": {"path": "artifacts/a", "place": "f"}, "time": NOW})
    own: dict[str, dict[str, Any]] = {
        "a point": logged(2, 2),
        "a point again": logged(1, 1),
        "a param": {"params": {"depth": 1}, "time": NOW},
        "a file": {"artifact": {"path": "artifacts/b", "place": "f"}, "time": NOW},
        "another file": {"artifact": {"path": "artifacts/a", "place": "g"}, "time": NOW},
    }
    write(registry.place.directory, {"a": [*said, end(9)]}, {"f": b"x"})
    registry.adopt(RUN)
    write(registry.place.directory, {"a": [*said, own[more]]}, {"f": b"x", "g": b"y"})

    assert registry.adopt(RUN).ref == f"exp/churn@{RUN}+2"
