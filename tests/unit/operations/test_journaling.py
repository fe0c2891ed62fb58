"""Journals: what was said is in the file, once and in order, whatever the disk, threads and other processes do."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import MlregError, NoSpaceError, NotFoundError, RefusedError
from mlreg.formats.journal import line_of, read_journal
from mlreg.operations import journaling
from mlreg.operations.journaling import MOST_WAITING, Journal, open_journal
from tests.unit.formats.journals import RUN, lines, point


class Disk:
    """Stands for the module `os`: a disk with room for so many more bytes, which takes a part of what has no room."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, fd: int, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.write(fd, data[: self.room])
        self.room -= written
        return written


@contextmanager
def disk_with(room: int) -> Iterator[Disk]:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        disk = Disk(room)
        patch.setattr(journaling, "os", disk)
        yield disk


def numbered(count: int) -> list[dict[str, Any]]:
    return [point(number / 2, number, number) for number in range(count)]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(MlregError) as caught:
        action()
    return caught.value.code


def test_a_line_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")

    for number, record in enumerate(numbered(3), 1):
        journal.say(record)
        assert journal.path.read_bytes() == lines(numbered(number))


# Full disks.


@pytest.mark.parametrize("is_shared", [False, True], ids=["own", "shared"])
@given(rooms=st.lists(st.integers(0, 200), max_size=12))
def test_what_has_no_room_waits_and_stands_in_the_file_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, is_shared: bool, rooms: list[int]
) -> None:
    said = numbered(len(rooms) + 1)
    with disk_with(0) as disk:
        journal = Journal(tmp_path_factory.mktemp("run") / "a.journal", is_shared=is_shared)
        for record, room in zip(said, [0, *rooms], strict=True):
            disk.room += room
            journal.say(record)
        disk.room = sys.maxsize
        journal.close()

    reading = read_journal(journal.path.read_bytes())
    assert reading.records == said
    assert not reading.is_cut


def test_at_whatever_byte_the_disk_is_full_a_line_is_read_once(tmp_path: Path) -> None:
    first, second = numbered(2)
    for room in range(len(line_of(first)) + 1):
        with disk_with(room) as disk:
            journal = Journal(tmp_path / f"{room}.journal")
            journal.say(first)
            disk.room = sys.maxsize
            journal.say(second)
            journal.close()

        assert read_journal(journal.path.read_bytes()).records == [first, second], room


def test_a_full_disk_is_said_once(tmp_path: Path) -> None:
    with disk_with(0), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        journal = Journal(tmp_path / "a.journal")
        journal.say(point(1))
        journal.say(point(2))

    (warning,) = told
    assert "waits in memory" in str(warning.message)


def test_a_warning_that_is_an_error_loses_nothing(tmp_path: Path) -> None:
    with disk_with(0) as disk, warnings.catch_warnings():
        warnings.simplefilter("error")
        journal = Journal(tmp_path / "a.journal")
        with pytest.raises(RuntimeWarning):
            journal.say(point(1))
        disk.room = sys.maxsize
        journal.close()

    assert read_journal(journal.path.read_bytes()).records == [point(1)]


def test_closing_on_a_full_disk_fails_and_can_be_tried_again(tmp_path: Path) -> None:
    with disk_with(0) as disk:
        journal = Journal(tmp_path / "a.journal")
        journal.say(point(1))
        for _ in range(2):
            with pytest.raises(NoSpaceError):
                journal.close()
            with pytest.raises(NoSpaceError):
                journal.flush()
        disk.room = sys.maxsize
        journal.close()
        journal.close()

    assert read_journal(journal.path.read_bytes()).records == [point(1)]


def test_a_sign_of_life_tries_again_what_waits(tmp_path: Path) -> None:
    with disk_with(0) as disk:
        journal = Journal(tmp_path / "a.journal")
        journal.say(point(1))
        os.utime(journal.path, (1, 1))
        disk.room = sys.maxsize
        journal.beat()

    assert read_journal(journal.path.read_bytes()).records == [point(1)]
    assert journal.path.stat().st_mtime > 1


def test_no_more_waits_than_may_and_what_is_refused_is_not_kept(tmp_path: Path) -> None:
    large = line_of({"params": {"x": "a" * 1_000_000}, "time": 1})
    with disk_with(0) as disk:
        journal = Journal(tmp_path / "a.journal")
        for _ in range(MOST_WAITING // len(large)):
            journal.append(large)
        for _ in range(3):
            with pytest.raises(NoSpaceError):
                journal.append(large)
        disk.room = sys.maxsize
        journal.close()

    assert journal.path.stat().st_size == MOST_WAITING // len(large) * len(large)


# Half a line.


@pytest.mark.parametrize("is_shared", [False, True], ids=["own", "shared"])
def test_half_a_line_of_an_earlier_writer_stands_alone(tmp_path: Path, is_shared: bool) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(lines(numbered(2))[:-5])

    journal = Journal(path, is_shared=is_shared)
    journal.say(point(9))

    assert read_journal(path.read_bytes()) == ([numbered(2)[0], point(9)], 1, False)


def test_half_a_line_of_another_call_of_the_command_line_stands_alone_also_if_it_comes_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", is_shared=True)
    with journal.path.open("ab") as other:
        other.write(line_of(point(1))[:-5])

    journal.say(point(2))

    assert read_journal(journal.path.read_bytes()).records == [point(2)]


# Threads, signals, the end.


def test_threads_say_all_they_say_each_in_its_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")

    def work(thread: int) -> None:
        for number in range(200):
            journal.say(point(number, thread))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    records = read_journal(journal.path.read_bytes()).records
    for number in range(8):
        assert [record["metrics"]["loss"] for record in records if record["step"] == number] == list(range(200))


def test_a_closed_journal_writes_nowhere_also_not_into_the_file_that_has_its_number_now(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    journal.close()
    innocent = tmp_path / "innocent"
    with innocent.open("wb", buffering=0):
        assert code_of(lambda: journal.say(point(1))) == "run_ended"
        journal.beat()
        journal.flush()

    assert innocent.read_bytes() == b""
    assert journal.path.read_bytes() == b""


def test_threads_that_still_log_when_the_journal_is_closed_are_refused_or_heard(tmp_path: Path) -> None:
    for attempt in range(10):
        journal = Journal(tmp_path / f"{attempt}.journal")
        heard: list[int] = []

        def work(journal: Journal, heard: list[int]) -> None:
            for number in range(10_000):
                try:
                    journal.say(point(number, number))
                except RefusedError:
                    return
                heard.append(number)

        thread = threading.Thread(target=work, args=(journal, heard))
        thread.start()
        while not heard:
            pass
        journal.close()
        # Takes the number of the file that was closed.
        with (tmp_path / "innocent").open("wb"):
            thread.join()

        assert [record["step"] for record in read_journal(journal.path.read_bytes()).records] == heard
        assert (tmp_path / "innocent").read_bytes() == b""


def test_a_handler_of_signals_may_log_and_close_in_the_middle_of_anything(tmp_path: Path) -> None:
    """It runs between any two steps of the main thread; a lock that knew no owner would wait for ever."""
    program = f"""
import signal, sys
from pathlib import Path
from mlreg.errors import RefusedError
from mlreg.operations.journaling import Journal
journal = Journal(Path({str(tmp_path / "a.journal")!r}))
count = 0
def handle(number, frame):
    global count
    count += 1
    journal.say({{"time": count}})
    if count < 300:
        signal.setitimer(signal.ITIMER_REAL, 0.0003)
    else:
        journal.close()
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0003)
try:
    while True:
        journal.say({{"time": 0}})
except RefusedError:
    print(count)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)

    reading = read_journal((tmp_path / "a.journal").read_bytes())
    assert [record["time"] for record in reading.records if record["time"]] == list(range(1, 301))
    assert (done.stdout, reading.damaged) == ("300\n", 0)


# Taken away.


def test_a_journal_that_was_taken_away_comes_back_whole_with_what_is_said_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    journal.say(point(1))
    journal.path.unlink()
    journal.say(point(2))

    journal.beat()
    journal.say(point(3))
    journal.close()

    assert read_journal(journal.path.read_bytes()).records == [point(1), point(2), point(3)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.journal"]


@pytest.mark.parametrize("act", ["flush", "close", "beat"])
def test_a_journal_comes_back_with_its_directory_at_the_next_chance(tmp_path: Path, act: str) -> None:
    runs = tmp_path / "runs"
    journal = open_journal(runs / RUN, RUN, 1, {"experiment": "churn"}, lives=True)
    journal.say(point(1))
    (runs / RUN).rename(tmp_path / "aside")

    getattr(journal, act)()

    assert journal.path.read_bytes() == (tmp_path / "aside" / journal.path.name).read_bytes()


def test_a_call_of_the_command_line_that_came_too_late_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", is_shared=True)
    journal.say(point(1))
    journal.path.unlink()

    assert code_of(journal.close) == "run_ended"
    assert not journal.path.exists()


def test_one_who_joins_makes_no_run_that_is_not_there(tmp_path: Path) -> None:
    for lives in (True, False):
        with pytest.raises(NotFoundError) as caught:
            open_journal(tmp_path / RUN, RUN, 1, {}, lives=lives)
        assert caught.value.code == "run_missing"
    assert not (tmp_path / RUN).exists()


def test_a_link_in_the_place_of_a_journal_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.journal").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic link"):
        Journal(tmp_path / "a.journal")
    assert not (tmp_path / "elsewhere").exists()


# What survives a power cut.


def test_flushing_lets_the_file_and_the_names_above_it_survive_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real = os.fsync

    def note(fd: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        real(fd)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    directory = tmp_path / "runs" / RUN
    journal = open_journal(directory, RUN, 1, {"experiment": "churn"}, lives=True)
    (directory / "files").mkdir()
    monkeypatch.setattr(os, "fsync", note)

    journal.flush()
    journal.flush()

    own, below = str(journal.path), str(directory / "files")
    assert flushed == [own, below, str(directory), str(directory.parent), own, below]


def test_a_process_that_is_killed_has_said_what_it_said(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from mlreg.operations.journaling import Journal
journal = Journal(Path({str(tmp_path / "a.journal")!r}))
for number in range(1000):
    journal.say({{"time": number}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)

    assert done.returncode == -signal.SIGKILL
    assert len(read_journal((tmp_path / "a.journal").read_bytes()).records) == 1000
