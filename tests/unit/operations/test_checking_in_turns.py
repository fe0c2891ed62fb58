"""A check that was stopped goes on where it was, and what is remembered of it hides no damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlreg.errors import UsageError
from mlreg.formats.names import Entry
from mlreg.formats.pack import PackKind
from mlreg.formats.transaction import PackEntry
from mlreg.formats.versions import version_format
from mlreg.ids import ContentId
from mlreg.operations import reading_turns
from mlreg.operations.check import Checked, check
from mlreg.operations.found_whole import FoundWhole
from mlreg.operations.reading_turns import How
from mlreg.operations.register import NewVersion, add
from mlreg.operations.scanning import Source
from mlreg.registry.verifying import verify
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.stores.memory import MemoryStore
from tests.unit.operations.test_check import flipped, silent
from tests.unit.repository.samples import repository_in

NET = Entry("model", "net")
NOISE = np.random.default_rng(1).bytes(3_000_000)
SMALL = 2
"""Versions of a small file."""
PACKS = 2 * (SMALL + 1)


class Reads(MemoryStore):
    """Remembers which packs blocks were read of."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        # Indexes are read up to the end.
        if key.startswith("packs/") and size is not None:
            self.blocks.append(key)
        return super().read(key, start, size)

    def taken(self) -> list[str]:
        """Return the packs that were read since this was asked, each once, in order."""
        read, self.blocks = self.blocks, []
        return list(dict.fromkeys(read))


class Scene:
    """Two small versions and one of a large file, each with a pack of data and one of metadata."""

    def __init__(self) -> None:
        self.store = Reads()
        self.repository = repository_in(self.store)
        for number in range(SMALL):
            self.add(f"1.{number}.0", b"small %d" % number)
        self.add("2.0.0", NOISE)
        self.notes = FoundWhole(None)
        self.store.taken()

    def add(self, version: str, data: bytes) -> None:
        sources = [Source("weights", lambda: [data])]
        add(self.repository, NewVersion(NET, version_format("semver"), sources, "directory", "Ann", version), silent)

    def packs(self, kind: PackKind) -> list[PackEntry]:
        return [pack for pack in self.repository.log.refresh().live_packs() if pack.kind is kind]

    def check(self, now: float, *, turns: int = 1000, **fields: float | bool) -> Checked:
        """Check at a time; stop after so many packs and files."""
        left = iter(range(1, turns))
        how = How(**fields, now=now, enough=lambda: next(left, None) is None)  # type: ignore[arg-type] # of their types
        return check(Repository(self.store), 1.0, silent, how, self.notes)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_small_steps_come_to_everything_and_each_goes_on_where_the_last_one_stopped(scene: Scene) -> None:
    steps = [scene.check(float(now), turns=1).covered for now in range(1, PACKS + 1)]

    # Metadata, then the large file with its pack, then the others.
    assert [step.never for step in steps] == [5, 4, 3, 2, 1, 0]
    assert not any(step.is_complete for step in steps)
    assert steps[-1].oldest == 1.0
    # Then it begins anew, with what was read first.
    assert scene.check(7.0, turns=1).covered.oldest == 2.0


def test_what_was_found_whole_lately_is_not_read_again_if_only_older_is_asked_for(scene: Scene) -> None:
    scene.check(1.0, turns=4)
    scene.store.taken()

    found = scene.check(2.0, before=1.0)

    # Metadata is read for the names all the same.
    data = [pack_key(pack.id) for pack in scene.packs(PackKind.DATA)]
    assert set(scene.store.taken()).intersection(data) == set(data[:SMALL])
    assert (found.covered.is_complete, found.covered.never, found.covered.oldest) == (False, 0, 1.0)


@pytest.mark.parametrize("turns", range(1, PACKS + 2))
def test_a_check_that_is_killed_loses_the_work_on_one_pack(turns: int, scene: Scene) -> None:
    class Killed(BaseException):
        pass

    done: list[int] = []

    def report(size: int) -> None:
        done.append(size)
        if len(done) == turns:
            raise Killed

    try:
        check(Repository(scene.store), 1.0, report, How(now=1.0), scene.notes)
    except Killed:
        begun = len(set(scene.store.taken()))
        whole = len(scene.notes.times(decoded=True).keys() - {bytes(ContentId.of(NOISE))})
        assert whole >= begun - 1
    assert scene.check(2.0, before=1.0).covered.never == 0


def test_a_full_check_reads_everything_whatever_is_remembered(scene: Scene) -> None:
    assert scene.check(1.0).problems == []
    scene.store.taken()
    for pack in (scene.packs(PackKind.DATA)[0], scene.packs(PackKind.META)[1]):
        key = pack_key(pack.id)
        scene.store.contents[key] = flipped(0)(scene.store.contents[key])

    found = scene.check(2.0)

    assert len(scene.store.taken()) == PACKS
    assert {problem.code for problem in found.problems} == {"block_damaged", "object_damaged"}
    assert {hurt for problem in found.problems for hurt in problem.hurts} == {"model/net@1.0.0", "model/net@1.1.0"}
    # They are the first to be read the next time.
    assert found.covered.never == 2
    assert len(scene.notes.times(decoded=True)) == PACKS + len(["the large file"]) - 2


def test_a_large_file_is_read_once_with_its_pack(scene: Scene) -> None:
    sizes: list[int] = []
    found = check(Repository(scene.store), 1.0, sizes.append, How(now=1.0))

    assert sum(sizes) == found.size == found.total
    data = scene.packs(PackKind.DATA)[-1]
    reads = scene.store.blocks
    # Two megabytes at once, and none of it twice.
    assert reads.count(pack_key(data.id)) == 2


def test_a_time_that_is_still_to_come_is_not_believed(scene: Scene) -> None:
    scene.check(1e12)

    assert scene.check(1.0, turns=1).covered.never == PACKS - 1


def test_what_was_compared_as_stored_was_not_decoded(scene: Scene) -> None:
    stored = scene.check(1.0, decodes=False)

    assert (stored.objects, stored.size, stored.covered.never) == (0, stored.total, 0)
    assert scene.check(2.0, turns=1).covered.never == PACKS - 1
    assert scene.check(3.0, decodes=False, turns=1).covered.never == 0


@pytest.mark.parametrize("kind", PackKind)
def test_a_flipped_bit_is_found_in_stored_bytes_without_decoding_them(kind: PackKind, scene: Scene) -> None:
    key = pack_key(scene.packs(kind)[0].id)
    scene.store.contents[key] = flipped(0)(scene.store.contents[key])

    found = scene.check(1.0, decodes=False)

    assert found.problems[0].code == "block_damaged"
    assert {hurt for problem in found.problems for hurt in problem.hurts} == {"model/net@1.0.0"}


def test_damage_is_found_in_every_block_of_a_large_file(scene: Scene) -> None:
    pack = scene.packs(PackKind.DATA)[-1]
    index = scene.repository.objects.fetch_index(pack)
    assert index.block_count() > 3
    whole = scene.store.contents[pack_key(pack.id)]
    for block in index.blocks():
        scene.store.contents[pack_key(pack.id)] = flipped(block.offset + block.stored_size // 2)(whole)
        for decodes in (True, False):
            problems = scene.check(1.0, decodes=decodes).problems
            why = f"the {block.stored_size} bytes from byte {block.offset} on are not those that were written"
            assert (problems[0].code, problems[0].why) == ("block_damaged", why)
            assert problems[1].hurts == ("model/net@2.0.0",)


def test_a_damaged_note_is_as_good_as_none(tmp_path: Path) -> None:
    notes = FoundWhole(tmp_path)
    notes.note([b"x"], 1.0, decoded=True)
    notes.close()
    (tmp_path / "whole.sqlite").write_bytes(b"no database")

    again = FoundWhole(tmp_path)

    assert again.times(decoded=True) == {}
    again.note([b"y"], 2.0, decoded=False)
    assert (again.times(decoded=True), again.times(decoded=False)) == ({}, {b"y": 2.0})


# As a user asks for it.


def test_a_limit_of_time_stops_between_packs_and_the_next_one_goes_on(tmp_path: Path) -> None:
    scene = Scene()
    repository = Repository(scene.store, tmp_path)

    def step() -> tuple[int, int]:
        clock = iter([0.0, 1.0, *[99.0] * 10])
        found = verify(repository, 1.0, silent, limit=10.0, clock=lambda: next(clock))
        return found.never, found.size

    # Of each call the clock is asked once at the beginning, and once before every turn but the first.
    assert [never for never, _ in (step(), step(), step())] == [4, 2, 0]
    assert verify(repository, 1.0, silent, older=3600.0).size == 0


def test_what_is_whole_is_noted_now_and_then_so_that_a_kill_takes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []
    scene = Scene()
    keep = FoundWhole.note

    def note(self: FoundWhole, things: list[bytes], time: float, *, decoded: bool) -> None:
        noted.append(len(things))
        keep(self, things, time, decoded=decoded)

    monkeypatch.setattr(FoundWhole, "note", note)
    monkeypatch.setattr(reading_turns, "NOTED", 2_000_000)

    scene.check(1.0)

    # The large file and its pack, and the three of metadata before them; then the rest.
    assert noted == [5, SMALL]


def test_chance_and_turns_are_not_asked_for_at_once(scene: Scene) -> None:
    with pytest.raises(UsageError, match="--sample"):
        verify(scene.repository, 0.5, silent, older=1.0)
