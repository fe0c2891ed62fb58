"""What a repository of git says of some files in it, read with the program git, which runs nothing of what is in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import NotFoundError, UnsupportedError

_NOTHING = "0" * 40
_FIELDS = 6
_LOG = (
    *("log", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-show-signature"),
    *("--full-history", "--topo-order", "--reverse", "--diff-merges=first-parent", "--relative", "--no-color"),
    *("--encoding=UTF-8", "--format=tformat:%H%x00%P%x00%an <%ae>%x00%at%x00%s%x00", "--end-of-options", "HEAD", "--"),
)
# Whatever the repository says: no hooks, no monitor, no network, no program of its own, and no refusal since it is
# someone else's, of whom only data are read.
_SAFE = (
    *("--no-pager", "--no-optional-locks", "--literal-pathspecs"),
    *("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("-c", "protocol.allow=never", "-c", "log.showSignature=false", "-c", "core.quotePath=false"),
)

_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "PATH": os.defpath,
}
"""Nothing of the user's, which could lead git elsewhere."""


def _pathspecs(patterns: Iterable[str]) -> list[str]:
    return [f":(glob)**/{pattern}" for pattern in patterns]


class GitCommit(NamedTuple):
    """A commit, and what it changed, compared with its first parent."""

    id: str
    is_merge: bool
    author: str
    time: int
    """Seconds since 1970."""
    subject: str
    changes: dict[str, tuple[str, str]]
    """By path from the directory, the ids of the file before and after; empty where there was or is none."""


class GitHistory:
    """The history of a directory in a repository of git, up to what is checked out."""

    def __init__(self, directory: Path) -> None:
        """Name a directory in it."""
        self._directory = directory

    @staticmethod
    def of(directory: Path) -> GitHistory | None:
        """Return the history of a directory; None if it is in no repository of git, or if that has no commit."""
        found = GitHistory(directory)
        try:
            found._run("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")
        except (NotFoundError, UnsupportedError):
            return None
        return found

    def commits(self, *patterns: str) -> Iterator[GitCommit]:
        """Yield the commits that changed files of some names, parents first.

        Args:
            patterns: as git has them, such as `*.dvc`.
        """
        words = iter(self._run(*_LOG, *_pathspecs(patterns), literal=False).decode(errors="replace").split("\0")[:-1])
        word = next(words, None)
        while word is not None:
            commit, parents, author, time, subject, _ = (word, *(next(words) for _ in range(_FIELDS - 1)))
            changes: dict[str, tuple[str, str]] = {}
            while (word := next(words, None)) is not None and word.lstrip("\n").startswith(":"):
                _, _, before, after, _ = word.lstrip("\n").split(" ")
                changes[next(words)] = (before.replace(_NOTHING, ""), after.replace(_NOTHING, ""))
            yield GitCommit(commit, " " in parents, author, int(time), subject, changes)

    def last_change(self, commit: str, *patterns: str) -> str:
        """Return the last commit up to one that changed files of some names; empty if there is none."""
        words = ("rev-list", "-1", "--end-of-options", commit, "--", *_pathspecs(patterns))
        return self._run(*words, literal=False).decode().strip()

    def files(self, commit: str) -> dict[str, str]:
        """Return the files below the directory as of a commit, by path, with their ids."""
        answer = self._run("ls-tree", "-r", "-z", "--end-of-options", commit)
        rows = (row.split("\t", 1) for row in answer.decode(errors="replace").split("\0") if row)
        return {path: words.split(" ")[2] for words, path in rows}

    def tags(self) -> dict[str, str]:
        """Return the tags, sorted by name, each with the commit that it is put on."""
        answer = self._run("for-each-ref", "--format=%(refname:lstrip=2)%00%(objectname) %(*objectname)", "refs/tags")
        rows = (row.split("\0") for row in answer.decode(errors="replace").splitlines())
        return {name: ids.split()[-1] for name, ids in rows}

    def contents(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return what files hold, by their ids."""
        wanted = sorted(set(ids))
        answer = self._run("cat-file", "--batch", given="".join(f"{one}\n" for one in wanted).encode())
        found: dict[str, bytes] = {}
        at = 0
        for one in wanted:
            end = answer.index(b"\n", at)
            words = answer[at:end].split(b" ")
            if len(words) != len((b"id", b"blob", b"size")):
                raise UnsupportedError(
                    "not_readable",
                    f"git has no file {one}",
                    why=words[-1].decode(errors="replace"),
                    fix="git fsck; git fetch --refetch gets what is missing",
                )
            start, size = end + 1, int(words[2])
            found[one] = answer[start : start + size]
            at = start + size + 1
        return found

    def _run(self, *words: str, given: bytes = b"", literal: bool = True) -> bytes:
        program = shutil.which("git")
        if program is None:
            raise NotFoundError("file_missing", "there is no program git", fix="install git")
        safe = _SAFE if literal else [word for word in _SAFE if word != "--literal-pathspecs"]
        done = subprocess.run(  # noqa: S603 - git, with words of our own
            [program, *safe, "-C", str(self._directory.absolute()), *words],
            input=given,
            capture_output=True,
            env=_ENVIRONMENT,
            check=False,
        )
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip()
            raise UnsupportedError(
                "not_readable", f"git does not answer in {self._directory}", why=why, fix="git fsck, in that directory"
            )
        return done.stdout
