"""Small packs become few: every object is read as before, whatever is damaged, lost, or done by others meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.sniff import sniff
from mlreg.errors import MlregError
from mlreg.formats.names import Entry
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.transaction import PackEntry
from mlreg.formats.versions import version_format
from mlreg.ids import ContentId, ObjectId
from mlreg.operations import collect, merging, sweeping
from mlreg.operations.check import check
from mlreg.operations.history import files_of, read_commit
from mlreg.operations.merging import BOUNDS, MANY, WITHOUT_END, Most, choose, class_of, due, keep_few, merge, merge_all
from mlreg.operations.record import remove, restore
from mlreg.operations.register import NewVersion, add
from mlreg.operations.scanning import Source
from mlreg.repository import log as logs
from mlreg.repository.heads import Client
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository, create_repository
from mlreg.repository.view import DROPPED, LIVE, REAPED
from mlreg.stores.faulty import Fault, FaultyStore, fail_at
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store

ENTRY = Entry("model", "net")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_back_off", lambda attempt: None)


def nothing(size: int) -> None:
    """Take no notice of progress."""


def made(contents: Mapping[str, bytes] = {}, *, merges: bool = False) -> Repository:
    """Return a repository in memory, with the contents of another one if there is one."""
    store = MemoryStore(dict(contents))
    create_repository(store)
    return Repository(store, client=Client(merges=merges))


def put(repository: Repository, version: str, *files: bytes) -> None:
    sources = [Source(f"file{number}", partial(list, [data])) for number, data in enumerate(files)]
    add(
        repository,
        NewVersion(ENTRY, version_format("major.minor.patch"), sources, "directory", "Ann", version=version),
        nothing,
    )


def fill(repository: Repository, count: int, size: int = 300, line: int = 1) -> dict[str, bytes]:
    """Register versions with a small file each, `LINE.0.0` and so on; return their contents."""
    versions = [f"{line}.{number}.0" for number in range(count)]
    found = {version: random.Random(version).randbytes(size) for version in versions}
    for version, data in found.items():
        put(repository, version, data)
    return found


def content(store: Store) -> dict[str, bytes]:
    """Return the first file of every version, read by someone who comes new."""
    repository = Repository(store)
    refs = repository.log.refresh().refs("version/")
    found = {}
    for ref in refs:
        if ref.target:
            file = next(iter(files_of(repository, read_commit(repository, ref.target))))
            found[ref.name.rpartition("/")[2]] = b"".join(repository.objects.read_whole(file.id, file.size))
    return found


def live(repository: Repository) -> list[PackEntry]:
    return repository.log.refresh().live_packs()


def objects_in(repository: Repository, packs: list[PackEntry]) -> set[tuple[Sort, ObjectId]]:
    return {
        (item.sort, item.id)
        for pack in packs
        for item in Repository(repository.store).objects.fetch_index(pack).items()
    }


def problems(store: Store) -> list[str]:
    return [problem.code for problem in check(Repository(store), 1.0, nothing).problems]


def orphans(store: Store) -> int:
    """Count the files of packs that the log never named."""
    view = Repository(store).log.refresh()
    return sum(view.pack_state(key.rpartition("/")[2].removesuffix(".pack")) is None for key in store.list("packs/"))


# Which packs.


def entry(number: int, size: int) -> PackEntry:
    return PackEntry(f"{number:032x}", PackKind.META, size, 100, bytes(32), 1)


small = st.integers(256, 6000)
sizes = st.lists(st.one_of(small, small, small, small, st.integers(256, 2 * BOUNDS[-1])), max_size=700)


@given(sizes=sizes, many=st.integers(2, 20), shrink=st.floats(0.3, 1))
def test_however_packs_come_few_small_ones_stay_and_each_byte_is_written_a_few_times(
    sizes: list[int], many: int, shrink: float
) -> None:
    live: list[PackEntry] = []
    written = 0
    for number, size in enumerate(sizes):
        live.append(entry(number, size))
        chosen = choose(live, many, WITHOUT_END)
        if chosen:
            assert len(chosen) >= many
            total = sum(pack.size for pack in chosen)
            written += total
            # An index does not get smaller, so that it is never much less.
            together = entry(len(sizes) + number, max(int(total * shrink), 100 * len(chosen)))
            live = [*(pack for pack in live if pack not in chosen), together]
        counts = [sum(class_of(pack.size) == number for pack in live) for number in range(len(BOUNDS) - 1)]
        assert all(count <= many for count in counts)
    assert written <= (len(BOUNDS) + BOUNDS[1] // (100 * many)) * 2 * sum(sizes)


@given(sizes=sizes, many=st.integers(2, 20), packs=st.integers(2, 50), size=st.integers(2 * BOUNDS[-1], 16 << 20))
def test_no_more_is_chosen_than_was_allowed_and_nothing_that_is_large(
    sizes: list[int], many: int, packs: int, size: int
) -> None:
    there = [entry(number, size) for number, size in enumerate(sizes)]

    chosen = choose(there, many, Most(packs, size))

    assert len(chosen) <= packs
    assert sum(pack.size for pack in chosen) <= size
    assert all(pack.size < BOUNDS[-1] for pack in chosen)
    assert len(set(chosen)) == len(chosen)
    assert len(chosen) != 1
    assert bool(chosen) == bool(choose(there, many, WITHOUT_END))


def test_a_pack_that_would_be_alone_is_not_written_anew() -> None:
    repository = made()
    fill(repository, 3)
    view = repository.log.refresh()

    assert due(view, 2, Most(1, 1 << 20)) == []
    assert len(due(view, 2, Most(2, 1 << 20))) == 4
    assert len(due(view, 2, WITHOUT_END, live(repository)[:4])) == 0
    assert len(due(view, 2, WITHOUT_END, live(repository)[:2])) == 4


def test_what_the_small_ones_become_fills_the_next_class() -> None:
    tiny, larger = [entry(number, 1000) for number in range(16)], [entry(100 + n, 20_000) for n in range(15)]

    assert choose([*larger, *tiny], 16, WITHOUT_END) == [*tiny, *larger]
    assert choose([*larger[1:], *tiny], 16, WITHOUT_END) == tiny
    assert choose([*larger, *tiny[1:]], 16, WITHOUT_END) == []


# Merging.


def test_merged_packs_hold_all_that_the_old_ones_held_needed_or_not() -> None:
    repository = made()
    there = fill(repository, 30)
    remove(repository, {ENTRY: ["1.3.0"]}, "Ann", "")
    held = objects_in(repository, live(repository))

    done = merge_all(repository, "Ann", nothing)

    assert (len(done.before), len(done.after)) == (60, 2)
    assert live(repository) == list(done.after)
    assert objects_in(repository, live(repository)) == held
    assert sum(pack.size for pack in done.after) < sum(pack.size for pack in done.before)
    collect.collect(repository, "Ann", 0)
    assert len(list(repository.store.list("packs/"))) == 2
    restore(repository, {ENTRY: ["1.3.0"]}, "Ann", "")
    assert content(repository.store) == there
    assert problems(repository.store) == []


def test_nothing_is_merged_twice_and_a_single_pack_stays() -> None:
    repository = made()
    put(repository, "1.0.0", b"one")
    assert merge_all(repository, "Ann", nothing).before == ()
    put(repository, "1.1.0", b"two")
    merge_all(repository, "Ann", nothing)
    before = live(repository), repository.log.refresh().number

    assert merge_all(repository, "Ann", nothing).before == ()
    assert (live(repository), repository.log.refresh().number) == before


def test_what_is_large_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "BOUNDS", (0, 100, 1000, 10_000, 100_000))
    repository = made()
    put(repository, "1.0.0", random.Random(1).randbytes(150_000))
    put(repository, "1.1.0", random.Random(2).randbytes(90_000))
    put(repository, "1.2.0", random.Random(3).randbytes(90_001))
    large = [pack for pack in live(repository) if pack.size > 100_000]

    merge_all(repository, "Ann", nothing)

    assert len(large) == 1
    assert [pack.kind for pack in live(repository)] == [PackKind.DATA, PackKind.DATA, PackKind.META]
    assert set(large) < set(live(repository))


def test_an_object_that_lies_in_several_packs_is_kept_once() -> None:
    """As when two people who did not know of each other stored the same."""
    repository = made()
    put(repository, "1.0.0", b"the same" * 100, b"mine")
    first = dict(repository.store.contents)  # type: ignore[attr-defined] # of a store in memory
    again = made()
    put(again, "1.0.0", b"the same" * 100, b"yours")
    (data,) = [pack for pack in live(again) if pack.kind is PackKind.DATA]
    repository.store.create(pack_key(data.id), again.store.read(pack_key(data.id)))
    repository.log.append(lambda view: Draft("Bob", add=(data,)))
    assert len(first) < len(repository.store.contents)  # type: ignore[attr-defined] # as above

    merge_all(repository, "Ann", nothing)

    (data,) = [pack for pack in live(repository) if pack.kind is PackKind.DATA]
    assert data.objects == 3
    assert problems(repository.store) == []


def damage(repository: Repository, pack: PackEntry) -> None:
    """Change the first byte of a pack, which belongs to its first block."""
    contents: dict[str, bytes] = repository.store.contents  # type: ignore[attr-defined] # of a store in memory
    data = contents[pack_key(pack.id)]
    contents[pack_key(pack.id)] = bytes([data[0] ^ 1]) + data[1:]


@pytest.mark.parametrize("size", [300, 100_000], ids=["in a block that is put together anew", "in one that is copied"])
def test_a_damaged_pack_is_left_as_it_is_and_the_others_are_merged(size: int) -> None:
    repository = made()
    there = fill(repository, 6, size)
    before = live(repository)
    hurt = [pack for pack in before if pack.kind is PackKind.DATA][2]
    damage(repository, hurt)
    other = Repository(repository.store)

    done = merge_all(other, "Ann", nothing)

    assert set(before) - set(done.before) == {hurt}
    assert set(live(other)) == {hurt, *done.after}
    # Of what was merged every block is as it should be.
    assert {pack for packs in check(other, 1.0, nothing).bad.values() for pack in packs} == {hurt.id}
    damage(repository, hurt)
    assert content(repository.store) == there


def test_a_pack_that_is_gone_is_left_to_others() -> None:
    repository = made()
    fill(repository, 6)
    gone = live(repository)[2]
    repository.store.delete(pack_key(gone.id))
    other = Repository(repository.store)

    done = merge_all(other, "Ann", nothing)

    assert gone not in done.before
    assert len(done.before) == 11
    assert other.log.refresh().pack_state(gone.id) == LIVE


def test_if_one_of_the_packs_goes_meanwhile_nothing_is_merged_and_nothing_is_left_behind() -> None:
    repository = made()
    there = fill(repository, 6)
    packs = due(repository.log.refresh(), 2, WITHOUT_END)

    def drop(_: int, verb: str, key: str) -> None:
        # Before the transaction: the new packs are written, and one that they replace is merged by someone else.
        if verb == "create" and not raced:
            raced.append(key)
            merge(other, "Bob", [pack for pack in packs if pack.kind is PackKind.META], nothing)

    raced: list[str] = []
    other = Repository(repository.store)
    other.log.refresh()
    mine = Repository(FaultyStore(repository.store, drop))
    mine.log.refresh()
    done = merge(mine, "Ann", packs, nothing)

    assert raced
    assert done.before == ()
    assert [pack.kind for pack in live(other)] == [PackKind.DATA] * 6 + [PackKind.META]
    assert orphans(repository.store) == 0
    assert content(repository.store) == there
    assert problems(repository.store) == []


def test_who_looked_before_reads_on_and_what_he_adds_is_whole() -> None:
    repository = made()
    there = fill(repository, 6)
    other = Repository(repository.store)
    other.log.refresh()
    for kind in PackKind:
        other.objects.take_up_indexes(kind)

    merge_all(repository, "Ann", nothing)

    for data in there.values():
        assert other.objects.read(Sort.PIECE, ContentId.of(data)) == data
    put(other, "2.0.0", *there.values())
    collect.collect(repository, "Ann", 0)
    put(other, "2.1.0", b"new", *there.values())
    assert content(repository.store) == {**there, "2.0.0": there["1.0.0"], "2.1.0": b"new"}
    assert problems(repository.store) == []


def named(repository: Repository, *kinds: Callable[[PackWriter], None]) -> list[PackEntry]:
    """Write a pack with each of these, and name them in the log one after the other."""
    packs: list[PackEntry] = []
    for write in kinds:
        with repository.writer() as writer:
            write(writer)
            (pack,) = writer.finish()
        repository.log.append(lambda view, pack=pack: Draft("Ann", add=(pack,)))  # type: ignore[misc] # bound here
        packs.append(pack)
    return packs


def recipes(repository: Repository, *packs: dict[ContentId, bytes]) -> list[PackEntry]:
    def write(writer: PackWriter, some: dict[ContentId, bytes]) -> None:
        for file, body in some.items():
            writer.add(Sort.RECIPE, file, body)

    return named(repository, *(partial(write, some=some) for some in packs))


def test_what_others_differ_from_stays_whole_though_a_newer_copy_of_it_is_a_difference() -> None:
    repository = made()
    numbers = np.random.default_rng(0).standard_normal(20_000).astype(np.float32).tobytes()
    plain = [numbers[:-4] + bytes([number]) * 4 for number in range(3)]
    third, base, piece = map(ContentId.of, plain)
    shape = sniff(numbers)

    def differ(one: int, other: int) -> bytes:
        return DIFFERENCE.encode(plain[one], ContentId.of(plain[other]), plain[other], shape)

    named(
        repository,
        lambda writer: writer.add(Sort.PIECE, base, plain[1]),
        lambda writer: writer.add(Sort.PIECE, third, plain[0]),
        lambda writer: writer.add_difference(piece, len(numbers), differ(2, 1)),
        lambda writer: writer.add_difference(base, len(numbers), differ(1, 0)),
    )

    done = merge_all(repository, "Ann", nothing)

    assert (len(done.before), len(done.after)) == (4, 1)
    fresh = Repository(repository.store)
    fresh.log.refresh()
    assert [fresh.objects.read(Sort.PIECE, one) for one in (third, base, piece)] == plain
    assert fresh.objects.index(done.after[0].id).bases == (base,)
    assert problems(repository.store) == []


@pytest.mark.parametrize("is_merged_too", [False, True])
def test_the_newest_recipe_of_a_file_counts_after_an_older_one_was_merged(is_merged_too: bool) -> None:
    """The pieces of the older one may be gone."""
    repository = made()
    file, filler = ContentId.of(b"file"), random.Random(0).randbytes(100_000)
    old, other, new = recipes(
        repository,
        {file: b"\xff old", ContentId.of(b"large"): filler},
        {ContentId.of(b"other"): b"\xff other"},
        {file: b"\xff new"},
    )

    merge(repository, "Ann", [old, other, *[new] * is_merged_too], nothing)

    fresh = Repository(repository.store)
    fresh.log.refresh()
    fresh.objects.take_up_indexes(PackKind.META)
    assert fresh.objects.read(Sort.RECIPE, file) == b"\xff new"
    assert fresh.objects.read(Sort.RECIPE, ContentId.of(b"large")) == filler
    assert fresh.objects.read(Sort.RECIPE, ContentId.of(b"other")) == b"\xff other"
    assert len(live(fresh)) == 1 + (not is_merged_too)


def test_a_merge_that_a_collector_overtook_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file that is cut in two ways the collector may have kept the pieces of the one that is not merged."""
    repository = made()
    fill(repository, 4)
    before = live(repository)
    copied = merging._copied

    def overtaken(*given: Any) -> list[PackEntry]:
        found = copied(*given)
        repository.log.append(lambda view: Draft("Bob", "collect", is_lossy=True))
        return found

    monkeypatch.setattr(merging, "_copied", overtaken)
    assert merge(repository, "Ann", before, nothing).before == ()
    assert live(repository) == before
    assert orphans(repository.store) == 0


def test_a_copy_that_its_id_does_not_fit_does_not_outlive_the_good_one() -> None:
    repository = made()
    piece = ContentId.of(b"good")
    good, bad = _copies(repository, piece)

    merge(repository, "Ann", [good, bad, _pack_of(repository, ContentId.of(b"other"), b"other")], nothing)

    fresh = Repository(repository.store)
    fresh.log.refresh()
    assert fresh.objects.read(Sort.PIECE, piece) == b"good"
    assert bad.id in {pack.id for pack in live(fresh)}


def _copies(repository: Repository, piece: ContentId) -> list[PackEntry]:
    """Put a piece into a pack, and then other bytes under its id into another one."""
    return [_pack_of(repository, piece, data) for data in (b"good", b"evil")]


def _pack_of(repository: Repository, piece: ContentId, data: bytes) -> PackEntry:
    with repository.writer() as writer:
        writer.add(Sort.PIECE, piece, data)
        (written,) = writer.finish()
    repository.log.append(lambda view: Draft("Ann", "put", add=(written,)))
    repository.objects.take_up_indexes(PackKind.DATA)
    return written


# Faults.


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_a_merge_that_is_cut_at_any_call_to_the_store_loses_nothing_and_can_be_repeated(fault: Fault) -> None:
    start = made()
    there = fill(start, 4)
    contents: dict[str, bytes] = start.store.contents  # type: ignore[attr-defined] # of a store in memory
    number = 0
    while True:
        number += 1
        store = MemoryStore(dict(contents))
        faulty = FaultyStore(store, fail_at(number, fault))
        with suppress(MlregError):
            merge_all(Repository(faulty), "Ann", nothing)
        assert content(store) == there
        assert problems(store) == []
        merge_all(Repository(store), "Ann", nothing)
        assert len(live(Repository(store))) == 2
        if len(faulty.calls) < number:
            break
    assert number > 10
    assert content(store) == there


# By who adds.


def test_who_adds_keeps_packs_few_and_who_says_so_does_not() -> None:
    here, other = made(merges=True), made()

    there = fill(here, 100)
    fill(other, 100)

    assert len(live(other)) == 200
    assert len(live(here)) < 2 * (MANY + 10)
    assert content(here.store) == there
    assert problems(here.store) == []
    assert orphans(here.store) == 0


def test_of_many_who_add_few_find_that_it_is_time() -> None:
    repository = made()
    fill(repository, 2 * MANY)
    repository.merges = True

    put(repository, "2.0.0", b"not a multiple")
    keep_few(repository, "Ann", [])
    keep_few(repository, "Ann", [entry(number, 2 * BOUNDS[-1]) for number in range(100)])
    assert len(live(repository)) == 4 * MANY + 2
    keep_few(repository, "Ann", live(repository)[-4:])
    assert len(live(repository)) == 2


def test_a_large_share_of_what_is_added_at_once_is_merged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "ONCE", Most(10, 10_000))
    repository = made()
    fill(repository, 2 * MANY)
    repository.merges = True

    keep_few(repository, "Ann", live(repository)[-2:])
    assert len(live(repository)) == 4 * MANY - 20 + 2
    keep_few(repository, "Ann", live(repository))
    assert len(live(repository)) < 2 * MANY


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_no_fault_of_a_merge_makes_an_add_fail(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any call on after its own transaction the store does not answer any more."""
    monkeypatch.setattr(merging, "MANY", 4)
    start = made()
    there = fill(start, 3)
    contents: dict[str, bytes] = start.store.contents  # type: ignore[attr-defined] # of a store in memory
    number, is_through = 0, False
    while not is_through:
        number += 1
        slots: list[int] = []

        def plan(count: int, verb: str, key: str, slots: list[int] = slots, number: int = number) -> Fault | None:
            if slots and count >= slots[0] + number:
                return fault
            if (verb, key) == ("create", f"log/{4:016}"):
                slots.append(count)
            return None

        store = MemoryStore(dict(contents))
        faulty = FaultyStore(store, plan)
        put(Repository(faulty, client=Client(merges=True)), "9.0.0", b"the last")
        is_through = len(faulty.calls) < slots[0] + number
        assert content(store) == {**there, "9.0.0": b"the last"}
        assert problems(store) == []
    assert number > 10


@pytest.mark.parametrize("has_snapshot", [False, True])
def test_files_that_a_merge_replaced_go_after_a_while_and_what_a_collector_took_away_stays(has_snapshot: bool) -> None:
    first = made()
    there = fill(first, 6)
    merged = merge_all(first, "Ann", nothing).before
    remove(first, {ENTRY: ["1.3.0", "1.4.0", "1.5.0"]}, "Ann", "")
    swept = sweeping.sweep(first, "Ann", lambda lost: "collect", nothing)
    put(first, "2.0.0", b"more")
    if has_snapshot:
        first.log.write_snapshot()
    repository = Repository(first.store)

    collect.collect_replaced(repository, "Ann", 3600)
    assert states(repository, merged) == {DROPPED}
    collect.collect_replaced(repository, "Ann", 0)

    assert states(repository, merged) == {REAPED}
    assert not any(repository.store.size(pack_key(pack.id)) for pack in merged)
    assert swept.dropped
    assert states(repository, swept.dropped) == {DROPPED}
    assert sweeping.last_sweep(Repository(first.store)) == swept.slots[-1]
    sweeping.undo(repository, swept.slots[-1], "Ann")
    restore(repository, {ENTRY: ["1.3.0"]}, "Ann", "")
    assert content(repository.store)["1.3.0"] == there["1.3.0"]
    assert problems(repository.store) == []


def test_a_merge_by_a_clock_that_was_ahead_keeps_no_file_that_later_merges_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = made()
    fill(repository, 3)
    with monkeypatch.context() as patch:
        patch.setattr(logs, "now", lambda: "2999-01-01T00:00:00Z")
        ahead = merge_all(repository, "Ann", nothing).before
    fill(repository, 3, line=2)
    later = merge_all(repository, "Ann", nothing).before

    collect.collect_replaced(repository, "Ann", 0)

    assert (states(repository, ahead), states(repository, later)) == ({DROPPED}, {REAPED})
    assert not any(repository.store.size(pack_key(pack.id)) for pack in later)
    assert problems(repository.store) == []


def states(repository: Repository, packs: Sequence[PackEntry]) -> set[int | None]:
    return {repository.log.refresh().pack_state(pack.id) for pack in packs}


def test_who_adds_deletes_what_earlier_merges_left() -> None:
    repository = made()
    fill(repository, MANY)
    merged = merge_all(repository, "Ann", nothing).before
    fill(repository, MANY, line=2)
    repository.merges = True

    keep_few(repository, "Ann", live(repository))
    assert states(repository, merged) == {DROPPED}
    repository.merges = False
    fill(repository, MANY, line=3)
    repository.merges = True
    keep_few(repository, "Ann", live(repository), grace=0)

    assert states(repository, merged) == {REAPED}
    assert orphans(repository.store) == 0


def test_nothing_is_merged_while_too_much_waits_to_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    repository = made()
    fill(repository, MANY)
    merge_all(repository, "Ann", nothing)
    fill(repository, MANY, line=2)
    repository.merges = True

    with monkeypatch.context() as patch:
        patch.setattr(merging, "WAITING", 0)
        keep_few(repository, "Ann", live(repository))
    assert len(live(repository)) == 2 + 2 * MANY
    keep_few(repository, "Ann", live(repository))
    assert len(live(repository)) == 2
