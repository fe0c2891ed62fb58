"""What the system refuses becomes an error that says what to do about it."""

from __future__ import annotations

import errno
import os

import pytest

from mlreg.errors import AccessError, explain, unreadable


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.EROFS, "read-only"), (errno.EACCES, "right"), (errno.EPERM, "right"), (errno.ELOOP, "link")],
)
def test_who_may_not_is_told_what_would_help(number: int, word: str) -> None:
    error = explain(OSError(number, os.strerror(number)), "log/1 in /srv")

    assert isinstance(error, AccessError)
    assert (error.code, error.why) == ("access_denied", os.strerror(number))
    assert word in error.fix[0]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT, errno.ENOSPC, errno.EACCES])
def test_every_error_of_the_system_says_what_to_do(number: int) -> None:
    error = OSError(number, os.strerror(number))
    assert explain(error, "x").fix
    assert unreadable(error, "x").fix
