"""Other bytes under an id, in packs whose sums are right: what comes from elsewhere is not believed, but computed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import IntegrityError
from mlreg.formats.commit import Commit
from mlreg.formats.names import Entry, version_ref
from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.transaction import RefChange
from mlreg.formats.tree import File, Mode, build
from mlreg.ids import CommitId, ContentId, PageId
from mlreg.registry import bundles
from mlreg.registry.getting import Getting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.sync import Sync
from mlreg.repository.log import Draft
from mlreg.repository.packing import PackWriter

GOOD = random.Random(5).randbytes(3 * 1024 * 1024)
HALVES = (GOOD[: len(GOOD) // 2], GOOD[len(GOOD) // 2 :])
IDS = tuple(ContentId.of(half) for half in HALVES)
RIGHT = Recipe.of([(len(half), ContentId.of(half)) for half in HALVES])
SWAPPED = Recipe.of([(len(half), ContentId.of(half)) for half in HALVES[::-1]])
Write = Callable[[PackWriter], None]


def add_halves(writer: PackWriter) -> None:
    for piece, half in zip(IDS, HALVES, strict=True):
        writer.add(Sort.PIECE, piece, half)


def other_piece(writer: PackWriter) -> None:
    writer.add(Sort.PIECE, ContentId.of(GOOD), bytes(len(GOOD)))


def other_half(writer: PackWriter) -> None:
    writer.add(Sort.PIECE, IDS[0], HALVES[0])
    writer.add(Sort.PIECE, IDS[1], bytes(len(HALVES[1])))
    writer.add(Sort.RECIPE, ContentId.of(GOOD), RIGHT.encode())


def other_recipe(writer: PackWriter) -> None:
    add_halves(writer)
    writer.add(Sort.RECIPE, ContentId.of(GOOD), SWAPPED.encode())


def other_page(writer: PackWriter) -> None:
    add_halves(writer)
    page = PageId.of(RIGHT.encode())
    writer.add(Sort.PAGE, page, SWAPPED.encode())
    writer.add(Sort.RECIPE, ContentId.of(GOOD), Recipe.of([(len(GOOD), page)], is_paged=True).encode())


def right_pages(writer: PackWriter) -> None:
    add_halves(writer)
    page = PageId.of(RIGHT.encode())
    writer.add(Sort.PAGE, page, RIGHT.encode())
    writer.add(Sort.RECIPE, ContentId.of(GOOD), Recipe.of([(len(GOOD), page)], is_paged=True).encode())


def right_recipe(writer: PackWriter) -> None:
    add_halves(writer)
    writer.add(Sort.RECIPE, ContentId.of(GOOD), RIGHT.encode())


class Scene:
    """A remote of someone else, and a repository here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remote = Registry(init(root / "remote", shared=True)[0], "Eve")
        self.here = Registry(init(root / "here", shared=True)[0], "Ann", None, {"origin": self.remote.repository.url})

    def forge(self, write: Write) -> None:
        """Register a version with one file, whose bytes are written as someone does who does not use mlreg."""
        repository = self.remote.repository
        repository.log.refresh()
        with repository.writer() as writer:
            write(writer)
            file = File("w.bin", Mode.FILE, len(GOOD), ContentId.of(GOOD))
            tree = build([file], lambda node, data: writer.add(Sort.TREE, node, data))
            at = "2026-01-01T00:00:00Z"
            commit = Commit(
                "model/net", "1.0.0", tree.id, tree.files, tree.size, "directory", (), (), {}, "", "Eve", at
            ).encode()
            writer.add(Sort.COMMIT, CommitId.of(commit), commit)
            packs = writer.finish()
        name = version_ref(Entry("model", "net"), "1.0.0")
        repository.log.append(lambda view: Draft("Eve", "", (RefChange(name, None, CommitId.of(commit)),), packs))

    def pull(self) -> None:
        Sync(self.here).pull()

    def apply(self) -> None:
        bundle = str(self.root / "of-eve.bundle")
        bundles.create(self.remote, bundle, [], report=silent)
        bundles.apply(self.here, bundle, report=silent)

    def add(self) -> None:
        (self.root / "w.bin").write_bytes(GOOD)
        self.here.add("model/own", [self.root / "w.bin"], version="1.0.0")

    def got(self, ref: str) -> bytes:
        """Return the file of a version here."""
        Getting(self.here, ref, self.root / "out").get(silent, delete=False, replace=False)
        return (self.root / "out" / "w.bin").read_bytes()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize("come", [Scene.pull, Scene.apply])
@pytest.mark.parametrize(
    ("write", "code"),
    [
        (other_piece, "wrong_bytes"),
        (other_half, "wrong_bytes"),
        (other_recipe, "wrong_bytes"),
        (other_page, "object_damaged"),  # which is read there, to know what is needed
    ],
)
def test_other_bytes_under_an_id_get_no_name_and_do_not_stand_for_the_right_ones(
    write: Write, code: str, come: Callable[[Scene], None], scene: Scene
) -> None:
    scene.forge(write)

    with pytest.raises(IntegrityError) as caught:
        come(scene)

    assert caught.value.code == code
    assert scene.here.repository.log.refresh().number == 0
    scene.add()
    assert scene.got("model/own") == GOOD
    assert scene.here.verify().problems == ()


@pytest.mark.parametrize("is_here", [False, True])
@pytest.mark.parametrize("write", [right_recipe, right_pages])
def test_what_is_right_is_taken_also_where_parts_of_it_were_there_before(
    write: Write, is_here: bool, scene: Scene
) -> None:
    if is_here:
        repository = scene.here.repository
        with repository.writer() as writer:
            add_halves(writer)
            packs = writer.finish()
        repository.log.append(lambda view: Draft("Ann", "", (), packs))
    scene.forge(write)

    scene.pull()

    assert scene.got("model/net@1.0.0") == GOOD
