"""What tests of adapters start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.registry import ModelRegistry
from mlreg.registry.places import init


@pytest.fixture
def models(tmp_path: Path) -> ModelRegistry:
    """An empty registry."""
    init(tmp_path / "registry", shared=True)
    return ModelRegistry(tmp_path / "registry", "Ann <ann@example.org>", tmp_path / "cache")
