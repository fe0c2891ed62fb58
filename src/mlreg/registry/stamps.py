"""Stamps for make: files that change when what a ref means changes, and only then."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from mlreg.errors import UsageError, explain
from mlreg.registry.results import Resolved
from mlreg.stores.small_file import replace_file


def check_stamp(path: Path | None) -> Path | None:
    """Return the path of a stamp, if one can be written there: asked before anything is done.

    Raises:
        UsageError: `bad_stamp`, there is something that is no file, and would be replaced or written into.
        AccessError: `access_denied`.
    """
    if path is None:
        return None
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return path
    except OSError as error:
        raise explain(error, str(path)) from error
    if not stat.S_ISREG(mode):
        what = "is a directory" if stat.S_ISDIR(mode) else "is a link" if stat.S_ISLNK(mode) else "is no file"
        raise _bad(f"{path} {what}")
    return path


def keep_stamp_out(path: Path | None, directories: Iterable[Path], why: str) -> None:
    """Refuse a stamp below a directory whose content it would change.

    Raises:
        UsageError: `bad_stamp`.
    """
    for directory in directories if path else ():
        if path and path.resolve().is_relative_to(directory.resolve()):
            raise _bad(f"{path} is in {directory}", why)


def write_stamp(path: Path | None, resolved: Iterable[Resolved]) -> None:
    """Write a line `REF ID` for each ref into a file, unless the file holds exactly this; nothing without a path.

    The directory is made if need be, and a reader sees the old file or the new one.

    Raises:
        AccessError, NoSpaceError: from the file system.
    """
    if path is None:
        return
    data = "".join(f"{one.ref} {one.id}\n" for one in resolved).encode()
    try:
        if not path.is_file() or path.read_bytes() != data:
            replace_file(path, data)
    except OSError as error:
        raise explain(error, str(path)) from error


def write_whole(text: str, path: Path) -> None:
    """Write text to a file so that whoever reads it meanwhile sees the old one or the new one.

    Raises:
        UsageError: `bad_stamp`, there is something that is no file.
        AccessError, NoSpaceError: from the file system.
    """
    check_stamp(path)
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise explain(error, str(path)) from error


def _bad(message: str, why: str = "a stamp is a file of its own") -> UsageError:
    return UsageError("bad_stamp", f"no stamp can be written there: {message}", why=why, fix="--stamp build/NAME.stamp")
