"""The tools that keep versions of files, and the commands with which each does the same work."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers import peer

Commands = Sequence[Sequence[str]]


class Tool(NamedTuple):
    """A tool, run in a directory where what is kept lies in `data`; `{n}` stands for the number of the version."""

    name: str
    prepare: Commands
    add: Commands
    """Keep `data` as a version."""
    get: Commands
    """Write the newest version out, to `out` or again to `data`."""
    store: str
    """What the bytes are kept in."""
    push: Commands = ()
    """Send what the directory `remote` does not have."""
    clone: Commands = ()
    """Get all of `remote` into the directory `clone`, and the newest version out of it."""


def tools(mlreg: str) -> list[Tool]:
    """Return mlreg and those peers that are there."""
    found = [_mlreg(mlreg), _git(), _git_lfs(), _git_annex(), _dvc(), _restic(), _borg(), _xet()]
    return [tool for tool in found if tool]


def _mlreg(mlreg: str) -> Tool:
    return Tool(
        "mlreg",
        [[mlreg, "init"], [mlreg, "init", "--shared", "remote"], [mlreg, "remote", "add", "origin", "remote"]],
        [[mlreg, "add", "model/net", "data", "--version", "1.{n}.0"]],
        [[mlreg, "get", "model/net", "out"]],
        ".mlreg",
        [[mlreg, "push"]],
        [[mlreg, "clone", "remote", "clone"], [mlreg, "--repo", "clone", "get", "model/net", "clone/out"]],
    )


def _git() -> Tool | None:
    git = peer("git")
    if not git:
        return None
    commit = [*_as_someone(git), "commit", "-q", "--allow-empty", "-m", "add"]
    return Tool(
        "git",
        [
            [git, "init", "-q"],
            [git, "config", "core.bigFileThreshold", "512m"],
            [git, "init", "-q", "--bare", "remote"],
        ],
        [[git, "add", "data"], commit],
        [["rm", "-rf", "data"], [git, "checkout", "-q", "--", "data"]],
        ".git",
        [[git, "push", "-q", "remote", "HEAD"]],
        [[git, "clone", "-q", "remote", "clone"]],
    )


def _as_someone(git: str) -> list[str]:
    return [git, "-c", "user.name=x", "-c", "user.email=x@example.org"]


def _git_lfs() -> Tool | None:
    git = peer("git")
    if not git or not peer("git-lfs"):
        return None
    commit = [*_as_someone(git), "commit", "-q", "--allow-empty", "-m", "add"]
    return Tool(
        "git-lfs",
        [[git, "init", "-q"], [git, "lfs", "install", "--local"], [git, "lfs", "track", "data/**"]],
        [[git, "add", "data"], commit],
        [["rm", "-rf", "data"], [git, "checkout", "-q", "--", "data"]],
        ".git/lfs",
    )


def _git_annex() -> Tool | None:
    git = peer("git")
    if not git or not peer("git-annex"):
        return None
    return Tool(
        "git-annex",
        [[git, "init", "-q"], [*_as_someone(git), "annex", "init", "-q"]],
        [["sh", "-c", f"{git} annex unlock -q data 2>/dev/null; {' '.join(_as_someone(git))} annex add -q data"]],
        [],
        ".git/annex",
    )


def _dvc() -> Tool | None:
    dvc = peer("dvc")
    if not dvc:
        return None
    return Tool(
        "dvc",
        [[dvc, "init", "-q", "--no-scm"], [dvc, "remote", "add", "-q", "-d", "origin", "remote"]],
        [[dvc, "add", "-q", "data"]],
        [["rm", "-rf", "data"], [dvc, "checkout", "-q", "data.dvc"]],
        ".dvc/cache",
        [[dvc, "push", "-q"]],
        [
            ["mkdir", "clone"],
            ["cp", "-r", "data.dvc", ".dvc/config", "clone"],
            ["sh", "-c", _DVC_CLONE.format(dvc=dvc)],
        ],
    )


_DVC_CLONE = "cd clone && {dvc} init -q --no-scm && {dvc} remote add -q -d origin ../remote && {dvc} pull -q"


def _restic() -> Tool | None:
    restic = peer("restic")
    if not restic:
        return None
    text = subprocess.run([restic, "--help"], capture_output=True, text=True, check=False).stdout
    base = [restic, "-q", "-r", "repo", "--insecure-no-password"]
    if "insecure-no-password" not in text:
        base = ["env", "RESTIC_PASSWORD=x", restic, "-q", "-r", "repo"]
    return Tool(
        "restic",
        [[*base, "init"]],
        [[*base, "backup", "data"]],
        [[*base, "restore", "latest", "--target", "out"]],
        "repo",
    )


def _borg() -> Tool | None:
    borg = peer("borg")
    if not borg:
        return None
    quiet = ["env", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes", borg]
    return Tool(
        "borg",
        [[*quiet, "init", "-e", "none", "repo"]],
        [[*quiet, "create", "repo::v{n}", "data"]],
        [["mkdir", "-p", "out"], ["sh", "-c", f"cd out && {' '.join(quiet)} extract ../repo::v{{n}}"]],
        "repo",
    )


def _xet() -> Tool | None:
    python = peer("hf-xet")
    if not python:
        return None
    command = [python, str(Path(__file__).with_name("xet.py"))]
    return Tool("hf-xet", [["mkdir", "store"]], [[*command, "add"]], [[*command, "get"]], "store")
