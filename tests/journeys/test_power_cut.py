"""A power cut right after a command reported that it is done, and at any moment: everything acknowledged is there.

The file systems are real, in image files; a control proves that what was not synced is really lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.disks import MAKE, Disk, opened
from tests.reliability.power_crew import cut_often

MOST_CUTS = 3
"""`make soak` makes more, elsewhere."""


@pytest.fixture(params=sorted(MAKE))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with opened(request.param, tmp_path) as found:
        yield found


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


def test_whenever_the_power_goes_what_was_acknowledged_is_there(disk: Disk, tmp_path: Path, scale: int) -> None:
    found = cut_often(disk, tmp_path, min(scale, MOST_CUTS))

    assert found.complaints == ()
    assert found.acknowledged > 0
