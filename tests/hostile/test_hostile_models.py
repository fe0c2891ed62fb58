"""Models that are files of someone who means harm: what loads them runs nothing, reads nothing else, and ends.

And objects that nothing but pickle could keep: the refusal says what to do instead.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlreg.adapters import ADAPTERS, archive
from mlreg.adapters.adapter import Adapter
from mlreg.adapters.archive import read_archive, refuse_bomb, write_archive
from mlreg.errors import IntegrityError, MlregError
from mlreg.operations.scanning import Source
from mlreg.registry import ModelRegistry
from mlreg.registry.comparing import compare
from mlreg.registry.places import init
from tests.hostile.conftest import digest_of
from tests.unit.adapters.samples import SAMPLES
from tests.unit.tensors.test_safetensors import HOSTILE

os.environ.setdefault("KERAS_BACKEND", "torch")

pytestmark = pytest.mark.filterwarnings("ignore")  # what frameworks warn of when they are imported


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture
def models(tmp_path: Path) -> ModelRegistry:
    init(tmp_path / "place", shared=True)
    return ModelRegistry(tmp_path / "place", "Ann", tmp_path / "cache")


def refuses(load: Callable[[], object]) -> MlregError:
    """Return the error that loading ends in, which is one of mlreg and can be shown."""
    with pytest.raises(MlregError) as caught:
        load()
    assert caught.value.exit_status in (6, 11, 13)
    assert len(caught.value.message) + len(caught.value.why) < 3000
    return caught.value


Plant = Callable[[str, dict[str, bytes]], None]


@pytest.fixture
def plant(models: ModelRegistry, tmp_path: Path) -> Plant:
    """Return a function that registers files as if the adapter of that name had written them, as model/evil."""

    def run(adapter: str, files: dict[str, bytes]) -> None:
        (tmp_path / "evil").mkdir()
        for name, data in files.items():
            (tmp_path / "evil" / name).write_bytes(data)
        models.registry.add("model/evil", [tmp_path / "evil"], version="1.0.0", metadata={"adapter": adapter})

    return run


def kept(models: ModelRegistry, adapter: str) -> dict[str, bytes]:
    """Return the files of a good model."""
    models.register_model(SAMPLES[adapter].make(), "good", "1.0.0")
    place = models.get_path("good")
    return {path.name: path.read_bytes() for path in place.iterdir()}


# Safetensors, by both ways in which mlreg itself reads them.


@pytest.mark.parametrize("data", [data for _, data in HOSTILE.values()], ids=HOSTILE)
def test_hostile_tensors_are_stored_compared_and_never_loaded(data: bytes, models: ModelRegistry) -> None:
    models.registry.register("model/evil", [Source("model.safetensors", lambda: (data,))], "arrays", version="1.0.0")
    models.registry.register("model/evil", [Source("model.safetensors", lambda: (b"{}",))], "arrays", version="1.0.1")

    assert refuses(lambda: models.get_model("evil", "1.0.0")).code == "bad_safetensors"
    assert b"".join(models.registry.cat("model/evil@1.0.0:model.safetensors")) == data
    found = compare(models.registry, "model/evil@1.0.0", "model/evil@1.0.1")
    assert [change.change for change in found.files or ()] == ["changed"]
    assert models.registry.verify().problems == ()


# Pickles in the place of everything else.

NAMES = ("model.safetensors", "model.skops", "model.keras", "model.onnx", "model.ubj", "model.txt", "model.pickle",
         "model.bin", "model.npz", "pytorch_model.bin", "class.json", "config.json")  # fmt: skip
IN_FOLDERS = [adapter for adapter in ADAPTERS if not adapter.forms]


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("adapter", IN_FOLDERS, ids=lambda adapter: adapter.name)
def test_a_pickle_in_the_place_of_a_model_is_not_unpickled(
    adapter: Adapter, trust: bool, models: ModelRegistry, plant: Plant, tmp_path: Path
) -> None:
    if adapter.name == "pickle" and trust:
        pytest.skip("this is what was asked for")
    for package in filter(None, (adapter.package, "skops" if adapter.name == "sklearn" else "")):
        pytest.importorskip(package)
    program = pickle.dumps(Touch(tmp_path / "pwned"))
    note = json.dumps({"class": "Booster"}).encode()
    plant(adapter.name, dict.fromkeys(NAMES, program) | {"class.json": note})

    assert refuses(lambda: models.get_model("evil", trust=trust)).code in {"bad_model", "bad_safetensors", "untrusted"}
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "name", ["model.pt", "model.pth", "model.pkl", "model.joblib", "model.npy", "pytorch_model.bin"]
)
def test_a_file_with_code_in_it_comes_back_as_a_path_and_is_never_loaded(
    name: str, models: ModelRegistry, tmp_path: Path
) -> None:
    program = pickle.dumps(Touch(tmp_path / "pwned"))
    (tmp_path / name).write_bytes(program)
    models.register_model(tmp_path / name, "file", "1.0.0")

    for trust in (False, True):
        assert models.get_model("file", trust=trust).read_bytes() == program
    assert not (tmp_path / "pwned").exists()


# Torch.


@pytest.fixture
def torch_files(tmp_path: Path) -> dict[str, bytes]:
    """Files that torch would unpickle, each with code in it."""
    torch = pytest.importorskip("torch")
    found = {}
    for name, options in {"zip": {}, "old": {"_use_new_zipfile_serialization": False}}.items():
        buffer = io.BytesIO()
        torch.save({"weight": torch.ones(2), "evil": Touch(tmp_path / "pwned")}, buffer, **options)
        found[name] = buffer.getvalue()
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), buffer)
    return found | {"script": buffer.getvalue()}


@pytest.mark.parametrize("name", ["zip", "old", "script"])
def test_a_file_of_torch_is_not_loaded_whatever_it_is_called_and_with_trust(
    name: str, torch_files: dict[str, bytes], models: ModelRegistry, plant: Plant, tmp_path: Path
) -> None:
    import torch

    plant("torch", {"model.safetensors": torch_files[name], "model.pt": torch_files[name]})

    for trust in (False, True):
        for into in (None, torch.nn.Linear(1, 1)):
            code = refuses(partial(models.get_model, "evil", into=into, trust=trust)).code
            assert code == "bad_safetensors"
    assert not (tmp_path / "pwned").exists()


# What does not fit its form, by someone who writes commits without mlreg.


@pytest.mark.parametrize("form", ["file", "bytes", "arrays"])
@pytest.mark.parametrize("names", [[], ["a", "b"]], ids=["no file", "two files"])
def test_a_version_with_another_number_of_files_than_its_form_has_is_damage(
    names: list[str], form: str, models: ModelRegistry
) -> None:
    sources = [Source(name, lambda: (b"x",)) for name in names]
    models.registry.register("model/evil", sources, form, version="1.0.0")

    for load in (models.get_model, models.get_path):
        assert refuses(partial(load, "evil")).code == "bad_model"


# Zip archives.


def bomb(members: dict[str, bytes], name: str, size: int) -> bytes:
    """Return a zip with a member of so many zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as found:
        for member, data in members.items():
            if member != name:
                found.writestr(member, data)
        found.writestr(name, bytes(size))
    return buffer.getvalue()


def with_size(data: bytes, size: int) -> bytes:
    """Return a zip whose last entry claims so many bytes."""
    at = data.rindex(b"PK\x01\x02")
    return data[: at + 24] + size.to_bytes(4, "little") + data[at + 28 :]


@pytest.fixture
def _small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ALWAYS_ALLOWED", 1 << 20)


@pytest.mark.usefixtures("_small_limit")
@pytest.mark.parametrize(("adapter", "file"), [("sklearn", "model.skops"), ("keras", "model.keras")])
def test_an_archive_that_unpacks_to_far_more_than_it_has_is_refused(
    adapter: str, file: str, models: ModelRegistry, plant: Plant
) -> None:
    members = read_archive(samples_of(models, adapter)[file])
    plant(adapter, {file: bomb(members, list(members)[-1], 64 << 20)})

    error = refuses(lambda: models.get_model("evil", trust=True))
    assert (error.code, "unpacks to" in error.why) == ("bad_model", True)


def samples_of(models: ModelRegistry, adapter: str) -> dict[str, bytes]:
    """Return the files of a good model of a framework that is installed."""
    for package in {"sklearn": ("sklearn", "skops"), "keras": ("keras",), "onnx": ("onnx",)}[adapter]:
        pytest.importorskip(package)
    return kept(models, adapter)


@pytest.mark.usefixtures("_small_limit")
def test_a_bomb_is_known_by_the_sum_of_its_members_and_by_what_they_claim() -> None:
    honest = write_archive({"a": b"x" * (1 << 20), "b": b"y" * (1 << 20)})
    refuse_bomb(io.BytesIO(honest))

    for data in (
        bomb({}, "a", 64 << 20),
        bomb({f"m{number}": bytes(1 << 18) for number in range(64)}, "a", 1),
        with_size(write_archive({"a": b"x"}), 0xFFFF_FFFE),
    ):
        with pytest.raises(ValueError, match="unpacks to"):
            refuse_bomb(io.BytesIO(data))


def test_a_member_gives_no_more_than_its_entry_says() -> None:
    lying = with_size(bomb({}, "a", 64 << 20), 1000)
    refuse_bomb(io.BytesIO(lying))

    with pytest.raises(zipfile.BadZipFile):
        read_archive(lying)


# Skops.


def npy_with(value: object) -> bytes:
    """Return an .npy file with an object in it."""
    numpy = importlib.import_module("numpy")
    array = numpy.empty(1, dtype=object)
    array[0] = value
    buffer = io.BytesIO()
    numpy.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


SKOPS: dict[str, Callable[[dict[str, bytes], str, Path], bytes]] = {
    "no zip": lambda members, array, place: b"PK",
    "no schema": lambda members, array, place: write_archive({array: members[array]}),
    "a schema that is a list": lambda members, array, place: write_archive({"schema.json": b"[]"}),
    "a schema of depth 100,000": lambda members, array, place: write_archive(
        {"schema.json": b'{"content":' * 100_000 + b"1" + b"}" * 100_000}
    ),
    "an array outside of it": lambda members, array, place: write_archive(
        members | {"schema.json": members["schema.json"].replace(f'"{array}"'.encode(), b'"/etc/passwd"')}
    ),
    "an array that is a pickle": lambda members, array, place: write_archive(
        members | {array: pickle.dumps(Touch(place))}
    ),
    "an array with a pickle in it": lambda members, array, place: write_archive(
        members | {array: npy_with(Touch(place))}
    ),
    "an array whose type is a program": lambda members, array, place: write_archive(
        members | {array: b"\x93NUMPY\x01\x00\x50\x00" + b"{'descr': __import__('os').abort(), }".ljust(79) + b"\n"}
    ),
    "a loader that is none": lambda members, array, place: write_archive(
        members | {"schema.json": members["schema.json"].replace(b'"ObjectNode"', b'"os.system"')}
    ),
}


@pytest.mark.parametrize("make", SKOPS.values(), ids=SKOPS)
def test_a_hostile_skops_file_is_refused_even_with_trust(
    make: Callable[[dict[str, bytes], str, Path], bytes], models: ModelRegistry, plant: Plant, tmp_path: Path
) -> None:
    members = read_archive(samples_of(models, "sklearn")["model.skops"])
    array = next(name for name in members if name.endswith(".npy"))
    plant("sklearn", {"model.skops": make(members, array, tmp_path / "pwned")})

    for trust in (False, True):
        refuses(partial(models.get_model, "evil", trust=trust))
    assert refuses(lambda: models.get_model("evil", trust=True)).code == "bad_model"
    assert not (tmp_path / "pwned").exists()


# onnx.

LOCATIONS: dict[str, tuple[list[tuple[str, str]], str]] = {
    "two places, the second outside": ([("location", "weights"), ("location", "/etc/hostname")], "unsafe_data"),
    "two places, the first outside": ([("location", "/etc/hostname"), ("location", "weights")], "unsafe_data"),
    "two places, one above": ([("location", "weights"), ("location", "../../secret")], "unsafe_data"),
    "the same by a longer way": ([("location", "./weights")], "unsafe_data"),
    "a NUL behind it": ([("location", "weights\0")], "unsafe_data"),
    "no place": ([("offset", "0")], "unsafe_data"),
    "a negative offset": ([("location", "weights"), ("offset", "-5")], "bad_model"),
    "an offset behind the end": ([("location", "weights"), ("offset", str(2**62))], "bad_model"),
    "more than there is": ([("location", "weights"), ("length", str(2**62))], "bad_model"),
    "a length that is no number": ([("location", "weights"), ("length", "x")], "bad_model"),
}


@pytest.mark.parametrize(("entries", "code"), LOCATIONS.values(), ids=LOCATIONS)
def test_data_of_onnx_is_read_from_the_version_alone(
    entries: list[tuple[str, str]], code: str, models: ModelRegistry, plant: Plant
) -> None:
    onnx: Any = pytest.importorskip("onnx")
    model = SAMPLES["onnx"].make()
    weight = model.graph.initializer[0]
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries:
        weight.external_data.add(key=key, value=value)
    plant("onnx", {"model.onnx": model.SerializeToString(), "weights": b"\0\0\x80\x3f" * 4})

    assert refuses(lambda: models.get_model("evil", trust=True)).code == code


NO_ONNX = {"empty": b"", "deep": b"\x3a\x80\x80\x04" * 10_000, "noise": bytes(range(256)) * 10}


@pytest.mark.parametrize("data", NO_ONNX.values(), ids=NO_ONNX)
def test_what_is_no_model_of_onnx_is_refused(data: bytes, models: ModelRegistry, plant: Plant) -> None:
    pytest.importorskip("onnx")
    plant("onnx", {"model.onnx": data})

    assert refuses(lambda: models.get_model("evil")).code == "bad_model"


# keras.


def layer(module: str, word: str, /, **config: object) -> Callable[[dict[str, bytes], Path], dict[str, bytes]]:
    """Return what puts a layer into an archive."""

    def run(members: dict[str, bytes], secret: Path) -> dict[str, bytes]:
        found = json.loads(members["config.json"])
        filled = {key: str(secret) if value == "SECRET" else value for key, value in config.items()}
        found["config"]["layers"].insert(
            1, {"module": module, "class_name": word, "config": filled, "registered_name": None}
        )
        return members | {"config.json": json.dumps(found).encode()}

    return run


def weights(damage: Callable[[Any, str, Path], None]) -> Callable[[dict[str, bytes], Path], dict[str, bytes]]:
    """Return what replaces the first array of the weights in an archive."""

    def run(members: dict[str, bytes], secret: Path) -> dict[str, bytes]:
        h5py: Any = importlib.import_module("h5py")
        with h5py.File(secret, "w") as file:
            file["d"] = [9.0] * 3
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "a") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            del file[names[0]]
            damage(file, names[0], secret)
        return members | {"model.weights.h5": buffer.getvalue()}

    return run


def linked(file: Any, name: str, secret: Path) -> None:
    file[name] = importlib.import_module("h5py").ExternalLink(str(secret), "/d")


def stored_outside(file: Any, name: str, secret: Path) -> None:
    file.create_dataset(name, (3,), dtype="f4", external=[(str(secret), 0, 12)])


def virtual(file: Any, name: str, secret: Path) -> None:
    h5py: Any = importlib.import_module("h5py")
    layout = h5py.VirtualLayout(shape=(3,), dtype="f4")
    layout[...] = h5py.VirtualSource(str(secret), "d", shape=(3,))
    file.create_virtual_dataset(name, layout)


def enormous(file: Any, name: str, _: Path) -> None:
    file.create_dataset(name, (10**6, 10**6), dtype="f4", chunks=(1000, 1000), compression="gzip")


KERAS: dict[str, Callable[[dict[str, bytes], Path], dict[str, bytes]]] = {
    "a download": layer("keras.utils", "get_file", fname="x", origin="file:///etc/hostname"),
    "a function of Python": layer("builtins", "function", config="eval"),
    "a function that unpacks": layer("keras.src.utils.file_utils", "extract_archive", file_path="SECRET"),
    "words of a file": layer("keras.layers", "StringLookup", name="s", vocabulary="SECRET"),
    "a layer with a pickle": layer("keras.layers", "TorchModuleWrapper", module="SECRET"),
    "a link to another file": weights(linked),
    "data in another file": weights(stored_outside),
    "a view of another file": weights(virtual),
    "an array beyond the memory": weights(enormous),
    "a config of depth 100,000": lambda members, secret: (
        members | {"config.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000}
    ),
    "a config that is a list": lambda members, secret: members | {"config.json": b"[]"},
    "no config": lambda members, secret: {name: data for name, data in members.items() if name != "config.json"},
    "no weights": lambda members, secret: {name: data for name, data in members.items() if "weights" not in name},
}


@pytest.mark.parametrize("name", KERAS)
def test_a_hostile_keras_archive_is_refused(name: str, models: ModelRegistry, plant: Plant, tmp_path: Path) -> None:
    if name == "words of a file":
        pytest.importorskip("tensorflow", reason="without it there is no such layer, and nothing that could be refused")
    members = read_archive(samples_of(models, "keras")["model.keras"])
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret\n")
    plant("keras", {"model.keras": write_archive(KERAS[name](members, secret))})

    assert refuses(lambda: models.get_model("evil")).code in {"bad_model", "untrusted"}


@pytest.mark.parametrize("name", ["../../pwned", "a/../../../pwned", "C:\\pwned", ""])
def test_a_member_of_a_keras_archive_leaves_nothing_outside(
    name: str, models: ModelRegistry, plant: Plant, tmp_path: Path
) -> None:
    members = read_archive(samples_of(models, "keras")["model.keras"])
    plant("keras", {"model.keras": write_archive(members | {name or str(tmp_path / "pwned"): b"pwned"})})

    with suppress(IntegrityError):
        models.get_model("evil")
    assert not list(tmp_path.rglob("*pwned*"))


# What only pickle could keep.


def generator() -> Iterator[int]:
    yield 1


class Model:
    """An object of a class of the caller's."""

    def __call__(self) -> Callable[[], int]:
        return lambda: 1


CANNOT: dict[str, Callable[[], object]] = {
    "an object of one's own": Model,
    "a class": lambda: Model,
    "a function": lambda: generator,
    "a function without a name": lambda: lambda: 1,
    "a generator": generator,
    "a module": lambda: json,
    "a number": lambda: 5,
    "nothing": lambda: None,
    "a list of arrays": lambda: [importlib.import_module("numpy").ones(2)],
    "an array without a name": lambda: importlib.import_module("numpy").ones(2),
    "a mapping of objects": lambda: {"a": Model()},
    "a mapping that is not all arrays": lambda: {"a": importlib.import_module("numpy").ones(2), "b": 1},
    "an array of objects": lambda: {"a": importlib.import_module("numpy").array([Model()])},
    "an array of texts": lambda: {"a": importlib.import_module("numpy").array(["x"])},
    "an array of times": lambda: {"a": importlib.import_module("numpy").array(["2026-01-01"], "M8[D]")},
    "an array under a number": lambda: {1: importlib.import_module("numpy").ones(2)},
}


@pytest.mark.parametrize("make", CANNOT.values(), ids=CANNOT)
def test_what_only_pickle_could_keep_is_refused_with_what_to_do_and_leaves_nothing(
    make: Callable[[], object], models: ModelRegistry, tmp_path: Path
) -> None:
    before = digest_of(tmp_path / "place")

    with pytest.raises(MlregError) as caught:
        models.register_model(make(), "net", "1.0.0")

    error = caught.value
    assert (error.code, error.exit_status) in {("unknown_model_object", 2), ("bad_array", 2), ("cannot_keep", 2)}
    assert error.fix or error.code == "bad_array"
    assert "pickle" not in error.message
    assert digest_of(tmp_path / "place") == before
