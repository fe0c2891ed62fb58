"""What a command runs in: the state of the code, the packages of its Python, the machine."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.ids import ContentId

MAX_DIFF = 64 * 1024 * 1024
"""Bytes of a diff that are kept."""
_LIST_PACKAGES = (
    "import importlib.metadata as m, sys; "
    "print('python', '.'.join(map(str, sys.version_info[:3]))); "
    "print('\\n'.join(sorted({f\"{d.metadata['Name']}=={d.version}\" for d in m.distributions()}, key=str.lower)))"
)


class Captured(NamedTuple):
    """What was found: short facts, and texts that are kept as files."""

    facts: dict[str, Any]
    files: dict[str, bytes]
    """By name: `code.patch`, `environment.txt`."""


def capture(command: Sequence[str]) -> Captured:
    """Return what a command is about to run in, in the present directory."""
    machine = {"host": platform.node(), "platform": platform.platform(terse=True)}
    facts: dict[str, Any] = {"command": list(command), **machine}
    files: dict[str, bytes] = {}
    if code := _code():
        facts["code"], diff = code
        if diff:
            files["code.patch"] = diff[:MAX_DIFF]
    if packages := _packages(command):
        facts["environment"] = str(ContentId.of(packages))
        facts["python"] = packages.split(b"\n", 1)[0].decode().removeprefix("python ")
        files["environment.txt"] = packages
    return Captured(facts, files)


def _code() -> tuple[Mapping[str, Any], bytes] | None:
    """Return the commit of git, whether files differ from it, and how; None without git, or a commit."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    diff = _git("diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv") or b""
    status = _git("status", "--porcelain") or b""
    branch = _git("rev-parse", "--abbrev-ref", "HEAD") or b""
    facts = {"commit": commit.decode().strip(), "branch": branch.decode(errors="replace").strip()}
    # What is not tracked is named, and not kept: it may be anything.
    untracked = [line[3:].decode(errors="replace") for line in status.splitlines() if line.startswith(b"?? ")]
    state = {"dirty": bool(status.strip()), "untracked": untracked[:100]}
    return {**facts, **state, "diff": str(ContentId.of(diff)) if diff else ""}, diff


def _git(*words: str) -> bytes | None:
    try:
        done = subprocess.run(  # noqa: S603 - git, with words of our own
            ["git", "--no-optional-locks", "--no-pager", *words],  # noqa: S607 - the git that is on the path
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _packages(command: Sequence[str]) -> bytes | None:
    """Return the packages of the Python that a command is, or else of the one that is on the path."""
    word = Path(command[0]).name
    program = shutil.which(command[0]) if word.startswith("python") else shutil.which("python3") or sys.executable
    if not program:
        return None
    try:
        call = [program, "-c", _LIST_PACKAGES]
        done = subprocess.run(call, capture_output=True, timeout=60, check=False)  # noqa: S603 - as the user calls it
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
