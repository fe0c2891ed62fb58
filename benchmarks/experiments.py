"""Experiments: short runs, one long run, questions among many runs, and many processes at once; beside other tools."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import time
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from benchmarks import peers
from benchmarks.timing import Clock
from mlreg.formats.run import RunState, run_id
from mlreg.formats.run_summary import summary
from mlreg.operations.register import Batch
from mlreg.operations.sealing import run_version
from mlreg.registry.experiment import ExperimentRegistry

ROUNDS = 3
CALLS = 5
QUESTION = "metrics.auc > .5 and params.lr < .01"
NAME = "churn"
TOOLS = {
    # What is installed of it, its share of the runs, and of the points: the slow ones get fewer.
    "mlflow, SQLite": ("mlflow", 0.2, 0.02),
    "mlflow, files": ("mlflow", 0.2, 0.02),
    "trackio": ("trackio", 0.2, 1.0),
    "dvclive": ("dvclive", 0.2, 0.02),
    "aim": ("aim", 0.2, 0.2),
}


class Speed(NamedTuple):
    """How fast a tool takes what training says, and gives it back."""

    run: float
    """Milliseconds of a short run."""
    points: float
    """Points a second, a call each."""
    read: float
    """Seconds in which 100,000 of them are read back."""
    live: float = 0.0
    """The same while the run lives; 0 where there is no difference."""


def _experiments(place: Path) -> ExperimentRegistry:
    place.mkdir(parents=True, exist_ok=True)
    return ExperimentRegistry(place / ".mlreg", "bench", place.parent.parent / "cache")


def _facts(chance: random.Random) -> tuple[dict[str, float], dict[str, float]]:
    """Return 20 params and 10 metrics. A twentieth of such runs fits the question."""
    params = {"lr": chance.uniform(0, 0.1)} | {f"param{number}": chance.random() for number in range(19)}
    metrics = {"auc": chance.random()} | {f"metric{number}": chance.random() for number in range(9)}
    return params, metrics


def _one_by_one(experiments: ExperimentRegistry, count: int) -> float:
    """Return the seconds in which runs are logged, ended and on the disk, one after the other."""
    chance = random.Random(count)
    some = [_facts(chance) for _ in range(count)]
    start = time.perf_counter()
    for params, metrics in some:
        with experiments.start_experiment(NAME) as run:
            run.log_params(params)
            run.log_metrics(metrics)
    return time.perf_counter() - start


def logging(work: Path, runs: int, points: int) -> dict[str, Speed]:
    """Return the speed of each tool, medians of rounds in which all take turns."""
    found: dict[str, list[Speed]] = {}
    for round_ in range(ROUNDS):
        found.setdefault("mlreg", []).append(_mlreg(work / f"mlreg{round_}", runs, points))
        for tool, (package, of_runs, of_points) in TOOLS.items():
            place = work / f"{tool.replace(', ', '-')}{round_}"
            speed = _peer(tool, package, place, max(5, int(runs * of_runs)), max(100, int(points * of_points)))
            if speed:
                found.setdefault(tool, []).append(speed)
    return {tool: Speed(*map(statistics.median, zip(*speeds, strict=True))) for tool, speeds in found.items()}


def _mlreg(place: Path, runs: int, points: int) -> Speed:
    experiments = _experiments(place)
    _one_by_one(experiments, 20)
    each = 1000 * _one_by_one(experiments, runs) / runs
    run = experiments.start_experiment("long")
    values = [1 / (number + 1) for number in range(points)]
    start = time.perf_counter()
    for value in values:
        run.log_metric("loss", value)
    rate = points / (time.perf_counter() - start)
    live = _reading(experiments, run.id, points)
    run.finish()
    return Speed(each, rate, _reading(experiments, run.id, points), live)


def _reading(experiments: ExperimentRegistry, run: str, points: int) -> float:
    """Return the seconds in which 100,000 points are read.

    Raises:
        RuntimeError: one is missing.
    """
    start = time.perf_counter()
    found = len(experiments.get_metrics(run)["loss"])
    seconds = time.perf_counter() - start
    if found != points:
        raise RuntimeError(f"{found} points of {points} are there")
    return seconds * 100_000 / points


def _peer(tool: str, package: str, place: Path, runs: int, points: int) -> Speed | None:
    program = peers.peer(package)
    if program is None:
        return None
    place.mkdir()
    script = Path(__file__).with_name("experiment_peers.py")
    words = [str(Path(program).with_name("python")), str(script), tool, str(place), str(runs), str(points)]
    environment = {**os.environ, "HOME": str(place)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=place, env=environment)
    if done.returncode:
        raise RuntimeError(f"{tool}: {done.stderr[-500:]}")
    return Speed(**json.loads(done.stdout.splitlines()[-1]))


# Questions.


def questions(mlreg: str) -> dict[str, list[str]]:
    """Return what is asked, by how it is called."""
    ask, sort = [mlreg, "run", "ls", NAME, "--where"], ["--sort", "-metrics.auc"]
    return {
        f"`--where '{QUESTION}' --sort -metrics.auc`: a twentieth fits": [*ask, QUESTION, *sort],
        "the same, `--limit 100`": [*ask, QUESTION, *sort, "--limit", "100"],
        "`--where 'metrics.auc > .667' --sort -metrics.auc`: a third fits": [*ask, "metrics.auc > .667", *sort],
    }


def among_many(clock: Clock, work: Path, mlreg: str, few: int, many: int) -> dict[str, float]:
    """Return seconds that calls take among few runs, each sealed alone, and among many."""
    place, calls = work / "many", questions(mlreg)
    first = next(iter(calls.values()))
    _one_by_one(_experiments(place), few)
    for _ in range(ROUNDS):
        shutil.rmtree(work.parent / "cache")
        clock.run("rebuilt", first, place)
    found = {"rebuilt": clock.seconds("rebuilt")}
    for label, more in (("few", 0), ("many", many - few)):
        _in_batches(_experiments(place), more)
        clock.run("brought up to date", first, place)
        for _ in range(CALLS):
            for call, words in calls.items():
                clock.run(f"{call}, {label}", words, place)
        found |= {f"{call}, {label}": clock.seconds(f"{call}, {label}") for call in calls}
    return found


def _in_batches(experiments: ExperimentRegistry, count: int, at_once: int = 1000) -> None:
    """Register runs as an import does: many in one transaction."""
    chance, now = random.Random(count), int(time.time() * 1000)
    for start in range(0, count, at_once):
        with Batch(experiments.registry.repository) as batch:
            for number in range(start, min(count, start + at_once)):
                state = RunState(run_id(now + number, chance.randbytes(10)))
                state.experiment = NAME
                params, metrics = _facts(chance)
                state.take({"params": params, "metrics": metrics, "step": 0, "time": now + number})
                new = run_version(state, summary(state, "finished", state.metrics), state.metrics, [], "bench")
                batch.put(replace(new, version=state.id), lambda size: None)
            batch.commit()


def one_call(clock: Clock, work: Path, mlreg: str, python: str, rounds: int) -> tuple[float, float]:
    """Return seconds of a call that logs one value, and of a Python that does nothing."""
    place = work / "calls"
    run = _experiments(place).open_run(NAME)
    for _ in range(rounds):
        clock.run("pass", [python, "-c", "pass"], place)
        clock.run("log", [mlreg, "run", "log", "--run", run.id, "loss=.5"], place)
    return clock.seconds("log"), clock.seconds("pass")


# Many at once.


def at_once(work: Path, processes: int, points: int) -> float:
    """Return seconds in which processes, begun at once, each log a run into one directory and seal it; median.

    Raises:
        RuntimeError: one failed, or something is lost.
    """
    found = []
    for round_ in range(ROUNDS):
        place = work / f"at-once{round_}"
        # What a process imports first is none of what is measured.
        _one_by_one(_experiments(place), 1)
        gate = multiprocessing.Event()
        workers = [
            multiprocessing.Process(target=_train, args=(gate, place, number, points)) for number in range(processes)
        ]
        for worker in workers:
            worker.start()
        start = time.perf_counter()
        gate.set()
        for worker in workers:
            worker.join()
        found.append(time.perf_counter() - start)
        _refuse_loss(_experiments(place), {worker.exitcode for worker in workers}, processes, points)
    return statistics.median(found)


def _train(gate: Event, place: Path, number: int, points: int) -> None:
    gate.wait()
    with _experiments(place).start_experiment("together", params={"number": number}) as run:
        for point in range(points):
            run.log_metric("loss", number + point / points)


def _refuse_loss(experiments: ExperimentRegistry, codes: set[int | None], processes: int, points: int) -> None:
    runs = experiments.list_runs("together")
    told = sum(len(experiments.get_metrics(run.id)["loss"]) for run in runs if run.sealed)
    if codes != {0} or len({run.params["number"] for run in runs}) != processes or told != processes * points:
        raise RuntimeError(f"of {processes} runs with {points} points each there are {len(runs)} with {told} points")
