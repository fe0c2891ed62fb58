"""onnx: models as they are, and data that is nowhere else but beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import RefusedError, UsageError
from mlreg.registry import ModelRegistry
from tests.unit.adapters.samples import SAMPLES, answer_of_onnx

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")


def model_with_data_in(location: str) -> Any:
    """Return a model whose weight is in a file."""
    model = SAMPLES["onnx"].make()
    weight = model.graph.initializer[0]
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return model


def register_folder(models: ModelRegistry, place: Path, model: Any) -> None:
    """Register a folder as if the adapter had written it."""
    place.mkdir()
    (place / "model.onnx").write_bytes(model.SerializeToString())
    (place / "weights").write_bytes(bytes(8) + b"\0\0\x80\x3f" * 2)
    models.registry.add("model/net", [place], version="1.0.0", metadata={"adapter": "onnx"})


def test_the_signature_tells_inputs_and_outputs(models: ModelRegistry) -> None:
    signature = models.register_model(SAMPLES["onnx"].make(), "net", "1.0.0").metadata["signature"]

    assert signature == {
        "inputs": [{"name": "x", "dtype": "float", "shape": ["rows", 4]}],
        "outputs": [{"name": "y", "dtype": "float", "shape": ["rows", 4]}],
    }


@pytest.mark.parametrize(
    "location", ["../../etc/passwd", "/etc/passwd", "a/../../b", "missing", "", "..", "model.onnx/.."]
)
def test_data_outside_of_the_version_is_not_read(location: str, models: ModelRegistry, tmp_path: Path) -> None:
    register_folder(models, tmp_path / "evil", model_with_data_in(location))

    for trust in (False, True):
        with pytest.raises(RefusedError) as caught:
            models.get_model("net", trust=trust)
        assert caught.value.code == "unsafe_data"


def test_data_in_a_graph_in_an_attribute_is_seen(models: ModelRegistry, tmp_path: Path) -> None:
    inner = model_with_data_in("../../etc/passwd").graph
    node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    register_folder(models, tmp_path / "evil", onnx.helper.make_model(onnx.helper.make_graph([node], "if", [], [])))

    with pytest.raises(RefusedError) as caught:
        models.get_model("net")
    assert caught.value.code == "unsafe_data"


def test_data_beside_the_model_is_taken_in(models: ModelRegistry, tmp_path: Path) -> None:
    register_folder(models, tmp_path / "folder", model_with_data_in("weights"))
    found = models.get_model("net")

    assert found.graph.initializer[0].raw_data == bytes(8) + b"\0\0\x80\x3f" * 2
    assert answer_of_onnx(found)[0] == [x + w for x, w in zip([0.0, 3.0, 6.0, 9.0], [0, 0, 1, 1], strict=True)]


def test_a_model_whose_data_is_elsewhere_is_refused_with_what_to_do(models: ModelRegistry) -> None:
    with pytest.raises(UsageError) as caught:
        models.register_model(model_with_data_in("weights"), "net", "1.0.0")
    assert caught.value.code == "cannot_keep"
    assert "load_external_data_for_model" in caught.value.fix[0]
