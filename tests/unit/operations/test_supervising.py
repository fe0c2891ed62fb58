"""What a command prints is kept within bounds, and what is sent to us reaches it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.operations.kept_output import KeptOutput
from mlreg.operations.supervising import Ended, Onward, Signals, Supervised
from mlreg.operations.system_load import Load


def kept(path: Path, printed: list[bytes], most: int, last: int) -> tuple[bytes, int]:
    with path.open("wb", buffering=0) as file:
        output = KeptOutput(file, most, last)
        for data in printed:
            output.take(data)
        left_out = output.end()
    return path.read_bytes(), left_out


@given(printed=st.lists(st.binary(max_size=30), max_size=20), most=st.integers(0, 200), last=st.integers(1, 40))
def test_of_what_is_printed_the_beginning_and_the_end_are_kept(
    printed: list[bytes], most: int, last: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = b"".join(printed)

    found, left_out = kept(tmp_path_factory.mktemp("kept") / "file", printed, most, last)

    if len(whole) <= most + last:
        assert (found, left_out) == (whole, 0)
    else:
        assert left_out == len(whole) - most - last
        mark = b"\n[%d bytes are left out here]\n" % left_out
        assert found == whole[:most] + mark + whole[len(whole) - last :]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_stops_no_command_and_what_is_lost_is_counted() -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        output = KeptOutput(file, 100, 10)
        output.take(b"x" * 60)
        output.take(b"y" * 60)

        assert output.end() == 120


def test_what_did_not_fit_for_a_while_is_written_at_the_end() -> None:
    class Full:
        """A file whose disk has room for so much, until there is more again."""

        def __init__(self) -> None:
            self.room = 5
            self.data = b""

        def write(self, data: bytes) -> int:
            if not self.room:
                raise OSError(28, "no space")
            taken = data[: self.room]
            self.data += taken
            self.room -= len(taken)
            return len(taken)

        def close(self) -> None:
            pass

    file = Full()
    output = KeptOutput(file, 100, 10)  # type: ignore[arg-type]  # it is as much of a file as is used
    output.take(b"0123456789")
    file.room = 1000
    output.take(b"abc")

    assert (output.end(), file.data) == (0, b"0123456789abc")


def test_a_signal_that_comes_before_the_command_is_sent_to_it() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        supervised = Supervised(["sleep", "1000"], dict(os.environ), ignore, ignore, signals)

        assert supervised.end() == Ended(-signal.SIGTERM, has_left=False)


def test_signals_do_afterwards_what_they_did_before() -> None:
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
    before = [signal.getsignal(number) for number in numbers]

    with Signals():
        assert [signal.getsignal(number) for number in numbers] != before

    assert [signal.getsignal(number) for number in numbers] == before


def test_a_signal_for_a_command_that_has_ended_is_none() -> None:
    with Signals() as signals:
        supervised = Supervised(["true"], dict(os.environ), ignore, ignore, signals)
        supervised.end()
        os.kill(os.getpid(), signal.SIGTERM)


def ignore(data: bytes) -> None:
    pass


def test_nothing_comes_of_what_goes_to_a_reader_that_has_gone() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb", buffering=0) as stream:
        onward = Onward(stream)
        onward.take(b"one")
        onward.take(b"two")


def test_a_stream_that_does_not_wait_gets_everything() -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    data = os.urandom(1_000_000)
    with subprocess.Popen(["cksum"], stdin=reads, stdout=subprocess.PIPE) as process:
        os.close(reads)
        with os.fdopen(writes, "wb", buffering=0) as stream:
            Onward(stream).take(data)
        printed, _ = process.communicate()

    assert printed == subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout


def test_what_is_busy_is_looked_at_as_often_as_one_likes(tmp_path: Path) -> None:
    load = Load(os.getpid(), tmp_path)

    for _ in range(3):
        figures = load.look()
        assert figures["system/disk_free_mb"] > 0
        assert all(name.startswith("system/") for name in figures)
    assert Load(2**22 + 1, tmp_path).look().get("system/process_memory_mb") is None
