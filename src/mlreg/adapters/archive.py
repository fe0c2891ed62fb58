"""Zip archives that are the same for the same content: without the times at which they were written."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

MAX_GROWTH = 10
"""Times its own size that a zip may unpack to."""
ALWAYS_ALLOWED = 256 * 1024 * 1024
"""Bytes that any zip may unpack to."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can tell."""


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the members of a zip that a framework has just written, in their order."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_member(place: Path, name: str, limit: int) -> bytes:
    """Return one member of a zip that anyone may have written.

    Raises:
        ValueError: it has more than `limit` bytes.
    """
    with zipfile.ZipFile(place) as archive, archive.open(name) as member:
        # One byte more than allowed, whatever size the archive promises.
        data = member.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{name} has more than {limit} bytes")
    return data


def refuse_bomb(data: BinaryIO) -> None:
    """Refuse a zip that unpacks to far more than it has, before a framework does so.

    A member never gives more bytes than its entry says, whatever it holds.

    Raises:
        ValueError: its members have more than `MAX_GROWTH` times its bytes.
    """
    with zipfile.ZipFile(data) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    limit = max(ALWAYS_ALLOWED, MAX_GROWTH * data.seek(0, io.SEEK_END))
    if unpacked > limit:
        raise ValueError(f"a zip that unpacks to {unpacked} bytes, where at most {limit} are allowed")


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip whose members are stored as they are, in their order: packs compress them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            # As on every system.
            entry.create_system = 3
            archive.writestr(entry, data)
    return buffer.getvalue()
