"""What leads to others is held with all of that or not at all: who adds relies on nothing that was left behind."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.recipe import Recipe, paginate
from mlreg.formats.transaction import PackEntry
from mlreg.formats.tree import Child, File, Mode, build
from mlreg.ids import ContentId, ObjectId, PageId, TreeId
from mlreg.operations import remembering
from mlreg.operations.holding import Holdings
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.repository.log import Draft
from mlreg.repository.repository import Repository
from tests.unit.repository.samples import repository_in

PIECES = (b"one", b"two", b"three")
IDS = tuple(map(ContentId.of, PIECES))
WHOLE = ContentId.of(b"".join(PIECES))
LARGE = random.Random(1).randbytes(3 << 20)

Object = tuple[Sort, ObjectId, bytes]


def put(repository: Repository, *objects: Object) -> None:
    """Write each object into a pack of its own, and name them."""
    packs: list[PackEntry] = []
    for sort, object_id, data in objects:
        with repository.writer() as writer:
            writer.add(sort, object_id, data)
            packs += writer.finish()
    repository.log.append(lambda view: Draft("Ann", "put", add=tuple(packs)))


def lose(repository: Repository, *gone: ObjectId) -> None:
    """Let packs go that hold some objects, or all files, as a collector does who leaves what leads to them."""
    view = repository.log.refresh()
    named = {places[0].pack for one in gone for sort in Sort if (places := repository.objects.places(sort, one))}
    drop = tuple(pack.id for pack in view.live_packs() if pack.id in named or (not gone and pack.kind is PackKind.DATA))
    repository.log.append(lambda view: Draft("Eve", drop=drop, is_lossy=True))


def holdings(repository: Repository) -> Holdings:
    repository.log.refresh()
    repository.objects.take_up_all()
    return Holdings(repository)


def pieces() -> list[Object]:
    return [(Sort.PIECE, one, data) for one, data in zip(IDS, PIECES, strict=True)]


def rows() -> list[tuple[int, ContentId]]:
    return [(len(data), one) for one, data in zip(IDS, PIECES, strict=True)]


def plain_recipe() -> list[Object]:
    return [(Sort.RECIPE, WHOLE, paginate(rows())[0].encode())]


def paged_recipe() -> list[Object]:
    made = [Recipe.of(rows()[:2]), Recipe.of(rows()[2:])]
    pages = [(page.size, PageId.of(page.encode()), page.encode()) for page in made]
    recipe = Recipe.of([(size, page) for size, page, _ in pages], is_paged=True)
    return [(Sort.RECIPE, WHOLE, recipe.encode()), *((Sort.PAGE, page, data) for _, page, data in pages)]


# Files.


@pytest.mark.parametrize("number", range(len(IDS)))
@pytest.mark.parametrize("recipe", [plain_recipe, paged_recipe])
def test_a_recipe_is_held_with_all_its_pieces_or_not_at_all(recipe: Callable[[], list[Object]], number: int) -> None:
    repository = repository_in()
    put(repository, *pieces(), *recipe())
    put(repository, (Sort.PIECE, ContentId.of(b"other"), b"other"))
    lose(repository, ContentId.of(b"other"))
    assert holdings(repository).has(Sort.RECIPE, WHOLE)
    assert holdings(repository).has_file(WHOLE)

    lose(repository, IDS[number])

    assert not holdings(repository).has(Sort.RECIPE, WHOLE)
    assert not holdings(repository).has_file(WHOLE)


@pytest.mark.parametrize("number", [1, 2])
def test_a_recipe_is_held_with_all_its_pages_or_not_at_all(number: int) -> None:
    repository, made = repository_in(), paged_recipe()
    put(repository, *pieces(), *made)

    lose(repository, made[number][1])

    assert not holdings(repository).has(Sort.RECIPE, WHOLE)


def test_a_file_that_is_one_piece_is_held_without_a_recipe() -> None:
    repository = repository_in()
    put(repository, *pieces())

    lose(repository, IDS[0])

    found = holdings(repository)
    assert [found.has_file(one) for one in IDS] == [False, True, True]


# Trees.


def tree_in(repository: Repository) -> tuple[Child, list[TreeId]]:
    """Store so many files that their tree has nodes below its root, one of them in pieces; return all its nodes."""
    files = [File(f"f{number:04}", Mode.FILE, len(PIECES[number % 3]), IDS[number % 3]) for number in range(2000)]
    files.append(File("large", Mode.FILE, sum(map(len, PIECES)), WHOLE))
    nodes: list[Object] = []
    root = build(files, lambda node, data: nodes.append((Sort.TREE, node, data)))
    put(repository, *nodes, *plain_recipe(), *pieces())
    return root, [TreeId(node) for _, node, _ in nodes]


@pytest.mark.parametrize("what", ["a piece of a large file", "a recipe", "a node"])
def test_a_tree_is_held_with_all_below_it_or_not_at_all(what: str) -> None:
    repository = repository_in()
    root, nodes = tree_in(repository)
    assert holdings(repository).has_tree(root.id)
    put(repository, (Sort.PIECE, ContentId.of(b"other"), b"other"))
    lose(repository, ContentId.of(b"other"))
    assert holdings(repository).has_tree(root.id)

    lose(repository, {"a node": next(node for node in nodes if node != root.id), "a recipe": WHOLE}.get(what, IDS[1]))

    assert not holdings(repository).has_tree(root.id)


# Who adds.


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that remembers a directory of files, of which only what leads to them is left."""
    monkeypatch.setattr(remembering, "SETTLED", -(10**9))
    files = tmp_path / "files"
    files.mkdir()
    (files / "large.bin").write_bytes(LARGE)
    (files / "small.txt").write_bytes(b"small")
    registry = Registry(init(tmp_path / "here", shared=True)[0], "Ann", tmp_path / "cache")
    registry.add("data/rows", [files], version="2026.01.01")
    registry.remove(["data/rows@2026.01.01"])
    lose(registry.repository)
    return registry


def add(registry: Registry, tmp_path: Path) -> None:
    registry.add("data/rows", [tmp_path / "files"], version="2026.01.02")


def read(registry: Registry) -> dict[str, bytes]:
    ref = "data/rows@2026.01.02"
    return {file.path: b"".join(registry.cat(f"{ref}:{file.path}")) for file in registry.files(ref)}


def test_the_same_files_are_stored_again_though_their_tree_was_left(registry: Registry, tmp_path: Path) -> None:
    add(registry, tmp_path)

    assert read(registry) == {"large.bin": LARGE, "small.txt": b"small"}


def test_a_file_is_stored_again_though_its_recipe_was_left(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "files" / "new.txt").write_bytes(b"so that the tree is another one")

    add(registry, tmp_path)

    assert read(registry)["large.bin"] == LARGE


def test_what_was_not_registered_in_the_end_is_not_remembered_as_there(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(registry.repository.log, "append", interrupt)
        with pytest.raises(KeyboardInterrupt):
            add(registry, tmp_path)
    for pack in (tmp_path / "here" / "packs").rglob("*.pack"):  # as a collector does later
        if registry.repository.log.view.pack_state(pack.stem) is None:
            pack.unlink()

    add(registry, tmp_path)

    assert read(registry) == {"large.bin": LARGE, "small.txt": b"small"}


def test_what_is_all_there_after_a_collector_came_is_not_read_again(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(registry, tmp_path)
    registry.repository.log.append(lambda view: Draft("Eve", is_lossy=True))
    monkeypatch.setattr("mlreg.operations.ingest.pieces_of_file", None)

    registry.add("data/rows", [tmp_path / "files"], version="2026.01.03")

    assert registry.verify().problems == ()
