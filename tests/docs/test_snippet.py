"""The lines that training code needs, as the README shows them, with every kind of object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlreg.errors import ConflictError


@pytest.fixture(autouse=True)
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLREG_AUTHOR", "Ann Lee <ann@example.org>")
    for name in ("MLREG_REPOSITORY", "MLREG_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return project


def run_snippet(model: Any) -> Any:
    """Run the snippet, and return what comes back."""
    metrics, hp = {"map": np.float32(0.5), "loss": 0.125}, {"epochs": 3, "rate": 1e-3}

    from mlreg.config import Config
    from mlreg.registry import ModelRegistry

    config = Config()
    registry = ModelRegistry(**config.get_registry_config())
    info = registry.register_model(
        model=model,
        name="suture_detector",
        version="1.0.0",
        metadata={"description": "...", "metrics": metrics, "hyperparameters": hp},
    )
    model = registry.get_model("suture_detector", "1.0.0")

    assert info.ref == "model/suture_detector@1.0.0"
    assert registry.get_info("suture_detector", "1.0.0").metadata == {
        "description": "...",
        "metrics": {"map": 0.5, "loss": 0.125},
        "hyperparameters": hp,
    }
    return model


def test_arrays_come_back_as_equal_arrays() -> None:
    arrays: dict[str, Any] = {"w": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.zeros((), np.int64)}

    back = run_snippet(arrays)

    assert isinstance(back, dict)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_bytes_come_back_as_equal_bytes() -> None:
    assert run_snippet(b"\x00weights\xff") == b"\x00weights\xff"


def test_a_file_comes_back_as_a_path_to_an_equal_file(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"onnx" * 1000)

    back = run_snippet(file)

    assert isinstance(back, Path)
    assert back != file
    assert (back.name, back.read_bytes()) == (file.name, file.read_bytes())


def test_a_directory_comes_back_as_a_path_to_an_equal_directory(tmp_path: Path) -> None:
    directory = tmp_path / "out"
    (directory / "sub").mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    (directory / "sub" / "weights.bin").write_bytes(b"w" * 100_000)

    back = run_snippet(str(directory))

    assert isinstance(back, Path)
    found = {path.relative_to(back).as_posix(): path.read_bytes() for path in back.rglob("*") if path.is_file()}
    assert found == {"config.json": b"{}", "sub/weights.bin": b"w" * 100_000}


def test_the_repository_is_made_in_the_directory_that_it_is_run_in(empty_project: Path) -> None:
    run_snippet(b"weights")

    assert [path.name for path in empty_project.iterdir()] == [".mlreg"]


def test_running_it_again_changes_nothing(empty_project: Path) -> None:
    run_snippet(b"weights")
    log = sorted((empty_project / ".mlreg" / "log").iterdir())

    assert run_snippet(b"weights") == b"weights"
    assert sorted((empty_project / ".mlreg" / "log").iterdir()) == log


def test_the_same_version_with_other_bytes_is_refused() -> None:
    run_snippet(b"one")

    with pytest.raises(ConflictError) as caught:
        run_snippet(b"two")
    assert caught.value.code == "version_exists"
