"""Where large files are cut that have no tensors: at places that their content decides on.

What is inserted into a file or taken out of it moves the places behind it along with their bytes, so that all but
a few chunks of the next version are there already. A place is decided on by the 8 bytes before it, taken for a
little-endian number, times `FACTOR` modulo 2**64: up to the average size of a chunk the product must be at least
`RARE`, behind it at least `COMMON`; the first place will do (normalised chunking, as in FastCDC:
Xia et al., The Design of Fast Content-Defined Chunking for Data Deduplication, IEEE TPDS 2020).
Chunks have 16 to 256 KiB: measured on second versions of tables, archives and databases, four times these sizes
store up to three times as much. No reader relies on any of this: it can change without a new format.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

MIN, AVERAGE, MAX = 16 * 1024, 64 * 1024, 256 * 1024
"""Bytes of a chunk; only the last one of a file may be smaller."""
WINDOW = 8
"""Bytes that decide on a place."""
FACTOR = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: every byte of the window reaches the high bits."""
RARE, COMMON = (1 << 64) - (1 << (64 - 17)), (1 << 64) - (1 << (64 - 15))
"""Near the upper end, where the product of zeros is not."""
STEP = 16 * 1024
"""Numbers that are looked at in one go: they stay in the cache of a core."""

PACKED = (
    *(b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh", b"\x04\x22\x4d\x18", b"7z\xbc\xaf\x27\x1c"),
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"OggS", b"fLaC", b"ID3", b"\x1a\x45\xdf\xa3"),
)
"""How files begin whose every byte depends on those before: gzip, xz, zstd, bzip2, lz4, 7z; images, sound, video."""


def is_packed(head: bytes) -> bool:
    """Tell from its first bytes whether a file is packed, so that no two versions have a chunk in common."""
    return head.startswith(PACKED) or head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"AVI "))


def ends(data: bytes | bytearray | memoryview, *, is_last: bool) -> Iterator[int]:
    """Yield where chunks end, in order.

    Args:
        data: begins with a chunk.
        is_last: whether the file ends with it; otherwise what may be the beginning of a chunk is left.
    """
    rare, common = _places(data)
    start = 0
    while len(data) - start >= MAX or (is_last and start < len(data)):
        start = _end(start, len(data), rare, common)
        yield start


def _end(start: int, size: int, rare: list[int], common: list[int]) -> int:
    """Return where the chunk ends that begins at a place."""
    middle = start + AVERAGE
    at = bisect_left(rare, start + MIN)
    if at < len(rare) and rare[at] < middle:
        return rare[at]
    at = bisect_left(common, middle)
    return min(common[at] if at < len(common) else size, start + MAX, size)


def _places(data: bytes | bytearray | memoryview) -> tuple[list[int], list[int]]:
    """Return the places at which a chunk may end: those of the rare sort, and all."""
    import numpy

    common: list[int] = []
    rare: list[int] = []
    factor, rare_limit, common_limit = numpy.uint64(FACTOR), numpy.uint64(RARE), numpy.uint64(COMMON)
    product = numpy.empty(STEP, numpy.uint64)
    for offset in range(min(WINDOW, max(0, len(data) - WINDOW + 1))):
        numbers = numpy.frombuffer(data, "<u8", (len(data) - offset) // WINDOW, offset)
        for first in range(0, len(numbers), STEP):
            some = numbers[first : first + STEP]
            hashes = numpy.multiply(some, factor, out=product[: len(some)])
            if hashes.max() >= common_limit:
                found = numpy.flatnonzero(hashes >= common_limit)
                places = (found + (first + 1)) * WINDOW + offset
                common += places.tolist()
                rare += places[hashes[found] >= rare_limit].tolist()
    return sorted(rare), sorted(common)
