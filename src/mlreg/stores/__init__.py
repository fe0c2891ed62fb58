"""Stores: bytes under keys, somewhere. `store` is the promise; each other file is one kind of place.

To add one: write a file beside `directory.py` and add its scheme to `STORES`. The conformance tests
in `tests/conformance/test_stores.py` run on every kind.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlreg.errors import UsageError
from mlreg.stores.archive import ArchiveStore
from mlreg.stores.directory import DirectoryStore, directory_of, full_path
from mlreg.stores.store import Store


def _on_disk(url: str) -> Store:
    path = directory_of(url)
    # A file holds a repository, too: a backup or a bundle.
    return ArchiveStore(path) if path.is_file() else DirectoryStore(path)


STORES: dict[str, Callable[[str], Store]] = {"file": _on_disk}
"""From the scheme of a URL to what opens it."""


def scheme_of(url: str) -> str:
    """Return the scheme of a URL; a plain path has the scheme `file`.

    Raises:
        UsageError: `unknown_scheme`, or `bad_url`.
    """
    if not url or url.startswith("-") or not url.isprintable():
        raise UsageError("bad_url", f"not a place for a repository: {url!r}", fix="give a path or file:///path")
    scheme, colon, rest = url.partition(":")
    if not colon or "/" in scheme or not (rest.startswith("/") or "://" in url):
        return "file"
    if scheme not in STORES:
        raise UsageError(
            "unknown_scheme",
            f"mlreg cannot open {scheme}: places",
            why=f"it knows: {', '.join(f'{known}:' for known in STORES)} and plain paths",
            fix="give a path or file:///path",
        )
    return scheme


def path_of(url: str) -> Path:
    """Return the path of a place on a disk, which need not be there.

    Raises:
        UsageError: as `scheme_of`, or it is not on a disk.
    """
    scheme_of(url)
    return full_path(directory_of(url))


def open_store(url: str) -> Store:
    """Return the store at a URL or path; a directory is not touched, a file is opened.

    Raises:
        UsageError: as `scheme_of`. IntegrityError: `bad_archive`.
    """
    return STORES[scheme_of(url)](url)
