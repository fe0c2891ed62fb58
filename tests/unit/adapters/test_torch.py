"""torch: what is kept of modules and state dicts, and what is refused."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import IntegrityError, UsageError
from mlreg.registry import ModelRegistry
from mlreg.tensors import safetensors
from tests.unit.adapters.elsewhere import run_elsewhere

torch = pytest.importorskip("torch", reason="torch is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")


def tied_module() -> Any:
    """Return a module in which two layers share their weights."""
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.Linear(4, 7, bias=False))
    module[1].weight = module[0].weight
    return module


def test_a_module_that_the_caller_built_is_filled_in_another_process(models: ModelRegistry) -> None:
    module = torch.nn.Linear(3, 2)
    models.register_model(module, "linear", "1.0.0")
    script = """
import json, torch
from mlreg.registry import ModelRegistry

module = torch.nn.Linear(3, 2)
found = ModelRegistry(sys.argv[1], "").get_model("linear", into=module)
print(json.dumps([found is module, module(torch.ones(3)).tolist()]))
"""
    assert run_elsewhere(script, models.registry.path) == [True, module(torch.ones(3)).tolist()]


DTYPES = [dtype.array for dtype in safetensors.DTYPES if dtype.array and hasattr(torch, dtype.array)]


@pytest.mark.parametrize("name", DTYPES)
def test_every_type_of_element_comes_back(name: str, models: ModelRegistry) -> None:
    dtype = getattr(torch, name)
    words = torch.arange(2 * 3 * dtype.itemsize, dtype=torch.uint8).reshape(2, -1) % 2
    tensor = words.view(dtype) if name != "bool" else words.bool()
    models.register_model({"x": tensor}, "types", "1.0.0")

    found = models.get_model("types")["x"]

    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(found.view(torch.uint8), tensor.view(torch.uint8))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(12.0)[::3],
        torch.tensor(3.5),
        torch.zeros(0, 3),
        torch.ones(2, 2).expand(3, 2, 2),
        torch.nn.Parameter(torch.ones(2)),
    ],
    ids=["transposed", "strided", "scalar", "empty", "expanded", "parameter"],
)
def test_a_tensor_of_any_layout_comes_back(tensor: Any, models: ModelRegistry) -> None:
    models.register_model({"x": tensor}, "layouts", "1.0.0")

    assert torch.equal(models.get_model("layouts")["x"], tensor.detach())


def test_tied_weights_are_kept_once_and_come_back_tied(models: ModelRegistry) -> None:
    module = tied_module()
    version = models.register_model(module, "tied", "1.0.0")

    state = models.get_model("tied")
    assert set(state) == {"0.weight", "1.weight"}
    assert state["0.weight"] is state["1.weight"]
    assert version.metadata["signature"] == {"tensors": 1, "parameters": 28}
    assert torch.equal(models.get_model("tied", into=tied_module())[1].weight, module[1].weight)


def test_tensors_that_share_memory_but_differ_are_kept_as_they_are(models: ModelRegistry) -> None:
    whole = torch.arange(6.0)
    models.register_model({"whole": whole, "part": whole[:3], "matrix": whole.reshape(2, 3)}, "views", "1.0.0")

    found = models.get_model("views")
    assert torch.equal(found["whole"], whole)
    assert torch.equal(found["part"], whole[:3])
    assert torch.equal(found["matrix"], whole.reshape(2, 3))


def test_empty_tensors_are_not_taken_for_tied_ones(models: ModelRegistry) -> None:
    models.register_model({"a": torch.zeros(0), "b": torch.zeros(0)}, "empty", "1.0.0")
    found = models.get_model("empty")

    assert found["a"] is not found["b"]


def test_a_file_is_one_that_the_library_of_safetensors_reads(models: ModelRegistry) -> None:
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    models.register_model(tied_module(), "tied", "1.0.0")

    module = tied_module()
    with torch.no_grad():
        module[0].weight.zero_()
    library.load_model(module, models.get_path("tied") / "model.safetensors")
    assert torch.equal(module[1].weight, tied_module()[1].weight)


def test_a_module_of_other_tensors_is_refused_by_name_and_stays_as_it_was(models: ModelRegistry) -> None:
    models.register_model({"weight": torch.ones(2, 3), "more": torch.ones(1)}, "other", "1.0.0")
    module = torch.nn.Linear(4, 2)
    before = module.weight.detach().clone()

    with pytest.raises(UsageError) as caught:
        models.get_model("other", into=module)
    assert caught.value.code == "tensors_differ"
    assert caught.value.why == "missing in the version: bias; not in the module: more; of another shape: weight"
    assert torch.equal(module.weight, before)


def test_a_model_is_only_filled_into_a_module(models: ModelRegistry) -> None:
    models.register_model({"x": torch.ones(1)}, "state", "1.0.0")

    with pytest.raises(UsageError) as caught:
        models.get_model("state", into={})
    assert caught.value.code == "no_into"


@pytest.mark.parametrize(
    "state",
    [
        {"weight": torch.ones(2), "step": 3},
        {"model": {"weight": torch.ones(2)}, "epoch": 3},
        {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
        {"weight": torch.ones(2), "other": torch.ones(2).to_sparse()},
        {"weight": torch.ones(2), "other": torch.ones(2, device="meta")},
        {"weight": torch.ones(2), "other": torch.ones(2, dtype=torch.complex64)},
    ],
    ids=["number", "checkpoint", "optimizer", "sparse", "meta", "complex"],
)
def test_what_is_no_dense_tensor_is_refused_by_name(state: Any, models: ModelRegistry) -> None:
    with pytest.raises(UsageError) as caught:
        models.register_model(state, "odd", "1.0.0")
    assert caught.value.code == "cannot_keep"
    assert any(f"'{name}'" in caught.value.message for name in state)
    assert caught.value.fix


class Boom:
    """What unpickling it does can be seen."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_in_the_place_of_the_tensors_is_not_unpickled(models: ModelRegistry, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    torch.save(Boom(tmp_path / "pwned"), evil / "model.safetensors")
    assert zipfile.is_zipfile(evil / "model.safetensors")
    models.registry.add("model/evil", [evil], version="1.0.0", metadata={"adapter": "torch"})

    for trust in (False, True):
        with pytest.raises(IntegrityError) as caught:
            models.get_model("evil", trust=trust)
        assert caught.value.code == "bad_safetensors"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pkl"])
def test_a_file_of_torch_that_is_registered_as_a_path_is_never_loaded(
    name: str, models: ModelRegistry, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Boom(tmp_path / "pwned")))
    models.register_model(tmp_path / name, "file", "1.0.0")

    found = models.get_model("file", trust=True)
    assert found.read_bytes() == (tmp_path / name).read_bytes()
    assert not (tmp_path / "pwned").exists()


def test_a_note_of_an_alias_that_fits_nothing_is_passed_over(models: ModelRegistry, tmp_path: Path) -> None:
    rows = [safetensors.Tensor(name, "F32", (1,), lambda: b"\0\0\x80\x3f") for name in ("x", "w")]
    evil = tmp_path / "evil"
    evil.mkdir()
    notes = {"w": "x", "x": "y", "y": "nothing", "format": "pt", "z": "x"}
    (evil / "model.safetensors").write_bytes(b"".join(safetensors.encode(rows, notes)))
    models.registry.add("model/evil", [evil], version="1.0.0", metadata={"adapter": "torch"})

    found = models.get_model("evil")
    assert set(found) == {"w", "x", "z"}
    assert found["w"] is not found["x"]
    assert found["x"].tolist() == [1.0]


def test_truth_values_that_are_neither_0_nor_1_are_true(models: ModelRegistry, tmp_path: Path) -> None:
    rows = [safetensors.Tensor("x", "BOOL", (3,), lambda: b"\0\1\xff")]
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "model.safetensors").write_bytes(b"".join(safetensors.encode(rows)))
    models.registry.add("model/odd", [tmp_path / "odd"], version="1.0.0", metadata={"adapter": "torch"})

    assert models.get_model("odd")["x"].view(torch.uint8).tolist() == [0, 1, 1]


def test_a_version_whose_tensors_are_gone_is_told_as_damage(models: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "note").write_text("no tensors")
    models.registry.add("model/none", [tmp_path / "none"], version="1.0.0", metadata={"adapter": "torch"})

    with pytest.raises(IntegrityError) as caught:
        models.get_model("none")
    assert caught.value.code == "bad_model"
