"""What a command runs in: the state of the code, the packages of its Python, the machine."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.ids import ContentId
from mlreg.operations.code_state import code_state

PATCH = "code.patch"
"""The file that holds how the code differs from its commit."""
PACKAGES = "environment.txt"
_LIST_PACKAGES = """
import sys
# What lies in this directory must not be taken for a module of Python.
if sys.path[:1] == ['']:
    sys.path.pop(0)
import importlib.metadata
found = {(one.metadata['Name'] or '', one.version) for one in importlib.metadata.distributions()}
print('python', '.'.join(map(str, sys.version_info[:3])))
print('\\n'.join(sorted(('=='.join(one) for one in found if one[0]), key=lambda line: (line.lower(), line))))
"""
_PYTHON = re.compile(r"(python|pypy)[0-9.]*", re.ASCII)
_PATIENCE = 60
"""Seconds that a Python may take to list its packages."""
_FIRST_LINE = 512
"""Bytes at the beginning of a script in which its interpreter is looked for."""


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
    if code := code_state(Path.cwd()):
        facts["code"] = code.facts
        files |= {PATCH: code.diff} if code.diff else {}
    interpreter = python_of(command)
    if packages := _packages(interpreter):
        facts["environment"] = str(ContentId.of(packages))
        facts["interpreter"] = interpreter
        facts["python"] = packages.split(b"\n", 1)[0].decode(errors="replace").removeprefix("python ")
        files[PACKAGES] = packages
    return Captured(facts, files)


def python_of(command: Sequence[str]) -> str:
    """Return the Python whose packages a command most likely uses.

    The command itself if it is one; the one that the first line of a script names; the first word that is one, as
    behind `env` or `nohup`; or else the one on the path.
    """
    program = shutil.which(command[0])
    words = [Path(command[0]).name, *(_first_line(program) if program else ())]
    own = next((word for word in words[1:] if _is_python(word)), "")
    candidates = (command[0] if _is_python(words[0]) else own, *command[1:], "python3")
    found = (shutil.which(word) for word in candidates if _is_python(word))
    return next(filter(None, found), sys.executable)


def _is_python(word: str) -> bool:
    return _PYTHON.fullmatch(Path(word).name) is not None


def _first_line(program: str) -> Iterable[str]:
    """Return the words behind `#!`; also of the two lines with which pip goes round limits on their length."""
    try:
        with Path(program).open("rb") as file:
            start = file.read(_FIRST_LINE)
    except OSError:
        return ()
    lines = start.decode(errors="replace").splitlines()[:2] if start.startswith(b"#!") else []
    return [word.strip("\"'") for line in lines if line.startswith(("#!", "'''exec'")) for word in line[2:].split()]


def _packages(program: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - as the user calls it
            [program, "-c", _LIST_PACKAGES],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout if done.returncode == 0 else b""
