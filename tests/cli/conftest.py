"""A project with a model, a dataset and an empty remote, and the command to use it with."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from mlreg.cli.main import main
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from tests.cli.calling import SRC, Call, Run

ANN = "Ann Lee <ann@example.org>"


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
    return root


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs the command in this process."""
    monkeypatch.setenv("MLREG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MLREG_AUTHOR", ANN)
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
    """Return the command, in a project with model/net, data/rows, and the remote origin, which is empty."""
    for name in ("project", "registry"):
        shutil.copytree(template / name, tmp_path / name)
    (tmp_path / "project" / ".mlreg" / "config.yaml").write_text(f"remotes:\n  origin: {tmp_path}/registry\n")
    monkeypatch.chdir(tmp_path / "project")
    return call
