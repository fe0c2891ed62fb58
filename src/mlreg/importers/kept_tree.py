"""Models and data as people keep them in directories: `resnet/v1`, `frames/2024-05-01`, `resnet_v3.pt`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import MlregError, NotFoundError, UsageError
from mlreg.formats.names import Entry, check_tag
from mlreg.formats.tree import File
from mlreg.formats.versions import order
from mlreg.importers.foreign_values import printable
from mlreg.importers.kept import KIND_OF_WORD, MODEL_SUFFIXES, SOURCE, Entries, KeptVersion, LeftOut
from mlreg.operations.scanning import Source, size_in, sources_below

TOOL = "tree"
_DAY = re.compile(r"((?:19|20)[0-9]{2})([-._]?)([0-9]{2})\2([0-9]{2})", re.ASCII)
_NUMBERS = re.compile(
    r"v(?:ersion)?[-_.]?([0-9]{1,9}(?:[._][0-9]{1,9}){0,2})|([0-9]{1,9}(?:\.[0-9]{1,9}){1,2})", re.ASCII
)
_PLAIN = re.compile(r"[0-9]{1,4}", re.ASCII)
_FILE = re.compile(r"(?:(.+)[-_.])?(v[0-9]+(?:[._][0-9]+){0,2})((?:\.[a-z][a-z0-9]{0,11}){1,2})", re.ASCII)


class _Version(NamedTuple):
    """A directory or file that is a version of something."""

    path: Path
    entry: str
    """The path of what it is a version of, from the directory that is imported."""
    version: str
    """`1.2.0`, `2024.05.01`; empty if its name says none."""


class TreeStore:
    """The versions in a tree of directories, by the names of its directories and files."""

    tool = TOOL

    def __init__(self, directory: Path, kind: str = "") -> None:
        """Name the directory.

        Args:
            directory: with entries in it, or with directories such as `models` and `data` that have them.
            kind: of all entries; by default it is told by their paths and files.

        Raises:
            NotFoundError: `file_missing`, there is no such directory.
        """
        if not directory.is_dir():
            raise NotFoundError("file_missing", f"{directory} is no directory", fix="name the one with the versions")
        self.left_out: list[LeftOut] = []
        self._root = directory.resolve()
        self._kind = kind
        self._entries = Entries(kind)
        self._paths: dict[tuple[Entry, str], Path] = {}
        self._days: dict[Entry, date] = {}
        """Of each entry the day of the version before: a later one is not older."""
        self._links: dict[Path, list[Path]] = {}
        """Links that may be tags, by what they lead to."""

    def versions(self) -> Iterator[KeptVersion]:
        """As `KeptFiles`."""
        found = list(self._within(self._root))
        found.sort(key=lambda one: (one.entry, order(one.version or "0"), one.path.name))
        for one in found:
            if version := self._kept(one):
                yield version
        left = {one.what for one in self.left_out}
        for target, links in self._links.items():
            is_left = self._is_inside(target) and self._shown(target) in left
            why = "a link to what was left out itself" if is_left else "a link that leads to no version"
            self.left_out += [LeftOut(self._shown(link), why) for link in links]

    def sources(self, version: KeptVersion) -> list[Source]:
        """As `KeptFiles`."""
        return sources_below([self._paths[version.entry, version.key]])

    def learn(self, version: KeptVersion, files: Iterable[File]) -> None:
        """As `KeptFiles`: what was read is known by its times."""

    # What is a version.

    def _within(self, directory: Path) -> Iterator[_Version]:
        """Yield the versions in a directory that is none itself."""
        shown = sorted(path for path in directory.iterdir() if not path.name.startswith("."))
        entry, is_of_models = self._shown(directory), self._is_of_models(directory)
        own = {path: _version_of(path.name, is_plain=is_of_models) for path in shown if _is_folder(path)}
        has_versions = any(own.values())
        for path in shown:
            if path.is_symlink():
                self._links.setdefault(path.resolve(), []).append(path)
            elif path not in own:
                yield from self._file(path, entry)
            elif own[path]:
                yield _Version(path, entry, own[path])
            elif has_versions:
                self.left_out.append(LeftOut(self._shown(path), "it stands beside versions, and its name says none"))
            elif self._is_group(path):
                yield from self._within(path)
            else:
                yield _Version(path, self._shown(path), "")

    def _file(self, path: Path, entry: str) -> Iterator[_Version]:
        """Yield a file that is a version: `resnet_v3.pt`, or `v3.pt` in `resnet`."""
        if (found := _FILE.fullmatch(path.name)) and path.is_file():
            yield _Version(path, "/".join(filter(None, (entry, found[1]))), _version_of(found[2], is_plain=False))
        else:
            self.left_out.append(LeftOut(self._shown(path), "a file whose name says no version: mlreg add takes it"))

    def _is_of_models(self, directory: Path) -> bool:
        words = (*self._root.parts[-1:], *directory.relative_to(self._root).parts)
        return self._kind == "model" or any(KIND_OF_WORD.get(word.lower()) == "model" for word in words)

    def _is_group(self, path: Path) -> bool:
        """Tell whether a directory is not one thing: it is called `models`, or has versions somewhere below."""
        if path.name.lower() in KIND_OF_WORD and path.parent == self._root:
            return True
        is_plain = self._is_of_models(path)
        for _, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            if any(_version_of(name, is_plain=is_plain) for name in folders) or any(map(_FILE.fullmatch, names)):
                return True
        return False

    def _is_inside(self, path: Path) -> bool:
        """Tell whether a file lies below the directory that was named, wherever links lead."""
        return path.resolve().is_relative_to(self._root.resolve())

    def _kept(self, one: _Version) -> KeptVersion | None:
        key = self._shown(one.path)
        try:
            sources = sources_below([one.path])
        except MlregError as error:
            self.left_out.append(LeftOut(key, error.message))
            return None
        outside = [source.path for source in sources if not self._is_inside(Path(str(source.content)))]
        if outside:
            self.left_out.append(LeftOut(key, f"{outside[0]} is a link that leads out of {self._root.name}"))
            return None
        has_models = any(Path(source.path).suffix.lower() in MODEL_SUFFIXES for source in sources)
        entry = self._entries.of(one.entry or self._root.name, is_model=has_models or self._is_of_models(one.path))
        newest = datetime.fromtimestamp(max(Path(str(source.content)).stat().st_mtime for source in sources), UTC)
        day = self._days[entry] = max(newest.date(), self._days.get(entry, date.min))
        self._paths[entry, key] = one.path
        metadata = {SOURCE: {"key": key, "time": newest.strftime("%Y-%m-%dT%H:%M:%SZ"), "tool": TOOL}}
        size = sum(size_in(source.stamp) for source in sources)
        return KeptVersion(entry, key, one.version, day, len(sources), size, metadata, tags=self._tags(one.path))

    def _tags(self, path: Path) -> list[str]:
        """Return the names of the links that lead to a version."""
        found = []
        for link in self._links.pop(path, ()):
            try:
                check_tag(link.name)
                found.append(link.name)
            except UsageError as error:
                self.left_out.append(LeftOut(self._shown(link), f"a link that is no tag here: {error.why}"))
        return found

    def _shown(self, path: Path) -> str:
        return "" if path == self._root else printable(path.relative_to(self._root).as_posix())


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _version_of(name: str, *, is_plain: bool) -> str:
    """Return the version that a name says; empty if it says none.

    A plain number says one only where that is asked for: elsewhere it may be a class, or a part.

    >>> [_version_of(name, is_plain=False) for name in ("v1", "2024-05-01", "20240501", "1.2", "best", "v1_2_3", "7")]
    ['1', '2024.05.01', '2024.05.01', '1.2', '', '1.2.3', '']
    """
    if found := _DAY.fullmatch(name):
        with suppress(ValueError):
            return date(int(found[1]), int(found[3]), int(found[4])).strftime("%Y.%m.%d")
    if found := _NUMBERS.fullmatch(name.lower()):
        return (found[1] or found[2]).replace("_", ".")
    return name if is_plain and _PLAIN.fullmatch(name) else ""
