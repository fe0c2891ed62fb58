"""Places that content decides on: the same for the same bytes, wherever they stand and however they arrive."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.formats import chunking
from mlreg.formats.chunking import AVERAGE, COMMON, FACTOR, MAX, MIN, RARE, WINDOW, ends, is_packed

MEGABYTE = 1 << 20


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def rows(count: int, seed: int = 0) -> list[bytes]:
    values = random.Random(seed)
    return [b'{"id": %d, "score": %.6f}\n' % (row, values.random()) for row in range(count)]


def chunks(data: bytes) -> list[bytes]:
    return [data[start:end] for start, end in pairwise([0, *ends(data, is_last=True)])]


def by_definition(data: bytes) -> list[int]:
    """Return where chunks end, by the words of the module alone, one byte after the other."""
    found, start = [], 0
    for place in range(1, len(data) + 1):
        size = place - start
        product = int.from_bytes(data[max(0, place - WINDOW) : place], "little") * FACTOR % (1 << 64)
        limit = RARE if size < AVERAGE else COMMON
        if place == len(data) or size == MAX or (size >= MIN and product >= limit):
            found.append(place)
            start = place
    return found


@pytest.mark.parametrize("data", [noise(3 * MEGABYTE), b"".join(rows(60_000)), bytes(2 * MEGABYTE + 5)])
def test_chunks_end_where_the_definition_says(data: bytes) -> None:
    assert list(ends(data, is_last=True)) == by_definition(data)


@settings(max_examples=50)
@given(data=st.binary(max_size=3000), limits=st.tuples(st.integers(8, 40), st.integers(1, 60), st.integers(1, 200)))
def test_small_chunks_do_too(data: bytes, limits: tuple[int, int, int]) -> None:
    least, more, most = limits
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MIN", least), ("AVERAGE", least + more), ("MAX", least + more + most)):
            patch.setattr(chunking, name, value)
            patch.setitem(globals(), name, value)
        for name, bits in (("RARE", 6), ("COMMON", 4)):
            patch.setattr(chunking, name, (1 << 64) - (1 << (64 - bits)))
            patch.setitem(globals(), name, (1 << 64) - (1 << (64 - bits)))
        assert list(ends(data, is_last=True)) == by_definition(data)


def test_chunks_of_noise_have_sizes_within_bounds_and_near_the_average() -> None:
    sizes = [len(chunk) for chunk in chunks(noise(32 * MEGABYTE))]

    assert all(MIN <= size <= MAX for size in sizes[:-1])
    assert 0.75 * AVERAGE < sum(sizes) / len(sizes) < 1.5 * AVERAGE


def test_what_is_the_same_everywhere_is_cut_at_the_largest_size() -> None:
    assert [len(chunk) for chunk in chunks(bytes(2 * MEGABYTE + 7))] == [MAX] * 8 + [7]


@pytest.mark.parametrize("inserted", [b"x", b"one more row\n" * 50])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_what_is_inserted_changes_the_chunks_around_it(inserted: bytes, share: float) -> None:
    before = noise(16 * MEGABYTE)
    at = int(len(before) * share)
    after = before[:at] + inserted + before[at:]

    assert len(set(chunks(after)) - set(chunks(before))) <= 3


def test_rows_that_are_taken_out_change_the_chunks_around_them() -> None:
    table = rows(400_000)
    without = [row for number, row in enumerate(table) if number not in (1000, 200_000, 399_000)]

    assert len(set(chunks(b"".join(without))) - set(chunks(b"".join(table)))) <= 9


@given(cut=st.integers(MAX, 4 * MEGABYTE))
@settings(max_examples=20)
def test_the_beginning_of_a_file_is_cut_as_in_the_whole(cut: int) -> None:
    data = noise(6 * MEGABYTE, 3)
    whole, some = list(ends(data, is_last=True)), list(ends(data[:cut], is_last=False))

    assert some == whole[: len(some)]
    assert cut - ([0, *some][-1]) < MAX


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100])
def test_very_little_is_one_chunk(size: int) -> None:
    assert list(ends(bytes(size), is_last=True)) == [size] * bool(size)
    assert list(ends(bytes(size), is_last=False)) == []


def test_where_chunks_end_stays_from_release_to_release() -> None:
    """Otherwise nothing that is stored would be found again."""
    assert list(ends(noise(MEGABYTE // 2, 42), is_last=True)) == GOLDEN


GOLDEN = [74132, 108235, 162061, 184015, 247104, 272405, 342402, 368910, 445701, 505601, 524288]


@pytest.mark.parametrize(
    "head",
    [
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"\x89PNG\r\n",
        b"\xff\xd8\xff\xe0",
        b"\0\0\0\x20ftypisom",
        b"RIFF....WEBPVP8",
    ],
)
def test_what_is_packed_is_known_by_its_beginning(head: bytes) -> None:
    assert is_packed(head)


@pytest.mark.parametrize("head", [b"", b"PAR1", b"PK\3\4", b"SQLite format 3", b'{"id"', b"RIFF....WAVE"])
def test_what_may_have_chunks_in_common_is_not(head: bytes) -> None:
    assert not is_packed(head)
