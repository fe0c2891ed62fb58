"""Every small damage to a few stored bytes, and the law that a format keeps under all of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from mlreg.errors import MlregError

_Value = TypeVar("_Value")

MEGABYTE = 1 << 20


def cuts(data: bytes) -> Iterator[bytes]:
    """Yield what is left of the bytes when the end is lost, for every length."""
    return (data[:size] for size in range(len(data)))


def flips(data: bytes) -> Iterator[bytes]:
    """Yield the bytes with one of them changed: its lowest or highest bit, or to zero, 255, a digit, a quote."""
    for at, byte in enumerate(data):
        for other in {byte ^ 1, byte ^ 0x80, 0x00, 0xFF, ord("7"), ord('"')} - {byte}:
            yield b"".join((data[:at], bytes([other]), data[at + 1 :]))


def damaged(data: bytes) -> Iterator[bytes]:
    """Yield the bytes flipped, cut, and with something behind them."""
    yield from flips(data)
    yield from cuts(data)
    yield from (data + extra for extra in (b"\0", b"\n", b" ", data))


def check_refused_or_exact(decode: Callable[[bytes], _Value], encode: Callable[[_Value], bytes], whole: bytes) -> None:
    """Check that damaged bytes are refused in words of mlreg, or are exactly what their value is written as.

    So no two byte strings are one value, and nothing else than a MlregError is ever raised.
    """
    assert encode(decode(whole)) == whole
    accepted = 0
    for data in damaged(whole):
        try:
            value = decode(data)
        except MlregError:
            continue
        accepted += 1
        assert encode(value) == data
    assert accepted < len(whole) * 6


def check_small_refusal(call: Callable[[], object], code: str) -> None:
    """Check that a call is refused with a code, and that it never held a megabyte."""
    tracemalloc.start()
    try:
        with pytest.raises(MlregError) as caught:
            call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == code
    assert peak < MEGABYTE
