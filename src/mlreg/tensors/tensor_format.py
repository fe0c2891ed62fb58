"""The promise of a tensor format: where the tensors of a file lie, found without reading them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

Read: TypeAlias = Callable[[int, int], bytes]
"""Return `size` bytes from `start` on, both arguments; fewer where the file ends."""

UNKNOWN_SIZE = 1 << 63
"""The size of a file whose end has not been seen yet: larger than any file."""
MAX_TENSORS = 1 << 18
"""More than the largest mixtures of experts have; bounds the memory that a file's list of tensors takes."""


class TensorInfo(NamedTuple):
    """One tensor of a file."""

    name: str
    dtype: str
    """The format's word for it: `F32`, `Q4_K`, `<f4`."""
    shape: tuple[int, ...]
    start: int
    """Its first byte, counted from the start of the file."""
    end: int
    """One past its last byte, counted from the start of the file."""
    first_is_fastest: bool = False
    """Whether neighbours in the file differ in the first of several dimensions; otherwise they do in the last one."""


class Element(NamedTuple):
    """What a stretch of bytes is made of."""

    width: int
    """Bytes of one number: 1, 2, 4 or 8."""
    is_float: bool
    """Whether its highest bit is a sign, with an exponent below."""


class TensorFormat(Protocol):
    """Reads the structure of one format; nothing is ever executed or unpickled."""

    name: str
    """What people call it: `safetensors`."""

    def recognises(self, head: bytes) -> bool:
        """Tell from the first 64 bytes of a file, or all of a shorter one, whether it may be of this format."""
        ...

    def tensors(self, read: Read, size: int) -> tuple[TensorInfo, ...]:
        """Return the tensors of a file, in the order of their bytes; they do not overlap.

        Args:
            read: reads the file.
            size: bytes of the file, or `UNKNOWN_SIZE`: then nothing is read near the end, and a format that
                needs to is refused.

        What lies in none of them is the format's own: headers, names, padding.

        Raises:
            IntegrityError: `bad_` and the name of the format, with the rule that is broken. No other error, whatever
                the bytes.
        """
        ...

    def element(self, dtype: str) -> Element | None:
        """Return what a tensor of that type is made of; None for quantized blocks, packed bits, text."""
        ...

    def numbers(self, dtype: str) -> str:
        """Return what numpy, or else ml_dtypes, calls the integers or floats that a tensor of that type is made of.

        With the order of their bytes, which is little-endian where none is said: `<f4`, `>i8`, `bfloat16`. Empty for
        whatever else there is, also for truth values and complex numbers.
        """
        ...
