"""The index of a pack: what was put in is found, and an index that lies is refused, even with the right hash."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import accumulate

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, MlregError, UnsupportedError
from mlreg.formats.pack import (
    ID_OF,
    MAGIC,
    MAX_BLOCK,
    TRAILER_SIZE,
    Block,
    Item,
    PackIndex,
    PackKind,
    Sort,
    block_sum,
    decode_trailer,
    encode_index,
)
from mlreg.ids import CommitId, ContentId, ObjectId, PageId, TreeId
from tests.unit.formats.damage import check_refused_or_exact, check_small_refusal, cuts

HEADER = struct.Struct("<4sBBHIIQ")
META_SORTS = [Sort.RECIPE, Sort.PAGE, Sort.TREE, Sort.COMMIT]


def block(offset: int, stored: int, plain: int = 100) -> Block:
    return Block(offset, stored, plain, 1, block_sum(b"stored"))


def item(sort: Sort, text: bytes, number: int, start: int, size: int) -> Item:
    return Item(sort, ID_OF.get(sort, ContentId).of(text), number, start, size)


BLOCKS = [block(0, 70), block(70, 30), block(100, 5)]
ITEMS = sorted(
    [
        item(Sort.TREE, b"tree", 0, 0, 40),
        item(Sort.COMMIT, b"commit", 0, 40, 60),
        item(Sort.RECIPE, b"recipe", 1, 0, 100),
        item(Sort.PAGE, b"page", 2, 10, 20),
    ],
    key=lambda item: (item.sort, item.id),
)


def index_of(data: bytes) -> bytes:
    """Return the index without its trailer."""
    return data[:-TRAILER_SIZE]


WHOLE = index_of(encode_index(PackKind.META, BLOCKS, ITEMS))


def opened(index: bytes) -> PackIndex:
    """Open an index under the hash it really has: that of an attacker, or of a writer with a fault."""
    found = PackIndex(index, blake3(index).digest())
    found.check()
    return found


def written(index: PackIndex) -> bytes:
    return index_of(encode_index(index.kind, list(index.blocks()), list(index.items())))


@st.composite
def packs(draw: st.DrawFn) -> tuple[PackKind, list[Block], list[Item]]:
    kind = draw(st.sampled_from(PackKind))
    sizes = draw(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, MAX_BLOCK)), max_size=5))
    offsets = accumulate((stored for stored, _ in sizes), initial=0)
    sums = st.binary(min_size=16, max_size=16)
    blocks = [
        Block(offset, stored, plain, draw(st.integers(0, 255)), draw(sums))
        for offset, (stored, plain) in zip(offsets, sizes, strict=False)
    ]
    sorts = META_SORTS if kind is PackKind.META else [Sort.PIECE]
    items: dict[tuple[Sort, ObjectId], Item] = {}
    for text in draw(st.lists(st.binary(max_size=3), max_size=5)) if blocks else ():
        number = draw(st.integers(0, len(blocks) - 1))
        start = draw(st.integers(0, blocks[number].plain_size))
        size = draw(st.integers(0, blocks[number].plain_size - start))
        found = item(draw(st.sampled_from(sorts)), text, number, start, size)
        items[found.sort, found.id] = found
    return kind, blocks, list(items.values())


@given(pack=packs())
def test_what_was_put_into_an_index_is_found_in_it(pack: tuple[PackKind, list[Block], list[Item]]) -> None:
    kind, blocks, items = pack
    data = encode_index(kind, blocks, items)
    size, digest = decode_trailer(data[-TRAILER_SIZE:])
    index = PackIndex(index_of(data), digest)
    index.check()

    assert size == len(data) - TRAILER_SIZE
    assert index.kind is kind
    assert list(index.blocks()) == blocks
    assert list(index.items()) == sorted(items, key=lambda item: (item.sort, item.id))
    assert (len(index), index.block_count()) == (len(items), len(blocks))
    assert index.data_size == sum(block.stored_size for block in blocks)
    assert index.with_trailer() == data


def test_the_order_in_which_objects_were_added_does_not_matter() -> None:
    assert index_of(encode_index(PackKind.META, BLOCKS, ITEMS[::-1])) == WHOLE


def test_an_object_has_the_type_of_id_of_its_sort() -> None:
    found = {item.sort: type(item.id) for item in opened(WHOLE).items()}

    assert found == {Sort.RECIPE: ContentId, Sort.PAGE: PageId, Sort.TREE: TreeId, Sort.COMMIT: CommitId}


def test_an_index_under_another_hash_is_refused() -> None:
    digest = blake3(WHOLE).digest()

    for other in (bytes([digest[0] ^ 1]) + digest[1:], bytes(32), b""):
        with pytest.raises(IntegrityError) as caught:
            PackIndex(WHOLE, other)
        assert caught.value.code == "bad_pack"


def test_no_damage_gives_a_second_form_of_an_index_even_under_its_own_hash() -> None:
    check_refused_or_exact(opened, written, WHOLE)


def test_an_index_that_is_cut_is_refused_even_under_its_own_hash() -> None:
    for data in cuts(WHOLE):
        with pytest.raises(IntegrityError) as caught:
            opened(data)
        assert caught.value.code == "bad_pack"


@given(noise=st.binary(max_size=300))
def test_noise_behind_a_header_is_refused_or_is_an_index(noise: bytes) -> None:
    data = HEADER.pack(MAGIC, 1, 2, 0, noise[0] % 4 if noise else 0, noise[-1] % 4 if noise else 0, 0) + noise
    try:
        index = opened(data)
    except MlregError:
        return
    assert data.startswith(written(index))


# Columns that lie, each under the right hash.


def with_block(number: int, **changes: int) -> bytes:
    blocks = [found._replace(**changes) if at == number else found for at, found in enumerate(BLOCKS)]  # type: ignore[arg-type] # numbers only
    return index_of(encode_index(PackKind.META, blocks, ITEMS))


def with_item(number: int, **changes: int) -> bytes:
    # Sorting would undo a wrong order, but not a wrong place.
    items = [found._replace(**changes) if at == number else found for at, found in enumerate(ITEMS)]  # type: ignore[arg-type] # numbers only
    return index_of(encode_index(PackKind.META, BLOCKS, items))


def with_header(**changes: int) -> bytes:
    names = ("magic", "version", "kind", "flags", "blocks", "objects", "data_size")
    fields = dict(zip(names, HEADER.unpack_from(WHOLE), strict=True))
    return HEADER.pack(*(fields | changes).values()) + WHOLE[HEADER.size :]


def swapped_ids() -> bytes:
    """Return the index with its first two ids exchanged, of objects of one sort."""
    items = sorted((item(Sort.TREE, text, 0, 0, 1) for text in (b"a", b"b")), key=lambda item: item.id)
    data = index_of(encode_index(PackKind.META, BLOCKS, items))
    first, second = (bytes(item.id) for item in items)
    return data.replace(first + second, second + first)


LIES: dict[str, Callable[[], bytes]] = {
    "blocks that overlap": lambda: with_block(1, offset=69),
    "blocks with a gap": lambda: with_block(1, offset=71),
    "a first block that does not begin the pack": lambda: with_block(0, offset=1),
    "a block far behind the end": lambda: with_block(2, offset=2**64 - 10),
    "a block that is longer than the pack": lambda: with_block(1, stored_size=2**32 - 1),
    "a block that asks for too much memory": lambda: with_block(0, plain_size=MAX_BLOCK + 1),
    "a block that asks for 4 GiB": lambda: with_block(0, plain_size=2**32 - 1),
    "another size of all blocks": lambda: with_header(data_size=106),
    "an object in a block that is not there": lambda: with_item(1, block=3),
    "an object in block 2**32 - 1": lambda: with_item(1, block=2**32 - 1),
    "an object that begins behind its block": lambda: with_item(1, start=101, size=0),
    "an object that ends behind its block": lambda: with_item(1, start=99, size=2),
    "an object that wraps around": lambda: with_item(1, start=2**32 - 1, size=2**32 - 1),
    "an object twice": lambda: index_of(encode_index(PackKind.META, BLOCKS, [*ITEMS, ITEMS[0]])),
    "objects out of order": swapped_ids,
    "a kind that does not exist": lambda: with_header(kind=3),
    "metadata in a pack of data": lambda: index_of(encode_index(PackKind.DATA, BLOCKS, ITEMS)),
    "data in a pack of metadata": lambda: index_of(
        encode_index(PackKind.META, BLOCKS, [item(Sort.PIECE, b"piece", 0, 0, 1)])
    ),
    "2**32 - 1 blocks": lambda: with_header(blocks=2**32 - 1),
    "2**32 - 1 objects": lambda: with_header(objects=2**32 - 1),
    "one object less": lambda: with_header(objects=3),
    "another signature": lambda: b"MLRT" + WHOLE[4:],
    "a section that ends behind the index": lambda: WHOLE + struct.pack("<4sI", b"LATE", 5) + b"1234",
    "a section of 4 GiB": lambda: WHOLE + struct.pack("<4sI", b"LATE", 2**32 - 1),
    "half of a section's header": lambda: WHOLE + b"LATE",
}


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_lies_is_refused_before_anything_large_is_held(lie: str) -> None:
    data = LIES[lie]()

    check_small_refusal(lambda: opened(data), "bad_pack")


LATER: dict[str, tuple[Callable[[], bytes], str]] = {
    "a version": (lambda: with_header(version=2), "unknown_pack_version"),
    "a flag": (lambda: with_header(flags=1), "unknown_pack_version"),
    "a sort of object": (lambda: WHOLE.replace(bytes([2, 3, 4, 5]), bytes([2, 3, 4, 6])), "unknown_object_sort"),
}


@pytest.mark.parametrize("what", LATER)
def test_what_a_later_release_writes_is_refused_by_name(what: str) -> None:
    make, code = LATER[what]

    with pytest.raises(UnsupportedError) as caught:
        opened(make())
    assert caught.value.code == code


def test_sections_of_later_releases_are_stepped_over_and_kept() -> None:
    sections = struct.pack("<4sI", b"LATE", 3) + b"abc" + struct.pack("<4sI", b"MORE", 0)
    index = opened(WHOLE + sections)

    assert list(index.items()) == ITEMS
    assert index.with_trailer().startswith(WHOLE + sections)


# The trailer.


@pytest.mark.parametrize("size", [0, 1, TRAILER_SIZE - 1, TRAILER_SIZE + 1])
def test_a_trailer_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(IntegrityError) as caught:
        decode_trailer(encode_index(PackKind.META, BLOCKS, ITEMS)[-size:] if size else b"")
    assert caught.value.code == "bad_pack"


def test_a_pack_that_does_not_end_with_the_signature_is_refused() -> None:
    trailer = encode_index(PackKind.META, BLOCKS, ITEMS)[-TRAILER_SIZE:]

    for other in (trailer[:-1] + b"S", bytes(TRAILER_SIZE)):
        with pytest.raises(IntegrityError) as caught:
            decode_trailer(other)
        assert caught.value.code == "bad_pack"
