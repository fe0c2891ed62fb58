"""The tools beside which mlreg is measured: what is on the path, and others in an environment of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".venv-peers"

PYTHON = "bin/python"
INSTALLED = {
    **{name: f"bin/{name}" for name in ("dvc", "mlflow")},
    **dict.fromkeys(("hf-xet", "dvclive", "trackio", "aim", "duckdb", "torch", "zipnn"), PYTHON),
}
"""What is installed there, in this order, and what is run of each."""
_LOCAL = ("--no-index", "--no-deps", "torch")
"""A build of torch that lies at hand: one from elsewhere may bring gigabytes for devices that are not there."""
_WITH_TORCH = ("filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions", "setuptools")
_AND_MLREG = ("ml_dtypes", "numpy", "blake3", "zstandard")
"""What trains a model and writes it with mlreg."""
UNPACKED = {
    "git-lfs": ["git-lfs"],
    "restic": ["restic"],
    "git-annex": ["git-annex"],
    "borg": ["borgbackup", "python3-msgpack", "python3-packaging"],
}
"""What is taken from packages of Debian where the system has it not: unpacked there, not installed."""
PROGRAMS = PLACE / "system" / "usr" / "bin"
"""Where those lie; on the path of what is measured."""
_LIBRARIES = PLACE / "system" / "usr" / "lib" / "python3" / "dist-packages"
_DONE = PLACE / "installed"

wanted = True
"""Whether peers are measured at all."""


def peer(name: str) -> str | None:
    """Return the program of a peer, or None if it is not there and cannot be installed, or not wanted."""
    if not wanted:
        return None
    if name not in INSTALLED:
        return shutil.which(name) or _unpacked(name)
    tried, there = _read()
    if tried != list(INSTALLED):
        _install()
        _, there = _read()
    return str(PLACE / INSTALLED[name]) if name in there else None


def _read() -> tuple[list[str], list[str]]:
    """Return what was to be installed, and what of that could be."""
    lines = _DONE.read_text().splitlines() if _DONE.exists() else []
    tried, there = [line.split() for line in lines] if len(lines) == 2 else ([], [])
    return tried, there


def _install() -> None:
    if not (PLACE / "bin").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True)
    # One by one: what cannot be had keeps no other away.
    there: list[str] = []
    for name in INSTALLED:
        if _get(name, there):
            there.append(name)
    site = next((PLACE / "lib").glob("python*/site-packages"))
    subprocess.run([str(PLACE / "bin" / "python"), "-m", "compileall", "-q", str(site)], check=False)
    _DONE.write_text(f"{' '.join(INSTALLED)}\n{' '.join(there)}\n")


def _get(name: str, there: list[str]) -> bool:
    """Install a peer; tell whether it is there."""
    if name == "torch":
        return _pip(*_LOCAL) and _pip(*_WITH_TORCH, *_AND_MLREG)
    # It would bring a torch of its own.
    return (name != "zipnn" or "torch" in there) and _pip(name)


def _pip(*words: str) -> bool:
    pip = [str(PLACE / PYTHON), "-m", "pip", "install", "-q", *words]
    return subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _unpacked(name: str) -> str | None:
    program = PROGRAMS / name
    if name in UNPACKED and not program.exists():
        _unpack(UNPACKED[name])
        if name == "borg" and program.exists():
            _with_libraries(program)
    return str(program) if program.exists() else None


def _unpack(packages: list[str]) -> None:
    """Unpack packages of the system's release beside the others; nothing is, where it has no such packages."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return
    place = PLACE / "packages"
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "-qq", "download", *packages], cwd=place, check=False, stderr=subprocess.DEVNULL)
    for package in packages:
        for file in place.glob(f"{package}_*.deb"):
            subprocess.run(["dpkg-deb", "--extract", str(file), str(PLACE / "system")], check=False)


def _with_libraries(program: Path) -> None:
    """Let a script of the system's Python find what was unpacked beside it."""
    # Not as a module: it would be found in the place of the package that it starts.
    script = program.rename(program.with_name(f"{program.name}.script"))
    program.write_text(f'#!/bin/sh\nPYTHONPATH={_LIBRARIES} exec /usr/bin/python3 {script} "$@"\n')
    program.chmod(0o755)
