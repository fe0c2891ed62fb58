"""How long a call takes that does almost nothing: scripts make thousands of them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import peer
from benchmarks.timing import Clock

ROUNDS = 15
FEW = 3


def measure(clock: Clock, work: Path, mlreg: str, python: str) -> dict[str, float]:
    """Return ratios to `python -c pass` after timing all calls in turn.

    Args:
        clock: what times.
        work: an empty directory.
        mlreg: the installed, compiled command.
        python: the interpreter it runs on.
    """
    (work / "weights.bin").write_bytes(b"weights" * 1000)
    for command in (["init"], ["add", "model/net", "weights.bin", "--version", "1.0.0", "--tag", "production"]):
        clock.run("set-up", [mlreg, *command], work)
    calls = {
        "python -c pass": [python, "-c", "pass"],
        "mlreg rev-parse model/net@production": [mlreg, "rev-parse", "model/net@production"],
        "mlreg show model/net@production": [mlreg, "show", "model/net@production"],
        "mlreg --version": [mlreg, "--version"],
        "mlreg --help": [mlreg, "--help"],
    }
    git, dvc, mlflow = peer("git"), peer("dvc"), peer("mlflow")
    if git:
        clock.run("set-up", [git, "init", "-q"], work)
        calls["git rev-parse --git-dir"] = [git, "rev-parse", "--git-dir"]
    if git and dvc:
        clock.run("set-up", [dvc, "init", "-q"], work)
        calls["dvc version"] = [dvc, "version"]
        calls["dvc list ."] = [dvc, "list", "."]
    if mlflow:
        calls["mlflow --version"] = [mlflow, "--version"]
    for number in range(ROUNDS):
        for label, command in calls.items():
            # It takes seconds.
            if number < FEW or not label.startswith("mlflow"):
                clock.run(label, command, work)
    base = clock.seconds("python -c pass")
    return {label: clock.seconds(label) / base for label in calls}
