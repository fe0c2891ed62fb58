"""Files that lie beside the keys of a repository and are no part of it: kept with a backup, and put back.

Settings, notes on remotes, counts of reads, runs that are open, and files that wait to become a version. Journals and
counts only grow, and other files are replaced as a whole: what a file held when it was opened is kept of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import ConflictError, RefusedError, explain
from mlreg.formats.backup import MAX_LIST, PLACES, BesideFile, bad_backup, beside_key, decode_list, encode_list
from mlreg.formats.paths import check_path
from mlreg.ids import ContentId
from mlreg.stores.directory import TEMPORARY, flush_directory, make_directory
from mlreg.stores.store import Store

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
CHUNK = 1024 * 1024
ATTEMPTS = 3
"""How often a file is read that changes meanwhile."""

Report = Callable[[int], None]


class _ChangedError(Exception):
    """A file had other bytes when it was read once more."""


class Kept(NamedTuple):
    """The files that a backup has."""

    list_id: ContentId
    files: int
    copied: int
    """Bytes that were not there before."""
    left_out: tuple[str, ...]
    """Paths of files that changed all the time, have names that no version may have, or are links."""


def keep(root: Path, target: Store, report: Report) -> Kept:
    """Copy the files beside a repository.

    Args:
        root: the directory of the repository.
        target: gets what it lacks, under the ids of the bytes.
        report: told about bytes that were copied.
    """
    files: list[BesideFile] = []
    # What a link leads to lies elsewhere, and is not of this repository.
    left_out = [place for place in PLACES if (root / place).is_symlink()]
    copied = 0
    for path in paths_in(root):
        try:
            check_path(path)
            if found := _copy(root / path, path, target, report):
                file, is_new = found
                files.append(file)
                copied += file.size if is_new else 0
        except (RefusedError, _ChangedError):
            left_out.append(path)
    return _listed(target, files, copied, tuple(left_out))


def keep_nothing(target: Store) -> Kept:
    """Note that there is nothing beside a repository, because it lies in no directory."""
    return _listed(target, [], 0, ())


def _listed(target: Store, files: list[BesideFile], copied: int, left_out: tuple[str, ...]) -> Kept:
    data = encode_list(files)
    list_id = ContentId.of(data)
    if target.size(beside_key(list_id)) is None:
        target.create(beside_key(list_id), data)
        copied += len(data)
    return Kept(list_id, len(files), copied, left_out)


def paths_in(root: Path) -> Iterator[str]:
    """Yield the paths of the files that are kept, below the directory of a repository; links are none."""
    for place in PLACES:
        if (root / place).is_symlink():
            continue
        if place == PLACES[0]:
            yield from [place] if (root / place).is_file() else []
        else:
            yield from sorted(_walk(root, place))


def _walk(root: Path, place: str) -> Iterator[str]:
    try:
        with os.scandir(root / place) as entries:
            found = [entry for entry in entries if not entry.name.startswith(TEMPORARY)]
    except (FileNotFoundError, NotADirectoryError):
        return  # there is none, or it was just taken away
    except OSError as error:
        raise explain(error, str(root / place)) from error
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, f"{place}/{entry.name}")
        elif entry.is_file(follow_symlinks=False):
            yield f"{place}/{entry.name}"


def _copy(file: Path, path: str, target: Store, report: Report) -> tuple[BesideFile, bool] | None:
    """Copy a file; None if it is gone. _ChangedError for one that changes while it is read, every time."""
    for _ in range(ATTEMPTS):
        try:
            fd = os.open(file, _READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise explain(error, str(file)) from error
        try:
            hasher, size = blake3(), 0
            for data in _parts(fd, os.fstat(fd).st_size, path):
                hasher.update(data)
                size += len(data)
            content = ContentId(hasher.digest())
            if target.size(beside_key(content)) is not None:
                return BesideFile(path, size, content), False
            with suppress(_ChangedError):
                _upload(fd, size, content, path, target, report)
                return BesideFile(path, size, content), True
        finally:
            os.close(fd)
    raise _ChangedError


def _upload(fd: int, size: int, content: ContentId, path: str, target: Store, report: Report) -> None:
    hasher = blake3()
    with suppress(ConflictError), target.upload(beside_key(content)) as upload:
        for data in _parts(fd, size, path):
            hasher.update(data)
            upload.write(data)
            report(len(data))
        if hasher.digest() != content:
            raise _ChangedError


def _parts(fd: int, size: int, path: str) -> Iterator[bytes]:
    """Yield so many bytes of an open file; fewer if it was cut meanwhile."""
    at = 0
    while at < size:
        try:
            data = os.pread(fd, min(CHUNK, size - at), at)
        except OSError as error:
            raise explain(error, path) from error
        if not data:
            return
        at += len(data)
        yield data


def read_list(store: Store, list_id: ContentId) -> list[BesideFile]:
    """Return the files that a backup has.

    Raises:
        IntegrityError: `bad_backup`. NotFoundError: `key_missing`.
    """
    key = beside_key(list_id)
    data = store.read(key, 0, MAX_LIST + 1)
    if ContentId.of(data) != list_id:
        raise bad_backup(f"{key} has other bytes than its name says")
    return decode_list(data)


def check_file(store: Store, file: BesideFile, take: Callable[[bytes], object]) -> None:
    """Read a file of a backup, handing over its bytes as they come.

    Raises:
        IntegrityError: `bad_backup`, at the end: they are not those that were kept. NotFoundError: `key_missing`.
    """
    key, at, hasher = beside_key(file.id), 0, blake3()
    while at < file.size and (data := store.read(key, at, min(CHUNK, file.size - at))):
        hasher.update(data)
        take(data)
        at += len(data)
    if hasher.digest() != file.id or store.size(key) != file.size:
        raise bad_backup(f"{key} has other bytes than its name says")


def put_back(store: Store, files: list[BesideFile], root: Path, report: Report) -> None:
    """Write the files of a backup below a directory in which no one else writes, durably.

    Raises:
        IntegrityError: `bad_backup`. MlregError: as the file system says.
    """
    for file in files:
        try:
            _write(store, file, root / file.path, report)
        except OSError as error:
            raise explain(error, str(root / file.path)) from error
    for directory in {parent for file in files for parent in (root / file.path).parents if parent.is_relative_to(root)}:
        flush_directory(str(directory))


def _write(store: Store, file: BesideFile, place: Path, report: Report) -> None:
    make_directory(place.parent)
    with os.fdopen(os.open(place, _WRITE, 0o600), "wb") as writing:

        def take(data: bytes) -> None:
            writing.write(data)
            report(len(data))

        check_file(store, file, take)
        writing.flush()
        os.fsync(writing.fileno())
