"""What differs between kinds of entries. To add a kind, add a line."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.formats.names import Entry
from mlreg.formats.versions import SCHEMES, VersionScheme


class Kind(NamedTuple):
    """A kind of entry."""

    name: str
    scheme: VersionScheme
    """How its versions are called and ordered."""


KINDS: dict[str, Kind] = {
    "model": Kind("model", SCHEMES["semver"]),
    "data": Kind("data", SCHEMES["calver"]),
}


def scheme_of(entry: Entry) -> VersionScheme:
    """Return how the versions of an entry are called and ordered."""
    return KINDS[entry.kind].scheme
