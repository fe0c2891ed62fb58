"""Transfers: what lies at the target is used if it is what is wanted, and never replaced."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlreg.errors import RefusedError
from mlreg.formats import transaction as transactions
from mlreg.formats.pack import Sort
from mlreg.ids import ContentId
from mlreg.operations.check import check
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from mlreg.repository import log, packing
from mlreg.repository.objects import pack_key
from mlreg.repository.packing import PackWriter
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.store import Upload

NUMBER = 40
"""Files of the version that is sent; the target holds every fourth already, so that packs are sent in part."""


class Scene:
    """Two people with copies of one repository, and a remote that holds a part of what they send."""

    def __init__(self, root: Path) -> None:
        self.root = root
        generator = random.Random(1)
        sent, known = root / "sent", root / "known"
        for directory in (sent, known):
            directory.mkdir()
        for number in range(NUMBER):
            data = generator.randbytes(30_000)
            (sent / f"{number:02}").write_bytes(data)
            if number % 4 == 0:
                (known / f"{number:02}").write_bytes(data)
        self.remote, _ = init(root / "remote", shared=True)
        Registry(self.remote, "Rob").add("model/other", [known], version="1.0.0")
        place, _ = init(root / "ann", shared=True)
        Registry(place, "Ann").add("model/net", [sent], version="1.0.0")
        shared = DirectoryStore(place)
        copy = DirectoryStore(root / "bob")
        copy.root.mkdir()
        for key in (*shared.list("packs/"), *shared.list("log/"), "mlreg.json"):
            copy.create(key, shared.read(key))

    def push(self, name: str) -> None:
        registry = Registry(self.root / name, name, remotes={"origin": str(self.remote)})
        Sync(registry, "origin").push()

    def check(self) -> None:
        """Read the version from the remote, and verify it all."""
        registry = Registry(self.remote, "Eve")
        got = registry.get("model/net@1.0.0", self.root / "got")
        assert got.written == NUMBER
        for file in (self.root / "sent").iterdir():
            assert (self.root / "got" / file.name).read_bytes() == file.read_bytes()
        assert check(registry.repository, 1.0, lambda size: None).problems == []


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def before_upload(number: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do something else right before an upload to the remote begins; return the keys of all uploads."""
    real, keys = DirectoryStore.upload, list[str]()

    @contextmanager
    def upload(store: DirectoryStore, key: str) -> Iterator[Upload]:
        if store.root.name == "remote":
            keys.append(key)
            if len(keys) == number:
                act()
        with real(store, key) as opened:
            yield opened

    monkeypatch.setattr(DirectoryStore, "upload", upload)
    return keys


@pytest.mark.parametrize("number", [1, 2])
def test_a_pusher_whose_bytes_differ_does_not_replace_what_another_has_committed(
    number: int, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push_first() -> None:
        with monkeypatch.context() as other:
            # As a machine with other cores or another compressor would cut the blocks.
            other.setattr(packing, "SHARED_BLOCK", 64 * 1024)
            scene.push("ann")

    keys = before_upload(number, push_first, monkeypatch)
    scene.push("bob")

    assert len(keys) > len(set(keys))  # they did meet
    scene.check()


def test_a_part_of_a_pack_is_one_pack_there_however_many_objects_it_has(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "PACK_OBJECTS", NUMBER // 4)

    scene.push("ann")

    scene.check()


def test_what_was_left_by_a_push_that_was_cut_is_not_sent_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as cut:
        cut.setattr("mlreg.repository.log.Log.append", interrupt)
        with pytest.raises(KeyboardInterrupt):
            scene.push("ann")
    keys = before_upload(0, lambda: None, monkeypatch)
    scene.push("ann")

    assert keys == []
    scene.check()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def other_objects(key: str, remote: DirectoryStore) -> bytes:
    """Return a sound pack that holds as many objects, but not those that are wanted."""
    pack_id = key.removesuffix(".pack").rpartition("/")[2]
    wanted = remote.read(key)
    remote.delete(key)
    for count in range(NUMBER):
        with PackWriter(remote, pack_ids=iter([pack_id])) as writer:
            for number in range(count + 1):
                data = f"junk {number}".encode()
                writer.add(Sort.PIECE, ContentId.of(data), data)
            (pack,) = writer.finish()
        if pack.objects == NUMBER - NUMBER // 4:
            break
        remote.delete(pack_key(pack.id))
    junk = remote.read(key)
    remote.delete(key)
    assert junk != wanted
    return junk


def flipped(data: bytes) -> bytes:
    """Return a pack whose index is right, and one of whose blocks is damaged."""
    return data[:10] + bytes([data[10] ^ 1]) + data[11:]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key, remote: b"",
        lambda key, remote: remote.read(key)[:-1],
        lambda key, remote: remote.read(key) + b"x",
        lambda key, remote: flipped(remote.read(key)),
        other_objects,
    ],
)
def test_what_lies_under_the_id_and_is_not_what_is_wanted_is_left_alone(
    spoil: Callable[[str, DirectoryStore], bytes], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr("mlreg.repository.log.Log.append", interrupt)
        keys = before_upload(0, lambda: None, cut)
        with pytest.raises(KeyboardInterrupt):
            scene.push("ann")
    remote = DirectoryStore(scene.remote)
    spoiled = {key: spoil(key, remote) for key in keys}
    for key, data in spoiled.items():
        remote.delete(key)
        remote.create(key, data)

    scene.push("ann")

    assert {key: remote.read(key) for key in keys} == spoiled
    scene.check()


# More names than a slot of the log can hold.


def test_names_that_fit_no_slot_together_go_in_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "MAX_BYTES", 2500)
    monkeypatch.setattr(log, "MAX_BYTES", 2500)
    here = Registry(init(tmp_path / "here", shared=True)[0], "Ann", remotes={"origin": str(tmp_path / "there")})
    there = Registry(init(tmp_path / "there", shared=True)[0], "Rob")
    names = [f"1.{number}.0" for number in range(10)]
    for name in names:
        (tmp_path / "file").write_text(name)
        here.add("model/net", [tmp_path / "file"], version=name, tags=[f"tag-{name[2]}"])

    sent = Sync(here, "origin").push()

    assert (len(sent.versions), len(sent.tags)) == (10, 10)
    assert sorted(version.version for version in there.versions("model/net")) == names
    assert {tag.ref: tag.target for tag in there.tags()} == {tag.ref: tag.target for tag in here.tags()}
    assert there.repository.log.view.number > 2
    assert there.verify().problems == ()
    assert there.verify().orphans == 0


def test_a_name_that_fits_no_slot_alone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Registry(init(tmp_path / "here", shared=True)[0], "Ann", remotes={"origin": str(tmp_path / "there")})
    there = Registry(init(tmp_path / "there", shared=True)[0], "Rob")
    (tmp_path / "file").write_text("x")
    here.add("model/net", [tmp_path / "file"], version="1.0.0")
    monkeypatch.setattr(log, "MAX_BYTES", 100)

    with pytest.raises(RefusedError) as caught:
        Sync(here, "origin").push()
    assert caught.value.code == "transaction_too_large"
    assert there.entries() == []
