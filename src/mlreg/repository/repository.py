"""One repository: identity, log and objects on one store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from mlreg.errors import ConflictError, IntegrityError, NoRepositoryError, NotFoundError
from mlreg.formats import backup
from mlreg.formats import identity as identities
from mlreg.formats.identity import Identity
from mlreg.repository.heads import NOBODY, Client, Heads
from mlreg.repository.log import Log, now
from mlreg.repository.objects import Objects
from mlreg.repository.view import View
from mlreg.stores.store import Store

if TYPE_CHECKING:
    from mlreg.repository.packing import PackWriter


class Repository:
    """Objects and a log in one store; local and remote ones are the same."""

    def __init__(self, store: Store, cache: Path | None = None, client: Client = NOBODY) -> None:
        """Open the repository in a store.

        Args:
            store: where it is.
            cache: a directory on a local disk for views; None keeps the view in memory.
            client: who opens it.

        Raises:
            NoRepositoryError: `no_repository`.
            UnsupportedError: `newer_format`, `unknown_feature`.
        """
        self.store = store
        self.identity = read_identity(store)
        path = None if cache is None else view_path(cache, self.identity.repository, store.url)
        self.notes = None if path is None else path.parent / "files"
        """Where is kept which files were added: a cache."""
        heads = Heads(client.state, self.identity.repository, store.url)
        self.log = Log(store, self.identity, View(path), heads, client.origin)
        self.objects = Objects(store, self.log)
        self.merges = client.merges
        """Whether who adds to it also merges small packs, now and then."""

    @property
    def url(self) -> str:
        """Where it is."""
        return self.store.url

    @property
    def is_backup(self) -> bool:
        """Whether it is a backup, which takes no changes."""
        return self.store.size(backup.KEY) is not None

    def writer(self) -> PackWriter:
        """Return a writer of new packs for this repository."""
        from mlreg.repository.packing import PackWriter  # threads are slow to import, and readers need none

        return PackWriter(self.store)

    def close(self) -> None:
        """Let go of the view."""
        self.log.view.close()


def view_path(cache: Path, repository: str, url: str) -> Path:
    """Return where the view of a repository at a place is kept: a copy elsewhere has a life of its own."""
    return cache / blake3(f"{repository} {url}".encode()).hexdigest()[:32] / "view.sqlite"


def read_identity(store: Store) -> Identity:
    """Return what `mlreg.json` of a store says."""
    try:
        return Identity.decode(store.read(identities.KEY, 0, identities.MAX_BYTES + 1))
    except NotFoundError as error:
        raise NoRepositoryError(
            "no_repository",
            f"there is no mlreg repository at {store.url}",
            why=f"it has no {identities.KEY}",
            fix=("check the path, and that the disk is mounted", f"to make one there: mlreg init --shared {store.url}"),
        ) from error
    except IntegrityError as error:
        raise IntegrityError(
            error.code,
            f"{identities.KEY} in {store.url} cannot be read",
            why=error.why or error.message,
            fix=error.fix or f"copy {identities.KEY} from a backup of this very repository",
        ) from error


def create_repository(store: Store) -> bool:
    """Make an empty repository in a store; False if there is one already."""
    if store.size(identities.KEY) is not None:
        read_identity(store)
        return False
    if any(True for _ in store.list("log/")):
        raise IntegrityError(
            "identity_lost",
            f"{store.url} has a log, and no {identities.KEY}",
            why="the file that says which repository it is was deleted, or not copied",
            fix=f"copy {identities.KEY} from a backup or a clone of the same repository; or begin in another directory",
        )
    try:
        store.create(identities.KEY, Identity(os.urandom(16).hex(), now()).encode())
    except ConflictError:
        read_identity(store)
        return False
    return True
