"""What was added before is not read again if nothing says that it has changed, and is in every other case."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mlreg.operations import ingest, remembering
from mlreg.operations.cutting import Piece, pieces_of_file
from mlreg.operations.remembering import KEPT, SUFFIX
from mlreg.registry.places import init
from mlreg.registry.registry import Registry

LONG_AGO = time.time_ns() - 10**12


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(init(tmp_path / "here", shared=True)[0], "Ann", tmp_path / "cache")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of files, all of them as settled as if they had been there for long."""
    monkeypatch.setattr(remembering, "SETTLED", -(10**9))
    directory = tmp_path / "files"
    (directory / "deep").mkdir(parents=True)
    for name in ("a.txt", "a/", "b", "deep/c", "empty"):
        if not name.endswith("/"):
            (directory / name).write_bytes(b"" if name == "empty" else name.encode() * 50_000)
    return directory


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read, as they are."""
    found: list[str] = []

    def noted(path: str | Path) -> Iterator[Piece]:
        found.append(Path(path).name)
        return pieces_of_file(path)

    monkeypatch.setattr(ingest, "pieces_of_file", noted)
    return found


def notes(registry: Registry) -> list[Path]:
    directory = registry.repository.notes
    assert directory
    return sorted(directory.glob(f"*{SUFFIX}"))


def content(registry: Registry, ref: str) -> dict[str, bytes]:
    return {file.path: b"".join(registry.cat(f"{ref}:{file.path}")) for file in registry.files(ref)}


def test_files_that_are_as_they_were_are_not_read(registry: Registry, files: Path, read: list[str]) -> None:
    first = registry.add("data/rows", [files], version="2026.01.01")
    assert sorted(read) == ["a.txt", "b", "c", "empty"]
    read.clear()

    again = registry.add("data/rows", [files], version="2026.01.02", metadata={"n": 1})

    assert read == []
    assert again.version.tree == first.version.tree
    assert registry.verify().is_clean


def test_of_a_tree_in_which_one_changed_only_that_is_read(registry: Registry, files: Path, read: list[str]) -> None:
    registry.add("data/rows", [files], version="2026.01.01")
    (files / "deep" / "c").write_bytes(b"changed")
    (files / "new").write_bytes(b"new")
    (files / "b").unlink()
    read.clear()

    registry.add("data/rows", [files], version="2026.01.02")

    assert sorted(read) == ["c", "new"]
    assert content(registry, "data/rows") == {
        "a.txt": b"a.txt" * 50_000,
        "deep/c": b"changed",
        "empty": b"",
        "new": b"new",
    }


def test_a_file_alone_is_remembered_too(registry: Registry, files: Path, read: list[str]) -> None:
    registry.add("model/net", [files / "b"], version="1.0.0")
    registry.add("model/net", [files / "b"], version="1.0.1", metadata={"n": 1})
    registry.add("model/net", [files / "b", files / "a.txt"], version="1.0.2")

    assert read == ["b", "a.txt", "b"]


def test_what_was_changed_just_before_is_read_again(
    registry: Registry, files: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next change might have the same time: then nothing would say that it is another one."""
    os.utime(files / "a.txt", ns=(LONG_AGO, LONG_AGO))
    monkeypatch.setattr(remembering, "SETTLED", 10**15)  # nothing is older than that
    registry.add("data/rows", [files], version="2026.01.01")
    read.clear()
    registry.add("data/rows", [files], version="2026.01.02", metadata={"n": 1})

    assert sorted(read) == ["a.txt", "b", "c", "empty"]


@pytest.mark.parametrize("keep_times", [False, True])
def test_another_file_of_the_same_size_and_time_is_read(
    registry: Registry, files: Path, read: list[str], keep_times: bool
) -> None:
    os.utime(files / "b", ns=(LONG_AGO, LONG_AGO))
    registry.add("data/rows", [files], version="2026.01.01")
    other = files.with_name("other")
    other.write_bytes(b"B" * 50_000)
    if keep_times:
        os.utime(other, ns=(LONG_AGO, LONG_AGO))
    other.replace(files / "b")
    read.clear()

    registry.add("data/rows", [files], version="2026.01.02")

    assert read == ["b"]
    assert content(registry, "data/rows")["b"] == b"B" * 50_000


def test_a_file_that_was_given_its_old_time_back_is_read(registry: Registry, files: Path, read: list[str]) -> None:
    """As tools that unpack archives do."""
    os.utime(files / "b", ns=(LONG_AGO, LONG_AGO))
    registry.add("data/rows", [files], version="2026.01.01")
    time.sleep(0.02)  # more than a tick of the clock of files
    (files / "b").write_bytes(b"B" * 50_000)
    os.utime(files / "b", ns=(LONG_AGO, LONG_AGO))
    read.clear()

    registry.add("data/rows", [files], version="2026.01.02")

    assert read == ["b"]


def test_a_file_that_became_executable_is_so_in_the_next_version(registry: Registry, files: Path) -> None:
    registry.add("data/rows", [files], version="2026.01.01")
    (files / "b").chmod(0o755)
    registry.add("data/rows", [files], version="2026.01.02")

    assert [file.path for file in registry.files("data/rows") if file.executable] == ["b"]


def test_all_are_read_if_that_is_asked_for(registry: Registry, files: Path, read: list[str]) -> None:
    registry.add("data/rows", [files], version="2026.01.01")
    read.clear()
    registry.add("data/rows", [files], version="2026.01.02", metadata={"n": 1}, reread=True)

    assert sorted(read) == ["a.txt", "b", "c", "empty"]


def test_what_a_repository_lost_is_read_and_stored_again(registry: Registry, files: Path, read: list[str]) -> None:
    registry.add("data/rows", [files], version="2026.01.01")
    for pack in Path(registry.path).glob("packs/*/*"):
        pack.unlink()
    read.clear()
    other = Registry(registry.path, "Ann", registry.cache)

    other.add("data/rows", [files], version="2026.01.02", metadata={"n": 1})

    assert sorted(read) == ["a.txt", "b", "c", "empty"]
    assert content(other, "data/rows@2026.01.02")["b"] == b"b" * 50_000


def test_another_repository_remembers_nothing_of_this_one(
    registry: Registry, files: Path, read: list[str], tmp_path: Path
) -> None:
    registry.add("data/rows", [files], version="2026.01.01")
    other = Registry(init(tmp_path / "there", shared=True)[0], "Ann", tmp_path / "cache")
    read.clear()
    other.add("data/rows", [files], version="2026.01.01")

    assert len(read) == 4
    assert other.verify().is_clean


@pytest.mark.parametrize("at", [0, 8, 40, 60, 100, 200, -1])
def test_a_damaged_note_is_none(registry: Registry, files: Path, read: list[str], at: int) -> None:
    registry.add("data/rows", [files], version="2026.01.01")
    (note,) = notes(registry)
    data = bytearray(note.read_bytes())
    data[at] ^= 1
    note.write_bytes(data)
    read.clear()

    registry.add("data/rows", [files], version="2026.01.02", metadata={"n": 1})

    assert len(read) == 4


@pytest.mark.parametrize("size", [0, 7, 40, 90])
def test_a_note_that_is_cut_is_none(registry: Registry, files: Path, read: list[str], size: int) -> None:
    registry.add("data/rows", [files], version="2026.01.01")
    (note,) = notes(registry)
    note.write_bytes(note.read_bytes()[:size])
    registry.add("data/rows", [files], version="2026.01.02", metadata={"n": 1})

    assert len(read) == 8


@pytest.mark.usefixtures("files")
def test_notes_do_not_become_many(registry: Registry, tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        place = tmp_path / f"place{number}"
        place.mkdir()
        (place / "file").write_text("x")
        registry.add("data/rows", [place], version=f"2026.01.{number + 1:02}" if number < 31 else "auto")

    assert len(notes(registry)) == KEPT


class Changing(RuleBasedStateMachine):
    """Files change in every way in which files change; each version holds what they held."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(remembering, "SETTLED", 0)
        self._scratch = tempfile.TemporaryDirectory()
        place = Path(self._scratch.name)
        self.registry = Registry(init(place / "here", shared=True)[0], "Ann", place / "cache")
        self.files = place / "files"
        self.files.mkdir()
        self.number = 0
        (self.files / "a").write_bytes(b"a")

    names = st.sampled_from(["a", "b", "d/c", "d/e"])
    bodies = st.sampled_from([b"", b"one", b"two"])

    @rule(name=names, body=bodies)
    def write(self, name: str, body: bytes) -> None:
        path = self.files / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    @rule(one=names, other=names)
    def move(self, one: str, other: str) -> None:
        if (self.files / one).exists():
            (self.files / other).parent.mkdir(exist_ok=True)
            (self.files / one).replace(self.files / other)

    @rule(one=names, other=names)
    def swap(self, one: str, other: str) -> None:
        if (self.files / one).exists() and (self.files / other).exists():
            (self.files / one).replace(self.files / "x")
            (self.files / other).replace(self.files / one) if one != other else None
            (self.files / "x").replace(self.files / other)

    @rule(name=names)
    def remove(self, name: str) -> None:
        (self.files / name).unlink(missing_ok=True)

    @rule(name=names, moment=st.integers(0, 3))
    def touch(self, name: str, moment: int) -> None:
        if (self.files / name).exists():
            os.utime(self.files / name, ns=(moment, moment))

    @rule()
    def add(self) -> None:
        time.sleep(0.02)  # more than a tick of the clock of files
        there = {
            path.relative_to(self.files).as_posix(): path.read_bytes()
            for path in self.files.rglob("*")
            if path.is_file()
        }
        if not there:
            return
        self.number += 1
        self.registry.add("model/net", [self.files], version=f"0.0.{self.number}")
        assert content(self.registry, "model/net") == there

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each version is looked at when it is added."""

    def teardown(self) -> None:
        if hasattr(self, "_patch"):
            self._patch.undo()
            self.registry.repository.close()
            self._scratch.cleanup()


TestChanging = Changing.TestCase
TestChanging.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
