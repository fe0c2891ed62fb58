"""Files that wait to become a version: a directory of the repository for each entry, that anyone may write to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlreg.errors import NotFoundError, RefusedError
from mlreg.formats.names import Entry
from mlreg.formats.versions import AUTO
from mlreg.operations.scanning import Source, sources_below, stamp_of
from mlreg.registry.given import Inputs, listed
from mlreg.registry.results import VersionInfo

if TYPE_CHECKING:
    from mlreg.registry.registry import Registry

DIRECTORY = "staging"
"""Where in a repository such files lie."""
_SLASH = "+"
"""Stands for `/` in the name of an entry, which has no such character."""


def area_of(registry: Registry, entry: str) -> Path:
    """Return the directory whose files become the next version of an entry; it need not be there.

    Raises:
        RefusedError: `no_staging`, the repository is no directory.
        UsageError: `bad_name`.
    """
    named = Entry.parse(entry)
    return _areas(registry) / named.kind / named.name.replace("/", _SLASH)


def _areas(registry: Registry) -> Path:
    if "://" in registry.path:
        why = "files that wait lie in the directory of a repository"
        raise RefusedError("no_staging", f"nothing can wait in {registry.path}", why=why, fix="write to one here")
    return Path(registry.path) / DIRECTORY


def staged(registry: Registry) -> list[str]:
    """Return the entries that have an area, sorted."""
    if "://" in registry.path:
        return []
    found = _areas(registry).glob("*/*")
    return sorted(f"{area.parent.name}/{area.name.replace(_SLASH, '/')}" for area in found)


def commit_area(
    registry: Registry,
    entry: str,
    *,
    version: str = "",
    bump: str = "",
    metadata: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
    message: str = "",
    tags: Iterable[str] = (),
) -> VersionInfo:
    """Register the files that wait as the next version of an entry; those that were registered wait no longer.

    What is written meanwhile is kept, and waits for the next time.

    Args:
        registry: of the repository.
        entry: `data/NAME`.
        version: its name; by default the next one.
        bump: instead of a version.
        metadata: JSON values.
        inputs: (role, ref).
        message: why.
        tags: set in the same step.

    Raises:
        NotFoundError: `nothing_staged`.
        ConflictError: `version_exists`; nothing has changed.
    """
    area = area_of(registry, entry)
    if not any(files for _, _, files in os.walk(area)):
        raise NotFoundError(
            "nothing_staged",
            f"no file waits to become a version of {entry}",
            fix=f"write one below mlreg:///{entry}@staging/ first",
        )
    sources = sources_below([area])
    added = registry.register(
        entry,
        sources,
        "directory",
        version=version or ("" if bump else AUTO),
        bump=bump,
        metadata=metadata,
        inputs=inputs,
        message=message,
        tags=listed(tags),
    )
    _take_away(area, sources)
    return added.version


def _take_away(area: Path, sources: Iterable[Source]) -> None:
    for source in sources:
        path = area / source.path
        with suppress(OSError):
            if stamp_of(path.stat()) == source.stamp:
                path.unlink()
    for directory, _, _ in os.walk(area, topdown=False):
        with suppress(OSError):  # it is not empty
            Path(directory).rmdir()
