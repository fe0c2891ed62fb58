"""Messages of protocol buffers as values: for messages that are small and of which few fields matter."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mlreg.tensors.cursor import Cursor
from mlreg.tensors.protobuf import Messages


class Message:
    """The fields of a message by their numbers, in the order in which they come. Nothing is known of their types."""

    def __init__(self, data: bytes) -> None:
        """Read a message.

        Raises:
            ValueError: it breaks a rule of the format.
        """
        self._data = data
        cursor = Cursor(lambda start, size: data[start : start + size], 0, len(data), len(data))
        self._fields: dict[int, list[tuple[int, int, int]]] = {}
        for field in Messages(cursor).fields(len(data)):
            place = (field.value, cursor.place, field.end)
            self._fields.setdefault(field.number, []).append(place)

    def __contains__(self, number: int) -> bool:
        """Tell whether there is such a field."""
        return number in self._fields

    def all_bytes(self, number: int) -> Iterator[bytes]:
        """Yield what each field of a number holds."""
        for _, start, end in self._fields.get(number, ()):
            yield self._data[start:end] if end else b""

    def bytes_of(self, number: int) -> bytes:
        """Return what the last field of a number holds; empty if there is none."""
        return next(reversed(list(self.all_bytes(number))), b"")

    def message(self, number: int) -> Message:
        """Return the message in a field."""
        return Message(self.bytes_of(number))

    def text(self, number: int) -> str:
        """Return the text in a field."""
        return self.bytes_of(number).decode("utf-8", "replace")

    def integer(self, number: int) -> int:
        """Return an integer with a sign, of 64 bits; 0 if there is none."""
        value = self._number(number)
        return value - (1 << 64) if value >> 63 else value

    def double(self, number: int) -> float:
        """Return a number of 64 bits; 0 if there is none."""
        value: float = struct.unpack("<d", struct.pack("<Q", self._number(number)))[0]
        return value

    def single(self, number: int) -> float:
        """Return a number of 32 bits; 0 if there is none."""
        value: float = struct.unpack("<f", struct.pack("<I", self._number(number) & 0xFFFFFFFF))[0]
        return value

    def _number(self, number: int) -> int:
        found = self._fields.get(number)
        return found[-1][0] if found else 0
