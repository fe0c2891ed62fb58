"""Real files, one by one: what is stored of each, and how fast a core makes it and gives it back.

zstd at level 3, and zipnn if it can be had, are measured on the same files in the same run; both work on the file
as one, with the dtype told to zipnn.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import zstandard
from blake3 import blake3

from benchmarks.peers import peer
from mlreg.codecs import codec_of
from mlreg.codecs.choose import encode_best
from mlreg.operations.cutting import pieces_of_file
from mlreg.operations.ingest import shape_of_piece
from mlreg.repository.packing import SHARED_BLOCK, SMALL

ROUNDS = 3


class Measured(NamedTuple):
    """What was measured of one file."""

    name: str
    size: int
    """Bytes."""
    share: float
    """Stored bytes, as a share of the plain ones."""
    fast_in: float
    """GB/s of one core."""
    fast_out: float
    zstd: float
    """The share that zstd -3 stores."""
    peers: dict[str, float]


def measure(directory: Path) -> list[Measured]:
    """Measure every file of a directory.

    Raises:
        ValueError: one does not come back as it was.
    """
    return [_file(path) for path in sorted(directory.iterdir()) if path.is_file()]


def _file(path: Path) -> Measured:
    blocks = list(_blocks(path))
    size = path.stat().st_size
    encoded = [encode_best(plain, shape) for plain, shape in blocks]
    back = blake3()
    for (codec, stored), (plain, _) in zip(encoded, blocks, strict=True):
        back.update(codec_of(codec.number).decode(stored, len(plain)))
    if back.digest() != blake3(path.read_bytes()).digest():
        raise ValueError(f"{path} does not come back")

    def encode() -> None:
        for plain, shape in blocks:
            encode_best(plain, shape)

    def decode() -> None:
        for (codec, stored), (plain, _) in zip(encoded, blocks, strict=True):
            codec.decode(stored, len(plain))

    stored_size = sum(len(stored) for _, stored in encoded)
    general = zstandard.ZstdCompressor(level=3).compress(path.read_bytes())
    return Measured(
        path.name, size, stored_size / size, size / _seconds(encode) / 1e9, size / _seconds(decode) / 1e9,
        len(general) / size, _zipnn(path),
    )  # fmt: skip


def _blocks(path: Path):  # noqa: ANN202 - a generator of what `encode_best` takes
    """Yield the plain bytes of the blocks that a pack has of a file, and how numbers lie in them."""
    shared = bytearray()
    for piece in pieces_of_file(path):
        shape = shape_of_piece(piece)
        if shape or len(piece.data) > SMALL:
            if shared:
                yield bytes(shared), None
                shared.clear()
            yield piece.data, shape
            continue
        shared += piece.data
        if len(shared) >= SHARED_BLOCK:
            yield bytes(shared), None
            shared.clear()
    if shared:
        yield bytes(shared), None


def _seconds(action: Callable[[], None]) -> float:
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _zipnn(path: Path) -> dict[str, float]:
    """Return the share of the dtype that suits best. In a process of its own: some sizes zipnn does not survive."""
    python = peer("zipnn")
    if not python:
        return {}
    done = subprocess.run([python, "-c", _ZIPNN, str(path)], check=False, capture_output=True, text=True)
    sizes = [int(line) for line in done.stdout.split()]
    return {"zipnn": min(sizes) / path.stat().st_size} if sizes else {}


_ZIPNN = """
import sys
from zipnn import ZipNN
data = open(sys.argv[1], "rb").read()
for dtype in ("bfloat16", "float16", "float32"):
    try:
        print(len(ZipNN(bytearray_dtype=dtype).compress(data)), flush=True)
    except Exception:
        pass
"""
