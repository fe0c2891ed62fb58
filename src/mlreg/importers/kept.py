"""Versions of files as another place keeps them, in our words, and what of them cannot be brought along."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Protocol

from mlreg.formats.names import Entry
from mlreg.formats.tree import File
from mlreg.importers.foreign_values import Names
from mlreg.operations.scanning import Source

MODEL_SUFFIXES = frozenset(
    {".bin", ".ckpt", ".gguf", ".h5", ".joblib", ".keras", ".onnx", ".pb", ".pkl", ".pt", ".pth", ".safetensors"}
)
KIND_OF_WORD = {
    **dict.fromkeys(("checkpoints", "ckpt", "model", "models", "weights"), "model"),
    **dict.fromkeys(("data", "dataset", "datasets"), "data"),
}
"""Names of directories that say what lies below them."""
SOURCE = "source"
"""The metadata that say where a version came from, by which it is found again."""


class Needed(NamedTuple):
    """A version that another one was made from."""

    role: str
    entry: Entry
    key: str


class KeptVersion(NamedTuple):
    """A version of files at another place."""

    entry: Entry
    key: str
    """Which one of the entry it is there: never that of another one."""
    version: str
    """What it is called there; empty if nothing but its place in the order tells it."""
    day: date
    files: int
    size: int
    metadata: Mapping[str, Any]
    message: str = ""
    inputs: Sequence[Needed] = ()
    tags: Sequence[str] = ()


class LeftOut(NamedTuple):
    """What is not brought along."""

    what: str
    why: str


class KeptFiles(Protocol):
    """A place that keeps versions of files."""

    tool: str
    left_out: list[LeftOut]
    """Known when all versions were yielded."""

    def versions(self) -> Iterator[KeptVersion]:
        """Yield the versions; those that others were made from, and of one entry the older ones, come first."""
        ...

    def sources(self, version: KeptVersion) -> list[Source]:
        """Return the files of a version."""
        ...

    def learn(self, version: KeptVersion, files: Iterable[File]) -> None:
        """Take notice of what the files of a version turned out to be: the same ones need not be read again."""
        ...


class Entries:
    """Entries for paths: what a path is, a model or data, is told by its directories and by how it ends."""

    def __init__(self, kind: str = "") -> None:
        """Know none yet; with a kind, everything is of that kind."""
        self._kind = kind
        self._names = {name: Names(name) for name in ("model", "data")}

    def of(self, path: str, *, is_model: bool | None = None) -> Entry:
        """Return the entry for a path; other paths have other ones.

        Args:
            path: with `/` between its parts.
            is_model: what it is if none of its directories says so; by default how it ends tells it.
        """
        words = PurePosixPath(path).parts
        kinds = [KIND_OF_WORD[word.lower()] for word in words[:-1] if word.lower() in KIND_OF_WORD]
        if is_model is None:
            is_model = PurePosixPath(path).suffix.lower() in MODEL_SUFFIXES
        kind = self._kind or (kinds[0] if kinds else "model" if is_model else "data")
        # `models/net` is model/net, and not model/models/net.
        own = words[1:] if len(words) > 1 and KIND_OF_WORD.get(words[0].lower()) == kind else words
        return Entry(kind, self._names[kind].of("/".join(own)))


def role_of(entry: Entry) -> str:
    """Return what an entry is used as: the last word of its name, as far as it may be a role."""
    word = re.sub(r"[^a-z0-9-]+", "-", entry.name.rpartition("/")[2]).strip("-")
    return word if len(word) > 1 and word[0].isalpha() else entry.kind
