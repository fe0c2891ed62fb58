"""A registry of experiments, and a run in it; a test module may have others under these names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run import Run


@pytest.fixture
def registry(tmp_path: Path) -> ExperimentRegistry:
    return ExperimentRegistry(tmp_path / "registry", "Ann")


@pytest.fixture
def run(registry: ExperimentRegistry) -> Run:
    return registry.start_experiment("churn", "find out")
