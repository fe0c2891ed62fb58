"""Killed at every call to the operating system: old state or new state, never anything else.

A child process runs an operation with its calls counted, and kills itself, as `kill -9` does, before
call k; for every k until the operation gets through. The same with calls that fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlreg.registry import collecting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from tests.reliability.calls import FAULTS, Counted, End, run_in_child

MOST = 400


def open_registry(place: Path) -> Registry:
    return Registry(place, "Ann", None, {"origin": str(place.parent.parent / "registry")})


def add(root: Path) -> None:
    open_registry(root / "work/.mlreg").add("model/net", [root / "large"], version="1.1.0", tags=["production"])


def tag(root: Path) -> None:
    open_registry(root / "work/.mlreg").tag("model/net@1.0.0", "candidate")


def remove(root: Path) -> None:
    registry = open_registry(root / "work/.mlreg")
    registry.untag("model/net@production")
    registry.remove(["model/net@1.0.0"])


def restore(root: Path) -> None:
    open_registry(root / "work/.mlreg").restore(["model/net@0.9.0"])


def collect(root: Path) -> None:
    collecting.collect(open_registry(root / "work/.mlreg"), grace=0, report=lambda size: None)


def merge(root: Path) -> None:
    repack(open_registry(root / "work/.mlreg"), delta=False, grace=0, report=lambda size: None)


def push(root: Path) -> None:
    Sync(open_registry(root / "work/.mlreg"), "origin").push()


def pull(root: Path) -> None:
    Sync(open_registry(root / "other/.mlreg"), "origin").pull()


def clone(root: Path) -> None:
    place, _ = init(root / "new", shared=False)
    Sync(open_registry(place), "origin").pull()


def initialise(root: Path) -> None:
    init(root / "new", shared=False)


OPERATIONS = (initialise, add, tag, remove, restore, collect, merge, push, pull, clone)
PLACES = ("work/.mlreg", "registry", "other/.mlreg", "new/.mlreg")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project, a shared registry that it was pushed to, another project, and something not pushed."""
    root = tmp_path_factory.mktemp("before")
    (root / "small").write_bytes(b"weights" * 100)
    (root / "large").write_bytes(os.urandom(5 << 20))
    init(root / "registry", shared=True)
    init(root / "other", shared=False)
    place, _ = init(root / "work", shared=False)
    registry = open_registry(place)
    registry.add("model/net", [root / "small"], version="0.9.0")
    registry.remove(["model/net@0.9.0"])
    registry.add("model/net", [root / "small"], version="1.0.0", tags=["production"])
    Sync(registry, "origin").push()
    registry.add("data/rows", [root / "large"], version="2026.01.01")
    (root / "old").write_bytes(os.urandom(1 << 20))
    registry.add("data/old", [root / "old", root / "small"], version="2026.01.01")
    registry.remove(["data/old@2026.01.01"])
    return root


def state(root: Path) -> dict[str, list[tuple[str, str]]]:
    """Return every name in every repository with what it points to, after checking that all is clean."""
    found = {}
    for place in PLACES:
        if (root / place / "mlreg.json").exists():
            registry = Registry(root / place, "Ann")
            assert registry.verify().problems == ()
            refs = registry.repository.log.refresh().refs("")
            found[place] = [(ref.name, str(ref.target)) for ref in refs if not ref.name.startswith("remote/")]
    return found


STRIDES = {"kill": 3, "EIO": 7, "ENOSPC": 7}
"""Of so many calls one is cut, and at larger scales each."""


def copies(before: Path, place: Path, stride: int) -> Iterator[tuple[int, Path]]:
    """Yield 1, 1 + `stride` … with a fresh copy of the beginning each."""
    for k in range(1, MOST, stride):
        root = place / str(k)
        shutil.copytree(before, root)
        yield k, root
        shutil.rmtree(root)
    pytest.fail(f"the operation needs more than {MOST} calls")


def steps(operation: Callable[[Path], None], before: Path, place: Path) -> list[dict[str, list[tuple[str, str]]]]:
    """Return the state before an operation and the one after it; commits carry times, so names alone for `add`."""
    shutil.copytree(before, place)
    old = state(place)
    operation(place)
    return [old, state(place)]


def names(found: dict[str, list[tuple[str, str]]]) -> dict[str, list[tuple[str, bool]]]:
    return {place: [(name, target != "None") for name, target in refs] for place, refs in found.items() if refs}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("fault", FAULTS)
def test_an_operation_that_is_cut_leaves_the_old_state_or_the_new_one_and_can_be_repeated(
    operation: Callable[[Path], None], fault: str, before: Path, tmp_path: Path, scale: int
) -> None:
    old, new = map(names, steps(operation, before, tmp_path / "plain"))
    # Two transactions, and a state of its own between them.
    between = [] if operation is not remove else [None]

    for k, root in copies(before, tmp_path, 1 if scale > 1 else STRIDES[fault]):
        end = run_in_child(operation, root, Counted(k, FAULTS[fault]))

        assert end is not End.BROKEN, f"call {k}"
        found = names(state(root))
        is_done = end in (End.DONE, End.DONE_ALL_THE_SAME)
        assert found == new or (not is_done and (found == old or between)), f"call {k}"
        operation(root)
        assert names(state(root)) == new, f"call {k}, repeated"
        if end is End.DONE:
            break


def get(root: Path) -> None:
    open_registry(root / "work/.mlreg").get("data/rows", root / "out", replace=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_are_written_out_are_old_or_new_and_never_half(
    fault: str, before: Path, tmp_path: Path, scale: int
) -> None:
    new = (before / "large").read_bytes()

    for k, root in copies(before, tmp_path, 1 if scale > 1 else STRIDES[fault]):
        (root / "out").mkdir()
        (root / "out" / "large").write_bytes(b"what was there")
        (root / "out" / "mine").write_bytes(b"mine")
        end = run_in_child(get, root, Counted(k, FAULTS[fault]))

        assert end is not End.BROKEN, f"call {k}"
        found = (root / "out" / "large").read_bytes()
        is_done = end in (End.DONE, End.DONE_ALL_THE_SAME)
        assert found == new or (not is_done and found == b"what was there"), f"call {k}"
        assert (root / "out" / "mine").read_bytes() == b"mine"
        if end is not End.KILLED:
            assert sorted(path.name for path in (root / "out").iterdir()) == ["large", "mine"]
        get(root)
        assert (root / "out" / "large").read_bytes() == new
        if end is End.DONE:
            return
