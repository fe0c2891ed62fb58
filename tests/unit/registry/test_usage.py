"""Which versions are read: kept without a lock, by no read that fails for it, and united when repositories meet."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mlreg.errors import MlregError
from mlreg.formats import usage as formats
from mlreg.formats.usage import Key, Reader
from mlreg.operations import usage_files
from mlreg.operations.usage_files import OWN, SHARED, ReadLog, Tracking, copy_usage, counts_in, fold, publish, writer_of
from mlreg.registry import annotating
from mlreg.registry.model import ModelRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from mlreg.registry.usage import day_of, unused, usage
from mlreg.stores.directory import DirectoryStore

ONE, TWO = "model/net@1.0.0", "model/net@2.0.0"
WRITER = "ab" * 16


class Project:
    """A repository of a project on a host of its own, and what it has in its files of usage."""

    def __init__(self, root: Path, name: str, remote: Path, *, shares: bool = False, shared: bool = False) -> None:
        self.place, _ = init(root / name, shared=shared)
        tracking = Tracking(Reader(f"{name}-user", f"{name}-host"), shares)
        self.registry = Registry(
            self.place, name, root / f"{name}-cache", {"origin": str(remote)}, tracking=lambda: tracking
        )

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.place)) for path in (self.place / "usage").rglob("*.*"))

    @property
    def bytes(self) -> bytes:
        return b"".join((self.place / name).read_bytes() for name in self.files)

    def times(self) -> dict[str, dict[str, int]]:
        return {info.ref: dict(info.ways) for info in usage(self.registry)}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return init(tmp_path / "shared", shared=True)[0]


@pytest.fixture
def project(tmp_path: Path, shared: Path) -> Project:
    """A project with two versions of a model, of which none was read."""
    project = Project(tmp_path, "here", shared)
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    for version in ("1.0.0", "2.0.0"):
        project.registry.add("model/net", [file], version=version, metadata={"v": version})
    return project


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value.code


def test_each_way_of_reading_is_counted_once_and_looking_is_not(project: Project, tmp_path: Path) -> None:
    registry = project.registry
    registry.show(ONE)
    registry.files(ONE)
    registry.lineage(ONE)
    assert project.times() == {}

    registry.get(ONE, tmp_path / "out")
    registry.get("model/net@1.0.0:weights", tmp_path / "out")
    assert b"".join(registry.cat(f"{ONE}:weights")) == b"weights"

    assert project.times() == {ONE: {"cat": 1, "get": 2}}
    (info,) = usage(registry, ONE)
    assert (info.times, info.by, info.size) == (3, ("here-user@here-host",), 7)
    assert len(project.files) == 1


def test_a_model_that_is_loaded_counts_once_however_many_files_it_has(project: Project, tmp_path: Path) -> None:
    models = ModelRegistry(
        project.place, "Ann", tmp_path / "here-cache", tracking=lambda: Tracking(Reader(), shares_names=False)
    )
    models.register_model({"w": np.ones(2, np.float32)}, "arrays", "1.0.0")

    models.get_model("arrays")

    assert project.times() == {"model/arrays@1.0.0": {"api": 1}}


def test_what_is_read_from_a_remote_or_pulled_is_counted_here(project: Project, tmp_path: Path, shared: Path) -> None:
    Sync(project.registry).push()
    other = Project(tmp_path, "other", shared)

    other.registry.get(f"origin::{ONE}", tmp_path / "out")
    assert not (shared / OWN).exists()
    Sync(other.registry).pull([ONE])

    assert other.times() == {ONE: {"pull": 1, "remote": 1}}


def test_nothing_is_kept_if_it_is_off(project: Project, tmp_path: Path) -> None:
    for tracking in (None, lambda: None):
        registry = Registry(project.place, "Ann", tracking=tracking)
        registry.get(ONE, tmp_path / "out")
        assert b"".join(registry.cat(f"{ONE}:weights")) == b"weights"
    assert project.files == []


@pytest.mark.parametrize("what", ["file", "directory", "link", "pipe"])
def test_a_read_succeeds_whatever_is_in_the_way_of_its_count(project: Project, tmp_path: Path, what: str) -> None:
    project.registry.get(TWO, tmp_path / "out")
    path = project.place / project.files[0]
    path.unlink()
    if what == "file":
        path.parent.rmdir()
        path.parent.write_bytes(b"")
    elif what == "directory":
        path.mkdir()
    elif what == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(path)

    assert b"".join(project.registry.cat(f"{ONE}:weights")) == b"weights"
    assert not (tmp_path / "elsewhere").exists()
    assert project.times() == {}


def test_a_read_succeeds_though_the_disk_is_full_and_what_is_half_written_hides_nothing(
    project: Project, tmp_path: Path
) -> None:
    project.registry.get(ONE, tmp_path / "out")
    (name,) = project.files
    size = (project.place / name).stat().st_size
    for room in (0, 20):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
        try:
            read = b"".join(project.registry.cat(f"{TWO}:weights"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert read == b"weights"
    assert (project.place / name).stat().st_size == size + 20

    project.registry.get(ONE, tmp_path / "out")
    assert project.times() == {ONE: {"get": 2}}


# Together.


def test_counts_travel_with_push_and_pull_and_the_same_again_changes_nothing(
    project: Project, tmp_path: Path, shared: Path
) -> None:
    other = Project(tmp_path, "other", shared)
    project.registry.get(ONE, tmp_path / "out")
    Sync(project.registry).push()
    Sync(other.registry).pull()
    other.registry.get(ONE, tmp_path / "out")
    for _ in range(2):
        Sync(other.registry).push()
        Sync(project.registry).pull()
        Sync(project.registry).push()

    both = {ONE: {"get": 2, "pull": 1}, TWO: {"pull": 1}}
    assert project.times() == both
    assert other.times() == both
    assert {info.ref: dict(info.ways) for info in usage(Registry(shared, "Bo"))} == both
    assert len(list((shared / SHARED).iterdir())) == 2


def test_a_sum_that_grew_takes_the_place_of_the_one_before(project: Project, tmp_path: Path, shared: Path) -> None:
    for _ in range(3):
        project.registry.get(ONE, tmp_path / "out")
        Sync(project.registry).push()

    assert [path.name.rpartition(".")[2] for path in (shared / SHARED).iterdir()] == ["3"]
    assert project.times() == {ONE: {"get": 3}}


@pytest.mark.parametrize("shares", [False, True])
def test_names_and_hosts_leave_the_machine_only_if_that_is_wished(
    tmp_path: Path, shared: Path, project: Project, shares: bool
) -> None:
    Sync(project.registry).push()
    other = Project(tmp_path, "other", shared, shares=shares)
    Sync(other.registry).pull()
    other.registry.get(ONE, tmp_path / "out")
    assert b"other-user" in other.bytes
    Sync(other.registry).push()

    told = b"".join(path.read_bytes() for path in (shared / "usage").rglob("*") if path.is_file())
    assert (b"other-user" in told, b"other-host" in told) == (shares, shares)
    assert "other" not in "".join(str(path.relative_to(shared)) for path in (shared / "usage").rglob("*"))


@pytest.mark.parametrize("shares", [False, True])
def test_in_a_repository_that_is_shared_names_are_kept_only_if_that_is_wished(
    tmp_path: Path, shared: Path, project: Project, shares: bool
) -> None:
    Sync(project.registry).push()
    direct = Project(tmp_path, "shared", shared, shares=shares, shared=True)

    direct.registry.get(ONE, tmp_path / "out")

    assert direct.times() == {ONE: {"get": 1}}
    assert (b"shared-host" in direct.bytes) == shares


def test_a_push_goes_through_though_no_count_can(project: Project, tmp_path: Path, shared: Path) -> None:
    project.registry.get(ONE, tmp_path / "out")
    (shared / "usage").write_bytes(b"in the way")

    assert len(Sync(project.registry).push().versions) == 2


def test_a_preview_counts_and_sends_nothing(project: Project, shared: Path, tmp_path: Path) -> None:
    project.registry.get(ONE, tmp_path / "out")
    Sync(project.registry).preview_push()
    assert not (shared / "usage").exists()
    assert len(project.files) == 1


def test_a_pull_that_brings_nothing_counts_nothing(project: Project, tmp_path: Path, shared: Path) -> None:
    Sync(project.registry).push()
    other = Project(tmp_path, "other", shared)
    Sync(project.registry).pull()
    assert project.files == []
    Sync(other.registry).pull()
    before = other.bytes

    Sync(other.registry).pull()
    assert other.bytes == before


# What others wrote.


def store_of(place: Path) -> DirectoryStore:
    return DirectoryStore(place)


def test_files_that_are_none_of_ours_are_passed_over(project: Project, tmp_path: Path, shared: Path) -> None:
    project.registry.get(ONE, tmp_path / "out")
    Sync(project.registry).push()
    below = shared / SHARED
    key = Key(WRITER, "2026-11-23", ONE, "get")
    good = formats.encode({key: {Reader(): 5}})
    names = {
        f"2026-11.{WRITER}.9": good,
        f"2026-12.{WRITER}.5": good,
        f"2026-11.{'cd' * 16}.5": good,
        f"2026-10.{WRITER}.7": b"\0" * 1000,
        f"2026-11.{WRITER}": good,
        "readme": good,
    }
    for name, data in names.items():
        (below / name).write_bytes(data)
    (below / f"2026-09.{WRITER}.3").symlink_to(tmp_path / "weights")
    (below / f"2026-08.{WRITER}.3").mkdir()
    before = project.times()

    Sync(project.registry).pull()

    assert project.times() == before
    assert len(project.files) == 2
    (below / f"2026-11.{WRITER}.5").write_bytes(good)
    Sync(project.registry).pull()
    assert project.times() == {ONE: {"get": 6}}


def test_a_sum_is_told_on_as_it_is_read(project: Project, shared: Path) -> None:
    """What stands between the lines of a file goes nowhere."""
    key = Key(WRITER, "2026-11-23", ONE, "get")
    (shared / SHARED).mkdir(parents=True)
    (shared / SHARED / f"2026-11.{WRITER}.5").write_bytes(b"secret\n" + formats.encode({key: {Reader(): 5}}))

    copy_usage(store_of(shared), store_of(project.place))

    assert b"secret" not in project.bytes
    assert counts_in(store_of(project.place)) == {key: {Reader(): 5}}


# Past days.


def test_past_days_become_one_file_of_their_month_and_no_read_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = init(tmp_path / "p", shared=True)
    store, today = store_of(place), ["2026-10-30"]
    monkeypatch.setattr(usage_files, "now", lambda: f"{today[0]}T00:00:00Z")
    log = ReadLog(store, tmp_path / "cache", Reader("Ann"))
    for day in ("2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"):
        today[0] = day
        log.note([ONE, TWO], "get")
        log.note([ONE], "cat")
        assert formats.total(counts_in(store)) % 3 == 0
    publish(store, log.writer, shares_names=False)
    publish(store, log.writer, shares_names=False)

    assert sorted(store.list("usage/")) == [
        f"usage/own/2026-10.{log.writer}.6",
        f"usage/own/2026-11-03.{log.writer}",
        f"usage/own/2026-11-04.{log.writer}",
        f"usage/own/2026-11.{log.writer}.6",
        f"usage/shared/2026-10.{log.writer}.6",
        f"usage/shared/2026-11.{log.writer}.12",
    ]
    assert formats.total(counts_in(store)) == 18


def test_a_sum_that_was_cut_short_is_done_again_and_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = init(tmp_path / "p", shared=True)
    store, today = store_of(place), ["2026-10-01"]
    monkeypatch.setattr(usage_files, "now", lambda: f"{today[0]}T00:00:00Z")
    log = ReadLog(store, tmp_path / "cache", Reader())
    log.note([ONE, TWO], "get")
    today[0] = "2026-10-09"
    (key,) = store.list("usage/")
    data = store.read(key)
    fold(store, log.writer)
    (place / key).write_bytes(data)  # as if it had not been taken away

    fold(store, log.writer)

    assert list(store.list("usage/")) == [f"usage/own/2026-10.{log.writer}.2"]
    assert formats.total(counts_in(store)) == 2


def test_no_read_of_many_at_once_is_lost(tmp_path: Path) -> None:
    place, _ = init(tmp_path / "p", shared=True)
    writer_of(tmp_path / "cache")

    def read(_: int) -> None:
        log = ReadLog(store_of(place), tmp_path / "cache", Reader("Ann"))
        for _ in range(25):
            log.note([ONE], "get")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(8)))

    ((key, readers),) = counts_in(store_of(place)).items()
    assert (key.version, readers) == (ONE, {Reader("Ann"): 200})


def test_a_host_counts_under_one_id_for_each_repository(tmp_path: Path) -> None:
    one = writer_of(tmp_path / "one")

    assert writer_of(tmp_path / "one") == one
    assert len({one, writer_of(tmp_path / "two"), writer_of(None), writer_of(None)}) == 4
    for damage in (b"", b"\xff", b"0" * 31):
        (tmp_path / "one" / "usage-writer").write_bytes(damage)
        again = writer_of(tmp_path / "one")
        assert again != one
        assert writer_of(tmp_path / "one") == again
    (tmp_path / "file").write_bytes(b"")
    assert writer_of(tmp_path / "file") != writer_of(tmp_path / "file")


# Questions.


def test_the_question_may_be_about_a_version_an_entry_or_all(project: Project, tmp_path: Path) -> None:
    project.registry.get(ONE, tmp_path / "out")

    assert [(info.ref, info.times) for info in usage(project.registry, TWO)] == [(TWO, 0)]
    assert [info.ref for info in usage(project.registry, "model/net")] == [ONE]
    assert [info.ref for info in usage(project.registry, "", "2999-01-01")] == []
    assert refused(lambda: usage(project.registry, "model/nothing")) == "ref_not_found"
    assert refused(lambda: usage(project.registry, f"{ONE}:weights")) == "path_in_change"


def test_what_was_read_under_an_old_name_is_counted_for_the_new_one(project: Project, tmp_path: Path) -> None:
    project.registry.get(ONE, tmp_path / "out")
    annotating.rename(project.registry, "model/net", "model/new")
    project.registry.get("model/new@1.0.0", tmp_path / "out")

    assert project.times() == {"model/new@1.0.0": {"get": 2}}


def test_what_was_registered_since_is_never_unused(project: Project) -> None:
    assert unused(project.registry, since="1d") == []
    assert [info.ref for info in unused(project.registry, since="2999-01-01")] == [ONE, TWO]
    assert [info.ref for info in unused(project.registry, TWO, "2999-01-01")] == [TWO]


def test_what_was_read_before_and_not_since_is_unused(project: Project) -> None:
    key = Key(WRITER, "2999-01-05", ONE, "get")
    (project.place / SHARED).mkdir(parents=True)
    (project.place / SHARED / f"2999-01.{WRITER}.1").write_bytes(formats.encode({key: {Reader(): 1}}))

    assert [info.ref for info in unused(project.registry, since="2999-01-05")] == [TWO]
    assert [(info.ref, info.last) for info in unused(project.registry, since="2999-01-06")] == [
        (ONE, "2999-01-05"),
        (TWO, ""),
    ]


@pytest.mark.parametrize(
    ("since", "day"),
    [("0d", "2026-11-30"), ("90d", "2026-09-01"), ("2w", "2026-11-16"), ("2026-01-31", "2026-01-31")],
)
def test_a_time_is_so_many_days_back_or_a_day(since: str, day: str) -> None:
    assert day_of(since, "2026-11-30") == day


@pytest.mark.parametrize("since", ["", "90", "d", "-1d", "1.5d", "99999w", "2026-02-30", "yesterday", "2026-1-1", "٣d"])
def test_what_is_no_time_is_refused(since: str) -> None:
    assert refused(lambda: day_of(since, "2026-11-30")) == "bad_since"
