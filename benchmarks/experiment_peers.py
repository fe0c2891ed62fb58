"""The same runs and points with another tool: run by the Python that has it.

Usage: `python experiment_peers.py TOOL DIRECTORY RUNS POINTS`; the last line printed is a JSON object. What each tool
does is the plain way of its own documents, with what it would do besides switched off: no picture of the machine's
load, no copy of what is printed, no page.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

PARAMS = {f"param{number}": number / 7 for number in range(20)}
METRICS = {f"metric{number}": number / 7 for number in range(10)}


class Tool(NamedTuple):
    """What is timed of a tool."""

    one_run: Callable[[int], object]
    """Logs params and metrics, and ends the run."""
    log: Callable[[int], object]
    """Logs that many points of one metric, a call each, and returns what `read` needs."""
    read: Callable[[object], int]
    """Returns how many points it has read."""
    settle: Callable[[], object] = lambda: None
    """Does what has to be done before anything can be read, and is not timed."""


def mlflow(uri: str) -> Tool:
    """Runs and points of mlflow, on a database or on files."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("bench")

    def one_run(_: int) -> None:
        with mlflow.start_run():
            mlflow.log_params(PARAMS)
            mlflow.log_metrics(METRICS)

    def log(points: int) -> object:
        with mlflow.start_run() as run:
            for step in range(points):
                mlflow.log_metric("loss", 1 / (step + 1), step=step)
        return run.info.run_id

    return Tool(one_run, log, lambda run: len(mlflow.MlflowClient().get_metric_history(run, "loss")))


def trackio(directory: str) -> Tool:
    """Runs and points of trackio, which writes from a thread of its own."""
    os.environ["TRACKIO_DIR"] = directory
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    def one_run(_: int) -> None:
        trackio.init(project="bench", config=PARAMS, embed=False)
        trackio.log(METRICS)
        trackio.finish()

    def log(points: int) -> object:
        trackio.init(project="long", name="long", embed=False)
        for step in range(points):
            trackio.log({"loss": 1 / (step + 1)}, step=step)
        trackio.finish()
        return "long"

    return Tool(one_run, log, lambda run: len(SQLiteStorage.get_logs("long", run, max_points=None)))


def dvclive(directory: str) -> Tool:
    """Runs and points of dvclive, without a repository of DVC."""
    from dvclive import Live
    from dvclive.utils import parse_metrics

    def one_run(number: int) -> None:
        with Live(f"{directory}/live{number}", save_dvc_exp=False, dvcyaml=None) as live:
            live.log_params(PARAMS)
            for name, value in METRICS.items():
                live.log_metric(name, value)
            live.next_step()

    def log(points: int) -> object:
        with Live(f"{directory}/long", save_dvc_exp=False, dvcyaml=None) as live:
            for step in range(points):
                live.log_metric("loss", 1 / (step + 1))
                live.next_step()
        return live

    def read(live: object) -> int:
        (points,) = parse_metrics(live)[0].values()
        return len(points)

    return Tool(one_run, log, read)


def aim(directory: str) -> Tool:
    """Runs and points of aim."""
    import aim

    repo = aim.Repo.from_path(directory, init=True)

    def run_of(experiment: str) -> aim.Run:
        return aim.Run(
            repo=repo,
            experiment=experiment,
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )

    def one_run(_: int) -> None:
        run = run_of("bench")
        run["hparams"] = PARAMS
        for name, value in METRICS.items():
            run.track(value, name=name, step=0)
        run.close()

    def log(points: int) -> object:
        run = run_of("long")
        for step in range(points):
            run.track(1 / (step + 1), name="loss", step=step)
        run.close()
        return run.hash

    def read(run: str) -> int:
        (metric,) = aim.Run(run, repo=aim.Repo(directory), read_only=True).metrics()
        return len(metric.values.sparse_list()[1])

    # Its server does this now and then.
    index = [str(Path(sys.executable).with_name("aim")), "storage", "--repo", directory, "reindex", "-y"]
    return Tool(one_run, log, read, lambda: subprocess.run(index, capture_output=True, check=True))


TOOLS: dict[str, Callable[[str], Tool]] = {
    "mlflow, SQLite": lambda directory: mlflow(f"sqlite:///{directory}/mlflow.db"),
    "mlflow, files": lambda directory: mlflow(f"file://{directory}/mlruns"),
    "trackio": trackio,
    "dvclive": dvclive,
    "aim": aim,
}


def measure(tool: Tool, runs: int, points: int) -> dict[str, float]:
    """Return milliseconds a run, points a second, and seconds for 100,000 points read back."""
    for number in range(5):
        tool.one_run(-1 - number)
    start = time.perf_counter()
    for number in range(runs):
        tool.one_run(number)
    each = 1000 * (time.perf_counter() - start) / runs
    start = time.perf_counter()
    logged = tool.log(points)
    rate = points / (time.perf_counter() - start)
    tool.settle()
    # What is opened by the first question is none of what is measured.
    tool.read(logged)
    start = time.perf_counter()
    found = tool.read(logged)
    seconds = time.perf_counter() - start
    if found != points:
        raise RuntimeError(f"{found} points of {points} are there")
    return {"run": each, "points": rate, "read": seconds * 100_000 / points}


def main() -> None:
    """Measure one tool."""
    name, directory, runs, points = sys.argv[1], str(Path(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
    # mlflow has its files in maintenance, and asks to be asked for them.
    os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "DVCLIVE_LOGLEVEL": "CRITICAL", "DO_NOT_TRACK": "1"}
    with contextlib.redirect_stdout(io.StringIO()):
        found = measure(TOOLS[name](directory), runs, points)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    # Some leave threads behind.
    os._exit(0)


if __name__ == "__main__":
    main()
