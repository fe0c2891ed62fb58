"""The log of transactions: numbered slots that are created and never change.

Who creates slot N+1 has committed. Who loses reads the winner, looks whether the own change still
holds, and tries N+2. No lock, no clock and no living process is relied upon. The rules are in
`docs/format/log.md`, and as a program that is checked against random schedules in
`tests/laws/log_protocol_model.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from itertools import islice, takewhile
from typing import Any, NamedTuple

from mlreg.errors import (
    ConflictError,
    IntegrityError,
    MlregError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from mlreg.formats import backup
from mlreg.formats import snapshot as snapshots
from mlreg.formats.annotation import FEATURE, parse_annotation
from mlreg.formats.identity import Identity, refuse_unknown
from mlreg.formats.names import parse_ref_name
from mlreg.formats.origin import NOWHERE, Origin
from mlreg.formats.snapshot import Snapshot, snapshot_key
from mlreg.formats.transaction import MAX_BYTES, PackEntry, RefChange, Transaction, new_id, slot_key
from mlreg.ids import TransactionHash
from mlreg.repository.heads import Heads
from mlreg.repository.holes import refuse_hole, refuse_later_slots
from mlreg.repository.view import REAPED, View
from mlreg.stores.store import Store

BATCH = 512
"""Slots that are folded in one step."""
REPLIES = 6
"""How often a slot is written after an unclear reply before the writer gives up."""
VIEWS_LOST = 3
"""How often a view may be lost on the way to one slot."""
SNAPSHOT_EVERY = 256
"""Slots between snapshots of a short log; of a long one, an eighth of it."""


class Settled(Exception):
    """What builds a draft raises it if the state is as wanted already, and nothing is to be written."""


class Draft(NamedTuple):
    """A change that wants to become the next transaction."""

    author: str
    message: str = ""
    refs: tuple[RefChange, ...] = ()
    add: tuple[PackEntry, ...] = ()
    drop: tuple[str, ...] = ()
    reap: tuple[str, ...] = ()
    is_lossy: bool = False
    notes: tuple[dict[str, Any], ...] = ()


class Log:
    """The slots in one store, and the view of what they add up to."""

    def __init__(
        self, store: Store, identity: Identity, view: View, heads: Heads | None = None, origin: Origin = NOWHERE
    ) -> None:
        """Use a view that may be empty, old, or of another log; nothing is read yet.

        Args:
            store: where the log is.
            identity: of the repository.
            view: of this log, or to become it.
            heads: what is remembered of the log; None for nothing.
            origin: what the slots say that are added here.
        """
        self._store = store
        self._identity = identity
        self.heads = heads or Heads(None, identity.repository, store.url)
        self._origin = origin
        self._started: int | None = None
        """The incarnation of the view that was found to belong to this log."""
        self.view = view

    def refresh(self) -> View:
        """Bring the view up to the newest slot and return it.

        Raises:
            IntegrityError: `bad_log`, `bad_transaction`: the chain is broken; `log_went_back`, `log_forked`: it is not
                the log that this user saw last.
            UnsupportedError: a slot needs a newer mlreg.
        """
        try:
            return self._follow()
        except UnavailableError as error:
            if error.code != "view_damaged":
                raise
        return self._follow()

    def _follow(self) -> View:
        known = self.view.number
        view = self._followed()
        if not known:
            # Who comes for the first time sees what others went past; and so must who comes next, with the same cache.
            try:
                refuse_later_slots(self._store, view.number)
            except IntegrityError:
                view.restart(view.position, None)
                raise
        return view

    def _followed(self) -> View:
        if self._started != self.view.incarnation or not self._reaches(self.view.number):
            self._start()
        try:
            return self._fold_new()
        except IntegrityError:
            number, head = self.view.position
            if not number or self.hash_of(number) == head:
                raise
        # Another copy of the repository was put into its place.
        self._start()
        return self._fold_new()

    def _reaches(self, number: int) -> bool:
        """Tell whether the log in the store has a slot; it has not if an older copy was put into its place."""
        return not number or self._store.size(slot_key(number)) is not None

    def _fold_new(self) -> View:
        number, head = self.view.position
        batch: list[tuple[Transaction, TransactionHash]] = []
        for slot, slot_hash in self.slots(number + 1, head or self._identity.origin):
            batch.append((slot, slot_hash))
            if len(batch) == BATCH:
                self.view.apply(batch)
                batch.clear()
        if batch:
            self.view.apply(batch)
        self.heads.remember(self.view.position)
        return self.view

    def _start(self) -> None:
        """Make sure that the view belongs to this log; begin at the newest snapshot if it does not."""
        self._refuse_other_head()
        incarnation, position = self.view.incarnation, self.view.position
        if not position.number or self.hash_of(position.number) != position.head:
            found = self.newest_snapshot()
            if found or position.number:
                self.view.restart(position, found)
        # A newer release may have brought the view to where it is.
        refuse_unknown(list(self.view.requires))
        self._started = incarnation

    def _refuse_other_head(self) -> None:
        try:
            self.heads.check(self.hash_of)
        except IntegrityError as error:
            if error.code == "log_forked" and (last := self.heads.last()):
                self.slot(last.number)  # one that is damaged says so
            raise

    def newest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot that is whole and belongs to this log."""
        for key in reversed(list(self._store.list(snapshots.PREFIX))):
            try:
                found = self.snapshot_at(key)
            except MlregError:
                # Without it the log is read from its beginning: what a snapshot says is never needed.
                continue
            return found
        return None

    def snapshot_at(self, key: str) -> Snapshot:
        """Return the snapshot under a key, checked against the slot it was made at.

        Raises:
            IntegrityError: `bad_snapshot`.
            UnsupportedError: `unknown_snapshot_version`, `unknown_codec`, `unknown_feature`.
        """
        try:
            found = Snapshot.decode(self._store.read(key, 0, snapshots.MAX_BYTES + 1))
        except IntegrityError as error:
            why = error.why or error.message
            raise IntegrityError("bad_snapshot", f"{key} cannot be read", why=why, fix="delete it") from error
        if snapshot_key(found.number) != key or self.hash_of(found.number) != found.head:
            raise IntegrityError(
                "bad_snapshot", f"{key} does not belong to this log", fix="mlreg repair, which writes it anew"
            )
        return found

    def hash_of(self, number: int) -> TransactionHash | None:
        """Return the hash of a slot as it lies in the store; None if there is none."""
        try:
            return TransactionHash.of(self._read_slot(number))
        except NotFoundError:
            return None

    def _decode(self, number: int, data: bytes) -> Transaction:
        try:
            return Transaction.decode(data)
        except IntegrityError as error:
            raise IntegrityError(
                error.code,
                f"{slot_key(number)} in {self._store.url} cannot be read",
                why=error.why or error.message,
                fix=(
                    "copy this file from a backup of the repository",
                    "without one: clone a remote anew, and add again what was never pushed",
                ),
            ) from error

    def _read_slot(self, number: int) -> bytes:
        # One byte more than a slot may have is enough to see that it is none.
        return self._store.read(slot_key(number), 0, MAX_BYTES + 1)

    def slots(self, number: int, previous: TransactionHash) -> Iterator[tuple[Transaction, TransactionHash]]:
        """Yield the slots from `number` to the newest, each with its hash.

        Args:
            number: the first slot to read, counted from 1.
            previous: the hash of the slot before it.
        """
        while True:
            try:
                data = self._read_slot(number)
            except NotFoundError:
                return
            slot = self._decode(number, data)
            if slot.number != number or slot.previous != previous:
                raise IntegrityError(
                    "bad_log",
                    f"slot {number} of the log in {self._store.url} does not follow slot {number - 1}",
                    why="the log was changed by hand, or two repositories were mixed",
                    fix=(
                        f"copy {slot_key(number)} from a backup of the repository, or else {slot_key(number - 1)}",
                        "mlreg verify",
                    ),
                )
            previous = TransactionHash.of(data)
            yield slot, previous
            number += 1

    def slot(self, number: int) -> Transaction | None:
        """Return one slot, which is not checked against the one before; None if there is none."""
        try:
            return self._decode(number, self._read_slot(number))
        except NotFoundError:
            return None

    def with_history(self) -> View:
        """Return the view with the changes of every slot, also of those before the snapshot it began at."""
        self.refresh()
        first = self.view.history_from
        if first > 1:
            slots = (slot for slot, _ in self.slots(1, self._identity.origin))
            early = takewhile(lambda slot: slot.number < first, slots)
            while batch := list(islice(early, BATCH)):
                self.view.add_history(batch)
            self.view.complete_history()
        return self.view

    def replay(self, stops: Container[int] = ()) -> Iterator[Transaction]:
        """Fold the log from its first slot, trusting no snapshot, and yield every slot.

        While a slot is yielded whose number is in `stops` the view stands at it, and at the last one in the end; for
        others it may stand at an earlier one. For a view that is empty.
        """
        self._started = self.view.incarnation
        batch: list[tuple[Transaction, TransactionHash]] = []
        try:
            for slot, slot_hash in self.slots(1, self._identity.origin):
                batch.append((slot, slot_hash))
                if slot.number in stops or len(batch) == BATCH:
                    self._fold(batch)
                    batch.clear()
                yield slot
        finally:
            self._fold(batch)

    def _fold(self, batch: Sequence[tuple[Transaction, TransactionHash]]) -> None:
        """Fold slots in one step, or one by one up to that which does not fit."""
        try:
            self.view.apply(batch)
        except IntegrityError:
            for one in batch:
                self.view.apply([one])

    def append(self, build: Callable[[View], Draft], sender: str = "") -> Transaction:
        """Add one transaction: all of it is durable when this returns.

        Args:
            build: makes the draft from the newest state, and raises if the change no longer holds.
                Called again whenever someone else was faster, so it must not rely on what it saw
                before. Every pack it adds must be durable, and not reaped.
            sender: the repository that it is sent from, if it is.

        Raises:
            ConflictError: `pack_reaped`, a pack was collected before the log named it: upload it again.
            RefusedError: `transaction_too_large`; `is_a_backup`.
            IntegrityError: `bad_log`, `bad_transaction`, `bad_ref_name`, `bad_annotation`: a draft that no reader could
                fold;
                nothing was written.
            UnavailableError: `unclear_commit`, the store stopped answering at the wrong moment.
        """
        self._refuse_backup()
        damaged = 0
        for attempt in range(1, 1_000_000):
            try:
                slot, data = self._next(build, sender)
                if not self.view.fits(slot):
                    continue
            except UnavailableError as error:
                # A view is a cache: that one was lost is no reason to give up what is not written yet.
                damaged += error.code == "view_damaged"
                if error.code != "view_damaged" or damaged > VIEWS_LOST:
                    raise
                continue
            refuse_hole(self._store, slot.number)
            if self._claim(slot.number, data):
                # It is done, and must not be reported as failed: what goes wrong here, the next refresh mends.
                with suppress(MlregError):
                    self.view.apply([(slot, TransactionHash.of(data))])
                    self.heads.remember(self.view.position)
                    self._snapshot_if_due(slot.number)
                return slot
            _back_off(attempt)
        raise UnavailableError("busy_log", "another writer was faster a million times", fix="try again")

    def _next(self, build: Callable[[View], Draft], sender: str) -> tuple[Transaction, bytes]:
        """Return the slot that a draft would become now, and its bytes."""
        self.refresh()
        number, head = self.view.position
        if number and self.hash_of(number) != head:
            # What follows another slot than the one that is there would end the log for every reader.
            self._start()
            number, head = self.refresh().position
        draft = build(self.view)
        self._refuse_reaped(draft)
        slot = made_from(draft, (number, head), self._identity, sender, self._origin)
        return slot, readable(slot)

    def _refuse_backup(self) -> None:
        if self._store.size(backup.KEY) is not None:
            raise RefusedError(
                "is_a_backup",
                f"{self._store.url} is a backup, and takes no changes",
                why="the next backup would not fit it any more",
                fix=(f"mlreg backup restore {self._store.url} DIR", "change the repository, and back it up again"),
            )

    def _refuse_reaped(self, draft: Draft) -> None:
        for pack in draft.add:
            if self.view.pack_state(pack.id) == REAPED:
                raise ConflictError("pack_reaped", f"pack {pack.id} was collected before it was used", fix="try again")

    def _claim(self, number: int, data: bytes) -> bool:
        """Create a slot; True if it is ours, False if someone else has that number."""
        key = slot_key(number)
        unclear: UnavailableError | None = None
        for attempt in range(1, REPLIES + 1):
            try:
                # Once more after a lost reply: what lies in the slot, if it is this, counts as created.
                self._store.create(key, data)
                return True
            except ConflictError:
                return False
            except UnavailableError as error:
                unclear = error
                if error.code == "not_durable":
                    break  # a second flush that succeeds proves nothing about the first
            _back_off(attempt + 2)
        raise UnavailableError(
            "unclear_commit",
            f"{self._store.url} stopped answering while slot {number} was written",
            why=unclear.message if unclear else "",
            fix="do the same again: if the change is there already, nothing happens",
        ) from unclear

    def _snapshot_if_due(self, number: int) -> None:
        if number % snapshot_step(number) == 0:
            self.write_snapshot()

    def write_snapshot(self) -> None:
        """Put the present state under `snapshots/`."""
        found = self.view.snapshot()
        self._store.create(snapshot_key(found.number), found.encode())


def snapshot_step(number: int) -> int:
    """Return how many slots lie between snapshots of a log with so many."""
    return max(SNAPSHOT_EVERY, 1 << number.bit_length() >> 4)


def made_from(
    draft: Draft,
    position: tuple[int, TransactionHash | None],
    identity: Identity,
    sender: str = "",
    origin: Origin = NOWHERE,
) -> Transaction:
    """Return the transaction that a draft becomes behind the slot at a position."""
    number, head = position
    fields = {**draft._asdict(), "notes": (*draft.notes, *origin.notes())}
    return Transaction(
        number=number + 1,
        previous=head or identity.origin,
        id=new_id(os.urandom(16), sender),
        time=now(),
        requires=(FEATURE,) if draft.notes else (),
        **fields,
    )


def readable(slot: Transaction) -> bytes:
    """Return the bytes of a slot, unless no reader would accept them: a slot that is there is there for ever.

    Raises:
        as `Log.append` for such a draft.
    """
    data = slot.encode()
    if len(data) > MAX_BYTES:
        raise RefusedError(
            "transaction_too_large",
            f"a transaction of {len(data)} bytes is too large: {len(slot.refs)} names, {len(slot.add)} packs",
            why=f"a slot of the log has at most {MAX_BYTES} bytes",
            fix="name the entries, and send them one after the other",
        )
    Transaction.decode(data)
    for ref in slot.refs:
        parse_ref_name(ref.name)
    for note in slot.notes:
        parse_annotation(note)
    return data


def now() -> str:
    """Return the time, UTC, in seconds, as commits and transactions carry it: for people, never for order."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _back_off(attempt: int) -> None:
    """Wait a random while, up to 50 ms; not at all after the first collisions."""
    if attempt > 2:
        import random  # slow to import, and seldom needed

        time.sleep(random.uniform(0, min(0.05, 0.001 * 2 ** min(attempt, 10))))  # noqa: S311 - no secret
