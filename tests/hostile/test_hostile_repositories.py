"""What a repository, a name or a file may contain to do harm; each row is refused, and nothing is lost.

The numbers in the names of rows are not kept anywhere else; what counts is that each row is refused by
the right error, that nothing is written outside the target, and that the repository stays clean.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlreg.errors import IntegrityError, MlregError
from mlreg.formats.commit import Commit
from mlreg.formats.names import Entry, version_ref
from mlreg.formats.pack import Sort
from mlreg.formats.transaction import RefChange, slot_key
from mlreg.formats.tree import File, Mode, build
from mlreg.ids import CommitId, ContentId
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.repository.log import Draft

BODY = b"harmless bytes"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    place, _ = init(tmp_path / "project", shared=False)
    (tmp_path / "good").write_bytes(BODY)
    found = Registry(place, "Ann", tmp_path / "cache")
    found.add("model/good", [tmp_path / "good"], version="1.0.0")
    return found


def everything_in(place: Path) -> str:
    """Return a hash of every name and byte below a directory."""
    hasher = hashlib.sha256()
    for path in sorted(place.rglob("*")):
        hasher.update(str(path).encode(errors="surrogateescape"))
        if path.is_file() and not path.is_symlink():
            hasher.update(path.read_bytes())
    return hasher.hexdigest()


def forge(registry: Registry, files: list[File], version: str = "6.6.6") -> None:
    """Put a version into a repository as someone would who does not use mlreg: nothing checks its paths."""
    repository = registry.repository
    repository.log.refresh()
    with repository.writer() as writer:
        writer.add(Sort.PIECE, ContentId.of(BODY), BODY)
        root = build(files, lambda node, data: writer.add(Sort.TREE, node, data))
        commit = Commit(
            "model/good",
            version,
            root.id,
            root.files,
            root.size,
            "directory",
            (),
            (),
            {},
            "",
            "Eve",
            "2026-01-01T00:00:00Z",
        ).encode()
        writer.add(Sort.COMMIT, CommitId.of(commit), commit)
        packs = writer.finish()
    name = version_ref(Entry("model", "good"), version)
    repository.log.append(lambda view: Draft("Eve", "", (RefChange(name, None, CommitId.of(commit)),), packs))


def row(path: str, size: int = len(BODY)) -> File:
    return File(path, Mode.FILE, size, ContentId.of(BODY))


TREES: dict[str, list[str]] = {
    "leaves the target": ["../evil"],
    "leaves it later": ["a/../../evil"],
    "absolute": ["/evil-of-mlreg"],
    "a drive": ["C:evil"],
    "a share": ["\\\\host\\share\\evil"],
    "backslashes": ["a\\..\\evil"],
    "an empty part": ["a//b"],
    "a dot": ["a/./b"],
    "ends with a slash": ["a/"],
    "a line break": ["a\nb"],
    "an escape": ["a\x1b[2Jb"],
    "a delete": ["a\x7fb"],
    "our own directory": [".mlreg/config.yaml"],
    "our own directory, folded": [".MLREG/x"],
    "our own directory, ignorable": [".ml\u200creg/x"],
    "our own directory, short": ["MLREG~1/x"],
    "names that differ in case": ["README", "readme"],
    "names that differ in form": ["e\u0301", "\u00e9"],
    "names that fold": ["stra\u00dfe", "strasse"],
    "a dot at the end": ["a."],
    "a space at the end": ["a "],
    "a device": ["CON"],
    "a device with an ending": ["aux.json"],
    "a stream": ["name:stream"],
    "a file that is a directory": ["a", "a/b"],
    "too long a part": ["x" * 256],
    "too deep": ["/".join(["x"] * 129)],
    "turned around": ["model\u202egnp.bin"],
}


@pytest.mark.parametrize("name", TREES)
def test_a_version_with_unsafe_paths_is_neither_written_nor_called_clean(
    name: str, registry: Registry, tmp_path: Path
) -> None:
    paths = sorted(TREES[name], key=lambda path: path.encode())
    forge(registry, [row(path) for path in paths])
    target = tmp_path / "outer" / "target"
    target.mkdir(parents=True)
    before = everything_in(tmp_path / "outer")

    with pytest.raises(MlregError) as caught:
        registry.get("model/good@6.6.6", target)

    assert caught.value.code in ("unsafe_path", "colliding_paths", "unsorted_tree")
    assert everything_in(tmp_path / "outer") == before
    assert not Path("/evil-of-mlreg").exists()
    assert any("model/good@6.6.6" in problem.hurts for problem in registry.verify().problems)
    assert registry.get("model/good@1.0.0", tmp_path / "out").written == 1


@pytest.mark.parametrize("name", TREES)
def test_files_with_unsafe_names_are_not_registered(name: str, registry: Registry, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in TREES[name]:
        if path.startswith(("/", "..", ".mlreg/")) or ".." in path.split("/") or path in ("a//b", "a/./b", "a/"):
            pytest.skip("no file can have this name")
        try:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(BODY)
        except OSError:
            pytest.skip("no file can have this name here")

    with pytest.raises(MlregError) as caught:
        registry.add("model/bad", [source], version="1.0.0")

    assert caught.value.code in ("unsafe_path", "colliding_paths")
    assert [entry.ref for entry in registry.entries()] == ["model/good"]
    assert registry.verify().problems == ()


def test_links_in_the_target_are_replaced_and_never_followed(registry: Registry, tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (outside / "good").write_bytes(b"mine")
    (target / "good").symlink_to(outside / "good")

    registry.get("model/good@1.0.0", target)

    assert (outside / "good").read_bytes() == b"mine"
    assert not (target / "good").is_symlink()
    assert (target / "good").read_bytes() == BODY


def test_a_linked_directory_in_the_target_is_not_entered(registry: Registry, tmp_path: Path) -> None:
    forge(registry, [row("sub/file")])
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "sub").symlink_to(outside)

    with pytest.raises(MlregError) as caught:
        registry.get("model/good@6.6.6", target)

    assert caught.value.code in ("in_the_way", "access_denied")
    assert list(outside.iterdir()) == []


def test_one_name_of_a_linked_file_is_replaced_and_the_other_stays(registry: Registry, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "mine").write_bytes(b"mine")
    os.link(tmp_path / "mine", target / "good")

    registry.get("model/good@1.0.0", target)

    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert (target / "good").read_bytes() == BODY


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(os.path.relpath(path))


def loop(path: Path) -> None:
    path.symlink_to(path)


def link_to_directory(path: Path) -> None:
    path.symlink_to(path.parent)


@pytest.mark.parametrize("make", [pipe, unix_socket, loop, link_to_directory], ids=lambda make: make.__name__)
def test_what_is_no_file_is_refused_and_never_waited_for(
    make: Callable[[Path], None], registry: Registry, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "weights").write_bytes(BODY)
    make(source / "odd")

    with pytest.raises(MlregError) as caught:
        registry.add("model/bad", [source], version="1.0.0")

    assert caught.value.code in ("special_file", "access_denied")
    assert registry.verify().versions == 1


def test_a_file_that_is_written_to_while_it_is_read_is_not_registered(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "growing"
    file.write_bytes(os.urandom(9 << 20))

    def grow(_: int) -> None:
        with file.open("ab") as end:
            end.write(b"more")

    with pytest.raises(MlregError) as caught:
        registry.add("model/bad", [file], version="1.0.0", report=grow)

    assert caught.value.code == "file_changed"
    assert [entry.ref for entry in registry.entries()] == ["model/good"]
    assert registry.verify().orphans == 0


def test_a_directory_that_holds_the_repository_is_added_without_it(registry: Registry, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "weights").write_bytes(BODY)

    registry.add("model/own", [project], version="1.0.0")

    assert [file.path for file in registry.files("model/own@1.0.0")] == ["weights"]


# Damage to the files of a repository.


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "one bit flipped": flipped,
    "the last byte gone": lambda data: data[:-1],
    "half of it gone": lambda data: data[: len(data) // 2],
    "all of it gone": lambda data: b"",
    "one byte more": lambda data: data + b"\0",
    "a hole of zeros": lambda data: bytes(len(data)),
    "other bytes": lambda data: b"something else entirely " * 20,
}


def damaged_files(project: Path) -> Iterator[Path]:
    for pattern in ("packs/*/*.pack", "log/*", "snapshots/*", "mlreg.json"):
        yield from sorted((project / ".mlreg").glob(pattern))


def is_found(registry: Registry) -> bool:
    """Tell whether a repository is not called clean."""
    try:
        return bool(registry.verify().problems)
    except MlregError as error:
        return error.exit_status in (6, 13)


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_to_any_file_is_found(name: str, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(200_000))
    registry.add("model/large", [tmp_path / "large"], version="1.0.0", tags=["production"])
    registry.repository.log.write_snapshot()
    project = tmp_path / "project"
    files = list(damaged_files(project))
    assert len(files) >= 8

    for path in files:
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(DAMAGE[name](data))
        fresh = Registry(project / ".mlreg", "Ann")
        assert is_found(fresh), f"{path.name}: {name}"
        path.write_bytes(data)
    assert Registry(project / ".mlreg", "Ann").verify().problems == ()


def test_a_damaged_pack_names_the_version_that_it_hurts_and_no_other(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(200_000))
    registry.add("model/large", [tmp_path / "large"], version="1.0.0")
    pack = max((tmp_path / "project").rglob("*.pack"), key=lambda path: path.stat().st_size)
    pack.chmod(0o644)
    data = pack.read_bytes()
    pack.write_bytes(flipped(data[:100_000]) + data[100_000:])

    found = registry.verify()

    assert {ref for problem in found.problems for ref in problem.hurts} == {"model/large@1.0.0"}
    with pytest.raises(IntegrityError):
        registry.get("model/large@1.0.0", tmp_path / "out")
    assert not (tmp_path / "out" / "large").exists()


SLOTS: dict[str, bytes] = {
    "no JSON": b"hello\n",
    "no end": b"{}",
    "a key twice": b'{"add":[],"add":[]}\n',
    "not a number": b'{"format":NaN}\n',
    "too large a number": b'{"format":1e999}\n',
    "too many digits": b'{"format":' + b"1" * 5000 + b"}\n",
    "too deep": b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "a mark in front": b"\xef\xbb\xbf{}\n",
    "no UTF-8": b'{"author":"\xff"}\n',
    "half a character": b'{"author":"\\ud800"}\n',
    "another format": b'{"format":2}\n',
    "too long": b" " * (9 << 20),
}


@pytest.mark.parametrize("name", SLOTS)
def test_a_slot_that_is_no_transaction_is_an_error_and_not_a_state(
    name: str, registry: Registry, tmp_path: Path
) -> None:
    slot = tmp_path / "project" / ".mlreg" / slot_key(2)
    slot.write_bytes(SLOTS[name])

    with pytest.raises(MlregError) as caught:
        Registry(tmp_path / "project" / ".mlreg", "Ann").show("model/good")

    assert caught.value.exit_status in (6, 13)
    slot.unlink()
    assert registry.verify().problems == ()


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("make", [pipe, loop], ids=lambda make: make.__name__)
def test_a_slot_that_is_no_file_is_not_waited_for(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "project" / ".mlreg" / slot_key(2))

    with pytest.raises(MlregError):
        Registry(tmp_path / "project" / ".mlreg", "Ann").show("model/good")


NAMES = [
    "../x1",
    "a\0b",
    "A1",
    "a\x1b[2Jb",
    "con",
    "aux.x",
    "-rf",
    "latest",
    "x" * 300,
    "a" * 64,
    "e\u0301e",
    "a..b",
    "a.lock",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_an_entry_with_an_unsafe_name_is_not_made(name: str, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(MlregError) as caught:
        registry.add(f"model/{name}", [tmp_path / "good"], version="1.0.0")

    assert caught.value.exit_status == 2
    assert caught.value.message.isprintable()
    assert [entry.ref for entry in registry.entries()] == ["model/good"]


VERSIONS = [
    "1.0",
    "01.0.0",
    "1.0.0-",
    "1.0.0+..",
    "1.0.0+../../x",
    "\u0663.0.0",
    "1_0.0.0",
    "1.0.0\n",
    "v1.0.0",
    "x" * 300,
]


@pytest.mark.parametrize("version", VERSIONS, ids=ascii)
def test_a_version_that_is_none_is_refused(version: str, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(MlregError) as caught:
        registry.add("model/other", [tmp_path / "good"], version=version)

    assert (caught.value.code, caught.value.exit_status) == ("bad_version", 2)
    assert [entry.ref for entry in registry.entries()] == ["model/good"]


METADATA: dict[str, object] = {
    "not a number": float("nan"),
    "infinite": float("inf"),
    "65 bits": 2**64,
    "half a character": "\ud800",
    "bytes": b"x",
    "too deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    "too large": "x" * (2 << 20),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_cannot_be_kept_is_refused_by_path(name: str, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(MlregError) as caught:
        registry.add("model/other", [tmp_path / "good"], version="1.0.0", metadata={"remarks": {"map": METADATA[name]}})

    assert caught.value.code in ("bad_json", "metadata_too_large")
    assert [entry.ref for entry in registry.entries()] == ["model/good"]
