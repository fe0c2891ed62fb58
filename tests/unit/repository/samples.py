"""Small repositories, packs and transactions to test with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlreg.formats.identity import Identity
from mlreg.formats.pack import ID_OF, PackKind, Sort
from mlreg.formats.transaction import PackEntry, RefChange, Transaction, slot_key
from mlreg.ids import CommitId, ContentId, ObjectId, TransactionHash
from mlreg.repository.log import Draft
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository, create_repository
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store

ORIGIN = Identity("0" * 32, "2026-11-23T06:28:00Z").origin


def repository_in(store: Store | None = None, cache: Path | None = None) -> Repository:
    """Open the repository in a store, making it if need be."""
    place = MemoryStore() if store is None else store
    create_repository(place)
    return Repository(place, cache)


def commit(text: str) -> CommitId:
    """Return an id that no other text has."""
    return CommitId.of(text.encode())


def pack_id(number: int) -> str:
    """Return the name of a pack that is never written."""
    return f"{number:032x}"


def pack_entry(number: int) -> PackEntry:
    """Return what a transaction says of a pack that is never written."""
    return PackEntry(pack_id(number), PackKind.DATA, 1000 + number, 10, bytes(32), 1)


def move(name: str, old: str | None, new: str | None) -> RefChange:
    """Return the move of a name between commits, each called by a text."""
    return RefChange(name, commit(old) if old else None, commit(new) if new else None)


def chain(*drafts: Draft, number: int = 0, head: TransactionHash = ORIGIN) -> list[tuple[Transaction, TransactionHash]]:
    """Return drafts as the slots behind slot `number`, each with its hash."""
    slots = []
    for at, draft in enumerate(drafts, number + 1):
        slot = Transaction(
            number=at, previous=head, id=f"{at:032x}", time=f"2026-11-23T00:00:{at:02d}Z", **draft._asdict()
        )
        head = TransactionHash.of(slot.encode())
        slots.append((slot, head))
    return slots


def object_id(sort: Sort, data: bytes) -> ObjectId:
    """Return the id of an object; that of a recipe, which has none of its own, is made up."""
    return ID_OF.get(sort, ContentId).of(data)


def put(repository: Repository, objects: Iterable[tuple[Sort, bytes]]) -> tuple[PackEntry, ...]:
    """Write objects into packs, name them in the log, and return the packs."""
    with PackWriter(repository.store) as writer:
        for sort, data in objects:
            writer.add(sort, object_id(sort, data), data)
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", "put", add=packs))
    return packs


def force_slot(repository: Repository, draft: Draft) -> None:
    """Put a slot into the log as no mlreg does: nothing in it is looked at."""
    view = repository.log.refresh()
    head = view.position.head or repository.identity.origin
    ((slot, _),) = chain(draft, number=view.number, head=head)
    repository.store.create(slot_key(slot.number), slot.encode())
