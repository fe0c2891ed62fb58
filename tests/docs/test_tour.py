"""The commands that the README and the tour show are run, and print what is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for page in ("README.md", "docs/tour.md") if (ROOT / page).exists()]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)

# What differs from run to run, and what stands for it.
SAME = (
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "<id>"),
    (re.compile(r"\b20\d\d-\d\d-\d\dT[0-9:.]+Z"), "<time>"),
    (re.compile(r"\b20\d\d\.\d\d\.\d\d\b"), "<day>"),
    (re.compile(r"\d+\.\d [kM]B"), "<size>"),
)


def normalised(text: str, place: Path) -> str:
    """Return text without what differs from run to run."""
    text = text.replace(str(place), "/tmp")
    for pattern, word in SAME:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Shell:
    """Runs commands one after the other, as a person in a terminal."""

    def __init__(self, place: Path) -> None:
        self.where = place
        (place / "bin").mkdir()
        shim = place / "bin" / "mlreg"
        shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mlreg "$@"\n')
        shim.chmod(0o755)
        source = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        self.environment = {
            **os.environ,
            "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": source,
            "MLREG_CACHE_DIR": str(place / "cache"),
            "MLREG_AUTHOR": "Ann Lee <ann@example.org>",
        }

    def run(self, command: str) -> str:
        """Return what a command prints; `cd` holds for the next ones."""
        script = f'{command}\nstatus=$?\npwd >"$WHERE"\nexit $status'
        note = self.where.parent / ".where"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.where,
            env={**self.environment, "WHERE": str(note)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.where = Path(note.read_text().strip())
        return done.stdout + done.stderr


def commands(block: str) -> list[tuple[str, str]]:
    """Return (command, what it shows) for every line that begins with a dollar sign."""
    found: list[tuple[str, str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            command, shown = found[-1]
            found[-1] = (command, f"{shown}{line}\n")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_block_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    shell = Shell(place)
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert any(kind == "console" for kind, _ in blocks)

    for kind, block in blocks:
        if kind == "python":
            program = f"import numpy as np\nweight = np.arange(6, dtype=np.float32)\n{block}"
            done = subprocess.run(
                [sys.executable, "-c", program],
                cwd=shell.where,
                env=shell.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            continue
        for command, shown in commands(block):
            assert normalised(shell.run(command), place) == normalised(shown, Path("/none")), command
