"""Another program, written from the format pages alone, reads what this one writes."""

from __future__ import annotations

import ast
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mlreg.codecs import CODECS
from mlreg.codecs.difference import DIFFERENCE
from mlreg.formats.tree import Node
from mlreg.ids import TreeId
from mlreg.registry import Registry
from mlreg.registry.places import init
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from mlreg.tensors.safetensors import encode_arrays

READER = Path(__file__).with_name("reader.py")
ALLOWED = {"blake3", "zstandard", *sys.stdlib_module_names}


WEIGHTS = np.random.default_rng(0).normal(0, 0.02, 500_001).astype(np.float32)


class Written(NamedTuple):
    """A repository, and the directories that its versions were made from."""

    repository: Path
    versions: dict[str, Path]


def read(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # -I: neither the directory nor the environment can help it to mlreg.
    command = [sys.executable, "-I", str(READER), str(repository), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def files_below(directory: Path) -> dict[str, tuple[bytes, bool]]:
    """Return content and executable bit of every file, by path."""
    return {
        path.relative_to(directory).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """A repository with a little of everything."""
    place = tmp_path_factory.mktemp("written")
    repository, _ = init(place / "repository", shared=True)
    registry = Registry(repository, "Ann Lee <ann@example.org>", place / "cache")
    small, tuned, large, many = (place / name for name in ("small", "tuned", "large", "many"))
    _write_small(small)
    large.mkdir()
    (large / "weights.bin").write_bytes(random.Random(0).randbytes(9_000_000))  # in chunks
    _write_many(many)
    tuned.mkdir()
    _write_tuned(tuned)

    data = registry.add("data/many", [many], version="2026.11.23")
    registry.add("model/small", [small], version="1.0.0", tags=["production"], metadata={"lr": 1.0, "note": "größer"})
    registry.add("model/small", [tuned], version="1.0.1")
    registry.add("model/small", [large], version="1.1.0", inputs=[("data", data.version.ref)])
    registry.add("model/small", [small], version="2.0.0")
    repack(registry, delta=True, grace=0, report=lambda size: None)
    registry.tag("model/small@1.1.0", "production")
    registry.remove(["model/small@2.0.0"])
    registry.repository.log.write_snapshot()
    versions = {"model/small@1.0.0": small, "model/small@1.0.1": tuned, "model/small@1.1.0": large}
    yield Written(repository, versions | {"data/many@2026.11.23": many})
    registry.repository.close()


def _write_tuned(directory: Path) -> None:
    (directory / "weights.safetensors").write_bytes(b"".join(encode_arrays({"w": WEIGHTS * np.float32(1.0001)})))


def _write_small(directory: Path) -> None:
    (directory / "bin" / "deep" / "er").mkdir(parents=True)
    (directory / "empty").touch()
    (directory / "größe.txt").write_text("groß", encoding="utf-8")
    (directory / "zeros").write_bytes(bytes(300_000))  # which compress
    (directory / "weights.safetensors").write_bytes(b"".join(encode_arrays({"w": WEIGHTS})))  # whose planes compress
    run = directory / "bin" / "deep" / "er" / "run"
    run.write_text("#!/bin/sh\n", encoding="utf-8")
    run.chmod(0o755)


def _write_many(directory: Path) -> None:
    for number in range(3000):
        path = directory / f"{number % 7}" / f"{number:04}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number % 50}", encoding="utf-8")


@pytest.mark.parametrize("ref", ["model/small@1.0.0", "model/small@1.0.1", "model/small@1.1.0", "data/many@2026.11.23"])
def test_a_version_is_restored_byte_for_byte(written: Written, tmp_path: Path, ref: str) -> None:
    done = read(written.repository, "restore", ref, tmp_path / "out")

    assert (done.returncode, done.stderr) == (0, "")
    assert files_below(tmp_path / "out") == files_below(written.versions[ref])


def test_the_tree_of_many_files_has_inner_nodes(written: Written) -> None:
    """Otherwise the reader was not asked what it should be."""
    registry = Registry(written.repository, "")
    version = registry.show("data/many@2026.11.23")
    root = registry.repository.objects.read_tree(TreeId.parse(version.tree))

    assert Node.decode(root).level > 0


def test_blocks_of_every_codec_are_read(written: Written) -> None:
    """Otherwise the reader was not asked what it should be."""
    repository = Registry(written.repository, "").repository
    packs = repository.log.refresh().live_packs()
    used = {block.codec for pack in packs for block in repository.objects.index(pack.id).blocks()}

    assert used == {*(codec.number for codec in CODECS), DIFFERENCE.number}


def test_versions_and_tags_are_listed_as_they_are(written: Written) -> None:
    registry = Registry(written.repository, "")
    ids = {ref: registry.show(ref).id for ref in written.versions}

    assert read(written.repository, "ls").stdout.splitlines() == [
        f"tag/model/small/production {ids['model/small@1.1.0']}",
        f"version/data/many/2026.11.23 {ids['data/many@2026.11.23']}",
        f"version/model/small/1.0.0 {ids['model/small@1.0.0']}",
        f"version/model/small/1.0.1 {ids['model/small@1.0.1']}",
        f"version/model/small/1.1.0 {ids['model/small@1.1.0']}",
    ]


def test_what_was_pushed_in_part_is_read_too(written: Written, tmp_path: Path) -> None:
    target, _ = init(tmp_path / "target", shared=True)
    registry = Registry(written.repository, "Ann", tmp_path / "cache", {"origin": str(target)})
    Sync(registry, "origin").push(["model/small@1.1.0"])
    done = read(target, "restore", "model/small@1.1.0", tmp_path / "out")

    assert (done.returncode, done.stderr) == (0, "")
    assert files_below(tmp_path / "out") == files_below(written.versions["model/small@1.1.0"])


def largest_pack(repository: Path) -> Path:
    return max(repository.glob("packs/*/*.pack"), key=lambda path: path.stat().st_size)


def change(path: Path, at: int) -> None:
    """Flip one bit of a byte; a negative number counts from the end."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["mlreg.json", "log/0000000000000002", "index"])
def test_one_changed_byte_is_noticed_when_a_repository_is_opened(written: Written, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(written.repository, copy)
    path = largest_pack(copy) if name == "index" else copy / name
    # In an id of mlreg.json, in the time of a slot, in the last row of an index.
    change(path, {"index": -45}.get(name, -10))

    assert "not as the pages say" in read(copy, "ls").stderr


def test_one_changed_byte_of_a_file_is_noticed_when_it_is_restored(written: Written, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(written.repository, copy)
    change(largest_pack(copy), 4_500_000)

    assert read(copy, "ls").returncode == 0
    assert "not as the pages say: a block" in read(copy, "restore", "model/small@1.1.0", tmp_path / "out").stderr


def test_the_reader_is_small_and_imports_nothing_of_mlreg() -> None:
    source = READER.read_text(encoding="utf-8")
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])

    assert len(source.splitlines()) < 250
    assert imported <= ALLOWED
