"""Places that keep versions of files, as other tools and people leave them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DAY = "2026-05-0{}T10:00:00+00:00"


class Dvc:
    """A directory of dvc, written by hand: its files of text, and its cache as one of its releases lays it out."""

    def __init__(self, root: Path, release: int = 3) -> None:
        self.root = root
        self.release = release
        self.cache = root / ".dvc" / "cache"
        self.cache.mkdir(parents=True)
        self._commits = 0

    def place(self, md5: str) -> Path:
        above = self.cache / "files" / "md5" if self.release == 3 else self.cache
        return above / md5[:2] / md5[2:]

    def put(self, data: bytes, md5: str = "") -> str:
        """Put a file into the cache, and return its md5."""
        md5 = md5 or hashlib.md5(data).hexdigest()  # noqa: S324 - what dvc has
        self.place(md5).parent.mkdir(parents=True, exist_ok=True)
        self.place(md5).write_bytes(data)
        return md5

    def put_directory(self, files: Mapping[str, bytes]) -> str:
        rows = [{"md5": self.put(data), "relpath": path} for path, data in sorted(files.items())]
        data = json.dumps(rows).encode()
        return self.put(data, hashlib.md5(data).hexdigest() + ".dir")  # noqa: S324 - what dvc has

    def fields(self, path: str, md5: str, **more: Any) -> dict[str, Any]:
        return {"path": path, "md5": md5, **({"hash": "md5"} if self.release == 3 else {}), **more}

    def track(self, path: str, md5: str, **more: Any) -> None:
        """Write `PATH.dvc`."""
        file = self.root / f"{path}.dvc"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump({"outs": [self.fields(file.stem, md5, **more)]}))

    def lock(self, **stages: Any) -> None:
        """Write `dvc.lock`: each stage has `deps` and `outs`, from path to md5."""
        made = {
            name: {"cmd": "true", **{key: [self.fields(*pair) for pair in some.items()] for key, some in stage.items()}}
            for name, stage in stages.items()
        }
        (self.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": made}))

    def git(self, *words: str) -> None:
        """Run git, as Ann, on the day after the last commit."""
        day = DAY.format(min(self._commits + 1, 9))
        own = {"GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day, "GIT_CONFIG_GLOBAL": os.devnull}
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
        call = ["git", "-C", str(self.root), *who, *words]
        subprocess.run(call, check=True, capture_output=True, env={"PATH": os.environ["PATH"], **own})

    def commit(self, message: str, *tags: str) -> None:
        """Commit everything but the cache."""
        if not self._commits:
            self.git("init")
            (self.root / ".gitignore").write_text(".dvc/cache\n")
        self.git("add", "-A")
        self.git("commit", "-m", message)
        self._commits += 1
        for tag in tags:
            self.git("tag", tag)


def write_tree(root: Path, *paths: str) -> Path:
    """Write files that hold their own paths; a path with `->` is a link."""
    for path in paths:
        name, _, target = path.partition(" -> ")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if target:
            (root / name).symlink_to(target)
        else:
            (root / name).write_text(name)
    return root


def write_stores(root: Path) -> None:
    """Write one of each, as small as may be."""
    dvc = Dvc(root / "dvc")
    dvc.track("data/rows", dvc.put_directory({"a.csv": b"one", "b.csv": b"two"}))
    dvc.track("net.pt", "0" * 32)
    write_tree(root / "tree", "models/net/v1/w.pt", "models/net/v2/w.pt", "models/net/best -> v1", "README.md")
