"""What stores have in common that take nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NoReturn

from mlreg.errors import RefusedError
from mlreg.stores.store import Leftover, Upload


class ReadOnlyStore:
    """Refuses to write and to delete. See `mlreg.stores.store.Store` for what each verb promises."""

    url: str

    def create(self, key: str, data: bytes) -> None:
        self._refuse(key)

    def upload(self, key: str) -> AbstractContextManager[Upload]:
        self._refuse(key)

    def delete(self, key: str) -> None:
        self._refuse(key)

    def leftovers(self) -> Iterator[Leftover]:
        return iter(())

    def discard(self, leftover: Leftover) -> None:
        self._refuse(leftover.name)

    def _refuse(self, key: str) -> NoReturn:
        raise RefusedError(
            "read_only_store",
            f"{key} cannot be written: {self.url} is only read",
            why="a backup, a bundle, and what was, do not change",
            fix="write to a repository: mlreg backup restore, mlreg bundle apply",
        )
