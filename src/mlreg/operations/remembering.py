"""What files held when they were last added: a file that is as it was then need not be read again.

A file is known by its stamp: size, times, inode, device. A system may give two states of a file the same times
if they follow each other closely, so a file that was changed just before it was read is not remembered.
The note is only a cache: without it, or if it is damaged, all files are read.

    8 bytes     "MLRS0002"
    32 bytes    BLAKE3 hash of what follows
    64 bytes    number of files, files and bytes of the tree, generation, id of its root; that is zeros if not known
    columns     of each file the id (32 bytes), then of each the stamp (40), then of each the mode (1)
    the rest    the places in the tree, UTF-8, with a zero byte between
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.formats.tree import Child
from mlreg.ids import DIGEST_SIZE, ContentId, TreeId
from mlreg.operations.scanning import STAMP_SIZE, Source, changed_in
from mlreg.stores.small_file import replace_file

MAGIC = b"MLRS0002"
SETTLED = 2_000_000_000
"""Nanoseconds that a change must lie back: the coarsest clock of a file system still tells it from the next one."""
KEPT = 32
"""Notes of one repository; those that were not used for the longest time go first."""
SUFFIX = ".files"
_HEAD = struct.Struct("<QQQQ32s")
_NO_ROOT = bytes(DIGEST_SIZE)


class _Note(NamedTuple):
    """Files, and what they held."""

    files: bytes
    """Places, modes and stamps, as bytes that are equal if they are."""
    root: Child | None
    """Of the tree that all of them made."""
    generation: int
    """In which all of it was there: how many transactions had taken objects away."""
    ids: bytes


class Remembered:
    """The files of one place, as they were when they were last added."""

    def __init__(self, directory: Path | None, sources: Sequence[Source]) -> None:
        """Read the note on the place of these files.

        Args:
            directory: where the notes of a repository are; None if none are kept.
            sources: in the order of their places in the tree.
        """
        self._sources = sources
        self._started = time.time_ns()
        place = _place_of(sources) if directory else ""
        self._path = (
            directory / f"{blake3(os.fsencode(place)).hexdigest()[:32]}{SUFFIX}" if directory and place else None
        )
        self._files = _files_bytes(sources) if self._path else b""
        self._note = _read(self._path)

    def root(self) -> Child | None:
        """Return the root of the tree that exactly these files made, if it is known."""
        return self._note.root if self._note and self._note.files == self._files else None

    @property
    def generation(self) -> int:
        """In which generation of the repository the tree was there as a whole; -1 if that is not known."""
        return self._note.generation if self._note else -1

    def ids(self) -> Mapping[str, ContentId]:
        """Return the ids of those files that are as they were, by their places."""
        if self._note is None:
            return {}
        known = _by_place(self._note)
        return {
            source.path: ContentId(known[source.path][STAMP_SIZE:])
            for source in self._sources
            if known.get(source.path, b"")[:STAMP_SIZE] == source.stamp
        }

    def keep_again(self, generation: int) -> None:
        """Note that all is there in a newer generation, too."""
        if self._path and self._note and self._note.generation != generation:
            self._write(self._note._replace(generation=generation))

    def keep(self, ids: bytes, root: Child, generation: int) -> None:
        """Note what the files hold. A note that cannot be written is none.

        Args:
            ids: of all files, in their order.
            root: of the tree that they make.
            generation: of the repository in which all of it is there.
        """
        if self._path is None:
            return
        before = self._started - SETTLED
        settled = [number for number, one in enumerate(self._sources) if changed_in(one.stamp) < before]
        note = _Note(self._files, root, generation, ids)
        if len(settled) < len(self._sources):
            files = _files_bytes([self._sources[number] for number in settled])
            some = b"".join(ids[at : at + DIGEST_SIZE] for at in (n * DIGEST_SIZE for n in settled))
            note = _Note(files, None, generation, some)
        self._write(note)

    def _write(self, note: _Note) -> None:
        with suppress(OSError):
            if self._path:
                _write(self._path, note)


def _place_of(sources: Sequence[Source]) -> str:
    """Return the directory that files are in; nothing if there are none, or some are not from a disk."""
    if not sources or not all(source.stamp for source in sources):
        return ""
    return os.path.commonpath([str(source.content) for source in (sources[0], sources[-1])])


def _files_bytes(sources: Sequence[Source]) -> bytes:
    places = "\0".join([source.path for source in sources])
    return b"".join(
        (
            b"".join([source.stamp for source in sources]),
            bytes([source.mode for source in sources]),
            places.encode("utf-8", "surrogateescape"),
        )
    )


def _by_place(note: _Note) -> dict[str, bytes]:
    """Return the stamp and the id of each file, one behind the other."""
    count = len(note.ids) // DIGEST_SIZE
    places = note.files[count * (STAMP_SIZE + 1) :].decode("utf-8", "surrogateescape").split("\0")
    return {
        place: note.files[number * STAMP_SIZE : (number + 1) * STAMP_SIZE]
        + note.ids[number * DIGEST_SIZE : (number + 1) * DIGEST_SIZE]
        for number, place in enumerate(places[:count])
    }


def _read(path: Path | None) -> _Note | None:
    try:
        data = path.read_bytes() if path else b""
    except OSError:
        return None
    start = len(MAGIC) + DIGEST_SIZE
    if data[: len(MAGIC)] != MAGIC or blake3(memoryview(data)[start:]).digest() != data[len(MAGIC) : start]:
        return None
    count, files, size, generation, root = _HEAD.unpack_from(data, start)
    ids = start + _HEAD.size
    rest = ids + count * DIGEST_SIZE
    tree = None if root == _NO_ROOT else Child("", files, size, TreeId(root))
    return _Note(data[rest:], tree, generation, data[ids:rest])


def _write(path: Path, note: _Note) -> None:
    files, size, root = (note.root.files, note.root.size, note.root.id) if note.root else (0, 0, _NO_ROOT)
    body = _HEAD.pack(len(note.ids) // DIGEST_SIZE, files, size, note.generation, root) + note.ids + note.files
    replace_file(path, MAGIC + blake3(body).digest() + body)
    notes = sorted(path.parent.glob(f"*{SUFFIX}"), key=lambda one: one.stat().st_mtime_ns, reverse=True)
    for old in notes[KEPT:]:
        old.unlink(missing_ok=True)
