"""New packs: what was added is in them, small things share blocks, and nothing unwanted stays behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.codecs import codec_of
from mlreg.codecs.planes import Shape
from mlreg.errors import NoSpaceError, UnavailableError
from mlreg.formats.pack import PackIndex, PackKind, Sort, decode_trailer
from mlreg.formats.transaction import PackEntry
from mlreg.ids import ObjectId
from mlreg.repository import packing
from mlreg.repository.objects import pack_key
from mlreg.repository.packing import IN_FLIGHT, SHARED_BLOCK, SMALL, PackWriter
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import Fault, FaultyStore, fail_at
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store
from tests.unit.repository.samples import object_id, pack_id

objects = st.lists(st.tuples(st.sampled_from(Sort), st.binary(max_size=300)), max_size=30)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def add_all(writer: PackWriter, objects: list[tuple[Sort, bytes]]) -> None:
    for sort, data in objects:
        writer.add(sort, object_id(sort, data), data)


def index_of(store: Store, pack: PackEntry) -> PackIndex:
    """Open a pack's index by what the log would know of the pack."""
    data = store.read(pack_key(pack.id))
    assert len(data) == pack.size
    size, digest = decode_trailer(data[-40:])
    assert (size, digest) == (pack.index_size, pack.sum)
    index = PackIndex(data[-40 - size : -40], digest)
    index.check()
    assert len(index) == pack.objects
    assert index.kind is pack.kind
    return index


def contents(store: Store, packs: tuple[PackEntry, ...]) -> dict[tuple[Sort, ObjectId], bytes]:
    """Return every object of some packs, decoded."""
    found: dict[tuple[Sort, ObjectId], bytes] = {}
    for pack in packs:
        index = index_of(store, pack)
        for item in index.items():
            block = index.block(item.block)
            stored = store.read(pack_key(pack.id), block.offset, block.stored_size)
            plain = bytes(codec_of(block.codec).decode(stored, block.plain_size))
            assert (item.sort, item.id) not in found
            found[item.sort, item.id] = plain[item.start : item.start + item.size]
    return found


@given(objects=objects, pack_size=st.sampled_from([1, 200, 1 << 20]))
def test_what_was_added_is_in_the_packs_once(objects: list[tuple[Sort, bytes]], pack_size: int) -> None:
    store = MemoryStore()
    with PackWriter(store, pack_size=pack_size) as writer:
        add_all(writer, objects)
        packs = writer.finish()

    assert contents(store, packs) == {(sort, object_id(sort, data)): data for sort, data in objects}
    assert sorted(store.contents) == sorted(pack_key(pack.id) for pack in packs)


def test_data_and_metadata_never_share_a_pack() -> None:
    store = MemoryStore()
    with PackWriter(store) as writer:
        add_all(writer, [(sort, b"the same bytes") for sort in Sort])
        packs = writer.finish()

    assert [pack.kind for pack in packs] == [PackKind.DATA, PackKind.META]
    assert [pack.objects for pack in packs] == [1, 4]


def test_nothing_is_written_where_nothing_was_added() -> None:
    store = FaultyStore(MemoryStore())
    with PackWriter(store) as writer:
        assert writer.finish() == ()

    assert store.calls == []


def test_an_object_is_written_once_however_often_it_is_added() -> None:
    store = MemoryStore()
    with PackWriter(store) as writer:
        add_all(writer, [(Sort.PIECE, b"twice")])
        first = writer.finish()
        add_all(writer, [(Sort.PIECE, b"twice")])
        assert writer.has(Sort.PIECE, object_id(Sort.PIECE, b"twice"))
        assert not writer.has(Sort.TREE, object_id(Sort.PIECE, b"twice"))
        assert writer.finish() == ()

    assert [pack.objects for pack in first] == [1]


def test_small_objects_share_blocks_and_compress_together() -> None:
    store = MemoryStore()
    files = [(Sort.PIECE, noise(4000) + number.to_bytes(4)) for number in range(200)]
    with PackWriter(store) as writer:
        add_all(writer, files)
        (pack,) = writer.finish()

    assert index_of(store, pack).block_count() == -(-200 * 4004 // SHARED_BLOCK)
    assert pack.size < 200 * 4004 // 20


def test_a_large_object_has_a_block_of_its_own() -> None:
    store = MemoryStore()
    sizes = [SMALL, SMALL + 1, 10, 3 * SMALL, SMALL]
    with PackWriter(store) as writer:
        add_all(writer, [(Sort.PIECE, noise(size, seed)) for seed, size in enumerate(sizes)])
        (pack,) = writer.finish()

    index = index_of(store, pack)
    assert sorted(block.plain_size for block in index.blocks()) == sorted([SMALL, SMALL + 1, 3 * SMALL, SMALL + 10])


def test_a_pack_is_closed_when_it_is_full() -> None:
    store = MemoryStore()
    with PackWriter(store, pack_size=3 * SMALL) as writer:
        add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed)) for seed in range(10)])
        packs = writer.finish()

    assert [pack.objects for pack in packs] == [3, 3, 3, 1]
    assert len({pack.id for pack in packs}) == 4


def test_a_pack_is_closed_when_it_holds_many_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PACK_OBJECTS", 4)
    store = MemoryStore()
    with PackWriter(store) as writer:
        add_all(writer, [(Sort.PIECE, noise(SMALL, seed)) for seed in range(10)])
        packs = writer.finish()

    assert [pack.objects for pack in packs] == [4, 4, 2]


def test_packs_take_the_names_they_are_given() -> None:
    store = MemoryStore()
    with PackWriter(store, pack_ids=iter(map(pack_id, (7, 8)))) as writer:
        add_all(writer, [(Sort.PIECE, b"data"), (Sort.TREE, b"meta")])
        packs = writer.finish()

    assert sorted(pack.id for pack in packs) == [pack_id(7), pack_id(8)]


def test_a_block_of_another_pack_is_taken_as_it_is() -> None:
    source, target = MemoryStore(), MemoryStore()
    packs: list[PackEntry] = []
    for text in (b"one", b"two", b"three"):
        with PackWriter(source) as writer:
            add_all(writer, [(Sort.PIECE, text * 100), (Sort.PIECE, text * 101)])
            packs.extend(writer.finish())
    with PackWriter(target) as writer:
        add_all(writer, [(Sort.PIECE, noise(SMALL + 1))])
        for pack in packs:
            index = index_of(source, pack)
            block = index.block(0)
            stored = source.read(pack_key(pack.id), block.offset, block.stored_size)
            writer.add_block(PackKind.DATA, stored, block, list(index.items()))
        copied = writer.finish()

    assert contents(source, tuple(packs)).items() <= contents(target, copied).items()
    assert len(copied) == 1


def test_of_a_block_of_another_pack_only_what_is_new_is_listed() -> None:
    source, target = MemoryStore(), MemoryStore()
    with PackWriter(source) as writer:
        add_all(writer, [(Sort.PIECE, b"one" * 100), (Sort.PIECE, b"two" * 100)])
        (pack,) = writer.finish()
    index = index_of(source, pack)
    block = index.block(0)
    stored = source.read(pack_key(pack.id), block.offset, block.stored_size)
    with PackWriter(target) as writer:
        add_all(writer, [(Sort.PIECE, b"one" * 100)])
        for _ in range(2):
            writer.add_block(PackKind.DATA, stored, block, list(index.items()))
        (copied,) = writer.finish()

    assert contents(target, (copied,)) == contents(source, (pack,))
    assert index_of(target, copied).block_count() == 2


# What stays behind.


class Stopped(BaseException):
    """What no `except Exception` catches."""


def leave(store: Store, error: type[BaseException], *, pack_size: int, finish: bool) -> tuple[PackEntry, ...]:
    """Fill a writer and leave it with an error; return what it handed over before."""
    handed: tuple[PackEntry, ...] = ()
    try:
        with PackWriter(store, pack_size=pack_size) as writer:
            add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed)) for seed in range(2 * IN_FLIGHT)])
            add_all(writer, [(Sort.TREE, b"a tree")])
            if finish:
                handed = writer.finish()
            add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed)) for seed in range(100, 100 + 2 * IN_FLIGHT)])
            raise error
    except error:
        return handed


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stopped])
@pytest.mark.parametrize("pack_size", [1, 3 * SMALL, 1 << 30])
def test_a_writer_that_is_left_with_an_error_takes_its_packs_back(
    error: type[BaseException], pack_size: int, tmp_path: Path
) -> None:
    leave(DirectoryStore(tmp_path), error, pack_size=pack_size, finish=False)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("pack_size", [1, 3 * SMALL, 1 << 30])
def test_packs_that_were_handed_over_stay_whatever_happens_afterwards(pack_size: int, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    handed = leave(store, ValueError, pack_size=pack_size, finish=True)

    assert sorted(store.list("packs/")) == sorted(pack_key(pack.id) for pack in handed)
    assert handed


def test_a_writer_that_ends_without_finishing_leaves_nothing() -> None:
    store = MemoryStore()
    with PackWriter(store, pack_size=1) as writer:
        add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed)) for seed in range(2 * IN_FLIGHT)])

    assert store.contents == {}


def test_packs_are_taken_back_when_asked() -> None:
    store = MemoryStore({"packs/00/other.pack": b""})
    with PackWriter(store) as writer:
        add_all(writer, [(Sort.PIECE, b"data"), (Sort.TREE, b"meta")])
        writer.take_back(writer.finish())

    assert list(store.contents) == ["packs/00/other.pack"]


def test_a_name_that_is_not_random_is_never_deleted_for_someone_else_may_use_it() -> None:
    store = MemoryStore()
    with PackWriter(store, pack_ids=iter(map(pack_id, range(99))), pack_size=1) as writer:
        add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed)) for seed in range(4 * IN_FLIGHT)])
        writer.finish()
        add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed)) for seed in range(1000, 1000 + 4 * IN_FLIGHT)])

    assert len(store.contents) > 4 * IN_FLIGHT


# A store that fails.


FAULTS: dict[str, Callable[[int, str, str], Fault | None]] = {
    "every pack": lambda count, verb, key: Fault.BEFORE,
    "the third pack": lambda count, verb, key: Fault.BEFORE if count == 3 else None,
    "the metadata, when the data is complete": lambda count, verb, key: Fault.BEFORE if count == 6 else None,
}


def try_to_write(store: Store) -> None:
    with PackWriter(store, pack_size=1) as writer:
        add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed)) for seed in range(5)])
        add_all(writer, [(Sort.TREE, b"a tree")])
        writer.finish()


@pytest.mark.parametrize("name", FAULTS)
def test_a_store_that_fails_is_an_error_and_no_pack_stays(name: str) -> None:
    inner = MemoryStore()
    with pytest.raises(UnavailableError) as caught:
        try_to_write(FaultyStore(inner, FAULTS[name]))

    assert caught.value.code == "store_unavailable"
    assert inner.contents == {}


def test_a_lost_reply_is_an_error_and_leaves_at_most_the_pack_it_was_about() -> None:
    inner = MemoryStore()
    with pytest.raises(UnavailableError):
        try_to_write(FaultyStore(inner, fail_at(3, Fault.AFTER)))

    assert len(inner.contents) <= 1


def test_a_full_disk_is_said_to_be_full_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlreg.stores.directory._write_all", full)
    with pytest.raises(NoSpaceError) as caught:
        try_to_write(DirectoryStore(tmp_path))

    assert caught.value.code == "no_space"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# Bounds.


def test_no_more_blocks_are_held_than_may_be_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder stands still, so that every block that is taken waits."""
    gate, taken = threading.Event(), threading.Event()
    encode = packing._encode

    def waiting(plain: bytes, shape: Shape | None) -> packing._Encoded:
        gate.wait()
        return encode(plain, shape)

    monkeypatch.setattr(packing, "_encode", waiting)
    added = 0

    def fill(writer: PackWriter) -> Iterator[None]:
        nonlocal added
        for seed in range(3 * IN_FLIGHT):
            add_all(writer, [(Sort.PIECE, noise(SMALL + 1, seed))])
            added += 1
            if added == IN_FLIGHT:
                taken.set()
            yield

    with PackWriter(MemoryStore()) as writer:
        filling = threading.Thread(target=lambda: list(fill(writer)))
        filling.start()
        assert taken.wait(10)
        # It has put in all that fit; the next one waits for an encoder.
        filling.join(0.2)
        held = added
        gate.set()
        filling.join(10)
        writer.finish()

    assert held == IN_FLIGHT
    assert added == 3 * IN_FLIGHT


def test_text_and_what_is_none_share_no_block() -> None:
    """Noise between them would spoil what a compressor learns of the words."""
    store = MemoryStore()
    words = [(Sort.PIECE, (b"word %d " % number) * 200) for number in range(50)]
    images = [(Sort.PIECE, noise(1000, number)) for number in range(50)]
    with PackWriter(store) as writer:
        add_all(writer, [one for pair in zip(words, images, strict=True) for one in pair])
        (pack,) = writer.finish()

    index = index_of(store, pack)
    kinds = [{item.size for item in index.items() if item.block == number} for number in range(index.block_count())]
    assert {1000} in kinds
    assert all(1000 not in sizes or sizes == {1000} for sizes in kinds)
    assert contents(store, (pack,)).keys() == {(sort, object_id(sort, data)) for sort, data in [*words, *images]}
