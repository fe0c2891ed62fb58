"""What arrives is computed from what came and what is here, whatever others do here meanwhile."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.planes import Shape
from mlreg.errors import IntegrityError
from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.transaction import PackEntry
from mlreg.ids import ContentId
from mlreg.operations import merging, transfer
from mlreg.operations.arriving import prove
from mlreg.operations.collect import collect
from mlreg.operations.history import Wanted
from mlreg.operations.merging import merge_all
from mlreg.operations.reading_all import Reader
from mlreg.operations.sweeping import sweep
from mlreg.registry import sync
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from mlreg.repository import objects
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.stores.memory import MemoryStore
from tests.unit.repository.samples import repository_in

BASE, TUNED = ((np.arange(100_000, dtype=np.float32) + step).tobytes() for step in (0, 1))
NEW = b"new"


def written(repository: Repository, write: Callable[[PackWriter], None]) -> tuple[PackEntry, ...]:
    with repository.writer() as writer:
        write(writer)
        return writer.finish()


def named(repository: Repository, write: Callable[[PackWriter], None]) -> None:
    packs = written(repository, write)
    repository.log.append(lambda view: Draft("Ann", "put", add=packs))


def base(writer: PackWriter) -> None:
    writer.add(Sort.PIECE, ContentId.of(BASE), BASE)


def tuned(writer: PackWriter) -> None:
    stored = DIFFERENCE.encode(TUNED, ContentId.of(BASE), BASE, Shape(4, is_rotated=False))
    writer.add_difference(ContentId.of(TUNED), len(TUNED), stored)


def file_of(*pieces: bytes) -> Callable[[PackWriter], None]:
    """Write the recipe of a file."""
    rows = [(len(piece), ContentId.of(piece)) for piece in pieces]
    return lambda writer: writer.add(Sort.RECIPE, ContentId.of(b"".join(pieces)), Recipe.of(rows).encode())


def piece(data: bytes) -> Callable[[PackWriter], None]:
    return lambda writer: writer.add(Sort.PIECE, ContentId.of(data), data)


def test_a_file_may_build_on_a_piece_here_whose_base_lies_in_another_pack() -> None:
    here = repository_in()
    named(here, base)
    named(here, tuned)
    here.objects.take_up_all()

    prove(repository_in(), here, [*written(here, file_of(TUNED, NEW)), *written(here, piece(NEW))])


def test_a_file_may_build_on_a_piece_in_a_pack_that_no_one_here_looked_into_yet() -> None:
    store = MemoryStore()
    named(repository_in(store), base)
    here = repository_in(store)
    here.log.refresh()

    prove(repository_in(), here, [*written(here, file_of(BASE, NEW)), *written(here, piece(NEW))])


def test_what_is_damaged_is_said_to_be_whatever_the_log_here_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missed is not looked for in the log here, which does not know the packs."""
    monkeypatch.setattr(objects, "INDEXES_KEPT", 1)  # there may be more packs than indexes that are kept
    store = MemoryStore()
    here = repository_in(store)
    for number in range(5):
        named(here, piece(b"%d" % number))
    packs = [*written(here, file_of(BASE, NEW)), *written(here, piece(NEW)), *written(here, base)]
    key = pack_key(packs[-1].id)
    store.contents[key] = bytes([store.contents[key][0] ^ 1]) + store.contents[key][1:]

    with pytest.raises(IntegrityError) as caught:
        prove(repository_in(), here, packs)

    assert (caught.value.code, key in caught.value.message) == ("wrong_bytes", True)


# Others, meanwhile.


class Scene:
    """A remote with a file of which half is here, in small packs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        half, ends = random.Random(1).randbytes(1 << 20), (b"one" * 200_000, b"other" * 120_000)
        self.remote = Registry(init(root / "remote", shared=True)[0], "Eve")
        self.here = self.open("Ann", init(root / "here", shared=True)[0])
        for number in range(2):
            self.add(self.here, f"model/small{number}", bytes([number]) * 1000)
        self.add(self.here, "data/own", half + ends[0])
        self.data = half + ends[1]
        self.add(self.remote, "model/net", self.data)

    def open(self, name: str, place: Path | None = None) -> Registry:
        """Return the registry here, as someone with a cache of their own has it."""
        remotes = {"origin": self.remote.repository.url}
        return Registry(place or self.here.path, name, self.root / f"cache-{name}", remotes)

    def add(self, registry: Registry, entry: str, data: bytes) -> None:
        (self.root / "w.bin").write_bytes(data)
        registry.add(entry, [self.root / "w.bin"], version="2026.01.01" if entry.startswith("data") else "1.0.0")

    def merge(self) -> None:
        bob = self.open("Bob")
        assert merge_all(bob.repository, "Bob", lambda size: None).before
        collect(bob.repository, "Bob", 0)

    def merge_and_look(self) -> None:
        assert merge_all(self.open("Bob").repository, "Bob", lambda size: None).before
        self.here.repository.log.refresh()

    def collect_late(self) -> None:
        """As if more than an hour had gone by since the copy."""
        for pack in (self.root / "here" / "packs").rglob("*.pack"):
            os.utime(pack, (1, 1))
        assert collect(self.open("Bob").repository, "Bob", 0).files

    def sweep(self) -> None:
        """Take away the half that was here."""
        bob = self.open("Bob")
        bob.remove(["data/own@2026.01.01"])
        assert sweep(bob.repository, "Bob", lambda lost: "", lambda size: None).dropped
        collect(bob.repository, "Bob", 0)

    def pull_and_merge(self) -> None:
        Sync(self.open("Bob")).pull()
        self.merge()

    def check(self) -> None:
        assert b"".join(self.here.cat("model/net@1.0.0:w.bin")) == self.data
        assert self.here.verify().problems == ()


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(merging, "BOUNDS", (0, 4 << 20))
    return Scene(tmp_path)


MEANWHILE = pytest.mark.parametrize(
    "act", [Scene.merge, Scene.merge_and_look, Scene.collect_late, Scene.pull_and_merge]
)


@MEANWHILE
def test_a_pull_gets_there_though_packs_leave_before_it_is_computed(
    act: Callable[[Scene], None], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = [act]

    def act_and_prove(source: Repository, here: Repository, packs: Sequence[PackEntry]) -> None:
        while acts:
            acts.pop()(scene)
        prove(source, here, packs)

    monkeypatch.setattr(sync, "prove", act_and_prove)
    Sync(scene.here).pull()

    scene.check()


@pytest.mark.parametrize("act", [Scene.merge, Scene.merge_and_look, Scene.collect_late, Scene.sweep])
def test_a_pull_gets_there_though_packs_leave_while_it_is_copied(
    act: Callable[[Scene], None], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts, real = [act], transfer._Copying.copy

    def copy_and_act(copying: transfer._Copying, wanted: Sequence[Wanted]) -> None:
        real(copying, wanted)
        while acts:
            acts.pop()(scene)

    monkeypatch.setattr(transfer._Copying, "copy", copy_and_act)
    Sync(scene.here).pull()

    scene.check()


@pytest.mark.parametrize("step", ["read_file", "read_pack"])
@MEANWHILE
def test_a_pull_gets_there_though_packs_leave_while_it_is_computed(
    act: Callable[[Scene], None], step: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts, real = [act], getattr(Reader, step)

    def act_and_read(reader: Reader, *what: object) -> object:
        while acts:
            acts.pop()(scene)
        return real(reader, *what)

    monkeypatch.setattr(Reader, step, act_and_read)
    Sync(scene.here).pull()

    assert acts == []
    scene.check()
