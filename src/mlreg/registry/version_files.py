"""The files of one version, found, listed and opened one by one, and the names under which versions are found.

Nothing grows with the version here: a directory costs what is right in it, a file what is read of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.names import Entry
from mlreg.formats.paths import check_path
from mlreg.formats.tree import File, Folder, Node, at_or_below, listed
from mlreg.ids import TreeId
from mlreg.operations import history
from mlreg.operations.opened_file import OpenedFile
from mlreg.registry.describe import version_info
from mlreg.registry.resolve import entries_of
from mlreg.registry.results import VersionInfo

if TYPE_CHECKING:
    from mlreg.registry.registry import Registry


NODES_KEPT = 32
"""Nodes of the tree of a version that are kept: each names a thousand files, as a rule."""


class Names(NamedTuple):
    """What lies right below the first words of names."""

    words: tuple[str, ...]
    """Next words, sorted: `data`, and below it `vision`."""
    versions: tuple[str, ...]
    """Versions of the entries there: `frames@2026.11.23`; of each entry the newest first."""


def names_below(registry: Registry, beginning: str = "") -> Names:
    """Return what lies right below `data`, or `data/vision`, or everything if it is empty."""
    view = registry.repository.log.refresh()
    prefix = f"{beginning}/" if beginning else ""
    below = {str(shown): entry for entry, shown in entries_of(view).items() if str(shown).startswith(prefix)}
    words = {rest.partition("/")[0] for name in below if "/" in (rest := name.removeprefix(prefix))}
    versions = (
        f"{name.removeprefix(prefix)}@{history.leaf_of(ref)}"
        for name, entry in below.items()
        if "/" not in name.removeprefix(prefix)
        for ref in history.newest_first(view, entry)
        if ref.target
    )
    return Names(tuple(sorted(words)), tuple(versions))


def entry_above(registry: Registry, path: str) -> str:
    """Return the entry whose name a path is, or begins with; empty if there is none."""
    names = map(str, entries_of(registry.repository.log.refresh()).values())
    return max((name for name in names if f"{path}/".startswith(f"{name}/")), key=len, default="")


def has_tag(registry: Registry, entry: str, tag: str) -> bool:
    """Tell whether an entry has a tag."""
    from mlreg.operations.naming import meant

    view = registry.repository.log.refresh()
    found = history.tags_of(view, meant(view, Entry.parse(entry))).get(tag)
    return found is not None and found.target is not None


class VersionFiles:
    """The files of one version. It stays that version, whatever happens to tags and names."""

    def __init__(self, registry: Registry, text: str) -> None:
        """Find the version.

        Args:
            registry: where refs begin.
            text: a ref; a path in it is ignored.

        Raises:
            NotFoundError: `ref_not_found`, and what else a ref may raise.
        """
        self.repository, _, self.target = registry.find(text)
        self._cache = registry.cache or Path(registry.path) / "cache"
        self._commit = history.read_commit(self.repository, self.target.commit_id)
        self._node = lru_cache(NODES_KEPT)(self._read_node)

    def _read_node(self, node: TreeId) -> Node:
        return Node.decode(self.repository.objects.read_tree(node))

    @property
    def time(self) -> str:
        """When it was registered, UTC: `2026-11-23T06:28:00Z`."""
        return self._commit.time

    @property
    def info(self) -> VersionInfo:
        """What is known of the version."""
        return version_info(self.repository, self.target.commit_id, self._commit)

    @property
    def place(self) -> Path:
        """A directory of the cache for its files, the same for versions with the same files."""
        return self._cache / "datasets" / str(self._commit.tree)

    @property
    def is_single(self) -> bool:
        """Whether it was registered as one file."""
        return self._commit.form != "directory" and self._commit.files == 1

    def find(self, path: str) -> File | Folder:
        """Return what a path names; the empty one is the directory of all.

        Raises:
            NotFoundError: `path_not_found`.
        """
        if not path:
            return Folder("")
        first = next(at_or_below(self._commit.tree, self._node, path), None)
        if first is None:
            raise self._missing(path)
        return first if first.path == path else Folder(path)

    def listed(self, folder: str = "") -> Iterator[File | Folder]:
        """Yield what lies right in a directory, in order.

        Raises:
            RefusedError: `unsafe_path`, someone else's work.
        """
        for one in listed(self._commit.tree, self._node, folder):
            check_path(one.path)
            yield one

    def below(self, path: str = "") -> Iterator[File]:
        """Yield the file with a path, or all below it, in order.

        Raises:
            RefusedError: `unsafe_path`, someone else's work.
        """
        for file in history.files_of(self.repository, self._commit, path):
            check_path(file.path)
            yield file

    def open(self, path: str) -> OpenedFile:
        """Open a file for reading, at any place.

        Raises:
            NotFoundError: `path_not_found`.
            UsageError: `no_path`, it is a directory.
        """
        found = self.find(path)
        if isinstance(found, Folder):
            place = f"{self.target}:{path}" if path else str(self.target)
            raise UsageError("no_path", f"{place} is a directory", fix=f"mlreg ls {self.target}")
        return OpenedFile(self.repository.objects, found, f"{self.target}:{path}")

    def _missing(self, path: str) -> NotFoundError:
        return NotFoundError("path_not_found", f"{self.target} has no file {path}", fix=f"mlreg ls {self.target}")
