"""A small model of each adapter, and what it answers: the same in every process."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

INPUTS = [[float((row * 7 + column * 3) % 10) for column in range(4)] for row in range(30)]
CLASSES = [row % 3 for row in range(30)]


class Sample(NamedTuple):
    """A model to keep."""

    make: Callable[[], Any]
    """Return it; skips the test if the framework is not installed."""
    answer: Callable[[Any], Any]
    """Return what it says of `INPUTS`, or what it holds, as JSON."""
    returns: str
    """Name of the class that comes back, or nothing if it is that of the model."""


def make_path() -> Path:
    """Return the path of a file."""
    path = Path(tempfile.gettempdir()) / "mlreg-sample" / "weights.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    return path


def make_arrays() -> Any:
    """Return arrays under names."""
    import numpy as np

    return {"weight": np.array(INPUTS, np.float32), "count": np.array([3])}


def make_torch() -> Any:
    """Return the state of a module."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3)).state_dict()


def make_sklearn() -> Any:
    """Return a fitted pipeline."""
    pytest.importorskip("sklearn")
    pytest.importorskip("skops")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression()).fit(INPUTS, CLASSES)


SAMPLES: dict[str, Sample] = {
    "path": Sample(make_path, lambda path: path.read_bytes().decode(), ""),
    "bytes": Sample(lambda: b"weights", bytes.decode, ""),
    "arrays": Sample(make_arrays, lambda found: {name: array.tolist() for name, array in found.items()}, ""),
    "torch": Sample(make_torch, lambda state: {name: state[name].tolist() for name in sorted(state)}, "dict"),
    "sklearn": Sample(make_sklearn, lambda model: model.predict_proba(INPUTS).tolist(), ""),
}
"""One of each line of the table."""


def main(name: str, repository: str) -> None:
    """Get the sample of an adapter, then register it again as made here; print what came of it."""
    import json

    from mlreg.registry import ModelRegistry

    sample = SAMPLES[name]
    models = ModelRegistry(repository, "Ann <ann@example.org>")
    trust = name == "pickle"
    found = models.get_model("sample", "1.0.0", trust=trust)
    again = models.register_model(sample.make(), "sample", "1.0.0", adapter=name)
    answer = {"type": type(found).__name__, "answer": sample.answer(found), "id": again.id}
    sys.stdout.write(json.dumps(answer) + "\n")
