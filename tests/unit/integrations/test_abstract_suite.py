"""The suite that fsspec has for every file system, on an area where files wait to become a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.tests import abstract

from mlreg.integrations.filesystem import MlregFileSystem
from mlreg.registry.places import init


class Fixtures(abstract.AbstractFixtures):  # type: ignore[misc]  # fsspec has no types
    """What the suite asks for."""

    @pytest.fixture
    def fs(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> MlregFileSystem:
        place: Path = tmp_path_factory.mktemp("project")
        monkeypatch.setenv("MLREG_CACHE_DIR", str(place / "cache"))
        init(place, shared=False)
        return MlregFileSystem(directory=place)

    @pytest.fixture
    def fs_path(self) -> str:
        return "/data/train@staging"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)


class TestCopy(abstract.AbstractCopyTests, Fixtures):  # type: ignore[misc]  # fsspec has no types
    """Within the file system."""


class TestGet(abstract.AbstractGetTests, Fixtures):  # type: ignore[misc]  # fsspec has no types
    """To a disk."""


class TestPut(abstract.AbstractPutTests, Fixtures):  # type: ignore[misc]  # fsspec has no types
    """From a disk."""


class TestOpen(abstract.AbstractOpenTests, Fixtures):  # type: ignore[misc]  # fsspec has no types
    """One file."""


class TestPipe(abstract.AbstractPipeTests, Fixtures):  # type: ignore[misc]  # fsspec has no types
    """Bytes."""
