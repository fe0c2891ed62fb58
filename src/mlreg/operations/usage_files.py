"""The files in which a repository keeps how often its versions are read.

Whoever reads appends a line to a file that no one else writes to, takes no lock, and goes on if that fails: a read
never fails for it. Before a push a writer sums up each month in one file of `usage/shared`, whose name says how many
reads it counts. Those are what travels: of two of one writer and month the one that counts more holds the other.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import MlregError
from mlreg.formats import usage
from mlreg.formats.usage import Counts, Key, Reader
from mlreg.ids import is_lower_hex
from mlreg.repository.log import now
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.small_file import replace_file
from mlreg.stores.store import Store

OWN, SHARED = "usage/own/", "usage/shared/"
_DAYS = re.compile(r"([0-9]{4}-[0-9]{2})-([0-9]{2})\.([0-9a-f]{32})")
_MONTHS = re.compile(r"([0-9]{4}-[0-9]{2})\.([0-9a-f]{32})\.([0-9]{1,15})")
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE_MODE = 0o664


class Tracking(NamedTuple):
    """How reads are kept."""

    reader: Reader
    """Who reads, and on which host."""
    shares_names: bool
    """Whether that may leave this machine."""


class Month(NamedTuple):
    """A month of a writer."""

    month: str
    writer: str


class ReadLog:
    """Keeps the reads of one repository on this host."""

    def __init__(self, store: DirectoryStore, cache: Path | None, reader: Reader) -> None:
        """Find out who counts.

        Args:
            store: of the repository.
            cache: what this host keeps of the repository: the random id of the writer is there.
            reader: who reads; empty if that is not kept.
        """
        self._store, self._reader = store, reader
        self.writer = writer_of(cache)

    def note(self, versions: Iterable[str], way: str) -> None:
        """Count a read of each version; if that cannot be written it is not counted.

        Args:
            versions: `model/net@1.0.0`, as the log names them.
            way: one of `mlreg.formats.usage.WAYS`.
        """
        day = now()[:10]
        lines = b"".join(usage.line_for(Key(self.writer, day, version, way), self._reader) for version in versions)
        with suppress(OSError, MlregError):
            # Another process may have left half a line.
            if lines and _append(f"{self._store.url}/{OWN}{day}.{self.writer}", b"\n" + lines):
                fold(self._store, self.writer)


def _append(path: str, data: bytes) -> bool:
    """Append to a file in one write; tell whether it is new."""
    try:
        fd = os.open(path, _APPEND, _FILE_MODE)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, _APPEND, _FILE_MODE)
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode):
            os.write(fd, data)
        return status.st_size == 0
    finally:
        os.close(fd)


def writer_of(cache: Path | None) -> str:
    """Return the random id under which this host counts the reads of a repository; a new one if none can be kept.

    Two processes that make the first one at once may count under two: both are added up.
    """
    fresh = os.urandom(usage.WRITER_DIGITS // 2).hex()
    if cache is None:
        return fresh
    path = cache / "usage-writer"
    with suppress(OSError, ValueError):
        found = path.read_text(encoding="ascii")
        if is_lower_hex(found, usage.WRITER_DIGITS):
            return found
    with suppress(OSError):
        replace_file(path, fresh.encode())
    return fresh


def counts_in(store: Store) -> Counts:
    """Return all reads that a repository knows of: its own, and those that were pushed and pulled."""
    return usage.united([*_sums(store, OWN), *_sums(store, SHARED), *_days(store)])


def publish(store: Store, writer: str, *, shares_names: bool) -> None:
    """Sum up the reads of a writer, each month in one file, for others to take.

    Args:
        store: of the repository.
        writer: who counted.
        shares_names: whether it may be told who read, and where.

    Raises:
        MlregError: the store cannot be written to.
    """
    days, known, kept = _days_of(store, writer), _largest(store, SHARED), _largest(store, OWN)
    for place in {*days, *(one for one in kept if one.writer == writer)}:
        if place in days or known.get(place, 0) < kept.get(place, 0):
            counts = _own(store, place, days.get(place, ()))
            _sum_up(store, SHARED, place, counts if shares_names else usage.without_readers(counts))
    fold(store, writer)


def fold(store: Store, writer: str) -> None:
    """Sum up what a writer counted on past days, each month in one file, instead of the files of the days.

    Raises:
        MlregError: the store cannot be written to.
    """
    from datetime import date, timedelta

    # Of the last two days someone may be writing still.
    end = str(date.fromisoformat(now()[:10]) - timedelta(days=1))
    for place, days in _days_of(store, writer).items():
        over = [key for key in days if key.removeprefix(OWN)[: len(end)] < end]
        if over:
            _sum_up(store, OWN, place, _own(store, place, over))
        for key in over:
            store.delete(key)


def _days_of(store: Store, writer: str) -> dict[Month, list[str]]:
    """Return the files of the days of a writer, by month."""
    found: dict[Month, list[str]] = {}
    for key, one in _named(store, OWN, _DAYS):
        if one[3] == writer:
            found.setdefault(Month(one[1], writer), []).append(key)
    return found


def _own(store: Store, place: Month, days: Iterable[str]) -> Counts:
    """Return what days and earlier sums of a month add up to."""
    sums = [usage.decode(_read(store, key)) for key, found in _named(store, OWN, _MONTHS) if _place(found) == place]
    return usage.united([*[usage.decode(_read(store, key)) for key in days], *sums])


def _sum_up(store: Store, prefix: str, place: Month, counts: Counts) -> None:
    """Write the sum of a month, and take away those that it holds."""
    number = usage.total(counts)
    if number <= _largest(store, prefix).get(place, 0):
        return
    store.create(f"{prefix}{place.month}.{place.writer}.{number}", usage.encode(counts))
    for key, found in list(_named(store, prefix, _MONTHS)):
        if _place(found) == place and int(found[3]) < number:
            store.delete(key)


def copy_usage(source: Store, target: Store) -> int:
    """Bring the sums that count more than those of the target, or that it lacks; tell how many.

    Raises:
        MlregError: one of the stores cannot be used.
    """
    there, brought = _largest(target, SHARED), 0
    for key, found in list(_named(source, SHARED, _MONTHS)):
        place, number = _place(found), int(found[3])
        if number <= there.get(place, 0):
            continue
        counts = usage.decode(_read(source, key))
        own = {one: readers for one, readers in counts.items() if Month(one.month, one.writer) == place}
        # What does not hold what its name says would stand in the way of what does.
        if usage.total(own) == number:
            _sum_up(target, SHARED, place, own)
            brought += 1
    return brought


def _sums(store: Store, prefix: str) -> Iterator[Counts]:
    for key, found in _named(store, prefix, _MONTHS):
        counts = usage.decode(_read(store, key))
        yield {one: readers for one, readers in counts.items() if Month(one.month, one.writer) == _place(found)}


def _days(store: Store) -> Iterator[Counts]:
    for key, _ in _named(store, OWN, _DAYS):
        yield usage.decode(_read(store, key))


def _largest(store: Store, prefix: str) -> dict[Month, int]:
    """Return how many reads are known, by month and writer."""
    found: dict[Month, int] = {}
    for _, one in _named(store, prefix, _MONTHS):
        found[_place(one)] = max(found.get(_place(one), 0), int(one[3]))
    return found


def _place(found: re.Match[str]) -> Month:
    return Month(found[1], found[2])


def _named(store: Store, prefix: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    for key in store.list(prefix):
        if found := pattern.fullmatch(key.removeprefix(prefix)):
            yield key, found


def _read(store: Store, key: str) -> bytes:
    """Return the bytes of a file; none of one that is too large, gone, or no file."""
    with suppress(MlregError):
        data = store.read(key, 0, usage.MAX_BYTES + 1)
        return data if len(data) <= usage.MAX_BYTES else b""
    return b""
