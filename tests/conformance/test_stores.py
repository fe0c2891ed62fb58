"""Every kind of store keeps the promise of `stores/store.py`; a directory also survives what disks do.

To test a new kind, add it to `KINDS`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mlreg.errors import (
    ConflictError,
    MlregError,
    NotFoundError,
    UnavailableError,
)
from mlreg.stores import STORES, open_store
from mlreg.stores.directory import TEMPORARY, DirectoryStore
from mlreg.stores.faulty import Fault, FaultyStore, fail_at
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store

KINDS: dict[str, Callable[[Path], Store]] = {
    "file": lambda place: open_store(place.as_uri()),
    "memory": lambda place: MemoryStore(),
    "faulty memory": lambda place: FaultyStore(MemoryStore()),
    "faulty directory": lambda place: FaultyStore(DirectoryStore(place)),
}
KEY = "packs/3f/3fa9.pack"
OTHER_KEY = "log/0000000000000001"


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return KINDS[request.param](tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def upload(store: Store, key: str, *parts: bytes) -> None:
    with store.upload(key) as new:
        for part in parts:
            new.write(part)


def break_off(store: Store, key: str, error: type[BaseException]) -> None:
    with store.upload(key) as new:
        new.write(b"abc")
        raise error


def files_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())


class Interrupted(BaseException):
    """What no `except Exception` catches, as an interrupt."""


def test_every_scheme_of_the_table_is_tested() -> None:
    assert set(STORES) <= set(KINDS)


# The promise.


def test_what_was_created_is_read_back(store: Store) -> None:
    store.create(KEY, b"abc")

    assert store.read(KEY) == b"abc"
    assert store.size(KEY) == 3


def test_an_empty_value_is_a_value(store: Store) -> None:
    store.create(KEY, b"")
    upload(store, OTHER_KEY)

    assert (store.read(KEY), store.size(KEY)) == (b"", 0)
    assert (store.read(OTHER_KEY), store.size(OTHER_KEY)) == (b"", 0)


def test_an_absent_key_has_no_size_and_cannot_be_read(store: Store) -> None:
    assert store.size(KEY) is None
    with pytest.raises(NotFoundError) as caught:
        store.read(KEY)
    assert caught.value.code == "key_missing"


def test_repeating_a_create_is_safe_but_other_bytes_are_refused(store: Store) -> None:
    store.create(KEY, b"first")
    store.create(KEY, b"first")

    with pytest.raises(ConflictError) as caught:
        store.create(KEY, b"later")
    assert caught.value.code == "key_exists"
    assert store.read(KEY) == b"first"


@pytest.mark.parametrize("other", [b"", b"ab", b"abcd"])
def test_a_prefix_of_the_same_bytes_is_other_bytes(store: Store, other: bytes) -> None:
    store.create(KEY, b"abc")

    with pytest.raises(ConflictError):
        store.create(KEY, other)


@pytest.mark.parametrize(
    ("start", "size", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (0, 0, b""),
        (8, 100, b"89"),
        (10, 1, b""),
        (99, None, b""),
        (99, 5, b""),
    ],
)
def test_a_range_is_cut_off_where_the_key_ends(store: Store, start: int, size: int | None, expected: bytes) -> None:
    store.create(KEY, b"0123456789")

    assert store.read(KEY, start, size) == expected


def test_keys_are_listed_in_their_order_whatever_the_order_they_came_in(store: Store) -> None:
    # "-" and "." sort before "/", so a walk by directory would give another order.
    keys = ["packs/ab/2", "packs/ab/10", "packs/ab-x/1", "packs/ab.x/1", "packs/aa", "packsaddle/1", "log/1"]
    for key in keys:
        store.create(key, b"")

    assert list(store.list("packs/")) == sorted(key for key in keys if key.startswith("packs/"))
    assert list(store.list("packs/ab/")) == ["packs/ab/10", "packs/ab/2"]
    assert list(store.list("snapshots/")) == []


def test_an_upload_is_invisible_until_its_block_is_left(store: Store) -> None:
    with store.upload(KEY) as new:
        new.write(b"abc")
        assert store.size(KEY) is None
        assert list(store.list("packs/")) == []
        new.write(b"def")

    assert store.read(KEY) == b"abcdef"
    assert list(store.list("packs/")) == [KEY]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Interrupted])
def test_an_upload_that_is_left_with_an_exception_leaves_nothing(
    store: Store, error: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(error):
        break_off(store, KEY, error)

    assert store.size(KEY) is None
    assert list(store.list("packs/")) == []
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("data", [b"before", b"after", b"longer than that"])
def test_an_upload_never_replaces_what_is_there(data: bytes, store: Store) -> None:
    store.create(KEY, data)

    with pytest.raises(ConflictError) as caught:
        upload(store, KEY, b"after")
    assert caught.value.code == "key_exists"
    assert store.read(KEY) == data


def test_of_two_uploads_of_a_key_the_one_that_ends_first_has_it(store: Store) -> None:
    with pytest.raises(ConflictError), store.upload(KEY) as slow:  # noqa: PT012 - the end of the block raises
        slow.write(b"slow")
        upload(store, KEY, b"fast")

    assert store.read(KEY) == b"fast"


def test_the_buffer_of_an_upload_may_be_reused(store: Store) -> None:
    buffer = bytearray(b"abc")
    with store.upload(KEY) as new:
        new.write(buffer)
        buffer[:] = b"xyz"
        new.write(memoryview(buffer)[1:])

    assert store.read(KEY) == b"abcyz"


def test_deleting_takes_one_key_away_and_may_be_repeated(store: Store) -> None:
    store.create(KEY, b"abc")
    store.create(OTHER_KEY, b"kept")

    store.delete(KEY)
    store.delete(KEY)
    store.delete("packs/ff/never.pack")

    assert store.size(KEY) is None
    assert list(store.list("packs/")) == []
    assert store.read(OTHER_KEY) == b"kept"


def test_a_key_that_was_deleted_can_be_created_with_other_bytes(store: Store) -> None:
    store.create(KEY, b"before")
    store.delete(KEY)
    store.create(KEY, b"after")

    assert store.read(KEY) == b"after"


# Many writers.

WRITERS = 4
RACES = 25


def test_of_racing_threads_with_different_bytes_exactly_one_wins(store: Store) -> None:
    wins: dict[int, list[bytes]] = {number: [] for number in range(RACES)}
    losses: list[str] = []
    start = threading.Barrier(WRITERS)

    def race(me: bytes) -> None:
        start.wait()
        for number in range(RACES):
            try:
                store.create(f"log/{number}", me)
            except ConflictError as error:
                losses.append(error.code)
            else:
                wins[number].append(me)

    run_at_once([partial(race, str(number).encode()) for number in range(WRITERS)])

    assert [len(winners) for winners in wins.values()] == [1] * RACES
    assert losses == ["key_exists"] * (RACES * (WRITERS - 1))
    assert all(store.read(f"log/{number}") == winners[0] for number, winners in wins.items())


def test_racing_threads_with_the_same_bytes_all_succeed(store: Store) -> None:
    errors: list[MlregError] = []
    start = threading.Barrier(WRITERS)

    def race() -> None:
        start.wait()
        for number in range(RACES):
            try:
                store.create(f"log/{number}", b"same")
            except MlregError as error:
                errors.append(error)

    run_at_once([race] * WRITERS)

    assert errors == []


def run_at_once(tasks: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


RACER = """
import sys
from mlreg.errors import ConflictError
from mlreg.stores import open_store
url, me, races = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(races):
    try:
        open_store(url).create(f"log/{number}", me)
    except ConflictError as error:
        assert error.code == "key_exists"
    else:
        print(number)
"""


def test_of_racing_processes_with_different_bytes_exactly_one_wins(directory: DirectoryStore) -> None:
    command = [sys.executable, "-c", RACER, directory.url]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    racers = [
        subprocess.Popen(
            [*command, str(me), str(RACES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for me in range(WRITERS)
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    wins = [(int(won), me) for me, racer in enumerate(racers) for won in racer.communicate("go\n")[0].split()]

    assert [racer.returncode for racer in racers] == [0] * WRITERS
    assert sorted(number for number, _ in wins) == list(range(RACES))
    assert all(directory.read(f"log/{number}") == str(me).encode() for number, me in wins)
    assert [name for name in files_below(directory.root) if TEMPORARY in name] == []


# The store is a dictionary.

keys = st.sampled_from(["log/1", "log/2", "log/10", "packs/ab/1", "packs/ab-/1", "packs/ab.c", "snapshots/1"])
values = st.one_of(st.sampled_from([b"", b"a", b"ab"]), st.binary(max_size=40))
prefixes = st.sampled_from(["log/", "packs/", "packs/ab/", "snapshots/", "nothing/"])


class StoreMachine(RuleBasedStateMachine):
    """`model` is what the store should hold; `store` is what it holds."""

    kind: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.store = KINDS[self.kind](Path(self.place.name))
        self.model: dict[str, bytes] = {}

    def teardown(self) -> None:
        self.place.cleanup()

    @rule(key=keys, data=values)
    def create(self, key: str, data: bytes) -> None:
        try:
            self.store.create(key, data)
        except ConflictError:
            assert self.model[key] != data
        else:
            assert self.model.setdefault(key, data) == data

    @rule(key=keys, parts=st.lists(values, max_size=3))
    def upload(self, key: str, parts: list[bytes]) -> None:
        if key in self.model:
            with pytest.raises(ConflictError):
                upload(self.store, key, *parts)
        else:
            upload(self.store, key, *parts)
            self.model[key] = b"".join(parts)

    @rule(key=keys)
    def fail_to_upload(self, key: str) -> None:
        with pytest.raises(Interrupted):
            break_off(self.store, key, Interrupted)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.store.delete(key)
        self.model.pop(key, None)

    @rule(key=keys, start=st.integers(0, 50), size=st.none() | st.integers(0, 50))
    def read(self, key: str, start: int, size: int | None) -> None:
        if key not in self.model:
            with pytest.raises(NotFoundError):
                self.store.read(key, start, size)
            return
        expected = self.model[key][start:]
        assert self.store.read(key, start, size) == (expected if size is None else expected[:size])

    @rule(prefix=prefixes)
    def list_below(self, prefix: str) -> None:
        assert list(self.store.list(prefix)) == sorted(key for key in self.model if key.startswith(prefix))

    @invariant()
    def same_content(self) -> None:
        held = [key for prefix in ("log/", "packs/", "snapshots/") for key in self.store.list(prefix)]
        assert {key: self.store.read(key) for key in held} == self.model
        assert {key: self.store.size(key) for key in held} == {key: len(data) for key, data in self.model.items()}


@pytest.mark.parametrize("kind_of_store", KINDS)
def test_a_store_is_a_dictionary_whatever_the_order_of_calls(kind_of_store: str, scale: int) -> None:
    class Machine(StoreMachine):
        kind = kind_of_store

    run_state_machine_as_test(Machine, settings=settings(max_examples=20 * scale, stateful_step_count=25))


# A store that is made to fail.


def verbs(key: str) -> dict[str, Callable[[Store], object]]:
    return {
        "read": lambda store: store.read(key),
        "size": lambda store: store.size(key),
        "create": lambda store: store.create(key, b"abc"),
        "upload": lambda store: upload(store, key, b"abc"),
        "list": lambda store: list(store.list("packs/")),
        "delete": lambda store: store.delete(key),
    }


@pytest.mark.parametrize("verb", verbs(KEY))
@pytest.mark.parametrize("fault", Fault)
def test_a_planned_fault_hits_the_call_it_was_planned_for_and_no_other(verb: str, fault: Fault) -> None:
    store = FaultyStore(MemoryStore({} if verb == "upload" else {KEY: b"abc"}), fail_at(2, fault))
    call = verbs(KEY)[verb]

    store.size(KEY)
    with pytest.raises(UnavailableError) as caught:
        call(store)
    assert caught.value.code == "store_unavailable"
    assert store.size(OTHER_KEY) is None
    assert [called for called, _ in store.calls] == ["size", verb, "size"]


@pytest.mark.parametrize("verb", ["create", "upload"])
def test_a_fault_before_changes_nothing_and_a_lost_reply_hides_a_change(verb: str) -> None:
    before, after = MemoryStore(), MemoryStore()
    for inner, fault in ((before, Fault.BEFORE), (after, Fault.AFTER)):
        with pytest.raises(UnavailableError):
            verbs(KEY)[verb](FaultyStore(inner, fail_at(1, fault)))

    assert before.contents == {}
    assert after.contents == {KEY: b"abc"}


def test_a_create_whose_reply_was_lost_can_be_repeated(tmp_path: Path) -> None:
    for inner in (MemoryStore(), DirectoryStore(tmp_path)):
        store = FaultyStore(inner, fail_at(1, Fault.AFTER))
        with pytest.raises(UnavailableError):
            store.create(KEY, b"abc")

        store.create(KEY, b"abc")
        assert store.read(KEY) == b"abc"
