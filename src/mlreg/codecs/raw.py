"""Bytes as they are."""

from __future__ import annotations

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError


class Raw:
    """The identity: for what does not compress."""

    number = 0
    name = "raw"

    def encode(self, plain: Buffer) -> Buffer:
        return plain

    def decode(self, stored: Buffer, plain_size: int) -> Buffer:
        if len(stored) != plain_size:
            raise IntegrityError("bad_block", f"a raw block has {len(stored)} bytes where {plain_size} are declared")
        return stored
