"""Run the benchmarks and write the tables: `python -m benchmarks [--scale S] [--only PART ...] [--write]`.

Scale 1 uses a file of 2 GB, 100,000 small files and a log of 100,000 transactions. CI runs a small scale, which
shows that the benchmarks work and nothing more. With `--write` each table goes into `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mlreg
from benchmarks import (
    chromium,
    corpus,
    dataset,
    experiments,
    extremes,
    log_speed,
    peers,
    quality,
    real_files,
    registry_speed,
    report,
    startup,
    tuned,
    verifying,
    versions,
)
from benchmarks.timing import Clock
from benchmarks.versions import Workload

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="which tables; by default all")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dir", type=Path, default=None, help="where to work; a real disk")
    parser.add_argument("--peers", choices=("yes", "no"), default="yes", help="whether other tools are measured too")
    options = parser.parse_args()
    # What users have is compiled; what was just edited may not be.
    compileall.compile_dir(str(Path(mlreg.__file__).parent), quiet=1)
    if len(options.only) > 1:
        for part in options.only:
            _apart(part, sys.argv[1:])
        return
    peers.wanted = options.peers == "yes"
    (part,) = options.only
    work = Path(tempfile.mkdtemp(prefix="mlreg-bench-", dir=options.dir))
    try:
        table = measure(part, work, options.scale)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.stdout.write(table)
    if options.write:
        _write(part, table)


def _apart(part: str, words: list[str]) -> None:
    """Make one table in a process of its own: what it measures begins with the memory of the one that starts it."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "benchmarks", *words, "--only", part], check=True)
    sys.stderr.write(f"({part}: {time.monotonic() - began:.0f} s)\n")


def _write(part: str, table: str) -> None:
    """Put a table into the page, between the marks of its part."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    text = PAGE.read_text()
    PAGE.write_text(f"{text.split(begin)[0]}{begin}\n{table}{end}{text.split(end)[1]}")


def measure(part: str, work: Path, scale: float) -> str:
    """Return a table as Markdown."""
    cache = work / "cache"
    path = f"{os.environ.get('PATH', '')}{os.pathsep}{peers.PROGRAMS}"
    environment = {
        **os.environ,
        "PATH": path,
        "HOME": str(work),
        "MLREG_CACHE_DIR": str(cache),
        "MLREG_AUTHOR": "bench",
    }
    command = str(Path(sys.executable).parent / "mlreg")
    place = work / part
    place.mkdir()
    title, lines = PARTS[part](Clock(environment), place, command, scale)
    machine = f"{platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    return f"\n### {title}\n\nScale {scale:g}. Python {machine}.\n\n" + "\n".join(lines) + "\n\n"


Table = tuple[str, list[str]]


def _rows(head: str, rows: list[str]) -> list[str]:
    return [head, "|" + "---|" * (head.count("|") - 1), *rows]


def _weights(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    # git takes two minutes for a file of 2 GB.
    size = int(2e9 * scale)
    rows = versions.measure(clock, work, mlreg, Workload("weights", size, ("git",) if scale >= 0.5 else ()))
    return f"One file of {size / 1e6:.0f} MB of weights", _steps(clock, rows)


def _files(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    count = max(100, int(100_000 * scale))
    rows = versions.measure(clock, work, mlreg, Workload("files", count, ("git-lfs", "git-annex", "hf-xet")))
    return f"{count:,} files of 1 to 20 KB", _steps(clock, rows)


def _steps(clock: Clock, rows: list[dict[str, object]]) -> list[str]:
    cp = clock.seconds("cp")
    lines = [f"| cp | {cp:.2f} | | | {cp:.2f} | 1.00 | | |"]
    for row in rows:
        seconds = [f"{row[step]:.2f}" if step in row else "" for step in versions.STEPS]
        stored = f"{row['first'] / row['raw']:.3f} | {row['grown'] / 1e6:.1f} | {row['peak']:.0f}"
        lines.append(f"| {row['tool']} | {' | '.join(seconds)} | {stored} |")
    head = "| tool | add s | unchanged s | 1 % changed s | get s | stored / raw | grown MB | peak MB |"
    note = f"Each step with `sync`, median of {versions.ROUNDS}; the data lie where the tool wants them."
    return [note, "", *_rows(head, lines)]


def _series(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    size = int(3e8 * scale)
    rows = versions.series(clock, work, mlreg, size)
    lines = [
        f"| {row['tool']} | {row['add']:.2f} | {row['first'] / 1e6:.0f} | {row['stored'] / 1e6:.0f} |" for row in rows
    ]
    head = "| tool | add s, median | first version MB | stored MB |"
    return f"Ten versions of {size / 1e6:.0f} MB, of which 1 % changes each time", _rows(head, lines)


def _remote(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    size = int(1e9 * scale)
    rows = versions.remote(clock, work, mlreg, Workload("weights", size, ("git",) if scale >= 0.5 else ()))
    steps = ("push", "no-op", "push changed", "clone")
    lines = [f"| {row['tool']} | {' | '.join(f'{row[step]:.2f}' for step in steps)} |" for row in rows]
    head = "| tool | push s | nothing to push s | 1 % changed s | clone and get s |"
    return f"{size / 1e6:.0f} MB to a remote directory and back", _rows(head, lines)


def _quality(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    rows = int(1e6 * scale)
    found = quality.measure(clock, work, mlreg, rows)
    lines = [
        f"| {label} | {seconds:.2f} | {seconds / found[0][1]:.2f} | {peak:.0f} |" for label, seconds, peak in found
    ]
    note = f"Whole processes, median of {quality.ROUNDS}; nothing is kept from an earlier call."
    if not found:
        note = "Not measured: pip install 'mlreg[data]'"
    return f"Tables of {rows:,} rows", [note, "", *_rows("| call | s | x `SUMMARIZE` | peak MB |", lines)]


def _startup(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:  # noqa: ARG001 - as the others
    ratios = startup.measure(clock, work, mlreg, sys.executable)
    rows = [f"| `{label}` | {1000 * clock.seconds(label):.0f} | {ratio:.1f} |" for label, ratio in ratios.items()]
    return f"Start-up, whole process, median of {startup.ROUNDS}", _rows("| call | ms | x `pass` |", rows)


def _log(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    (work / "many").mkdir()
    cache = work.parent / "cache"
    rates = log_speed.transactions_a_second(work / "many", cache, max(20, int(250 * scale)))
    length = max(1000, int(100_000 * scale))
    ratio = log_speed.long_log(clock, work, cache, mlreg, length)
    lines = [f"| transactions a second, {label} | {rate:.0f} |" for label, rate in rates.items()]
    lines.append(f"| `mlreg show` with {length:,} transactions, x an empty log | {ratio:.2f} |")
    return "The log", _rows("| what | value |", lines)


def _registry(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    tiny = registry_speed.tiny_versions(work, max(50, int(1000 * scale)))
    rows = [f"| {label} | {milliseconds:.2f} |" for label, milliseconds in tiny.items()]
    count, entries = max(100, int(10_000 * scale)), max(10, int(1000 * scale))
    many = registry_speed.among_many(clock, work, mlreg, count, entries)
    calls = dict.fromkeys(label.partition(",")[0] for label in many)
    pairs = [(call, 1000 * many[f"{call}, one"], 1000 * many[f"{call}, many"]) for call in calls]
    lines = [f"| `mlreg {call}` | {one:.0f} | {full:.0f} | {full / one:.1f} |" for call, one, full in pairs]
    return "The registry", [
        "Tiny versions from Python, each with bytes and metadata and on the disk (mlflow: metadata alone, in SQLite):",
        "",
        *_rows("| what | ms each |", rows),
        "",
        f"One version; {count:,} versions of a model among {entries:,} other models; both warm:",
        "",
        *_rows("| call | ms, one | ms, many | x |", lines),
    ]


def _experiments(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    runs, points, few = max(20, int(1000 * scale)), max(1000, int(100_000 * scale)), max(50, int(10_000 * scale))
    processes, each = max(4, int(100 * scale)), max(10, int(1000 * scale))
    speeds = experiments.logging(work, runs, points)
    many = experiments.among_many(clock, work, mlreg, few, 10 * few)
    log, nothing = experiments.one_call(clock, work, mlreg, sys.executable, startup.ROUNDS)
    together = experiments.at_once(work, processes, each)
    logged = [
        f"| {tool} | {one.run:.2f} | {one.points:,.0f} | {one.read:.3f} | {f'{one.live:.3f}' if one.live else ''} |"
        for tool, one in speeds.items()
    ]
    asked = [
        f"| {call} | {1000 * many[f'{call}, few']:.0f} | {1000 * many[f'{call}, many']:.0f} |"
        for call in experiments.questions(mlreg)
    ]
    others = [
        f"| index of {few:,} runs, each sealed alone, made anew by the first question, s | {many['rebuilt']:.2f} |",
        f"| `mlreg run log loss=.5`, ms | {1000 * log:.0f} |",
        f"| `python -c pass`, ms | {1000 * nothing:.0f} |",
        f"| {processes} processes each log {each:,} points, at once, and seal their runs, s | {together:.2f} |",
    ]
    return "Experiments", [
        f"Runs of 20 params and 10 metrics, each ended, {runs:,} one after the other; {points:,} points of one metric,",
        "a call each, and reading them back, from a run that has ended and from one that goes on. Of slow tools fewer",
        "runs and points were taken; reading is scaled to 100,000 points.",
        "",
        *_rows("| tool | ms a run | points a second | read back, s | while it goes on, s |", logged),
        "",
        "Whole processes, ms:",
        "",
        *_rows(f"| `mlreg run ls churn` | {few:,} runs | {10 * few:,} runs |", asked),
        "",
        *_rows("| what | value |", others),
    ]


def _real(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:  # noqa: ARG001 - as the others
    if peers.wanted:
        corpus.fetch(corpus.CORPUS)
    rows = real_files.measure(corpus.CORPUS) if corpus.CORPUS.is_dir() else []
    names = sorted({name for row in rows for name in row.peers})
    lines = []
    for row in rows:
        peers_shares = [f"{100 * row.peers[name]:.1f}" if name in row.peers else "" for name in names]
        shares = [f"{100 * row.share:.1f}", f"{100 * row.zstd:.1f}", *peers_shares]
        lines.append(
            f"| {row.name} | {row.size / 1e6:.1f} | {' | '.join(shares)} | {row.fast_in:.2f} | {row.fast_out:.2f} |"
        )
    head = f"| file | MB | mlreg % | zstd -3 % | {''.join(f'{name} % | ' for name in names)}in GB/s | out GB/s |"
    note = f"The files of `{corpus.CORPUS.name}/`, stored as a share of their bytes; speeds of one core, median of 3."
    return "Real files", [note, "", *_rows(head, lines)]


def _tuned(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    rows = tuned.measure(clock, work, mlreg, max(10, int(300 * scale)))
    lines = [f"| {row.title} | {row.kind} | {100 * row.alone:.1f} | {100 * row.share:.1f} |" for row in rows]
    shares = [row.share for row in rows if row.kind == "bf16" and "tuned" in row.title]
    if shares:
        lines.append(f"| mean of the tuned ones | bf16 | | {100 * sum(shares) / len(shares):.1f} |")
    head = "| version | numbers | stored alone, % of raw | after `repack --delta`, % of that |"
    return "Models that were trained, and tuned" if rows else "No models: torch is not installed", _rows(head, lines)


def _extremes(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    rows = extremes.many(clock, work, mlreg, max(1000, int(1_000_000 * scale)))
    rows += extremes.sparse(clock, work, mlreg, int(20e9 * scale))
    lines = [
        f"| {row.title} | {row.seconds:.2f} | {row.rate} | {row.peak:.0f} | {row.stored / 1e6:.2f} |" for row in rows
    ]
    return "Very many, and very large", _rows("| `add` of | s | a second | peak MB | stored MB |", lines)


def _dataset(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    files = max(2000, int(1_000_000 * scale))
    lines = []
    for row in dataset.measure(clock, work, mlreg, files):
        took = f"{row.seconds:.2f} | {row.peak:.0f}" if row.seconds else " | "
        lines.append(f"| {row.title} | {took} | {'' if row.read is None else f'{row.read:.2f}'} |")
    note = f"Whole processes, median of {dataset.ROUNDS}, the first `gc` once. Elsewhere: nothing is known of it yet."
    return f"A dataset of {files:,} files", [note, "", *_rows("| question | s | peak MB | MB read |", lines)]


def _verify(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    rows = verifying.measure(clock, work, mlreg, int(1e9 * scale), max(200, int(20_000 * scale)))
    lines = []
    for row in rows:
        seconds = f"{row.hashed:.2f} | {row.stored:.2f} | {row.full:.2f}"
        shares = f"{100 * row.hashed / row.stored:.0f} | {100 * row.hashed / row.full:.0f}"
        lines.append(f"| {row.title} | {row.size / 1e6:.0f} | {seconds} | {shares} | {row.peak:.0f} |")
    versions = max(200, int(10_000 * scale))
    first, later = verifying.disk_use(clock, work, mlreg, versions)
    note = f"Whole processes, median of {verifying.ROUNDS}; what is read lies in memory, or was just forgotten by it."
    answers = [f"| the first time | {first:.2f} |", f"| later | {later:.2f} |"]
    head = "| packs of | MB | read and hash s | `--stored` s | `verify` s | `--stored` % | `verify` % | peak MB |"
    return "`verify` and `du`", [
        f"{note} The shares are of the speed at which one process reads and hashes the same packs.",
        "",
        *_rows(head, lines),
        "",
        *_rows(f"| `du` of {versions:,} versions | s |", answers),
    ]


def _report(clock: Clock, work: Path, mlreg: str, scale: float) -> Table:
    rows = report.measure(clock, work, mlreg, scale)
    lines = []
    for row in rows:
        seconds = ["" if some is None else f"{some:.2f}" for some in (row.opening, row.curves)]
        sizes = f"{row.compressed / 1e6:.2f} | {row.size / 1e6:.2f} | {1.5 * row.compressed / 1e6 + 0.2:.2f}"
        lines.append(f"| {row.title} | {sizes} | {row.writing:.2f} | {' | '.join(seconds)} |")
    head = "| report on | points alone, deflated MB | file MB | at most MB | written s | opened s | curves drawn s |"
    without = chromium.missing()
    note = f"Opened in Chromium, median of {report.ROUNDS}" if not without else f"Not opened: {without}"
    return "Reports", [f"{note}; all are noise, which does not compress.", "", *_rows(head, lines)]


PARTS: dict[str, Callable[[Clock, Path, str, float], Table]] = {
    "startup": _startup,
    "weights": _weights,
    "files": _files,
    "series": _series,
    "remote": _remote,
    "real": _real,
    "tuned": _tuned,
    "extremes": _extremes,
    "dataset": _dataset,
    "log": _log,
    "registry": _registry,
    "experiments": _experiments,
    "verify": _verify,
    "report": _report,
    "quality": _quality,
}
"""The tables, by the marks between which they stand in the page."""


if __name__ == "__main__":
    main()
