"""Backups of a repository that others write to, and backups and restores that are killed at any call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.formats.transaction import slot_key
from mlreg.registry import backups
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.stores.directory import DirectoryStore
from tests.cli.calling import environment
from tests.reliability.calls import FAULTS, Counted, End, run_in_child

WRITER = """
import random, sys
from pathlib import Path
from mlreg.errors import MlregError
from mlreg.registry import collecting, repacking
from mlreg.registry.registry import Registry, silent

place, steps, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
registry = Registry(place, f"writer {seed}", None)
chance = random.Random(seed)
file = Path(place).with_name(f"file-{seed}")
for step in range(steps):
    file.write_bytes(b"common to all" * 100 + chance.randbytes(chance.choice([10, 70_000])))
    ref = registry.add(f"model/net-{seed}", [file], version=f"1.{step}.0", tags=["production"]).version.ref
    registry.tag(ref, "candidate")
    if step % 3 == 2:
        registry.remove([f"model/net-{seed}@1.{step - 2}.0"])
    if step % 4 == 3:
        collecting.collect(registry, grace=0, report=silent)
    if step % 5 == 4:
        repacking.repack(registry, delta=True, grace=0, report=silent)
"""


def names(registry: Registry) -> list[tuple[str, str | None]]:
    refs = registry.repository.log.refresh().refs("")
    return [(ref.name, str(ref.target) if ref.target else None) for ref in refs]


def check(place: str, number: int, source: DirectoryStore, out: Path, *bases: str) -> None:
    """Restore a backup, and compare its log with what the repository went through."""
    done = backups.restore(place, out, number, bases, report=silent)
    again = Registry(done.path, "Eve")
    slots = list(again.repository.store.list("log/"))
    assert len(slots) == done.backup.transaction
    assert all(again.repository.store.read(key) == source.read(key) for key in slots)
    assert again.verify().problems == ()
    for entry in again.entries():
        assert b"".join(again.cat(f"{entry.ref}@production:{again.files(f'{entry.ref}@production')[0].path}"))
    shutil.rmtree(out)


def test_every_backup_of_a_repository_that_is_written_to_is_whole(tmp_path: Path, scale: int) -> None:
    place, _ = init(tmp_path / "registry", shared=True)
    words = [sys.executable, "-c", WRITER, str(place), str(9 * scale)]
    writers = [subprocess.Popen([*words, str(seed)], env=environment()) for seed in (1, 2)]
    registry, kept, files = Registry(place, "Ann"), f"{tmp_path}/kept/", list[str]()

    while any(writer.poll() is None for writer in writers) or not files:
        backups.create(registry, kept, report=silent)
        file = str(tmp_path / f"{len(files)}.tar")
        backups.create(registry, file, since=files[-1:], report=silent)
        files.append(file)
        if len(files) == 5:
            backups.create(registry, kept, keep=2, report=silent)
    assert [writer.wait() for writer in writers] == [0, 0]
    backups.create(registry, kept, report=silent)

    store = DirectoryStore(place)
    listed = backups.ls(kept)
    assert listed[-1].transaction == len(list(store.list("log/")))
    for backup in listed[:: max(1, len(listed) // 6)]:
        check(kept, backup.number, store, tmp_path / "again")
    for number in range(0, len(files), max(1, len(files) // 4)):
        check(files[number], 0, store, tmp_path / "again", *files[:number])
    assert [backups.verify(kept, backup.number, (), 1.0, silent).problems for backup in listed] == [()] * len(listed)


# Kills.


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a backup, and with more since."""
    root = tmp_path_factory.mktemp("before")
    place, _ = init(root / "work", shared=False)
    registry = Registry(place, "Ann")
    for number in range(2):
        (root / "file").write_bytes(os.urandom(100_000))
        registry.add("model/net", [root / "file"], version=f"1.{number}.0", tags=["production"])
        (place / "config.yaml").write_text(f"author: {number}\n")
        if not number:
            backups.create(registry, f"{root}/kept/", report=silent)
    return root


def create(root: Path) -> None:
    backups.create(Registry(root / "work" / ".mlreg", "Ann"), f"{root}/kept/", report=silent)


def create_file(root: Path) -> None:
    backups.create(Registry(root / "work" / ".mlreg", "Ann"), f"{root}/file.tar", report=silent)


def create_and_keep_one(root: Path) -> None:
    backups.create(Registry(root / "work" / ".mlreg", "Ann"), f"{root}/kept/", keep=1, report=silent)


def restore(root: Path) -> None:
    backups.restore(f"{root}/kept", root / "again", report=silent)


def is_whole(place: Path) -> bool:
    """Tell whether each backup that is listed is one, and whether there is one."""
    found = backups.ls(f"{place}")
    assert [backups.verify(f"{place}", one.number, (), 1.0, silent).problems for one in found] == [()] * len(found)
    return bool(found)


def after_create(root: Path, *, is_done: bool) -> None:
    assert is_whole(root / "kept")
    assert not is_done or backups.ls(f"{root}/kept")[-1].transaction == 2


def after_create_file(root: Path, *, is_done: bool) -> None:
    is_there = (root / "file.tar").exists()
    assert is_there or not is_done
    assert not is_there or is_whole(root / "file.tar")
    (root / "file.tar").unlink(missing_ok=True)


def after_restore(root: Path, *, is_done: bool) -> None:
    is_there = (root / "again").exists()
    assert is_there or not is_done
    if is_there:
        assert names(Registry(root / "again" / ".mlreg", "Eve")) == [
            ("tag/model/net/production", *_first(root)),
            ("version/model/net/1.0.0", *_first(root)),
        ]
        assert (root / "again" / ".mlreg" / "config.yaml").read_text() == "author: 0\n"
        shutil.rmtree(root / "again")


def _first(root: Path) -> tuple[str]:
    return (str(Registry(root / "work" / ".mlreg", "Eve").rev_parse("model/net@1.0.0").commit_id),)


AFTER: dict[Callable[[Path], None], Callable[..., None]] = {
    create: after_create,
    create_and_keep_one: after_create,
    create_file: after_create_file,
    restore: after_restore,
}

STRIDES = {"kill": 37, "ENOSPC": 71}
"""Of so many calls one is cut, but at larger scales each."""


def copies(before: Path, place: Path, stride: int) -> Iterator[tuple[int, Path]]:
    for k in range(1, 1000, stride):
        root = place / str(k)
        shutil.copytree(before, root)
        yield k, root
        shutil.rmtree(root)
    pytest.fail("the operation needs too many calls")


@pytest.mark.parametrize("fault", ["kill", "ENOSPC"])
@pytest.mark.parametrize("operation", AFTER, ids=lambda operation: operation.__name__)
def test_a_backup_and_a_restore_that_are_cut_leave_what_is_whole_and_can_be_repeated(
    operation: Callable[[Path], None], fault: str, before: Path, tmp_path: Path, scale: int
) -> None:
    for k, root in copies(before, tmp_path, 1 if scale > 1 else STRIDES[fault]):
        end = run_in_child(operation, root, Counted(k, FAULTS[fault]))

        assert end is not End.BROKEN, f"call {k}"
        AFTER[operation](root, is_done=end in (End.DONE, End.DONE_ALL_THE_SAME))
        if end is not End.KILLED:
            assert not [path for path in root.rglob("*") if ".tmp-" in path.name or "restoring" in path.name]
        operation(root)
        AFTER[operation](root, is_done=True)
        if end is End.DONE:
            break


def test_a_repository_that_is_damaged_is_not_backed_up_as_if_it_were_whole(before: Path, tmp_path: Path) -> None:
    shutil.copytree(before, tmp_path / "copy")
    store = DirectoryStore(tmp_path / "copy" / "work" / ".mlreg")
    key = max(store.list("packs/"), key=lambda key: store.size(key) or 0)
    path = store.root / key
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:100] + b"other bytes" + path.read_bytes()[111:])

    for act in (create, create_file):
        if act is create and f"kept/{key}" in {
            str(p.relative_to(tmp_path / "copy")) for p in (tmp_path / "copy").rglob("*")
        }:
            continue  # which it has, and has whole
        with pytest.raises(MlregError):
            act(tmp_path / "copy")
    assert not (tmp_path / "copy" / "file.tar").exists()
    assert is_whole(tmp_path / "copy" / "kept")
    assert slot_key(1) in set(store.list("log/"))
