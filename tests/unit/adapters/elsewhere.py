"""Another process: what it knows of a model is what was registered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Blocker())
"""


def run_elsewhere(script: str, *arguments: object, without: Sequence[str] = ()) -> Any:
    """Return what a script printed last, as JSON.

    Args:
        script: Python; its arguments are in `sys.argv[1:]`.
        arguments: of the script, as text.
        without: packages that it cannot import.
    """
    text = BLOCK.format(packages=tuple(without)) + script
    command = [sys.executable, "-W", "ignore", "-c", text, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
