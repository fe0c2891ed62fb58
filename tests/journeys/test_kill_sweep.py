"""Killed at every call to the operating system: old state or new state, never anything else.

A child process runs an operation with its calls counted, and kills itself, as `kill -9` does, before
call k; for every k until the operation gets through. The same with calls that fail instead.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import MlregError
from mlreg.operations import checkout
from mlreg.registry import collecting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from mlreg.stores import directory

CALLS = {"open", "write", "fsync", "link", "replace", "unlink", "mkdir", "close", "pread", "lstat"}
MOST = 400


class Counted:
    """Stands for the module `os`, and does something before call k."""

    def __init__(self, k: int, act: Callable[[], None]) -> None:
        self.k, self.act, self.count = k, act, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.k:
                self.act()
            return real(*args, **options)

        return call


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


class End(IntEnum):
    """How a child ended."""

    DONE = 0
    """Without having met the fault: it has fewer calls."""
    DONE_ALL_THE_SAME = 1
    FAILED = 2
    BROKEN = 3
    """By something else than an error of mlreg."""
    KILLED = 4


def run_in_child(operation: Callable[[Path], None], root: Path, k: int, act: Callable[[], None]) -> End:
    """Run an operation in a process of its own, with a fault at call k."""
    child = os.fork()
    if child == 0:
        counted = Counted(k, act)
        vars(directory)["os"] = vars(checkout)["os"] = counted
        try:
            operation(root)
        except MlregError:
            os._exit(End.FAILED)
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
            os._exit(End.BROKEN)
        os._exit(End.DONE if counted.count < k else End.DONE_ALL_THE_SAME)
    _, status = os.waitpid(child, 0)
    return End(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else End.KILLED


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> Callable[[], None]:
    def act() -> None:
        raise OSError(number, os.strerror(number))

    return act


def copies(before: Path, place: Path) -> Iterator[tuple[int, Path]]:
    """Yield 1, 2, 3 … with a fresh copy of the beginning each."""
    for k in range(1, MOST):
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
@pytest.mark.parametrize("fault", ["kill", "EIO", "ENOSPC"])
def test_an_operation_that_is_cut_leaves_the_old_state_or_the_new_one_and_can_be_repeated(
    operation: Callable[[Path], None], fault: str, before: Path, tmp_path: Path, scale: int
) -> None:
    act = kill if fault == "kill" else fail(getattr(errno, fault))
    old, new = map(names, steps(operation, before, tmp_path / "plain"))
    # Two transactions, and a state of its own between them.
    between = [] if operation is not remove else [None]
    # A merge is cut at each call to the store elsewhere.
    stride = 1 if (fault == "kill" and operation is not merge) or scale > 1 else 5

    for k, root in copies(before, tmp_path):
        if k % stride and stride > 1:
            continue
        end = run_in_child(operation, root, k, act)

        assert end is not End.BROKEN, f"call {k}"
        found = names(state(root))
        is_done = end in (End.DONE, End.DONE_ALL_THE_SAME)
        assert found == new or (not is_done and (found == old or between)), f"call {k}"
        operation(root)
        assert names(state(root)) == new, f"call {k}, repeated"
        if end is End.DONE:
            break


def get(root: Path) -> None:
    open_registry(root / "work/.mlreg").get("data/rows", root / "out")


@pytest.mark.parametrize("fault", ["kill", "EIO", "ENOSPC"])
def test_files_that_are_written_out_are_old_or_new_and_never_half(fault: str, before: Path, tmp_path: Path) -> None:
    act = kill if fault == "kill" else fail(getattr(errno, fault))
    new = (before / "large").read_bytes()

    for k, root in copies(before, tmp_path):
        (root / "out").mkdir()
        (root / "out" / "large").write_bytes(b"what was there")
        (root / "out" / "mine").write_bytes(b"mine")
        end = run_in_child(get, root, k, act)

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
