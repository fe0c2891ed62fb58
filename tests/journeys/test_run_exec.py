"""Real commands are run as runs: what they print, get and are sent is what it would have been, and it is kept."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.run_results import RunInfo
from tests.cli.calling import command, environment

PATIENCE = 120
"""Seconds after which something that waits is taken for something that hangs."""
PYTHON = sys.executable


class Project:
    """A project with a repository, and the command to use it with."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        place, _ = init(directory, shared=False)
        self.registry = ExperimentRegistry(place, "Ann", directory.parent / "cache")
        self.surroundings = environment(MLREG_CACHE_DIR=str(directory.parent / "cache"), MLREG_AUTHOR="Ann")

    def exec(self, *words: str, experiment: str = "churn", **how: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a command as a run, to its end."""
        options: dict[str, Any] = {"capture_output": True, "cwd": self.directory, "env": self.surroundings} | how
        return subprocess.run(command("run", "exec", experiment, *words), check=False, timeout=PATIENCE, **options)

    def start(self, *words: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start a command as a run, whose standard output is read by the test."""
        options: dict[str, Any] = {"stdout": subprocess.PIPE, "cwd": self.directory, "env": self.surroundings} | how
        return subprocess.Popen(command("run", "exec", "churn", *words), **options)

    def only_run(self) -> RunInfo:
        (run,) = self.registry.list_runs()
        return run

    def kept(self, path: str) -> bytes:
        """Return a file of the only run."""
        repository, _, target = self.registry.registry.find(self.only_run().ref)
        (file,) = [one for one in self.registry.registry.files_of(repository, target, "") if one.path == path]
        return b"".join(repository.objects.read_whole(file.id, file.size))

    def paths(self) -> list[str]:
        return [file.path for file in self.registry.registry.files(self.only_run().ref)]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def left() -> Iterator[list[int]]:
    """Yield a list of processes that are ended after the test."""
    processes: list[int] = []
    yield processes
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


# What is kept.


def test_all_that_is_said_of_a_run_is_kept(project: Project) -> None:
    done = project.exec("--param", "lr=0.1", "-m", "first try", "--", "sh", "-c", "echo out; echo err >&2; exit 7")

    run = project.only_run()
    assert (done.returncode, run.status, run.sealed) == (7, "failed", True)
    assert (run.facts["exit_code"], run.facts["reason"]) == (7, "exit code 7")
    assert run.facts["command"] == ["sh", "-c", "echo out; echo err >&2; exit 7"]
    assert run.facts["host"] == os.uname().nodename
    assert run.params == {"lr": 0.1}
    assert (project.kept("logs/stdout.txt"), project.kept("logs/stderr.txt")) == (b"out\n", b"err\n")
    assert project.kept("environment.txt").startswith(b"python 3.")
    assert done.stdout == b"out\n"
    assert done.stderr.startswith(b"err\n")


def test_a_diff_is_not_kept_if_that_is_asked_for(project: Project) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project.directory, check=True)
    (project.directory / "key").write_text("secret")
    subprocess.run(["git", "add", "key"], cwd=project.directory, check=True)
    for words, setting in ((["--no-diff"], ""), ([], "false")):
        quiet = project.surroundings | {"MLREG_REGISTRY_EXPERIMENT_CODE_DIFF": setting}
        assert project.exec(*words, "--", "true", env=quiet).returncode == 0
    assert project.exec("--", "true").returncode == 0

    runs = project.registry.list_runs(sort="started")
    files = [[file.path for file in project.registry.registry.files(run.ref)] for run in runs]
    assert ["code.patch" in some for some in files] == [False, False, True]
    assert all(run.facts["code"]["dirty"] and run.facts["code"]["diff"] for run in runs)


def test_bytes_that_are_no_text_go_on_and_are_kept_as_they_are(project: Project) -> None:
    (project.directory / "bytes").write_bytes(bytes(range(256)) * 999)

    done = project.exec(
        "--",
        "sh",
        "-c",
        "cat bytes; cat bytes >&2",
        stderr=subprocess.DEVNULL,
        capture_output=False,
        stdout=subprocess.PIPE,
    )

    assert done.stdout == project.kept("logs/stdout.txt") == project.kept("logs/stderr.txt") == bytes(range(256)) * 999


def test_what_is_printed_is_seen_at_once(project: Project) -> None:
    # Its second line is printed only after the first one was read.
    script = "import pathlib, time\nprint('first')\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\nprint(2)"
    with project.start("--", PYTHON, "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"first\n"
        (project.directory / "go").touch()
        assert process.stdout.read() == b"2\n"
    assert project.kept("logs/stdout.txt") == b"first\n2\n"


def test_much_output_takes_little_memory(project: Project) -> None:
    peak = f"""
import resource, subprocess, sys
done = subprocess.run({command("run", "exec", "churn", "--")!r} + sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    measured = []
    for size in (1, 100_000_000):
        words = [PYTHON, "-c", peak, "head", "-c", str(size), "/dev/zero"]
        done = subprocess.run(words, cwd=project.directory, env=project.surroundings, capture_output=True, check=True)
        code, kilobytes = map(int, done.stdout.split())
        assert code == 0
        measured.append(kilobytes)
    assert measured[1] - measured[0] < 60_000
    sizes = [
        file.size
        for run in project.registry.list_runs()
        for file in project.registry.registry.files(run.ref)
        if file.path == "logs/stdout.txt"
    ]
    assert sorted(sizes) == [1, 100_000_000]


def test_how_busy_it_is_is_logged_every_interval(project: Project, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "nvidia-smi").write_text("#!/bin/sh\necho '37, 1024, 55, [N/A]'\necho '0, 12, 40, 80.5'\n")
    (tools / "nvidia-smi").chmod(0o755)
    busy = project.surroundings | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "MLREG_REGISTRY_EXPERIMENT_TRACKING_INTERVAL": "1",
    }
    with project.start("--", "cat", stdin=subprocess.PIPE, env=busy) as process:
        until(lambda: any(len(one) > 1 for one in live_series(project).values()))
        process.communicate()

    metrics = project.only_run().metrics
    assert (metrics["system/gpu0_percent"], metrics["system/gpu0_celsius"]) == (37, 55)
    assert (metrics["system/gpu1_watts"], "system/gpu0_watts" in metrics) == (80.5, False)
    assert metrics["system/disk_free_mb"] > 0
    if sys.platform == "linux":
        assert 0 <= metrics["system/cpu_percent"] <= 100
        assert metrics["system/process_memory_mb"] > 0
        assert 0 < metrics["system/memory_percent"] < 100


def live_series(project: Project) -> dict[str, Any]:
    runs = project.registry.list_runs()
    return dict(project.registry.get_metrics(runs[0].id)) if runs else {}


def test_without_a_graphics_card_none_is_logged(project: Project) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("here is one")
    often = project.surroundings | {"MLREG_REGISTRY_EXPERIMENT_TRACKING_INTERVAL": "1"}
    with project.start("--", "cat", stdin=subprocess.PIPE, env=often) as process:
        until(lambda: bool(live_series(project)))
        process.communicate()

    assert not [name for name in project.only_run().metrics if "gpu" in name]


# Being out of the way.


def test_standard_input_is_that_of_the_command(project: Project) -> None:
    assert project.exec("--", "cat", input=b"typed\n").stdout == b"typed\n"


def test_files_that_a_shell_opened_are_those_of_the_command(project: Project) -> None:
    line = 'exec 7<weights; "$@" </dev/null'
    (project.directory / "weights").write_text("seven")
    words = ["sh", "-c", line, "sh", *command("run", "exec", "churn", "--", "cat", "/dev/fd/7")]

    done = subprocess.run(words, cwd=project.directory, env=project.surroundings, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (0, b"seven")


@pytest.mark.parametrize("line", ["exec >&-; echo err >&2; exit 3", "exec >&- 2>&-; exit 3", "exec 2>&-; exit 3"])
def test_a_command_may_close_what_it_prints_to(line: str, project: Project) -> None:
    assert project.exec("--", "sh", "-c", line).returncode == 3


def test_a_command_goes_on_when_no_one_reads_what_it_prints(project: Project) -> None:
    line = '"$@" | head -n 1; exit ${PIPESTATUS[0]}'
    words = command("run", "exec", "churn", "--", "sh", "-c", "seq 100000; seq 100000 >&2; exit 5")

    done = subprocess.run(
        ["bash", "-c", f"{{ {line.replace(' |', ' 2>&1 |')}; }}", "bash", *words],
        cwd=project.directory,
        env=project.surroundings,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (done.returncode, done.stdout.count(b"\n")) == (5, 1)
    assert project.kept("logs/stdout.txt").count(b"\n") == 100_000


def test_a_command_runs_where_it_is_told_to(project: Project, tmp_path: Path) -> None:
    done = project.exec("-C", "project", "--", "pwd", "-P", cwd=tmp_path)

    assert done.stdout.decode().strip() == str(project.directory.resolve())
    assert project.only_run().status == "finished"


def test_a_command_of_a_wrong_directory_makes_no_repository(project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = project.exec("--", "touch", "started", cwd=tmp_path / "empty")

    assert done.returncode == 125
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "content", "word"),
    [
        (0o644, "#!/bin/sh\n", b"chmod +x"),
        (0o755, "echo no first line\n", b"Exec format error"),
        (0o755, "#!/no/such/interpreter\n", b"first line"),
    ],
)
def test_a_program_that_cannot_run_is_125_and_the_message_says_why(
    mode: int, content: str, word: bytes, project: Project
) -> None:
    (project.directory / "train").write_text(content)
    (project.directory / "train").chmod(mode)

    done = project.exec("--", "./train")

    assert done.returncode == 125
    assert b"cannot_start" in done.stderr
    assert word in done.stderr
    assert all(run.status == "failed" for run in project.registry.list_runs())


def test_an_option_of_the_command_is_none_of_ours(project: Project) -> None:
    done = project.exec("--", "no-such-program", "--json")

    assert (done.returncode, done.stderr[:6]) == (125, b"error[")


# Signals.


TRAPS = """
import os, signal, sys
got = []
def take(number, frame):
    got.append(number)
    print('got', number, flush=True)
for number in (1, 2, 3, 10, 12, 15):
    signal.signal(number, take)
print('ready', os.getpid(), flush=True)
for line in sys.stdin:
    break
sys.exit(40 + len(got))
"""


def ready(process: subprocess.Popen[bytes]) -> int:
    """Wait until a command traps signals; returns its process."""
    assert process.stdout is not None
    word, number = process.stdout.readline().split()
    assert word == b"ready"
    return int(number)


def test_signals_go_on_to_the_command_which_says_what_becomes_of_them(project: Project) -> None:
    numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM]
    # Without a terminal, as in a job of a cluster.
    how: dict[str, Any] = {"stdin": subprocess.PIPE, "start_new_session": True}
    with project.start("--", PYTHON, "-c", TRAPS, **how) as process:
        ready(process)
        assert process.stdout is not None
        for number in numbers:
            process.send_signal(number)
            assert process.stdout.readline().split() == [b"got", str(int(number)).encode()]
        process.communicate(b"\n")

    assert process.returncode == 40 + len(numbers)
    assert project.only_run().facts["exit_code"] == 46


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_a_signal_ends_is_killed_and_has_the_code_of_shells(number: int, project: Project) -> None:
    done = project.exec("--", "sh", "-c", f"kill -{int(number)} $$")

    run = project.only_run()
    assert (done.returncode, run.status) == (128 + number, "killed")
    assert (run.facts["exit_code"], run.facts["reason"]) == (128 + number, f"signal {signal.Signals(number).name}")


def test_a_signal_that_was_ignored_stays_ignored(project: Project) -> None:
    line = "trap '' HUP; exec \"$@\""
    script = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    words = ["sh", "-c", line, "sh", *command("run", "exec", "churn", "--", PYTHON, "-c", script)]

    done = subprocess.run(words, cwd=project.directory, env=project.surroundings, capture_output=True, check=True)

    assert done.stdout == b"True\n"


@pytest.mark.parametrize("has_terminal_as_input", [True, False])
def test_an_interrupt_typed_on_a_terminal_comes_once(has_terminal_as_input: bool, project: Project) -> None:
    line = 'exec "$@"' if has_terminal_as_input else 'trap : INT; (trap "" INT; cat fifo) | "$@"'
    os.mkfifo(project.directory / "fifo")
    words = ["sh", "-c", line, "sh", *command("run", "exec", "churn", "--", PYTHON, "-c", TRAPS)]
    process, terminal = pty.fork()
    if not process:
        os.chdir(project.directory)
        os.execvpe("sh", words, project.surroundings)  # noqa: S606 - a session of its own needs it
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    while b"got 2" not in seen:
        seen += os.read(terminal, 1000)
    if has_terminal_as_input:
        os.write(terminal, b"\n")
    else:
        (project.directory / "fifo").write_text("\n")
    while data := read_or_end(terminal):
        seen += data
    os.close(terminal)
    _, status = os.waitpid(process, 0)

    # Had it come twice, it would have ended with 42.
    assert (os.waitstatus_to_exitcode(status), seen.count(b"got 2")) == (41, 1)


def read_or_end(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:
        return b""


# Runs within runs.


LOGS = """
import os, sys
from mlreg.config import Config
from mlreg.registry import ExperimentRegistry
os.chdir(sys.argv[1])
registry = ExperimentRegistry(**Config().get_experiment_registry_config())
with registry.start_experiment(sys.argv[2]) as run:
    run.log_metric("loss", 0.25)
    run.log_param("from", sys.argv[2])
"""


def test_children_and_theirs_log_to_the_run_wherever_they_work(project: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project.directory / "logs.py").write_text(LOGS)
    mlreg = " ".join(command("run", "log", "auc=0.5", "--step", "3"))
    line = f"(cd {tmp_path}/elsewhere; {mlreg}); exec {PYTHON} logs.py {tmp_path}/elsewhere churn"

    done = project.exec("--", "sh", "-c", line)

    assert (done.returncode, done.stderr.count(b"error")) == (0, 0)
    run = project.only_run()
    assert (run.metrics, run.params, run.status) == ({"auc": 0.5, "loss": 0.25}, {"from": "churn"}, "finished")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_child_that_runs_another_experiment_has_a_run_of_its_own(project: Project) -> None:
    (project.directory / "logs.py").write_text(LOGS)

    assert project.exec("--", PYTHON, "logs.py", ".", "other").returncode == 0

    runs = {run.experiment: run for run in project.registry.list_runs()}
    assert (runs["churn"].parent, runs["other"].parent) == ("", runs["churn"].id)


def test_a_command_that_is_run_within_a_run_has_a_run_of_its_own(project: Project) -> None:
    inner = " ".join(command("run", "exec", "churn", "--name", "inner", "--", "echo", "inside"))

    assert project.exec("--name", "outer", "--", "sh", "-c", f"{inner}; echo outside").returncode == 0

    runs = {run.name: run for run in project.registry.list_runs()}
    assert (runs["outer"].parent, runs["inner"].parent) == ("", runs["outer"].id)
    assert {run.facts["exit_code"] for run in runs.values()} == {0}
    outputs = [project.registry.registry.files(run.ref) for run in (runs["outer"], runs["inner"])]
    assert [file.size for some in outputs for file in some if file.path == "logs/stdout.txt"] == [15, 7]


# Ends that no one wants.


def test_what_is_left_running_is_not_waited_for(project: Project, left: list[int]) -> None:
    done = project.exec("--", "sh", "-c", "sleep 1000 & echo $!; exit 4")
    left.append(int(done.stdout))

    assert done.returncode == 4
    assert project.only_run().facts["left_running"] is True
    assert project.kept("logs/stdout.txt") == done.stdout
    os.kill(left[0], 0)


def test_what_is_left_and_prints_without_an_end_does_not_keep_a_run_from_its_end(
    project: Project, left: list[int]
) -> None:
    done = project.exec(
        "--",
        "sh",
        "-c",
        "while :; do echo y; sleep 0.01; done & echo $! >pid",
        capture_output=False,
        stdout=subprocess.DEVNULL,
    )
    left.append(int((project.directory / "pid").read_text()))

    assert done.returncode == 0
    assert project.only_run().status == "finished"


def test_a_run_whose_mlreg_was_killed_is_crashed_and_nothing_of_it_is_lost(project: Project, left: list[int]) -> None:
    script = TRAPS.replace("import os", "import subprocess, os").replace(
        "print('ready'", f"subprocess.run({command('run', 'log', 'loss=0.5')!r}, check=True)\nprint('ready'"
    )
    with project.start("--param", "lr=0.1", "--", PYTHON, "-c", script, stdin=subprocess.PIPE) as process:
        left.append(ready(process))
        process.kill()
        process.wait()

        run = project.only_run()
        assert run.sealed is False
        os.kill(left[0], 0)
    until(lambda: not alive(left[0]))
    assert project.only_run().status == "crashed"
    adopted = project.registry.adopt(run.id)

    assert (adopted.status, adopted.metrics, adopted.params) == ("crashed", {"loss": 0.5}, {"lr": 0.1})
    assert project.kept("logs/stdout.txt").startswith(b"ready")
    assert {"environment.txt", "logs/stderr.txt"} <= set(project.paths())


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# What a command makes.


def test_what_a_command_makes_is_registered_in_one_step_with_its_run(project: Project) -> None:
    project.registry.registry.add("data/rows", [Path(__file__)], version="2026.01.01")
    before = project.registry.registry.repository.log.refresh().position.number
    line = "mkdir out; echo weights >out/weights; echo rows >rows"
    words = ["--in", "train=data/rows@latest", "--out", "model/churn=out/", "--out", "data/made=rows"]

    done = project.exec(*words, "--", "sh", "-c", line)

    assert done.returncode == 0
    registry = project.registry.registry
    assert registry.repository.log.refresh().position.number == before + 1
    run = project.only_run()
    assert [(one.role, one.ref) for one in run.inputs] == [("train", "data/rows@2026.01.01")]
    for ref, files in (("model/churn", ["weights"]), ("data/made", ["rows"])):
        shown = registry.show(ref)
        assert [(one.role, one.ref) for one in shown.inputs] == [("run", run.ref)]
        assert [file.path for file in registry.files(ref)] == files


def test_what_a_command_that_fails_makes_is_not_registered(project: Project) -> None:
    done = project.exec("--out", "model/churn=out", "--", "sh", "-c", "echo weights >out; exit 1")

    assert (done.returncode, project.only_run().status) == (1, "failed")
    assert project.registry.registry.entries("model/*") == []


def test_a_command_that_does_not_make_what_it_was_to_make_has_failed(project: Project) -> None:
    done = project.exec("--out", "model/churn=out", "--out", "model/other=nothing", "--", "touch", "out")

    assert (done.returncode, b"output_missing" in done.stderr) == (4, True)
    run = project.only_run()
    assert (run.status, run.sealed) == ("failed", True)
    assert project.registry.registry.entries("model/*") == []


def test_an_entry_that_is_frozen_gets_a_new_version_and_keeps_its_old_one(project: Project) -> None:
    from mlreg.registry import annotating

    registry = project.registry.registry
    registry.add("model/churn", [Path(__file__)], version="1.0.0")
    annotating.freeze(registry, "model/churn")

    assert project.exec("--out", "model/churn=out", "--", "touch", "out").returncode == 0

    assert [one.ref for one in registry.versions("model/churn")] == ["model/churn@1.0.1", "model/churn@1.0.0"]


@pytest.mark.parametrize(
    "output", ["model/Churn=out", "churn=out", "exp/churn=out", "model/churn", "model/churn=", "run/x=out"]
)
def test_an_output_that_cannot_be_is_refused_before_anything_runs(output: str, project: Project) -> None:
    done = project.exec("--out", output, "--", "touch", "started")

    assert done.returncode == 125
    assert not (project.directory / "started").exists()
    assert project.registry.list_runs() == []


def test_a_version_that_a_schema_forbids_is_refused_before_anything_runs(project: Project) -> None:
    pytest.importorskip("jsonschema")
    (project.directory / "schema.yaml").write_text("required: [owner]\n")
    (project.directory / ".mlreg.yaml").write_text("registry: {model: {metadata_schema: schema.yaml}}\n")

    done = project.exec("--out", "model/churn=out", "--", "touch", "started")

    assert (done.returncode, b"schema_violation" in done.stderr) == (125, True)
    assert not (project.directory / "started").exists()


def test_a_run_is_sealed_although_what_it_made_cannot_be_registered(project: Project) -> None:
    done = project.exec("--out", "model/churn=out", "--", "sh", "-c", "mkdir out; touch 'out/a\tb'; echo said")

    run = project.only_run()
    assert (done.returncode, b"output_refused" in done.stderr) == (11, True)
    assert (run.status, run.sealed, project.kept("logs/stdout.txt")) == ("finished", True, b"said\n")
    assert project.registry.registry.entries("model/*") == []
