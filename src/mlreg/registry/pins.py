"""What was last seen of each remote: which repository it is, and how far its log went.

A log only grows. A remote that has less of it, or another, was replaced, restored from an old copy, or
written to behind mlreg's back; that is an error, and a person decides.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import IntegrityError, MlregError
from mlreg.formats import canonical
from mlreg.ids import TransactionHash
from mlreg.repository.repository import Repository
from mlreg.stores.small_file import replace_file

MAX_BYTES = 4096


class Pin(NamedTuple):
    """A slot of a remote's log that was there."""

    repository: str
    number: int
    head: TransactionHash


def _path(here: str, remote: str) -> Path:
    return Path(here) / "remotes" / f"{remote}.json"


def read(here: str, remote: str) -> Pin | None:
    """Return what was last seen of a remote, or None if it was never met, or the power went while that was noted."""
    try:
        data = _path(here, remote).read_bytes()
        if not data:
            return None
        fields = canonical.decode(data, MAX_BYTES)
        return Pin(str(fields["repository"]), int(fields["number"]), TransactionHash.parse(fields["head"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (KeyError, TypeError, ValueError, OSError, MlregError) as error:
        raise IntegrityError(
            "bad_pin", f"{_path(here, remote)} cannot be read", fix=f"mlreg remote forget {remote}"
        ) from error


def check(here: str, remote: str, there: Repository) -> None:
    """Refuse a remote that is not what it was.

    Raises:
        IntegrityError: `remote_replaced`, `remote_went_back`, `remote_forked`.
    """
    pin = read(here, remote)
    if pin is None:
        return
    # Behind the pin: another process may have brought both further.
    there.log.refresh()
    if there.identity.repository != pin.repository:
        raise _refusal("remote_replaced", f"{remote} is another repository than before: {there.url}", remote)
    number = there.log.view.number
    if number < pin.number:
        message = f"{remote} went back: its log has {number} transactions, and had {pin.number}"
        raise _refusal("remote_went_back", message, remote)
    if there.log.hash_of(pin.number) != pin.head:
        message = f"{remote} forked: transaction {pin.number} of its log is another one than before"
        raise _refusal("remote_forked", message, remote)


def _refusal(code: str, message: str, remote: str) -> IntegrityError:
    return IntegrityError(
        code,
        message,
        why="it was restored from an old copy, replaced, or written to by something else than mlreg",
        fix=("ask who looks after it", f"if it is meant to be so: mlreg remote forget {remote}"),
    )


def remember(here: str, remote: str, there: Repository) -> None:
    """Note how far the log of a remote goes."""
    number, head = there.log.view.position
    pin = read(here, remote)
    if head is None or (pin is not None and pin.number == number):
        return
    with suppress(OSError):  # what was to be done is done, and the next meeting notes it
        write(here, remote, Pin(there.identity.repository, number, head))


def write(here: str, remote: str, pin: Pin) -> None:
    """Note a slot of the log of a remote."""
    replace_file(_path(here, remote), canonical.encode({**pin._asdict(), "head": str(pin.head)}))


def forget(here: str, remote: str) -> bool:
    """Forget what was seen of a remote; False if there was nothing."""
    try:
        _path(here, remote).unlink()
    except FileNotFoundError:
        return False
    return True
