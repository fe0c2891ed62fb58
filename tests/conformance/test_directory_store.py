"""A directory as a store: what disks, full file systems, odd links and odd files do to it.

What it shares with every other store is in `test_stores.py`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import (
    AccessError,
    ConflictError,
    IntegrityError,
    MlregError,
    NoSpaceError,
    UnavailableError,
    UsageError,
)
from mlreg.stores.directory import TEMPORARY, DirectoryStore
from tests.conformance.test_stores import KEY, Interrupted, files_below, upload, verbs


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


# What a disk does.


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was flushed and linked, in order; a directory by its name."""
    calls: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(fd: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        path = Path(f"/proc/self/fd/{fd}").readlink()
        calls.append(f"fsync directory {path.name}" if is_directory else "fsync file")
        real_fsync(fd)

    def link(*args: Any, **named: Any) -> None:
        calls.append("link")
        real_link(*args, **named)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    return calls


def test_a_created_key_is_flushed_before_it_has_its_name_and_its_directory_after(
    directory: DirectoryStore, recorded: list[str]
) -> None:
    directory.create("log/1", b"abc")
    assert recorded == [f"fsync directory {directory.root.name}", "fsync file", "link", "fsync directory log"]

    recorded.clear()
    directory.create("log/2", b"abc")
    assert recorded == ["fsync file", "link", "fsync directory log"]


def test_an_upload_is_flushed_before_it_has_its_name_and_its_directories_after(
    directory: DirectoryStore, recorded: list[str]
) -> None:
    upload(directory, "packs/3f/1.pack", b"abc")

    made = [f"fsync directory {directory.root.name}", "fsync directory packs"]
    assert recorded == [*made, "fsync file", "link", "fsync directory 3f"]


def test_a_delete_is_flushed(directory: DirectoryStore, recorded: list[str]) -> None:
    directory.create("log/1", b"abc")
    recorded.clear()

    directory.delete("log/1")

    assert recorded == ["fsync directory log"]


def test_a_repeated_create_is_flushed_again_for_the_one_before_may_not_have_been(
    directory: DirectoryStore, recorded: list[str]
) -> None:
    directory.create("log/1", b"abc")
    recorded.clear()

    directory.create("log/1", b"abc")

    assert recorded[-1] == "fsync directory log"


@pytest.mark.parametrize("verb", ["create", "upload"])
def test_a_file_that_cannot_be_flushed_is_an_error_never_visible_and_never_flushed_again(
    directory: DirectoryStore, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.create("packs/3f/other.pack", b"")
    flushed = count()

    def fsync(_: int) -> None:
        next(flushed)
        raise OSError(errno.EIO, "made to fail")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UnavailableError) as caught:
        verbs(KEY)[verb](directory)

    assert caught.value.code == "store_unavailable"
    assert next(flushed) == 1
    assert files_below(directory.root) == ["packs/3f/other.pack"]


@pytest.mark.parametrize("verb", ["create", "upload"])
def test_a_directory_that_cannot_be_flushed_is_an_error(
    directory: DirectoryStore, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.create("packs/3f/other.pack", b"")
    real_fsync = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, "made to fail")
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UnavailableError) as caught:
        verbs(KEY)[verb](directory)
    assert caught.value.code == "not_durable"


@pytest.mark.parametrize("verb", ["create", "upload"])
def test_a_link_that_was_reported_and_not_made_is_an_error(
    directory: DirectoryStore, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", lambda *args, **named: None)

    with pytest.raises(UnavailableError) as caught:
        verbs(KEY)[verb](directory)
    assert caught.value.code == "store_unavailable"
    assert files_below(directory.root) == []


def test_a_link_that_was_reported_as_made_over_other_bytes_is_a_conflict(
    directory: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.create(KEY, b"first")
    monkeypatch.setattr(os, "link", lambda *args, **named: None)

    with pytest.raises(ConflictError):
        directory.create(KEY, b"later")
    with pytest.raises(ConflictError):
        upload(directory, KEY, b"much later")
    assert directory.read(KEY) == b"first"


@pytest.mark.parametrize("verb", ["create", "upload"])
@pytest.mark.parametrize("number", [errno.EEXIST, errno.EIO, errno.ESTALE])
def test_a_link_that_was_made_though_it_was_reported_to_fail_is_a_success(
    directory: DirectoryStore, number: int, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_link = os.link

    def link(*args: Any, **named: Any) -> None:
        real_link(*args, **named)
        raise OSError(number, "the reply was lost")

    monkeypatch.setattr(os, "link", link)
    verbs(KEY)[verb](directory)

    assert directory.read(KEY) == b"abc"
    assert files_below(directory.root) == [KEY]


@pytest.mark.parametrize("verb", ["create", "upload"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_links_is_named_as_the_reason(
    directory: DirectoryStore, number: int, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing(number))

    with pytest.raises(AccessError) as caught:
        verbs(KEY)[verb](directory)
    assert caught.value.code == "no_hard_links"
    assert files_below(directory.root) == []


@pytest.mark.parametrize("verb", ["create", "upload"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_to_be_full_and_nothing_half_written_stays(
    directory: DirectoryStore, verb: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", failing(number))

    with pytest.raises(NoSpaceError) as caught:
        verbs(KEY)[verb](directory)
    assert caught.value.code == "no_space"
    assert files_below(directory.root) == []


def test_a_disk_that_is_full_in_the_middle_of_an_upload_is_said_to_be_by_the_write_itself(
    directory: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted), directory.upload(KEY) as new:  # noqa: PT012 - what is raised inside is the point
        new.write(b"abc")
        monkeypatch.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(NoSpaceError):
            new.write(b"def")
        raise Interrupted
    assert files_below(directory.root) == []


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        (errno.EACCES, AccessError, "access_denied"),
        (errno.EROFS, AccessError, "access_denied"),
        (errno.EIO, UnavailableError, "store_unavailable"),
        (errno.ESTALE, UnavailableError, "store_unavailable"),
    ],
)
@pytest.mark.parametrize("verb", ["create", "upload", "read"])
def test_what_the_system_refuses_is_said_in_the_words_of_mlreg(
    directory: DirectoryStore,
    verb: str,
    number: int,
    error: type[MlregError],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "open", failing(number))

    with pytest.raises(error) as caught:
        verbs(KEY)[verb](directory)
    assert caught.value.code == code


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_only_be_read_can_be_read_and_not_written(directory: DirectoryStore) -> None:
    directory.create(KEY, b"abc")
    (directory.root / "packs/3f").chmod(0o555)

    with pytest.raises(AccessError) as caught:
        directory.create("packs/3f/other.pack", b"abc")
    assert caught.value.code == "access_denied"
    assert directory.read(KEY) == b"abc"


def test_short_reads_and_short_writes_are_continued(directory: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write, real_pread = os.write, os.pread
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, bytes(data[:3])))
    monkeypatch.setattr(os, "pread", lambda fd, size, start: real_pread(fd, min(size, 2), start))

    directory.create(KEY, b"0123456789")

    assert directory.read(KEY) == b"0123456789"
    assert directory.read(KEY, 1, 7) == b"1234567"


def test_a_root_that_is_not_there_is_never_made(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "unmounted")

    for verb in ("create", "upload"):
        with pytest.raises(UnavailableError) as caught:
            verbs(KEY)[verb](store)
        assert caught.value.code == "store_missing"
    assert not store.root.exists()
    assert store.size(KEY) is None
    assert list(store.list("packs/")) == []


ESCAPES = ["../x", "packs/../../x", "/etc/hostname", "", "packs//x", "packs/", ".tmp-1", "packs/.hidden", ".", "a\0b"]


@pytest.mark.parametrize("key", ESCAPES)
@pytest.mark.parametrize("verb", ["read", "size", "create", "upload", "delete"])
def test_a_key_that_could_lie_outside_is_refused(tmp_path: Path, verb: str, key: str) -> None:
    root = tmp_path / "store"
    root.mkdir()
    (tmp_path / "x").write_bytes(b"outside")

    with pytest.raises(UsageError) as caught:
        verbs(key)[verb](DirectoryStore(root))
    assert caught.value.code == "bad_key"
    assert files_below(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"outside"


def plant_link(path: Path) -> None:
    outside = path.parents[3] / "outside"
    outside.write_bytes(b"secret")
    path.symlink_to(outside)


def plant_dangling_link(path: Path) -> None:
    path.symlink_to(path.parents[3] / "outside")


PLANTED: dict[str, Callable[[Path], None]] = {
    "link": plant_link,
    "dangling link": plant_dangling_link,
    "pipe": os.mkfifo,
    "directory": Path.mkdir,
}


@pytest.fixture(params=PLANTED)
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DirectoryStore]:
    root = tmp_path / "store"
    (root / "packs/3f").mkdir(parents=True)
    PLANTED[request.param](root / KEY)
    yield DirectoryStore(root)
    outside = tmp_path / "outside"
    assert not outside.exists() or outside.read_bytes() == b"secret"


def test_what_is_no_plain_file_is_not_read_and_does_not_hang(planted: DirectoryStore) -> None:
    with pytest.raises((AccessError, IntegrityError)) as caught:
        planted.read(KEY)
    assert caught.value.code in ("access_denied", "not_a_file")


def test_what_is_no_plain_file_is_not_written_through(planted: DirectoryStore) -> None:
    with pytest.raises((AccessError, IntegrityError)) as caught:
        planted.create(KEY, b"abc")
    assert caught.value.code in ("access_denied", "not_a_file")
    assert [name for name in files_below(planted.root) if TEMPORARY in name] == []


def test_temporary_and_other_hidden_files_are_not_listed(directory: DirectoryStore) -> None:
    directory.create(KEY, b"abc")
    for name in (f"{TEMPORARY}0123", ".nfs0001", ".DS_Store"):
        (directory.root / "packs/3f" / name).write_bytes(b"")
    (directory.root / "packs/.snapshot").mkdir()
    (directory.root / "packs/.snapshot/1").write_bytes(b"")

    assert list(directory.list("packs/")) == [KEY]
    with directory.upload("packs/3f/other.pack") as new:
        new.write(b"half")
        assert list(directory.list("packs/")) == [KEY]


def test_a_link_to_a_directory_is_not_walked_into(directory: DirectoryStore) -> None:
    directory.create(KEY, b"abc")
    (directory.root / "packs/above").symlink_to(directory.root)

    assert list(directory.list("packs/")) == [KEY, "packs/above"]


def test_nothing_is_writable_by_everyone_even_without_a_umask(directory: DirectoryStore) -> None:
    before = os.umask(0)
    try:
        directory.create("log/1", b"abc")
        upload(directory, KEY, b"abc")
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode for path in directory.root.rglob("*")}
    assert [name for name, mode in modes.items() if mode & stat.S_IWOTH] == []
    # And what was written is written once: nobody changes it by accident.
    assert [name for name, mode in modes.items() if stat.S_ISREG(mode) and mode & 0o222] == []


def test_a_store_that_was_moved_is_the_same_store(directory: DirectoryStore, tmp_path: Path) -> None:
    directory.create(KEY, b"abc")
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)

    assert DirectoryStore(moved).read(KEY) == b"abc"
