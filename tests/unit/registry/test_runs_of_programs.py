"""Runs and the processes that log to them: forks, threads, exits; each program here is one that users write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run_results import RunInfo

HEAD = """
import os, sys, json, signal, threading, multiprocessing
from mlreg.errors import MlregError
from mlreg.registry.experiment import ExperimentRegistry
registry = ExperimentRegistry("registry", "Ann")
run = registry.start_experiment("churn")
print(run.id, flush=True)

def fork(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child

def wait(child):
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
"""


class Ended(NamedTuple):
    """How a program ended, and what its run is then."""

    code: int
    output: list[str]
    errors: str
    run: RunInfo
    registry: ExperimentRegistry

    def values(self, name: str) -> list[float]:
        return [point.value for point in self.registry.get_metrics(self.run.id)[name].points()]


def program(where: Path, text: str) -> Ended:
    """Run a program to its end."""
    command = [sys.executable, "-c", HEAD + text]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    registry = ExperimentRegistry(where / "registry", "Ann")
    run, *output = done.stdout.splitlines()
    return Ended(done.returncode, output, done.stderr, registry.get_run(run), registry)


# Forks.


def test_what_forked_processes_log_is_in_the_run_and_their_end_is_not_its_end(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
run.log_metric("parent", 0)
def work(number):
    for step in range(50):
        run.log_metric(f"child {number}", step)
    run.log_text("mine", f"{number}.txt")
    if number % 2:
        run.finish("failed")
        run.finish("failed")
children = [fork(lambda: work(number)) for number in range(4)]
for child in children:
    wait(child)
run.log_metric("parent", 1)
print(registry.get_run(run.id).status, len(list(run.directory.glob("*.journal"))))
run.finish()
""",
    )

    assert (done.code, done.errors, done.output) == (0, "", ["running 5"])
    assert (done.run.status, done.run.sealed) == ("finished", True)
    assert done.values("parent") == [0, 1]
    for number in range(4):
        assert done.values(f"child {number}") == list(map(float, range(50)))
    stored = [file.path for file in done.registry.registry.files(done.run.ref)]
    assert [f"artifacts/{number}.txt" in stored for number in range(4)] == [True] * 4
    assert list((tmp_path / "registry" / "runs").iterdir()) == []


@pytest.mark.parametrize(
    "end", ["sys.exit(0)", "sys.exit(3)", "raise ValueError('x')", "pass", "raise KeyboardInterrupt", "os._exit(0)"]
)
def test_a_forked_process_that_leaves_the_block_ends_nothing(tmp_path: Path, end: str) -> None:
    done = program(
        tmp_path,
        f"""
with run:
    child = os.fork()
    if child == 0:
        run.log_metric("child", 1)
        {end}
    else:
        os.waitpid(child, 0)
        assert registry.get_run(run.id).status == "running"
        run.log_metric("parent", 1)
if child:
    print("done")
""",
    )

    assert (done.code, done.output[-1:]) == (0, ["done"])
    assert (done.run.status, done.run.metrics) == ("finished", {"child": 1.0, "parent": 1.0})
    assert list((tmp_path / "registry" / "runs").iterdir()) == []


def test_a_forked_process_that_logs_nothing_leaves_no_trace(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
before = sorted(os.listdir(run.directory))
wait(fork(lambda: None))
wait(fork(run.finish))
wait(fork(run.close))
assert sorted(os.listdir(run.directory)) == before
run.finish()
""",
    )

    assert (done.code, done.errors, done.run.status) == (0, "", "finished")


def test_a_forked_process_that_outlives_the_run_is_heard_or_refused(tmp_path: Path) -> None:
    """One that has logged goes on, and what it says is sealed when it goes; one that has not is told."""
    done = program(
        tmp_path,
        """
ready, go = os.pipe(), os.pipe()
def talks():
    run.log_metric("talker", 1)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    run.log_metric("talker", 2)
    run.finish()
def silent():
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    try:
        run.log_metric("silent", 1)
    except MlregError as error:
        assert error.code == "run_missing", error
        os._exit(0)
    os._exit(1)
talker = fork(talks)
os.read(ready[0], 1)
run.finish()
os.write(go[1], b"x")
wait(talker)
run = registry.start_experiment("other")
other = fork(silent)
os.read(ready[0], 1)
run.finish()
os.write(go[1], b"x")
wait(other)
""",
    )

    assert (done.code, done.errors) == (0, "")
    assert (done.run.status, done.values("talker")) == ("finished", [1, 2])
    assert list((tmp_path / "registry" / "runs").iterdir()) == []


def test_a_fork_in_the_middle_of_logging_threads_does_not_hang(tmp_path: Path) -> None:
    """A lock that a thread held when the process was forked is held for ever in the child."""
    done = program(
        tmp_path,
        """
stop = False
def work():
    while not stop:
        run.log_metric("threads", 1)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for number in range(12):
    wait(fork(lambda: run.log_metric("child", number)))
stop = True
for thread in threads:
    thread.join()
run.finish()
""",
    )

    assert (done.code, done.errors) == (0, "")
    assert sorted(done.values("child")) == list(map(float, range(12)))


def test_a_pool_of_forked_workers_logs_to_one_run(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
def work(number):
    run.log_metric("squares", number * number, number)
    return number
with multiprocessing.get_context("fork").Pool(3) as pool:
    assert pool.map(work, range(20)) == list(range(20))
    pool.close()
    pool.join()
run.finish()
""",
    )

    assert (done.code, done.errors) == (0, "")
    assert sorted(done.values("squares")) == [float(number * number) for number in range(20)]
    assert list((tmp_path / "registry" / "runs").iterdir()) == []


# Ends of programs.


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        ("", "finished", None),
        ("sys.exit()", "finished", None),
        ("raise ValueError('no memory')", "failed", "ValueError: no memory"),
        ("raise KeyboardInterrupt", "killed", "KeyboardInterrupt"),
        ("threading.Timer(0.05, lambda: run.log_metric('late', 1)).start()", "finished", None),
        ("import atexit; atexit.register(lambda: run.finish('failed', 'mine'))", "failed", "mine"),
        ("run.close()", "crashed", None),
        ("os._exit(0)", "crashed", None),
        ("os.kill(os.getpid(), signal.SIGKILL)", "crashed", None),
    ],
)
def test_a_run_that_is_open_when_the_program_ends_ends_as_the_program_does(
    tmp_path: Path, end: str, status: str, reason: str | None
) -> None:
    done = program(
        tmp_path,
        f"""
def main():
    with open("large", "wb") as file:
        file.write(os.urandom(6_000_000))
    registry.start_experiment("other").log_metric("loss", 1)
    run.log_metric("loss", 1)
    run.log_artifact("large")
main()
{end}
""",
    )

    assert (done.run.status, done.run.facts.get("reason")) == (status, reason)
    assert done.run.sealed == (status != "crashed")
    assert done.run.metrics["loss"] == 1
    assert ("late" in done.run.metrics) == ("late" in end)
    if status == "crashed":
        done = done._replace(run=done.registry.adopt(done.run.id))
    large = b"".join(done.registry.registry.cat(f"{done.run.ref}:artifacts/large"))
    assert large == (tmp_path / "large").read_bytes()


def test_a_program_that_ends_while_the_repository_is_gone_says_so(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
os.unlink("registry/mlreg.json")
registry.place.registry = ExperimentRegistry("registry", "Ann").registry
""",
    )

    assert (done.code, f"{done.run.ref}> is not sealed" in done.errors) == (0, True)
    assert (done.run.status, done.run.sealed) == ("finished", False)


# Signals.


def test_a_handler_that_ends_the_run_may_come_at_any_moment(tmp_path: Path) -> None:
    """As one that a scheduler warns with, before it kills."""
    for delay in ("0.001", "0.0035", "0.01"):
        where = tmp_path / delay
        where.mkdir()
        done = program(
            where,
            f"""
def handle(number, frame):
    run.finish("killed", "preempted")
    print(count)
    sys.exit(0)
signal.signal(signal.SIGALRM, handle)
count = 0
signal.setitimer(signal.ITIMER_REAL, {delay})
while True:
    run.log_metric("loss", count)
    count += 1
""",
        )

        assert (done.code, done.run.status, done.run.facts["reason"]) == (0, "killed", "preempted")
        logged = done.values("loss") if done.run.metrics else []
        assert logged == list(map(float, range(len(logged))))
        assert len(logged) in (int(done.output[0]), int(done.output[0]) + 1)


# The command line.


def mlreg(where: Path, *words: str, run: str = "") -> Any:
    environment = {**os.environ, **({"MLREG_RUN": run} if run else {})}
    command = [sys.executable, "-m", "mlreg", "-C", "registry", *words, "--json"]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False, env=environment)
    return json.loads(done.stdout or done.stderr)


def test_a_process_and_the_command_line_log_to_one_run(tmp_path: Path) -> None:
    registry = ExperimentRegistry(tmp_path / "registry", "Ann")
    run = registry.start_experiment("churn")
    run.log_metric("loss", 1)

    assert mlreg(tmp_path, "run", "log", "loss=2", "--run", run.id)["records"] == 1
    assert mlreg(tmp_path, "run", "label", "team=a", run=run.id)["id"] == run.id
    assert mlreg(tmp_path, "run", "finish", "--run", run.id)["code"] == "run_is_running"
    run.log_metric("loss", 3)
    info = run.finish()

    assert (info.labels, [point.value for point in registry.get_metrics(run.id)["loss"].points()]) == (
        {"team": "a"},
        [1, 2, 3],
    )
    assert mlreg(tmp_path, "run", "log", "loss=4", "--run", run.id)["code"] == "run_missing"
    assert list((tmp_path / "registry" / "runs").iterdir()) == []
