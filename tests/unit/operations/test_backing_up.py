"""Backups: of one moment, whatever is written meanwhile; those before stay whole, wherever the next one is cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import IntegrityError, MlregError, NoSpaceError, NotFoundError, RefusedError, UnavailableError
from mlreg.formats import backup as backups
from mlreg.formats.transaction import slot_key
from mlreg.ids import ContentId
from mlreg.operations import backing_up, beside, restoring
from mlreg.operations.backing_up import Backup, Maker, backups_in, chosen, verify
from mlreg.operations.mirroring import alone, last_slot, mirror
from mlreg.registry import backups as facade
from mlreg.registry import collecting, mending
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.stores.archive import ArchiveStore
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import Fault, FaultyStore, fail_at
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store, Upload


class Project:
    """A project with versions, whose backups go to a store in memory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.place, _ = init(root / "project", shared=False)
        self.registry = Registry(self.place, "Ann", root / "cache")
        self.store = DirectoryStore(self.place)
        self.count = 0

    def add(self, text: str = "") -> str:
        """Register a version with content of its own."""
        self.count += 1
        (self.root / "weights").write_text(text or f"weights {self.count}")
        self.registry.add("model/net", [self.root / "weights"], version=f"1.{self.count}.0", tags=["latest-tried"])
        return f"model/net@1.{self.count}.0"

    def remove(self, ref: str) -> None:
        """Take a version away, and all that only it needs."""
        self.registry.remove([ref])
        collecting.collect(self.registry, grace=0, report=silent)

    def back_up(self, target: Store, source: Store | None = None) -> Backup:
        maker = Maker(source or self.store, self.place, is_project=True, author="Ann")
        return backing_up.create(maker, target, None, silent).backup

    def go_on(self, target: Store) -> Backup:
        """Back up another version, and other settings."""
        self.add()
        (self.place / "config.yaml").write_text(f"author: {self.count}\n")
        return self.back_up(target)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def problems(store: Store, backup: Backup) -> list[str]:
    return [one.message for one in verify(store, backup, 1.0, silent).problems]


def names(repository: Repository) -> list[tuple[str, str]]:
    return [(ref.name, str(ref.target)) for ref in repository.log.refresh().refs("")]


def restored(store: Store, backup: Backup, place: Path) -> Registry:
    done = restoring.restore(store, backup, place, silent)
    return Registry(done.path, "Eve")


# What a backup is.


def test_a_restored_repository_has_the_same_log_byte_for_byte(project: Project, tmp_path: Path) -> None:
    for _ in range(3):
        project.add()
    project.registry.untag("model/net@latest-tried")
    target = MemoryStore()
    backup = project.back_up(target)

    again = restored(target, backup, tmp_path / "again")

    for number in range(1, backup.record.point.number + 1):
        assert again.repository.store.read(slot_key(number)) == project.store.read(slot_key(number))
    assert again.repository.identity == project.registry.repository.identity
    assert names(again.repository) == names(project.registry.repository)
    assert again.log() == project.registry.log()
    assert b"".join(again.cat("model/net@1.2.0:weights")) == b"weights 2"
    assert again.verify().problems == ()
    # It goes on where it was.
    assert again.tag("model/net@1.1.0", "again").changed


def test_the_next_backup_copies_only_what_is_new(project: Project) -> None:
    target = FaultyStore(MemoryStore())
    project.add()
    project.back_up(target)
    before = set(target.list(""))
    assert before == set()  # a prefix is whole components
    first = {verb_key for verb_key in target.calls if verb_key[0] in ("upload", "create")}
    target.calls.clear()

    project.add()
    second = project.back_up(target)

    written = [key for verb, key in target.calls if verb == "upload" or (verb == "create" and key.startswith("log/"))]
    assert first.isdisjoint(("upload", key) for key in written)
    assert sorted(key.partition("/")[0] for key in written) == ["log", "packs", "packs"]
    assert second.number == 2
    assert [problems(target, backup) for backup in backups_in(target)] == [[], []]


def test_a_backup_of_what_has_not_changed_is_the_one_that_is_there(project: Project) -> None:
    target = MemoryStore()
    project.add()
    first = project.back_up(target)

    assert project.back_up(target) == first
    (project.place / "config.yaml").write_text("author: Bob\n")
    assert project.back_up(target).number == 2


def test_an_older_backup_is_whole_though_its_packs_were_collected_since(project: Project, tmp_path: Path) -> None:
    target = MemoryStore()
    old = project.add()
    first = project.back_up(target)
    project.add()
    project.remove(old)
    second = project.back_up(target)

    assert [problems(target, backup) for backup in (first, second)] == [[], []]
    again = restored(target, first, tmp_path / "again")
    assert [version.ref for version in again.versions("model/net")] == [old]
    assert b"".join(again.cat(f"{old}:weights")) == b"weights 1"


def test_an_empty_repository_is_backed_up_too(project: Project, tmp_path: Path) -> None:
    target = MemoryStore()
    backup = project.back_up(target)

    again = restored(target, backup, tmp_path / "again")

    assert backup.record.point.number == 0
    assert again.repository.identity == project.registry.repository.identity
    assert again.verify().problems == ()


# Others write meanwhile.


class Meddler(FaultyStore):
    """A store on which others act right before some calls."""

    def __init__(self, inner: Store, acts: Mapping[tuple[str, str], Callable[[], object]]) -> None:
        super().__init__(inner)
        self._acts = dict(acts)

    @contextmanager
    def _call(self, verb: str, key: str) -> Iterator[None]:
        act = self._acts.pop((verb, key.partition("/")[0]), None)
        if act:
            act()
        with super()._call(verb, key):
            yield


def test_a_pack_that_is_collected_meanwhile_makes_the_backup_one_of_a_newer_moment(
    project: Project, tmp_path: Path
) -> None:
    old = project.add()
    project.add()
    target = MemoryStore()
    source = Meddler(project.store, {("read", "packs"): lambda: project.remove(old)})

    backup = project.back_up(target, source)

    assert backup.record.point.number == project.registry.repository.log.refresh().number
    assert problems(target, backup) == []
    again = restored(target, backup, tmp_path / "again")
    assert [version.ref for version in again.versions("model/net")] == ["model/net@1.2.0"]


def test_what_is_added_meanwhile_is_in_the_next_backup(project: Project) -> None:
    project.add()
    target = MemoryStore()
    source = Meddler(project.store, {("read", "packs"): project.add})

    first = project.back_up(target, source)

    assert (first.record.point.number, last_slot(target)) == (1, 1)
    assert problems(target, first) == []
    assert project.back_up(target).record.point.number == 2


def test_packs_are_there_before_the_slots_that_name_them(project: Project) -> None:
    for _ in range(2):
        project.add()
    target = FaultyStore(MemoryStore())
    project.back_up(target)

    written = [key for verb, key in target.calls if verb in ("create", "upload")]
    kinds = [key.partition("/")[0] for key in written]

    assert max(at for at, kind in enumerate(kinds) if kind == "packs") < kinds.index("log")
    assert kinds[-1] == "backups"


# Cuts.


@pytest.mark.parametrize("fault", Fault)
def test_a_backup_that_is_cut_at_any_call_leaves_the_ones_before_whole_and_the_next_completes(
    fault: Fault, project: Project
) -> None:
    before = MemoryStore()
    old = project.add()
    first = project.back_up(before)
    project.add()
    project.remove(old)
    calls = FaultyStore(MemoryStore(dict(before.contents)))
    project.back_up(calls)

    for number in range(1, len(calls.calls) + 1):
        target = MemoryStore(dict(before.contents))
        with pytest.raises(MlregError):
            project.back_up(FaultyStore(target, fail_at(number, fault)))

        assert backups_in(target)[0] == first
        assert all(problems(target, backup) == [] for backup in backups_in(target)), number
        last = project.back_up(target)
        assert (last.number, problems(target, last)) == (2, []), number


@pytest.mark.parametrize("fault", Fault)
def test_a_restore_whose_source_fails_at_any_call_leaves_nothing(
    fault: Fault, project: Project, tmp_path: Path
) -> None:
    for _ in range(2):
        project.add()
    (project.place / "config.yaml").write_text("author: Bob\n")
    target = MemoryStore()
    backup = project.back_up(target)
    calls = FaultyStore(target)
    restored(calls, backup, tmp_path / "all")

    for number in range(1, len(calls.calls) + 1, 3):
        with pytest.raises(UnavailableError):
            restored(FaultyStore(target, fail_at(number, fault)), backup, tmp_path / "cut")
        assert not list(tmp_path.glob("*cut*"))


def test_a_damaged_backup_is_not_restored_and_nothing_stays(project: Project, tmp_path: Path) -> None:
    project.add()
    target = MemoryStore()
    backup = project.back_up(target)
    key = next(key for key in target.list("packs/") if b"weights 1" in target.read(key))
    target.contents[key] = target.contents[key].replace(b"weights", b"Weights")

    with pytest.raises(IntegrityError):
        restored(target, backup, tmp_path / "again")
    assert not list(tmp_path.glob("*again*"))
    assert problems(target, backup)


def test_what_the_disk_made_of_a_restore_is_read_before_it_is_put_into_place(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add()
    target = MemoryStore()
    backup = project.back_up(target)
    real = DirectoryStore.upload

    @contextmanager
    def upload(store: DirectoryStore, key: str) -> Iterator[Upload]:
        with real(store, key) as inner:
            yield Flipping(inner)

    monkeypatch.setattr(DirectoryStore, "upload", upload)
    with pytest.raises(IntegrityError) as caught:
        restored(target, backup, tmp_path / "again")
    assert caught.value.code == "damaged"
    assert not list(tmp_path.glob("*again*"))


class Flipping:
    """Writes other bytes than it is given, of the same number."""

    def __init__(self, inner: Upload) -> None:
        self._inner = inner

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._inner.write(bytes(data).replace(b"weights", b"Weights"))


# What does not fit.


def test_a_repository_that_was_restored_from_an_old_copy_is_not_backed_up_over_the_newer_one(
    project: Project, tmp_path: Path
) -> None:
    target = MemoryStore()
    project.add()
    first = project.back_up(target)
    project.add()
    project.back_up(target)
    kept = dict(target.contents)
    old = restored(target, first, tmp_path / "old")

    for _ in range(3):
        maker = Maker(old.repository.store, None, is_project=True, author="Ann")
        with pytest.raises(RefusedError) as caught:
            backing_up.create(maker, target, None, silent)
        assert caught.value.code == "backup_is_ahead"
        old.tag("model/net@1.1.0", f"apart-{old.repository.log.view.number}")
    assert target.contents == kept


def test_a_repository_is_not_backed_up_to_where_another_one_is(project: Project, tmp_path: Path) -> None:
    target = MemoryStore()
    project.add()
    project.back_up(target)
    kept = dict(target.contents)
    other = Project(tmp_path / "other")

    with pytest.raises(RefusedError) as caught:
        other.back_up(target)
    assert (caught.value.code, target.contents) == ("backup_of_another", kept)
    with pytest.raises(RefusedError) as caught:
        project.back_up(other.store)
    assert caught.value.code == "not_a_backup"


def test_no_one_writes_to_a_backup(project: Project) -> None:
    project.add()
    facade.create(project.registry, f"{project.root}/kept/", report=silent)
    kept = Registry(project.root / "kept", "Eve")

    with pytest.raises(RefusedError) as caught:
        kept.tag("model/net@1.1.0", "here")
    assert caught.value.code == "is_a_backup"
    assert [version.ref for version in kept.versions("model/net")] == ["model/net@1.1.0"]


def test_a_pack_of_another_size_in_a_backup_is_named(project: Project) -> None:
    target = MemoryStore()
    project.add()
    project.back_up(target)
    key = next(target.list("packs/"))
    target.contents[key] += b"x"

    with pytest.raises(IntegrityError) as caught:
        project.back_up(target)
    assert caught.value.code == "backup_damaged"
    del target.contents[key]
    assert problems(target, project.back_up(target)) == []


# Damage.


def refused(act: Callable[[], object]) -> MlregError:
    with pytest.raises(MlregError) as caught:
        act()
    return caught.value


def test_a_record_that_is_cut_is_damage_and_hides_no_other_one(project: Project) -> None:
    target = MemoryStore()
    for _ in range(2):
        project.add()
        project.back_up(target)
    target.contents[backups.record_key(2)] = target.contents[backups.record_key(2)][:20]

    error = refused(lambda: chosen(target, 0))
    assert (error.exit_status, error.message) == (6, f"{backups.record_key(2)} in {target.url} cannot be read")
    assert error.fix[0] == "another one: --at 1"
    assert "mlreg clone" in error.fix[1]
    assert chosen(target, 1) == backups_in(target)[0]
    target.contents[backups.record_key(1)] = b""
    assert refused(lambda: chosen(target, 0)).exit_status == 6
    # The next one has a number of its own.
    assert project.back_up(target).number == 3


def test_a_list_of_backups_has_those_that_are_whole_and_names_the_others(project: Project) -> None:
    place = project.root / "kept"
    for _ in range(2):
        project.add()
        facade.create(project.registry, f"{place}/", report=silent)
    (place / backups.record_key(1)).chmod(0o600)
    (place / backups.record_key(1)).write_bytes(b"{")

    assert [info.number for info in facade.ls(str(place))] == [2]
    assert facade.damaged(str(place)) == [f"{backups.record_key(1)} in {place} cannot be read"]
    (place / backups.record_key(2)).unlink()
    assert refused(lambda: facade.ls(str(place))).exit_status == 6


@pytest.mark.parametrize("cut", [0, 100, -1])
def test_a_last_slot_that_is_cut_is_damage_and_no_sign_of_an_old_repository(
    cut: int, project: Project, tmp_path: Path
) -> None:
    target = MemoryStore()
    for _ in range(3):
        project.add()
        backup = project.back_up(target)
    target.contents[slot_key(3)] = target.contents[slot_key(3)][:cut]

    error = refused(lambda: project.back_up(target))
    assert (error.code, error.message) == ("backup_damaged", f"{slot_key(3)} in {target.url} is damaged")
    error = refused(lambda: restored(target, backup, tmp_path / "no"))
    assert error.exit_status == 6
    assert slot_key(3) in error.why
    assert "--at 2" in error.fix[0]
    del target.contents[slot_key(3)]
    assert problems(target, project.back_up(target)) == []


def test_a_last_slot_in_which_a_letter_is_another_is_damage(project: Project) -> None:
    target = MemoryStore()
    project.add()
    project.back_up(target)
    target.contents[slot_key(1)] = target.contents[slot_key(1)].replace(b'"Ann"', b'"Bob"')

    assert refused(lambda: project.back_up(target)).code == "backup_damaged"


def test_a_slot_in_the_middle_that_is_damaged_is_named_when_one_before_it_is_copied_again(project: Project) -> None:
    target = MemoryStore()
    for _ in range(3):
        project.add()
        project.back_up(target)
    del target.contents[slot_key(1)]
    target.contents[slot_key(2)] = target.contents[slot_key(2)][:-5]

    error = refused(lambda: project.back_up(target))
    assert (error.code, error.message) == ("backup_damaged", f"{slot_key(2)} in {target.url} is damaged")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_slot_that_was_taken_away_is_copied_again(number: int, project: Project) -> None:
    target = MemoryStore()
    for _ in range(3):
        project.add()
        backup = project.back_up(target)
    del target.contents[slot_key(number)]
    maker = Maker(project.store, project.place, is_project=True, author="Ann")

    assert backing_up.tried(maker, target, None).slots == 1
    made = backing_up.create(maker, target, None, silent)
    assert (made.backup, made.mirrored.slots) == (backup, 1)
    assert [problems(target, one) for one in backups_in(target)] == [[], [], []]


def test_what_was_taken_away_because_it_is_damaged_is_copied_again_and_said_to_be(project: Project) -> None:
    place = project.root / "kept"
    project.add()
    facade.create(project.registry, f"{place}/", report=silent)
    pack = next(path for path in place.rglob("*.pack") if b"weights 1" in path.read_bytes())
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes().replace(b"weights", b"Weights"))

    found = facade.verify(str(place), 0, [], 1.0, silent)
    assert any(pack.name in problem.message for problem in found.problems)
    again = f"mlreg backup create {place}"
    assert all(again in problem.fix[0] for problem in found.problems)
    assert all(again in problem.fix[0] for problem in Registry(place, "Eve").verify().problems)
    error = refused(lambda: facade.restore(str(place), project.root / "no", report=silent))
    assert pack.name in error.why
    assert str(place) in error.message
    assert any(f"mlreg get {place}::REF DIR" in fix for fix in error.fix)

    pack.unlink()
    done = facade.create(project.registry, str(place), report=silent)
    assert (done.changed, done.packs, done.backup and done.backup.number) == (True, 1, 1)
    assert facade.verify(str(place), 0, [], 1.0, silent).problems == ()
    assert not facade.create(project.registry, str(place), report=silent).changed


def test_a_backup_is_not_repaired_but_made_anew(project: Project) -> None:
    place = project.root / "kept"
    project.add()
    facade.create(project.registry, f"{place}/", report=silent)
    before = sorted(place.rglob("*"))

    error = refused(lambda: mending.repair(Registry(place, "Eve"), report=silent))
    assert error.code == "is_a_backup"
    assert any(f"mlreg backup create {place}" in fix for fix in error.fix)
    assert sorted(place.rglob("*")) == before


# Files beside the repository.


def test_settings_runs_counts_and_what_waits_come_back(project: Project, tmp_path: Path) -> None:
    said = {
        "config.yaml": b"author: Bob\n",
        "remotes/origin.json": b"{}",
        "runs/01a20c4f-b500-7000-8203-040506070809/host.journal": b"a line\n",
        "runs/01a20c4f-b500-7000-8203-040506070809/files/.hidden": b"",
        "staging/data/rows/a.csv": b"x" * (beside.CHUNK + 1),
        "usage/own/2026-11-23.5c5c": b"a read\n",
    }
    for path, data in {**said, "plans/x.json": b"{}", "packs/.tmp-0123456789abcdef": b"half", "mine": b"x"}.items():
        (project.place / path).parent.mkdir(parents=True, exist_ok=True)
        (project.place / path).write_bytes(data)
    target = MemoryStore()

    again = restored(target, project.back_up(target), tmp_path / "again")

    place = Path(again.path)
    beside_it = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert {path: data for path, data in beside_it.items() if path.partition("/")[0] in backups.PLACES} == said
    assert sorted(path.name for path in place.iterdir()) == [
        "config.yaml",
        *sorted({*(p.partition("/")[0] for p in said)} | {"mlreg.json"})[1:],
    ]
    # They can be written again.
    (place / "config.yaml").write_text("author: Eve\n")


@pytest.mark.parametrize("umask", [0, 0o002, 0o077])
def test_no_one_else_may_read_a_file_that_comes_back_whatever_the_umask(
    umask: int, project: Project, tmp_path: Path
) -> None:
    for path in ("config.yaml", "runs/x/host.journal", "staging/data/rows/a.csv"):
        (project.place / path).parent.mkdir(parents=True, exist_ok=True)
        (project.place / path).write_bytes(b"mine")
    target = MemoryStore()
    backup = project.back_up(target)

    before = os.umask(umask)
    try:
        again = restored(target, backup, tmp_path / "again")
    finally:
        os.umask(before)

    files = [path for path in Path(again.path).rglob("*") if path.is_file() and path.read_bytes() == b"mine"]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 3
    # And no one else may put files beside them.
    assert [path for path in (tmp_path / "again").rglob("*") if path.stat().st_mode & 0o002] == []


def test_links_are_not_followed_and_names_that_no_version_may_have_are_left_out(project: Project) -> None:
    runs = project.place / "runs" / "x"
    runs.mkdir(parents=True)
    (runs / "link").symlink_to("/etc/hostname")
    (project.place / "usage").symlink_to("/etc")
    (runs / "a:b").write_bytes(b"1")
    (runs / "plain").write_bytes(b"2")
    target = MemoryStore()

    made = backing_up.create(Maker(project.store, project.place, is_project=True, author=""), target, None, silent)

    files = beside.read_list(target, made.backup.record.beside)
    assert [(file.path, file.size) for file in files] == [("runs/x/plain", 1)]
    assert made.left_out == ("usage", "runs/x/a:b")


def test_a_journal_that_grows_while_it_is_read_is_kept_as_far_as_it_was(project: Project) -> None:
    journal = project.place / "runs" / "x" / "host.journal"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"one\n")

    class Growing(MemoryStore):
        def size(self, key: str) -> int | None:
            with journal.open("ab") as writing:
                writing.write(b"more\n")
            return super().size(key)

    target = Growing()
    backup = project.back_up(target)

    (file,) = beside.read_list(target, backup.record.beside)
    data = journal.read_bytes()[: file.size]
    assert data.startswith(b"one\n")
    assert ContentId.of(data) == file.id
    assert target.read(backups.beside_key(file.id)) == data


def test_a_file_beside_that_is_damaged_is_found_and_not_restored(project: Project, tmp_path: Path) -> None:
    (project.place / "config.yaml").write_text("author: Bob\n")
    target = MemoryStore()
    backup = project.back_up(target)
    (file,) = beside.read_list(target, backup.record.beside)
    target.contents[backups.beside_key(file.id)] = b"author: Eve\n"

    assert problems(target, backup) == ["config.yaml, which lay beside the repository, is damaged"]
    with pytest.raises(IntegrityError) as caught:
        restored(target, backup, tmp_path / "again")
    assert caught.value.code == "bad_backup"


# Letting go.


def test_what_only_backups_need_that_go_is_deleted_and_nothing_else(project: Project) -> None:
    target = MemoryStore()
    for number in range(3):
        (project.place / "config.yaml").write_text(f"author: {number}\n")
        project.add()
        if number:
            project.remove(f"model/net@1.{number}.0")
        project.back_up(target)
    # Of a backup that is being made: no slot there names it.
    target.create(pack_key("5c" * 16), b"new")
    all_of_it = set(target.contents)

    assert backing_up.let_go(target, 0) == []
    would = backing_up.outgoing(target, 2)
    doomed = backing_up.let_go(target, 2)

    assert doomed == would
    gone = all_of_it - set(target.contents)
    assert gone == {file.key for file in doomed}
    # Its settings with their list, and what held the first model, whose commit lies in a newer pack, too.
    assert sorted(key.partition("/")[0] for key in gone) == ["backups", "beside", "beside", "packs", "packs"]
    assert [backup.number for backup in backups_in(target)] == [2, 3]
    assert [problems(target, backup) for backup in backups_in(target)] == [[], []]
    assert backing_up.outgoing(target, 2) == []
    assert project.back_up(target).number == 3


def test_nothing_goes_if_it_cannot_be_told_what_is_needed(project: Project) -> None:
    target = MemoryStore()
    for _ in range(2):
        project.go_on(target)
    del target.contents[backups.beside_key(backups_in(target)[1].record.beside)]

    with pytest.raises(NotFoundError):
        backing_up.outgoing(target, 1)
    del target.contents[slot_key(1)]
    with pytest.raises(IntegrityError):
        backing_up.outgoing(target, 1)


def damage_newest(project: Project) -> None:
    """Add a version, and change a byte of what it brought."""
    project.add("damaged")
    for key in project.store.list("packs/"):
        file = project.place / key
        if b"damaged" in (data := file.read_bytes()):
            file.chmod(0o644)
            file.write_bytes(data.replace(b"damaged", b"Damaged"))


def take_older_copy(project: Project) -> None:
    """Take the last transaction away, and go on in another way."""
    (project.place / slot_key(project.count)).unlink()
    project.registry = Registry(project.place, "Ann", project.root / "another cache")
    project.registry.tag("model/net@1.1.0", "apart")


def back_up_elsewhere(project: Project) -> None:
    """Put the backups of another repository into the place."""
    other = Project(project.root / "other")
    shutil.rmtree(project.root / "kept")
    for _ in range(3):
        other.add()
        facade.create(other.registry, f"{project.root}/kept/", report=silent)


REFUSED: dict[str, tuple[Callable[[Project], object], str]] = {
    "a repository": (lambda project: (project.root / "kept" / backups.KEY).unlink(), "not_a_backup"),
    "of another": (back_up_elsewhere, "backup_of_another"),
    "ahead": (take_older_copy, "backup_is_ahead"),
    "damaged": (damage_newest, "block_damaged"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_backup_that_cannot_be_made_lets_none_of_the_earlier_ones_go(reason: str, project: Project) -> None:
    for _ in range(3):
        project.add()
        facade.create(project.registry, f"{project.root}/kept/", report=silent)
    spoil, code = REFUSED[reason]
    spoil(project)
    before = set((project.root / "kept").rglob("*"))

    with pytest.raises(MlregError) as caught:
        facade.create(project.registry, f"{project.root}/kept/", keep=1, report=silent)

    assert caught.value.code == code
    assert before - set((project.root / "kept").rglob("*")) == set()


class Full(MemoryStore):
    """Takes no pack as long as there are several backups."""

    @contextmanager
    def upload(self, key: str) -> Iterator[Any]:
        if key.startswith("packs/") and len(backups_in(self)) > 1:
            raise NoSpaceError("no_space", f"there is no room for {key}")
        with super().upload(key) as new:
            yield new


@pytest.fixture
def full(project: Project) -> Full:
    """Return a place with two backups that has no room for a third."""
    target = MemoryStore()
    for _ in range(2):
        project.go_on(target)
    return Full(target.contents)


def test_where_there_is_no_room_earlier_backups_go_before_the_next_is_made(project: Project, full: Full) -> None:
    maker = Maker(project.store, project.place, is_project=True, author="Ann")
    project.add()

    for keep in (0, 2):  # which would be all of them
        with pytest.raises(NoSpaceError):
            backing_up.create_and_let_go(maker, full, keep, silent)
        assert [backup.number for backup in backups_in(full)] == [1, 2]
    made, gone = backing_up.create_and_let_go(maker, full, 1, silent)

    assert (made.backup.number, problems(full, made.backup)) == (3, [])
    assert backups_in(full) == [made.backup]
    assert {file.key for file in gone} >= {backups.record_key(1), backups.record_key(2)}


def test_where_there_is_no_room_none_goes_for_a_repository_that_is_damaged(project: Project, full: Full) -> None:
    damage_newest(project)
    before = set(full.contents)

    with pytest.raises(IntegrityError):
        backing_up.create_and_let_go(Maker(project.store, None, is_project=True, author="Ann"), full, 1, silent)
    assert before <= set(full.contents)


# Files.


def test_files_follow_each_other_and_are_restored_together(project: Project, tmp_path: Path) -> None:
    project.add()
    full, second, third = (str(tmp_path / name) for name in ("full.tar", "second.tar", "third.tar"))
    facade.create(project.registry, full, report=silent)
    old = project.add()
    facade.create(project.registry, second, since=[full], report=silent)
    project.add()
    project.remove(old)
    facade.create(project.registry, third, since=[full, second], report=silent)

    assert not set(ArchiveStore(Path(full)).list("packs/")) & set(ArchiveStore(Path(second)).list("packs/"))
    assert [info.since for info in (facade.ls(full) + facade.ls(second) + facade.ls(third))] == [None, 1, 2]
    facade.restore(third, tmp_path / "again", bases=[full, second], report=silent)
    again = Registry(tmp_path / "again" / ".mlreg", "Eve")
    assert names(again.repository) == names(project.registry.repository)
    assert facade.verify(third, 0, [second, full], 1.0, silent).problems == ()
    assert facade.verify(full, 0, [], 1.0, silent).problems == ()
    for bases in ([], [second]):
        with pytest.raises(NotFoundError) as caught:
            facade.restore(third, tmp_path / "no", bases=bases, report=silent)
        assert caught.value.code == "backup_base_missing"
    part = Registry(third, "Eve")
    for look in (part.entries, part.verify, lambda: mending.repair(project.registry, others=[third], report=silent)):
        assert refused(look).code == "backup_base_missing"
    # A base is a directory as well.
    facade.create(project.registry, f"{tmp_path}/kept/", report=silent)
    facade.restore(third, tmp_path / "yes", bases=[f"{tmp_path}/kept"], report=silent)


def test_a_file_does_not_follow_one_of_a_newer_or_another_state(project: Project, tmp_path: Path) -> None:
    project.add()
    facade.create(project.registry, str(tmp_path / "one.tar"), report=silent)
    project.add()
    facade.create(project.registry, str(tmp_path / "two.tar"), report=silent)
    facade.restore(str(tmp_path / "one.tar"), tmp_path / "old", report=silent)
    old = Registry(tmp_path / "old" / ".mlreg", "Eve")

    for _ in range(2):
        with pytest.raises(RefusedError) as caught:
            facade.create(old, str(tmp_path / "no.tar"), since=[str(tmp_path / "two.tar")], report=silent)
        assert caught.value.code == "backup_is_ahead"
        old.tag("model/net@1.1.0", "apart")
    assert not list(tmp_path.glob("*no*"))


@pytest.mark.parametrize("place", ["new/", "new.tar"])
def test_what_is_only_tried_writes_nothing(place: str, project: Project, tmp_path: Path) -> None:
    project.add()
    before = sorted(tmp_path.rglob("*"))

    would = facade.create(project.registry, f"{tmp_path}/{place}", dry_run=True, report=silent)

    assert (would.dry_run, would.changed, would.packs, would.transactions) == (True, True, 2, 1)
    assert sorted(tmp_path.rglob("*")) == before
    done = facade.create(project.registry, f"{tmp_path}/{place}", report=silent)
    assert (done.packs, done.transactions, done.size) == (would.packs, would.transactions, would.size)
    would_be = facade.restore(f"{tmp_path}/{place}", tmp_path / "out", dry_run=True, report=silent)
    assert not (tmp_path / "out").exists()
    is_now = facade.restore(f"{tmp_path}/{place}", tmp_path / "out", report=silent)
    assert (would_be.path, would_be.versions, would_be.tags) == (is_now.path, is_now.versions, is_now.tags)


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("s3://bucket/kept", "unknown_scheme"),
        ("file", "file_exists"),
        ("file/", "not_a_backup"),
        ("full/", "not_a_backup"),
        ("absent/kept/", "store_missing"),
        ("absent/kept.tar", "store_missing"),
        ("-kept", "bad_url"),
    ],
)
def test_a_place_that_is_none_is_refused_and_left_as_it_is(
    place: str, code: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project.add()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(MlregError) as caught:
        facade.create(project.registry, place, report=silent)

    assert caught.value.code == code
    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_that_is_there_is_not_copied_again(project: Project) -> None:
    project.add()
    target = MemoryStore()
    mirror(alone(project.store), target, None, silent)

    again = mirror(alone(project.store), target, None, silent)

    assert (again.packs, again.slots, again.size) == (0, 0, 0)


def test_of_two_backups_at_once_both_are_whole(project: Project) -> None:
    project.add()
    target = MemoryStore()
    meanwhile = Meddler(target, {("upload", "packs"): lambda: project.back_up(target)})

    second = project.back_up(meanwhile)

    assert [backup.number for backup in backups_in(target)] == [1]
    assert (second.number, problems(target, second)) == (1, [])


def test_the_newest_is_chosen_or_the_one_that_is_named(project: Project) -> None:
    target = MemoryStore()
    with pytest.raises(NotFoundError):
        chosen(target, 0)
    for _ in range(2):
        project.add()
        project.back_up(target)

    assert [chosen(target, number).number for number in (0, 1, 2)] == [2, 1, 2]
    with pytest.raises(NotFoundError):
        chosen(target, 3)
    target.contents[backups.record_key(2)] = b"{}"
    assert problems(target, chosen(target, 1)) == [f"{backups.record_key(2)} in {target.url} cannot be read"]
    # The number of the damaged one is not given away again.
    project.add()
    assert project.back_up(target).number == 3


def test_a_race_for_a_number_gives_both_one(project: Project) -> None:
    project.add()
    target = MemoryStore()

    def first() -> None:
        (project.place / "config.yaml").write_text("author: Bob\n")
        project.back_up(target)

    second = project.back_up(Meddler(target, {("create", "backups"): first}))

    assert [backup.number for backup in backups_in(target)] == [1, 2]
    assert second.number == 2
