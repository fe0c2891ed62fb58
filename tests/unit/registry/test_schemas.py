"""What a project demands of metadata holds for all that is registered, copied and corrected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlreg.config import Config
from mlreg.errors import UsageError
from mlreg.registry import ModelRegistry, annotating
from mlreg.registry.places import init
from mlreg.registry.registry import Registry

pytest.importorskip("jsonschema")

SETTINGS = """
registry:
  model:
    metadata_schema:
      "*": schemas/model.yaml
      "vision/*": schemas/vision.v1.json
  data:
    metadata_schema: schemas/data.yaml
"""
MODEL = "required: [license]"
MAP = {"required": ["map"], "properties": {"map": {"maximum": 1}}}
VISION = {"properties": {"metrics": MAP}, "required": ["metrics"]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "below").mkdir()
    (tmp_path / ".mlreg.yaml").write_text(SETTINGS)
    (tmp_path / "schemas/model.yaml").write_text(MODEL)
    (tmp_path / "schemas/vision.v1.json").write_text(json.dumps(VISION))
    (tmp_path / "schemas/data.yaml").write_text("minProperties: 1")
    (tmp_path / "file").write_text("x")
    init(tmp_path, shared=False)
    return tmp_path


@pytest.fixture
def config(project: Path) -> Config:
    """Read from a directory below: the schemas lie where the file says that names them."""
    return Config(project / "below", {"HOME": str(project), "MLREG_AUTHOR": "Ann"})


@pytest.fixture
def registry(config: Config) -> Registry:
    return Registry(**config.get_registry_config())


@pytest.mark.parametrize(
    ("entry", "metadata", "why"),
    [
        ("model/net", {}, "'license' is a required property"),
        ("model/vision/net", {"license": "MIT"}, "'metrics' is a required property"),
        ("model/vision/net", {"license": "MIT", "metrics": {"map": 3}}, "metrics.map: 3 is greater"),
        ("data/rows", {}, "should be non-empty"),
    ],
)
def test_what_breaks_a_schema_is_refused_by_the_path_and_nothing_is_registered(
    registry: Registry, project: Path, entry: str, metadata: dict[str, object], why: str
) -> None:
    with pytest.raises(UsageError) as caught:
        registry.add(entry, [project / "file"], version="auto", metadata=metadata)

    assert caught.value.code == "schema_violation"
    assert why in caught.value.why
    assert str(project / "schemas") in caught.value.message
    assert registry.entries() == []


def test_what_keeps_all_schemas_for_its_name_is_registered(registry: Registry, project: Path) -> None:
    good = {"license": "MIT", "metrics": {"map": 0.9}}
    registry.add("model/net", [project / "file"], version="1.0.0", metadata={"license": "MIT"})
    registry.add("model/vision/net", [project / "file"], version="1.0.0", metadata=good)
    registry.add("data/rows", [project / "file"], bump="date", metadata={"rows": 1})

    assert len(registry.entries()) == 3


def test_a_copy_and_a_correction_keep_them_too(registry: Registry, project: Path) -> None:
    registry.add("model/net", [project / "file"], version="1.0.0", metadata={"license": "MIT"})

    for change in (
        lambda: registry.copy("model/net@1.0.0", "model/vision/net", version="1.0.0"),
        lambda: annotating.correct(registry, "model/net@1.0.0", {}, ["license"]),
    ):
        with pytest.raises(UsageError) as caught:
            change()
        assert caught.value.code == "schema_violation"
    assert registry.show("model/net@1.0.0").metadata == {"license": "MIT"}


def test_a_copy_is_judged_by_what_was_corrected(registry: Registry, project: Path) -> None:
    registry.add("model/net", [project / "file"], version="1.0.0", metadata={"license": "MIT"})
    annotating.correct(registry, "model/net@1.0.0", {"metrics": {"map": 0.5}}, ())

    copied = registry.copy("model/net@1.0.0", "model/vision/net", version="1.0.0")

    assert copied.version.metadata == {"license": "MIT", "metrics": {"map": 0.5}}


def test_a_renamed_entry_keeps_the_schemas_of_its_new_name(registry: Registry, project: Path) -> None:
    registry.add("model/net", [project / "file"], version="1.0.0", metadata={"license": "MIT"})
    annotating.rename(registry, "model/net", "model/vision/net")

    with pytest.raises(UsageError):
        registry.add("model/net", [project / "file"], version="1.1.0", metadata={"license": "MIT"})


def test_training_code_is_held_to_them(config: Config) -> None:
    models = ModelRegistry(**config.get_registry_config())
    with pytest.raises(UsageError) as caught:
        models.register_model(b"weights", "net", "1.0.0")
    assert caught.value.code == "schema_violation"


@pytest.mark.parametrize("text", [None, "a: [", "- not a mapping", "type: nothing"])
def test_a_schema_that_is_none_is_named(registry: Registry, project: Path, text: str | None) -> None:
    path = project / "schemas/model.yaml"
    path.unlink() if text is None else path.write_text(text)

    with pytest.raises(UsageError) as caught:
        registry.add("model/net", [project / "file"], version="1.0.0", metadata={"license": "MIT"})

    assert caught.value.code in {"bad_config", "bad_yaml", "bad_schema"}
    assert str(path) in caught.value.message
    assert registry.entries() == []


def test_a_pattern_with_dots_is_one_key_when_it_is_written(config: Config) -> None:
    config.set("registry.data.metadata_schema.v1.*", "/schemas/data.json")
    again = Config(config.directory, config.environment)
    assert again.get("registry.data.metadata_schema.v1.*").value == "/schemas/data.json"
