"""Messages of protocol buffers, gone through from front to back without knowing what they mean.

Source: https://protobuf.dev/programming-guides/encoding/. Groups, which nobody writes any more, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlreg.tensors.cursor import Cursor, shown

MAX_FIELDS = 1 << 21
"""Fields that are gone through; graphs of 50,000 nodes have a third of it."""
MAX_NAME_BYTES = 1 << 12

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED32: 4, _FIXED64: 8}


class Field(NamedTuple):
    """A field of a message."""

    number: int
    value: int
    """What it says if it is a number; of a float its bits."""
    end: int
    """One past its last byte if it has a length; otherwise 0."""


class Messages:
    """Goes through a file once. Whatever breaks a rule is a ValueError that says which."""

    def __init__(self, cursor: Cursor) -> None:
        """Begin where the cursor is."""
        self.cursor = cursor
        self._left = MAX_FIELDS

    def fields(self, end: int) -> Iterator[Field]:
        """Yield the fields up to a place; one that has a length may be gone into, or is passed."""
        while self.cursor.place < end:
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"more than {MAX_FIELDS} fields")
            field = self._field(end)
            yield field
            self.cursor.place = field.end or self.cursor.place
        if self.cursor.place != end:
            raise ValueError(f"a field reaches beyond byte {end}, the end of its message")

    def _field(self, end: int) -> Field:
        key = self.varint()
        number, written = key >> 3, key & 7
        if number == 0:
            raise ValueError(f"the field before byte {self.cursor.place} has no number")
        if written == _VARINT:
            return Field(number, self.varint(), 0)
        if written == _LENGTH:
            length = self.varint()
            if self.cursor.place + length > end:
                raise ValueError(f"a field of {length} bytes reaches beyond byte {end}, the end of its message")
            return Field(number, 0, self.cursor.place + length)
        if written not in _FIXED:
            raise ValueError(f"a field is written in the unknown way {written}")
        return Field(number, self.cursor.number(_FIXED[written]), 0)

    def varint(self) -> int:
        """Return the next number, which has seven bits in a byte, the lowest first."""
        value = shift = 0
        while True:
            byte = self.cursor.number(1)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError(f"a number before byte {self.cursor.place} has more than 10 bytes")

    def text(self, field: Field) -> str:
        """Return what a field says that is a name."""
        size = field.end - self.cursor.place
        if size > MAX_NAME_BYTES:
            raise ValueError(f"a name of {size} bytes, where at most {MAX_NAME_BYTES} are allowed")
        text = self.cursor.take(size)
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"the name {shown(text)} is not UTF-8") from error
