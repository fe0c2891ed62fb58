"""The tools beside which mlreg is measured: what is on the path, and others in an environment of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".venv-peers"

INSTALLED = {
    **{name: f"bin/{name}" for name in ("dvc", "mlflow")},
    **dict.fromkeys(("hf-xet", "dvclive", "trackio", "aim"), "bin/python"),
}
"""What is installed there, and what is run of each."""
_DONE = PLACE / "installed"

wanted = True
"""Whether peers are measured at all."""


def peer(name: str) -> str | None:
    """Return the program of a peer, or None if it is not there and cannot be installed, or not wanted."""
    if not wanted:
        return None
    if name not in INSTALLED:
        return shutil.which(name)
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
    if not PLACE.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True)
    pip = [str(PLACE / "bin" / "python"), "-m", "pip", "install", "-q"]
    # One by one: what cannot be had keeps no other away.
    there = [
        name
        for name in INSTALLED
        if subprocess.run([*pip, name], check=False, stderr=subprocess.DEVNULL).returncode == 0
    ]
    site = next((PLACE / "lib").glob("python*/site-packages"))
    subprocess.run([str(PLACE / "bin" / "python"), "-m", "compileall", "-q", str(site)], check=False)
    _DONE.write_text(f"{' '.join(INSTALLED)}\n{' '.join(there)}\n")
