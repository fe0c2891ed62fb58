"""Real file systems in image files, whose power can be cut.

The cut is the kernel's own shutdown request, without a flush of its journal, so what was not synced is really lost.
btrfs has none: there the image is copied while it is mounted, which is what had reached the disk.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN."""
WITHOUT_FLUSH = 2
MAKE = {
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
}
MOUNT = {"btrfs": ["-o", "loop,commit=300"], "ext4": ["-o", "loop,commit=300"], "xfs": ["-o", "loop"]}


class Disk:
    """A file system in an image file, whose power can be cut."""

    def __init__(self, kind: str, place: Path) -> None:
        self.kind, self.image, self.mounted = kind, place / "image", place / "disk"
        self.mounted.mkdir()
        with self.image.open("wb") as file:
            file.truncate(400 << 20)
        _run([*MAKE[kind], str(self.image)])
        self.mount()

    def mount(self) -> None:
        _run(["mount", *MOUNT[self.kind], str(self.image), str(self.mounted)])

    def cut(self, let_go: Callable[[], object] = lambda: None) -> None:
        """Lose everything that was not synced, and come back.

        Args:
            let_go: called when the power is gone, to end those who have files open.
        """
        copy = self.image.with_suffix(".cut")
        if self.kind == "btrfs":
            _run(["cp", "--sparse=always", str(self.image), str(copy)])
        else:
            fd = os.open(self.mounted, os.O_RDONLY)
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
            os.close(fd)
        let_go()
        _run(["umount", str(self.mounted)])
        if self.kind == "btrfs":
            copy.replace(self.image)
        self.mount()

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.mounted)], check=False)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{command[0]} does not work here: {done.stderr.strip()[:200]}")


@contextmanager
def opened(kind: str, place: Path) -> Iterator[Disk]:
    """Yield a disk of a kind, if this machine may have one."""
    if os.geteuid() or not shutil.which(MAKE[kind][0]):
        pytest.skip(f"needs root and {MAKE[kind][0]}")
    found = Disk(kind, place)
    try:
        yield found
    finally:
        found.close()
