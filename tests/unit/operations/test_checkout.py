"""Files out: what differs is written, whole; what is right stays; nothing outside the target is touched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from mlreg.errors import IntegrityError, MlregError, RefusedError
from mlreg.formats.pack import Sort
from mlreg.formats.recipe import paginate
from mlreg.formats.tree import File, Mode
from mlreg.ids import ContentId
from mlreg.operations import checkout as checkouts
from mlreg.operations.checkout import Survey, Written, checkout, remove_strays, survey
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository, create_repository
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.memory import MemoryStore
from tests.unit.repository.samples import object_id, put, repository_in

TREE = {"a": b"one", "dir/b": b"two", "dir/sub/c": b"three"}


@pytest.fixture
def repository() -> Repository:
    return repository_in()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def files(repository: Repository, contents: Mapping[str, bytes], mode: Mode = Mode.FILE) -> list[File]:
    """Put contents into a repository, and return the rows of their tree."""
    put(repository, ((Sort.PIECE, data) for data in {data for data in contents.values() if data}))
    return [File(path, mode, len(data), ContentId.of(data)) for path, data in sorted(contents.items())]


def write(repository: Repository, wanted: Iterable[File], target: Path) -> Written:
    return checkout(repository, wanted, target, lambda size: None)


def contents(place: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a directory, temporary ones too."""
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def refused(repository: Repository, wanted: Iterable[File], target: Path) -> str:
    """Check out what must not be, and return the code of the refusal."""
    with pytest.raises(RefusedError) as caught:
        write(repository, wanted, target)
    return caught.value.code


# What is written.


def test_a_tree_is_written_with_the_directories_it_needs(repository: Repository, target: Path) -> None:
    told: list[int] = []

    assert checkout(repository, files(repository, TREE), target, told.append) == Written(3, 0, 0, 11)
    assert contents(target) == TREE
    assert told == [3, 3, 5]


def test_what_is_right_keeps_its_inode_and_its_times(repository: Repository, target: Path) -> None:
    wanted = files(repository, TREE)
    write(repository, wanted, target)
    (target / "dir/b").write_bytes(b"TWO")
    for path in TREE:  # neither size nor times tell that one of them is other
        os.utime(target / path, ns=(1, 1))
    before = {path: (target / path).stat() for path in TREE}

    assert write(repository, wanted, target) == Written(1, 2, 0, 3)

    after = {path: (target / path).stat() for path in TREE}
    assert contents(target) == TREE
    for path in ("a", "dir/sub/c"):
        assert (after[path].st_ino, after[path].st_mtime_ns) == (before[path].st_ino, 1)


@pytest.mark.parametrize(("first", "then"), [(Mode.FILE, Mode.EXECUTABLE), (Mode.EXECUTABLE, Mode.FILE)])
def test_a_file_is_executable_exactly_if_the_version_says_so(
    first: Mode, then: Mode, repository: Repository, target: Path
) -> None:
    for mode in (first, then):
        wanted = files(repository, {"tool": b"#!/bin/sh"}, mode)
        assert write(repository, wanted, target).written == 1
        assert os.access(target / "tool", os.X_OK) is (mode is Mode.EXECUTABLE)
        assert write(repository, wanted, target).unchanged == 1


def test_an_empty_file_is_written_and_takes_the_place_of_a_longer_one(repository: Repository, target: Path) -> None:
    target.mkdir()
    (target / "b").write_bytes(b"long")
    wanted = files(repository, {"a": b"", "b": b""})

    assert write(repository, wanted, target) == Written(2, 0, 0, 0)
    assert contents(target) == {"a": b"", "b": b""}
    assert write(repository, wanted, target).unchanged == 2


def test_a_version_without_files_makes_the_directory(repository: Repository, target: Path) -> None:
    assert write(repository, [], target) == Written(0, 0, 0, 0)
    assert list(target.iterdir()) == []


# What lies in the way.


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_not_replaced_by_one(kind: str, repository: Repository, target: Path) -> None:
    target.mkdir()
    make = os.mkfifo if kind == "pipe" else os.mkdir
    make(target / "a")
    before = (target / "a").lstat().st_ino

    assert refused(repository, files(repository, {"a": b"one"}), target) == "in_the_way"
    assert [(path.name, path.lstat().st_ino) for path in target.iterdir()] == [("a", before)]


def test_a_file_is_not_replaced_by_a_directory(repository: Repository, target: Path) -> None:
    target.mkdir()
    (target / "dir").write_bytes(b"mine")

    assert refused(repository, files(repository, {"dir/b": b"two"}), target) == "in_the_way"
    assert contents(target) == {"dir": b"mine"}


def test_a_target_that_is_a_file_is_refused_and_stays(repository: Repository, target: Path) -> None:
    target.write_bytes(b"mine")

    assert refused(repository, files(repository, TREE), target) == "target_not_a_directory"
    assert target.read_bytes() == b"mine"


def test_a_path_out_of_the_target_is_refused_before_anything_is_written(repository: Repository, target: Path) -> None:
    wanted = files(repository, {"../outside": b"two", "a": b"one"})

    assert refused(repository, wanted, target) == "unsafe_path"
    assert contents(target.parent) == {}


# Links.


def test_a_directory_that_is_a_link_is_not_entered(repository: Repository, target: Path, tmp_path: Path) -> None:
    (tmp_path / "outside/sub").mkdir(parents=True)
    target.mkdir()
    (target / "dir").symlink_to(tmp_path / "outside")

    for path in ("dir/b", "dir/sub/b"):
        assert refused(repository, files(repository, {path: b"two"}), target) == "in_the_way"
    assert contents(tmp_path / "outside") == {}
    assert (target / "dir").is_symlink()


@pytest.mark.parametrize("outside", [b"mine", b"one", None])
def test_a_link_gives_way_to_the_file_and_is_not_written_through(
    outside: bytes | None, repository: Repository, target: Path, tmp_path: Path
) -> None:
    target.mkdir()
    if outside is not None:
        (tmp_path / "outside").write_bytes(outside)
    (target / "a").symlink_to(tmp_path / "outside")

    # Also if the bytes behind the link are right: they are not the target's.
    assert write(repository, files(repository, {"a": b"one"}), target).written == 1
    assert not (target / "a").is_symlink()
    assert (target / "a").read_bytes() == b"one"
    assert contents(tmp_path) == {"target/a": b"one"} | ({} if outside is None else {"outside": outside})


@pytest.mark.parametrize("outside", [b"mine", b"one"])
def test_a_linked_file_is_parted_from_its_other_name(
    outside: bytes, repository: Repository, target: Path, tmp_path: Path
) -> None:
    target.mkdir()
    (tmp_path / "outside").write_bytes(outside)
    (target / "a").hardlink_to(tmp_path / "outside")

    assert write(repository, files(repository, {"a": b"one"}), target).written == 1
    assert contents(tmp_path) == {"target/a": b"one", "outside": outside}
    assert (target / "a").stat().st_nlink == 1


# What goes wrong midway.


@pytest.mark.parametrize("verb", ["write", "fsync", "replace"])
@pytest.mark.parametrize("number", range(3))
def test_an_interrupt_leaves_each_file_old_or_new(
    verb: str, number: int, repository: Repository, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {path: data.upper() for path, data in TREE.items()}
    wanted = files(repository, TREE)
    write(repository, files(repository, old), target)
    real, calls = getattr(os, verb), 0

    def interrupted(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls > number:
            if verb == "write":
                real(arguments[0], bytes(arguments[1])[:1])  # type: ignore[call-overload] # a part of it is there
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, verb, interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(repository, wanted, target)

    done = sorted(TREE)[: number if verb == "replace" else 0]
    assert contents(target) == old | {path: TREE[path] for path in done}
    assert write(repository, wanted, target) == Written(
        3 - len(done), len(done), 0, sum(map(len, TREE.values())) - 3 * len(done)
    )


def check_nothing_changed(repository: Repository, wanted: File, code: str, target: Path) -> None:
    target.mkdir()
    (target / "a").write_bytes(b"old")

    with pytest.raises(MlregError) as caught:
        write(repository, [wanted], target)

    assert isinstance(caught.value, IntegrityError)
    assert caught.value.code == code
    assert contents(target) == {"a": b"old"}


def test_damaged_bytes_never_take_the_place_of_a_file(target: Path) -> None:
    store = MemoryStore()
    repository = repository_in(store)
    (pack,) = put(repository, [(Sort.PIECE, b"one")])
    key = pack_key(pack.id)
    store.contents[key] = bytes([store.contents[key][0] ^ 1]) + store.contents[key][1:]

    check_nothing_changed(repository, File("a", Mode.FILE, 3, ContentId.of(b"one")), "object_damaged", target)


def test_pieces_that_do_not_add_up_never_take_the_place_of_a_file(repository: Repository, target: Path) -> None:
    pieces = [b"first", b"second"]
    recipe = paginate([(len(piece), ContentId.of(piece)) for piece in pieces])[0].encode()
    put(repository, [*((Sort.PIECE, piece) for piece in pieces), (Sort.RECIPE, recipe)])
    wrong = ContentId(object_id(Sort.RECIPE, recipe))

    check_nothing_changed(repository, File("a", Mode.FILE, 11, wrong), "content_mismatch", target)


# Strays.


def test_strays_are_removed_and_the_files_of_the_version_stay(repository: Repository, target: Path) -> None:
    wanted = files(repository, TREE)
    write(repository, wanted, target)
    for stray in ("stray", "dir/stray", "dir/sub/b", "other/deep/stray"):
        (target / stray).parent.mkdir(parents=True, exist_ok=True)
        (target / stray).write_bytes(b"stray")

    # A checkout alone leaves them.
    assert write(repository, wanted, target) == Written(0, 3, 0, 0)
    assert remove_strays(wanted, target) == 4
    assert contents(target) == TREE
    assert remove_strays(wanted, target) == 0


def test_a_stray_link_goes_and_what_it_points_to_stays(target: Path, tmp_path: Path) -> None:
    target.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_bytes(b"mine")
    for name, place in (("file", "outside/a"), ("directory", "outside"), ("nothing", "gone")):
        (target / name).symlink_to(tmp_path / place)

    assert remove_strays([], target) == 3
    assert list(target.iterdir()) == []
    assert contents(tmp_path) == {"outside/a": b"mine"}


@pytest.mark.parametrize("place", ["shared", "deep/shared", ".mlreg", "deep/.mlreg"])
def test_nothing_of_a_repository_is_a_stray(place: str, target: Path) -> None:
    (target / place).mkdir(parents=True)
    store = DirectoryStore(target / place)
    create_repository(store)
    put(repository_in(store), [(Sort.PIECE, b"one")])
    (target / place / "log/note").write_bytes(b"not a slot, and still not ours to delete")
    before = contents(target)
    (target / "stray").write_bytes(b"stray")

    assert remove_strays([], target) == 1
    assert contents(target) == before


def test_a_directory_with_the_name_of_a_repository_is_kept_even_if_it_is_none(target: Path) -> None:
    (target / ".mlreg").mkdir(parents=True)
    (target / ".mlreg/settings").write_bytes(b"mine")

    assert remove_strays([], target) == 0
    assert contents(target) == {".mlreg/settings": b"mine"}


@pytest.mark.parametrize("place", [".", "packs", "log/deep"])
def test_strays_are_not_looked_for_in_a_repository(place: str, target: Path) -> None:
    target.mkdir()
    store = DirectoryStore(target)
    create_repository(store)
    put(repository_in(store), [(Sort.PIECE, b"one")])
    before = contents(target)

    with pytest.raises(RefusedError):
        remove_strays([], target / place)
    assert contents(target) == before


@pytest.mark.parametrize("path", ["mlreg.json", "deep/mlreg.json"])
def test_a_file_that_is_called_like_that_of_a_repository_makes_none(
    path: str, repository: Repository, target: Path
) -> None:
    wanted = files(repository, {path: b"{}"})
    write(repository, wanted, target)
    (target / path).with_name("stray").write_bytes(b"stray")

    assert write(repository, wanted, target).unchanged == 1
    assert remove_strays(wanted, target) == 1


def test_a_target_below_a_file_is_refused(repository: Repository, target: Path) -> None:
    target.write_bytes(b"a file")

    assert refused(repository, [], target / "below") == "target_not_a_directory"
    assert refused(repository, [], target / "far" / "below") == "target_not_a_directory"


# What is there before.


def test_a_survey_tells_own_bytes_from_what_can_be_had_again(repository: Repository, target: Path) -> None:
    wanted = files(repository, {**TREE, "gone": b"four", "mode": b"five", "linked": b"six", "empty": b"seven"})
    files(repository, {"earlier": b"of an earlier version"})
    write(repository, wanted, target)
    (target / "gone").unlink()
    (target / "a").write_bytes(b"of an earlier version")
    (target / "dir/b").write_bytes(b"own")
    (target / "mode").chmod(0o755)
    (target / "linked").unlink()
    (target / "linked").symlink_to("dir/b")
    (target / "empty").write_bytes(b"")
    before = contents(target)

    assert survey(repository, wanted, target) == Survey(frozenset({"dir/sub/c"}), ("dir/b",))
    assert contents(target) == before


def test_a_survey_knows_large_files_of_other_versions(repository: Repository, target: Path) -> None:
    large, other = b"x" * 5000, b"y" * 5000
    halves = [(2500, ContentId.of(other[:2500]))] * 2
    recipe, _ = paginate(halves)
    objects = [(Sort.PIECE, other[:2500])]
    put(repository, objects)
    with repository.writer() as writer:
        writer.add(Sort.RECIPE, ContentId.of(other), recipe.encode())
        written = writer.finish()
    repository.log.append(lambda view: Draft("Ann", "put", add=written))
    wanted = files(repository, {"large": large})
    target.mkdir()
    (target / "large").write_bytes(other)

    assert survey(repository, wanted, target).own == ()
    (target / "large").write_bytes(other[1:])
    assert survey(repository, wanted, target).own == ("large",)


def test_a_survey_of_nothing_finds_nothing(repository: Repository, target: Path) -> None:
    assert survey(repository, files(repository, TREE), target) == Survey(frozenset(), ())
    assert not target.exists()


def test_what_a_survey_found_right_is_not_read_again(repository: Repository, target: Path) -> None:
    wanted = files(repository, {"a": b"one"})
    write(repository, wanted, target)
    found = survey(repository, wanted, target)
    (target / "a").write_bytes(b"two")
    assert checkout(repository, wanted, target, lambda size: None, found.right) == Written(0, 1, 0, 0)


def test_a_file_that_vanishes_while_it_is_looked_at_hides_no_other(
    repository: Repository, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = files(repository, {"a": b"one", "b": b"two"})
    target.mkdir()
    for name in "ab":
        (target / name).write_bytes(b"own")
    read = checkouts._content_of

    def vanishing(directory: int, name: str) -> ContentId:
        if name == "a":
            (target / name).unlink()
        return read(directory, name)

    monkeypatch.setattr(checkouts, "_content_of", vanishing)
    assert survey(repository, wanted, target).own == ("b",)
