"""What is damaged comes back from where it is whole, in every way in which it can be hurt; nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError, MlregError
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.snapshot import snapshot_key
from mlreg.ids import ContentId, ObjectId
from mlreg.operations.good_copies import OtherRepository
from mlreg.operations.mending import Mended
from mlreg.operations.mending import repair as mend
from mlreg.operations.seeking import SALVAGED
from mlreg.registry.collecting import collect
from mlreg.registry.mending import Repair, repair
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import Fault, FaultyStore, fail_at
from mlreg.tensors.safetensors import encode_arrays

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
    def alone(self) -> Registry:
        """The registry without a remote."""
        return Registry(self.here, "Ann", None)

    @property
    def remote(self) -> Registry:
        return Registry(self.there, "Rob")

    def repair(self, place: str = "", **more: object) -> Repair:
        return repair(self.registry, place, report=silent, **more)  # type: ignore[arg-type] # of several types

    def put_back(self, ref: str) -> None:
        self.registry.restore([ref])

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
    assert {given.source for given in done.given} <= {"origin", SALVAGED}
    scene.check()


@every_hurt
def test_a_remote_is_mended_from_here(scene: Scene, hurt: Callable[[Path], None]) -> None:
    for pack in packs_of(scene.there):
        hurt(pack)

    done = scene.repair("origin")

    assert done.is_whole
    assert {given.source for given in done.given} <= {"here", SALVAGED}
    scene.check(scene.remote)


def test_a_second_repair_changes_nothing(scene: Scene) -> None:
    flip(packs_of(scene.here)[0])
    scene.repair()
    before = scene.registry.repository.log.refresh().number

    done = scene.repair()

    assert (done.given, done.transactions, done.is_whole) == ((), (), True)
    assert scene.registry.repository.log.refresh().number == before


def test_what_was_set_aside_is_deleted_by_a_collector_and_all_still_reads(scene: Scene) -> None:
    hurt = packs_of(scene.here, PackKind.DATA)[0]
    flip(hurt)
    assert scene.repair().dropped == 1
    assert hurt.exists()

    collect(scene.registry, grace=0, report=silent)

    assert not hurt.exists()
    scene.check()


def test_plain_files_give_pieces_and_whole_files(scene: Scene) -> None:
    for pack in packs_of(scene.here, PackKind.DATA):
        delete(pack)
    rename = scene.root / "files" / "elsewhere"
    (scene.root / "files" / "large").rename(rename)

    done = repair(scene.alone, files=[scene.root / "files", scene.root / "rows"], report=silent)

    assert (done.is_whole, [given.source for given in done.given]) == (True, ["files"])
    scene.check()


def test_a_recipe_that_is_nowhere_is_made_again_from_the_file(scene: Scene) -> None:
    """Trees and commits come from the remote, which has lost the recipe, too."""
    lose(scene.here, Sort.RECIPE)
    lose(scene.there, Sort.RECIPE)
    assert not scene.repair().is_whole

    done = scene.repair(files=[scene.root / "files"])

    assert done.is_whole
    scene.check()


def test_a_recipe_counts_only_if_its_pieces_make_the_file(scene: Scene) -> None:
    lose(scene.here, Sort.RECIPE)
    forge_recipe(scene.there)

    done = scene.repair()

    assert [(file.ref, file.path) for file in done.hurts] == [(NET, "large")]
    assert done.given == ()
    scene.repair(files=[scene.root / "files"])
    scene.check()


def test_a_recipe_that_makes_other_bytes_is_mended(scene: Scene) -> None:
    forge_recipe(scene.here)
    assert {problem.code for problem in scene.registry.verify().problems} == {"content_mismatch"}

    assert scene.repair().is_whole
    scene.check()


def test_what_is_nowhere_is_named_and_nothing_is_changed(scene: Scene) -> None:
    for place in (scene.here, scene.there):
        wreck(place)
    before = scene.registry.repository.log.refresh().number

    done = scene.repair()

    every = {(NET, name) for name in scene.files} | {(ROWS, "table")}
    assert {(file.ref, file.path) for file in done.hurts} == every
    assert (done.given, done.transactions, done.dropped) == ((), (), 0)
    assert scene.registry.repository.log.refresh().number == before
    with pytest.raises(IntegrityError, match="still damaged") as caught:
        done.refuse_loss()
    assert caught.value.exit_status == 6
    assert NET in caught.value.why


def test_only_what_is_lost_everywhere_is_named_as_hurt(scene: Scene) -> None:
    for pack in packs_of(scene.here):
        delete(pack)
    wreck(scene.there)

    done = scene.repair(files=[scene.root / "files"])

    assert [(file.ref, file.path) for file in done.hurts] == [(ROWS, "table")]
    assert {given.source for given in done.given} == {"origin", "files"}
    assert [(problem.code, problem.hurts) for problem in done.problems if problem.hurts] == [
        ("object_missing", (ROWS,))
    ]
    for name, data in scene.files.items():
        assert b"".join(scene.registry.cat(f"{NET}:{name}")) == data


def test_pieces_beside_a_damaged_one_are_saved_from_its_block(scene: Scene) -> None:
    (largest,) = [pack for pack in packs_of(scene.here, PackKind.DATA) if pack.stat().st_size > len(LARGE) // 2]
    flip(largest, 0.3)

    done = scene.repair()

    assert {given.source: given.objects for given in done.given}["origin"] == 1
    assert done.is_whole
    scene.check()


def test_a_trial_says_what_would_come_and_writes_nothing(scene: Scene) -> None:
    for pack in packs_of(scene.here):
        truncate(pack)
    before = sorted((path, path.stat().st_size) for path in scene.here.rglob("*"))

    tried = scene.repair(dry_run=True)

    assert sorted((path, path.stat().st_size) for path in scene.here.rglob("*")) == before
    assert tried.is_whole
    assert tried.given == scene.repair().given


def test_packs_of_differences_are_mended_when_their_base_is_damaged(tmp_path: Path) -> None:
    here, there = (Registry(init(tmp_path / name, shared=True)[0], "Ann", None) for name in ("here", "there"))
    registry = Registry(here.path, "Ann", None, {"origin": there.path})
    for number in range(3):
        (tmp_path / "weights.safetensors").write_bytes(tuned(number))
        registry.add("model/net", [tmp_path / "weights.safetensors"], version=f"{number + 1}.0.0")
    Sync(registry, "origin").push()
    assert repack(registry, delta=True, grace=0, report=silent).pieces
    base = packs_of(Path(here.path), PackKind.DATA)[0]
    flip(base, 0.3)
    assert len({ref for problem in registry.verify().problems for ref in problem.hurts}) == 3

    done = repair(registry, report=silent)

    assert (done.is_whole, done.damaged, sum(given.objects for given in done.given)) == (True, 1, 1)
    for number in range(3):
        assert b"".join(registry.cat(f"model/net@{number + 1}.0.0:weights.safetensors")) == tuned(number)
    assert registry.verify().problems == ()


def test_damaged_packs_of_what_no_version_needs_are_set_aside(scene: Scene) -> None:
    scene.registry.remove([ROWS])
    generation = scene.registry.repository.log.refresh().generation
    for pack in packs_of(scene.here, PackKind.DATA):
        if pack.stat().st_size < len(LARGE) // 2:
            flip(pack, 0.01)

    done = repair(scene.alone, report=silent)

    assert (done.given, done.dropped, done.is_whole) == ((), 1, True)
    # Who relies on what went finds out.
    assert scene.registry.repository.log.refresh().generation == generation + 1
    scene.check()


def test_while_something_is_lost_nothing_goes_that_cannot_be_told(scene: Scene) -> None:
    for pack in packs_of(scene.here):
        delete(pack)

    done = repair(scene.alone, report=silent)

    assert (done.dropped, {file.ref for file in done.hurts}) == (0, {NET, ROWS})
    scene.repair()
    scene.check()


def test_a_damaged_snapshot_is_written_anew(scene: Scene) -> None:
    log = scene.registry.repository.log
    number = log.refresh().number
    log.write_snapshot()
    flip(scene.here / snapshot_key(number))

    assert scene.repair().snapshots == 1
    scene.check()


def test_a_snapshot_that_says_what_the_log_does_not_is_not_believed(scene: Scene) -> None:
    log = scene.registry.repository.log
    found = log.refresh().snapshot()
    (scene.here / "snapshots").mkdir(exist_ok=True)
    (scene.here / snapshot_key(found.number)).write_bytes(found._replace(refs=found.refs[1:]).encode())
    misled = Registry(scene.here, "Ann", scene.root / "cache")
    assert misled.repository.log.refresh().snapshot() != found

    assert repair(misled, report=silent).snapshots == 1
    scene.check()
    assert scene.registry.repository.log.refresh().snapshot() == found
    assert misled.repository.log.refresh().snapshot() == found


def test_a_damaged_log_is_not_guessed_at(scene: Scene) -> None:
    (scene.here / "log" / f"{2:016d}").unlink()
    (scene.here / "log" / f"{1:016d}").chmod(0o644)
    flip(scene.here / "log" / f"{1:016d}", 0.5)

    with pytest.raises(IntegrityError, match="cannot be mended"):
        scene.repair()


def test_a_repair_that_is_cut_anywhere_can_be_done_again(scene: Scene) -> None:
    for pack in packs_of(scene.here):
        flip(pack)
    names = {path: path.read_bytes() for path in scene.here.rglob("*") if path.is_file()}
    store = FaultyStore(DirectoryStore(scene.here))
    attempt(scene, store)
    scene.check()
    writes = [n for n, (verb, _) in enumerate(store.calls, 1) if verb in ("upload", "create", "delete")]
    reads = [n for n, (verb, _) in enumerate(store.calls, 1) if verb in ("read", "size")][
        :: max(1, len(store.calls) // 8)
    ]
    for number, fault in [(n, fault) for n in [*writes, *reads] for fault in Fault]:
        restore(scene.here, names)
        with suppress(MlregError):
            attempt(scene, FaultyStore(DirectoryStore(scene.here), fail_at(number, fault)))
        scene.repair()
        scene.check()


def add_again(scene: Scene) -> None:
    scene.registry.add("model/other", [scene.root / "files"], version="1.0.0")


def repair_too(scene: Scene) -> None:
    scene.repair()


def remove_and_collect(scene: Scene) -> None:
    scene.registry.remove([ROWS])
    with suppress(IntegrityError):
        collect(scene.registry, grace=0, report=silent)


@pytest.mark.parametrize("meanwhile", [add_again, repair_too, remove_and_collect])
@pytest.mark.parametrize("hurt", [flip, delete])
def test_others_may_change_the_repository_meanwhile(
    scene: Scene, meanwhile: Callable[[Scene], None], hurt: Callable[[Path], None]
) -> None:
    for pack in packs_of(scene.here, PackKind.DATA):
        hurt(pack)
    source = Meanwhile(scene.remote.repository, lambda: meanwhile(scene))

    done = mend(Repository(DirectoryStore(scene.here)), [source], "Ann", silent)

    assert not source.pending
    assert done.problems == ()
    scene.check()


def test_what_a_newcomer_relies_on_is_not_set_aside(scene: Scene) -> None:
    scene.registry.remove([ROWS])
    for pack in packs_of(scene.here, PackKind.DATA):
        if pack.stat().st_size < len(LARGE) // 2:
            flip(pack, 0.01)
    empty = Registry(init(scene.root / "empty", shared=True)[0], "Ann").repository
    source = Meanwhile(empty, lambda: scene.put_back(ROWS))

    done = mend(Repository(DirectoryStore(scene.here)), [source], "Ann", silent)

    assert not source.pending
    assert (done.dropped, [hurt.ref for hurt in done.hurts]) == ((), [ROWS])


class Meanwhile(OtherRepository):
    """A repository during whose first answer something else happens."""

    def __init__(self, repository: Repository, act: Callable[[], None]) -> None:
        super().__init__("origin", repository)
        self.pending = [act]

    def read(self, sort: Sort, object_id: ObjectId) -> Buffer | None:
        while self.pending:
            self.pending.pop()()
        return super().read(sort, object_id)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_whatever_is_damaged_a_healthy_remote_heals_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    scene = Scene(tmp_path_factory.mktemp("random"))
    place, name = data.draw(st.sampled_from([(scene.here, ""), (scene.there, "origin")]))
    for pack in packs_of(place):
        hurt = data.draw(st.sampled_from([None, truncate, delete, flip]))
        if hurt is flip:
            flip(pack, data.draw(st.floats(0, 1)))
        elif hurt:
            hurt(pack)

    assert scene.repair(name).is_whole
    scene.check(scene.remote if name else scene.registry)


def attempt(scene: Scene, store: FaultyStore) -> Mended:
    return mend(Repository(store), [OtherRepository("origin", scene.remote.repository)], "Ann", silent)


def restore(place: Path, names: dict[Path, bytes]) -> None:
    for path in [path for path in place.rglob("*") if path.is_file()]:
        if path not in names:
            path.unlink()
    for path, data in names.items():
        if not path.exists():
            path.write_bytes(data)


def wreck(place: Path) -> None:
    """Damage every block of data."""
    repository = Repository(DirectoryStore(place))
    for pack in repository.log.refresh().live_packs():
        if pack.kind is PackKind.DATA:
            blocks = list(repository.objects.index(pack.id).blocks())
            data = bytearray((place / pack_key(pack.id)).read_bytes())
            for block in blocks:
                data[block.offset : block.offset + block.stored_size] = bytes(block.stored_size)
            rewrite(place / pack_key(pack.id), bytes(data))


def lose(place: Path, sort: Sort) -> None:
    """Replace the packs that hold objects of a sort by ones with all but those."""
    repository = Repository(DirectoryStore(place))
    view = repository.log.refresh()
    with repository.writer() as writer:
        gone = []
        for pack in view.live_packs():
            items = list(repository.objects.index(pack.id).items())
            if any(item.sort is sort for item in items):
                gone.append(pack.id)
                for item in items:
                    if item.sort is not sort:
                        writer.add(item.sort, item.id, bytes(repository.objects.read(item.sort, item.id)))
        written = writer.finish()
    repository.log.append(lambda _: Draft("Eve", "lose", add=written, drop=tuple(gone), is_lossy=True))


def forge_recipe(place: Path) -> None:
    """Replace the recipe of the large file by one that names the right pieces in a wrong order."""
    repository = Repository(DirectoryStore(place))
    repository.log.refresh()
    content = ContentId.of(LARGE)
    recipe = Recipe.decode(bytes(repository.objects.read(Sort.RECIPE, content)))
    rows = [(part.end - part.start, part.id) for part in reversed(recipe.parts)]
    lose(place, Sort.RECIPE)
    with repository.writer() as writer:
        writer.add(Sort.RECIPE, content, Recipe.of(rows).encode())
        written = writer.finish()
    repository.log.append(lambda _: Draft("Eve", "forge", add=written))


def tuned(step: int) -> bytes:
    """Return a file of weights after some steps of training."""
    base = (np.random.default_rng(0).standard_normal(200_000) * 0.02).astype(np.float32)
    moved = base + np.random.default_rng(step).standard_normal(200_000).astype(np.float32) * 1e-6 * (step > 0)
    return b"".join(encode_arrays({"w": moved.astype(np.float32)}))
