"""A few pieces are found in an index as they are in the whole of it, and what is no index is refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError
from mlreg.formats.pack import TRAILER_SIZE, Block, Item, PackIndex, PackKind, Sort, encode_index
from mlreg.formats.pack_lookup import PackLookup
from mlreg.ids import ContentId

even = st.integers(0, 2**32).map(lambda number: ContentId.of(number.to_bytes(8)))
crowded = st.integers(0, 300).map(lambda number: ContentId(bytes(30) + number.to_bytes(2)))


def index_of(ids: Sequence[ContentId], kind: PackKind = PackKind.DATA) -> PackIndex:
    size = len(ids) // 3 + 1
    blocks = [Block(7 * number, 7, 100, number % 5, bytes([number % 256]) * 16) for number in range(size)]
    items = [Item(Sort.PIECE, one, number % size, number % 50, 3) for number, one in enumerate(ids)]
    data = encode_index(kind, blocks, items)
    return PackIndex(data[:-TRAILER_SIZE], data[-TRAILER_SIZE + 4 : -4])


def lookup_in(data: bytes) -> PackLookup:
    return PackLookup(lambda start, size: data[start : start + size], len(data))


@given(st.lists(even | crowded, max_size=400, unique=True), st.lists(even | crowded, max_size=20))
def test_it_finds_what_the_whole_index_has_and_nothing_else(ids: list[ContentId], others: list[ContentId]) -> None:
    index = index_of(ids)
    lookup = lookup_in(index.data)
    numbers = {item.id: number for number, item in enumerate(index.items())}

    for one in (*ids, *others):
        assert lookup.find(one) == numbers.get(one)
    for number in range(len(index)):
        assert lookup.item(number) == index.item(number)
    for number in range(index.block_count()):
        assert lookup.block(number) == index.block(number)


def test_of_a_long_index_little_is_read() -> None:
    index = index_of([ContentId.of(number.to_bytes(8)) for number in range(60_000)])
    read = []

    def count(start: int, size: int) -> bytes:
        read.append(size)
        return index.data[start : start + size]

    lookup = PackLookup(count, len(index.data))
    for number in range(20):
        assert lookup.find(ContentId.of(number.to_bytes(8))) is not None
    assert sum(read) / 20 < len(index.data) / 50


@given(st.binary(max_size=200) | st.integers(0, 400).map(lambda cut: index_of([ContentId(bytes(32))]).data[:cut]))
def test_what_is_no_index_is_refused(data: bytes) -> None:
    whole = index_of([ContentId(bytes(32))]).data
    if data == whole:
        return
    with pytest.raises(IntegrityError) as caught:
        lookup_in(data).block(lookup_in(data).item(lookup_in(data).find(ContentId(bytes(32))) or 0).block)
    assert caught.value.code == "bad_pack"


def test_counts_that_lie_are_refused() -> None:
    data = bytearray(index_of([ContentId(bytes(32))]).data)
    data[8:16] = b"\xff" * 8
    with pytest.raises(IntegrityError):
        lookup_in(bytes(data))
