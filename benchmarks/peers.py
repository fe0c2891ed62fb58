"""The tools beside which mlreg is measured: what is on the path, and others in an environment of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".venv-peers"


INSTALLED = {"dvc": "bin/dvc", "mlflow": "bin/mlflow", "hf-xet": "bin/python"}
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
    found = PLACE / INSTALLED[name]
    if not _DONE.exists() or _DONE.read_text() != " ".join(INSTALLED):
        _install()
    return str(found) if _DONE.exists() else None


def _install() -> None:
    if not PLACE.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True)
    pip = [str(PLACE / "bin" / "python"), "-m", "pip", "install", "-q", *INSTALLED]
    if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode == 0:
        site = next((PLACE / "lib").glob("python*/site-packages"))
        subprocess.run([str(PLACE / "bin" / "python"), "-m", "compileall", "-q", str(site)], check=False)
        _DONE.write_text(" ".join(INSTALLED))
