"""A small model of each adapter, and what it answers: the same in every process."""

from __future__ import annotations

import os
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


def make_xgboost() -> Any:
    """Return a fitted classifier."""
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    return xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(INPUTS, CLASSES)


def make_lightgbm() -> Any:
    """Return a fitted classifier."""
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    pytest.importorskip("skops", reason="skops is not installed")
    return lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=2, n_jobs=1, verbose=-1).fit(INPUTS, CLASSES)


def make_onnx() -> Any:
    """Return a model that adds a weight."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", 4]) for name in ("x", "y")]
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    return onnx.helper.make_model(onnx.helper.make_graph([node], "adds", ports[:1], ports[1:], [weight]))


def answer_of_onnx(model: Any) -> Any:
    """Return what the reference implementation computes."""
    import numpy as np
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, {"x": np.array(INPUTS, np.float32)})[0].tolist()


def make_keras() -> Any:
    """Return a compiled model."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="keras is not installed")
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(3, "relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(2),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


def answer_of_keras(model: Any) -> Any:
    """Return its predictions."""
    import numpy as np

    return model.predict(np.array(INPUTS, np.float32), verbose=0).tolist()


def make_transformers() -> Any:
    """Return a very small BERT."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=20, max_position_embeddings=16, num_labels=3, **sizes)
    return transformers.BertForSequenceClassification(config).eval()


def answer_of_transformers(model: Any) -> Any:
    """Return its logits for three tokens; where weights lie in memory makes a difference in the last digits."""
    import torch

    with torch.no_grad():
        return [round(logit, 5) for logit in model(torch.tensor([[1, 2, 3]])).logits[0].tolist()]


SAMPLES: dict[str, Sample] = {
    "path": Sample(make_path, lambda path: path.read_bytes().decode(), ""),
    "bytes": Sample(lambda: b"weights", bytes.decode, ""),
    "arrays": Sample(make_arrays, lambda found: {name: array.tolist() for name, array in found.items()}, ""),
    "torch": Sample(make_torch, lambda state: {name: state[name].tolist() for name in sorted(state)}, "dict"),
    "sklearn": Sample(make_sklearn, lambda model: model.predict_proba(INPUTS).tolist(), ""),
    "xgboost": Sample(make_xgboost, lambda model: model.predict_proba(INPUTS).tolist(), ""),
    "lightgbm": Sample(make_lightgbm, lambda model: model.predict_proba(INPUTS).tolist(), ""),
    "onnx": Sample(make_onnx, answer_of_onnx, ""),
    "keras": Sample(make_keras, answer_of_keras, ""),
    "transformers": Sample(make_transformers, answer_of_transformers, ""),
    "pickle": Sample(lambda: {"any": (1, 2)}, lambda found: list(found["any"]), ""),
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
