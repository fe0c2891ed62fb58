"""Files of another tool: those below directories that the user has named, and no others, whatever the tool says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mlreg.errors import MlregError
from mlreg.formats.paths import MAX_DEPTH, check_path
from mlreg.importers.foreign import Notices
from mlreg.operations.scanning import Source, sources_below

MAX_TEXT = 4 * 1024 * 1024
"""Bytes of a text that is read: a param, a tag, a description."""


class Roots:
    """Directories that were named. What links, files or databases name elsewhere is not read."""

    def __init__(self, *directories: Path) -> None:
        """Name them."""
        self._roots = [directory.resolve() for directory in directories]

    def place(self, path: Path) -> Path | None:
        """Return a path with all links followed; None if it lies elsewhere, or can be none."""
        try:
            resolved = path.resolve()
        except (OSError, ValueError, RuntimeError):
            return None
        return resolved if any(resolved.is_relative_to(root) for root in self._roots) else None

    def directory(self, path: Path) -> Path | None:
        """Return a directory, as `place` does; None if there is none."""
        found = self.place(path)
        return found if found and is_directory(found) else None

    def file(self, path: Path) -> Path | None:
        """Return a file, as `place` does; None if there is none."""
        found = self.place(path)
        return found if found and stat.S_ISREG(_mode(found)) else None

    def text(self, path: Path, notices: Notices) -> str | None:
        """Return what stands in a file; None if there is none, or if it is too long."""
        if not (found := self.file(path)):
            if os.path.lexists(path):
                notices.add("text left out: it is a link that leads out of what is imported, or no file")
            return None
        try:
            with found.open("rb") as file:
                data = file.read(MAX_TEXT + 1)
        except OSError as error:
            notices.add(f"file left out that cannot be read: {error.strerror}")
            return None
        if len(data) > MAX_TEXT:
            notices.add(f"text left out that has more than {MAX_TEXT} bytes")
            return None
        return data.decode("utf-8", "replace")

    def files_below(self, directory: Path, place: str, notices: Notices) -> list[Source]:
        """Return the files of a directory, sorted, as they stand in a version below a place.

        What cannot be kept is noticed: what leads out, is no file, cannot be read, or has a name that is not safe.
        """
        above = f"{place}/" if place else ""
        found = (self._source(path, f"{above}{inside}", notices) for path, inside in walk(directory))
        return [source for source in found if source]

    def _source(self, path: Path, inside: str, notices: Notices) -> Source | None:
        if (found := self.place(path)) is None:
            notices.add("artifact left out: it is a link that leads out of what is imported")
            return None
        if is_directory(found):
            notices.add("artifact left out: it is a link to a directory")
            return None
        try:
            check_path(inside)
            (source,) = sources_below([path])
        except MlregError as error:
            notices.add(f"artifact left out: {error.message}")
            return None
        if not os.access(path, os.R_OK):
            notices.add("artifact left out that may not be read")
            return None
        return source._replace(path=inside)


def walk(directory: Path) -> Iterator[tuple[Path, str]]:
    """Yield all that is below a directory but directories, with its path from there; links are not gone into."""
    left = [(directory, "")]
    while left:
        above, inside = left.pop()
        try:
            entries = sorted(os.scandir(above), key=lambda entry: entry.name)
        except OSError:
            continue
        below = []
        for entry in entries:
            name = f"{inside}{entry.name}"
            if not entry.is_dir(follow_symlinks=False):
                yield Path(entry.path), name
            elif name.count("/") < MAX_DEPTH:
                below.append((Path(entry.path), f"{name}/"))
        left.extend(reversed(below))


def is_directory(path: Path) -> bool:
    """Tell whether there is a directory, whatever stands in the path."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0
