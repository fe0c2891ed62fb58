"""Every error mlreg raises, grouped by what the reader of the message can do next.

    MlregError              exit 1   a fault of mlreg itself
    ├── UsageError          exit 2   change what was asked for
    ├── NotFoundError       exit 4   name something that exists
    ├── ConflictError       exit 5   someone else was there first: look, then try again
    ├── IntegrityError      exit 6   stored bytes are not what was written: run `mlreg verify`
    ├── AccessError         exit 7   get the right to read or write there
    ├── UnavailableError    exit 8   the place did not answer: trying again may help
    ├── NoRepositoryError   exit 10  go to a repository, or make one with `mlreg init`
    ├── RefusedError        exit 11  confirm, or ask for something safer
    ├── PartialError        exit 12  some items are done; the rest is listed
    ├── UnsupportedError    exit 13  install what is missing, or a newer mlreg
    ├── NoSpaceError        exit 14  make room
    ├── TaintedError        exit 15  use something that is not tainted, or say why it must be this
    ├── NotYetError         exit 124 what was waited for did not come: wait longer, or look why
    └── NotStartedError     exit 125 the command that was to be run was not started: mend what the message says

`docs/errors.md` explains every code.
"""

from __future__ import annotations

import errno
from typing import ClassVar

ANSWER_IS_NO = 3
"""The exit status of a question whose answer is no: nothing went wrong, and no error has it."""


class MlregError(Exception):
    """Base of every error a caller may want to catch.

    Attributes:
        exit_status: what the command line exits with.
        retryable: whether the same call may succeed later with nothing changed.
        code: stable snake_case name of this exact failure; never renamed.
        message: what went wrong, with the value that is wrong.
        why: what mlreg knows about the cause; may be empty.
        fix: what to do next, most useful first; commands can be pasted.
    """

    exit_status: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, code: str, message: str, *, why: str = "", fix: str | tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.why = why
        self.fix: tuple[str, ...] = (fix,) if isinstance(fix, str) else fix

    def __str__(self) -> str:
        """Return all that is known, a line each: who calls mlreg from Python sees this alone."""
        why = [f"  why: {self.why}"] if self.why else []
        return "\n".join([self.message, *why, *(f"  fix: {fix}" for fix in self.fix)])


class UsageError(MlregError):
    """The request itself is not acceptable: a name, a version, an option, a value."""

    exit_status = 2


class NotFoundError(MlregError):
    """A ref, entry, version, tag, path, remote or file that does not exist, or not uniquely."""

    exit_status = 4


class ConflictError(MlregError):
    """The request was right for an earlier state: something exists already or has moved."""

    exit_status = 5


class IntegrityError(MlregError):
    """Stored bytes are missing or are not the bytes that were written."""

    exit_status = 6


class AccessError(MlregError):
    """The operating system or the store refuses this user."""

    exit_status = 7


class UnavailableError(MlregError):
    """A store did not answer, or answered with an input/output error."""

    exit_status = 8
    retryable = True


class NoRepositoryError(MlregError):
    """There is no repository at, or above, the place that was named."""

    exit_status = 10


class RefusedError(MlregError):
    """The request is well formed, but doing it would be unsafe."""

    exit_status = 11


class PartialError(MlregError):
    """Some of the items that were asked for are done, others are not."""

    exit_status = 12


class UnsupportedError(MlregError):
    """An extra, or a newer release, is needed for these bytes."""

    exit_status = 13


class NoSpaceError(MlregError):
    """The disk or the quota is full."""

    exit_status = 14


class TaintedError(MlregError):
    """A version, or something that it was made from, is tainted."""

    exit_status = 15


class NotYetError(MlregError):
    """What was waited for did not come before the time was up."""

    exit_status = 124
    retryable = True


class NotStartedError(MlregError):
    """A command that was to be run was not started; programs that run others exit so."""

    exit_status = 125

    @classmethod
    def of(cls, error: MlregError) -> NotStartedError:
        """Return another error as the reason why nothing was started."""
        return cls(error.code, error.message, why=error.why, fix=error.fix)


def explain(error: OSError, what: str) -> MlregError:
    """Return the mlreg error for an OSError that befell `what`, by what the reader can do about it."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFoundError("key_missing", f"{what} does not exist", why=reason, fix="check the path")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP):
        return AccessError("access_denied", f"{what} cannot be read or written", why=reason, fix=_right_to(error))
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NoSpaceError("no_space", f"there is no room for {what}", why=reason, fix="make room, then do it again")
    return UnavailableError("store_unavailable", f"{what} did not answer", why=reason, fix="try again")


def unreadable(error: OSError, what: str) -> AccessError:
    """Return the error for a file or directory of the user's that cannot be read, whatever the reason."""
    return AccessError("access_denied", f"{what} cannot be read", why=error.strerror or "", fix=_right_to(error))


def _right_to(error: OSError) -> str:
    """Return what helps who may not read or write."""
    if error.errno == errno.EROFS:
        return "the disk is mounted read-only: mount it for writing, or use another place"
    if error.errno == errno.ELOOP:
        return "a link stands there, which is not followed: take it away"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "the user who runs this may not: ls -ld says who may; have the right given, or use another place"
    return "look at the disk, or use another place"
