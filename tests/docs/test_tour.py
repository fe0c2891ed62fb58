"""The commands that the README and the tour show are run as they stand, and print what the pages show."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Container, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from blake3 import blake3

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/tour.md",
    "docs/output.md",
    "docs/experiments.md",
    "docs/data.md",
    "docs/data-quality.md",
    "docs/data-tour.md",
    "docs/audit-and-health.md",
    "docs/lineage-and-usage.md",
    "docs/importing.md",
    "docs/retention.md",
    "docs/backup.md",
    "docs/when-things-break.md",
)
NEEDS = {"docs/data.md": ("duckdb", "fsspec", "pandas", "pyarrow"), "docs/data-tour.md": ("sklearn",)}
"""Packages of extras, without which a page is not run."""
LEFT_OUT = {"docs/data-tour.md": ("mlcroissant",)}
"""Packages without which the blocks of a page that import them are not run, and all others are."""

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
ID = re.compile(r"\b(?:[0-9a-f]{32}(?:[0-9a-f]{32})?|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b")

# What differs from run to run, and what stands for it.
DIFFERS = (
    (re.compile(r"\b20\d\d-\d\d-\d\dT[0-9:.]+Z"), "<time>"),
    (re.compile(r"<time>\t\d+\.\d\t"), "<time>\t<seconds>\t"),
    (re.compile(r"\b20\d\d\.\d\d\.\d\d\b"), "<day>"),
    (re.compile(r"<day> [0-9a-f]{12}\b"), "<day> <id>"),
    (re.compile(r"@[0-9a-f]{8}-[0-9a-f]{4}:"), "@<id>:"),
    (re.compile(r"\b\d+\.\d [kM]B"), "<size>"),
    (re.compile(r"(tags?,|objects? read) \(?[1-9]\d* B\)?"), r"\1 <size>"),
    (re.compile(r'"size": \d+'), '"size": <size>'),
    (re.compile(r"\b(policy apply|plan) [0-9a-f]{16}\b"), r"\1 <id>"),
    (re.compile(r"\bpacks/[0-9a-f]{2}/"), "packs/<nn>/"),
    (re.compile(r'"host": "[^"]*"'), '"host": "<host>"'),
    (re.compile(r"\bann@[\w.-]+"), "ann@<host>"),
)

# b3sum, for machines without it: the two forms that the pages use.
B3SUM = """
import sys
from pathlib import Path
from blake3 import blake3
if sys.argv[1] == "--derive-key":
    print(blake3(Path(sys.argv[3]).read_bytes(), derive_key_context=sys.argv[2]).hexdigest() + "  " + sys.argv[3])
else:
    print(blake3(Path(sys.argv[1]).read_bytes()).hexdigest() + "  " + sys.argv[1])
"""


class Names:
    """Names for what differs from run to run: one id has one name, wherever on a page it stands."""

    def __init__(self) -> None:
        """Know no id yet."""
        self._ids: dict[str, str] = {}

    def put_into(self, text: str, fixed: Container[str]) -> str:
        """Return text with names in it; ids that are `fixed` stay."""
        text = ID.sub(lambda found: found[0] if found[0] in fixed else self._name(found[0]), text)
        for pattern, word in DIFFERS:
            text = pattern.sub(word, text)
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    def _name(self, digits: str) -> str:
        return self._ids.setdefault(digits, f"<id {len(self._ids) + 1}>")


class Shell:
    """Runs commands one after the other, as a person in one terminal: directory and variables stay."""

    def __init__(self, directory: Path) -> None:
        """Begin in an empty directory, with a mlreg that no one has set anything for."""
        self.place = directory / "place"
        self.place.mkdir()
        self._state = directory / "state"
        self._state.write_text(f"cd {shlex.quote(str(self.place))}\n")
        programs = directory / "programs"
        programs.mkdir()
        _put_program(programs / "mlreg", "-m", "mlreg")
        if not shutil.which("b3sum"):
            _put_program(programs / "b3sum", "-c", B3SUM)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLREG_", "XDG_"))}
        self._environment = kept | {
            "HOME": str(directory / "home"),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "MLREG_AUTHOR": "Ann Lee <ann@example.org>",
            "USER": "ann",
        }

    def run(self, command: str) -> tuple[int, str]:
        """Return the exit status of a command, and what it prints; paths as if they lay in /tmp."""
        state = shlex.quote(str(self._state))
        keep = f"{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} >{state}"
        done = subprocess.run(
            ["bash", "-c", f"set -a\n. {state}\n{command}\nstatus=$?\n{keep}\nexit $status"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.replace(str(self.place), "/tmp")  # noqa: S108 - what the pages show

    def file_ids(self) -> set[str]:
        """Return the ids of all files: the same in every run, so a page has to show the right ones."""
        return {blake3(path.read_bytes()).hexdigest() for path in self.place.rglob("*") if path.is_file()}


def _put_program(path: Path, *arguments: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *arguments])} "$@"\n')
    path.chmod(0o755)


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield (command, what it shows) for every line that begins with a dollar sign."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


@pytest.mark.parametrize("page", PAGES)
def test_every_block_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    for package in NEEDS.get(page, ()):
        pytest.importorskip(package)
    shell, shown_names, real_names = Shell(tmp_path), Names(), Names()
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert any(kind == "console" for kind, _ in blocks)
    missing = [name for name in LEFT_OUT.get(page, ()) if find_spec(name) is None]

    for kind, block in blocks:
        if kind == "python":
            if any(f"import {name}\n" in block for name in missing):
                continue
            status, printed = shell.run(shlex.join([sys.executable, "-c", block]))
            assert (status, printed) == (0, "")
            continue
        for command, shown in commands(block):
            _, printed = shell.run(command)
            fixed = shell.file_ids()
            assert real_names.put_into(printed, fixed) == shown_names.put_into(shown, fixed), command
    if missing:
        pytest.skip(f"all of {page} was run but the blocks that need {', '.join(missing)}")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    path = ROOT / page
    links = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    assert links

    assert [link for link in links if not (path.parent / link).exists()] == []
