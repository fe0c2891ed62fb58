"""A power cut right after a command reported that it is done: everything is there.

The file systems are real, in image files. The cut is the kernel's own shutdown request, without a flush
of its journal, so what was not synced is really lost; a control proves that it is.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN."""
WITHOUT_FLUSH = 2
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
MOUNT = {"ext4": ["-o", "loop,commit=300"], "xfs": ["-o", "loop"]}


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

    def cut(self) -> None:
        """Lose everything that was not synced, and come back."""
        fd = os.open(self.mounted, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        os.close(fd)
        _run(["umount", str(self.mounted)])
        self.mount()

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.mounted)], check=False)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{command[0]} does not work here: {done.stderr.strip()[:200]}")


@pytest.fixture(params=sorted(MAKE))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() or not shutil.which(MAKE[request.param][0]):
        pytest.skip(f"needs root and {MAKE[request.param][0]}")
    found = Disk(request.param, tmp_path)
    yield found
    found.close()


def mlreg(where: Path, *words: str) -> str:
    """Run the real command; what it reports as done is done."""
    command = [sys.executable, "-m", "mlreg", *words]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_not_synced_is_lost_so_that_the_cut_is_one(disk: Disk) -> None:
    (disk.mounted / "late").write_bytes(b"x" * 100_000)

    disk.cut()

    late = disk.mounted / "late"
    assert not late.exists() or late.stat().st_size == 0


def test_what_was_reported_as_done_is_there_after_a_cut(disk: Disk, tmp_path: Path) -> None:
    project, registry = disk.mounted / "project", disk.mounted / "registry"
    weights = tmp_path / "weights.bin"
    weights.write_bytes(os.urandom(9_000_000))
    mlreg(disk.mounted, "init", "project")
    disk.cut()

    mlreg(project, "add", "model/net", str(weights), "--version", "1.0.0")
    disk.cut()
    assert mlreg(project, "verify").startswith("clean: 1 transaction, 1 version")

    mlreg(project, "tag", "model/net@1.0.0", "production")
    disk.cut()
    assert mlreg(project, "rev-parse", "model/net@production") == "model/net@1.0.0\n"

    mlreg(project, "init", "--shared", str(registry))
    mlreg(project, "remote", "add", "origin", str(registry))
    os.sync()  # settings are no promise; the push is
    mlreg(project, "push")
    disk.cut()
    assert mlreg(project, "verify", str(registry)).startswith("clean: 1 transaction, 1 version")

    mlreg(project, "get", "model/net@production", "out")
    disk.cut()
    assert (project / "out" / "weights.bin").read_bytes() == weights.read_bytes()


def test_files_in_directories_that_get_has_made_are_there_after_a_cut(disk: Disk, tmp_path: Path) -> None:
    project, tree = disk.mounted / "project", tmp_path / "tree"
    mlreg(disk.mounted, "init", "project")
    for name in ("a/b/c/deep", "a/b/middle", "top"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    mlreg(project, "add", "data/tree", str(tree), "--bump", "date")
    mlreg(project, "get", "data/tree", "new/place")
    disk.cut()
    for name in ("a/b/c/deep", "a/b/middle", "top"):
        assert (project / "new" / "place" / name).read_text() == name


def test_many_files_that_get_has_written_are_there_after_a_cut(disk: Disk, tmp_path: Path) -> None:
    """They are flushed together, not one by one."""
    project, tree = disk.mounted / "project", tmp_path / "tree"
    mlreg(disk.mounted, "init", "project")
    for number in range(300):
        file = tree / str(number % 20) / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number} " * 100)
    mlreg(project, "add", "data/tree", str(tree), "--bump", "date")
    disk.cut()
    mlreg(project, "get", "data/tree", "new/place")
    disk.cut()

    there = project / "new" / "place"
    found = {path.relative_to(there): path.read_text() for path in there.rglob("*") if path.is_file()}
    assert found == {path.relative_to(tree): path.read_text() for path in tree.rglob("*") if path.is_file()}
