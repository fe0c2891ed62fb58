"""What a checkout reports as written has its name flushed, in every directory it went into."""

from __future__ import annotations

import os
import stat
import subprocess
from itertools import groupby
from pathlib import Path

import pytest

from mlreg.operations import placing
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.stores.flushing import LOCAL, flush_file_system

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

    registry.get("data/tree", target, replace=True)

    assert set(flushed) == {target / name for name in (".", "a", "a/b", "a/b/c")}


@pytest.fixture
def many(tmp_path: Path) -> Registry:
    for number in range(40):
        file = tmp_path / "many" / str(number % 20) / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(number))
    registry = Registry(init(tmp_path / "elsewhere", shared=True)[0], "Ann")
    registry.add("data/many", [tmp_path / "many"], version="2026.01.01")
    return registry


@pytest.fixture
def present(tmp_path: Path) -> None:
    """Directories that are there already, so that each file gets a name of its own."""
    for number in range(20):
        (tmp_path / "out" / str(number)).mkdir(parents=True)


def steps(monkeypatch: pytest.MonkeyPatch, *, is_reliable: bool) -> list[str]:
    """Return what is done, in order: flushes of all, of files, of directories, and renamings."""
    done: list[str] = []
    real_fsync, real_replace, real_rename = os.fsync, os.replace, os.rename

    def fsync(fd: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real_fsync(fd)

    def replace(one: str, other: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        done.append("name")
        real_replace(one, other, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def rename(one: str, other: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        done.append("name")
        real_rename(one, other, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def flush_all(_: int) -> bool:
        done.extend(["all"] if is_reliable else [])
        return is_reliable

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(placing, "flush_file_system", flush_all)
    return done


def test_many_files_are_flushed_together_before_they_get_their_names_and_their_names_behind_them(
    many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = steps(monkeypatch, is_reliable=True)
    many.get("data/many", tmp_path / "out")

    assert [step for step, _ in groupby(done)][-3:] == ["all", "name", "all"]
    assert done.count("name") == 20


@pytest.mark.usefixtures("present")
def test_in_a_directory_that_is_there_each_file_gets_a_name(
    many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = steps(monkeypatch, is_reliable=True)
    many.get("data/many", tmp_path / "out")

    assert [step for step, _ in groupby(done)][-3:] == ["all", "name", "all"]
    assert done.count("name") == 40


def test_where_that_cannot_be_relied_on_each_is_flushed(
    many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = steps(monkeypatch, is_reliable=False)
    many.get("data/many", tmp_path / "out")

    assert [step for step, _ in groupby(done)][-3:] == ["file", "name", "directory"]
    assert (done.count("file"), done.count("name")) == (40, 20)
    assert done.count("directory") >= 21


def test_files_get_their_names_in_batches(many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "MOST_FILES", 16)
    done = steps(monkeypatch, is_reliable=True)
    many.get("data/many", tmp_path / "out")

    assert [len(list(group)) for step, group in groupby(done) if step == "name"] == [8, 8, 4]


def test_a_directory_of_more_files_than_wait_gets_its_name_with_the_first_ones(
    many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "MOST_FILES", 1)
    done = steps(monkeypatch, is_reliable=True)
    many.get("data/many", tmp_path / "out")

    assert done.count("name") == 40
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == sorted(map(str, range(40)))


def test_files_go_into_a_directory_that_someone_else_made_meanwhile(
    many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rename

    def rename(one: str, other: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        os.mkdir(other, dir_fd=dst_dir_fd)
        os.close(os.open(f"{other}/theirs", os.O_CREAT, dir_fd=dst_dir_fd))
        real(one, other, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", rename)
    many.get("data/many", tmp_path / "out")

    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {f"{n % 20}/{n}" for n in range(40)} | {f"{n}/theirs" for n in range(20)}
    assert not list((tmp_path / "out").glob(".*"))


def test_nothing_is_left_of_directories_that_have_no_names_yet(
    many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        many.get("data/many", tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_on_another_file_system_is_flushed_by_itself(
    many: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/7").mkdir()
    other = (tmp_path / "out/7").stat().st_ino
    real = os.fstat

    def fstat(fd: int) -> os.stat_result:
        found = real(fd)
        return os.stat_result((*found[:2], 99, *found[3:])) if found.st_ino == other else found

    done = steps(monkeypatch, is_reliable=True)
    monkeypatch.setattr(os, "fstat", fstat)
    many.get("data/many", tmp_path / "out")

    assert (done.count("all"), done.count("file")) == (0, 40)


def test_a_local_file_system_is_flushed_and_a_broken_descriptor_is_none(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    kind = subprocess.run(["stat", "-f", "-c", "%t", tmp_path], capture_output=True, text=True, check=True).stdout
    is_flushed = flush_file_system(fd)
    os.close(fd)

    assert is_flushed == (int(kind, 16) in LOCAL)
    assert not flush_file_system(fd)
