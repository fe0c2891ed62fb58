"""The log: small transactions from many processes, and opening a repository with a long one."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

from benchmarks.timing import Clock
from mlreg.formats.transaction import RefChange, Transaction, slot_key
from mlreg.ids import TransactionHash
from mlreg.registry.places import init
from mlreg.registry.registry import Registry

PROCESSES = 8


def _make(directory: Path, cache: Path) -> Registry:
    init(directory, shared=False)
    file = directory / "weights.bin"
    registry = Registry(directory / ".mlreg", "bench", cache)
    for version in ("1.0.0", "1.0.1"):
        file.write_text(version)
        registry.add("model/net", [file], version=version)
    registry.tag("model/net@1.0.0", "production")
    return registry


def _move_tags(directory: Path, cache: Path, name: str, count: int) -> None:
    registry = Registry(directory / ".mlreg", name, cache)
    for number in range(count):
        registry.tag(f"model/net@1.0.{number % 2}", name)


def transactions_a_second(work: Path, cache: Path, count: int) -> dict[str, float]:
    """Return transactions a second of 1 and of 8 processes that move tags; every one of them is on the disk.

    Raises:
        RuntimeError: if one that was acknowledged is not in the log.
    """
    registry = _make(work, cache)
    found = {}
    for processes in (1, PROCESSES):
        before = registry.repository.log.refresh().number
        workers = [
            multiprocessing.Process(target=_move_tags, args=(work, cache, f"tag{processes}x{n}", count))
            for n in range(processes)
        ]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        seconds = time.perf_counter() - start
        if registry.repository.log.refresh().number - before != processes * count:
            raise RuntimeError("an acknowledged transaction is not in the log")
        found[f"{processes} processes"] = processes * count / seconds
    return found


def long_log(clock: Clock, work: Path, cache: Path, mlreg: str, length: int, rounds: int = 15) -> float:
    """Return how many times longer `mlreg show` takes in a repository with many transactions, warm."""
    places = {"short log": work / "short", "long log": work / "long"}
    for place in places.values():
        place.mkdir()
        _make(place, cache)
    _lengthen(places["long log"], cache, length)
    for _ in range(rounds + 1):
        for label, place in places.items():
            clock.run(label, [mlreg, "show", "model/net@production"], place)
    return clock.seconds("long log") / clock.seconds("short log")


def _lengthen(place: Path, cache: Path, length: int) -> None:
    """Write slots as mlreg does, but without waiting for the disk each time."""
    registry = Registry(place / ".mlreg", "bench", cache)
    view = registry.repository.log.refresh()
    number, head = view.position
    old = view.ref("tag/model/net/production")
    targets = [view.ref(f"version/model/net/{version}") for version in ("1.0.0", "1.0.1")]
    current = old.target if old else None
    for slot in range(number + 1, length + 1):
        target = targets[slot % 2]
        assert head is not None
        assert target is not None
        change = RefChange("tag/model/net/production", current, target.target)
        data = Transaction(slot, head, os.urandom(16).hex(), "2026-01-01T00:00:00Z", "b", "m", (change,)).encode()
        (place / ".mlreg" / slot_key(slot)).write_bytes(data)
        head, current = TransactionHash.of(data), target.target
    registry.repository.log.refresh()
    registry.repository.log.write_snapshot()
