"""One process waits for what another one makes, in a repository that is not there when the waiting begins."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.calling import command, environment


def started(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """Start a process that waits, looking often."""
    environ = environment(MLREG_CACHE_DIR=str(tmp_path / "cache"), MLREG_AUTHOR="Ann Lee <ann@example.org>")
    # What it looks at is not there: it says so, for each look, to who reads its standard error.
    shown = f"""
import sys
from mlreg.registry import waiting

find = waiting._look

def look(*args):
    print("look", file=sys.stderr, flush=True)
    return find(*args)

waiting._look = look
sys.argv = ["mlreg", "wait", *{words!r}, "--interval", "0.05"]
from mlreg.cli.main import main
main()
"""
    return subprocess.Popen(
        [*command()[:1], "-c", shown],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def after_a_look(process: subprocess.Popen[str]) -> None:
    """Return when the process has looked twice: it found nothing, and waits."""
    assert process.stderr is not None
    for _ in range(2):
        assert process.stderr.readline() == "look\n"


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return how a process ended; one that does not end is a fault of it."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err.replace("look\n", "")


def run(tmp_path: Path, *words: str) -> None:
    environ = environment(MLREG_CACHE_DIR=str(tmp_path / "other"), MLREG_AUTHOR="Bob <bob@example.org>")
    subprocess.run(command(*words), cwd=tmp_path, env=environ, check=True, capture_output=True)


def test_a_process_waits_until_another_one_has_made_the_repository_the_version_and_the_tag(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    waits = started(tmp_path, f"{tmp_path}/registry::model/net@1.0.0", "--for", "tag=production", "--timeout", "1m")
    after_a_look(waits)

    run(tmp_path, "init", "--shared", "registry")
    run(tmp_path, "-C", "registry", "add", "model/net", "../weights", "--version", "1.0.0")
    after_a_look(waits)
    assert waits.poll() is None
    run(tmp_path, "-C", "registry", "tag", "model/net@1.0.0", "production")

    assert finish(waits) == (0, "model/net@1.0.0\n", "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_waits_can_be_stopped(number: signal.Signals, status: int, tmp_path: Path) -> None:
    # A shell starts what runs in its background with interrupts ignored, and that is inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    waits = started(tmp_path, f"{tmp_path}/registry::model/net", "--timeout", "1m")
    signal.signal(signal.SIGINT, before)
    after_a_look(waits)
    waits.send_signal(number)

    ended, out, err = finish(waits)

    assert (ended, out) == (status, "")
    assert "Traceback" not in err
