"""Where repositories are: made, found from a directory, and named so that it means the same from everywhere."""

from __future__ import annotations

from pathlib import Path

from mlreg.errors import NoRepositoryError
from mlreg.formats.identity import KEY

DIRECTORY = ".mlreg"
"""Where the repository of a project lies."""


def init(directory: Path, *, shared: bool) -> tuple[Path, bool]:
    """Make an empty repository; return where it is, and False if it was there already.

    Args:
        directory: a project, whose repository becomes `.mlreg` in it.
        shared: make the directory itself the repository, to push to and clone from.
    """
    from mlreg.repository.repository import create_repository
    from mlreg.stores.directory import DirectoryStore, make_directory

    store = DirectoryStore(directory if shared else directory / DIRECTORY)
    make_directory(store.root)
    return store.root, create_repository(store)


def find_repository(start: Path) -> Path:
    """Return the repository of the directory `start`: `.mlreg` in it or in the nearest parent, or itself.

    Raises:
        NoRepositoryError: `no_repository`.
    """
    for directory in (start, *start.parents):
        if found := _repository_in(directory):
            return found
    raise _no_repository(f"in {start} or above it")


def repository_of(directory: Path) -> Path:
    """Return the repository of a directory that was named outright: `.mlreg` in it, or itself.

    Raises:
        NoRepositoryError: `no_repository`.
    """
    if found := _repository_in(directory):
        return found
    raise _no_repository(f"in {directory}")


def _repository_in(directory: Path) -> Path | None:
    return next((place for place in (directory / DIRECTORY, directory) if (place / KEY).is_file()), None)


def _no_repository(where: str) -> NoRepositoryError:
    return NoRepositoryError(
        "no_repository",
        f"there is no mlreg repository {where}",
        fix=("mlreg init", "mlreg clone URL", "say where it is: mlreg -C DIR ..."),
    )


def full_url(url: str) -> str:
    """Return a URL that means the same from everywhere: a path is made absolute, a project's repository found.

    Raises:
        UsageError: `bad_url`, `unknown_scheme`.
    """
    from mlreg.stores import open_store

    place = open_store(url).url
    inside = f"{place}/{DIRECTORY}"
    is_project = open_store(place).size(KEY) is None and open_store(inside).size(KEY) is not None
    return inside if is_project else place
