"""Many small versions: how long each takes, beside mlflow, and how long questions take among thousands."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import peers
from benchmarks.timing import Clock
from mlreg.registry import ModelRegistry
from mlreg.registry.places import init

ROUNDS = 3


def _models(place: Path) -> ModelRegistry:
    place.mkdir(parents=True)
    return ModelRegistry(init(place, shared=False)[0], "bench", place / "cache")


def _register(models: ModelRegistry, name: str, number: int) -> None:
    metadata = {"metrics": {"map": number % 100 / 100}, "hyperparameters": {"lr": 0.1}}
    models.register_model(b"%d" % number, name, f"1.0.{number}", metadata)


def _milliseconds(action: Callable[[int], object], count: int) -> float:
    start = time.perf_counter()
    for number in range(count):
        action(number)
    return 1000 * (time.perf_counter() - start) / count


def tiny_versions(work: Path, count: int) -> dict[str, float]:
    """Return milliseconds a version or a question takes, medians of rounds in which all take turns.

    Each version has bytes, metadata and a transaction of its own, and is on the disk; mlflow keeps metadata alone.
    """
    found: dict[str, list[float]] = {}
    for round_ in range(ROUNDS):
        one_round = _mlreg(_models(work / f"tiny{round_}"), count) | _mlflow(work / f"mlflow{round_}", count)
        for label, milliseconds in one_round.items():
            found.setdefault(label, []).append(milliseconds)
    return {label: statistics.median(values) for label, values in found.items()}


def _mlreg(models: ModelRegistry, count: int) -> dict[str, float]:
    for number in range(20):
        _register(models, "warm", number)
    one_by_one = _milliseconds(lambda number: _register(models, "net", number), count)
    start = time.perf_counter()
    with models.batch():
        for number in range(count):
            _register(models, "batched", number)
    batch = 1000 * (time.perf_counter() - start) / count
    models.tag("net", "1.0.7", "production")
    resolve = _milliseconds(lambda _: models.registry.rev_parse("model/net@production"), 200)
    return {"mlreg, one by one": one_by_one, "mlreg, in one batch": batch, "mlreg, resolve a tag": resolve}


def _mlflow(place: Path, count: int) -> dict[str, float]:
    program = peers.peer("mlflow")
    if program is None:
        return {}
    place.mkdir()
    script = Path(__file__).with_name("mlflow_registry.py")
    words = [str(Path(program).with_name("python")), str(script), str(place), str(count)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=place)
    found: dict[str, float] = json.loads(done.stdout)
    return {"mlflow, one by one": found["register"], "mlflow, resolve an alias": found["resolve"]}


def many_versions(place: Path, versions: int, entries: int = 10, at_once: int = 20) -> None:
    """Make a repository of models with so many versions in all, some in each transaction."""
    models = _models(place)
    for start in range(0, versions, at_once):
        with models.batch():
            for number in range(start, min(start + at_once, versions)):
                _register(models, f"net{number % entries}", number)


def among_many(clock: Clock, work: Path, mlreg: str, versions: int, entries: int, rounds: int = 7) -> dict[str, float]:
    """Return seconds that commands take with many versions and entries, and in a repository with one; warm."""
    places = {"many": work / "many", "one": work / "one"}
    for label, place in places.items():
        models = _models(place)
        with models.batch():
            for number in range(versions if label == "many" else 1):
                _register(models, "net", number)
            for number in range(entries if label == "many" else 0):
                _register(models, f"model{number}", 0)
        models.tag("net", "1.0.0", "production")
    calls = {
        "ls": ["ls", "-q"],
        "ls --where": ["ls", "--where", "meta.metrics.map > .98 and kind = 'model'", "-q"],
        "rev-parse": ["rev-parse", "model/net@production"],
        "tag": ["tag", "model/net@1.0.0"],
    }
    for round_ in range(rounds + 1):
        for label, place in places.items():
            for call, words in calls.items():
                # A tag of a new name each time: the same again changes nothing.
                last = [f"try{round_}"] if call == "tag" else []
                clock.run(f"{call}, {label}", [mlreg, *words, *last], place)
    return {f"{call}, {label}": clock.seconds(f"{call}, {label}") for call in calls for label in places}
