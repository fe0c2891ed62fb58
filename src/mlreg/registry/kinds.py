"""What differs between kinds of entries. To add a kind, add a line."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of entry."""

    name: str
    version_format: str
    """How its versions are called, if the settings do not say."""


KINDS: dict[str, Kind] = {
    "model": Kind("model", "major.minor.patch"),
    "data": Kind("data", "YYYY.MM.DD"),
    "exp": Kind("exp", "run id"),
}
