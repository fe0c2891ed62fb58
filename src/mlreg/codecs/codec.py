"""The promise of a codec: a reversible transform of the bytes of one block."""

from __future__ import annotations

from typing import Protocol, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


class Codec(Protocol):
    """Turns plain bytes into stored bytes and back; holds no state and may run on any thread."""

    number: int
    """What a pack calls it; 0 to 255, never reused."""
    name: str
    """What people call it; shown when a pack needs a codec that is not there."""

    def encode(self, plain: Buffer) -> Buffer:
        """Return the stored form; equal input gives equal output."""
        ...

    def decode(self, stored: Buffer, plain_size: int) -> Buffer:
        """Return exactly `plain_size` bytes.

        Needs memory in proportion to `plain_size`, whatever `stored` claims.

        Raises:
            IntegrityError: `bad_block`, `stored` is not the form of that many bytes.
        """
        ...
