"""A project with a model, a dataset and an empty remote, and the command to use it with."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from socket import gethostname

import pytest

from mlreg.cli.main import main
from mlreg.config import PROJECT_FILE, Config
from mlreg.formats.journal import line_of
from mlreg.formats.run import began
from mlreg.operations.processes import began_of
from mlreg.registry import backups, bundles, noting, policies
from mlreg.registry.annotating import Subject
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.stores.directory import TEMPORARY
from tests.cli.calling import SRC, Call, Run
from tests.foreign_stores import write_stores
from tests.foreign_tools import write_all

ANN = "Ann Lee <ann@example.org>"
HALF = f"{TEMPORARY}0123456789abcdef"
"""A file that a write has left which was cut long ago."""
OPEN = "01a20c4f-b500-7000-8203-040506070809"
"""A run that the command line opened and has not ended."""
NOTE = "00112233aabbccdd"
"""Id of a note on exp/churn."""
CRASHED = "01a20c4f-b501-7000-8203-040506070809"
"""A run whose process is gone."""
RUNNING = "01a20c4f-b502-7000-8203-040506070809"
"""A run of the process of the tests."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make, once, the directories that each test gets a copy of."""
    root = tmp_path_factory.mktemp("template")
    place, _ = init(root / "project", shared=False)
    init(root / "registry", shared=True)
    file = root / "project" / "weights"
    file.write_bytes(b"weights")
    registry = Registry(place, ANN)
    registry.add("data/rows", [file], version="2026.01.01")
    inputs = [("data", "data/rows@latest")]
    registry.add(
        "model/net", [file], version="1.0.0", inputs=inputs, metadata={"metrics": {"map": 0.5}}, tags=["production"]
    )
    leave_runs(place)
    # A write that was cut long ago: the one thing that a collector finds.
    half = place / "packs" / HALF
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    leave_plan(root / "project")
    write_all(root / "project" / "foreign")
    write_stores(root / "project" / "foreign" / "stores")
    for name, rows in (("before.csv", "aaaaabbbbb"), ("after.csv", "aaaaaabbbb")):
        (root / "project" / "foreign" / name).write_text("\n".join(["letter", *rows, ""]))
    rules = "rules:\n- {rule: regex, name: no b, column: letter, pattern: a}\n- {rule: not_null, column: letter}\n"
    (root / "project" / "foreign" / "strict.yaml").write_text(rules)
    (root / "project" / "foreign" / "rules.yaml").write_text(rules.replace("pattern: a", "pattern: '[ab]'"))
    (root / "project" / "foreign" / "few.yaml").write_text("rules: [{rule: row_count, max: 5}]")
    leave_archives(root)
    return root


def leave_archives(root: Path) -> None:
    """Leave a backup of the project, as a directory and as a file, a bundle that fits it, and one that does not."""
    foreign = root / "project" / "foreign"
    here = Registry(root / "project" / ".mlreg", ANN)
    for kept in ("kept/", "kept.tar"):
        backups.create(here, f"{foreign}/{kept}", report=silent)
    for name, entry in (("far", "model/far"), ("other", "model/net")):
        place, _ = init(root / name, shared=True)
        file = root / name / "weights"
        file.write_text(name)
        other = Registry(place, ANN)
        other.add(entry, [file], version="1.0.0")
        bundles.create(other, str(foreign / f"{name}.bundle"), [], report=silent)


POLICIES = """\
policies:
- {match: exp/churn, keep-best: {metric: auc, direction: min}, allow-remove-all: true}
- {match: "model/*", keep-last: 3}
"""
"""Of two runs the second would go; models stay."""


def leave_plan(project: Path) -> None:
    """Leave a plan that waits to be applied, and the policies by which it was made."""
    (project / PROJECT_FILE).write_text(POLICIES)
    config = Config(project, {"HOME": str(project)})
    policies.plan(Registry(config.repository, ANN), config.retention)


def leave_runs(place: Path) -> None:
    """Leave two sealed runs of exp/churn, one that is open, one that has crashed and one that runs."""
    registry = ExperimentRegistry(place, ANN)
    for lr, inputs in ((0.1, []), (0.2, [("eval", "exp/churn@latest")])):
        with registry.start_experiment("churn", params={"lr": lr}, inputs=inputs) as run:
            for step in range(3):
                run.log_metrics({"auc": lr + step / 10, "loss": 1 / (step + 1)}, step)
    registry.set_goal("churn", "auc", "max")
    Subject.to_change(registry.registry, "exp/churn").state({noting.FACT: {NOTE: {"text": "a note"}}}, "note")
    this = {"pid": os.getpid(), "began": began_of(os.getpid())}
    for run_id, process in ((OPEN, {}), (CRASHED, {**this, "began": f"{this['began']}0"}), (RUNNING, this)):
        directory = place / "runs" / run_id
        directory.mkdir(parents=True)
        start = {"experiment": "churn", "format": 1, "host": gethostname(), "run": run_id, **process}
        said = ({"start": start}, {"params": {"lr": 0.1}}, {"metrics": {"loss": 0.5}, "step": 0})
        (directory / "host.journal").write_bytes(b"".join(line_of({**one, "time": began(run_id)}) for one in said))


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs the command in this process."""
    monkeypatch.setenv("MLREG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MLREG_AUTHOR", ANN)
    # How full the disk is of whoever runs the tests is no matter of theirs.
    monkeypatch.setenv("MLREG_HEALTH_DISK_FREE", "never never")
    monkeypatch.setenv("PYTHONPATH", str(SRC))

    def run(*words: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["mlreg", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Run(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def mlreg(template: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return the command, in a project with model/net, data/rows, runs of exp/churn, and origin, which is empty."""
    for name in ("project", "registry"):
        shutil.copytree(template / name, tmp_path / name)
    (tmp_path / "project" / ".mlreg" / "config.yaml").write_text(f"remotes:\n  origin: {tmp_path}/registry\n")
    monkeypatch.chdir(tmp_path / "project")
    return call
