"""Synthetic weights: a safetensors file of which 80 % is bf16 and 20 % fp32, normally distributed."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np

TENSOR_BYTES = 10_000_000


def write_weights(path: Path, size: int) -> None:
    """Write about `size` bytes of weights; the same size gives the same bytes."""
    plan: list[tuple[int, int, int]] = []
    start = 0
    while start < size:
        width = 4 if len(plan) % 5 == 4 else 2
        count = min(TENSOR_BYTES, size - start) // width or 1
        plan.append((width, count, start))
        start += count * width
    with path.open("wb") as file:
        file.write(_header(plan))
        for number, (width, count, _) in enumerate(plan):
            random = np.random.default_rng([1, number])
            values = random.standard_normal(count, dtype=np.float32) * np.float32(0.01 + 0.04 * random.random())
            file.write(_bf16(values) if width == 2 else values.tobytes())


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


if __name__ == "__main__":
    write_weights(Path(sys.argv[1]), int(sys.argv[2]))
