"""What is damaged comes back from where it is whole, in every way in which it can be hurt; nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.formats.pack import PackKind
from mlreg.registry.mending import Repair, repair
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.stores.directory import DirectoryStore

NET, ROWS = "model/net@1.0.0", "data/rows@2026.01.01"
LARGE = random.Random(1).randbytes(9_000_000)


def silent(size: int) -> None:
    """Do not say how far it is."""


class Scene:
    """A registry with two entries, one of which has a file in pieces; all is pushed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = {"small": b"small" * 9, "text/one": b"one\n" * 2000, "large": LARGE}
        for name, data in self.files.items():
            path = root / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (root / "rows").mkdir()
        (root / "rows" / "table").write_bytes(b"1,2,3\n" * 500)
        self.here, self.there = (init(root / name, shared=True)[0] for name in ("here", "there"))
        self.registry.add("model/net", [root / "files"], version="1.0.0", tags=["production"])
        self.registry.add("data/rows", [root / "rows"], version="2026.01.01")
        Sync(self.registry, "origin").push()

    @property
    def registry(self) -> Registry:
        return Registry(self.here, "Ann", None, {"origin": str(self.there)})

    @property
    def remote(self) -> Registry:
        return Registry(self.there, "Rob")

    def repair(self, place: str = "", **more: object) -> Repair:
        return repair(self.registry, place, report=silent, **more)  # type: ignore[arg-type] # of several types

    def check(self, registry: Registry | None = None) -> None:
        """See that nothing is damaged, and that every byte is what it was."""
        one = registry or self.registry
        assert one.verify().problems == ()
        for name, data in self.files.items():
            assert b"".join(one.cat(f"{NET}:{name}")) == data


def packs_of(place: Path, kind: PackKind | None = None) -> list[Path]:
    live = Repository(DirectoryStore(place)).log.refresh().live_packs()
    return [place / pack_key(pack.id) for pack in live if kind in (None, pack.kind)]


def rewrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def flip(path: Path, at: float = 0.1) -> None:
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 0x41
    rewrite(path, bytes(data))


def truncate(path: Path) -> None:
    rewrite(path, path.read_bytes()[: path.stat().st_size // 2])


def delete(path: Path) -> None:
    path.unlink()


def hurt_index(path: Path) -> None:
    flip(path, 0.999)


HURTS: list[Callable[[Path], None]] = [flip, truncate, delete, hurt_index]
every_hurt = pytest.mark.parametrize("hurt", HURTS)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@every_hurt
@pytest.mark.parametrize("kind", PackKind)
def test_every_kind_of_pack_comes_back_from_a_remote(
    scene: Scene, kind: PackKind, hurt: Callable[[Path], None]
) -> None:
    for pack in packs_of(scene.here, kind):
        hurt(pack)
    assert scene.registry.verify().problems

    done = scene.repair()

    assert done.is_whole
    assert [given.source for given in done.given] == ["origin"]
    scene.check()


@every_hurt
def test_a_remote_is_mended_from_here(scene: Scene, hurt: Callable[[Path], None]) -> None:
    for pack in packs_of(scene.there):
        hurt(pack)

    done = scene.repair("origin")

    assert (done.is_whole, [given.source for given in done.given]) == (True, ["here"])
    scene.check(scene.remote)


def test_a_second_repair_changes_nothing(scene: Scene) -> None:
    flip(packs_of(scene.here)[0])
    scene.repair()
    before = scene.registry.repository.log.refresh().number

    done = scene.repair()

    assert (done.given, done.transactions, done.is_whole) == ((), (), True)
    assert scene.registry.repository.log.refresh().number == before
