"""What may befall a repository: calls that fail, damage to each kind of file, and what people do to directories."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from errno import EROFS
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from tests.reliability import soak_faults
from tests.reliability.calls import WRITES, fail, put_in_place_of_os

YEARS = 10 * 365 * 86400


class Fault(NamedTuple):
    """One fault, and how an operation may end that meets it."""

    exits: frozenset[int] = frozenset()
    """With which it may be refused."""
    during: Callable[[random.Random], AbstractContextManager[object]] = lambda chance: nullcontext()
    """What goes wrong while it runs."""
    before: Callable[[Path, random.Random], None] = lambda place, chance: None
    """What is done to the repository."""
    is_found: bool = False
    """Whether `verify` must not call the repository clean before that is taken back."""
    may_kill: bool = False
    takes_back: bool = True
    """Whether all is as it was when the files are put back; if not, what was lost by hand is lost."""


class _ShortReads:
    """Stands for `os`, and gives half of what is asked for, as a system may."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def pread(self, fd: int, size: int, start: int) -> bytes:
        return os.pread(fd, max(1, size // 2), start)

    def read(self, fd: int, size: int) -> bytes:
        return os.read(fd, max(1, size // 2))

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, memoryview(data)[: max(4096, len(data) // 2)])


class _ReadOnly:
    """Stands for `os` where nothing may be written."""

    def __getattr__(self, name: str) -> Any:
        if name in WRITES:
            return lambda *_, **__: fail(EROFS)()
        return getattr(os, name)

    def open(self, path: str, flags: int, *mode: int, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            fail(EROFS)()
        return os.open(path, flags, *mode, **options)


@contextmanager
def _clock(shift: float) -> Iterator[None]:
    """Put the clock of this process forward or back; it is one that ends soon."""
    real, gmtime = time.time, time.gmtime
    vars(time).update(
        time=lambda: real() + shift,
        time_ns=lambda: int((real() + shift) * 1e9),
        gmtime=lambda seconds=None: gmtime(real() + shift if seconds is None else seconds),
    )
    yield


def _prepared(name: str) -> Callable[[random.Random], AbstractContextManager[object]]:
    return lambda chance: soak_faults.prepared(name, chance)


# Damage.


def slots(place: Path) -> list[Path]:
    return sorted((place / "log").glob("0*"))


def packs(place: Path) -> list[Path]:
    return sorted(place.glob("packs/*/*.pack"), key=lambda path: (path.stat().st_size, path.name))


def flip(path: Path, chance: random.Random, start: float = 0.0, end: float = 1.0) -> None:
    """Change one bit of a part of a file."""
    data = bytearray(path.read_bytes())
    at = chance.randrange(int(start * (len(data) - 1)), int(end * (len(data) - 1)) + 1)
    data[at] ^= 1 << chance.randrange(8)
    path.chmod(0o644)
    path.write_bytes(data)


def _flip(files: Callable[[Path], list[Path]], start: float = 0.0, end: float = 1.0) -> Callable[..., None]:
    return lambda place, chance: flip(chance.choice(files(place)), chance, start, end)


def _middle(place: Path, chance: random.Random) -> Path:
    return chance.choice(slots(place)[:-1])


def _double(place: Path, chance: random.Random) -> None:
    found = slots(place)
    shutil.copy(chance.choice(found), found[-1].with_name(f"{len(found) + 1:016d}"))


def _older(place: Path, _: random.Random) -> None:
    """Put an older copy of log and packs over the newer one; what is not in the copy is gone."""
    for directory in ("log", "packs"):
        shutil.rmtree(place / directory)
        shutil.copytree(place.with_name(f"{place.name}.older") / directory, place / directory)


def _remote_gone(place: Path, _: random.Random) -> None:
    """Let the remote be where no one looks for it."""
    place.with_name("there").rename(place.with_name(GONE))


def _copy_goes_on(place: Path, _: random.Random) -> None:
    """Copy the repository, register something else in the copy, and push it."""
    copy, file = place.with_name("copy"), place.with_name("copied")
    shutil.copytree(place.with_name("here"), copy)
    file.write_bytes(b"of the copy" * 1000)
    registry = Registry(copy, "Cy", None, {"origin": str(place.with_name("there"))})
    registry.add("model/copied", [file], version="1.0.0")
    Sync(registry, "origin").push()


def _flip_cache(place: Path, chance: random.Random) -> None:
    for path in place.with_name("cache").rglob("*.sqlite"):
        flip(path, chance)


DAMAGED = frozenset({6})
GONE = "there.gone"
FAULTS: dict[str, Fault] = {
    "kill": Fault(during=_prepared("killed at a call"), may_kill=True),
    "disk full": Fault(frozenset({8, 14}), _prepared("disk full")),
    "write fails": Fault(frozenset({8}), _prepared("write fails")),
    "read fails": Fault(frozenset({8}), _prepared("read fails")),
    "store call fails": Fault(frozenset({8}), _prepared("store call fails")),
    "reply is lost": Fault(frozenset({8}), _prepared("reply is lost")),
    "short reads and writes": Fault(during=lambda _: put_in_place_of_os(_ShortReads())),
    "read-only": Fault(frozenset({7}), lambda _: put_in_place_of_os(_ReadOnly())),
    "clock ten years ahead": Fault(frozenset({11}), lambda _: _clock(YEARS)),
    "clock ten years behind": Fault(frozenset({11}), lambda _: _clock(-YEARS)),
    "the remote is gone": Fault(frozenset({8, 10}), before=_remote_gone),
    "a copy goes on beside it": Fault(before=_copy_goes_on, takes_back=False),
    "bit of a slot": Fault(DAMAGED | {13}, before=_flip(lambda place: slots(place)[:-1]), is_found=True),
    "bit of a data pack": Fault(DAMAGED, before=_flip(lambda p: packs(p)[-3:], 0, 0.9), is_found=True),
    "bit of an index": Fault(DAMAGED | {13}, before=_flip(packs, 0.9, 1), is_found=True),
    # Some bits of what compresses a snapshot mean nothing; those that do are noticed.
    "bit of a snapshot": Fault(DAMAGED, before=_flip(lambda place: sorted(place.glob("snapshots/*")))),
    "bit of the identity": Fault(DAMAGED | {13}, before=_flip(lambda place: [place / "mlreg.json"]), is_found=True),
    "bits of the cache": Fault(before=_flip_cache),
    "a pack is lost": Fault(DAMAGED, before=lambda place, chance: chance.choice(packs(place)).unlink(), is_found=True),
    "a slot is lost": Fault(DAMAGED, before=lambda place, chance: _middle(place, chance).unlink(), is_found=True),
    "a slot stands twice": Fault(DAMAGED, before=_double, is_found=True),
    "log cut by hand": Fault(
        DAMAGED, before=lambda place, _: slots(place)[-1].unlink(), is_found=True, takes_back=False
    ),
    "older copy over it": Fault(DAMAGED, before=_older, is_found=True, takes_back=False),
}
