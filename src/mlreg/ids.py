"""Typed ids: what names content, and never its representation.

A file's id is the plain BLAKE3-256 of its bytes, so `b3sum` prints it. Every other kind of object
hashes under a context of its own (BLAKE3 key derivation), so no bytes can pass as another kind.
The contexts are part of the format: see `docs/format/ids.md`.
"""

from __future__ import annotations

from typing import ClassVar, Self

from blake3 import blake3

from mlreg.errors import UsageError

DIGEST_SIZE = 32
"""Bytes in an id; 64 hexadecimal digits when printed."""

_HEX = frozenset("0123456789abcdef")


class ObjectId(bytes):
    """32 bytes that name an object; prints as 64 lower-case hexadecimal digits."""

    context: ClassVar[str | None] = None
    """BLAKE3 derive-key context; None means plain BLAKE3."""

    __slots__ = ()

    def __new__(cls, digest: bytes) -> Self:
        """Wrap a digest of exactly 32 bytes."""
        if len(digest) != DIGEST_SIZE:
            raise UsageError("bad_id", f"an id has {DIGEST_SIZE} bytes, not {len(digest)}", fix="give all 64 digits")
        return super().__new__(cls, digest)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Self:
        """Return the id of `data` as this kind of object."""
        if cls.context is None:
            return cls(blake3(data).digest())
        return cls(blake3(data, derive_key_context=cls.context).digest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 64 lower-case hexadecimal digits; anything else is `bad_id`."""
        if len(text) != 2 * DIGEST_SIZE or not _HEX.issuperset(text):
            raise UsageError(
                "bad_id",
                f"not an id: {text[:80]!r}",
                why="an id is 64 lower-case hexadecimal digits",
                fix="give all 64 digits",
            )
        return cls(bytes.fromhex(text))

    def __str__(self) -> str:
        """Return the 64 hexadecimal digits."""
        return self.hex()

    def __repr__(self) -> str:
        """Return the kind and the digits."""
        return f"{type(self).__name__}({self.hex()})"


class ContentId(ObjectId):
    """Names the bytes of a file, or of a piece of one; equal to what `b3sum` prints."""


class PageId(ObjectId):
    """Names one page of a long recipe."""

    context = "mlreg recipe page v1"


class TreeId(ObjectId):
    """Names a node of a tree: sorted paths and what they hold."""

    context = "mlreg tree v1"


class CommitId(ObjectId):
    """Names a commit: one version of an entry."""

    context = "mlreg commit v1"


class TransactionHash(ObjectId):
    """Hash of one whole log slot; each slot carries the one before it."""

    context = "mlreg transaction v1"


def is_lower_hex(text: str, digits: int) -> bool:
    """Tell whether `text` is exactly `digits` lower-case hexadecimal digits."""
    return len(text) == digits and _HEX.issuperset(text)
