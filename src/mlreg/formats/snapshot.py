"""A snapshot: the state that slots 1 to N of the log add up to, so that opening need not read them all.

Format page: `docs/format/snapshot.md`. A snapshot is a help and never the truth: it is written after
slot N is there, it names the hash of that slot, and a reader that finds it damaged goes on without it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from blake3 import blake3

from mlreg.codecs import codec_of
from mlreg.codecs.choose import encode_best
from mlreg.errors import IntegrityError, RefusedError, UnsupportedError, UsageError
from mlreg.formats import canonical
from mlreg.formats.identity import refuse_unknown
from mlreg.formats.pack import PackKind
from mlreg.formats.transaction import DIGITS, ID_DIGITS, PackEntry
from mlreg.ids import DIGEST_SIZE, CommitId, TransactionHash, is_lower_hex

VERSION = 1
MAGIC = b"MLRS"
PREFIX = "snapshots/"
MAX_BYTES = 256 * 1024 * 1024

_HEADER = struct.Struct("<4sBBHQ")


def snapshot_key(number: int) -> str:
    """Return the key of the snapshot behind slot `number`: `snapshots/0000000000000256`."""
    return f"{PREFIX}{number:0{DIGITS}d}"


class RefState(NamedTuple):
    """What a name is: the commit it points to, or the last one it did."""

    name: str
    target: CommitId | None
    removed: CommitId | None
    """What it pointed to before it was removed; None while it is there."""
    number: int
    """The slot that set it."""


class PackState(NamedTuple):
    """A pack that the log has named."""

    pack: PackEntry
    number: int
    """The slot that added it."""
    dropped: int
    """The slot that dropped it; 0 while it is live."""


class NoteState(NamedTuple):
    """An annotation, as it stands in the log."""

    note: dict[str, Any]
    number: int
    """The slot that brought it."""


class Snapshot(NamedTuple):
    """Everything a reader must know about slots 1 to `number`."""

    number: int
    head: TransactionHash
    """Hash of slot `number`."""
    generation: int
    """How many transactions so far were lossy."""
    requires: tuple[str, ...]
    refs: tuple[RefState, ...]
    """Sorted by name."""
    packs: tuple[PackState, ...]
    """Live and dropped packs, in the order in which they were added."""
    reaped: tuple[str, ...]
    """Ids of packs that are gone, sorted."""
    annotations: tuple[NoteState, ...] = ()
    """Sorted by id."""

    def agrees_with(self, state: Snapshot) -> bool:
        """Tell whether a state is what this says, which may name later slots than those that dropped packs.

        Who wrote it may have begun at a snapshot that does not say which they were.
        """
        pairs = zip(self.packs, state.packs, strict=False)
        packs = tuple(one._replace(dropped=said.dropped) if self._may_say(said, one) else one for said, one in pairs)
        return len(self.packs) == len(state.packs) and self == state._replace(packs=packs)

    def _may_say(self, said: PackState, one: PackState) -> bool:
        return 0 < one.dropped <= said.dropped <= self.number

    def encode(self) -> bytes:
        """Return the bytes of the snapshot; equal states have equal bytes.

        Raises:
            RefusedError: `snapshot_too_large`.
        """
        plain = canonical.encode(
            {
                **self._seldom(),
                "generation": self.generation,
                "head": str(self.head),
                "number": self.number,
                "packs": [_pack_row(state) for state in self.packs],
                "reaped": list(self.reaped),
                "refs": [[r.name, _text(r.target), _text(r.removed), r.number] for r in self.refs],
                "requires": list(self.requires),
            }
        )
        if len(plain) > MAX_BYTES:
            raise RefusedError(
                "snapshot_too_large",
                f"a snapshot of {len(plain)} bytes is too large",
                fix="nothing need be done: the log is read without it",
            )
        codec, stored = encode_best(plain)
        header = _HEADER.pack(MAGIC, VERSION, codec.number, 0, len(plain))
        return b"".join((header, blake3(plain).digest(), stored))

    def _seldom(self) -> dict[str, object]:
        """Return fields that are there only if they say something: a release that knows none has the same document."""
        dropped = [state.dropped for state in self.packs if state.dropped]
        fields = {"annotations": [list(state) for state in self.annotations], "dropped": dropped}
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def decode(cls, data: bytes) -> Snapshot:
        """Read a snapshot.

        Raises:
            IntegrityError: `bad_snapshot`, `bad_block` or `bad_json`.
            UnsupportedError: `unknown_snapshot_version`, `unknown_codec`, `unknown_feature`.
        """
        if len(data) < _HEADER.size + DIGEST_SIZE:
            raise _bad("it is too short")
        magic, version, codec, flags, size = _HEADER.unpack_from(data)
        if magic != MAGIC or size > MAX_BYTES:
            raise _bad("it has another signature, or claims too much")
        if version != VERSION or flags:
            raise UnsupportedError(
                "unknown_snapshot_version",
                f"a snapshot has version {version}, flags {flags}",
                fix="pip install --upgrade mlreg",
            )
        plain = bytes(codec_of(codec).decode(data[_HEADER.size + DIGEST_SIZE :], size))
        if blake3(plain).digest() != data[_HEADER.size : _HEADER.size + DIGEST_SIZE]:
            raise _bad("its bytes are not those that were written")
        fields = canonical.decode(plain, MAX_BYTES)
        try:
            found = _read(fields)
        except (LookupError, TypeError, ValueError, AttributeError, UsageError) as error:
            raise _bad("a field is missing or of the wrong kind") from error
        refuse_unknown(list(found.requires))
        return found


def _read(fields: dict[str, Any]) -> Snapshot:
    numbers = [fields["number"], fields["generation"], *(row[3] for row in fields["refs"])]
    numbers.extend(row[at] for row in fields["packs"] for at in (1, 2, 3, 5, 6))
    numbers.extend(number for _, number in fields.get("annotations", []))
    numbers.extend(fields.get("dropped", []))
    if any(type(number) is not int or number < 0 for number in numbers) or 0 in fields.get("dropped", []):
        raise ValueError("a number is not a number")
    if not all(is_lower_hex(pack, ID_DIGITS) for pack in (*fields["reaped"], *(row[0] for row in fields["packs"]))):
        raise ValueError("an id is not an id")
    if not all(isinstance(text, str) for text in (*fields["requires"], *(row[0] for row in fields["refs"]))):
        raise ValueError("a text is not a text")
    return Snapshot(
        number=fields["number"],
        head=TransactionHash.parse(fields["head"]),
        generation=fields["generation"],
        requires=tuple(fields["requires"]),
        refs=tuple(RefState(name, _commit(target), _commit(gone), at) for name, target, gone, at in fields["refs"]),
        packs=tuple(_read_packs(fields)),
        reaped=tuple(fields["reaped"]),
        annotations=tuple(NoteState(dict(note), number) for note, number in fields.get("annotations", [])),
    )


def _pack_row(state: PackState) -> list[object]:
    pack = state.pack
    return [
        pack.id,
        int(pack.kind),
        pack.size,
        pack.index_size,
        pack.sum.hex(),
        pack.objects,
        state.number,
        bool(state.dropped),
    ]


def _read_packs(fields: dict[str, Any]) -> Iterator[PackState]:
    rows = fields["packs"]
    if any(type(row[7]) is not bool for row in rows):
        raise ValueError("a truth is not a truth")
    gone = sum(row[7] for row in rows)
    # Who does not say when it was: at the latest where the snapshot was made.
    slots = fields.get("dropped", [fields["number"]] * gone)
    if len(slots) != gone:
        raise ValueError("as many packs were dropped as there are slots that did it")
    dropped = iter(slots)
    for pack_id, kind, size, index, digest, objects, number, is_dropped in rows:
        pack = PackEntry(pack_id, PackKind(kind), size, index, bytes(TransactionHash.parse(digest)), objects)
        yield PackState(pack, number, next(dropped) if is_dropped else 0)


def _text(commit: CommitId | None) -> str | None:
    return None if commit is None else str(commit)


def _commit(text: str | None) -> CommitId | None:
    return None if text is None else CommitId.parse(text)


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_snapshot", "a snapshot of the log cannot be read", why=reason)
