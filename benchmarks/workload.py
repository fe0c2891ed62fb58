"""Synthetic data: weights in a safetensors file, and a tree of small files; and how they change.

Weights: 80 % bf16 and 20 % fp32, normally distributed. Small files: 1 to 20 KB, 40 % words, 40 % JSON, 20 % noise.
The same size gives the same bytes.

    python -m benchmarks.workload weights DIR BYTES         python -m benchmarks.workload weights-changed DIR N
    python -m benchmarks.workload files DIR FILES           python -m benchmarks.workload files-changed DIR N
"""

from __future__ import annotations

import json
import random
import struct
import sys
from pathlib import Path

import numpy as np

TENSOR_BYTES = 10_000_000
CHANGED = 0.01
"""Share of tensors that change from version to version."""
CHANGED_FILES = 100
WORDS = 20_000
NAME = "weights.safetensors"


def write_weights(path: Path, size: int) -> None:
    """Write about `size` bytes of weights."""
    plan: list[tuple[int, int, int]] = []
    start = 0
    while start < size:
        width = 4 if len(plan) % 5 == 4 else 2
        count = min(TENSOR_BYTES, max(size // 40, 4096), size - start) // width or 1
        plan.append((width, count, start))
        start += count * width
    with path.open("wb") as file:
        file.write(_header(plan))
        for number, (width, count, _) in enumerate(plan):
            file.write(_tensor(np.random.default_rng([1, number]), width, count))


def _tensor(random: np.random.Generator, width: int, count: int) -> bytes:
    values = random.standard_normal(count, dtype=np.float32) * np.float32(0.01 + 0.04 * random.random())
    return _bf16(values) if width == 2 else values.tobytes()


def change_weights(path: Path, version: int) -> None:
    """Draw 1 % of the tensors anew, at least one, in place."""
    with path.open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        tensors = json.loads(file.read(length))
        random = np.random.default_rng([2, version])
        for name in random.choice(sorted(tensors), max(1, round(CHANGED * len(tensors))), replace=False):
            start, end = tensors[name]["data_offsets"]
            width = 2 if tensors[name]["dtype"] == "BF16" else 4
            file.seek(8 + length + start)
            file.write(_tensor(random, width, (end - start) // width))


def _header(plan: list[tuple[int, int, int]]) -> bytes:
    tensors = {
        f"layers.{number}.weight": {
            "dtype": "BF16" if width == 2 else "F32",
            "shape": [count],
            "data_offsets": [start, start + width * count],
        }
        for number, (width, count, start) in enumerate(plan)
    }
    header = json.dumps(tensors, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header


def _bf16(values: np.ndarray) -> bytes:
    bits = values.view(np.uint32)
    rounded = bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))
    return (rounded >> 16).astype(np.uint16).tobytes()


def write_files(place: Path, count: int) -> None:
    """Write a tree of small files, a hundred in a directory."""
    source = random.Random(3)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(source.choices(letters, k=source.randint(2, 10))) for _ in range(WORDS)]
    often = [1 / (rank + 2.7) for rank in range(WORDS)]
    for number in range(count):
        directory = place / f"d{number // 100:04d}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number:06d}").write_bytes(_small(source, number, words, often))


def _small(source: random.Random, number: int, words: list[str], often: list[float]) -> bytes:
    size = source.randint(1024, 20_480)
    if number % 5 == 4:
        return b"\xff\xd8\xff\xe0" + source.randbytes(size - 4)
    chosen = source.choices(words, often, k=size // 5)
    if number % 5 < 2:
        return " ".join(chosen).encode()[:size]
    rows = [{"id": source.getrandbits(30), "label": word, "score": source.random()} for word in chosen[: size // 50]]
    return json.dumps(rows).encode()[:size]


def change_files(place: Path, version: int) -> None:
    """Write some of the files anew."""
    files = sorted(path for path in place.rglob("f*") if path.is_file())
    source = random.Random(version)
    for path in source.sample(files, min(CHANGED_FILES, len(files))):
        path.write_bytes(source.randbytes(path.stat().st_size))


def main(what: str, place: Path, number: int) -> None:
    """Make or change a workload in a directory."""
    place.mkdir(parents=True, exist_ok=True)
    if what == "weights":
        write_weights(place / NAME, number)
    elif what == "weights-changed":
        change_weights(place / NAME, number)
    elif what == "files":
        write_files(place, number)
    else:
        change_files(place, number)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
