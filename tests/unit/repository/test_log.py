"""The log: slots follow one another, a snapshot only saves time, and a cache of another log is of no use."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from mlreg.errors import ConflictError, IntegrityError, UnavailableError, UnsupportedError
from mlreg.formats import identity
from mlreg.formats.pack import Sort
from mlreg.formats.snapshot import Snapshot, snapshot_key
from mlreg.formats.transaction import RefChange, Transaction, slot_key
from mlreg.ids import TransactionHash
from mlreg.operations.check import check
from mlreg.repository import log as logs
from mlreg.repository.log import Draft, Log
from mlreg.repository.objects import pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository, create_repository
from mlreg.repository.view import View
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import FaultyStore
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store
from tests.unit.repository.samples import commit, move, pack_entry, pack_id, put, repository_in

TAG = "tag/model/net/production"
SEEN = "remote/origin/tag/model/net/production"
"""A name that is legal and says nothing of a version that must be there."""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def repository(store: MemoryStore) -> Repository:
    return repository_in(store)


def note(repository: Repository, message: str) -> Transaction:
    """Append a slot that changes nothing but the log."""
    return repository.log.append(lambda view: Draft("Ann", message))


def messages(store: Store) -> list[str]:
    """Return the messages of all slots, read without a view or a snapshot."""
    repository = Repository(store)
    return [slot.message for slot, _ in repository.log.slots(1, repository.identity.origin)]


def problems(store: Store) -> list[str]:
    return [problem.code for problem in check(Repository(store), 1.0, lambda size: None).problems]


# Appending.


def test_slots_are_numbered_from_one_and_each_names_the_one_before(repository: Repository, store: MemoryStore) -> None:
    slots = [note(repository, message) for message in ("one", "two", "three")]

    assert [slot.number for slot in slots] == [1, 2, 3]
    assert [key for key in store.contents if key.startswith("log/")] == [slot_key(number) for number in (1, 2, 3)]
    assert slots[0].previous == repository.identity.origin
    assert slots[1].previous == TransactionHash.of(store.contents[slot_key(1)])
    assert len({slot.id for slot in slots}) == 3
    assert messages(store) == ["one", "two", "three"]


def test_the_view_has_what_was_appended(repository: Repository) -> None:
    repository.log.append(lambda view: Draft("Ann", "tag", (move(TAG, None, "x"),)))

    found = repository.log.view.ref(TAG)
    assert found is not None
    assert found.target == commit("x")


def test_a_draft_is_built_from_the_newest_state_even_if_another_wrote_it(store: MemoryStore) -> None:
    one, other = repository_in(store), repository_in(store)
    one.log.refresh()
    other.log.append(lambda view: Draft("Bob", refs=(move(TAG, None, "x"),)))
    seen: list[int] = []

    def build(view: View) -> Draft:
        seen.append(view.number)
        return Draft("Ann", refs=(move(TAG, "x", "y"),))

    assert one.log.append(build).number == 2
    assert seen == [1]


def test_a_writer_that_is_overtaken_builds_again_from_what_the_other_wrote(store: MemoryStore) -> None:
    one, other = repository_in(store), repository_in(store)
    seen: list[str | None] = []

    def build(view: View) -> Draft:
        found = view.ref(TAG)
        seen.append(str(found.target) if found else None)
        if len(seen) <= 3:
            other.log.append(lambda view: Draft("Bob", refs=(move_to(view, f"bob {len(seen)}"),)))
        return Draft("Ann", refs=(move_to(view, "ann"),))

    assert one.log.append(build).number == 4
    assert seen == [None, *(str(commit(f"bob {number}")) for number in (1, 2, 3))]
    found = Repository(store).log.refresh().ref(TAG)
    assert found is not None
    assert found.target == commit("ann")


def move_to(view: View, target: str) -> RefChange:
    found = view.ref(TAG)
    return RefChange(TAG, found.target if found else None, commit(target))


def test_a_change_that_does_not_hold_any_more_raises_and_writes_nothing(store: MemoryStore) -> None:
    one, other = repository_in(store), repository_in(store)
    tries = 0

    def build(view: View) -> Draft:
        nonlocal tries
        tries += 1
        if view.ref(TAG):
            raise ConflictError("taken", "someone else has it")
        other.log.append(lambda view: Draft("Bob", "first", (move(TAG, None, "x"),)))
        return Draft("Ann", "late", (move(TAG, None, "y"),))

    with pytest.raises(ConflictError) as caught:
        one.log.append(build)
    assert caught.value.code == "taken"
    assert tries == 2
    assert messages(store) == ["first"]


def test_what_a_writer_did_not_see_cannot_be_undone_by_it(repository: Repository, store: MemoryStore) -> None:
    """A draft whose names were moved meanwhile gets no slot, whatever its builder thinks."""
    repository.log.append(lambda view: Draft("Ann", refs=(move(TAG, None, "x"),)))

    with pytest.raises(IntegrityError) as caught:
        repository.log.append(lambda view: Draft("Ann", refs=(move(TAG, "old", "y"),)))
    assert caught.value.code == "bad_log"
    assert len(messages(store)) == 1


def test_a_reaped_pack_is_not_named_again(repository: Repository, store: MemoryStore) -> None:
    repository.log.append(lambda view: Draft("gc", reap=(pack_id(1),)))

    with pytest.raises(ConflictError) as caught:
        repository.log.append(lambda view: Draft("Ann", add=(pack_entry(2), pack_entry(1))))
    assert caught.value.code == "pack_reaped"
    assert len(messages(store)) == 1


def test_a_slot_that_needs_a_newer_release_stops_readers_and_writers(
    repository: Repository, store: MemoryStore
) -> None:
    slot = note(repository, "one")
    later = slot._replace(number=2, previous=TransactionHash.of(slot.encode()), requires=("shards",))
    store.create(slot_key(2), later.encode())

    for call in (repository.log.refresh, lambda: note(repository, "two")):
        with pytest.raises(UnsupportedError) as caught:
            call()
        assert caught.value.code == "unknown_feature"
    assert repository.log.view.number == 1


# A chain that is broken.


def rewritten(store: MemoryStore, **changes: object) -> bytes:
    slot = Transaction.decode(store.contents[slot_key(2)])
    return slot._replace(**changes).encode()  # type: ignore[arg-type] # whatever a field may hold


BROKEN: dict[str, Callable[[MemoryStore], bytes]] = {
    "another message": lambda store: rewritten(store, message="forged"),
    "another previous": lambda store: rewritten(store, previous=TransactionHash(bytes(32))),
    "the slot before": lambda store: store.contents[slot_key(1)],
    "the slot behind": lambda store: store.contents[slot_key(3)],
    "another number": lambda store: rewritten(store, number=9),
    "a signature": lambda store: store.contents[slot_key(2)] + b"signed\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_chain_that_is_broken_is_an_error(name: str, repository: Repository, store: MemoryStore) -> None:
    for message in ("one", "two", "three"):
        note(repository, message)
    store.contents[slot_key(2)] = BROKEN[name](store)

    with pytest.raises(IntegrityError) as caught:
        Repository(store).log.refresh()
    assert caught.value.code == "bad_log"
    assert "bad_log" in problems(store)


def test_nothing_is_written_where_a_slot_was_lost(repository: Repository, store: MemoryStore) -> None:
    """It would be the end of those behind it, also if the lost one was found again."""
    note(repository, "one")
    early = Repository(store)
    early.log.refresh()
    for message in ("two", "three"):
        note(repository, message)
    lost = store.contents.pop(slot_key(2))

    for writer in (early, Repository(store)):
        with pytest.raises(IntegrityError) as caught:
            note(writer, "four")
        assert caught.value.code == "bad_log"

    store.contents[slot_key(2)] = lost
    note(early, "four")
    assert messages(store) == ["one", "two", "three", "four"]
    assert problems(store) == []


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"garbage", b"\0" * 100])
def test_a_slot_that_is_torn_is_an_error_and_not_the_end(
    data: bytes, repository: Repository, store: MemoryStore
) -> None:
    for message in ("one", "two", "three"):
        note(repository, message)
    store.contents[slot_key(2)] = data

    with pytest.raises(IntegrityError) as caught:
        Repository(store).log.refresh()
    assert caught.value.code in ("bad_transaction", "bad_json")
    assert problems(store) != []


# Snapshots.


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a snapshot behind every fourth slot."""
    monkeypatch.setattr(logs, "SNAPSHOT_EVERY", 4)


def filled(store: MemoryStore, slots: int = 10) -> Repository:
    """Return a repository with a tag that each slot moves, and a pack."""
    repository = repository_in(store)
    put(repository, [])
    for number in range(1, slots):
        draft = Draft("Ann", f"{number}", (move(SEEN, f"v{number - 1}" if number > 1 else None, f"v{number}"),))
        repository.log.append(partial(_same, draft))
    return repository


def _same(draft: Draft, _: View) -> Draft:
    return draft


def snapshots_in(store: Store) -> list[str]:
    return list(store.list("snapshots/"))


def state(repository: Repository) -> tuple[object, ...]:
    view = repository.log.refresh()
    return view.snapshot(), view.generation, view.live_packs()


@pytest.mark.usefixtures("often")
def test_a_snapshot_is_written_behind_every_so_many_slots(store: MemoryStore) -> None:
    filled(store)

    assert snapshots_in(store) == [snapshot_key(4), snapshot_key(8)]
    found = Snapshot.decode(store.contents[snapshot_key(8)])
    assert (found.number, found.head) == (8, TransactionHash.of(store.contents[slot_key(8)]))


def test_snapshots_of_a_long_log_are_far_between() -> None:
    written: list[int] = []

    class Pretending(Log):
        def write_snapshot(self) -> None:
            written.append(number)

    log = Pretending.__new__(Pretending)
    for number in range(1, 40_000):
        log._snapshot_if_due(number)

    gaps = [later - earlier for earlier, later in pairwise(written)]
    assert gaps[:4] == [256] * 4
    assert all(gap <= max(256, number / 4) for number, gap in zip(written, gaps, strict=False))
    assert len(written) < 80


@pytest.mark.usefixtures("often")
def test_a_newcomer_begins_at_the_newest_snapshot_and_knows_what_the_others_know(store: MemoryStore) -> None:
    expected = state(filled(store))
    counting = FaultyStore(store)
    newcomer = Repository(counting)

    assert state(newcomer) == expected
    assert newcomer.log.view.history_from == 9
    read = [key for verb, key in counting.calls if verb == "read" and key.startswith("log/")]
    assert read == [slot_key(number) for number in (8, 9, 10, 11)]


@pytest.mark.usefixtures("often")
def test_the_history_before_a_snapshot_is_read_when_it_is_asked_for(store: MemoryStore) -> None:
    expected = filled(store).log.with_history().changes("")
    newcomer = Repository(store)
    newcomer.log.refresh()
    assert len(newcomer.log.view.changes("")) == 2

    assert newcomer.log.with_history().changes("") == expected
    assert newcomer.log.with_history().history_from == 1
    note(newcomer, "later")
    assert newcomer.log.view.history_from == 1


def cut(store: MemoryStore) -> None:
    store.contents[snapshot_key(8)] = store.contents[snapshot_key(8)][:50]


def flip(store: MemoryStore) -> None:
    data = bytearray(store.contents[snapshot_key(8)])
    data[-5] ^= 1
    store.contents[snapshot_key(8)] = bytes(data)


def of_another_log(store: MemoryStore) -> None:
    other = MemoryStore()
    filled(other)
    store.contents[snapshot_key(8)] = other.contents[snapshot_key(8)]


def under_another_number(store: MemoryStore) -> None:
    store.contents[snapshot_key(8)] = store.contents[snapshot_key(4)]


def of_a_slot_that_is_not_there(store: MemoryStore) -> None:
    found = Snapshot.decode(store.contents[snapshot_key(8)])
    store.contents[snapshot_key(99)] = found._replace(number=99).encode()


def with_another_head(store: MemoryStore) -> None:
    found = Snapshot.decode(store.contents[snapshot_key(8)])
    store.contents[snapshot_key(8)] = found._replace(head=TransactionHash(bytes(32))).encode()


def under_a_stray_name(store: MemoryStore) -> None:
    store.contents["snapshots/zzz"] = store.contents[snapshot_key(8)]


def of_a_later_release(store: MemoryStore) -> None:
    data = store.contents[snapshot_key(8)]
    store.contents["snapshots/9"] = data[:4] + b"\2" + data[5:]


USELESS: dict[str, Callable[[MemoryStore], None]] = {
    "cut": cut,
    "damaged": flip,
    "empty": lambda store: store.contents.update({snapshot_key(8): b""}),
    "of another log": of_another_log,
    "under another number": under_another_number,
    "of a slot that is not there": of_a_slot_that_is_not_there,
    "with another head": with_another_head,
    "under a stray name": under_a_stray_name,
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("name", USELESS)
def test_a_snapshot_that_is_of_no_use_is_passed_over_and_reported(name: str, store: MemoryStore) -> None:
    expected = state(filled(store))
    USELESS[name](store)

    newcomer = Repository(store)
    assert state(newcomer) == expected
    assert note(newcomer, "goes on").number == 11
    assert set(problems(store)) <= {"bad_snapshot", "bad_block", "bad_json"}
    assert problems(store) != []


@pytest.mark.usefixtures("often")
def test_a_snapshot_of_a_later_release_is_passed_over(store: MemoryStore) -> None:
    expected = state(filled(store))
    of_a_later_release(store)

    assert state(Repository(store)) == expected


@pytest.mark.usefixtures("often")
def test_a_snapshot_that_lies_about_the_right_slot_is_reported(store: MemoryStore) -> None:
    filled(store)
    found = Snapshot.decode(store.contents[snapshot_key(8)])
    lie = found.refs[0]._replace(target=commit("forged"))
    store.contents[snapshot_key(8)] = found._replace(refs=(lie,)).encode()

    assert problems(store) == ["bad_snapshot"]


def test_a_snapshot_that_does_not_say_when_packs_were_dropped_makes_neither_itself_nor_later_ones_bad(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones did not; who begins there takes the slot of the snapshot for that of the drop."""
    repository = repository_in(store)
    packs = put(repository, [(Sort.PIECE, b"one")])
    repository.log.append(lambda view: Draft("Ann", "drop", drop=tuple(pack.id for pack in packs)))
    note(repository, "more")
    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "_seldom", lambda self: {})
        repository.log.write_snapshot()
    assert problems(store) == []

    newcomer = Repository(store)
    note(newcomer, "later")
    newcomer.log.write_snapshot()

    assert [state.dropped for state in Snapshot.decode(store.contents[snapshot_key(4)]).packs] == [3]
    assert problems(store) == []


@pytest.mark.usefixtures("often")
def test_a_snapshot_that_cannot_be_written_does_not_undo_the_slot(store: MemoryStore) -> None:
    repository = repository_in(store)
    store.contents[snapshot_key(4)] = b"in the way"
    for number in range(6):
        note(repository, str(number))

    assert repository.log.refresh().number == 6
    assert messages(store) == [str(number) for number in range(6)]


@pytest.mark.usefixtures("often")
def test_a_snapshot_that_may_not_be_read_is_passed_over(tmp_path: Path) -> None:
    repository = repository_in(DirectoryStore(tmp_path))
    for number in range(5):
        note(repository, str(number))
    snapshot = tmp_path / snapshot_key(4)
    snapshot.unlink()
    snapshot.symlink_to("/etc/hostname")

    assert Repository(DirectoryStore(tmp_path)).log.refresh().number == 5


# Caches.


def test_a_cache_of_another_log_under_the_same_name_is_thrown_away(tmp_path: Path) -> None:
    """A repository was restored from a backup, or made anew, where another one was."""
    store, other = MemoryStore(), MemoryStore()
    repository = repository_in(store, tmp_path)
    other.contents["mlreg.json"] = store.contents["mlreg.json"]
    store.url = other.url = "memory:one place"
    Repository(store, tmp_path).log.append(lambda view: Draft("Ann", "here", (move(TAG, None, "x"),)))
    put(Repository(other), [])
    repository.close()

    found = Repository(other, tmp_path).log.refresh()
    assert (found.number, found.refs("")) == (1, [])
    assert [change.message for change in found.changes("")] == []
    assert Repository(store, tmp_path).log.refresh().ref(TAG) is not None


def test_a_cache_that_is_ahead_of_the_log_is_thrown_away(tmp_path: Path) -> None:
    store = MemoryStore()
    repository = repository_in(store, tmp_path)
    for message in ("one", "two", "three"):
        note(repository, message)
    repository.close()
    del store.contents[slot_key(3)]

    newcomer = Repository(store, tmp_path)
    assert newcomer.log.refresh().number == 2
    assert note(newcomer, "again").number == 3
    assert messages(store) == ["one", "two", "again"]


def test_an_old_cache_is_brought_up_from_where_it_stands(tmp_path: Path) -> None:
    store = MemoryStore()
    store.url = "memory:one"
    cached = repository_in(store, tmp_path)
    for number in range(5):
        note(cached, str(number))
    cached.close()
    for number in range(5, 8):
        note(Repository(store), str(number))
    counting = FaultyStore(store)

    assert Repository(counting, tmp_path).log.refresh().number == 8
    read = [key for verb, key in counting.calls if verb == "read" and key.startswith("log/")]
    assert read == [slot_key(number) for number in (5, 6, 7, 8, 9)]


def test_a_log_of_many_slots_is_folded_in_steps(monkeypatch: pytest.MonkeyPatch, store: MemoryStore) -> None:
    monkeypatch.setattr(logs, "BATCH", 3)
    repository = filled(store, 11)

    assert state(Repository(store)) == state(repository)
    assert Repository(store).log.refresh().number == 11


# Check.


def test_a_healthy_log_is_called_clean(repository: Repository, store: MemoryStore) -> None:
    put(repository, [])
    assert problems(store) == []


def test_a_pack_that_no_slot_names_is_an_orphan_and_no_problem(repository: Repository, store: MemoryStore) -> None:
    with PackWriter(store) as writer:
        writer.add(Sort.COMMIT, commit("x"), b"x")
        (pack,) = writer.finish()
    note(repository, "other")

    found = check(Repository(store), 1.0, lambda size: None)
    assert (found.orphans, found.problems, found.slots) == (1, [], 1)
    assert pack_key(pack.id) in store.contents


# What is acknowledged.


def test_a_slot_that_is_written_is_done_whatever_befalls_the_view(
    repository: Repository, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise UnavailableError("view_damaged", "made to fail")

    with monkeypatch.context() as broken:
        broken.setattr(View, "apply", fail)
        slot = note(repository, "written")

    assert (slot.message, messages(store)) == ("written", ["written"])
    assert repository.log.refresh().number == 1


def test_a_view_that_is_lost_before_the_slot_is_written_does_not_stop_it(tmp_path: Path) -> None:
    store = MemoryStore()
    repository = repository_in(store, tmp_path)
    note(repository, "before")
    lost: list[int] = []

    def build(view: View) -> Draft:
        if not lost:
            lost.append(view.incarnation)
            view._db.step(lambda: view._db.run("DROP TABLE refs"))
        view.refs("")
        return Draft("Ann", "after")

    assert repository.log.append(build).message == "after"
    assert (messages(store), repository.log.view.incarnation) == (["before", "after"], lost[0] + 1)


def test_a_view_that_is_lost_again_and_again_is_reported(tmp_path: Path) -> None:
    store = MemoryStore()
    repository = repository_in(store, tmp_path)

    def build(view: View) -> Draft:
        view._db.step(lambda: view._db.run("DROP TABLE refs"))
        view.refs("")
        return Draft("Ann")

    with pytest.raises(UnavailableError) as caught:
        repository.log.append(build)
    assert (caught.value.code, messages(store)) == ("view_damaged", [])


def test_a_slot_whose_directory_was_not_flushed_is_not_reported_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second flush that succeeds proves nothing: the kernel reports a failed one only once."""
    repository = repository_in(DirectoryStore(tmp_path))
    note(repository, "before")
    real, failures = os.fsync, iter([errno.EIO])

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode) and (number := next(failures, 0)):
            raise OSError(number, "made to fail")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UnavailableError) as caught:
        note(repository, "perhaps")
    assert caught.value.code == "unclear_commit"
    assert messages(repository.store) == ["before", "perhaps"]
    note(repository, "behind")
    assert messages(repository.store) == ["before", "perhaps", "behind"]


@pytest.mark.parametrize("key", ["mlreg.json", slot_key(1), snapshot_key(1)])
def test_a_file_that_claims_to_be_vast_is_not_read_to_its_end(key: str, tmp_path: Path) -> None:
    repository = repository_in(DirectoryStore(tmp_path))
    note(repository, "first")
    repository.log.write_snapshot()
    file = tmp_path / key
    file.chmod(0o600)
    with file.open("r+b") as opened:
        opened.truncate(1 << 40)  # far more than there is memory

    if key == snapshot_key(1):
        assert Repository(repository.store).log.refresh().number == 1
        return
    with pytest.raises(IntegrityError):
        Repository(repository.store).log.refresh()


# Features.


def test_a_feature_that_the_log_needs_stands_in_its_snapshots_and_stops_a_view_that_knows_more(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer release has brought the cached view behind the slot that asks for the feature."""
    with monkeypatch.context() as newer:
        newer.setattr(identity, "FEATURES", frozenset({"deltas"}))
        repository = repository_in(store, tmp_path)
        slot = Transaction(1, repository.identity.origin, "0" * 32, "", "Ann", "", requires=("deltas",))
        store.create(slot_key(1), slot.encode())
        repository.log.refresh()
        note(repository, "behind")
        repository.log.write_snapshot()
        assert repository.log.view.snapshot().requires == ("deltas",)
        assert repository.log.newest_snapshot() == repository.log.view.snapshot()
        began = View(None)
        began.restart(began.position, repository.log.newest_snapshot())
        assert began.snapshot().requires == ("deltas",)
        repository.close()

    for cache in (tmp_path, None):
        with pytest.raises(UnsupportedError) as caught:
            Repository(store, cache).log.refresh()
        assert caught.value.code == "unknown_feature"


def test_who_comes_for_the_first_time_sees_that_a_slot_is_missing(
    store: MemoryStore, repository: Repository, tmp_path: Path
) -> None:
    for number in range(3):
        note(repository, str(number))
    known = repository.log.view.number
    store.delete(slot_key(known - 1))

    for cache in (None, tmp_path, tmp_path):
        with pytest.raises(IntegrityError, match=f"slot {known - 1} of the log in .* is gone"):
            Repository(store, cache).log.refresh()
    assert repository.log.refresh().number == known


def test_no_repository_is_begun_on_what_is_left_of_one(store: MemoryStore, repository: Repository) -> None:
    note(repository, "one")
    store.delete(identity.KEY)

    with pytest.raises(IntegrityError, match="has a log"):
        create_repository(store)
    assert store.size(identity.KEY) is None
