"""Stamps for make: files that change when what a ref means changes, and only then."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mlreg.errors import explain
from mlreg.registry.results import Resolved


def write_stamp(path: Path | None, resolved: Iterable[Resolved]) -> None:
    """Write a line `REF ID` for each ref into a file, unless the file holds exactly this; nothing without a path.

    The directory is made if need be, and a reader sees the old file or the new one.

    Raises:
        AccessError, NoSpaceError: from the file system.
    """
    if path is None:
        return
    text = "".join(f"{one.ref} {one.id}\n" for one in resolved)
    try:
        if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
            _replace(path, text)
    except OSError as error:
        raise explain(error, str(path)) from error


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
