"""Stores read as one: several of which each has a part, or one up to a slot of its log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby

from mlreg.errors import NotFoundError
from mlreg.formats.snapshot import PREFIX as SNAPSHOTS
from mlreg.formats.snapshot import snapshot_key
from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.formats.transaction import slot_key
from mlreg.stores.read_only import ReadOnlyStore
from mlreg.stores.store import Store


class JoinedStores(ReadOnlyStore):
    """The keys of several stores; of a key that several have, the first counts."""

    def __init__(self, stores: Sequence[Store]) -> None:
        """Name the stores, one at least."""
        self._stores = stores
        self.url = stores[0].url

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        for store in self._stores[:-1]:
            if store.size(key) is not None:
                return store.read(key, start, size)
        return self._stores[-1].read(key, start, size)

    def size(self, key: str) -> int | None:
        sizes = (store.size(key) for store in self._stores)
        return next((size for size in sizes if size is not None), None)

    def list(self, prefix: str) -> Iterator[str]:
        return (key for key, _ in groupby(merge(*(store.list(prefix) for store in self._stores))))

    def modified(self, key: str) -> float | None:
        times = (store.modified(key) for store in self._stores)
        return next((found for found in times if found is not None), None)


class PastStore(ReadOnlyStore):
    """A store whose log ends with a slot, whatever came later."""

    def __init__(self, inner: Store, number: int) -> None:
        """Name the store and the last slot."""
        self._inner = inner
        self._last = {SLOTS: slot_key(number), SNAPSHOTS: snapshot_key(number)}
        self.url = inner.url

    def _is_later(self, key: str) -> bool:
        return any(key.startswith(prefix) and key > last for prefix, last in self._last.items())

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        if self._is_later(key):
            raise NotFoundError("key_missing", f"{key} in {self.url} came later")
        return self._inner.read(key, start, size)

    def size(self, key: str) -> int | None:
        return None if self._is_later(key) else self._inner.size(key)

    def list(self, prefix: str) -> Iterator[str]:
        return (key for key in self._inner.list(prefix) if not self._is_later(key))

    def modified(self, key: str) -> float | None:
        return None if self._is_later(key) else self._inner.modified(key)
