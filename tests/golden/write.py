"""Write the repository that every later release must read: a little of everything the format has.

    python tests/golden/write.py DIRECTORY

Run once for a release, and never over one that is there. The clock is replaced by one that goes by steps,
and random bytes by a counter, so that the same release writes the same repository each time.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np

from mlreg import __version__
from mlreg.formats.pack import Sort
from mlreg.formats.snapshot import Snapshot
from mlreg.formats.tree import Mode
from mlreg.ids import CommitId, ContentId
from mlreg.operations.scanning import Source
from mlreg.registry import ModelRegistry, Registry, annotating, backups, bundles
from mlreg.registry.places import init
from mlreg.registry.registry import silent
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from mlreg.repository.log import Draft

AUTHOR = "Ann Lee <ann@example.org>"
FIRST_SECOND = 1_795_415_280
"""2026-11-23T06:28:00Z."""


def name(story: str) -> str:
    """Return how a repository of this release is called."""
    return f"{story}-v1-by-{__version__}"


class Clock:
    """Stands still until it is told to go on: how often it is looked at is nobody's concern."""

    def __init__(self) -> None:
        """Begin with the first second."""
        self._gmtime = time.gmtime
        self._seconds = FIRST_SECOND

    def tick(self) -> None:
        """Go on by a minute."""
        self._seconds += 60

    def gmtime(self, seconds: float | None = None) -> time.struct_time:
        """Return the time, or that of some seconds."""
        return self._gmtime(self._seconds if seconds is None else seconds)


@contextmanager
def counted() -> Iterator[Clock]:
    """Replace the clock, and the source of random bytes by a counter."""
    numbers, clock = itertools.count(1), Clock()
    with patch("os.urandom", lambda size: next(numbers).to_bytes(size, "big")), patch("time.gmtime", clock.gmtime):
        yield clock


def write(place: Path, story: str = "repository") -> dict[str, Any]:
    """Write a repository into a directory that does not exist, and return what must be found in it."""
    with tempfile.TemporaryDirectory() as scratch, counted() as clock:
        init(place, shared=True)
        init(Path(scratch, "origin"), shared=True)
        registry = Registry(place, AUTHOR, None, {"origin": str(Path(scratch, "origin"))})
        for step in STORIES[story]:
            clock.tick()
            step(registry)
        # A note beside the repository, with the place of the other one.
        shutil.rmtree(place / "remotes", ignore_errors=True)
        found = expected(registry)
        registry.repository.close()
    return found


def _text(text: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode()]


def _many_files(registry: Registry) -> None:
    words = [Source(f"{number % 3}/{number:04}.txt", _text("")) for number in range(3000)]
    words.sort(key=lambda source: source.path)
    registry.register(
        "data/words", words, "directory", version="2026.11.23", message="3,000 files: two levels of nodes"
    )


def _small_files(registry: Registry) -> None:
    sources = [
        Source("bin/run", _text("#!/bin/sh\n"), Mode.EXECUTABLE),
        Source("empty", _text("")),
        Source("größe.txt", _text("groß\n")),
    ]
    metadata = {"metrics": {"map": 0.93, "whole": 1.0, "tiny": 1e-07}, "note": "größer", "list": [1, None, True]}
    registry.register(
        "model/greeter", sources, "directory", version="1.0.0", metadata=metadata, tags=["production"], message="first"
    )


def _large_file(registry: Registry) -> None:
    sources = [Source("weights.bin", lambda: [bytes([number]) * 3_000_000 for number in range(3)])]
    inputs = [("data", "data/words@2026.11.23"), ("base", "model/greeter@production")]
    registry.register("model/greeter", sources, "file", version="1.1.0", inputs=inputs, message="three pieces")


def _paged_file(registry: Registry) -> None:
    sources = [Source("paged.bin", lambda: [bytes(16) + b"f" * 16] * 2049)]
    with patch.multiple("mlreg.operations.cutting", WHOLE=16, BLOCK=16):
        registry.register("model/greeter", sources, "bytes", version="2.0.0-rc.1", message="4,098 pieces: two pages")


def _arrays(registry: Registry) -> None:
    models = ModelRegistry(registry.path, AUTHOR)
    models.register_model({"w": np.arange(6, dtype=np.float32)}, "team/matrix", "0.1.0")
    models.register_model(b"not a matrix", "team/matrix", "0.2.0")


def _numbers(registry: Registry) -> None:
    """Arrays of four values each: large enough to be cut, and few enough for a small repository."""
    steps = np.arange(130_000, dtype=np.uint32) * 2_654_435_761 >> 30
    arrays = {"half": (steps[:40_000] / 3).astype(np.float16), "whole": steps.astype(np.int64) - 1}
    ModelRegistry(registry.path, AUTHOR).register_model(arrays, "numbers", "1.0.0")


def _tuned(registry: Registry) -> None:
    """The same, a little later: stored as what it differs by."""
    steps = np.arange(130_000, dtype=np.uint32) * 2_654_435_761 >> 30
    arrays = {"half": (steps[:40_000] / 3).astype(np.float16), "whole": steps.astype(np.int64) - 1 + (steps == 3)}
    ModelRegistry(registry.path, AUTHOR).register_model(arrays, "numbers", "1.0.1")
    repack(registry, delta=True, grace=0, report=lambda size: None)


def _collected_pack(registry: Registry) -> None:
    """Add a pack, drop it, reap it, and delete its file, as a collector does."""
    log = registry.repository.log
    with registry.repository.writer() as writer:
        writer.add(Sort.PIECE, ContentId.of(b"gone"), b"gone")
        packs = writer.finish()
        ids = tuple(pack.id for pack in packs)
        log.append(lambda view: Draft(AUTHOR, "add a pack", add=packs))
        log.append(lambda view: Draft(AUTHOR, "drop it", drop=ids, is_lossy=True))
        log.append(lambda view: Draft(AUTHOR, "reap it", reap=ids))
        writer.take_back(packs)


STEPS: tuple[Callable[[Registry], object], ...] = (
    _many_files,
    _small_files,
    _large_file,
    _paged_file,
    _arrays,
    lambda registry: registry.tag("model/greeter@1.1.0", "production", "better"),
    lambda registry: registry.tag("model/greeter@1.0.0", "previous"),
    lambda registry: registry.untag("model/greeter@previous"),
    lambda registry: registry.remove(["model/greeter@2.0.0-rc.1", "model/team/matrix@0.2.0"], "a slip"),
    lambda registry: registry.restore(["model/greeter@2.0.0-rc.1"]),
    _collected_pack,
    lambda registry: Sync(registry, "origin").push(["model/greeter"]),
    lambda registry: registry.repository.log.write_snapshot(),
    lambda registry: registry.tag("data/words", "checked", "behind the snapshot"),
)


def _two_versions(registry: Registry) -> None:
    for version, accuracy in (("1.0.0", 0.5), ("1.1.0", 0.7)):
        sources = [Source("weights", _text(version))]
        metadata = {"metrics": {"map": accuracy}, "task": "greeting"}
        registry.register("model/greeter", sources, "file", version=version, metadata=metadata)


def _contradiction(registry: Registry) -> None:
    """Let someone else correct the same, who does not know of the first, and unite both."""
    other = Registry(registry.remotes["origin"], "Bob Ray <bob@example.org>")
    annotating.correct(other, "model/greeter@1.1.0", {"metrics": {"map": 0.8}}, (), "bob's")
    annotating.correct(registry, "model/greeter@1.1.0", {"metrics": {"map": 0.6}}, (), "ann's")
    Sync(registry, "origin").pull()


def _dropped_pack(registry: Registry) -> None:
    """Add a pack and drop it, as a merge does; its file waits to be deleted."""
    with registry.repository.writer() as writer:
        writer.add(Sort.PIECE, ContentId.of(b"dropped"), b"dropped")
        packs = writer.finish()
    registry.repository.log.append(lambda view: Draft(AUTHOR, "add a pack", add=packs))
    registry.repository.log.append(lambda view: Draft(AUTHOR, "drop it", drop=tuple(pack.id for pack in packs)))


def _older_snapshot(registry: Registry) -> None:
    """Write a snapshot that does not say which slots dropped packs, as the first ones did not."""
    with patch.object(Snapshot, "_seldom", lambda self: {}):
        registry.repository.log.write_snapshot()


def _snapshot_behind_it(registry: Registry) -> None:
    """Let someone who begins at that snapshot write the next one."""
    newcomer = Registry(registry.path, AUTHOR)
    newcomer.repository.log.refresh()
    newcomer.repository.log.write_snapshot()


STORIES: dict[str, tuple[Callable[[Registry], object], ...]] = {
    "repository": STEPS,
    "statements": (
        _two_versions,
        lambda registry: Sync(registry, "origin").push(),
        lambda registry: annotating.correct(registry, "model/greeter@1.0.0", {"note": "größer"}, ["task"], "a slip"),
        lambda registry: annotating.label(registry, "model/greeter", {"team": "vision"}),
        lambda registry: annotating.label(registry, "model/greeter@1.0.0", {"team": "audio", "old": True}),
        lambda registry: annotating.deprecate(registry, "model/greeter@1.0.0", "too loud"),
        lambda registry: annotating.freeze(registry, "model/greeter@1.1.0"),
        _contradiction,
        lambda registry: registry.repository.log.write_snapshot(),
        lambda registry: annotating.rename(registry, "model/greeter", "model/team/greeter", "behind the snapshot"),
    ),
    "numbers": (_numbers,),
    "differences": (_numbers, _tuned),
    "dropped": (
        _small_files,
        _dropped_pack,
        lambda registry: registry.tag("model/greeter@1.0.0", "checked"),
        _older_snapshot,
        lambda registry: registry.tag("model/greeter@1.0.0", "older", "behind the older snapshot"),
        _snapshot_behind_it,
        lambda registry: registry.tag("model/greeter@1.0.0", "newer", "behind the newer one"),
    ),
}


def write_archives(golden: Path, directory: Path) -> None:
    """Write a backup of a repository of this release, and two bundles of which the second follows the first."""
    with counted() as clock, patch("os.uname", lambda: SimpleNamespace(nodename="golden")):
        registry = Registry(golden, AUTHOR)
        clock.tick()
        backups.create(registry, str(directory / name("backup")), report=silent)
        first, second = (str(directory / name(f"bundle-{number}")) for number in (1, 2))
        bundles.create(registry, first, ["model/team/greeter@1.0.0"], report=silent)
        clock.tick()
        bundles.create(registry, second, ["model/team/greeter"], since=[first], report=silent)


def expected(registry: Registry) -> dict[str, Any]:
    """Return what is to be found in a repository, as JSON values."""
    view = registry.repository.log.refresh()
    number, head = view.position
    refs = [ref for entry in registry.entries() for ref in (info.ref for info in registry.versions(entry.ref))]
    return {
        "repository": registry.repository.identity.repository,
        "number": number,
        "head": str(head),
        "generation": view.generation,
        "refs": {ref.name: [_text_of(ref.target), _text_of(ref.removed), ref.number] for ref in view.refs("")},
        "versions": {ref: _version(registry, ref) for ref in sorted(refs)},
    }


def _text_of(commit: CommitId | None) -> str | None:
    return None if commit is None else str(commit)


def _version(registry: Registry, ref: str) -> dict[str, Any]:
    files = registry.files(ref)
    # Of thousands of files the tree speaks: its id is that of their list.
    listed = [[file.path, file.size, file.executable, file.id] for file in files] if len(files) < 100 else []
    found: dict[str, Any] = json.loads(json.dumps({**registry.show(ref)._asdict(), "listed": listed}))
    return found


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    for wanted in STORIES:
        if (directory / name(wanted)).exists():
            sys.stdout.write(f"{directory / name(wanted)} is there, and stays as it is\n")
            continue
        text = json.dumps(write(directory / name(wanted), wanted), indent=1, sort_keys=True, ensure_ascii=False)
        (directory / f"{name(wanted)}.json").write_text(text + "\n", encoding="utf-8")
    if not (directory / name("backup")).exists():
        write_archives(directory / name("statements"), directory)
