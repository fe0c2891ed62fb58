"""What no version needs goes, and nothing else; whoever comes in between keeps what they rely on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, NotFoundError, UnavailableError, UsageError
from mlreg.formats import recipe
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.transaction import PackEntry
from mlreg.ids import ContentId
from mlreg.operations import collect as deleting
from mlreg.operations import sweeping
from mlreg.operations.merging import merge_all
from mlreg.operations.sweeping import Swept, survey, sweep, undo
from mlreg.registry import collecting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.stores.directory import TEMPORARY
from mlreg.tensors.safetensors import encode_arrays


def nothing(size: int) -> None:
    """Take no notice of progress."""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(init(tmp_path / "here", shared=True)[0], "Ann", tmp_path / "cache")


def add(registry: Registry, ref: str, files: dict[str, bytes], **more: object) -> None:
    entry, _, version = ref.partition("@")
    folder = Path(registry.path).parent / f"of-{version}"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    registry.add(entry, [folder], version=version, **more)  # type: ignore[arg-type] # of several types
    for name in files:
        (folder / name).unlink()


def noise(seed: int, size: int = 300_000) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def stored(registry: Registry) -> int:
    return sum(path.stat().st_size for path in Path(registry.path).glob("packs/*/*"))


def collect(registry: Registry, grace: float = 0) -> collecting.Collection:
    return collecting.collect(registry, grace=grace, report=nothing)


def sweep_now(registry: Registry) -> Swept:
    return sweep(registry.repository, "Ann", lambda lost: "", nothing)


def read(registry: Registry, ref: str) -> dict[str, bytes]:
    return {file.path: b"".join(registry.cat(f"{ref}:{file.path}")) for file in registry.files(ref)}


# What goes.


def test_what_only_a_removed_version_had_is_deleted_and_the_rest_is_read_as_before(registry: Registry) -> None:
    shared, own = noise(0), noise(1)
    add(registry, "data/rows@2026.01.01", {"shared": shared, "own": own})
    add(registry, "data/rows@2026.01.02", {"shared": shared, "new": b"new"})
    registry.remove(["data/rows@2026.01.01"])

    done = collect(registry)

    assert [version.ref for version in done.versions] == ["data/rows@2026.01.01"]
    assert done.versions[0].size == len(own)
    assert stored(registry) < len(shared) + 5000
    assert read(registry, "data/rows@2026.01.02") == {"shared": shared, "new": b"new"}
    assert registry.verify().problems == ()
    with pytest.raises(NotFoundError) as caught:
        registry.restore(["data/rows@2026.01.01"])
    assert caught.value.code == "version_collected"


def test_nothing_goes_while_every_version_is_there(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"a": noise(0), "b": b"text"})
    add(registry, "data/rows@2026.01.02", {"a": noise(0), "c": b"other"})
    before = stored(registry)

    done = collect(registry)

    assert (done.is_clean, done.versions, stored(registry)) == (True, (), before)


def test_a_dry_run_says_what_goes_and_leaves_all_as_it_is(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"own": noise(1)})
    registry.remove(["data/rows@2026.01.01"])
    number, before = registry.repository.log.refresh().number, stored(registry)

    said = collecting.preview(registry, grace=0, report=nothing)

    assert (registry.repository.log.refresh().number, stored(registry)) == (number, before)
    done = collect(registry)
    assert (said.versions, said.packs, said.before) == (done.versions, done.packs, done.before)
    assert {file.name for file in said.files} == {file.name for file in done.files}


def test_history_and_lineage_stay_when_the_bytes_of_a_version_are_gone(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(1)}, metadata={"licence": "MIT"})
    add(registry, "model/net@1.0.0", {"weights": noise(2)}, inputs=[("data", "data/rows@2026.01.01")])
    registry.remove(["data/rows@2026.01.01"])

    collect(registry)

    assert [node.ref for node in registry.lineage("model/net@1.0.0")][1:] == ["data/rows@2026.01.01"]


def test_files_of_dropped_packs_stay_for_the_grace_and_come_back_with_undo(registry: Registry) -> None:
    data = noise(1)
    add(registry, "data/rows@2026.01.01", {"rows": data})
    registry.remove(["data/rows@2026.01.01"])

    done = collect(registry, grace=3600)

    assert done.deleted == 0
    assert done.waiting > len(data)
    (slot,) = done.transactions
    with pytest.raises(NotFoundError):
        registry.restore(["data/rows@2026.01.01"])
    assert collecting.undo(registry, str(slot)).packs == done.packs
    assert collecting.undo(registry, str(slot)).packs == 0
    registry.restore(["data/rows@2026.01.01"])
    assert read(registry, "data/rows@2026.01.01") == {"rows": data}


def test_what_is_deleted_cannot_be_brought_back_and_that_is_said(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(1)})
    registry.remove(["data/rows@2026.01.01"])
    (slot,) = collect(registry).transactions

    for number, code in ((slot, "packs_deleted"), (slot + 100, "slot_missing")):
        with pytest.raises(NotFoundError) as caught:
            undo(registry.repository, number, "Ann")
        assert caught.value.code == code


def test_the_last_that_was_dropped_can_be_brought_back_without_its_number(registry: Registry) -> None:
    with pytest.raises(NotFoundError) as caught:
        collecting.undo(registry, "last")
    assert caught.value.code == "nothing_dropped"
    with pytest.raises(UsageError):
        collecting.undo(registry, "newest")
    add(registry, "data/rows@2026.01.01", {"rows": noise(1)})
    registry.remove(["data/rows@2026.01.01"])
    (slot,) = collect(registry, grace=3600).transactions
    add(registry, "data/rows@2026.01.02", {"rows": noise(2)})

    assert collecting.undo(registry, "last").transaction == slot
    registry.restore(["data/rows@2026.01.01"])


def test_a_dry_run_of_an_undo_says_what_comes_back_and_leaves_all_as_it_is(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(1)})
    registry.remove(["data/rows@2026.01.01"])
    collect(registry, grace=3600)
    view = registry.repository.log.refresh()
    before = (view.number, view.swept, view.live_packs())

    said = collecting.preview_undo(registry, "last")

    view = registry.repository.log.refresh()
    assert (view.number, view.swept, view.live_packs()) == before
    assert said.dry_run
    assert collecting.undo(registry, "last") == said._replace(dry_run=False)
    with pytest.raises(NotFoundError):
        collecting.preview_undo(registry, "last")


def test_what_an_undo_brought_back_is_collected_again(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(1)})
    registry.remove(["data/rows@2026.01.01"])
    done = collect(registry, grace=3600)
    collecting.undo(registry, "last")

    assert collect(registry).packs == done.packs


def test_the_base_of_a_difference_stays_though_its_version_is_gone(registry: Registry) -> None:
    base = (np.random.default_rng(0).standard_normal(700_000) * 0.02).astype(np.float32)
    moved = base + np.random.default_rng(1).standard_normal(700_000).astype(np.float32) * 1e-5
    files = [b"".join(encode_arrays({"w": part.astype(ml_dtypes.bfloat16)})) for part in (base, moved)]
    for number, data in enumerate(files):
        add(registry, f"model/net@1.{number}.0", {"weights.safetensors": data})
    assert repack(registry, delta=True, grace=0, report=nothing).pieces
    registry.remove(["model/net@1.0.0"])

    collect(registry)

    assert read(registry, "model/net@1.1.0") == {"weights.safetensors": files[1]}
    assert registry.verify().problems == ()


@pytest.mark.parametrize("rows", [recipe.PAGE_ROWS, 2], ids=["a recipe", "pages"])
def test_every_piece_of_a_large_file_stays_though_the_rest_of_its_packs_goes(
    rows: int, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "PAGE_ROWS", rows)
    gone, both, new = (noise(seed, 4_000_000) for seed in range(3))
    add(registry, "data/rows@2026.01.01", {"large": gone + both})
    add(registry, "data/rows@2026.01.02", {"large": both + new})
    registry.remove(["data/rows@2026.01.01"])

    done = collect(registry)

    assert done.after > len(both) / 2
    assert stored(registry) < len(both + new) * 1.2
    assert read(registry, "data/rows@2026.01.02") == {"large": both + new}
    assert registry.verify().problems == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), min_size=1, max_size=6))
def test_whatever_versions_share_those_that_stay_are_whole_and_the_rest_is_gone(
    tmp_path_factory: pytest.TempPathFactory, versions: list[tuple[int, int, bool]]
) -> None:
    place = tmp_path_factory.mktemp("any")
    registry = Registry(init(place / "here", shared=True)[0], "Ann", place / "cache")
    content = {}
    for number, (one, other, _) in enumerate(versions):
        ref = f"data/rows@2026.01.{number + 1:02}"
        content[ref] = {"one": noise(one, 70_000), "sub/other": noise(other, 3000)}
        add(registry, ref, content[ref])
    gone = [ref for ref, (_, _, goes) in zip(content, versions, strict=True) if goes]
    registry.remove(gone) if gone else None

    collect(registry)

    staying = {ref: files for ref, files in content.items() if ref not in gone}
    assert {ref: read(registry, ref) for ref in staying} == staying
    assert registry.verify().problems == ()
    needed = {data for files in staying.values() for data in files.values()}
    # A pack that is mostly of use stays as it is.
    assert stored(registry) <= sum(map(len, needed)) / (1 - sweeping.WASTE) + 20_000


def test_of_what_led_to_what_goes_nothing_stays_in_a_pack_that_is_mostly_of_use(registry: Registry) -> None:
    """Whoever added the same would find it there, and believe that all of it is."""
    for number in range(8):
        data = {f"{name}": noise(100 * number + name, 2000) for name in range(6)} | {"l": noise(number, 1_200_000)}
        add(registry, f"data/rows{number}@2026.01.01", data)
    merge_all(registry.repository, "Ann", nothing)
    registry.remove(["data/rows0@2026.01.01"])

    sweep_now(registry)

    marks, objects = survey(registry.repository, nothing).marks, registry.repository.objects
    packs = [pack for pack in registry.repository.log.refresh().live_packs() if pack.kind is PackKind.META]
    items = [item for pack in packs for item in objects.index(pack.id).items()]
    assert {item.sort for item in items} == {Sort.TREE, Sort.RECIPE, Sort.COMMIT}
    assert [item for item in items if not marks.is_needed(item.sort, item.id)] == []


# Beside others.


def after_the_survey(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let something happen, once, between what a sweep finds and what it does."""

    def survey_and_act(repository: Repository, report: Callable[[int], None]) -> sweeping.Survey:
        found = survey(repository, report)
        monkeypatch.setattr(sweeping, "survey", survey)
        act()
        return found

    monkeypatch.setattr(sweeping, "survey", survey_and_act)


def test_a_version_that_comes_after_the_survey_keeps_what_it_relies_on(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was registered before the sweep said that anything is gone, and stored nothing, since all was there."""
    data = noise(1)
    add(registry, "data/rows@2026.01.01", {"rows": data})
    registry.remove(["data/rows@2026.01.01"])
    late = Registry(Path(registry.path), "Bob", None)

    after_the_survey(monkeypatch, lambda: add(late, "data/rows@2026.01.02", {"rows": data}))
    sweep_now(registry)

    assert read(registry, "data/rows@2026.01.02") == {"rows": data}
    assert registry.verify().problems == ()


def test_a_version_that_relied_on_what_was_dropped_is_stored_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked before the sweep, and would have been registered after it."""
    data = noise(1)
    add(registry, "data/rows@2026.01.01", {"rows": data})
    registry.remove(["data/rows@2026.01.01"])
    late = Registry(Path(registry.path), "Bob", None)
    append, done = late.repository.log.append, list[collecting.Collection]()

    def collect_before(build: Callable[..., object]) -> object:
        if not done:
            done.append(collect(registry))
        return append(build)  # type: ignore[arg-type] # the same

    monkeypatch.setattr(late.repository.log, "append", collect_before)
    add(late, "data/rows@2026.01.02", {"rows": data})

    assert done[0].packs
    assert read(registry, "data/rows@2026.01.02") == {"rows": data}
    assert registry.verify().problems == ()


def test_a_restore_that_comes_after_the_survey_is_seen(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise(1)
    add(registry, "data/rows@2026.01.01", {"rows": data})
    registry.remove(["data/rows@2026.01.01"])

    after_the_survey(monkeypatch, lambda: Registry(Path(registry.path), "Bob", None).restore(["data/rows@2026.01.01"]))
    sweep_now(registry)

    assert read(registry, "data/rows@2026.01.01") == {"rows": data}


def test_two_sweeps_at_once_do_not_take_both_copies_of_an_object(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = noise(1)
    add(registry, "data/rows@2026.01.01", {"rows": data})
    other = Registry(Path(registry.path), "Bob", None)

    twice(registry, data)
    after_the_survey(monkeypatch, lambda: sweep(other.repository, "Bob", lambda lost: "", nothing))
    sweep_now(registry)
    collect(registry)

    assert read(registry, "data/rows@2026.01.01") == {"rows": data}
    assert registry.verify().problems == ()
    assert stored(registry) < 1.5 * len(data)


def twice(registry: Registry, data: bytes) -> None:
    """Store what is stored already once more, as two writers do who do not see each other."""
    repository = registry.repository
    with repository.writer() as writer:
        writer.add(Sort.PIECE, ContentId.of(data), data)
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", "again", add=packs))


def test_of_two_copies_the_sound_one_stays(registry: Registry) -> None:
    data = noise(1)
    add(registry, "data/rows@2026.01.01", {"rows": data})
    twice(registry, data)
    newest = [pack for pack in registry.repository.log.refresh().live_packs() if pack.kind is PackKind.DATA][-1]
    file = Path(registry.path) / pack_key(newest.id)
    file.chmod(0o644)
    with file.open("r+b") as damaged:
        damaged.seek(1000)
        damaged.write(b"damage")

    collect(registry)

    assert read(registry, "data/rows@2026.01.01") == {"rows": data}


def test_nothing_goes_where_something_needed_cannot_be_read(registry: Registry) -> None:
    """What lies behind a node of a tree that is damaged cannot be told; it may come back from elsewhere."""
    add(registry, "data/rows@2026.01.01", {"rows": noise(1)})
    add(registry, "data/rows@2026.01.02", {"rows": noise(2)})
    registry.remove(["data/rows@2026.01.01"])
    last = [pack for pack in registry.repository.log.refresh().live_packs() if pack.kind is PackKind.META][-1]
    file = Path(registry.path) / pack_key(last.id)
    file.chmod(0o644)
    file.write_bytes(bytes(file.stat().st_size))
    before = sorted(Path(registry.path).rglob("*"))

    with pytest.raises(IntegrityError):
        collect(Registry(Path(registry.path), "Ann", None))

    assert sorted(Path(registry.path).rglob("*")) == before


def test_who_pushes_meanwhile_pushes_again_what_was_collected(tmp_path: Path, registry: Registry) -> None:
    mine, _ = init(tmp_path / "mine", shared=False)
    own = Registry(mine, "Bob", None, {"origin": registry.path})
    data = noise(1)
    add(own, "data/rows@2026.01.01", {"rows": data})
    Sync(own, "origin").push()
    registry.remove(["data/rows@2026.01.01"])
    add(own, "data/rows@2026.01.02", {"rows": data})
    collect(registry)

    Sync(own, "origin").push()

    assert read(registry, "data/rows@2026.01.02") == {"rows": data}
    assert registry.verify().problems == ()


def test_a_sweep_that_is_always_too_late_gives_up_and_says_so(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(0)})
    registry.remove(["data/rows@2026.01.01"])
    monkeypatch.setattr(sweeping, "survey", lambda *some: survey(*some)._replace(generation=99))

    with pytest.raises(UnavailableError) as caught:
        sweep_now(registry)

    assert caught.value.code == "busy_repository"
    assert registry.verify().orphans == 0


# What was left half written.


def old(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_packs_that_were_never_named_and_half_written_files_go_when_they_are_old(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(0)})
    with registry.repository.writer() as writer:
        writer.add(Sort.PIECE, ContentId.of(b"orphan"), b"orphan")
        (pack,) = writer.finish()
    orphan = Path(registry.path) / pack_key(pack.id)
    half = orphan.with_name(f"{TEMPORARY}0123456789abcdef")
    half.write_bytes(b"half")

    assert collect(registry).files == ()
    for path in (orphan, half):
        old(path, deleting.UNNAMED + 60)
    assert {file.name for file in collect(registry).files} == {
        str(path.relative_to(registry.path)) for path in (orphan, half)
    }

    assert not orphan.exists()
    assert not half.exists()
    assert registry.verify().problems == ()


def test_a_file_whose_deletion_was_cut_short_is_deleted_the_next_time(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(0)})
    registry.remove(["data/rows@2026.01.01"])
    data = next(p for p in registry.repository.log.refresh().live_packs() if p.kind is PackKind.DATA)
    file = Path(registry.path) / pack_key(data.id)
    kept = file.read_bytes()
    collect(registry)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(kept)

    assert [deleted.name for deleted in collect(registry).files] == [pack_key(data.id)]
    assert not file.exists()


def test_a_dropped_pack_that_was_deleted_by_hand_is_not_counted_and_not_listed(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(0)})
    registry.remove(["data/rows@2026.01.01"])
    done = collect(registry, grace=3600)
    assert stored(registry) - done.waiting < 1000
    for file in Path(registry.path).glob("packs/*/*"):
        file.unlink()

    for act in (collecting.preview, collecting.collect):
        done = act(registry, grace=0, report=nothing)
        assert (done.files, done.deleted, done.waiting) == ((), 0, 0)
    assert registry.repository.log.refresh().dropped_packs() == []


def stray(registry: Registry, age: float) -> Path:
    """Leave a pack that no transaction names, of so many seconds ago."""
    file = Path(registry.path) / pack_key("ab" * 16)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"left")
    os.utime(file, (time.time() - age,) * 2)
    return file


def test_what_is_too_young_to_be_deleted_is_counted(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(0)})
    file = stray(registry, 60)
    half = file.parent / f"{TEMPORARY}0123456789abcdef"
    half.write_bytes(b"half written")

    for act in (collecting.preview, collecting.collect):
        done = act(registry, grace=0, report=nothing)
        assert (done.is_clean, done.young, done.young_size) == (True, 2, len(b"left" + b"half written"))
    os.utime(file, (0, 0))
    os.utime(half, (0, 0))
    assert (len(collect(registry).files), collect(registry).young, file.exists()) == (2, 0, False)


def test_the_reason_says_whether_anything_is_needed_of_what_goes(registry: Registry) -> None:
    add(registry, "data/rows@2026.01.01", {"a": noise(0)})
    add(registry, "data/rows@2026.01.02", {"b": noise(1), "c": noise(2)})
    add(registry, "data/rows@2026.01.03", {"b": noise(1)})

    def reasons(act: Callable[..., collecting.Collection]) -> set[str]:
        packs = {pack_key(pack.id) for pack in data_packs}
        return {file.reason for file in act(registry, grace=0, report=nothing).files if file.name in packs}

    data_packs = [pack for pack in registry.repository.log.refresh().live_packs() if pack.kind is PackKind.DATA]
    registry.remove(["data/rows@2026.01.01"])
    assert reasons(collecting.preview) == reasons(collecting.collect) == {deleting.UNNEEDED}
    registry.remove(["data/rows@2026.01.02"])
    assert reasons(collecting.preview) == {deleting.REPLACED}
    assert reasons(collecting.collect) == {deleting.UNNEEDED_OR_REPLACED}
    add(registry, "data/rows@2026.01.04", {"d": b"d"})
    repack(registry, delta=False, grace=3600, report=nothing)
    assert {file.reason for file in collect(registry).files} == {deleting.REPLACED}


def test_nothing_is_looked_through_when_nothing_was_removed_since(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(registry, "data/rows@2026.01.01", {"rows": noise(0)})
    collect(registry)
    monkeypatch.setattr(sweeping, "survey", lambda *some: pytest.fail("it was looked through"))
    add(registry, "data/rows@2026.01.02", {"rows": noise(1)})

    assert collect(registry).is_clean


def test_a_pack_that_was_brought_back_in_between_is_not_deleted(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, find = noise(1), deleting._there
    add(registry, "data/rows@2026.01.01", {"rows": data})
    registry.remove(["data/rows@2026.01.01"])
    (slot,) = collect(registry, grace=3600).transactions

    def find_and_wait(repository: Repository, packs: list[PackEntry]) -> list[deleting.Doomed]:
        found = find(repository, packs)
        other = Registry(Path(registry.path), "Bob", None)
        undo(other.repository, slot, "Bob")
        other.restore(["data/rows@2026.01.01"])
        return found

    monkeypatch.setattr(deleting, "_there", find_and_wait)
    deleting.collect(registry.repository, "Ann", 0)

    assert read(registry, "data/rows@2026.01.01") == {"rows": data}


def test_a_file_that_was_cut_in_two_ways_is_read_by_whoever_comes_first(registry: Registry) -> None:
    data = os.urandom(9_000_000)
    small = {f"{number}.txt": b"%d" % number for number in range(300)}
    add(registry, "data/rows@2026.01.01", {"large": data, **small})
    repository, half = registry.repository, len(data) // 2
    pieces = [data[:half], data[half:]]
    with repository.writer() as writer:
        for piece in pieces:
            writer.add(Sort.PIECE, ContentId.of(piece), piece)
        cut = recipe.Recipe.of([(len(piece), ContentId.of(piece)) for piece in pieces])
        writer.add(Sort.RECIPE, ContentId.of(data), cut.encode())
        written = writer.finish()
    repository.log.append(lambda view: Draft("Bob", "cut in another way", add=written))

    collect(registry)

    # Nothing is known of the packs yet: that is read first which lies nearest to the version.
    fresh = Registry(registry.path, "Eve")
    assert b"".join(fresh.cat("data/rows:large")) == data
    assert fresh.verify().problems == ()
