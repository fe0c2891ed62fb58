"""A project to attack, and the one way in which every attack has to end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Call
from tests.cli.conftest import call, mlreg, template

__all__ = ["call", "mlreg", "template"]

MAX_SHOWN = 3000
"""Characters of an error as a person sees it."""

Refuse = Callable[..., dict[str, Any]]
"""Runs `mlreg` with these words, which must be refused with this `code` and `status`; returns the error."""


def digest_of(place: Path) -> str:
    """Return a hash of the names and bytes of all files below a directory."""
    hasher = hashlib.sha256()
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        hasher.update(bytes(path))
        hasher.update(path.read_bytes())
    return hasher.hexdigest()


@pytest.fixture
def refuse(mlreg: Call) -> Refuse:
    """Return a function that demands one clean error, and a repository in which no byte has changed."""

    def run(*words: str, code: str, status: int = 2) -> dict[str, Any]:
        before = digest_of(Path(".mlreg"))
        # Behind `--`, there are no options.
        end = words.index("--") if "--" in words else len(words)
        asked, read = mlreg(*words[:end], "--json", *words[end:]), mlreg(*words)

        assert (asked.status, asked.out, asked.err.count("\n")) == (status, "", 1), asked
        assert (asked.error["code"], asked.error["exit"]) == (code, status), asked.error
        assert (read.status, read.out) == (status, "")
        assert read.err.startswith(f"error[{code}]: ")
        assert all(line.isprintable() for line in read.err.split("\n"))
        assert len(read.err) < MAX_SHOWN
        assert digest_of(Path(".mlreg")) == before
        return asked.error

    return run
