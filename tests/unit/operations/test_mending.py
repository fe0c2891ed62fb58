"""Adding what is lost mends it: a pack that is gone is not taken for a place where something is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.formats.pack import PackKind
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from mlreg.repository.objects import pack_key

VERSION = "model/net@1.0.0"


class Scene:
    """A registry with a version of some files, small and in pieces, and a cache that knows all packs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = root / "files"
        self.files.mkdir()
        for number in range(5):
            (self.files / f"{number}").write_bytes(bytes([number]) * (1 + number * 3_000_000))
        self.place, _ = init(root / "here", shared=True)
        self.add()

    @property
    def registry(self) -> Registry:
        return Registry(self.place, "Ann", self.root / "cache", {"origin": str(self.root / "there")})

    def add(self, entry: str = "model/net") -> bool:
        return self.registry.add(entry, [self.files], version="1.0.0").changed

    def lose(self, kind: PackKind) -> None:
        for pack in self.registry.repository.log.refresh().live_packs():
            if pack.kind is kind:
                (self.place / pack_key(pack.id)).unlink()

    def check(self, ref: str = VERSION) -> None:
        target = self.root / ref.replace("/", "-")
        assert self.registry.get(ref, target).written == 5
        for file in self.files.iterdir():
            assert (target / file.name).read_bytes() == file.read_bytes()


@pytest.fixture(params=["warm", "cold"])
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    scene = Scene(tmp_path)
    if request.param == "warm":
        assert scene.registry.verify().problems == ()
        scene.registry.get(VERSION, tmp_path / "first")
    return scene


def test_a_new_version_of_files_whose_packs_are_gone_is_complete(scene: Scene) -> None:
    scene.lose(PackKind.DATA)

    assert scene.add("model/other")
    scene.check("model/other@1.0.0")
    scene.check()


def test_the_same_version_again_brings_back_what_is_gone(scene: Scene) -> None:
    scene.lose(PackKind.DATA)

    assert not scene.add()
    scene.check()
    assert {problem.code for problem in scene.registry.verify().problems} == {"pack_missing"}
    assert all(problem.hurts == () for problem in scene.registry.verify().problems)


def test_a_push_sends_again_what_the_remote_has_lost(scene: Scene) -> None:
    there, _ = init(scene.root / "there", shared=True)
    Sync(scene.registry, "origin").push()
    remote = Registry(there, "Rob")
    for pack in remote.repository.log.refresh().live_packs():
        if pack.kind is PackKind.DATA:
            (there / pack_key(pack.id)).unlink()
    assert scene.add("model/other")

    Sync(scene.registry, "origin").push(["model/other"])

    assert Registry(there, "").get("model/other@1.0.0", scene.root / "got").written == 5


def test_adding_again_what_is_whole_writes_nothing(scene: Scene) -> None:
    before = scene.registry.repository.log.refresh().number

    assert not scene.add()
    assert scene.registry.repository.log.refresh().number == before
