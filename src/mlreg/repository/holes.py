"""Slots behind a hole in a log: no reader comes to them, and the next writers would run into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlreg.errors import IntegrityError
from mlreg.formats.transaction import DIGITS, slot_key
from mlreg.formats.transaction import PREFIX as SLOTS
from mlreg.stores.store import Store


def refuse_later_slots(store: Store, last: int) -> None:
    """Refuse a log that seems to end at a slot, and has later ones.

    Raises:
        IntegrityError: `bad_log`.
    """
    later = [number for number in numbers_in(store.list(SLOTS), SLOTS) if number > last]
    # Asked afterwards: a writer may have gone on in the meantime.
    if later and store.size(slot_key(last + 1)) is None:
        raise IntegrityError(
            "bad_log",
            f"slot {last + 1} of the log in {store.url} is gone, and there are slots up to {max(later)}",
            why="the log was changed by hand, or copied in part",
            fix=f"copy {slot_key(last + 1)} and what else is missing from a backup, or from another copy",
        )


def numbers_in(keys: Iterable[str], prefix: str) -> Iterator[int]:
    """Yield the numbers of slots or snapshots, passing over what else lies beside them."""
    for key in keys:
        digits = key.removeprefix(prefix)
        if len(digits) == DIGITS and digits.isascii() and digits.isdigit():
            yield int(digits)
