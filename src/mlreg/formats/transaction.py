"""A transaction: one slot of the log, the only thing in a repository that changes.

Format page: `docs/format/log.md`. A slot is one line of canonical JSON, and then any number of
signature lines over the exact bytes of the first. The hash of the whole slot is what the next one
names as `previous`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from blake3 import blake3

from mlreg.errors import IntegrityError, UnsupportedError, UsageError
from mlreg.formats import canonical
from mlreg.formats.identity import refuse_unknown
from mlreg.formats.pack import PackKind
from mlreg.ids import CommitId, TransactionHash, is_lower_hex

FORMAT = 1
MAX_BYTES = 8 * 1024 * 1024
PREFIX = "log/"
DIGITS = 16
ID_DIGITS = 32
"""Hexadecimal digits of a transaction's and of a pack's random id."""

_KINDS = {"data": PackKind.DATA, "meta": PackKind.META}
_WORDS = {kind: word for word, kind in _KINDS.items()}


def slot_key(number: int) -> str:
    """Return the key of slot `number`, counted from 1: `log/0000000000000001`."""
    return f"{PREFIX}{number:0{DIGITS}d}"


def new_id(chance: bytes, sender: str = "") -> str:
    """Return the id of a transaction.

    Args:
        chance: 16 random bytes.
        sender: the repository that what it adds was sent from, if it was: half of the id then says so.
    """
    return (chance[:8] + _mark(chance[:8], sender) if sender else chance).hex()


def is_from(transaction: str, sender: str) -> bool:
    """Tell from its id whether a transaction was sent from a repository."""
    data = bytes.fromhex(transaction)
    return data[8:] == _mark(data[:8], sender)


def _mark(chance: bytes, sender: str) -> bytes:
    return blake3(chance + sender.encode()).digest(8)


class PackEntry(NamedTuple):
    """A pack as the log names it."""

    id: str
    """32 random hexadecimal digits, never used again."""
    kind: PackKind
    size: int
    """Bytes of the whole pack."""
    index_size: int
    """Bytes of its index, without the trailer."""
    sum: bytes
    """BLAKE3 of its index, which holds the hash of every block."""
    objects: int


class RefChange(NamedTuple):
    """One name that moves: `old` must be what it is; None means absent."""

    name: str
    old: CommitId | None
    new: CommitId | None


class Transaction(NamedTuple):
    """One change of the repository, all of it or none."""

    number: int
    previous: TransactionHash
    """Hash of slot `number - 1`; for the first, the hash of `mlreg.json`."""
    id: str
    """32 hexadecimal digits, as `new_id` makes them: how a writer knows its own slot again."""
    time: str
    author: str
    message: str
    refs: tuple[RefChange, ...] = ()
    add: tuple[PackEntry, ...] = ()
    drop: tuple[str, ...] = ()
    """Packs that are no longer read; their files are still there."""
    reap: tuple[str, ...] = ()
    """Packs whose files may be deleted by anyone from now on, and never come back."""
    is_lossy: bool = False
    """Whether a drop took objects away that no live pack holds."""
    notes: tuple[dict[str, Any], ...] = ()
    """Records about refs that later releases define; kept as they are."""
    requires: tuple[str, ...] = ()
    """Features without which a reader must stop here."""
    signatures: tuple[bytes, ...] = ()
    """Signature lines, without their line ends."""

    def body(self) -> bytes:
        """Return the first line of the slot, which is what signatures sign."""
        return canonical.encode(
            {
                "add": [_pack_fields(pack) for pack in self.add],
                "author": self.author,
                "drop": list(self.drop),
                "format": FORMAT,
                "id": self.id,
                "lossy": self.is_lossy,
                "message": self.message,
                "notes": list(self.notes),
                "number": self.number,
                "previous": str(self.previous),
                "reap": list(self.reap),
                "refs": [{"name": ref.name, "new": _text(ref.new), "old": _text(ref.old)} for ref in self.refs],
                "requires": list(self.requires),
                "time": self.time,
            }
        )

    def encode(self) -> bytes:
        """Return the bytes of the slot: the body and the signature lines, each with a line end."""
        return b"".join(line + b"\n" for line in (self.body(), *self.signatures))

    @classmethod
    def decode(cls, data: bytes) -> Transaction:
        """Read a slot.

        Raises:
            IntegrityError: `bad_transaction`, or `bad_json`.
            UnsupportedError: `unknown_transaction_format`, or `unknown_feature`.
        """
        if len(data) > MAX_BYTES or not data.endswith(b"\n"):
            raise _bad("it is too long, or has no end")
        body, *signatures = data[:-1].split(b"\n")
        fields = canonical.decode(body, MAX_BYTES)
        if not isinstance(fields, dict) or not isinstance(fields.get("format"), int):
            raise _bad("it is not a transaction")
        if fields["format"] != FORMAT:
            raise UnsupportedError(
                "unknown_transaction_format",
                f"a transaction has format {fields['format']}; this mlreg reads format {FORMAT}",
                fix="pip install --upgrade mlreg",
            )
        try:
            transaction = _read(fields, tuple(signatures))
            is_canonical = transaction.encode() == data
        except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
            raise _bad("a field is missing or of the wrong kind") from error
        if not is_canonical:
            raise _bad("it has a field that is not known, or of the wrong kind")
        refuse_unknown(list(transaction.requires))
        return transaction


def _read(fields: dict[str, Any], signatures: tuple[bytes, ...]) -> Transaction:
    """Build the transaction; every wrong type ends in an exception or in other bytes when encoded again."""
    numbers = (fields["number"], *(pack[name] for pack in fields["add"] for name in ("size", "index_size", "objects")))
    names = (fields["id"], *fields["drop"], *fields["reap"], *(pack["id"] for pack in fields["add"]))
    if any(type(number) is not int or number < 0 for number in numbers) or type(fields["lossy"]) is not bool:
        raise ValueError("a number is not a number")
    if not all(is_lower_hex(name, ID_DIGITS) for name in names):
        raise ValueError("an id is not an id")
    texts = (fields["author"], fields["message"], fields["time"], *fields["requires"])
    if not all(isinstance(text, str) for text in (*texts, *(ref["name"] for ref in fields["refs"]))):
        raise ValueError("a text is not a text")
    if not all(isinstance(note, dict) for note in fields["notes"]):
        raise ValueError("a note is not a record")
    return Transaction(
        number=fields["number"],
        previous=TransactionHash.parse(fields["previous"]),
        id=fields["id"],
        time=fields["time"],
        author=fields["author"],
        message=fields["message"],
        refs=tuple(RefChange(ref["name"], _commit(ref["old"]), _commit(ref["new"])) for ref in fields["refs"]),
        add=tuple(map(_read_pack, fields["add"])),
        drop=tuple(fields["drop"]),
        reap=tuple(fields["reap"]),
        is_lossy=fields["lossy"],
        notes=tuple(fields["notes"]),
        requires=tuple(fields["requires"]),
        signatures=signatures,
    )


def _pack_fields(pack: PackEntry) -> dict[str, object]:
    return {**pack._asdict(), "kind": _WORDS[pack.kind], "sum": pack.sum.hex()}


def _read_pack(fields: dict[str, Any]) -> PackEntry:
    return PackEntry(
        id=fields["id"],
        kind=_KINDS[fields["kind"]],
        size=fields["size"],
        index_size=fields["index_size"],
        sum=bytes(TransactionHash.parse(fields["sum"])),
        objects=fields["objects"],
    )


def _text(commit: CommitId | None) -> str | None:
    return None if commit is None else str(commit)


def _commit(text: str | None) -> CommitId | None:
    return None if text is None else CommitId.parse(text)


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_transaction", "a slot of the log cannot be read", why=reason)
