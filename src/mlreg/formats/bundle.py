"""What a bundle says of itself: where it is from, and which pieces of files it leaves out because others have them.

Format page: `docs/format/bundle.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import IntegrityError, MlregError
from mlreg.formats import canonical
from mlreg.formats.backup import FORMAT, Point, refuse_newer
from mlreg.ids import CommitId, ObjectId, is_lower_hex

KEY = "bundle.json"
MAX_BYTES = 8 * 1024 * 1024
"""Bytes of `bundle.json`."""


class Need(NamedTuple):
    """A version that must be there before a bundle is applied."""

    ref: str
    """As the log names entry and version: `model/net@1.0.0`."""
    commit: CommitId


class Bundle(NamedTuple):
    """What `bundle.json` says."""

    repository: str
    """Id of the repository that it was made of; that of the bundle itself is another."""
    point: Point
    """Where the log of that repository was."""
    time: str
    author: str
    host: str
    needs: tuple[Need, ...]
    left_out: int
    """Pieces of files of the versions in it that it does not hold."""
    sum: str
    """Of those: 64 digits, see `sum_of`."""

    def encode(self) -> bytes:
        """Return the bytes of `bundle.json`."""
        needs = [{"commit": str(need.commit), "ref": need.ref} for need in self.needs]
        return canonical.encode({**self._asdict(), "format": FORMAT, "needs": needs, "point": self.point.fields()})

    @classmethod
    def decode(cls, data: bytes) -> Bundle:
        """Read `bundle.json`.

        Raises:
            IntegrityError: `bad_bundle`, `bad_json`. UnsupportedError: `newer_format`.
        """
        fields = canonical.decode(data, MAX_BYTES)
        refuse_newer(fields, "bundle")
        try:
            needs = tuple(Need(str(need["ref"]), CommitId.parse(need["commit"])) for need in fields["needs"])
            read = {"needs": needs, "point": Point.of(fields["point"])}
            found = cls(**{name: fields[name] for name in cls._fields} | read)
            texts = (found.repository, found.time, found.author, found.host)
            is_sound = all(type(text) is str for text in texts) and is_lower_hex(found.sum, 64)
            if not is_sound or type(found.left_out) is not int or found.left_out < 0 or found.encode() != data:
                raise ValueError("a field is not as it should be")
        except (KeyError, TypeError, ValueError, AttributeError, MlregError) as error:
            raise bad_bundle("bundle.json does not hold what it should") from error
        return found


def sum_of(pieces: Iterable[ObjectId]) -> str:
    """Return the BLAKE3 of some ids, one behind the other in their order."""
    return blake3(b"".join(sorted(pieces))).hexdigest()


def bad_bundle(reason: str) -> IntegrityError:
    """Return the error for what is not as a bundle is written."""
    return IntegrityError("bad_bundle", "a bundle cannot be read", why=reason, fix="have it made and copied again")
