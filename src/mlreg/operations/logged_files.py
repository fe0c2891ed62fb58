"""Files that a live run was given: copied into its directory as they are at that moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlreg.errors import explain
from mlreg.formats.paths import check_path
from mlreg.operations.journaling import FILES
from mlreg.operations.scanning import named_path, sources_below


def keep_path(run: Path, path: str | Path, below: str, name: str = "") -> Iterator[Mapping[str, str]]:
    """Copy a file, or all files below a directory; yield what the journal says of each.

    Args:
        run: directory of the run.
        path: a file or a directory.
        below: where in the version it stands: `artifacts`.
        name: what it is called there; by default a file is called as it is, and a directory stands for what is in it.

    Raises:
        NotFoundError: `file_missing`. RefusedError: `special_file`, `unsafe_path`. NoSpaceError, AccessError.
    """
    given = named_path(path)
    is_directory = given.is_dir()
    for source in sources_below([given]):
        inside = f"{name}/{source.path}" if name and is_directory else name or source.path
        yield _copied(run, str(source.content), f"{below}/{inside}")


def _copied(run: Path, source: str, path: str) -> Mapping[str, str]:
    check_path(path)
    place = _new_place(run)
    try:
        shutil.copy(source, place)
    except OSError as error:
        raise explain(error, source) from error
    return {"path": path, "place": place.name}


def keep_bytes(run: Path, data: bytes, path: str) -> Mapping[str, str]:
    """Write bytes to a file of a run; return what the journal says of it. Errors as `keep_path`."""
    check_path(path)
    place = _new_place(run)
    try:
        place.write_bytes(data)
    except OSError as error:
        raise explain(error, path) from error
    return {"path": path, "place": place.name}


def _new_place(run: Path) -> Path:
    directory = run / FILES
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise explain(error, str(directory)) from error
    return directory / os.urandom(8).hex()
