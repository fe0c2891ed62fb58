"""A disk that is full, and one that may only be read: real file systems, mounted for the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root, and the right to mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def mlreg(where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlreg", *words]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)


def used(place: Path) -> int:
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def test_a_full_disk_gets_its_space_back_and_works_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(os.urandom(20 << 20))
    small.write_bytes(os.urandom(1 << 20))
    assert mlreg(disk, "init").returncode == 0
    before = used(disk)

    full = mlreg(disk, "add", "model/net", str(large), "--version", "1.0.0")

    assert full.returncode == 14
    assert full.stderr.startswith("error[no_space]: ")
    assert used(disk) - before < 1 << 20
    assert mlreg(disk, "verify").stdout.startswith("clean: 0 transactions")
    assert mlreg(disk, "add", "model/net", str(small), "--version", "1.0.0").returncode == 0
    assert mlreg(disk, "verify").returncode == 0


def test_a_disk_that_may_only_be_read_is_read_and_not_written(disk: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    assert mlreg(disk, "init").returncode == 0
    assert mlreg(disk, "add", "model/net", str(file), "--version", "1.0.0").returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    assert mlreg(disk, "get", "model/net@latest", str(tmp_path / "out")).returncode == 0
    assert mlreg(disk, "verify").returncode == 0
    refused = mlreg(disk, "tag", "model/net@latest", "production")
    assert (refused.returncode, refused.stdout) == (7, "")
    assert refused.stderr.startswith("error[access_denied]: ")
