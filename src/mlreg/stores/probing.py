"""What a file system can do, tried out in a directory: what mlreg relies on, and what changes how it should be used."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_MOUNTS = Path("/proc/self/mounts")
NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "fuse.sshfs",
    "afs",
    "9p",
    "lustre",
    "beegfs",
    "gpfs",
    "ceph",
    "glusterfs",
    "fuse.s3fs",
)
"""What the names of file systems begin with that other machines see, too."""


class Probe(NamedTuple):
    """What a directory can do."""

    is_writable: bool
    has_links: bool = True
    """Whether `link(2)` works, and refuses a name that is taken: of two writers only one wins."""
    flushes: bool = True
    """Whether a directory can be flushed to the disk."""
    tells_case: bool = True
    """Whether `a` and `A` are two files."""


def probe(directory: Path) -> Probe:
    """Try a file system out with a file of its own, which is gone afterwards.

    Args:
        directory: that is there.
    """
    name = f".tmp-probe-{os.urandom(8).hex()}"
    one, other, upper = directory / name, directory / f"{name}-2", directory / name.upper()
    try:
        os.close(os.open(one, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return Probe(is_writable=False)
    try:
        return Probe(
            is_writable=True,
            has_links=_links(one, other),
            flushes=_flushes(directory),
            tells_case=not upper.exists(),
        )
    finally:
        for path in (one, other):
            with suppress(OSError):
                path.unlink()


def _links(one: Path, other: Path) -> bool:
    try:
        os.link(one, other)
    except OSError:
        return False
    try:
        os.link(one, other)
    except FileExistsError:
        return True
    except OSError:
        return False
    return False


def _flushes(directory: Path) -> bool:
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        os.fsync(fd)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def network_of(directory: Path) -> str:
    """Return the kind of network file system that a path lies on; empty if it lies on none, or that is not known."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    mounts = [(fields[1], fields[2]) for line in lines if len(fields := line.split()) > 2]
    path = directory.resolve()
    above = [(point, kind) for point, kind in mounts if path.is_relative_to(point)]
    _, kind = max(above, key=lambda mount: len(mount[0]), default=("", ""))
    return kind if kind.startswith(NETWORK) else ""


def is_open_to_all(directory: Path) -> bool:
    """Tell whether everyone on this machine may write into a directory, and take away what others wrote."""
    try:
        mode = directory.stat().st_mode
    except OSError:
        return False
    return bool(mode & 0o002) and not mode & 0o1000
