"""Real weights, tables and pictures go in and come back by the id that their bytes have; so do their tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3

from benchmarks.corpus import CORPUS, RealFile, real_files
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.tensors import format_of

AUTHOR = "Ann Lee <ann@example.org>"
VERSION = "data/real@2026.01.01"
TENSORS = {
    "minilm_l6_v2.safetensors": 104,
    "craft_mlt_25k.pth": 0,
    "ch_PP-OCRv4_det.onnx": 336,
    "silero_vad-6.2.3.onnx": 344,
    "silero_vad-6.2.3.jit": 33,
    "silero_vad_16k.safetensors": 15,
    "silero_vad_half-6.2.3.onnx": 172,
    "ski_lfw_subset.npy": 1,
}
"""What the libraries of the formats find in some of them; in pictures and tables there are none."""


def the_path(file: RealFile) -> Path:
    path = CORPUS / file.file
    if not path.exists():
        pytest.skip(f"{path.name} is not there: python -m benchmarks.corpus gets it")
    return path


@pytest.mark.parametrize("file", real_files(), ids=lambda file: file.file)
def test_a_real_file_comes_back_by_its_id_and_so_do_its_tensors(file: RealFile, tmp_path: Path) -> None:
    path = the_path(file)
    whole = path.read_bytes()
    place, _ = init(tmp_path / "one", shared=False)
    Registry(place, AUTHOR).add("data/real", [path], version="2026.01.01")

    registry = Registry(place, "")
    (listed,) = registry.files(VERSION)
    assert listed.id == blake3(whole).hexdigest()
    registry.get(VERSION, tmp_path / "out")
    assert (tmp_path / "out" / path.name).read_bytes() == whole

    tensors = registry.tensors(VERSION)
    assert len(tensors) == TENSORS.get(file.file, len(tensors))
    kind = format_of(whole)
    places = kind.tensors(lambda start, size: whole[start : start + size], len(whole)) if kind and tensors else ()
    for place_of, tensor in zip(places[::7], tensors[::7], strict=True):
        assert b"".join(registry.cat(tensor.ref)) == whole[place_of.start : place_of.end]
