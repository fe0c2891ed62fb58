"""The tools beside which mlreg is measured: what is on the path, and dvc and mlflow in an environment of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".venv-peers"


wanted = True
"""Whether peers are measured at all."""


def peer(name: str) -> str | None:
    """Return the program of a peer, or None if it is not there and cannot be installed, or not wanted."""
    if not wanted:
        return None
    if name in ("dvc", "mlflow"):
        program = PLACE / "bin" / name
        if not program.exists():
            _install()
        return str(program) if program.exists() else None
    return shutil.which(name)


def _install() -> None:
    if not PLACE.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True)
    pip = [str(PLACE / "bin" / "python"), "-m", "pip", "install", "-q", "dvc", "mlflow"]
    if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode == 0:
        site = next((PLACE / "lib").glob("python*/site-packages"))
        subprocess.run([str(PLACE / "bin" / "python"), "-m", "compileall", "-q", str(site)], check=False)
