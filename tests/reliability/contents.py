"""Bytes that can be told again from a word: what a version should hold is not kept, it is made anew."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import numpy as np

from mlreg.tensors.safetensors import encode_arrays

KINDS = ("text", "common", "noise", "weights", "tree")
WEIGHTS = 40_000
"""Numbers of a model: enough for a piece that may be stored as a difference."""


def some(chance: random.Random) -> str:
    """Return a word for bytes; some of them come again and again, so that what is collected is wanted at once."""
    kind = chance.choices(KINDS, (40, 20, 10, 10, 20))[0]
    return f"{kind}-{chance.randrange(24 if kind == 'common' else 10_000)}"


def is_common(word: str) -> bool:
    """Tell whether a word is one of the few that come again and again."""
    return word.startswith("common-")


@lru_cache(maxsize=32)
def files_of(word: str) -> dict[str, bytes]:
    """Return the files that a word stands for, by their paths."""
    kind, _, number = word.partition("-")
    return _MAKERS[kind](int(number))


def write(word: str, place: Path) -> None:
    """Write the files that a word stands for."""
    for path, data in files_of(word).items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)


def _text(number: int) -> dict[str, bytes]:
    return {"note.txt": b"line %d\n" % number * (1 + number % 60)}


def _noise(number: int) -> dict[str, bytes]:
    return {"noise.bin": np.random.default_rng(number).bytes(1000 + number * 37 % 300_000)}


def _weights(number: int) -> dict[str, bytes]:
    start = np.random.default_rng(0).standard_normal(WEIGHTS) * 0.02
    moved = start + np.random.default_rng(number).standard_normal(WEIGHTS) * 1e-6
    return {"model.safetensors": b"".join(encode_arrays({"layer": moved.astype(np.float32)}))}


def _tree(number: int) -> dict[str, bytes]:
    return {f"{place % 3}/{place}.txt": b"%d" % (number % 50 + place) for place in range(number % 12 + 1)}


def _common(number: int) -> dict[str, bytes]:
    """Return a file that is one piece, and one that is several."""
    large = np.random.default_rng(number).bytes(1_100_000)
    return {"common.bin": bytes([number]) * 90_000, "below/large.bin": large}


_MAKERS = {
    "text": _text,
    "common": _common,
    "noise": _noise,
    "weights": _weights,
    "tree": _tree,
}
