"""Writing files out, and deleting strays, leaves repositories alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.errors import RefusedError
from mlreg.registry.places import init
from mlreg.registry.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "weights").write_bytes(b"weights")
    (tmp_path / "project").mkdir()
    registry = Registry(init(tmp_path / "project", shared=False)[0], "Ann")
    registry.add("model/net", [tmp_path / "weights"], version="1.0.0")
    return registry


def test_strays_are_deleted_and_the_project_keeps_its_repository(registry: Registry, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "below").mkdir()
    (project / "below" / "stray").write_text("stray")
    (project / "link").symlink_to(tmp_path)

    got = registry.get("model/net@1.0.0", project, delete=True, replace=True)

    assert (got.removed, got.written) == (2, 1)
    assert registry.verify().problems == ()
    assert (tmp_path / "weights").exists()


def test_strays_in_a_shared_repository_below_the_target_are_none(registry: Registry, tmp_path: Path) -> None:
    shared = Registry(init(tmp_path / "work" / "shared", shared=True)[0], "Ann")
    shared.add("model/net", [tmp_path / "weights"], version="1.0.0")

    assert registry.get("model/net@1.0.0", tmp_path / "work", delete=True, replace=True).removed == 0
    assert shared.verify().problems == ()


@pytest.mark.parametrize("place", ["project/.mlreg", "project/.mlreg/new", "shared", "shared/packs", "shared/log/x"])
@pytest.mark.parametrize("delete", [False, True])
def test_files_are_not_written_among_those_of_a_repository(
    place: str, delete: bool, registry: Registry, tmp_path: Path
) -> None:
    init(tmp_path / "shared", shared=True)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(RefusedError) as caught:
        registry.get("model/net@1.0.0", tmp_path / place, delete=delete)

    assert caught.value.code == "target_is_a_repository"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", ["project", "project/out", "shared/out"])
def test_a_directory_of_its_own_beside_them_will_do(place: str, registry: Registry, tmp_path: Path) -> None:
    init(tmp_path / "shared", shared=True)

    assert registry.get("model/net@1.0.0", tmp_path / place).written == 1
