"""A cached file in processes that fork: SQLite forbids to carry an open file from a parent into its children."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlreg.repository.database import Database, Layout

LAYOUT = Layout(1, "CREATE TABLE t(value INTEGER)")
DESCRIPTORS = Path("/proc/self/fd")

pytestmark = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="the system does not list open files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "view.sqlite"


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def open_files(path: Path) -> list[str]:
    # One of them is that of the list itself, and gone when it is looked at.
    targets = [str(link.readlink()) for link in list(DESCRIPTORS.iterdir()) if link.is_symlink()]
    return sorted(target for target in targets if str(path) in target)


def in_child(action: Callable[[], bool]) -> bool:
    """Fork, and return what an action gives in the child."""
    child = os.fork()
    if not child:
        try:
            os._exit(0 if action() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def insert(database: Database, value: int) -> None:
    database.step(lambda: database.run("INSERT INTO t VALUES(?)", (value,)))


def values(database: Database) -> list[int]:
    return [row[0] for row in database.rows("SELECT value FROM t ORDER BY value")]


def test_a_child_has_no_file_open_that_its_parent_had(path: Path) -> None:
    database = Database(path, LAYOUT)
    insert(database, 1)
    assert open_files(path)
    assert in_child(lambda: not open_files(path))


def test_parent_and_child_go_on_with_the_same_rows(path: Path) -> None:
    database = Database(path, LAYOUT)
    insert(database, 1)

    def child() -> bool:
        insert(database, 2)
        return values(database) == [1, 2]

    assert in_child(child)
    insert(database, 3)
    assert values(database) == [1, 2, 3]
    assert database.incarnation == 0


def test_a_file_that_was_replaced_while_it_was_let_go_counts_as_lost(path: Path) -> None:
    database = Database(path, LAYOUT)
    insert(database, 1)
    assert in_child(lambda: True)
    path.rename(path.with_name("elsewhere"))  # which keeps its inode from being used again
    assert values(database) == []
    assert database.incarnation == 1


def test_what_is_in_memory_stays_over_a_fork() -> None:
    database = Database(None, LAYOUT)
    insert(database, 1)
    assert in_child(lambda: values(database) == [1])
    assert (values(database), database.incarnation) == ([1], 0)


def test_a_fork_waits_for_the_step_of_another_thread(path: Path) -> None:
    database = Database(path, LAYOUT)
    begun, may_end = threading.Event(), threading.Event()

    def step() -> None:
        database.run("INSERT INTO t VALUES(1)")
        begun.set()
        may_end.wait()

    writer = threading.Thread(target=lambda: database.step(step))
    writer.start()
    begun.wait()
    release = threading.Thread(target=may_end.set)
    release.start()
    assert in_child(lambda: values(database) == [1])
    writer.join()
    release.join()


@pytest.mark.usefixtures("no_collector")
def test_a_database_that_no_one_has_any_more_has_no_file_open(path: Path) -> None:
    insert(Database(path, LAYOUT), 1)
    assert open_files(path) == []


def test_children_of_a_parent_that_uses_the_file_do_not_hurt_it(path: Path) -> None:
    database = Database(path, LAYOUT)
    insert(database, 0)

    def write(number: int) -> bool:
        own = Database(path, LAYOUT)
        for value in range(20):
            insert(own, 100 * number + value)
            insert(database, 100 * number + value)
        return own.incarnation == database.incarnation == 0

    children = []
    for number in range(1, 17):
        child = os.fork()
        if not child:
            try:
                os._exit(0 if write(number) else 1)
            finally:
                os._exit(2)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * 16
    assert len(values(database)) == 1 + 16 * 40
    assert database.rows("PRAGMA integrity_check") == [("ok",)]
