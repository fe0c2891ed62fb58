"""What readers of tensor formats share: going through a header in small reads, and the rules of places.

Whatever breaks a rule is a ValueError that says which; a format makes its IntegrityError of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.tensors.tensor_format import Read, TensorInfo

WINDOW = 64 * 1024
"""Bytes that are read at once, unless the format knows better."""


class Cursor:
    """Goes through a file from front to back, and holds a window of it, whatever lengths the file claims."""

    def __init__(self, read: Read, place: int, end: int, window: int = WINDOW) -> None:
        """Begin at a place; nothing from `end` on is read, or passed. `window` bytes are read at once."""
        self.place = place
        self.end = end
        self._read = read
        self._size = window
        self._window = b""
        self._window_start = place

    def take(self, size: int) -> bytes:
        """Return the next bytes; they are held twice, so bound the size of what may be large before."""
        start = self.place
        self.skip(size)
        if self.place > self._window_start + len(self._window):
            self._window = self._read(start, min(max(size, self._size), self.end - start))
            self._window_start = start
        data = self._window[start - self._window_start : self.place - self._window_start]
        if len(data) < size:
            raise ValueError(f"the file ends at byte {start + len(data)}, in the middle of its header")
        return data

    def number(self, width: int) -> int:
        """Return the next number: little-endian, without a sign, of so many bytes."""
        return int.from_bytes(self.take(width), "little")

    def skip(self, size: int) -> None:
        """Pass the next bytes without reading them."""
        if size > self.end - self.place:
            raise ValueError(f"{size} bytes from byte {self.place} on reach beyond byte {self.end}, the last possible")
        self.place += size


def in_order(tensors: Iterable[TensorInfo], size: int) -> tuple[TensorInfo, ...]:
    """Return tensors of a file of that size in the order of their bytes; empty ones by name.

    Raises:
        ValueError: two overlap or have one name, or one reaches beyond the end.
    """
    ordered = sorted(tensors, key=lambda tensor: (tensor.start, tensor.end, tensor.name))
    names = set()
    reached = 0
    for tensor in ordered:
        if tensor.start < reached:
            raise ValueError(f"the tensor {shown(tensor.name)} begins within another one")
        if tensor.name in names:
            raise ValueError(f"two tensors are called {shown(tensor.name)}")
        names.add(tensor.name)
        reached = tensor.end
    if reached > size:
        raise ValueError(f"the last tensor ends at byte {reached} of a file of {size} bytes")
    return tuple(ordered)


def shown(text: str | bytes) -> str:
    """Return a name of a file as a message may quote it: short, and in ASCII."""
    quoted = ascii(text[:80])
    return quoted if len(quoted) <= 82 else f"{quoted[:80]}..."
