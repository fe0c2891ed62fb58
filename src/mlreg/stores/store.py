"""The promise of a store: a flat map from key to bytes, somewhere.

A local repository and every remote are stores. Keys are relative ASCII paths such as
`packs/3f/3fa9…`. A key, once there, never changes its bytes; only `delete` takes it away. There is
no lock and no rename: what must happen once is a key that two writers try to create.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol


class Leftover(NamedTuple):
    """What a write that was cut has left: never under a key, and of no use."""

    name: str
    """Not a key."""
    size: int
    modified: float
    """Seconds since 1970, by the clock of the store."""


class Upload(Protocol):
    """Takes the bytes of one new key, in order."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`; the caller may reuse the buffer afterwards."""
        ...


class Store(Protocol):
    """A place for bytes under keys.

    Every method may raise AccessError (`access_denied`), NoSpaceError (`no_space`) or
    UnavailableError (`store_unavailable`). After UnavailableError from a method that writes, the
    effect is unknown, and the same call may be made again; after `not_durable` it happened, and may
    be gone after a power cut.
    """

    url: str
    """Where it is, in the form a user types."""

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """Return the bytes of a key, or `size` of them from `start`; fewer where the key ends.

        Raises:
            NotFoundError: `key_missing`.
        """
        ...

    def size(self, key: str) -> int | None:
        """Return the bytes a key has, or None if it is absent."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Write a new key, whole and durable, or not at all.

        Of several callers with different bytes exactly one succeeds. Creating a key that holds the
        same bytes succeeds, so that a retry after a lost reply is safe.

        Raises:
            ConflictError: `key_exists`, the key holds other bytes.
        """
        ...

    def upload(self, key: str) -> AbstractContextManager[Upload]:
        """Write a new key of any size, piece by piece; durable and visible when the block is left.

        Leaving the block with an exception leaves nothing behind.

        Raises:
            ConflictError: `key_exists`, on leaving: the key is there already, and stays as it is.
        """
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with `prefix`, a whole path component such as `packs/`, in order."""
        ...

    def delete(self, key: str) -> None:
        """Take a key away; an absent one is no error."""
        ...

    def modified(self, key: str) -> float | None:
        """Return when a key was written, in seconds since 1970 by the clock of the store; None if it is absent."""
        ...

    def leftovers(self) -> Iterator[Leftover]:
        """Yield what writes left that were cut, and what others are writing just now."""
        ...

    def discard(self, leftover: Leftover) -> None:
        """Take away what a write has left. A write that is still going on fails, and says so."""
        ...
