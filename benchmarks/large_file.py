"""One large file in and out, beside `cp` with `sync` and the tools that keep versions of files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers import peer
from benchmarks.timing import Clock, size_of

ROUNDS = 3


class Tool(NamedTuple):
    """A tool and the commands that keep a file and write it out again; `{file}` stands for the file."""

    name: str
    prepare: Sequence[Sequence[str]]
    add: Sequence[Sequence[str]]
    get: Sequence[Sequence[str]]
    store: str
    """What the bytes are kept in, below the work directory."""


def tools(mlreg: str) -> list[Tool]:
    """Return mlreg and those peers that are there."""
    found = [
        Tool(
            "mlreg",
            [[mlreg, "init"]],
            [[mlreg, "add", "model/net", "{file}", "--version", "1.0.0"]],
            [[mlreg, "get", "model/net@1.0.0", "out"]],
            ".mlreg",
        )
    ]
    if git := peer("git"):
        commit = [git, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "add"]
        found.append(
            Tool(
                "git",
                [[git, "init", "-q"], [git, "config", "core.bigFileThreshold", "512m"]],
                [["cp", "{file}", "weights"], [git, "add", "weights"], commit],
                [["rm", "weights"], [git, "checkout", "-q", "--", "weights"]],
                ".git",
            )
        )
    if dvc := peer("dvc"):
        found.append(
            Tool(
                "dvc",
                [[dvc, "init", "-q", "--no-scm"]],
                [["cp", "{file}", "weights"], [dvc, "add", "-q", "weights"]],
                [["rm", "weights"], [dvc, "checkout", "-q", "weights.dvc"]],
                ".dvc/cache",
            )
        )
    if restic := peer("restic"):
        base = [restic, "-q", "-r", "repo", "--insecure-no-password"]
        if "insecure-no-password" not in _help(restic):
            base = ["env", "RESTIC_PASSWORD=x", restic, "-q", "-r", "repo"]
        found.append(
            Tool(
                "restic",
                [[*base, "init"]],
                [[*base, "backup", "{file}"]],
                [[*base, "restore", "latest", "--target", "out"]],
                "repo",
            )
        )
    return found


def _help(program: str) -> str:
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout


def measure(clock: Clock, work: Path, mlreg: str, size: int) -> list[dict[str, object]]:
    """Return a row for each tool: seconds, ratio to `cp` with `sync`, peak memory, stored bytes.

    The tools' `add` includes copying the file to where they want it, if they do.
    """
    file = work / "weights.safetensors"
    # In a process of its own: the memory of this one is the least that a peak can be.
    subprocess.run([sys.executable, "-m", "benchmarks.workload", str(file), str(size)], check=True)
    stored: dict[str, int] = {}
    chosen = tools(mlreg)
    for _ in range(ROUNDS):
        clock.run("cp", ["cp", str(file), str(work / "copy")], work, then_sync=True)
        (work / "copy").unlink()
        for tool in chosen:
            place = work / tool.name
            place.mkdir()
            _all(clock, f"{tool.name} set-up", tool.prepare, place, file)
            _all(clock, f"{tool.name} add", tool.add, place, file)
            stored[tool.name] = size_of(place / tool.store)
            _all(clock, f"{tool.name} get", tool.get, place, file)
            shutil.rmtree(place)
    return [_row(clock, tool.name, stored[tool.name], file.stat().st_size) for tool in chosen]


def _all(clock: Clock, label: str, commands: Sequence[Sequence[str]], place: Path, file: Path) -> None:
    filled = [[word.format(file=file) for word in command] for command in commands]
    # One process for all steps, so that the label has one time and one peak.
    script = " && ".join(" ".join(f"'{word}'" for word in command) for command in filled)
    clock.run(label, ["sh", "-c", script], place, then_sync=True)


def _row(clock: Clock, name: str, stored: int, raw: int) -> dict[str, object]:
    results = {timed.label: timed for timed in clock.results()}
    base = clock.seconds("cp")
    add, get = results[f"{name} add"], results[f"{name} get"]
    return {
        "tool": name,
        "add": add.seconds,
        "add / cp": add.seconds / base,
        "get": get.seconds,
        "get / cp": get.seconds / base,
        "add peak MB": add.peak_mb,
        "get peak MB": get.peak_mb,
        "stored / raw": stored / raw,
    }
