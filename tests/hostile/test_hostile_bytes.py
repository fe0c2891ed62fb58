"""Other bytes under an id, in packs whose sums are right: what comes from elsewhere is not believed, but computed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlreg.codecs import codec_of
from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.planes import Shape
from mlreg.errors import IntegrityError
from mlreg.formats.commit import Commit
from mlreg.formats.names import Entry, version_ref
from mlreg.formats.pack import Block, Item, PackKind, Sort, block_sum
from mlreg.formats.recipe import Recipe
from mlreg.formats.transaction import RefChange
from mlreg.formats.tree import File, Mode, build
from mlreg.ids import CommitId, ContentId, PageId
from mlreg.operations.reading_all import AT_ONCE, Reader
from mlreg.registry import bundles
from mlreg.registry.getting import Getting
from mlreg.registry.mending import repair
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
FILE = File("w.bin", Mode.FILE, len(GOOD), ContentId.of(GOOD))
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

    def forge(self, write: Write, *files: File) -> None:
        """Register a version with files, or one, whose bytes are written as someone does who does not use mlreg."""
        repository = self.remote.repository
        repository.log.refresh()
        with repository.writer() as writer:
            write(writer)
            tree = build(files or [FILE], lambda node, data: writer.add(Sort.TREE, node, data))
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

    def add(self, data: bytes = GOOD) -> None:
        (self.root / "w.bin").write_bytes(data)
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


# What is right by its id, and wrong all the same.


SMALL = random.Random(6).randbytes(300_000)
OTHER = random.Random(7).randbytes(300_000)


def small_recipe(writer: PackWriter) -> None:
    """Say of a file that is small enough to be one piece that it is made of another one."""
    writer.add(Sort.PIECE, ContentId.of(OTHER), OTHER)
    writer.add(Sort.RECIPE, ContentId.of(SMALL), Recipe.of([(len(OTHER), ContentId.of(OTHER))]).encode())


def test_the_wrong_recipe_of_a_file_whose_bytes_are_here_is_refused(scene: Scene) -> None:
    scene.add(SMALL)
    scene.forge(small_recipe, File("w.bin", Mode.FILE, len(SMALL), ContentId.of(SMALL)))

    with pytest.raises(IntegrityError) as caught:
        scene.pull()

    assert caught.value.code == "wrong_bytes"
    assert not scene.here.repository.objects.has(Sort.RECIPE, ContentId.of(SMALL))


def test_a_wrong_recipe_is_found_and_mended_though_the_file_is_there_as_one_piece(scene: Scene) -> None:
    """Who reads a large file looks for a recipe first."""

    def piece_and_recipe(writer: PackWriter) -> None:
        other_recipe(writer)
        writer.add(Sort.PIECE, ContentId.of(GOOD), GOOD)

    scene.forge(piece_and_recipe)

    (problem,) = scene.remote.verify().problems
    assert (problem.code, problem.hurts) == ("content_mismatch", ("model/net@1.0.0",))
    repair(scene.remote, report=silent)
    assert scene.remote.verify().problems == ()
    scene.pull()
    assert scene.got("model/net@1.0.0") == GOOD


BASE, TUNED = ((np.arange(100_000, dtype=np.float32) + step).tobytes() for step in (0, 1))


def hidden_base(writer: PackWriter) -> None:
    """Store a file as what it differs by from another one that the index does not name."""
    base, tuned = ContentId.of(BASE), ContentId.of(TUNED)
    writer.add(Sort.PIECE, base, BASE)
    stored = DIFFERENCE.encode(TUNED, base, BASE, Shape(4, is_rotated=False))
    block = Block(0, len(stored), len(TUNED), DIFFERENCE.number, block_sum(stored))
    writer.add_block(PackKind.DATA, stored, block, [Item(Sort.PIECE, tuned, 0, 0, len(TUNED))])


def test_a_difference_from_what_no_index_names_is_refused_and_found(scene: Scene) -> None:
    """Who collects would take away what it differs from."""
    files = (File(name, Mode.FILE, len(data), ContentId.of(data)) for name, data in (("a", BASE), ("b", TUNED)))
    scene.forge(hidden_base, *files)

    with pytest.raises(IntegrityError) as caught:
        scene.pull()

    assert caught.value.code == "wrong_bytes"
    assert "bad_block" in {problem.code for problem in scene.remote.verify().problems}


@pytest.mark.parametrize("size", [len(SMALL) + 1, 0])
def test_a_tree_that_states_another_size_than_a_file_has_is_found(size: int, scene: Scene) -> None:
    content = ContentId.of(SMALL)
    scene.forge(lambda writer: writer.add(Sort.PIECE, content, SMALL), File("w.bin", Mode.FILE, size, content))

    (problem,) = scene.remote.verify().problems

    assert (problem.code, problem.hurts) == ("wrong_commit", ("model/net@1.0.0",))


def test_large_blocks_of_which_little_is_asked_for_are_not_held_all_at_once(scene: Scene) -> None:
    """A remote of some kilobytes could take all memory else."""
    ids: list[ContentId] = []

    def thin(writer: PackWriter) -> None:
        for number in range(12):
            plain = number.to_bytes(8, "little").ljust(AT_ONCE // 2, b"\0")
            stored = bytes(codec_of(1).encode(plain))
            ids.append(ContentId.of(plain[:8]))
            block = Block(0, len(stored), len(plain), 1, block_sum(stored))
            writer.add_block(PackKind.DATA, stored, block, [Item(Sort.PIECE, ids[-1], 0, 0, 8)])

    scene.forge(thin)
    repository = scene.remote.repository
    repository.log.refresh()
    repository.objects.take_up_all()
    with Reader(repository, decodes=True, report=silent) as reader:
        parts = iter(Recipe.of([(8, one) for one in ids]).parts)
        stretches = list(reader._stretches(parts))

    assert sum(len(stretch.pieces) for stretch in stretches) == 12
    assert max(len(stretch.numbers) for stretch in stretches) == 2
