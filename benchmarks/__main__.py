"""Run the benchmarks and write the table: `python -m benchmarks [--scale S] [--write]`.

Scale 1 uses a file of 2 GB and a log of 100,000 transactions. CI runs a small scale, which shows that
the benchmarks work and nothing more. With `--write` the table goes into `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import mlreg
from benchmarks import large_file, log_speed, peers, registry_speed, startup
from benchmarks.timing import Clock

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dir", type=Path, default=None, help="where to work; a real disk")
    parser.add_argument("--peers", choices=("yes", "no"), default="yes", help="whether other tools are measured too")
    options = parser.parse_args()
    peers.wanted = options.peers == "yes"
    # What users have is compiled; what was just edited may not be.
    compileall.compile_dir(str(Path(mlreg.__file__).parent), quiet=1)
    work = Path(tempfile.mkdtemp(prefix="mlreg-bench-", dir=options.dir))
    try:
        table = measure(work, options.scale)
    finally:
        shutil.rmtree(work)
    sys.stdout.write(table)
    if options.write:
        text = PAGE.read_text()
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{table}{END}{tail}")


def measure(work: Path, scale: float) -> str:
    """Return the tables as Markdown."""
    cache = work / "cache"
    environment = {**os.environ, "HOME": str(work), "MLREG_CACHE_DIR": str(cache), "MLREG_AUTHOR": "bench"}
    command = str(Path(sys.executable).parent / "mlreg")
    places = [work / name for name in ("startup", "large", "log", "registry")]
    for place in places:
        place.mkdir()
    parts = [
        _startup(Clock(environment), places[0], command),
        _large(Clock(environment), places[1], command, int(2e9 * scale)),
        _log(Clock(environment), places[2], cache, command, scale),
        _registry(Clock(environment), places[3], command, scale),
    ]
    machine = f"{platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    return f"\nScale {scale:g}. Python {machine}.\n\n" + "\n".join(parts)


def _startup(clock: Clock, work: Path, mlreg: str) -> str:
    ratios = startup.measure(clock, work, mlreg, sys.executable)
    rows = [f"| `{label}` | {1000 * clock.seconds(label):.0f} | {ratio:.1f} |" for label, ratio in ratios.items()]
    head = f"### Start-up, whole process, median of {startup.ROUNDS}\n\n| call | ms | x `pass` |\n|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def _large(clock: Clock, work: Path, mlreg: str, size: int) -> str:
    rows = large_file.measure(clock, work, mlreg, size)
    cp = clock.seconds("cp")
    lines = [f"| cp | {cp:.2f} | 1.0 | {cp:.2f} | 1.0 | | | 1.00 |"]
    lines.extend(
        f"| {row['tool']} | {row['add']:.2f} | {row['add / cp']:.1f} | {row['get']:.2f} | {row['get / cp']:.1f} "
        f"| {row['add peak MB']:.0f} | {row['get peak MB']:.0f} | {row['stored / raw']:.2f} |"
        for row in rows
    )
    head = (
        f"### One file of {size / 1e6:.0f} MB, each step with `sync`, median of {large_file.ROUNDS}\n\n"
        "| tool | add s | x cp | get s | x cp | add peak MB | get peak MB | stored / raw |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(lines) + "\n"


def _log(clock: Clock, work: Path, cache: Path, mlreg: str, scale: float) -> str:
    (work / "many").mkdir()
    rates = log_speed.transactions_a_second(work / "many", cache, max(20, int(250 * scale)))
    length = max(1000, int(100_000 * scale))
    ratio = log_speed.long_log(clock, work, cache, mlreg, length)
    lines = [f"| transactions a second, {label} | {rate:.0f} |" for label, rate in rates.items()]
    lines.append(f"| `mlreg show` with {length:,} transactions, x an empty log | {ratio:.2f} |")
    return "### The log\n\n| what | value |\n|---|---|\n" + "\n".join(lines) + "\n"


def _registry(clock: Clock, work: Path, mlreg: str, scale: float) -> str:
    tiny = registry_speed.tiny_versions(work, max(50, int(1000 * scale)))
    rows = [f"| {label} | {milliseconds:.2f} |" for label, milliseconds in tiny.items()]
    versions, entries = max(100, int(10_000 * scale)), max(10, int(1000 * scale))
    many = registry_speed.among_many(clock, work, mlreg, versions, entries)
    calls = dict.fromkeys(label.partition(",")[0] for label in many)
    pairs = [(call, 1000 * many[f"{call}, one"], 1000 * many[f"{call}, many"]) for call in calls]
    lines = [f"| `mlreg {call}` | {one:.0f} | {full:.0f} | {full / one:.1f} |" for call, one, full in pairs]
    return (
        "### The registry\n\nTiny versions from Python, each with bytes and metadata and on the disk (mlflow: metadata"
        " alone, in SQLite):\n\n| what | ms each |\n|---|---|\n" + "\n".join(rows) + "\n\n"
        f"A repository with one version, and one with {versions:,} versions of a model and {entries:,} other models, "
        f"warm:\n\n| call | ms, one | ms, many | x |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    main()
