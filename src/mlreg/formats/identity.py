"""`mlreg.json`: the immutable file that says what a store is and what reading it needs.

Format page: `docs/format/identity.md`. It is written once, by `init`, and never changes; features
that come later are switched on by the `requires` list of a transaction, in order with the data that
needs them.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.formats import canonical
from mlreg.ids import TransactionHash, is_lower_hex

KEY = "mlreg.json"
FORMAT = 1
OLDER: frozenset[int] = frozenset()
"""Earlier formats that this release reads, and `mlreg migrate` makes into the newest. Format 1 is the first."""
FEATURES: frozenset[str] = frozenset({"annotations"})
"""Names of the features this release can read and write."""
MAX_BYTES = 64 * 1024
_FIELDS = {"created", "features", "format", "hash", "repository"}


class Identity(NamedTuple):
    """What `mlreg.json` says."""

    repository: str
    """32 random hexadecimal digits: which repository this is, whatever its place."""
    created: str
    """UTC time, `2026-11-23T06:28:00Z`; for people only."""
    features: tuple[str, ...] = ()
    """What a reader must know to read this repository at all."""
    format: int = FORMAT

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        return canonical.encode(
            {
                "created": self.created,
                "features": list(self.features),
                "format": self.format,
                "hash": "blake3-256",
                "repository": self.repository,
            }
        )

    @property
    def origin(self) -> TransactionHash:
        """What the first transaction names as the one before it, which ties the log to this repository."""
        return TransactionHash.of(self.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read `mlreg.json`, refusing by name what this release does not know.

        Raises:
            UnsupportedError: `newer_format` or `unknown_feature`.
            IntegrityError: `bad_identity`, or `bad_json`.
        """
        fields = canonical.decode(data, MAX_BYTES)
        if not isinstance(fields, dict) or type(fields.get("format")) is not int:
            raise IntegrityError("bad_identity", f"{KEY} does not say which format the repository has")
        if fields["format"] not in (FORMAT, *OLDER):
            raise UnsupportedError(
                "newer_format",
                f"the repository has format {fields['format']}; this mlreg reads format {FORMAT}",
                fix="pip install --upgrade mlreg",
            )
        if set(fields) != _FIELDS or not _is_sound(fields):
            raise IntegrityError("bad_identity", f"{KEY} does not hold the fields of format {FORMAT}")
        refuse_unknown(fields["features"])
        return cls(fields["repository"], fields["created"], tuple(fields["features"]), fields["format"])


def refuse_unknown(features: list[str]) -> None:
    """Raise `unknown_feature` if a repository needs something this release does not have."""
    if unknown := sorted(set(features) - FEATURES):
        raise UnsupportedError(
            "unknown_feature",
            f"the repository needs {', '.join(map(repr, unknown))}, which this mlreg does not know",
            fix="pip install --upgrade mlreg",
        )


def _is_sound(fields: dict[str, object]) -> bool:
    features = fields["features"]
    return (
        isinstance(fields["repository"], str)
        and is_lower_hex(fields["repository"], 32)
        and fields["hash"] == "blake3-256"
        and isinstance(fields["created"], str)
        and isinstance(features, list)
        and all(isinstance(name, str) for name in features)
    )
