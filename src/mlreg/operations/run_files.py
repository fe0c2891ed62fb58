"""The files of a run that is sealed: what was logged and is there, under paths that any system can hold."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import MlregError
from mlreg.formats.paths import check_path, fold
from mlreg.formats.run import Artifact
from mlreg.operations.scanning import Source


class RunFiles(NamedTuple):
    """The files of a run."""

    sources: list[Source]
    missing: list[str]
    """Paths of files that were logged and are not there any more, or are no files of the run."""
    moved: dict[str, str]
    """From where a file stands to where it was to stand, if another one has that place."""


class _Places:
    """Paths that can lie side by side: no two that any system takes for one, no file where others have a directory."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._directories: dict[str, str] = {}
        """From what folds to one place to how it is written."""

    def has_room(self, path: str) -> bool:
        above = _above(path)
        return (
            fold(path) not in self._files
            and fold(path) not in self._directories
            and not any(fold(one) in self._files or self._directories.get(fold(one), one) != one for one in above)
        )

    def take(self, path: str) -> None:
        self._files.add(fold(path))
        self._directories.update((fold(one), one) for one in _above(path))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def files_of_run(
    files: Path, artifacts: Iterable[Artifact], earlier: Iterable[Source], reserved: Iterable[str]
) -> RunFiles:
    """Return the files that a run is sealed with.

    Args:
        files: the directory in which they were kept when they were logged.
        artifacts: what was logged, each path once.
        earlier: files of the run from before it was resumed, which a file with the same path replaces.
        reserved: paths that are taken already.
    """
    found, missing = [], []
    for artifact in artifacts:
        if source := _logged(files, artifact):
            found.append(source)
        else:
            missing.append(artifact.path)
    sources, moved = _side_by_side({one.path: one for one in (*earlier, *found)}.values(), reserved)
    return RunFiles(sources, missing, moved)


def _logged(files: Path, artifact: Artifact) -> Source | None:
    """Return a file that was logged; a run may come from elsewhere, and nothing but a file of its own is taken."""
    place = files / artifact.place
    try:
        check_path(artifact.path)
        is_own = artifact.place == Path(artifact.place).name and stat.S_ISDIR(files.lstat().st_mode)
        is_file = is_own and stat.S_ISREG(place.lstat().st_mode)
    except (OSError, ValueError, MlregError):
        return None
    return Source(artifact.path, str(place)) if is_file else None


def _side_by_side(sources: Iterable[Source], reserved: Iterable[str]) -> tuple[list[Source], dict[str, str]]:
    places, found, moved = _Places(), [], {}
    for path in reserved:
        places.take(path)
    for source in sources:
        path, count = source.path, 1
        while not places.has_room(path):
            count += 1
            # Short, so that it is legal wherever the whole path was.
            path = f"{count}/{source.path.rpartition('/')[2]}"
        if path != source.path:
            moved[path] = source.path
        places.take(path)
        found.append(source._replace(path=path))
    return found, moved
