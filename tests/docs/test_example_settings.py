"""The example of settings is read as it stands, and has every key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlreg.config import KEYS, PROJECT_FILE, REMOTES, SCHEMA, Config, read_settings
from mlreg.registry.places import init

EXAMPLE = Path(__file__).parents[2] / ".mlreg.example.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with the example as its settings."""
    (tmp_path / "project").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "project" / PROJECT_FILE)
    return tmp_path / "project"


def test_the_example_has_every_key_and_a_remote() -> None:
    keys = set(read_settings(EXAMPLE))
    remotes = {key for key in keys if key.startswith(REMOTES)}

    assert {key.partition(f"{SCHEMA}.")[0] + SCHEMA * (f"{SCHEMA}." in key) for key in keys - remotes} == set(KEYS)
    assert remotes


def test_every_value_of_the_example_is_taken_from_it(project: Path) -> None:
    init(project / "registry", shared=True)

    config = Config(project, {"HOME": str(project)})

    # A place is read from where the file lies.
    values = {setting.key: setting.value.removeprefix(f"{project}/").rstrip("/") for setting in config.listed()}
    assert values == {key: value.rstrip("/") for key, value in read_settings(EXAMPLE).items()}
    assert {setting.origin for setting in config.listed()} == {str(project / PROJECT_FILE)}
    assert config.repository == project / "registry"
    assert (config.author, str(config.cache)) == (config.get("author").value, config.get("cache_dir").value)
    assert [f"{REMOTES}{name}" for name in config.remotes] == [
        key for key in sorted(read_settings(EXAMPLE)) if key.startswith(REMOTES)
    ]


def test_the_environment_comes_before_the_example(project: Path) -> None:
    init(project / "other", shared=True)

    config = Config(project, {"HOME": str(project), "MLREG_AUTHOR": "Bo", "MLREG_REPOSITORY": "other"})

    assert (config.author, config.repository) == ("Bo", project / "other")


def test_every_key_has_a_comment_above_it() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if line and line[0] not in "# "]

    assert [lines[number] for number in keys if not lines[number - 1].startswith("# ")] == []
