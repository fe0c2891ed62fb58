"""The state of code that is kept in git: the commit, and how the files on the disk differ from it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

from mlreg.ids import ContentId
from mlreg.operations.scanning import OWN_DIRECTORY

MAX_DIFF = 16 * 1024 * 1024
"""Bytes of a diff that are kept."""
MAX_UNTRACKED = 100
"""Names of files that are not tracked, and are said."""
_PATIENCE = 60
"""Seconds that git may take for one answer."""
_INITIAL = "(initial)"
# As `git apply` reads it, whatever the settings of the user say.
_DIFF = (
    *("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "-c", "diff.relative=false"),
    *("diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--submodule=short", "--ignore-submodules=dirty"),
)
_STATUS = (
    *("status", "--porcelain=v2", "-z", "--branch", "--no-renames"),
    *("--untracked-files=normal", "--ignore-submodules=none"),
)
_NO_BRANCH = "(detached)"


class CodeState(NamedTuple):
    """What git says of a directory."""

    facts: dict[str, Any]
    diff: bytes
    """What `git apply` makes of the commit; empty if nothing differs."""


class _Changes(NamedTuple):
    """How the files of one repository differ from its commit, those of its submodules among them."""

    commit: str
    branch: str
    is_dirty: bool
    untracked: list[str]
    diff: bytes
    is_cut: bool


def code_state(directory: Path) -> CodeState | None:
    """Return the state of the code in a directory; None if it is in no repository of git.

    Files that are not tracked are named and not kept: they may be anything. If git does not answer, the facts
    say so.
    """
    if not any((place / ".git").exists() for place in (directory, *directory.parents)):
        return None
    answer, problem = _git(directory, "rev-parse", "--show-toplevel", "--show-prefix")
    root, _, inside = answer.decode(errors="surrogateescape").removesuffix("\n").rpartition("\n")
    changes = None if problem else _changes(Path(root), "")
    if changes is None:
        return CodeState({"problem": problem or "git does not say what has changed"}, b"")
    facts = {
        "branch": changes.branch,
        "commit": changes.commit,
        "diff": str(ContentId.of(changes.diff)) if changes.diff else "",
        "directory": _shown(inside.rstrip("/")),
        "dirty": changes.is_dirty,
        "untracked": changes.untracked[:MAX_UNTRACKED],
    }
    return CodeState(facts | ({"diff_cut": True} if changes.is_cut else {}), changes.diff)


def _changes(root: Path, below: str) -> _Changes | None:
    """Return how a repository differs from its commit; paths begin with `below`, as its parent has them."""
    answer, problem = _git(root, *_STATUS)
    if problem:
        return None
    lines = _lines(answer)
    said = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit = said.get("branch.oid", _INITIAL).replace(_INITIAL, "")
    untracked = [_shown(below + line[2:]) for line in lines if line.startswith("? ") and not _is_ours(line[2:])]
    changed = [line for line in lines if line[:1] in ("1", "2", "u")]
    diff, is_cut = _diff(root, commit, below) if changed else (b"", False)
    branch = said.get("branch.head", "").replace(_NO_BRANCH, "")
    own = _Changes(commit, branch, bool(changed or untracked), untracked, diff, is_cut)
    return _with_submodules(own, (_changes(root / path, f"{below}{path}/") for path in _submodules(changed)))


def _lines(answer: bytes) -> list[str]:
    return answer.decode(errors="surrogateescape").split("\0")


def _is_ours(path: str) -> bool:
    return OWN_DIRECTORY in path.split("/")


def _shown(path: str) -> str:
    return path.encode(errors="surrogateescape").decode(errors="replace")


def _submodules(changed: list[str]) -> Iterator[str]:
    """Yield the submodules in which files differ: of `SCMU`, M says so of tracked ones, and U of others."""
    for line in changed:
        fields = line.split(" ", 8)
        if line.startswith("1") and fields[2].startswith("S") and set(fields[2]) & {"M", "U"}:
            yield fields[8]


def _with_submodules(own: _Changes, below: Iterator[_Changes | None]) -> _Changes:
    for one in filter(None, below):
        diff = own.diff + one.diff
        own = own._replace(
            untracked=own.untracked + one.untracked,
            diff=diff[:MAX_DIFF],
            is_cut=own.is_cut or one.is_cut or len(diff) > MAX_DIFF,
        )
    return own


def _git(directory: Path, *words: str) -> tuple[bytes, str]:
    """Return what git answers, and its last word if it does not."""
    try:
        done = subprocess.run(  # noqa: S603 - git, with words of our own
            _call(directory, *words), stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return b"", f"git cannot be run: {error}"
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return done.stdout, "" if done.returncode == 0 else (lines or ["git failed"])[0]


def _call(directory: Path, *words: str) -> list[str]:
    return ["git", "--no-optional-locks", "--no-pager", "-C", str(directory), *words]


def _diff(root: Path, commit: str, below: str) -> tuple[bytes, bool]:
    """Return how the tracked files differ from a commit, or from nothing, and whether there is more of it."""
    empty, _ = _git(root, "hash-object", "-t", "tree", "/dev/null")
    prefixes = (f"--src-prefix=a/{below}", f"--dst-prefix=b/{below}")
    call = _call(root, *_DIFF, *prefixes, commit or empty.decode().strip(), "--")
    with subprocess.Popen(  # noqa: S603 - git, with words of our own
        call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        timer = Timer(_PATIENCE, process.kill)
        timer.start()
        data = process.stdout.read(MAX_DIFF + 1) if process.stdout else b""
        timer.cancel()
        if len(data) > MAX_DIFF:
            process.kill()
    return data[:MAX_DIFF], process.returncode != 0
