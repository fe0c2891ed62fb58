"""Processes that log to runs and note what they were told is logged; run as a program, which forks them.

A fork costs a hundredth of a new interpreter. What a process has noted is in the kernel's hands, so that it is
known after the process was killed, too.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run import Run

MOST_WAITED = 0.1
"""Seconds that a process has at most to end; on a machine with much to do it is killed early."""
LONG = 60_000
"""Characters of the longest params: a kill may come in the middle of writing one."""


class Notes:
    """What a process was told."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def add(self, kind: str, name: str = "") -> None:
        """Note something, in so few bytes that no kill comes in between."""
        os.write(self._fd, json.dumps([kind, name]).encode() + b"\n")


def said(seed: int) -> Iterator[tuple[str, str, Any]]:
    """Yield what a process says of its run, without end: always the same for a seed."""
    rng = random.Random(seed)
    number = 0
    while True:
        number += 1
        kind = rng.choices(("metric", "param", "label", "file"), (20, 2, 1, 1))[0]
        long = rng.choice((1, 1, LONG))
        yield (
            kind,
            "loss" if kind == "metric" else f"{kind}{number}",
            number if kind == "metric" else f"{number} " * long,
        )


def say(run: Run, kind: str, name: str, value: Any) -> None:
    """Say one thing."""
    if kind == "metric":
        run.log_metric(name, value)
    elif kind == "param":
        run.log_param(name, value[:LONG])
    elif kind == "label":
        run.set_tag(name, value[:100])
    else:
        run.log_text(value[:LONG], name)


def log(root: Path, seed: int, amount: int) -> None:
    """Log so much to a run of one's own, and end it; note what was done."""
    notes = Notes(root / "notes" / str(seed))
    run = ExperimentRegistry(root / "registry", "logger").start_experiment("churn")
    notes.add("run", run.id)
    things = said(seed)
    for _ in range(amount):
        what = next(things)
        say(run, *what)
        notes.add(*what[:2])
    notes.add("ending")
    run.finish()
    notes.add("end")


def forked(work: Callable[[], None]) -> int:
    """Do work in a process of its own; return its number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def kill_some(root: Path, rounds: int) -> None:
    """Let one process after the other log, and kill each at some time: some while they log, some while they end."""
    # How long it takes to end is found out by those that get through.
    longest = 0.0
    for seed in range(rounds):
        rng = random.Random(-seed)
        is_ending = seed == 0 or rng.random() < 0.5
        child = forked(partial(log, root, seed, rng.randrange(40) if is_ending else 10**9))
        enough = rng.randrange(3000)
        while not _has(root / "notes" / str(seed), enough, is_ending):
            if os.waitpid(child, os.WNOHANG)[0]:
                raise SystemExit(f"process {seed} failed")
        began = time.monotonic()
        if seed == 0:
            os.waitpid(child, 0)
            longest = time.monotonic() - began
            continue
        time.sleep(rng.random() * (min(longest * 1.2, MOST_WAITED) if is_ending else 0.002))
        os.kill(child, signal.SIGKILL)
        if os.waitpid(child, 0)[1] == 0:
            longest = max(longest, time.monotonic() - began)


def _has(path: Path, size: int, is_ending: bool) -> bool:
    try:
        return b'"ending"' in path.read_bytes() if is_ending else path.stat().st_size >= size
    except FileNotFoundError:
        return False


def join(root: Path, run: str, worker: int, amount: int) -> None:
    """Log to a run that another process began."""
    notes = Notes(root / "notes" / f"{run} {worker}")
    with ExperimentRegistry(root / "registry", "logger").join(run) as rank:
        for number in range(amount):
            rank.log_metric(f"of {worker}", number)
            notes.add("metric", f"of {worker}")


def when(ready: int, work: Callable[[], None]) -> None:
    """Wait for the others, then do some work."""
    os.read(ready, 1)
    work()


def all_at_once(root: Path, own: int, joined: int, shared: int, amount: int) -> None:
    """Let many processes log at once, some to runs of their own, some to runs that they share."""
    ready, go = os.pipe()
    children = [forked(partial(when, ready, partial(log, root, seed, amount))) for seed in range(own)]
    registry = ExperimentRegistry(root / "registry", "owner")
    runs = [registry.start_experiment("shared") for _ in range(shared)]
    for worker in range(joined):
        work = partial(join, root, runs[worker % shared].id, worker, amount)
        children.append(forked(partial(when, ready, work)))
    os.write(go, bytes(len(children)))
    ends = [os.waitpid(child, 0)[1] for child in children]
    for run in runs:
        run.finish()
    if any(ends):
        raise SystemExit(f"{sum(map(bool, ends))} processes failed")


if __name__ == "__main__":
    works: dict[str, Callable[..., None]] = {"kill_some": kill_some, "all_at_once": all_at_once}
    place, name, *amounts = sys.argv[1:]
    works[name](Path(place), *map(int, amounts))
