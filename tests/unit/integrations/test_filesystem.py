"""`mlreg://`: versions read where they are, names listed, files that wait, threads, forks and copies."""

from __future__ import annotations

import errno
import multiprocessing
import pickle
import threading
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.tree import File, Mode
from mlreg.ids import ContentId
from mlreg.integrations.filesystem import MlregFileSystem, place_of
from mlreg.registry import Registry
from mlreg.registry.places import init
from mlreg.registry.tainting import taint
from mlreg.registry.usage import usage

FILES = {"a.csv": b"x\n1\n", "a-b": b"", "a/one": b"1", "a/deep/two": b"22", "z#1 %41": b"odd", "é.txt": b"accent"}
LARGE = bytes(range(256)) * 20_000


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("MLREG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MLREG_AUTHOR", "Ann Lee <ann@example.org>")
    project = tmp_path / "project"
    project.mkdir()
    root, _ = init(project, shared=False)
    registry = Registry(root, "Ann")
    add(registry, "data/train", "2026.11.23", FILES | {"large.bin": LARGE})
    return registry


def add(registry: Registry, entry: str, version: str, files: dict[str, bytes]) -> None:
    place = Path(registry.path).parent / "files" / entry / version
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    registry.add(entry, [place], version=version, may_be_older=True)


@pytest.fixture
def fs(registry: Registry) -> MlregFileSystem:
    return MlregFileSystem(directory=Path(registry.path).parent)


ROOT = "/data/train@2026.11.23"


def test_every_file_is_found_and_reads_as_it_was_registered(fs: MlregFileSystem) -> None:
    found = fs.find(ROOT)

    assert {name.removeprefix(f"{ROOT}/"): fs.cat_file(name) for name in found} == FILES | {"large.bin": LARGE}
    assert found == sorted(found) == sorted(fs.find(ROOT, maxdepth=9))


def test_a_directory_lists_what_is_right_in_it(fs: MlregFileSystem) -> None:
    assert fs.ls(f"{ROOT}/a", detail=False) == [f"{ROOT}/a/deep", f"{ROOT}/a/one"]
    assert [one["type"] for one in fs.ls(f"{ROOT}/a")] == ["directory", "file"]
    assert fs.ls(f"{ROOT}/a/one", detail=False) == [f"{ROOT}/a/one"]


def test_names_lead_to_versions(fs: MlregFileSystem, registry: Registry) -> None:
    add(registry, "data/vision/frames", "2026.01.01", {"f": b"1"})
    add(registry, "data/train", "2026.11.24", {"f": b"1"})

    assert fs.ls("", detail=False) == ["/data"]
    assert fs.ls("data", detail=False) == ["/data/train@2026.11.23", "/data/train@2026.11.24", "/data/vision"]
    assert fs.ls("/data/vision", detail=False) == ["/data/vision/frames@2026.01.01"]
    assert fs.find("/data/vision") == ["/data/vision/frames@2026.01.01/f"]


@pytest.mark.parametrize(("start", "end"), [(0, 5), (100_000, 100_001), (-7, None), (4_999_990, 9_999_999), (9, 3)])
def test_a_range_has_the_bytes_of_that_range(fs: MlregFileSystem, start: int, end: int | None) -> None:
    assert fs.cat_file(f"{ROOT}/large.bin", start, end) == LARGE[start:end]


@given(data=st.data())
def test_a_file_is_read_as_one_on_a_disk_is(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, shared: MlregFileSystem
) -> None:
    place = tmp_path_factory.mktemp("disk") / "large.bin"
    place.write_bytes(LARGE)
    with shared.open(f"{ROOT}/large.bin") as ours, place.open("rb") as theirs:
        for _ in range(data.draw(st.integers(1, 6))):
            offset, size = data.draw(st.integers(0, len(LARGE) + 9)), data.draw(st.integers(-1, 200_000))
            assert ours.seek(offset) == theirs.seek(offset)
            assert ours.read(size) == theirs.read(size)
            assert ours.tell() == theirs.tell()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> MlregFileSystem:
    project = tmp_path_factory.mktemp("project")
    root, _ = init(project, shared=False)
    add(Registry(root, "Ann"), "data/train", "2026.11.23", {"large.bin": LARGE})
    return MlregFileSystem(directory=project)


def test_a_tag_is_looked_up_at_each_call_and_an_open_file_stays(fs: MlregFileSystem, registry: Registry) -> None:
    registry.tag("data/train@2026.11.23", "golden")
    pinned = fs.pin("mlreg:///data/train@golden/a.csv")
    with fs.open("/data/train@golden/a.csv") as file:
        add(registry, "data/train", "2026.11.24", {"a.csv": b"new"})
        registry.tag("data/train@2026.11.24", "golden")

        assert fs.cat_file("/data/train@golden/a.csv") == b"new"
        assert fs.cat_file("/data/train@latest~1/a.csv") == file.read() == fs.cat_file(pinned) == FILES["a.csv"]


def test_a_remote_is_read_by_its_name_and_as_a_repository_of_its_own(fs: MlregFileSystem, tmp_path: Path) -> None:
    there, _ = init(tmp_path / "there", shared=True)
    add(Registry(there, "Ann"), "data/far", "2026.11.23", {"d/f": b"far"})
    (tmp_path / "project" / ".mlreg.yaml").write_text(f"remotes: {{origin: {there}}}\n")
    fs.invalidate_cache()

    assert fs.ls("mlreg://origin/data/far@latest/d", detail=False) == ["origin/data/far@latest/d/f"]
    assert fs.unstrip_protocol("origin/data/far@latest/d/f") == "mlreg://origin/data/far@latest/d/f"
    assert fs.cat_file("mlreg://origin/data/far@latest/d/f") == b"far"
    assert MlregFileSystem(repository=there).cat_file("/data/far@latest/d/f") == b"far"
    assert MlregFileSystem(repository="origin", directory=fs.directory).isdir("/data/far@latest/d")
    with pytest.raises(OSError, match="only what lies in") as caught:
        fs.pipe_file("mlreg://origin/data/far@staging/f", b"1")
    assert caught.value.errno == errno.EROFS


@pytest.mark.parametrize(
    ("path", "kind", "cause"),
    [
        (f"{ROOT}/none", FileNotFoundError, NotFoundError),
        ("/data/none@latest/x", FileNotFoundError, NotFoundError),
        ("/data/train@no tag/x", OSError, UsageError),
        (f"{ROOT}/a", IsADirectoryError, UsageError),
        ("/data", IsADirectoryError, None),
        ("nowhere/data/x@latest/x", FileNotFoundError, NotFoundError),
    ],
)
def test_what_cannot_be_read_is_a_system_error(
    fs: MlregFileSystem, path: str, kind: type[OSError], cause: type[Exception] | None
) -> None:
    with pytest.raises(kind) as caught:
        fs.cat_file(path)
    assert caught.value.filename is not None
    assert isinstance(caught.value.__cause__, cause or type(None))


@pytest.mark.parametrize("path", [f"{ROOT}/new", "/data/new", "/data/train@golden/x", "/new"])
def test_a_version_is_never_written(fs: MlregFileSystem, path: str) -> None:
    before = fs.find("/data")
    for write in (partial(fs.pipe_file, path, b"1"), partial(fs.mkdir, path), partial(fs.rm_file, f"{ROOT}/a.csv")):
        with pytest.raises(OSError, match="only what lies in") as caught:
            write()
        assert caught.value.errno == errno.EROFS
    assert fs.find("/data") == before


def test_what_waits_becomes_a_version_and_waits_no_longer(fs: MlregFileSystem, registry: Registry) -> None:
    fs.pipe({"/data/new/set@staging/a/x": b"1", "/data/new/set@staging/y": b"2"})
    fs.cp(f"{ROOT}/a", "/data/new/set@staging/old", recursive=True)

    assert fs.ls("/data", detail=False) == ["/data/new", ROOT]
    info = fs.commit("mlreg:///data/new/set@staging", "2026.11.25", metadata={"license": "mit"}, tags=["golden"])

    assert (info.ref, info.tags, info.metadata) == ("data/new/set@2026.11.25", ("golden",), {"license": "mit"})
    names = [file.path for file in registry.files("data/new/set@golden")]
    assert names == ["a/x", "old/deep/two", "old/one", "y"]
    assert not fs.exists("/data/new/set@staging")
    with pytest.raises(NotFoundError):
        fs.commit("/data/new/set@staging")


def test_what_cannot_be_committed_waits_on(fs: MlregFileSystem) -> None:
    fs.pipe_file("/data/train@staging/x", b"1")

    with pytest.raises(UsageError):
        fs.commit("/data/train@staging", "not a version")
    assert fs.cat_file("/data/train@staging/x") == b"1"


def test_a_tag_comes_before_the_area_of_its_name_and_another_word_names_the_area(
    fs: MlregFileSystem, registry: Registry
) -> None:
    registry.tag("data/train@2026.11.23", "staging")

    assert fs.cat_file("/data/train@staging/a.csv") == FILES["a.csv"]
    with pytest.raises(OSError, match="only what lies in"):
        fs.pipe_file("/data/train@staging/a.csv", b"1")
    other = MlregFileSystem(directory=fs.directory, staging="next")
    other.pipe_file("/data/train@next/a.csv", b"1")
    assert other.cat_file("/data/train@next/a.csv") == b"1"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "con", "a\0b", ".mlreg/x", "a:b", "a\\b"])
def test_nothing_is_written_outside_an_area(fs: MlregFileSystem, path: str, tmp_path: Path) -> None:
    before = sorted((tmp_path / "project").rglob("*"))
    with pytest.raises(OSError, match="not safe"):
        fs.pipe_file(f"/data/train@staging/{path}", b"1")
    assert sorted((tmp_path / "project").rglob("*")) == before


def read_all(fs: MlregFileSystem, answers: multiprocessing.SimpleQueue[bytes]) -> None:
    answers.put(b"".join(fs.cat_file(name) for name in fs.find(ROOT)))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_reads_with_the_same_file_system(fs: MlregFileSystem, method: str) -> None:
    whole = b"".join(fs.cat_file(name) for name in fs.find(ROOT))
    context: Any = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    workers = [context.Process(target=read_all, args=(fs, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [answers.get() for _ in workers] == [whole, whole]
    for worker in workers:
        worker.join()
    assert fs.cat_file(f"{ROOT}/a/one") == b"1"


def tell_whether_it_is_shared(fs: MlregFileSystem, opened: object, answers: multiprocessing.SimpleQueue[bool]) -> None:
    answers.put(fs._at(place_of(ROOT)) is opened)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_is_open_is_not_carried_into_a_fork(fs: MlregFileSystem) -> None:
    fs.find(ROOT)
    opened = fs._at(place_of(ROOT))
    context: Any = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    worker = context.Process(target=tell_whether_it_is_shared, args=(fs, opened, answers))
    worker.start()
    assert answers.get() is False
    worker.join()
    assert fs._at(place_of(ROOT)) is opened


class Files:
    """A dataset of torch."""

    def __init__(self, fs: MlregFileSystem) -> None:
        self.fs = fs
        self.names = fs.find(f"{ROOT}/a")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> bytes:
        return bytes(self.fs.cat_file(self.names[number]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of torch
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_loader_of_torch_reads_in_its_workers(fs: MlregFileSystem, method: str) -> None:
    data = pytest.importorskip("torch.utils.data")

    loader = data.DataLoader(Files(fs), batch_size=None, num_workers=2, multiprocessing_context=method)

    assert list(loader) == [b"22", b"1"]


def test_a_copy_by_pickle_shows_the_same_from_anywhere(
    fs: MlregFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pickle.dumps(fs)
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(data)  # noqa: S301 - made above

    assert again == fs
    assert again.cat_file(f"{ROOT}/a/one") == b"1"
    assert fs != MlregFileSystem(directory=tmp_path)


@pytest.mark.usefixtures("registry")
def test_a_file_system_made_elsewhere_shows_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    add(Registry(init(tmp_path / "other", shared=False)[0], "Ann"), "data/other", "2026.11.23", {"f": b"1"})
    fsspec.register_implementation("mlreg", MlregFileSystem, clobber=True)
    shown = []
    for place in ("project", "other"):
        monkeypatch.chdir(tmp_path / place)
        shown.append(fsspec.filesystem("mlreg").ls("/data", detail=False))

    assert shown == [[ROOT], ["/data/other@2026.11.23"]]


def test_many_threads_read_and_list_at_once_while_versions_are_added(fs: MlregFileSystem, registry: Registry) -> None:
    wrong: list[object] = []

    def read() -> None:
        for _ in range(5):
            try:
                found = {name.removeprefix(f"{ROOT}/"): fs.cat_file(name) for name in fs.find(ROOT)}
            except Exception as error:  # noqa: BLE001 - any error of a thread fails the test
                wrong.append(error)
                return
            if found != FILES | {"large.bin": LARGE} or not fs.ls("/data/train@latest"):
                wrong.append(found)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for day in range(1, 6):
        add(registry, "data/train", f"2026.12.0{day}", {"f": bytes([day])})
    for thread in threads:
        thread.join()
    assert wrong == []


words = st.text("ab@/", max_size=8)


@given(remote=st.sampled_from(["", "origin"]), entry=st.sampled_from(["data/ab", "data/ab/cd"]), path=words)
def test_a_place_is_written_as_it_is_read(remote: str, entry: str, path: str) -> None:
    place = place_of(f"{remote}/{entry}@latest~1/{path}")

    assert place == (remote, entry, "latest~1", path)
    assert place.below(place.path).rstrip("/") == f"{remote}/{entry}@latest~1/{path}".rstrip("/")


def test_a_listing_is_that_of_the_version_that_is_meant_now(fs: MlregFileSystem, registry: Registry) -> None:
    first = fs.ls("/data/train@latest", detail=False)
    add(registry, "data/train", "2026.11.24", {"f": b"1"})

    names = ("a-b", "a.csv", "a", "large.bin", "z#1 %41", "é.txt")
    assert first == [f"/data/train@latest/{name}" for name in names]
    assert fs.ls("/data/train@latest", detail=False) == ["/data/train@latest/f"]


def test_the_id_of_a_file_tells_caches_whether_it_is_the_same(fs: MlregFileSystem, registry: Registry) -> None:
    add(registry, "data/train", "2026.11.24", {"a.csv": FILES["a.csv"], "a/one": b"other"})

    old, new = ROOT, "/data/train@2026.11.24"
    assert fs.ukey(f"{old}/a.csv") == fs.ukey(f"{new}/a.csv")
    assert fs.checksum(f"{old}/a/one") != fs.checksum(f"{new}/a/one")
    assert fs.modified(f"{old}/a.csv").tzinfo is not None


def test_what_is_written_while_a_commit_runs_waits_for_the_next_one(
    fs: MlregFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs.pipe({"/data/train@staging/a": b"1", "/data/train@staging/b": b"1"})
    register = Registry.register

    def and_then_write(self: Registry, *arguments: Any, **options: Any) -> Any:
        done = register(self, *arguments, **options)
        fs.pipe({"/data/train@staging/b": b"other", "/data/train@staging/c": b"new"})
        return done

    monkeypatch.setattr(Registry, "register", and_then_write)
    info = fs.commit("/data/train@staging")

    assert fs.find(f"/data/train@{info.version}") == [f"/data/train@{info.version}/{name}" for name in "ab"]
    assert {name: fs.cat_file(name) for name in fs.find("/data/train@staging")} == {
        "/data/train@staging/b": b"other",
        "/data/train@staging/c": b"new",
    }


def test_a_hostile_name_in_a_version_is_not_listed(fs: MlregFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = File("../outside", Mode.FILE, 1, ContentId.of(b"1"))
    monkeypatch.setattr("mlreg.registry.version_files.listed", lambda *_: iter([bad]))
    monkeypatch.setattr("mlreg.operations.history.walk", lambda *_: iter([bad]))

    for look in (fs.ls, fs.find):
        with pytest.raises(OSError, match="not safe"):
            look(ROOT)


def test_a_transaction_writes_all_that_waits_or_nothing(fs: MlregFileSystem) -> None:
    with fs.transaction, fs.open("/data/train@staging/a", "wb") as file:
        file.write(b"1")
        assert not fs.exists("/data/train@staging/a")
    assert fs.cat_file("/data/train@staging/a") == b"1"

    def fail() -> None:
        with fs.transaction, fs.open("/data/train@staging/b", "wb") as file:
            file.write(b"1")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert fs.find("/data/train@staging") == ["/data/train@staging/a"]


def test_text_and_compressed_files_are_written_and_read(fs: MlregFileSystem) -> None:
    with fs.open("/data/train@staging/words.txt.gz", "wt", compression="infer", encoding="utf-8") as file:
        file.write("é\nb\n")
    info = fs.commit("/data/train@staging")

    with fs.open(f"/data/train@{info.version}/words.txt.gz", "rt", compression="infer", encoding="utf-8") as file:
        assert list(file) == ["é\n", "b\n"]
    with fs.open(f"/data/train@{info.version}/words.txt.gz") as file:
        assert file.read(2) == b"\x1f\x8b"


def test_what_is_tainted_is_listed_and_not_read(fs: MlregFileSystem, registry: Registry) -> None:
    add(registry, "data/wrong", "2026.01.01", {"a.csv": b"1"})
    assert fs.cat_file("/data/wrong@latest/a.csv") == b"1"
    taint(registry, "data/wrong@2026.01.01", "wrong labels")

    assert fs.ls("/data/wrong@latest", detail=False) == ["/data/wrong@latest/a.csv"]
    with pytest.raises(PermissionError, match="taint"):
        fs.cat_file("/data/wrong@latest/a.csv")


def test_that_a_version_is_read_is_kept_once(fs: MlregFileSystem, registry: Registry) -> None:
    add(registry, "data/two", "2026.01.01", {"a.csv": b"1", "b.csv": b"2"})
    fs.cat_file("/data/two@latest/a.csv")
    fs.cat_file("/data/two@latest/b.csv")

    (found,) = usage(registry, "data/two")
    assert dict(found.ways) == {"api": 1}


@pytest.mark.parametrize(
    ("path", "number", "said"),
    [
        ("mlreg:///data/train@latest:a/one", errno.EINVAL, "mlreg:///data/train@latest/a/one"),
        ("mlreg:///data/train@latest:a/deep/two", errno.EINVAL, "mlreg:///data/train@latest/a/deep/two"),
        ("mlreg:///data/train/a/one", errno.ENOENT, "mlreg:///data/train@latest/a/one"),
    ],
)
def test_a_path_that_is_nearly_right_is_answered_with_the_right_one(
    fs: MlregFileSystem, path: str, number: int, said: str
) -> None:
    for ask in (fs.open, fs.ls, fs.info):
        with pytest.raises(OSError, match=r"use / after the version|say which version of data/train") as caught:
            ask(path)
        assert caught.value.errno == number
        assert str(caught.value).split("fix: ")[1].startswith(f"{said}")
    assert fs.cat_file(said) == FILES[said.removeprefix("mlreg:///data/train@latest/")]


def test_outside_of_a_project_the_option_that_names_a_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="repository="):
        MlregFileSystem(directory=tmp_path).ls("mlreg:///data")
