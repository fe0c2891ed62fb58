"""Processes: one that runs is told from one that is gone, also if its number was given away."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mlreg.operations.processes import began_of, is_alive

pytestmark = pytest.mark.skipif(not began_of(os.getpid()), reason="there is no /proc here")


def test_this_process_lives_and_one_of_its_number_that_began_otherwise_does_not() -> None:
    began = began_of(os.getpid())
    world, _, number = began.rpartition(":")

    assert is_alive(os.getpid(), began) is True
    assert is_alive(os.getpid(), f"{world}:{int(number) + 1}") is False


@pytest.mark.parametrize("began", ["", "8731", ":8731", "0a0b-0c0d:4026531836:8731"])
def test_of_a_process_of_another_kernel_or_container_nothing_is_known(began: str) -> None:
    assert is_alive(os.getpid(), began) is None
    assert is_alive(2**31 - 1, began) is None


def test_a_process_that_was_killed_is_gone_also_before_anyone_has_asked_for_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = began_of(process.pid)
    assert is_alive(process.pid, began) is True

    process.kill()
    # Waits for the end of the process, and leaves it in the table.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert is_alive(process.pid, began) is False
    process.communicate()
    assert is_alive(process.pid, began) is False
    assert began_of(process.pid) == ""
