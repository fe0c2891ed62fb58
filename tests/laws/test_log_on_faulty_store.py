"""What the log protocol promises holds at every call to a store that fails, loses replies, or is collected.

Every law is tried at each call: the work is done once without faults to count the calls, and then
again with a fault, or with a collector at work, at each of them.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from mlreg.errors import MlregError, UnavailableError
from mlreg.formats.names import Entry
from mlreg.formats.pack import Sort
from mlreg.formats.transaction import RefChange, Transaction
from mlreg.formats.versions import version_format
from mlreg.ids import CommitId, ContentId, ObjectId
from mlreg.operations import ingest
from mlreg.operations.check import check
from mlreg.operations.history import files_of, needs_of, past, read_commit
from mlreg.operations.record import remove
from mlreg.operations.register import NewVersion, Recorded, add
from mlreg.operations.scanning import Source
from mlreg.operations.transfer import Move, Sending, Transferred, transfer
from mlreg.repository import log as logs
from mlreg.repository.log import REPLIES, Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository, create_repository
from mlreg.repository.view import REAPED, View
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import Fault, FaultyStore, Plan, fail_at
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store

FAULTS = (Fault.BEFORE, Fault.AFTER)
ENTRY = Entry("model", "net")
TAG = "remote/origin/tag/model/net/production"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_back_off", lambda attempt: None)


def silent(size: int) -> None:
    """Report nothing."""


def note(repository: Repository, message: str) -> Transaction:
    """Append a slot that says something and moves a name from wherever it is."""

    def build(view: View) -> Draft:
        found = view.ref(TAG)
        return Draft("Ann", message, (RefChange(TAG, found.target if found else None, CommitId.of(message.encode())),))

    return repository.log.append(build)


def messages(store: Store) -> list[str]:
    """Return the messages of all slots; the chain is checked on the way."""
    repository = Repository(store)
    return [slot.message for slot, _ in repository.log.slots(1, repository.identity.origin)]


def check_clean(store: Store) -> None:
    found = check(Repository(store), 1.0, silent)
    assert found.problems == []
    assert found.slots == len(messages(store))


def base() -> dict[str, bytes]:
    """Return the contents of a store with a repository of two slots."""
    store = MemoryStore()
    create_repository(store)
    for message in ("one", "two"):
        note(Repository(store), message)
    return store.contents


def calls_of(work: Callable[[Store], object], contents: dict[str, bytes]) -> int:
    """Return how many calls a piece of work makes on a store that does not fail."""
    store = FaultyStore(MemoryStore(dict(contents)))
    work(store)
    return len(store.calls)


def before_calls(act: Callable[[], object], *numbers: int) -> Plan:
    """Return the plan under which nothing fails, and somebody does something before some of the calls."""

    def intrude() -> None:
        act()

    return lambda count, verb, key: intrude() if count in numbers else None


def planned(faults: dict[int, Fault]) -> Plan:
    """Return the plan under which some calls fail, by their numbers."""
    return lambda count, verb, key: faults.get(count)


def now_and_then(chooser: random.Random) -> Plan:
    """Return the plan under which a fifth of the calls fail."""
    return lambda count, verb, key: chooser.choice(FAULTS) if chooser.random() < 0.2 else None


def append_late(store: Store) -> Transaction:
    return note(Repository(store), "late")


# Faults.


def append_under(plan: Plan) -> tuple[bool, list[str]]:
    """Append one slot to a store with faults; tell whether it was reported as done, and what the log says then."""
    inner = MemoryStore(base())
    try:
        append_late(FaultyStore(inner, plan))
    except UnavailableError:
        is_done = False
    else:
        is_done = True
    check_clean(inner)
    return is_done, messages(inner)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_at_any_call_the_slot_is_there_once_or_the_append_raised(fault: Fault) -> None:
    outcomes = set()
    for number in range(1, calls_of(append_late, base()) + 1):
        is_done, found = append_under(fail_at(number, fault))
        assert found[:2] == ["one", "two"]
        assert found[2:] == ["late"] if is_done else found[2:] in ([], ["late"])
        outcomes.add(is_done)
    # A fault of the create itself is survived, one of what leads up to it is not.
    assert outcomes == {True, False}


def test_after_any_two_faults_the_slot_is_there_once_or_the_append_raised() -> None:
    calls = calls_of(append_late, base()) + 4
    for first, second in product(range(1, calls), repeat=2):
        for faults in product(FAULTS, repeat=2):
            plan = dict(zip((first, second), faults, strict=True))
            is_done, found = append_under(planned(plan))
            assert found[2:] == ["late"] if is_done else found[2:] in ([], ["late"])


def always(verb_to_fail: str, fault: Fault) -> Plan:
    return lambda count, verb, key: fault if verb == verb_to_fail else None


@pytest.mark.parametrize("lost", range(1, REPLIES))
def test_a_store_that_loses_replies_is_asked_until_it_answers_for_the_slot(lost: int) -> None:
    left = iter([Fault.AFTER] * lost)

    done = append_under(lambda count, verb, key: next(left, None) if verb == "create" else None)
    assert done == (True, ["one", "two", "late"])


def test_a_slot_that_is_there_and_was_never_acknowledged_is_not_reported_as_done() -> None:
    """That it can be read does not say that it is still there when the power comes back."""
    is_done, found = append_under(always("create", Fault.AFTER))

    assert not is_done
    assert found == ["one", "two", "late"]


def test_a_store_that_never_creates_anything_is_given_up_after_a_while() -> None:
    store = FaultyStore(MemoryStore(base()), always("create", Fault.BEFORE))

    with pytest.raises(UnavailableError) as caught:
        append_late(store)
    assert caught.value.code == "unclear_commit"
    assert len([verb for verb, _ in store.calls if verb == "create"]) == REPLIES
    assert messages(store.inner) == ["one", "two"]


@pytest.mark.parametrize("faults", range(1, REPLIES))
def test_a_store_that_fails_a_few_times_and_then_works_is_written_to_once(faults: int) -> None:
    left = iter([Fault.BEFORE] * faults)

    done = append_under(lambda count, verb, key: next(left, None) if verb == "create" else None)
    assert done == (True, ["one", "two", "late"])


class Stopped(BaseException):
    """What no `except Exception` catches, as an interrupt."""


def lost_then_silent() -> Plan:
    """Return the plan under which a slot is made, its reply is lost, and it can never be read back."""
    created: list[str] = []

    def fault(verb: str, key: str) -> Fault | None:
        if verb == "create" and key.startswith("log/"):
            created.append(key)
            return Fault.AFTER
        return Fault.BEFORE if verb == "read" and key in created else None

    return lambda count, verb, key: fault(verb, key)


def test_what_may_have_been_written_keeps_its_packs() -> None:
    """The slot is there and names them; only the writer cannot know."""
    store = FaultyStore(MemoryStore(removed_version()), lost_then_silent())

    with pytest.raises(UnavailableError) as caught:
        add_again(store)
    assert caught.value.code == "unclear_commit"
    assert contents_of(store.inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
    check_clean(store.inner)


def test_an_interrupt_in_the_moment_the_slot_is_written_takes_no_pack_away(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore(removed_version())
    create = store.create

    def create_and_stop(key: str, data: bytes) -> None:
        create(key, data)
        if key.startswith("log/"):
            raise Stopped

    monkeypatch.setattr(store, "create", create_and_stop)
    with pytest.raises(Stopped):
        add_again(store)

    assert contents_of(store, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
    check_clean(store)


def test_after_a_lost_reply_and_a_store_that_is_gone_the_writer_says_that_it_does_not_know() -> None:
    """Neither done nor failed may be reported: the slot is there, and no one can look."""
    store = FaultyStore(MemoryStore(base()))
    called = store.calls
    store.plan = lambda count, verb, key: (
        Fault.AFTER if verb == "create" else Fault.BEFORE if "create" in dict(called) else None
    )
    with pytest.raises(UnavailableError) as caught:
        append_late(store)
    assert caught.value.code == "unclear_commit"
    assert messages(store.inner) == ["one", "two", "late"]


def test_a_slot_that_another_took_while_the_reply_was_lost_is_not_taken_for_ours() -> None:
    """The create fails before anything happens, and someone else is faster than the next try."""
    inner = MemoryStore(base())
    others = (note(Repository(inner), message) for message in ["the other"])

    def fail_the_first() -> Fault | None:
        return Fault.BEFORE if next(others, None) else None

    store = FaultyStore(inner, lambda count, verb, key: fail_the_first() if verb == "create" else None)
    slot = append_late(store)

    assert slot.number == 4
    assert messages(inner) == ["one", "two", "the other", "late"]
    check_clean(inner)


# Several writers.


def test_at_any_call_another_writer_may_be_faster() -> None:
    for number in range(1, calls_of(append_late, base()) + 1):
        inner = MemoryStore(base())
        append_late(FaultyStore(inner, before_calls(partial(note, Repository(inner), "the other"), number)))
        assert sorted(messages(inner)[2:]) == ["late", "the other"]
        check_clean(inner)


@pytest.mark.parametrize("seed", range(8))
def test_writers_on_a_store_that_fails_at_random_lose_nothing_and_write_nothing_twice(seed: int, scale: int) -> None:
    chooser = random.Random(seed)
    inner = MemoryStore(base())
    writers: list[Repository] = []
    while len(writers) < 3:
        try:
            writers.append(Repository(FaultyStore(inner, now_and_then(chooser))))
        except UnavailableError:
            continue
    done, unclear = [], []
    for number in range(30 * scale):
        message = f"change {number}"
        try:
            note(chooser.choice(writers), message)
        except UnavailableError:
            unclear.append(message)
        else:
            done.append(message)

    found = messages(inner)[2:]
    assert len(set(found)) == len(found)
    assert set(done) <= set(found) <= set(done) | set(unclear)
    assert done
    assert unclear
    check_clean(inner)


@pytest.mark.parametrize("kind", ["memory", "directory"])
def test_of_threads_that_append_at_once_each_gets_its_own_slots(kind: str, tmp_path: Path) -> None:
    store: Store = MemoryStore() if kind == "memory" else DirectoryStore(tmp_path)
    create_repository(store)
    slots: list[int] = []
    start = threading.Barrier(4)

    def write(me: int) -> None:
        repository = Repository(store)
        start.wait()
        slots.extend(note(repository, f"{me} {turn}").number for turn in range(8))

    threads = [threading.Thread(target=write, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(slots) == list(range(1, 33))
    found = messages(store)
    assert sorted(found) == sorted(f"{me} {turn}" for me in range(4) for turn in range(8))
    for me in range(4):
        assert [message for message in found if message.startswith(f"{me} ")] == [f"{me} {turn}" for turn in range(8)]
    check_clean(store)


# Collectors.


CONTENT = b"bytes that two versions share, " * 10


def source(name: str, data: bytes) -> Source:
    return Source(name, lambda: [data])


def add_version(store: Store, version: str, *files: tuple[str, bytes]) -> Recorded:
    new = NewVersion(
        entry=ENTRY,
        versions=version_format("semver"),
        sources=[source(name, data) for name, data in sorted(files)],
        form="directory",
        author="Ann",
        version=version,
    )
    return add(Repository(store), new, silent)


def contents_of(store: Store, version: str) -> dict[str, bytes]:
    """Return the files of a version, read by a newcomer."""
    repository = Repository(store)
    found = repository.log.refresh().ref(f"version/{ENTRY}/{version}")
    assert found is not None
    assert found.target is not None
    return {
        file.path: b"".join(map(bytes, repository.objects.read_whole(file.id, file.size)))
        for file in files_of(repository, read_commit(repository, found.target))
    }


def reachable(repository: Repository) -> set[tuple[Sort, ObjectId]]:
    """Return what the versions need."""
    tips = [ref.target for ref in repository.log.view.refs("version/") if ref.target]
    found: set[tuple[Sort, ObjectId]] = {(Sort.COMMIT, earlier) for earlier in past(repository, tips)}
    for tip in tips:
        found.update(needs_of(repository, read_commit(repository, tip)))
    return found


def collect(store: Store) -> None:
    """Drop every pack without a reachable object, reap it and every pack that no slot names, and delete them."""
    repository = Repository(store)
    view = repository.log.refresh()
    needed = reachable(repository)
    useless = tuple(
        pack.id
        for pack in view.live_packs()
        if not any((item.sort, item.id) in needed for item in repository.objects.index(pack.id).items())
    )
    keys = {key.rpartition("/")[2].removesuffix(".pack") for key in store.list("packs/")}
    orphans = tuple(sorted(pack for pack in keys if view.pack_state(pack) is None))
    if useless:
        repository.log.append(lambda view: Draft("gc", "drop", drop=useless, is_lossy=True))
    if useless or orphans:
        repository.log.append(lambda view: Draft("gc", "reap", reap=useless + orphans))
    for pack in useless + orphans:
        store.delete(pack_key(pack))


def repack(store: Store) -> None:
    """Put all objects into new packs, and take the old ones away; no object is lost."""
    repository = Repository(store)
    view = repository.log.refresh()
    old = view.live_packs()
    with PackWriter(store) as writer:
        for pack in old:
            for item in repository.objects.index(pack.id).items():
                writer.add(item.sort, item.id, repository.objects.read(item.sort, item.id))
        new = writer.finish()
    names = tuple(pack.id for pack in old)
    repository.log.append(lambda view: Draft("gc", "repack", add=new, drop=names))
    repository.log.append(lambda view: Draft("gc", "reap", reap=names))
    for name in names:
        store.delete(pack_key(name))


def removed_version() -> dict[str, bytes]:
    """Return the contents of a store in which the only version with CONTENT was removed, and not yet collected."""
    store = MemoryStore()
    create_repository(store)
    add_version(store, "1.0.0", ("weights", CONTENT), ("notes", b"old"))
    add_version(store, "1.1.0", ("notes", b"kept"))
    remove(Repository(store), {ENTRY: ["1.0.0"]}, "Ann", "")
    return store.contents


def add_again(store: Store) -> Recorded:
    return add_version(store, "2.0.0", ("weights", CONTENT), ("notes", b"new"))


def test_the_collector_of_these_tests_takes_away_what_nobody_needs_and_no_more() -> None:
    store = MemoryStore(removed_version())
    before = len(store.contents)
    collect(store)

    packs = [key for key in store.contents if key.startswith("packs/")]
    assert len(store.contents) < before + 2
    assert packs
    repository = Repository(store)
    repository.log.refresh()
    assert not repository.objects.has(Sort.PIECE, ContentId.of(CONTENT))
    assert contents_of(store, "1.1.0") == {"notes": b"kept"}
    check_clean(store)


def with_intruder(contents: dict[str, bytes], intrude: Callable[[Store], None]) -> Iterator[tuple[MemoryStore, Store]]:
    """Yield stores on which, before the first, second … call of an `add_again`, someone else does something."""
    for number in range(1, calls_of(add_again, contents) + 1):
        inner = MemoryStore(dict(contents))
        yield inner, FaultyStore(inner, before_calls(partial(intrude, inner), number))


@pytest.mark.parametrize("intrude", [collect, repack], ids=["collect", "repack"])
def test_at_any_call_of_an_add_packs_may_be_taken_away(intrude: Callable[[Store], None]) -> None:
    """What the new version relied on is uploaded again, or was moved; nothing reachable is ever missing."""
    for inner, store in with_intruder(removed_version(), intrude):
        done = add_again(store)
        assert done.is_changed
        assert contents_of(inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
        assert contents_of(inner, "1.1.0") == {"notes": b"kept"}
        assert messages(inner).count(f"add {ENTRY}@2.0.0") == 1
        check_clean(inner)


def test_at_any_call_of_an_add_the_rest_of_the_repository_may_be_collected() -> None:
    def remove_and_collect(store: Store) -> None:
        remove(Repository(store), {ENTRY: ["1.1.0"]}, "Bob", "")
        collect(store)

    for inner, store in with_intruder(removed_version(), remove_and_collect):
        add_again(store)
        assert contents_of(inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
        check_clean(inner)


def between_ingest_and_append(monkeypatch: pytest.MonkeyPatch, intrusions: Iterable[Callable[[], None]]) -> None:
    """Run the next intrusion behind each ingest."""
    real, waiting = ingest.ingest, iter(intrusions)

    def and_then(*args: object) -> object:
        root = real(*args)  # type: ignore[arg-type] # what it was called with
        next(waiting, lambda: None)()
        return root

    monkeypatch.setattr("mlreg.operations.register.ingest", and_then)


def test_what_was_dropped_between_ingest_and_append_is_uploaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore(removed_version())
    between_ingest_and_append(monkeypatch, [lambda: collect(store)])

    add_again(store)

    assert contents_of(store, "2.0.0")["weights"] == CONTENT
    assert Repository(store).log.refresh().generation == 1
    check_clean(store)


def test_a_drop_that_loses_nothing_makes_nobody_upload_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore(removed_version())
    uploads: list[int] = []
    between_ingest_and_append(monkeypatch, [lambda: repack(store), lambda: uploads.append(1)])

    add_again(store)

    assert uploads == []
    assert contents_of(store, "2.0.0")["weights"] == CONTENT
    check_clean(store)


class Reaper:
    """Reaps and deletes the packs that a writer has just uploaded, a number of times, before it names them."""

    def __init__(self, store: MemoryStore, times: int) -> None:
        self.store = store
        self.left = times
        self.reaped: list[str] = []

    def plan(self, count: int, verb: str, key: str) -> None:
        """Act before a slot is created."""
        if verb != "create" or not key.startswith("log/") or not self.left:
            return
        self.left -= 1
        before = {key for key in self.store.contents if key.startswith("packs/")}
        collect(self.store)
        after = {key for key in self.store.contents if key.startswith("packs/")}
        self.reaped.extend(sorted(before - after))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_pack_that_was_reaped_before_it_was_named_is_uploaded_under_another_name(times: int) -> None:
    inner = MemoryStore(removed_version())
    collect(inner)
    reaper = Reaper(inner, times)

    add_again(FaultyStore(inner, reaper.plan))

    view = Repository(inner).log.refresh()
    assert len(reaper.reaped) == len(set(reaper.reaped)) == 2 * times
    assert all(view.pack_state(key[9:-5]) == REAPED for key in reaper.reaped)
    assert not set(reaper.reaped) & set(inner.contents)
    assert contents_of(inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
    check_clean(inner)


def test_at_any_call_of_a_read_all_packs_may_be_replaced() -> None:
    """Twice in a row, so that a reader may meet it again while it looks where things went."""
    store = MemoryStore(removed_version())
    add_again(store)
    counting = FaultyStore(store)
    expected = contents_of(counting, "2.0.0")
    for first in range(1, len(counting.calls) + 1):
        for second in (0, first + 1, first + 2, first + 3):
            inner = MemoryStore(dict(store.contents))
            reader = FaultyStore(inner, before_calls(partial(repack, inner), first, second))
            assert contents_of(reader, "2.0.0") == expected


def test_an_add_that_is_refused_takes_its_packs_back_at_whatever_call_the_version_was_taken() -> None:
    def take_the_name(store: Store) -> None:
        add_version(store, "2.0.0", ("weights", b"other bytes"))

    for inner, store in with_intruder(removed_version(), take_the_name):
        try:
            add_again(store)
        except MlregError as error:
            code = error.code
        else:
            code = "done"
        # Only at the very end is the name ours before the other asks for it.
        assert code == "version_exists" or contents_of(inner, "2.0.0")["weights"] == CONTENT
        assert check(Repository(inner), 1.0, silent).orphans == 0
        check_clean(inner)


# The same for what is pushed.


def pushed(source: Repository, target: Store) -> Transferred:
    """Send version 2.0.0."""
    name = f"version/{ENTRY}/2.0.0"
    found = source.log.refresh().ref(name)
    assert found is not None
    new = found.target
    assert new is not None

    def plan(view: View) -> Sending:
        present = view.ref(name)
        return Sending([] if present and present.target else [Move(name, new, None)])

    return transfer(source, Repository(target), plan, "Ann", "push", silent)


@pytest.mark.parametrize("intrude", [collect, repack], ids=["collect", "repack"])
def test_at_any_call_of_a_push_packs_may_be_taken_away_from_the_target(intrude: Callable[[Store], None]) -> None:
    there = removed_version()
    here = MemoryStore(dict(there))
    add_again(here)
    source = Repository(here)
    counting = FaultyStore(MemoryStore(dict(there)))
    pushed(source, counting)
    for number in range(1, len(counting.calls) + 1):
        inner = MemoryStore(dict(there))
        pushed(source, FaultyStore(inner, before_calls(partial(intrude, inner), number)))
        assert contents_of(inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
        check_clean(inner)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_pack_that_was_reaped_before_a_push_named_it_is_sent_under_another_name(times: int) -> None:
    there = removed_version()
    here = MemoryStore(dict(there))
    add_again(here)
    inner = MemoryStore(dict(there))
    collect(inner)
    reaper = Reaper(inner, times)

    pushed(Repository(here), FaultyStore(inner, reaper.plan))

    assert len(reaper.reaped) == len(set(reaper.reaped)) >= times
    assert not set(reaper.reaped) & set(inner.contents)
    assert contents_of(inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
    check_clean(inner)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_at_any_call_of_a_push_the_target_is_whole_and_the_next_push_succeeds(fault: Fault) -> None:
    there = removed_version()
    here = MemoryStore(dict(there))
    add_again(here)
    source = Repository(here)
    counting = FaultyStore(MemoryStore(dict(there)))
    pushed(source, counting)
    for number in range(1, len(counting.calls) + 1):
        inner = MemoryStore(dict(there))
        try:
            pushed(source, FaultyStore(inner, fail_at(number, fault)))
        except MlregError as error:
            assert isinstance(error, UnavailableError), error.code  # noqa: PT017 - which calls fail is not the point
        check_clean(inner)
        pushed(source, inner)
        assert contents_of(inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
        assert messages(inner).count("push") == 1
        check_clean(inner)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_at_any_call_of_an_add_the_repository_is_whole_and_the_next_add_succeeds(fault: Fault) -> None:
    contents = removed_version()
    for number in range(1, calls_of(add_again, contents) + 1):
        inner = MemoryStore(dict(contents))
        try:
            add_again(FaultyStore(inner, fail_at(number, fault)))
        except UnavailableError:
            check_clean(inner)
        add_again(inner)
        assert contents_of(inner, "2.0.0") == {"weights": CONTENT, "notes": b"new"}
        assert messages(inner).count(f"add {ENTRY}@2.0.0") == 1
        check_clean(inner)


def test_what_an_attempt_that_was_cut_left_behind_is_used_by_the_next_push() -> None:
    there = removed_version()
    here = MemoryStore(dict(there))
    add_again(here)
    inner = MemoryStore(dict(there))
    # The slot cannot be written, so that the packs are there and nothing names them.
    with pytest.raises(UnavailableError):
        pushed(Repository(here), FaultyStore(inner, always("create", Fault.BEFORE)))
    left = set(inner.contents) - set(there)
    assert left

    done = pushed(Repository(here), inner)

    assert done.size == 0
    assert left <= {pack_key(pack.id) for pack in Repository(inner).log.refresh().live_packs()}
    check_clean(inner)
