"""Pushes that are cut, and pushes beside others: none is taken for what another person has done."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import ConflictError, IntegrityError, UnavailableError
from mlreg.registry import collecting, pins, sync
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync, forget
from mlreg.repository import log as logs
from mlreg.repository.repository import Repository
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import Fault, FaultyStore


class Scene:
    """Ann and Bob, who push three versions and a tag to one remote."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remote = init(root / "remote", shared=True)[0]
        self.places = {name: init(root / name, shared=True)[0] for name in ("ann", "bob")}
        for number in range(3):
            self.add(f"1.{number}.0")
        self.of("ann").tag("model/net@1.0.0", "production")
        self.sync("ann").push()
        self.sync("bob").pull()

    def of(self, name: str) -> Registry:
        return Registry(self.places[name], name, None, {"origin": str(self.remote)})

    def sync(self, name: str) -> Sync:
        return Sync(self.of(name), "origin")

    def add(self, version: str) -> None:
        folder = self.root / "folder"
        folder.mkdir(exist_ok=True)
        for number in range(40):
            (folder / f"{number}.txt").write_text(f"{version} {number}")
        self.of("ann").add("model/net", [folder], version=version)

    def production(self) -> str:
        """Return where the tag is at the remote."""
        return Registry(self.remote, "Eve").rev_parse("model/net@production").version

    def cut(self, meanwhile: Callable[[], object] = lambda: None, fault: Fault | None = Fault.BEFORE) -> Sync:
        """Return a sync of Ann whose writes to her own log fail, or come behind what someone does meanwhile."""
        registry, is_done = self.of("ann"), False

        def plan(_: int, verb: str, key: str) -> Fault | None:
            nonlocal is_done
            if verb != "create" or not key.startswith("log/"):
                return None
            if not is_done:
                is_done = True
                meanwhile()
            return fault

        registry.repository = Repository(FaultyStore(DirectoryStore(self.places["ann"]), plan))
        return Sync(registry, "origin")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(logs, "_back_off", lambda attempt: None)
    return Scene(tmp_path)


def cut_after_the_remote_has_it(scene: Scene) -> None:
    scene.of("ann").tag("model/net@1.1.0", "production")
    with pytest.raises(UnavailableError):
        scene.cut().push()
    assert scene.production() == "1.1.0"


def test_a_tag_may_move_on_after_a_push_that_was_cut_behind_it(scene: Scene) -> None:
    cut_after_the_remote_has_it(scene)

    scene.of("ann").tag("model/net@1.2.0", "production")
    scene.sync("ann").push()

    assert scene.production() == "1.2.0"


def test_a_pull_after_such_a_push_leaves_the_tag_where_it_has_moved_to(scene: Scene) -> None:
    cut_after_the_remote_has_it(scene)

    scene.of("ann").tag("model/net@1.2.0", "production")
    scene.sync("ann").pull()

    assert scene.of("ann").rev_parse("model/net@production").version == "1.2.0"


def test_a_tag_may_move_on_while_it_is_pushed(scene: Scene) -> None:
    scene.of("ann").tag("model/net@1.1.0", "production")

    scene.cut(lambda: scene.of("ann").tag("model/net@1.2.0", "production"), fault=None).push()
    assert scene.production() == "1.1.0"
    scene.sync("ann").push()

    assert scene.production() == "1.2.0"


def test_after_a_push_that_was_cut_the_move_of_another_is_still_a_conflict(scene: Scene) -> None:
    cut_after_the_remote_has_it(scene)
    scene.sync("bob").pull()
    scene.of("bob").tag("model/net@1.2.0", "production")
    scene.sync("bob").push()

    scene.add("1.3.0")
    scene.of("ann").tag("model/net@1.3.0", "production")
    for meet in (scene.sync("ann").push, scene.sync("ann").pull):
        with pytest.raises(ConflictError) as caught:
            meet()
        assert caught.value.code == "tag_conflict"
    assert scene.production() == "1.2.0"


def test_a_tag_may_move_back_and_on_after_a_push_that_was_cut_behind_it(scene: Scene) -> None:
    cut_after_the_remote_has_it(scene)

    scene.of("ann").tag("model/net@1.0.0", "production")
    scene.of("ann").tag("model/net@1.2.0", "production")
    scene.sync("ann").push()

    assert scene.production() == "1.2.0"


def test_a_tag_that_moved_back_after_a_push_that_was_cut_is_sent(scene: Scene) -> None:
    cut_after_the_remote_has_it(scene)

    scene.of("ann").tag("model/net@1.0.0", "production")
    scene.sync("ann").push()

    assert scene.production() == "1.0.0"


def test_what_another_puts_where_it_was_here_once_is_a_conflict(scene: Scene) -> None:
    scene.of("ann").tag("model/net@1.1.0", "production")
    scene.of("ann").tag("model/net@1.2.0", "production")
    scene.of("bob").tag("model/net@1.1.0", "production")
    scene.sync("bob").push()

    with pytest.raises(ConflictError):
        scene.sync("ann").push()


def test_a_remote_that_another_process_has_brought_further_has_not_gone_back(scene: Scene) -> None:
    there = Repository(DirectoryStore(scene.remote))
    there.log.refresh()
    scene.add("2.0.0")
    scene.sync("ann").push()

    pins.check(str(scene.places["ann"]), "origin", there)

    (scene.remote / "log" / f"{there.log.view.number:016d}").unlink()
    with pytest.raises(IntegrityError) as caught:
        pins.check(str(scene.places["ann"]), "origin", Repository(DirectoryStore(scene.remote)))
    assert caught.value.code == "remote_went_back"


@pytest.mark.parametrize("work", ["push", "repack"])
def test_what_comes_after_a_version_that_was_collected_here_is_sent_and_repacked(work: str, scene: Scene) -> None:
    ann = scene.of("ann")
    scene.add("1.3.0")
    ann.tag("model/net@1.3.0", "production")
    ann.remove(["model/net@1.2.0"])
    collecting.collect(ann, grace=0, report=silent)

    if work == "push":
        scene.sync("ann").push()
        assert Registry(scene.remote, "Eve").verify().versions == 4
    else:
        repack(ann, delta=True, grace=0, report=silent)
    assert ann.verify().problems == ()


def test_a_note_that_a_power_cut_has_left_empty_is_none(scene: Scene) -> None:
    note = scene.places["ann"] / "remotes" / "origin.json"
    note.write_bytes(b"")

    scene.add("2.0.0")
    scene.sync("ann").push()

    assert note.read_bytes()
    note.write_bytes(b"{")
    with pytest.raises(IntegrityError) as caught:
        scene.sync("ann").push()
    assert caught.value.code == "bad_pin"


def test_a_push_is_done_though_no_note_of_the_remote_can_be_written(scene: Scene) -> None:
    (scene.places["ann"] / "remotes" / "origin.json").unlink()
    (scene.places["ann"] / "remotes").rmdir()
    (scene.places["ann"] / "remotes").write_bytes(b"in the way")

    scene.add("2.0.0")
    scene.sync("ann").push()

    assert Registry(scene.remote, "Eve").show("model/net@2.0.0").version == "2.0.0"


@pytest.mark.parametrize("place", ["ann", "remote"])
@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("word", ["push", "pull"])
def test_another_push_from_here_at_any_moment_is_no_conflict_and_moves_no_tag_back(
    word: str, at: int, place: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.of("ann").tag("model/net@1.1.0", "production")
    slow, reads = scene.of("ann"), 0

    def plan(_: int, verb: str, key: str) -> None:
        nonlocal reads
        reads += verb == "read" and key.startswith("log/")
        if reads == at and verb == "read":
            reads += 1
            scene.of("ann").tag("model/net@1.2.0", "production")
            scene.sync("ann").push()

    if place == "ann":
        slow.repository = Repository(FaultyStore(DirectoryStore(scene.places["ann"]), plan))
    else:
        monkeypatch.setattr(sync, "open_store", lambda url: FaultyStore(DirectoryStore(scene.remote), plan))
    getattr(Sync(slow, "origin"), word)()
    scene.sync("ann").push()

    assert scene.production() == ("1.1.0" if reads < at else "1.2.0")
    assert scene.of("ann").rev_parse("model/net@production").version == scene.production()


def test_a_remote_that_was_restored_moves_no_tag_back(scene: Scene, tmp_path: Path) -> None:
    shutil.copytree(scene.remote, tmp_path / "backup")
    scene.of("ann").tag("model/net@1.2.0", "production")
    scene.sync("ann").push()
    shutil.rmtree(scene.remote)
    shutil.copytree(tmp_path / "backup", scene.remote)

    with pytest.raises(IntegrityError, match="remote"):
        scene.sync("ann").pull()
    forget(scene.of("ann"), "origin")
    scene.sync("ann").push()

    assert scene.production() == "1.2.0"
    assert scene.of("ann").rev_parse("model/net@production").version == "1.2.0"
