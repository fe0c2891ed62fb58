"""The last head of a log that a user of this machine saw: what tells a log that went back from one that is new.

It is kept apart from the repository, where no old copy that takes the repository's place brings an old note along, and
apart from the cache, which may be cleared. A log only grows: where it is shorter than it was, or another one, a person
decides.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import IntegrityError, MlregError
from mlreg.formats import canonical
from mlreg.formats.origin import NOWHERE, Origin
from mlreg.formats.spoken import phrase_of
from mlreg.ids import TransactionHash
from mlreg.repository.view import Position
from mlreg.stores.small_file import replace_file

MAX_BYTES = 8192
FORGET = "mlreg audit forget"


class Client(NamedTuple):
    """A user of a machine, as the repositories that are opened see it."""

    state: Path | None = None
    """A directory for what must outlive the cache; None to remember nothing."""
    origin: Origin = NOWHERE
    """What slots say of where they were written."""
    merges: bool = False
    """Whether who adds something also merges small packs, now and then: not in what belongs to others."""


NOBODY = Client()
"""Of whom nothing is kept."""


class Heads:
    """What is remembered of one log."""

    def __init__(self, state: Path | None, repository: str, url: str) -> None:
        """Name the log; nothing is read yet.

        Args:
            state: a directory; None to remember nothing.
            repository: its random id.
            url: where it lies: a copy elsewhere has a life of its own.
        """
        name = blake3(f"{repository} {url}".encode()).hexdigest()[:32]
        self._path = None if state is None else state / "heads" / f"{name}.json"
        self._fields = {"repository": repository, "url": url}
        self._known: Position | None = None

    def last(self) -> Position | None:
        """Return what was last seen; None if that is not known."""
        try:
            fields = canonical.decode(self._path.read_bytes(), MAX_BYTES) if self._path else {}
            return Position(int(fields["number"]), TransactionHash.parse(fields["head"]))
        except (KeyError, TypeError, ValueError, OSError, MlregError):
            # It is not flushed to the disk: after a power cut it may be empty.
            return None

    def check(self, hash_of: Callable[[int], TransactionHash | None]) -> None:
        """Refuse a log that is not what it was.

        Args:
            hash_of: returns the hash of a slot; None if there is none.

        Raises:
            IntegrityError: `log_went_back`, `log_forked`.
        """
        last = self.last()
        if last is not None and last.number:
            refuse_other(last.number, str(last.head), hash_of(last.number), f"the log in {self._fields['url']}")
            self._known = last

    def remember(self, position: Position) -> None:
        """Note how far the log goes; no work fails for it."""
        if self._path and position.head and position != self._known:
            fields = {**self._fields, "number": position.number, "head": str(position.head)}
            with suppress(OSError):
                replace_file(self._path, canonical.encode(fields))
            self._known = position

    def forget(self) -> bool:
        """Forget what was seen, so that any state of the log is accepted; False if there was nothing."""
        self._known = None
        if self._path is None or not self._path.exists():
            return False
        self._path.unlink(missing_ok=True)
        return True


def refuse_other(number: int, head: str, found: TransactionHash | None, what: str, fix: str = FORGET) -> None:
    """Refuse a log in which a slot is not what it was.

    Args:
        number: of the slot.
        head: the hash that it had, the first digits of it, or a phrase that stands for it.
        found: the hash that it has; None if it is gone.
        what: the log, for the message.
        fix: the command that accepts it as it is.

    Raises:
        IntegrityError: `log_went_back`, `log_forked`.
    """
    if found is not None and head in (str(found)[: len(head)], phrase_of(found)):
        return
    ways_out = ("bring the newer copy back", f"if it is meant to be so: {fix}")
    if found is None:
        message = f"{what} went back: transaction {number}, which was seen, is gone"
        why = (
            "an old copy of the repository took the place of a newer one, it was cut by hand, or the power failed"
            " while it was being written"
        )
        raise IntegrityError("log_went_back", message, why=why, fix=ways_out)
    message = f"{what} forked: transaction {number} is another one than was seen"
    why = "an old copy took its place and was written to, it was changed or damaged, or two copies of it were mixed"
    raise IntegrityError("log_forked", message, why=why, fix=ways_out)
