"""Slots behind a hole in a log: no reader comes to them, and the next writers would run into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlreg.errors import IntegrityError
from mlreg.formats.backup import MAX_RECORD, Record, base_missing, record_key
from mlreg.formats.transaction import DIGITS, slot_key
from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.stores.store import Store

_WHY = "the log was changed by hand, or copied in part"


def refuse_later_slots(store: Store, last: int) -> None:
    """Refuse a log that seems to end at a slot, and has later ones.

    Raises:
        IntegrityError: `bad_log`. NotFoundError: `backup_base_missing`, it is that of a later part of a repository.
    """
    later = [number for number in numbers_in(store.list(SLOTS), SLOTS) if number > last]
    # Asked afterwards: a writer may have gone on in the meantime.
    if later and store.size(slot_key(last + 1)) is None:
        _refuse_part(store, last)
        raise IntegrityError(
            "bad_log",
            f"slot {last + 1} of the log in {store.url} is gone, and there are slots up to {max(later)}",
            why=_WHY,
            fix=f"copy {slot_key(last + 1)} and what else is missing from a backup of the repository",
        )


def refuse_gap(store: Store, last: int) -> None:
    """Refuse a log that lacks a slot before the last one: who comes for the first time cannot read it.

    Raises:
        IntegrityError: `bad_log`.
    """
    lost = set(range(1, last + 1)).difference(numbers_in(store.list(SLOTS), SLOTS))
    if lost:
        raise _gone(store, min(lost))


def _refuse_part(store: Store, last: int) -> None:
    """Refuse a file that was made since another backup, whose slots begin behind those of that one."""
    key = record_key(1)
    since = Record.decode(store.read(key, 0, MAX_RECORD + 1)).since if store.size(key) is not None else None
    if since and last < since.number:
        raise base_missing(store.url, since)


def refuse_hole(store: Store, number: int) -> None:
    """Refuse to write a slot that was lost: those behind it would follow another one, and be lost too.

    Raises:
        IntegrityError: `bad_log`.
    """
    if store.size(slot_key(number + 1)) is not None and store.size(slot_key(number)) is None:
        raise _gone(store, number)


def _gone(store: Store, number: int) -> IntegrityError:
    return IntegrityError(
        "bad_log",
        f"slot {number} of the log in {store.url} is gone, and there are later ones",
        why=_WHY,
        fix=(f"copy {slot_key(number)} from a backup of the repository", "mlreg verify"),
    )


def numbers_in(keys: Iterable[str], prefix: str) -> Iterator[int]:
    """Yield the numbers of slots, snapshots or backups, passing over what else lies beside them."""
    return (number for key in keys if (number := number_in(key, prefix)) is not None)


def number_in(key: str, prefix: str) -> int | None:
    """Return the number that a key ends with; None if it is another one.

    >>> number_in("log/0000000000000012", "log/"), number_in("log/note", "log/")
    (12, None)
    """
    digits = key.removeprefix(prefix)
    return int(digits) if len(digits) == DIGITS and digits.isascii() and digits.isdigit() else None
