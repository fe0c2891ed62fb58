"""What stores files for the Hugging Face Hub, with a directory in place of the hub: `xet.py add|get`.

Run by the interpreter of the peers. `add` keeps the files of `data` in `store` and what they are called in
`pointers.json`; `get` writes them to `out`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import hf_xet

STORE = f"local://{Path('store').absolute()}"
POINTERS = Path("pointers.json")


def add() -> None:
    """Keep all files, with the one call that takes many."""
    paths = [str(path) for path in sorted(Path("data").rglob("*")) if path.is_file()]
    kept = hf_xet.upload_files(paths, STORE, None, None, None, None)
    POINTERS.write_text(json.dumps([[path, file.hash, file.filesize] for path, file in zip(paths, kept, strict=True)]))


def get() -> None:
    """Write all files."""
    wanted = []
    for path, digest, size in json.loads(POINTERS.read_text()):
        target = Path("out") / path
        target.parent.mkdir(parents=True, exist_ok=True)
        wanted.append(hf_xet.PyXetDownloadInfo(str(target), digest, size))
    hf_xet.download_files(wanted, STORE, None, None, None)


if __name__ == "__main__":
    {"add": add, "get": get}[sys.argv[1]]()
