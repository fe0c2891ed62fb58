"""Numbers that nobody announced: found in weights, and not seen in text, JSON and noise."""

from __future__ import annotations

import json
import random
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from mlreg.codecs import choose
from mlreg.codecs.choose import encode_best
from mlreg.codecs.planes import Shape
from mlreg.codecs.sniff import sniff

COUNT = 256 * 1024
NORMAL = np.random.default_rng(0).standard_normal(COUNT) * 0.02

FOUND = {
    "bf16": (NORMAL.astype(ml_dtypes.bfloat16).tobytes(), Shape(2, is_rotated=True)),
    "fp32": (NORMAL.astype(np.float32).tobytes(), Shape(4, is_rotated=True)),
    "fp64": (NORMAL.tobytes(), Shape(8, is_rotated=True)),
    "int32": (np.random.default_rng(1).integers(0, 1 << 26, COUNT, np.int32).tobytes(), Shape(4, is_rotated=False)),
}


@pytest.mark.parametrize(("plain", "shape"), FOUND.values(), ids=FOUND)
@pytest.mark.parametrize("before", [0, 1, 3, 6])
def test_numbers_are_found_wherever_they_begin(plain: bytes, shape: Shape, before: int) -> None:
    found = sniff(b"\x07" * before + plain[: 64 * 1024])

    assert (found.width, found.is_rotated) == (shape.width, shape.is_rotated)
    assert found.lead == before % shape.width


def noise(size: int) -> bytes:
    return random.Random(0).randbytes(size)


def document(rows: int) -> bytes:
    values = random.Random(1)
    return json.dumps(
        [{"id": row, "score": values.random(), "name": f"word {row % 97}"} for row in range(rows)]
    ).encode()


def source_text() -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(choose.__file__).parents[1].rglob("*.py")))


@pytest.mark.parametrize("plain", [source_text(), document(20_000), noise(1 << 20)], ids=["source", "json", "noise"])
def test_text_and_json_and_noise_lose_nothing_by_the_search(plain: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same codec, and the same bytes, as without it."""
    codec, stored = encode_best(plain)
    monkeypatch.setattr(choose, "SNIFFED", len(plain) + 1)

    assert encode_best(plain) == (codec, stored)
    assert codec.name != "planes"
