"""What holds for every adapter in the table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlreg import adapters
from mlreg.adapters import ADAPTERS, signature
from mlreg.adapters.adapter import Adapter, Stored
from mlreg.errors import MlregError, UnsupportedError
from mlreg.registry import ModelRegistry
from tests.unit.adapters.elsewhere import run_elsewhere
from tests.unit.adapters.samples import SAMPLES

every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
FRAMEWORKS = [adapter for adapter in ADAPTERS if adapter.package]
every_framework = pytest.mark.parametrize("adapter", FRAMEWORKS, ids=lambda adapter: adapter.name)
GET_ELSEWHERE = "from tests.unit.adapters.samples import main; main(*sys.argv[1:])"

pytestmark = pytest.mark.filterwarnings("ignore")  # what frameworks warn of when they are imported


def test_every_adapter_has_a_sample() -> None:
    assert set(SAMPLES) == {adapter.name for adapter in ADAPTERS}


def test_names_of_adapters_differ() -> None:
    assert len({adapter.name for adapter in ADAPTERS}) == len(ADAPTERS)


@every_adapter
def test_an_object_is_recognised_by_its_own_adapter_first(adapter: Adapter) -> None:
    model = SAMPLES[adapter.name].make()

    if adapter.name == "pickle":
        assert not adapter.recognises(model)
    else:
        assert adapters.keeper_of(model) is adapter


@every_adapter
def test_another_process_gets_the_same_model_and_keeps_it_as_the_same_bytes(
    adapter: Adapter, models: ModelRegistry
) -> None:
    sample = SAMPLES[adapter.name]
    model = sample.make()
    version = models.register_model(model, "sample", "1.0.0", adapter=adapter.name)

    found = run_elsewhere(GET_ELSEWHERE, adapter.name, models.registry.path)

    assert found["type"] == sample.returns or type(model).__name__
    assert found["answer"] == sample.answer(model)
    assert found["id"] == version.id


@every_adapter
def test_the_same_object_twice_is_one_version(adapter: Adapter, models: ModelRegistry) -> None:
    model = SAMPLES[adapter.name].make()
    first = models.register_model(model, "sample", "1.0.0", adapter=adapter.name)
    second = models.register_model(model, "sample", "1.0.0", adapter=adapter.name)

    assert first.id == second.id


@every_adapter
def test_a_model_that_comes_back_is_kept_as_the_same_bytes(adapter: Adapter, models: ModelRegistry) -> None:
    first = models.register_model(SAMPLES[adapter.name].make(), "sample", "1.0.0", adapter=adapter.name)
    found = models.get_model("sample", trust=adapter.name == "pickle")

    if adapter.name == "keras":
        pytest.skip("a model of keras has an optimizer with other state after it was loaded")
    assert models.register_model(found, "sample", "1.0.0", adapter=adapter.name).id == first.id


@every_adapter
def test_metadata_names_adapter_and_framework_and_is_small(adapter: Adapter, models: ModelRegistry) -> None:
    model = SAMPLES[adapter.name].make()
    metadata = models.register_model(model, "sample", "1.0.0", adapter=adapter.name).metadata

    assert metadata.get("adapter") == (None if adapter.forms else adapter.name)
    assert metadata.get("framework", {}).get("name") == (adapter.package or None)
    assert "+" not in metadata.get("framework", {}).get("version", "")
    assert len(json.dumps(metadata.get("signature", {}))) <= signature.MAX_BYTES


@every_adapter
def test_a_path_of_every_version_can_be_had(adapter: Adapter, models: ModelRegistry, tmp_path: Path) -> None:
    version = models.register_model(SAMPLES[adapter.name].make(), "sample", "1.0.0", adapter=adapter.name)

    place = models.get_path("sample", "1.0.0", tmp_path / "out")

    assert place.is_dir() == (version.form == "directory")
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == version.files


@every_framework
@pytest.mark.parametrize("damage", [b"", b"\0", b"PK\3\4 no zip", b"{}", b"\xff" * 1000, b'{"class": []}'])
def test_files_that_are_no_model_are_refused_with_an_error_of_mlreg(
    adapter: Adapter, damage: bytes, models: ModelRegistry, tmp_path: Path
) -> None:
    models.register_model(SAMPLES[adapter.name].make(), "sample", "1.0.0", adapter=adapter.name)
    place = models.get_path("sample", "1.0.0", tmp_path / "out")
    for number, path in enumerate(path for path in sorted(place.rglob("*")) if path.is_file()):
        right = path.read_bytes()
        path.write_bytes(damage)
        models.registry.add("model/damaged", [place], version=f"1.{number}.0", metadata={"adapter": adapter.name})
        path.write_bytes(right)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "note").touch()
    models.registry.add("model/damaged", [tmp_path / "none"], version="2.0.0", metadata={"adapter": adapter.name})

    for version in models.list_versions("damaged"):
        with pytest.raises(MlregError) as caught:
            models.get_model("damaged", version.version)
        assert caught.value.code in {"bad_model", "bad_safetensors", "untrusted"}


@every_framework
def test_without_the_framework_the_fix_is_one_command(adapter: Adapter, models: ModelRegistry) -> None:
    models.register_model(SAMPLES[adapter.name].make(), "sample", "1.0.0", adapter=adapter.name)
    script = """
import json
from mlreg.errors import UnsupportedError
from mlreg.registry import ModelRegistry

models = ModelRegistry(sys.argv[1], "Ann <ann@example.org>")
try:
    models.get_model("sample")
except UnsupportedError as error:
    print(json.dumps([error.code, error.exit_status, error.message, *error.fix]))
"""
    found = run_elsewhere(script, models.registry.path, without=[adapter.package])

    assert found[:2] == ["missing_extra", UnsupportedError.exit_status]
    assert "\n" not in found[2]
    assert found[3:] == [f"pip install 'mlreg[{adapter.extra}]'"]


def test_recognising_imports_nothing() -> None:
    script = """
import json
from mlreg import adapters
from mlreg.errors import UsageError

for model in ("x", b"x", {}, {"x": 1}, {"x": {"y": [1]}}, object(), 3):
    try:
        adapters.keeper_of(model)
    except UsageError as error:
        assert error.code == "unknown_model_object"
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    packages = {adapter.package for adapter in FRAMEWORKS} | {"numpy", "skops"}

    assert packages.isdisjoint(run_elsewhere(script))


def test_an_extra_of_an_adapter_is_in_the_project() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {adapter.extra for adapter in FRAMEWORKS} <= set(project["optional-dependencies"])


def test_a_version_of_an_adapter_that_is_not_in_the_table_says_what_to_do(tmp_path: Path) -> None:
    stored = Stored("model/net@1.0.0", "directory", {"adapter": "mine"}, [], lambda _: b"", lambda: tmp_path)

    with pytest.raises(UnsupportedError) as caught:
        adapters.loader_of(stored)
    assert caught.value.code == "no_adapter"


def test_the_page_lists_the_adapters_in_their_order_with_their_extras() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (?:`(\w+)`|.) \|$", page, re.MULTILINE)

    assert rows == [(adapter.name, adapter.extra) for adapter in ADAPTERS]
