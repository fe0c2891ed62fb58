"""A dictionary as a store, for tests and for looking at a format without a disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mlreg.errors import ConflictError, NotFoundError
from mlreg.stores.store import Leftover


class MemoryStore:
    """Keys are in `contents`. See `mlreg.stores.store.Store` for what each verb promises."""

    def __init__(self, contents: dict[str, bytes] | None = None) -> None:
        """Start empty, or from what another store holds."""
        self.url = f"memory:{id(self):x}"
        self.contents: dict[str, bytes] = {} if contents is None else contents
        self.times: dict[str, float] = {}
        """When keys were written, in seconds since 1970; those that are not here were there from the beginning."""
        self._lock = threading.Lock()

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        data = self.contents.get(key)
        if data is None:
            raise NotFoundError("key_missing", f"{key} does not exist")
        return data[start : None if size is None else start + size]

    def size(self, key: str) -> int | None:
        data = self.contents.get(key)
        return None if data is None else len(data)

    def create(self, key: str, data: bytes) -> None:
        with self._lock:
            if self.contents.setdefault(key, bytes(data)) != data:
                raise ConflictError("key_exists", f"{key} exists with other bytes")
            self.times.setdefault(key, time.time())

    @contextmanager
    def upload(self, key: str) -> Iterator[_Buffer]:
        buffer = _Buffer()
        yield buffer
        with self._lock:
            if key in self.contents:
                raise ConflictError("key_exists", f"{key} exists already")
            self.contents[key] = bytes(buffer.data)
            self.times[key] = time.time()

    def list(self, prefix: str) -> Iterator[str]:
        start = prefix if prefix.endswith("/") else prefix + "/"
        return iter(sorted(key for key in self.contents if key.startswith(start)))

    def delete(self, key: str) -> None:
        self.contents.pop(key, None)
        self.times.pop(key, None)

    def modified(self, key: str) -> float | None:
        return self.times.get(key, 0.0) if key in self.contents else None

    def leftovers(self) -> Iterator[Leftover]:
        return iter(())

    def discard(self, leftover: Leftover) -> None:
        pass


class _Buffer:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data
