"""Which rows two tables do not have in common, by 128 bits of each, in memory that does not grow with the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = 64
"""What is equal is in the same part; one of 10 million rows of each table is 8 MB."""
HELD = 1 << 18
"""Bytes of a part that are held in memory."""
_SIDE_BIT, _FILE_BIT = 63, 40
"""Of a place: which table, which of its files, and which line."""


class Parts:
    """Bytes in many parts, each of which can be read at once; what is much lies on the disk, and is gone at the end."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._files = [SpooledTemporaryFile(HELD) for _ in range(PARTS)]  # noqa: SIM115 - closed with the parts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files:
            file.close()

    def add(self, part: int, data: bytes) -> None:
        """Put bytes behind those of a part."""
        self._files[part].write(data)

    def each(self) -> Iterator[bytes]:
        """Yield the bytes of each part."""
        for file in self._files:
            file.seek(0)
            yield file.read()


class Left:
    """Rows of one table that have no equal in the other one, by file and line."""

    def __init__(self, places: NDArray[Any]) -> None:
        """Take places as `Digests` makes them, in order."""
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def first(self, count: int) -> list[tuple[int, int]]:
        """Return file and line of the first ones."""
        return [(place >> _FILE_BIT, place & ((1 << _FILE_BIT) - 1)) for place in self._places[:count].tolist()]

    def by_file(self) -> Iterator[tuple[int, Iterator[int]]]:
        """Yield each file with the lines in it, in ascending order."""
        import numpy as np

        files = self._places >> np.uint64(_FILE_BIT)
        starts = np.flatnonzero(np.diff(files, prepend=np.uint64((1 << 64) - 1)))
        for some in np.split(self._places, starts[1:]):
            if len(some):
                lines = some & np.uint64((1 << _FILE_BIT) - 1)
                chunks = np.array_split(lines, len(lines) // 8192 + 1)
                yield int(some[0]) >> _FILE_BIT, chain.from_iterable(chunk.tolist() for chunk in chunks)


class Digests:
    """128 bits of each row of two tables, and where it is."""

    def __init__(self, parts: Parts) -> None:
        """Keep them in parts that are empty."""
        self._parts = parts

    def add(self, side: int, file: int, lines: Sequence[int], digests: Sequence[bytes]) -> None:
        """Take rows.

        Args:
            side: 0 for the table before, 1 for the one after.
            file: its number in the table.
            lines: on which each row begins.
            digests: 16 bytes of each.
        """
        import numpy as np

        records = np.empty((len(lines), 3), np.uint64)
        records[:, :2] = np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2)
        records[:, 2] = np.asarray(lines, np.uint64) + np.uint64((side << _SIDE_BIT) + (file << _FILE_BIT))
        part = (records[:, 0] % np.uint64(PARTS)).astype(np.int64)
        ordered = records[np.argsort(part, kind="stable")]
        ends = np.cumsum(np.bincount(part, minlength=PARTS))
        for number, some in enumerate(np.split(ordered, ends[:-1])):
            self._parts.add(number, some.tobytes())

    def left(self) -> tuple[Left, Left]:
        """Return what is left of each table when every row has taken an equal one of the other with it.

        Of equal rows, the first ones go.
        """
        import numpy as np

        found = [_left_of(np.frombuffer(data, np.uint64).reshape(-1, 3)) for data in self._parts.each()]
        places = np.sort(np.concatenate(found))
        side = np.uint64(1 << _SIDE_BIT)
        cut = int(np.searchsorted(places, side))
        return Left(places[:cut]), Left(places[cut:] - side)


def _left_of(records: NDArray[Any]) -> NDArray[Any]:
    """Return the places of the rows of a part that are left."""
    import numpy as np

    # In the order of digests, and of equal ones those before, then those after, each in the order of places.
    high, low, place = records.T
    records = records[np.lexsort((place, low, high))]
    is_first = np.ones(len(records), bool)
    is_first[1:] = (records[1:, :2] != records[:-1, :2]).any(axis=1)
    group = np.cumsum(is_first) - 1
    is_after = records[:, 2] >> np.uint64(_SIDE_BIT) == 1
    after = np.bincount(group[is_after], minlength=int(is_first.sum()))
    before = np.bincount(group, minlength=len(after)) - after
    rank = np.arange(len(records)) - np.flatnonzero(is_first)[group]
    left = np.where(is_after, rank - before[group] >= before[group], rank >= after[group])
    found: NDArray[Any] = records[left, 2]
    return found
