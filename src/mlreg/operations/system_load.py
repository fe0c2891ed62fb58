"""How busy this host and a process with its children are, as Linux tells. A figure that is not known is left out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_GPU = ("utilization.gpu", "memory.used", "temperature.gpu", "power.draw")
_GPU_NAMES = ("percent", "memory_mb", "celsius", "watts")


class Load:
    """Looks again and again: shares of the processor are those since the last look."""

    def __init__(self, process: int, disk: Path) -> None:
        """Look for the first time.

        Args:
            process: whose memory counts, with that of all its children.
            disk: any place on the disk that is looked at.
        """
        self._process = process
        self._disk = disk
        self._gpu = shutil.which("nvidia-smi")
        self._before = _ticks()

    def look(self) -> dict[str, float]:
        """Return the figures, by names that begin with `system/`: percent, MB."""
        found = dict(self._figures())
        return {f"system/{name}": value for name, value in found.items()}

    def _figures(self) -> Iterator[tuple[str, float]]:
        now, before = _ticks(), self._before
        self._before = now
        if now and before and now[1] > before[1]:
            yield "cpu_percent", round(100 * (now[0] - before[0]) / (now[1] - before[1]), 1)
        memory = _memory()
        if "MemTotal" in memory and "MemAvailable" in memory:
            yield "memory_percent", round(100 - 100 * memory["MemAvailable"] / memory["MemTotal"], 1)
        if size := sum(map(_resident, _family(self._process))):
            yield "process_memory_mb", round(size / 1e6, 1)
        with suppress(OSError):
            yield "disk_free_mb", round(shutil.disk_usage(self._disk).free / 1e6, 1)
        if self._gpu:
            yield from _gpus(self._gpu)


def _ticks() -> tuple[int, int] | None:
    """Return ticks of the processors that were busy, and all."""
    try:
        fields = [int(word) for word in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _memory() -> dict[str, int]:
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest.strip()}


def _family(process: int) -> Iterator[int]:
    """Yield a process and all below it."""
    left = [process]
    while left:
        one = left.pop()
        yield one
        # It may have ended meanwhile.
        with suppress(OSError, ValueError):
            tasks = list((_PROC / str(one) / "task").iterdir())
            left.extend(int(word) for task in tasks for word in (task / "children").read_text().split())


def _resident(process: int) -> int:
    try:
        return int((_PROC / str(process) / "statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _gpus(command: str) -> Iterator[tuple[str, float]]:
    call = [command, f"--query-gpu={','.join(_GPU)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603 - no words of others
            call, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return
    for number, line in enumerate(done.stdout.splitlines()):
        for name, word in zip(_GPU_NAMES, line.split(","), strict=False):
            try:
                yield f"gpu{number}_{name}", float(word)
            except ValueError:
                continue
