"""What an error tells people to do is done to the letter, and leads where it says."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from mlreg.errors import ConflictError
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from tests.cli.calling import Call


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return init(tmp_path / "origin", shared=True)[0]


def person(root: Path, name: str, origin: Path, content: str) -> Registry:
    """Return the registry of someone who has registered model/net@1.0.0 alone."""
    place, _ = init(root / name, shared=False)
    registry = Registry(place, name, root / "cache", {"origin": str(origin)})
    (root / "file").write_text(content)
    registry.add("data/rows", [root / "file"], version="2026.01.01")
    registry.add(
        "model/net",
        [root / "file"],
        version="1.0.0",
        metadata={"by": name},
        inputs=[("data", "data/rows@latest")],
        message=f"by {name}",
        tags=["candidate"] if name == "bob" else (),
    )
    return registry


@pytest.mark.parametrize("meet", [lambda sync: sync.push(["model/net"]), lambda sync: sync.pull(["model/net"])])
def test_two_versions_of_one_name_are_both_kept_by_the_commands_of_the_error(
    meet: object, origin: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sync(person(tmp_path, "ann", origin, "one"), "origin").push(["model/net"])
    bob = person(tmp_path, "bob", origin, "two")
    mine = bob.show("model/net@1.0.0")

    with pytest.raises(ConflictError) as caught:
        meet(Sync(bob, "origin"))  # type: ignore[operator] # one of the two above
    assert "bob registered it here" in caught.value.why
    assert "ann there" in caught.value.why

    monkeypatch.chdir(tmp_path / "bob")
    monkeypatch.setenv("MLREG_AUTHOR", "bob")
    assert call("remote", "add", "origin", os.fspath(origin)).status == 0
    assert call("rm", "data/rows@2026.01.01").status == 0  # theirs has the same name, and other content
    commands = caught.value.fix[-1].partition(": ")[2].split(" && ")
    for words in map(shlex.split, commands):
        assert words[0] == "mlreg"
        run = call(*words[1:])
        assert run.status == 0, (words, run.err)

    there = Registry(origin, "")
    assert {version.version: version.metadata for version in there.versions("model/net")} == {
        "1.0.0": {"by": "ann"},
        "1.0.1": {"by": "bob"},
    }
    kept = there.show("model/net@candidate")
    assert (kept.version, kept.message) == ("1.0.1", "by bob")
    assert [item.id for item in kept.inputs] == [item.id for item in mine.inputs]
    assert there.verify().problems == ()
    assert bob.verify().problems == ()


def test_a_run_that_went_on_in_two_places_is_kept_twice_by_the_commands_of_the_error(
    origin: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {}
    for name in ("ann", "bob"):
        place, _ = init(tmp_path / name, shared=False)
        people[name] = ExperimentRegistry(place, name, tmp_path / "cache", {"origin": str(origin)})
    with people["ann"].start_experiment("churn", tags={"team": "a"}) as run:
        run.log_metric("loss", 1)
    Sync(people["ann"].registry, "origin").push()
    Sync(people["bob"].registry, "origin").pull()
    for name, value in (("ann", 2), ("bob", 3)):
        with people[name].resume(run.id) as again:
            again.log_metric("loss", value)
    Sync(people["ann"].registry, "origin").push()

    with pytest.raises(ConflictError) as caught:
        Sync(people["bob"].registry, "origin").push()

    assert caught.value.code == "version_conflict"
    monkeypatch.chdir(tmp_path / "bob")
    monkeypatch.setenv("MLREG_AUTHOR", "bob")
    assert call("remote", "add", "origin", os.fspath(origin)).status == 0
    for words in map(shlex.split, caught.value.fix[-1].partition(": ")[2].split(" && ")):
        done = call(*words[1:])
        assert done.status == 0, (words, done.err)
    there = ExperimentRegistry(origin, "")
    found = {
        version: [point.value for point in there.get_metrics(f"{run.ref}{version}")["loss"].points()]
        for version in ("", "+2", "+3")
    }
    assert found == {"": [1], "+2": [1, 2], "+3": [1, 3]}
    assert there.get_run(f"{run.ref}+3").labels == {"team": "a"}
    assert [info.ref for info in there.list_runs()] == [f"{run.ref}+3"]
