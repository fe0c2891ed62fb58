"""The command as others see it: on a terminal, in a pipe, under signals, beside `b3sum`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from blake3 import blake3

from tests.cli.calling import Call, command, on_terminal
from tests.cli.conftest import HALF

HOSTILE = "a\x1b[2J\x1b]0;x\x07b\u202ec\x9bd\re"


def test_no_text_reaches_the_terminal_as_a_command(mlreg: Call) -> None:
    Path("odd").write_text("odd")
    said = ("-m", HOSTILE, "--meta", f"note={HOSTILE}", "--meta", f"{HOSTILE}=1")
    assert mlreg("add", "model/odd", "odd", "--version", "1.0.0", *said).status == 0

    for words in (
        ["show", "model/odd"],
        ["log"],
        ["ls", "model/odd"],
        ["show", HOSTILE],
        ["push", HOSTILE],
        [HOSTILE],
    ):
        for run in (mlreg(*words), mlreg(*words, "--json")):
            shown = (run.out + run.err).replace("\n", "").replace("\t", "")
            assert shown.isprintable(), words


def is_writing(started: subprocess.Popen[bytes]) -> bool:
    """Stop a process and tell whether it has a pack half written."""
    started.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(started.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    return bool(half_written())


def half_written() -> list[Path]:
    return [path for path in Path(".mlreg/packs").rglob(".tmp-*") if path.name != HALF]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_and_nothing_is_registered(number: int, status: int, mlreg: Call) -> None:
    Path("large").write_bytes(os.urandom(64 << 20))
    words = ("add", "model/large", "large", "--version", "1.0.0")
    # A shell starts what runs in its background with interrupts ignored, and that is inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    # Looked at only while it stands still, so that it cannot end before the signal comes.
    while not is_writing(started):
        started.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    started.send_signal(number)
    started.send_signal(signal.SIGCONT)
    started.communicate()

    assert started.returncode == status
    assert mlreg("show", "model/large").status == 4
    assert half_written() == []
    assert mlreg("verify").status == 0


def test_a_reader_that_goes_away_is_no_fault(mlreg: Call) -> None:
    assert mlreg("push").status == 0
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command("log"), stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)

    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_gets_a_table_and_a_pipe_gets_tabs(mlreg: Call) -> None:
    piped = mlreg("ls").out
    shown = on_terminal("ls", NO_COLOR="1").out

    assert piped.splitlines()[0].split("\t")[0] == "data/rows"
    assert "ENTRY" in shown
    assert "\t" not in shown
    assert "\x1b[3" not in shown


def test_the_id_that_ls_prints_is_what_b3sum_prints(mlreg: Call, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(9_000_000))
    assert mlreg("add", "model/large", str(large), "--version", "1.0.0").status == 0

    (file,) = json.loads(mlreg("ls", "model/large@1.0.0", "--json").out)["items"]

    assert file["id"] == blake3(large.read_bytes()).hexdigest()
    if shutil.which("b3sum"):
        printed = subprocess.run(["b3sum", str(large)], capture_output=True, text=True, check=True).stdout
        assert printed.split()[0] == file["id"]


def test_a_command_runs_with_its_output_closed(mlreg: Call) -> None:
    words = ("add", "model/net", "weights", "--version", "2.0.0")
    done = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command(*words)], check=False)

    assert done.returncode == 0
    assert mlreg("show", "model/net@2.0.0").status == 0
    assert mlreg("verify").status == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_cannot_show_a_letter_shows_an_escape(encoding: str, mlreg: Call) -> None:
    Path("weights").write_text("more")
    assert mlreg("add", "model/net", "weights", "--bump", "minor", "-m", "größer 模").status == 0

    for words in (("log",), ("show", "model/net@1.1.0")):
        run = on_terminal(*words, PYTHONIOENCODING=encoding)
        assert run.status == 0
        assert "Traceback" not in run.out + run.err
