"""keras: models come back; code that is stored in them needs trust."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlreg.adapters.archive import EPOCH, read_archive, write_archive
from mlreg.errors import RefusedError
from mlreg.registry import ModelRegistry
from tests.unit.adapters.samples import SAMPLES, answer_of_keras

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="keras is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")


def with_layer(layer: Any) -> Any:
    """Return a model with a layer."""
    return keras.Sequential([keras.Input((4,)), layer])


def test_a_lambda_is_named_and_needs_trust(models: ModelRegistry) -> None:
    model = with_layer(keras.layers.Lambda(lambda values: values * 2))
    models.register_model(model, "net", "1.0.0")

    with pytest.raises(RefusedError) as caught:
        models.get_model("net")
    assert caught.value.code == "untrusted"
    assert "Lambda" in caught.value.why
    assert answer_of_keras(models.get_model("net", trust=True)) == answer_of_keras(model)


def test_a_lambda_inside_a_model_inside_a_model_is_seen(models: ModelRegistry) -> None:
    inner = with_layer(keras.layers.Lambda(lambda values: values * 2))
    models.register_model(with_layer(inner), "net", "1.0.0")

    with pytest.raises(RefusedError) as caught:
        models.get_model("net")
    assert caught.value.code == "untrusted"


@pytest.mark.parametrize("module", ["os", "subprocess", "builtins"])
def test_a_class_of_any_module_is_not_imported(module: str, models: ModelRegistry, tmp_path: Path) -> None:
    models.register_model(SAMPLES["keras"].make(), "net", "1.0.0")
    place = models.get_path("net", directory=tmp_path / "evil")
    members = read_archive((place / "model.keras").read_bytes())
    config = json.loads(members["config.json"])
    layer = {"module": module, "class_name": "system", "config": {"arg": f"touch {tmp_path / 'pwned'}"}}
    config["config"]["layers"][1] = layer | {"registered_name": "system"}
    (place / "model.keras").write_bytes(write_archive(members | {"config.json": json.dumps(config).encode()}))
    models.registry.add("model/evil", [place], version="1.0.0", metadata={"adapter": "keras"})

    with pytest.raises(Exception, match="evil") as caught:
        models.get_model("evil")
    assert getattr(caught.value, "code", "") in {"bad_model", "untrusted"}
    assert not (tmp_path / "pwned").exists()


def test_an_archive_has_no_times_and_no_addresses(models: ModelRegistry) -> None:
    models.register_model(SAMPLES["keras"].make(), "net", "1.0.0")
    archive = zipfile.ZipFile(models.get_path("net") / "model.keras")

    assert {entry.date_time for entry in archive.infolist()} == {EPOCH}
    assert json.loads(archive.read("metadata.json"))["date_saved"].startswith("1980")
    assert b'"shared_object_id": 1}' in archive.read("config.json")


def test_a_model_comes_back_compiled(models: ModelRegistry) -> None:
    models.register_model(SAMPLES["keras"].make(), "net", "1.0.0")

    assert models.get_model("net").optimizer.name == "adam"


def test_the_signature_tells_shapes_with_free_sizes(models: ModelRegistry) -> None:
    signature = models.register_model(SAMPLES["keras"].make(), "net", "1.0.0").metadata["signature"]

    assert [port["shape"] for port in signature["inputs"] + signature["outputs"]] == [[None, 4], [None, 2]]
    assert signature["inputs"][0]["dtype"] == "float32"
