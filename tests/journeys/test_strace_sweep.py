"""The real command, killed by strace at system calls that change a disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SYSCALLS = ("fsync", "linkat,link", "rename,renameat,renameat2", "unlink,unlinkat", "mkdir,mkdirat", "write,pwrite64")
EACH = 3
"""Kills at each kind of call, at scale 1."""


def strace(root: Path, words: Sequence[str], options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = ["strace", "-f", "-qq", "-o", str(root / "trace"), *options, sys.executable, "-m", "mlreg", *words]
    return subprocess.run(command, cwd=root / "work", capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("strace")
    (root / "work").mkdir()
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    if strace(root, ["--version"], ["-e", "inject=fsync:error=EIO:when=1"]).returncode:
        pytest.skip("strace may not trace here")
    (root / "weights").write_bytes(os.urandom(300_000))
    for words in (["init"], ["init", "--shared", "../registry"], ["remote", "add", "origin", "../registry"]):
        mlreg(root, words)
    mlreg(root, ["add", "model/net", "../weights", "--version", "1.0.0", "--tag", "production"])
    mlreg(root, ["push"])
    (root / "weights").write_bytes(os.urandom(300_000))
    return root


def mlreg(root: Path, words: Sequence[str]) -> str:
    command = [sys.executable, "-m", "mlreg", *words]
    done = subprocess.run(command, cwd=root / "work", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy(source: Path, root: Path) -> None:
    """Copy everything; the remote of the copy is the copy of the remote."""
    shutil.copytree(source, root)
    config = root / "work/.mlreg/config.yaml"
    config.write_text(config.read_text().replace(str(source), str(root)))


def count(root: Path, words: Sequence[str], calls: str) -> int:
    """Return how often a command makes calls of a kind."""
    assert strace(root, words, ["-e", f"trace={calls}"]).returncode == 0
    return sum(1 for line in (root / "trace").read_text().splitlines() if "(" in line)


@pytest.mark.parametrize("calls", SYSCALLS, ids=lambda calls: calls.split(",")[0])
@pytest.mark.parametrize("operation", ["add", "push"])
def test_a_command_killed_at_a_system_call_leaves_the_old_state_or_the_new_one(
    operation: str, calls: str, before: Path, tmp_path: Path, scale: int
) -> None:
    words = ["add", "model/net", "../weights", "--version", "1.1.0"] if operation == "add" else ["push"]
    beginning = tmp_path / "beginning"
    copy(before, beginning)
    if operation == "push":
        mlreg(beginning, ["add", "model/net", "../weights", "--version", "1.1.0"])
    copy(beginning, tmp_path / "count")
    total = count(tmp_path / "count", words, calls)
    stride = max(1, total // (EACH * scale))

    for number in range(1, total + 1, stride):
        root = tmp_path / str(number)
        copy(beginning, root)
        strace(root, words, ["-e", f"inject={calls}:signal=SIGKILL:when={number}"])

        for place in ("", "origin"):
            assert mlreg(root, ["verify", *place.split()]).startswith("clean"), f"{calls} {number}"
        assert mlreg(root, ["rev-parse", "model/net@production"]) == "model/net@1.0.0\n"
        mlreg(root, words)
        assert mlreg(root, ["rev-parse", "model/net@latest"]) == "model/net@1.1.0\n"
        pushed = operation == "push"
        assert ("model/net@1.1.0" in mlreg(root, ["status", "-q"])) is not pushed
        assert mlreg(root, ["verify", "origin"]).startswith("clean")
        shutil.rmtree(root)
