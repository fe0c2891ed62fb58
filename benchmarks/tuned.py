"""What `mlreg repack --delta` makes of models that were really trained: checkpoints, and tunes of one base."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers import peer
from benchmarks.timing import Clock, size_of

RATES = ("1e-5", "3e-5", "1e-4")

KINDS = ("bf16", "fp32")
PAIRS = (
    *((f"tuned at {rate}", "base", f"tuned{rate}") for rate in RATES),
    *((f"checkpoint {number}", before, f"step{number}") for number, before in enumerate(("base", "step1", "step2"), 1)),
    ("state of AdamW", "state1", "state2"),
)
"""What is measured: the title, the version before, and the one that is stored as what it differs by."""


class Saved(NamedTuple):
    """What one version takes."""

    title: str
    kind: str
    """Of its numbers."""
    alone: float
    """Stored bytes as a share of raw, before."""
    share: float
    """Stored bytes afterwards, as a share of those before."""


def measure(clock: Clock, work: Path, mlreg: str, steps: int) -> list[Saved]:
    """Train, store each pair, repack, and check that all comes back; nothing without torch."""
    python = peer("torch")
    if not python:
        return []
    made, root = work / "made", Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root, root / "src")))}
    subprocess.run([python, "-m", "benchmarks.training", str(made), str(steps)], check=True, env=environment)
    return [
        _pair(
            clock,
            work / f"{kind}-{new}",
            mlreg,
            title,
            (made / kind / f"{old}.safetensors", made / kind / f"{new}.safetensors"),
        )
        for kind in KINDS
        for title, old, new in PAIRS
        if kind == "fp32" or "state" not in new
    ]


def _pair(clock: Clock, place: Path, mlreg: str, title: str, files: list[Path]) -> Saved:
    place.mkdir()

    def run(*words: str) -> None:
        clock.run(words[0], [mlreg, *words], place)

    run("init")
    sizes = []
    for number, file in enumerate(files):
        (place / "weights").write_bytes(file.read_bytes())
        run("add", "model/net", "weights", "--version", f"1.{number}.0")
        sizes.append(_packs(place))
    run("repack", "--delta", "--grace", "0")
    for number, file in enumerate(files):
        run("get", f"model/net@1.{number}.0", f"out{number}")
        if (place / f"out{number}" / "weights").read_bytes() != file.read_bytes():
            raise ValueError(f"{file} does not come back")
    alone = sizes[1] - sizes[0]
    return Saved(title, files[1].parent.name, alone / files[1].stat().st_size, (_packs(place) - sizes[0]) / alone)


def _packs(place: Path) -> int:
    return size_of(place / ".mlreg" / "packs")
