"""A repository in one file: complete or absent, read as any store is, and never written to again."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from mlreg.errors import ConflictError, IntegrityError, MlregError, NotFoundError, RefusedError
from mlreg.formats.transaction import slot_key
from mlreg.stores import archive, open_store
from mlreg.stores.archive import ArchiveStore, ArchiveWriter
from mlreg.stores.joined import JoinedStores, PastStore
from mlreg.stores.memory import MemoryStore
from mlreg.stores.read_only import ReadOnlyStore
from mlreg.stores.store import Store

CONTENTS = {
    "mlreg.json": b"{}",
    "packs/3f/" + "3f" * 16 + ".pack": b"x" * 100_000,
    slot_key(1): b"",
    slot_key(2): b"two",
    slot_key(3): b"three",
    "snapshots/0000000000000002": b"2",
    "snapshots/0000000000000003": b"3",
}
PACK = next(key for key in CONTENTS if key.startswith("packs/"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with ArchiveWriter(tmp_path / "file") as writer:
        for key, data in CONTENTS.items():
            writer.create(key, data)
        writer.finish()
    return tmp_path / "file"


def joined() -> Store:
    halves: list[dict[str, bytes]] = [{}, {}]
    for number, (key, data) in enumerate(CONTENTS.items()):
        halves[number % 2][key] = data
    halves[1]["mlreg.json"] = b"of the second"
    return JoinedStores([MemoryStore(halves[0]), MemoryStore(halves[1])])


@pytest.fixture(params=["archive", "joined", "past"])
def store(request: pytest.FixtureRequest, file: Path) -> Store:
    kinds = {"archive": open_store(str(file)), "joined": joined(), "past": PastStore(MemoryStore(CONTENTS), 3)}
    found: Store = kinds[request.param]
    return found


def test_what_was_written_is_read_whole_and_in_part(store: Store) -> None:
    for key, data in CONTENTS.items():
        assert (store.read(key), store.size(key)) == (data, len(data))
        assert store.read(key, 1, 2) == data[1:3]
        assert store.read(key, 200_000) == b""
        assert store.read(key, 1) == data[1:]
        assert store.modified(key) is not None
    assert list(store.list("log/")) == [slot_key(1), slot_key(2), slot_key(3)]
    assert list(store.list("packs")) == [PACK]
    assert list(store.leftovers()) == []


def test_what_is_not_there_is_not(store: Store) -> None:
    assert (store.size(slot_key(4)), store.modified(slot_key(4))) == (None, None)
    with pytest.raises(NotFoundError) as caught:
        store.read(slot_key(4))
    assert caught.value.code == "key_missing"


def test_nothing_is_written_to_what_is_only_read(store: Store) -> None:
    acts = (
        lambda: store.create("mlreg.json", b"{}"),
        lambda: store.upload("mlreg.json"),
        lambda: store.delete("mlreg.json"),
    )
    for act in acts:
        with pytest.raises(RefusedError) as caught:
            act()
        assert caught.value.code == "read_only_store"
    assert isinstance(store, ReadOnlyStore)


def test_of_a_past_nothing_is_seen_that_came_later() -> None:
    store = PastStore(MemoryStore(CONTENTS), 2)

    assert list(store.list("log/")) == [slot_key(1), slot_key(2)]
    assert list(store.list("snapshots/")) == ["snapshots/0000000000000002"]
    assert (store.size(slot_key(3)), store.modified(slot_key(3)), store.size(PACK)) == (None, None, 100_000)
    with pytest.raises(NotFoundError):
        store.read(slot_key(3))


def test_any_tar_unpacks_it(file: Path, tmp_path: Path) -> None:
    with tarfile.open(file) as tar:
        tar.extractall(tmp_path / "out", filter="data")

    unpacked = open_store(str(tmp_path / "out"))
    assert {key: unpacked.read(key) for key in CONTENTS} == CONTENTS


# Writing.


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "file") as writer:
        writer.create("mlreg.json", b"{}")
        assert not (tmp_path / "file").exists()
        (half,) = tmp_path.iterdir()
        with pytest.raises(IntegrityError):
            ArchiveStore(half)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0, 0o002, 0o077])
def test_no_one_else_may_read_a_file_at_any_time_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with ArchiveWriter(tmp_path / "file") as writer:
            writer.create("mlreg.json", b"{}")
            (half,) = tmp_path.iterdir()
            modes = [half.stat().st_mode]
            writer.finish()
        modes.append((tmp_path / "file").stat().st_mode)
    finally:
        os.umask(before)

    assert [mode & 0o777 for mode in modes] == [0o600] * 2


def give_up(writer: ArchiveWriter) -> None:
    with writer.upload(PACK) as upload:
        upload.write(b"y" * 5000)
        raise KeyError


def test_a_key_that_was_given_up_leaves_nothing(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "file") as writer:
        writer.create("mlreg.json", b"{}")
        with pytest.raises(KeyError):
            give_up(writer)
        assert writer.size(PACK) is None
        writer.create(slot_key(1), b"short")
        with pytest.raises(KeyError):
            give_up(writer)
        writer.finish()

    assert b"y" not in (tmp_path / "file").read_bytes()
    assert ArchiveStore(tmp_path / "file").read(slot_key(1)) == b"short"


def test_a_key_is_written_once(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "file") as writer:
        writer.create("mlreg.json", b"{}")
        writer.create("mlreg.json", b"{}")
        with pytest.raises(ConflictError):
            writer.create("mlreg.json", b"[]")
        with pytest.raises(ConflictError), writer.upload("mlreg.json") as upload:
            upload.write(b"[]")
        assert writer.read("mlreg.json") == b"{}"
        with pytest.raises(IntegrityError):
            writer.create("config.yaml", b"")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_nothing_is_written_over_what_is_there(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "file")

    with pytest.raises(RefusedError) as caught:
        ArchiveWriter(tmp_path / "file")
    assert caught.value.code == "file_exists"


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MlregError) as caught:
        ArchiveWriter(tmp_path / "absent" / "file")
    assert caught.value.code == "key_missing"


def test_too_many_keys_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_KEYS", 1)
    with ArchiveWriter(tmp_path / "file") as writer:
        writer.create("mlreg.json", b"{}")
        with pytest.raises(RefusedError) as caught:
            writer.create(slot_key(1), b"")
    assert caught.value.code == "archive_too_large"


def test_a_file_that_becomes_shorter_is_noticed(file: Path) -> None:
    store = ArchiveStore(file)
    os.truncate(file, 2000)

    with pytest.raises(IntegrityError):
        store.read(PACK)
