"""One small file out of a remote of 100 GB: little is read of it, and little of that is for nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlreg.formats.commit import Commit
from mlreg.formats.names import version_ref
from mlreg.formats.pack import TRAILER_SIZE, Block, Item, PackKind, Sort, decode_trailer, encode_index
from mlreg.formats.transaction import PackEntry, RefChange
from mlreg.formats.tree import File, Mode, build
from mlreg.ids import CommitId, ContentId
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.stores.directory import DirectoryStore

VERSIONS, PACKS, PIECES, PIECE = 400, 4, 16, 4 * 1024 * 1024
"""400 versions of 4 packs of 16 pieces of 4 MiB: 107 GB."""
FILE = 1_000_000


def sparse_pack(place: Path, pieces: list[ContentId]) -> PackEntry:
    """Write a pack of pieces that are holes; only its index takes room on the disk."""
    blocks = [Block(number * PIECE, PIECE, PIECE, 0, bytes(16)) for number in range(len(pieces))]
    items = [Item(Sort.PIECE, piece, number, 0, PIECE) for number, piece in enumerate(pieces)]
    index = encode_index(PackKind.DATA, blocks, items)
    pack_id = os.urandom(16).hex()
    path = place / pack_key(pack_id)
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.seek(len(pieces) * PIECE)
        file.write(index)
    _, digest = decode_trailer(index[-TRAILER_SIZE:])
    return PackEntry(pack_id, PackKind.DATA, path.stat().st_size, len(index) - TRAILER_SIZE, digest, len(pieces))


def grow(registry: Registry, place: Path, number: int) -> None:
    """Register a version whose bytes are holes."""
    repository, entry = registry.repository, registry.find("model/small")[2].entry._replace(name="large")
    pieces = [[ContentId(os.urandom(32)) for _ in range(PIECES)] for _ in range(PACKS)]
    with repository.writer() as writer:
        files = (
            File(f"{pack}/{one}", Mode.FILE, PIECE, piece)
            for pack, some in enumerate(pieces)
            for one, piece in enumerate(some)
        )
        root = build(sorted(files), lambda tree, data: writer.add(Sort.TREE, tree, data))
        version = f"1.0.{number}"
        commit = Commit(
            str(entry),
            version,
            root.id,
            root.files,
            root.size,
            "directory",
            (),
            (),
            {},
            "",
            "Ann",
            "2026-11-23T00:00:00Z",
        )
        commit_id = CommitId.of(commit.encode())
        writer.add(Sort.COMMIT, commit_id, commit.encode())
        packs = (*writer.finish(), *(sparse_pack(place, some) for some in pieces))
    change = RefChange(version_ref(entry, version), None, commit_id)
    repository.log.append(lambda view: Draft("Ann", refs=(change,), add=packs))


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, _ = init(tmp_path_factory.mktemp("remote"), shared=True)
    registry = Registry(place, "Ann")
    file = tmp_path_factory.mktemp("file") / "weights"
    for number in range(VERSIONS):
        if number in (0, VERSIONS // 2, VERSIONS - 1):
            file.write_bytes(os.urandom(FILE))
            registry.add("model/small", [file], version=f"1.{number}.0")
        grow(registry, place, number)
    return place


@pytest.mark.parametrize("number", [0, VERSIONS // 2, VERSIONS - 1])
def test_a_file_of_1_mb_costs_less_than_5_mb_of_a_remote_of_100_gb(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    assert sum(path.stat().st_size for path in (remote / "packs").rglob("*.pack")) > 100e9
    read, real = list[tuple[str, int]](), DirectoryStore.read

    def counted(store: DirectoryStore, key: str, start: int = 0, size: int | None = None) -> bytes:
        data = real(store, key, start, size)
        read.append((key, len(data)))
        return data

    monkeypatch.setattr(DirectoryStore, "read", counted)
    registry = Registry(tmp_path / "none", "Bob", tmp_path / "cache")
    registry.get(f"file://{remote}::model/small@1.{number}.0", tmp_path / "out")

    assert (tmp_path / "out/weights").stat().st_size == FILE
    assert sum(size for _, size in read) < 5e6
    # The version's own, and what stands beside it: not the indexes of all 2,000 packs.
    assert len({key for key, _ in read if key.startswith("packs/")}) <= 12
