"""What a checkout reports as written has its name flushed, in every directory it went into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlreg.registry.places import init
from mlreg.registry.registry import Registry

NAMES = ("a/b/c/deep", "a/b/middle", "top", "a/other/deep")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    for name in NAMES:
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(name)
    registry = Registry(init(tmp_path / "here", shared=True)[0], "Ann")
    registry.add("data/tree", [tmp_path / "files"], version="2026.01.01")
    return registry


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The directories that were flushed."""
    real, found = os.fsync, list[Path]()

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            found.append(Path(f"/proc/self/fd/{fd}").readlink())
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_every_directory_that_got_a_name_is_flushed_behind_its_last_one(
    registry: Registry, tmp_path: Path, flushed: list[Path]
) -> None:
    target = tmp_path / "new" / "place"

    registry.get("data/tree", target)

    changed = {target / name for name in (".", "a", "a/b", "a/b/c", "a/other")}
    assert {tmp_path, tmp_path / "new"} | changed <= set(flushed)


def test_only_directories_of_files_that_were_written_are_flushed(
    registry: Registry, tmp_path: Path, flushed: list[Path]
) -> None:
    target = tmp_path / "out"
    registry.get("data/tree", target)
    (target / "a/b/c/deep").write_text("edited")
    flushed.clear()

    registry.get("data/tree", target)

    assert set(flushed) == {target / name for name in (".", "a", "a/b", "a/b/c")}
