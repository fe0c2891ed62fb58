"""Values of a column, counted so that the counts of several files make those of all of them.

Of up to `KEPT` different values all are kept, and then the counts are exact, of several files too. Of more, those
that are there most often are kept; how many there are is exact in one file, and of several an estimate by
HyperLogLog, wrong by about 1.6 % (one standard deviation).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 1024
LONGEST = 200
"""Characters of a value that are kept; behind those of a longer one stands what tells it from others."""
_BITS = 12
_REGISTERS = 1 << _BITS

Value = str | int | float


class Values(NamedTuple):
    """What is known of the different values of a column."""

    distinct: int
    is_exact: bool
    """Whether `distinct` is no estimate."""
    counts: tuple[tuple[Value, int], ...]
    """Those that are there most often first, and of equally many the smaller one."""
    is_whole: bool
    """Whether the counts are of all values."""
    registers: str
    """Of HyperLogLog, in hex; empty if the counts are of all values."""


NONE = Values(0, is_exact=True, counts=(), is_whole=True, registers="")


def ranked(counts: Iterable[tuple[Value, int]]) -> list[tuple[Value, int]]:
    """Return counted values in their order: the most frequent first; numbers before text."""
    return sorted(counts, key=lambda one: (-one[1], isinstance(one[0], str), one[0]))


def counted(distinct: int, most: Sequence[tuple[Value, int]], hashes: NDArray[Any] | None = None) -> Values:
    """Return what is known of values.

    Args:
        distinct: how many different ones there are.
        most: of these, `KEPT` that are there most often, or all, in their order.
        hashes: of all different values, 64 bits each; needed if `is_known` does not hold.
    """
    kept = tuple((_short(value), count) for value, count in most)
    if hashes is None:
        return Values(distinct, is_exact=True, counts=kept, is_whole=True, registers="")
    return Values(distinct, is_exact=True, counts=kept, is_whole=False, registers=_registers(hashes).tobytes().hex())


def of_texts(counts: Mapping[str, int]) -> Values:
    """Return what is known of texts that are counted."""
    most = nsmallest(KEPT, counts.items(), key=lambda one: (-one[1], one[0]))
    return counted(len(counts), most, None if is_known(len(counts), most) else text_hashes(counts))


def is_known(distinct: int, most: Sequence[tuple[Value, int]]) -> bool:
    """Tell whether the counts say all that there is to know."""
    return distinct <= KEPT and all(not isinstance(value, str) or len(value) <= LONGEST for value, _ in most)


def merged(parts: Sequence[Values]) -> Values:
    """Return what is known of the values of several files, in whatever order these are."""
    parts = [part for part in parts if part.distinct]
    if len(parts) <= 1:
        return parts[0] if parts else NONE
    total: dict[Value, int] = {}
    for part in parts:
        for value, count in part.counts:
            total[value] = total.get(value, 0) + count
    kept = ranked(total.items())
    if all(part.is_whole for part in parts) and len(kept) <= KEPT:
        return Values(len(kept), is_exact=True, counts=tuple(kept), is_whole=True, registers="")
    registers = _united([_registers_of(part) for part in parts])
    least = max(len(kept), *(part.distinct for part in parts))
    distinct = min(max(least, _estimate(registers)), sum(part.distinct for part in parts))
    return Values(
        distinct, is_exact=False, counts=tuple(kept[:KEPT]), is_whole=False, registers=registers.tobytes().hex()
    )


def _short(value: Value) -> Value:
    if not isinstance(value, str) or len(value) <= LONGEST:
        return value
    return f"{value[:LONGEST]}…{hashlib.md5(_bytes(value), usedforsecurity=False).hexdigest()[:16]}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# HyperLogLog.


def text_hashes(values: Iterable[str]) -> NDArray[Any]:
    """Return 64 bits of each text: the upper half of its MD5, as the engine has it."""
    import numpy as np

    digests = b"".join([hashlib.md5(_bytes(one), usedforsecurity=False).digest()[8:] for one in values])
    return np.frombuffer(digests, "<u8")


def number_hashes(values: NDArray[Any]) -> NDArray[Any]:
    """Return 64 bits of each number: integers and floats of one value have the same ones."""
    import numpy as np

    # SplitMix64, whose products are meant to run over.
    mixed = (values.astype(np.float64) + 0.0).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: NDArray[Any] = mixed ^ (mixed >> np.uint64(31))
    return found


def _registers(hashes: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    registers = np.zeros(_REGISTERS, np.uint8)
    rest = (hashes >> np.uint64(_BITS)) | np.uint64(1 << (64 - _BITS))
    # The place of the lowest bit that is set, from 1.
    lowest = (rest & (~rest + np.uint64(1))).astype(np.float64)
    rank = (np.log2(lowest) + 1).astype(np.uint8)
    np.maximum.at(registers, (hashes & np.uint64(_REGISTERS - 1)).astype(np.int64), rank)
    return registers


def _registers_of(part: Values) -> NDArray[Any]:
    import numpy as np

    if part.registers:
        return np.frombuffer(bytes.fromhex(part.registers), np.uint8)
    texts = [value for value, _ in part.counts if isinstance(value, str)]
    numbers = np.asarray([float(value) for value, _ in part.counts if not isinstance(value, str)])
    return _united([_registers(text_hashes(texts)), _registers(number_hashes(numbers))])


def _united(registers: Sequence[NDArray[Any]]) -> NDArray[Any]:
    import numpy as np

    found: NDArray[Any] = np.maximum.reduce(list(registers))
    return found


def _estimate(registers: NDArray[Any]) -> int:
    import numpy as np

    alpha = 0.7213 / (1 + 1.079 / _REGISTERS)
    found = alpha * _REGISTERS**2 / float(np.sum(np.exp2(-registers.astype(np.float64))))
    empty = int(np.count_nonzero(registers == 0))
    if found <= 2.5 * _REGISTERS and empty:
        found = _REGISTERS * math.log(_REGISTERS / empty)
    return round(found)
