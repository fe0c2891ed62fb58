"""transformers: models and tokenizers by the classes of transformers, with no code but its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import IntegrityError, RefusedError, UsageError
from mlreg.registry import ModelRegistry
from tests.unit.adapters.samples import SAMPLES, answer_of_transformers

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")


def evil_folder(models: ModelRegistry, place: Path) -> Path:
    """Return the files of a model, to be changed and registered again."""
    models.register_model(SAMPLES["transformers"].make(), "net", "1.0.0")
    return models.get_path("net", directory=place)


def register(models: ModelRegistry, place: Path) -> None:
    """Register a folder as if the adapter had written it."""
    models.registry.add("model/evil", [place], version="1.0.0", metadata={"adapter": "transformers"})


def test_a_tokenizer_comes_back(models: ModelRegistry) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    unknown = {"unk_token": "[UNK]"}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "[UNK]": 2}, **unknown))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, **unknown)
    version = models.register_model(tokenizer, "words", "1.0.0")

    assert models.get_model("words")("a b c")["input_ids"] == [0, 1, 2]
    assert version.metadata["signature"] == {"vocabulary": 3}
    assert models.register_model(tokenizer, "words", "1.0.0").id == version.id


def test_weights_come_back_in_their_own_precision(models: ModelRegistry) -> None:
    models.register_model(SAMPLES["transformers"].make().to(torch.bfloat16), "net", "1.0.0")

    assert models.get_model("net").dtype is torch.bfloat16


def test_a_class_that_is_not_of_transformers_is_refused(models: ModelRegistry) -> None:
    mine = type("Mine", (transformers.BertModel,), {})
    config = SAMPLES["transformers"].make().config
    with pytest.raises(UsageError) as caught:
        models.register_model(mine(config), "net", "1.0.0")
    assert caught.value.code == "cannot_keep"


@pytest.mark.parametrize(
    "name", ["os", "AutoModel", "pipeline", "AutoModel.from_config", "__class__", "Trainer", "is_torch_available"]
)
def test_what_is_no_model_of_transformers_is_not_called(name: str, models: ModelRegistry, tmp_path: Path) -> None:
    place = evil_folder(models, tmp_path / "evil")
    (place / "class.json").write_text(json.dumps({"class": name}))
    register(models, place)

    with pytest.raises(IntegrityError) as caught:
        models.get_model("evil", trust=True)
    assert caught.value.code == "bad_model"


def changed(place: Path, **fields: Any) -> None:
    """Change the config of a folder."""
    path = place / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    "fields",
    [{"auto_map": {"AutoModel": "evil.Evil"}}, {"_attn_implementation": "evil/kernel"}],
    ids=["auto_map", "kernel"],
)
def test_code_that_a_config_names_needs_trust(fields: Any, models: ModelRegistry, tmp_path: Path) -> None:
    place = evil_folder(models, tmp_path / "evil")
    changed(place, **fields)
    (place / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    register(models, place)

    with pytest.raises(RefusedError) as caught:
        models.get_model("evil")
    assert caught.value.code == "untrusted"
    assert not (tmp_path / "pwned").exists()


def test_weights_in_a_pickle_are_not_read(models: ModelRegistry, tmp_path: Path) -> None:
    place = evil_folder(models, tmp_path / "evil")
    (place / "model.safetensors").unlink()
    torch.save(SAMPLES["transformers"].make().state_dict(), place / "pytorch_model.bin")
    register(models, place)

    for trust in (False, True):
        with pytest.raises(IntegrityError) as caught:
            models.get_model("evil", trust=trust)
        assert caught.value.code == "bad_model"


def test_the_model_is_that_of_its_own_files(models: ModelRegistry) -> None:
    model = SAMPLES["transformers"].make()
    version = models.register_model(model, "net", "1.0.0")

    assert answer_of_transformers(models.get_model("net")) == answer_of_transformers(model)
    parameters = sum(tensor.numel() for tensor in model.parameters())
    assert version.metadata["signature"]["parameters"] == parameters
