"""Read all files below a directory and hash them, on all cores: `python hashing.py DIR`. It needs no other module."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blake3 import blake3

AT_ONCE = 1024 * 1024


def hash_of(path: str) -> bytes:
    """Return the hash of a file."""
    hasher = blake3()
    with Path(path).open("rb", buffering=0) as file:
        while data := file.read(AT_ONCE):
            hasher.update(data)
    return hasher.digest()


if __name__ == "__main__":
    paths = [f"{directory}/{name}" for directory, _, names in os.walk(sys.argv[1]) for name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(hash_of, paths))
