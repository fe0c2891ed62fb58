"""Zip archives of numpy and torch: where the arrays and storages that are not compressed lie; nothing is unpickled.

    entries    of each a header of its own, its name, and its bytes
    directory  of each entry its name, sizes, method, and where its header is
    end        where the directory is; in front of it a longer one, if the numbers need 8 bytes

In an archive of `numpy.savez` each `NAME.npy` is a tensor. In one of `torch.save` each `ROOT/data/N` is, beside
`ROOT/data.pkl`; its dtype and shape only the pickle knows, so it is so many `bytes`. What is compressed, or encrypted,
or holds objects, is the archive's own. The directory must be true: no prefix, no hole behind it, no entry in another.

Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, version 6.3.10.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from mlreg.errors import IntegrityError
from mlreg.tensors import npy
from mlreg.tensors.cursor import Cursor, in_order, shown
from mlreg.tensors.tensor_format import MAX_TENSORS, UNKNOWN_SIZE, Element, Read, TensorInfo

MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
MAX_ENTRIES = MAX_TENSORS
BYTES = "bytes"
"""The dtype of a storage of torch."""

_ENTRY, _IN_DIRECTORY, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_END64, _LOCATOR64 = b"PK\6\6", b"PK\6\7"
_END_BYTES, _END64_BYTES, _LOCATOR64_BYTES, _ENTRY_BYTES = 22, 56, 20, 30
_MAX_COMMENT = 0xFFFF
_IS_LONGER = 0xFFFFFFFF
"""Stands where a number needs 8 bytes, which then are in the extra field."""
_SIZES64 = 1
"""The part of the extra field with those."""
_STORED = 0
_ENCRYPTED, _SIZES_BEHIND, _UTF8 = 1 << 0, 1 << 3, 1 << 11
_LOCAL_WINDOW = 1024
"""Bytes that hold the header of an entry, as a rule, and that of the array in it."""
_PICKLE = re.compile(r"[^/]+/data\.pkl")
_STORAGE = re.compile(r"(?:data|constants)/[0-9]+")


class _Directory(NamedTuple):
    entries: int
    start: int
    end: int


class _Entry(NamedTuple):
    raw_name: bytes
    name: str
    flags: int
    method: int
    size: int
    """Bytes in the archive."""
    start: int
    """Where its header is."""


class Zip:
    """See `mlreg.tensors.tensor_format.TensorFormat`."""

    name = "zip"

    def recognises(self, head: bytes) -> bool:
        return head[:4] == _ENTRY

    def tensors(self, read: Read, size: int) -> tuple[TensorInfo, ...]:
        try:
            return in_order(_tensors(read, size), size)
        except ValueError as error:
            raise IntegrityError("bad_zip", "the bytes are not a zip archive", why=str(error)) from error

    def element(self, dtype: str) -> Element | None:
        return None if dtype == BYTES else npy.Npy().element(dtype)

    def numbers(self, dtype: str) -> str:
        return "" if dtype == BYTES else npy.Npy().numbers(dtype)


def _tensors(read: Read, size: int) -> Iterator[TensorInfo]:
    directory = _directory(read, size)
    entries = _entries(read, directory)
    pickles = [entry.name for entry in entries if _PICKLE.fullmatch(entry.name)]
    root = pickles[0].removesuffix("data.pkl") if len(pickles) == 1 else None
    for entry, end in _apart(entries, directory.start):
        if entry.method != _STORED or entry.flags & _ENCRYPTED:
            continue
        if root is None and entry.name.endswith(".npy"):
            yield from _array(entry, _data(read, entry, end))
        elif root is not None and entry.name.startswith(root) and _STORAGE.fullmatch(entry.name, len(root)):
            data = _data(read, entry, end)
            yield TensorInfo(entry.name[len(root) :], BYTES, (entry.size,), data.place, data.end)


def _array(entry: _Entry, data: Cursor) -> tuple[TensorInfo, ...]:
    try:
        found = npy.array(entry.name.removesuffix(".npy"), data)
    except ValueError:
        return ()  # what is called an array and is none is the archive's own
    return found if data.place == data.end else ()


def _directory(read: Read, size: int) -> _Directory:
    """Return where the directory is, from the end of the archive."""
    if size == UNKNOWN_SIZE:
        raise ValueError("its directory is at its end, which was not seen yet")
    tail_start = max(0, size - _MAX_COMMENT - _END_BYTES - _LOCATOR64_BYTES)
    tail = Cursor(read, tail_start, size).take(size - tail_start)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise ValueError("there is no end of a directory")
    *fields, comment = struct.unpack_from("<4x4H2LH", tail, place)
    if place + _END_BYTES + comment != len(tail):
        raise ValueError("the archive does not end where its directory says")
    end, locator = tail_start + place, tail[max(0, place - _LOCATOR64_BYTES) : place]
    if locator.startswith(_LOCATOR64) and len(locator) == _LOCATOR64_BYTES:
        end, fields = _end64(read, locator, end - _LOCATOR64_BYTES)
    disk, first_disk, here, entries, length, start = fields
    if disk or first_disk or here != entries:
        raise ValueError("the archive is one of several parts")
    if entries > MAX_ENTRIES or length > MAX_DIRECTORY_BYTES:
        raise ValueError(f"a directory of {entries} entries in {length} bytes is more than is allowed")
    if start + length != end:
        raise ValueError("the directory is not where its end says")
    return _Directory(entries, start, end)


def _end64(read: Read, locator: bytes, located: int) -> tuple[int, list[int]]:
    """Return where the longer end of the directory is, and what it says."""
    (place,) = struct.unpack("<8xQ4x", locator)
    signature, rest, *fields = struct.unpack("<4sQ4x2L4Q", Cursor(read, place, located).take(_END64_BYTES))
    if signature != _END64 or place + 12 + rest != located:
        raise ValueError("the longer end of the directory is not where it should be")
    return place, fields


def _entries(read: Read, directory: _Directory) -> list[_Entry]:
    cursor = Cursor(read, directory.start, directory.end)
    entries = [_entry(cursor) for _ in range(directory.entries)]
    if cursor.place != directory.end:
        raise ValueError(f"the directory does not end behind its {directory.entries} entries")
    return entries


def _entry(cursor: Cursor) -> _Entry:
    header = struct.unpack("<4s4x2H8x2L4H6xL", cursor.take(46))
    signature, flags, method, packed, plain, name_size, extra_size, comment_size, disk, start = header
    raw_name, extra = cursor.take(name_size), cursor.take(extra_size)
    cursor.skip(comment_size)
    plain, packed, start = _longer((plain, packed, start), extra)
    if signature != _IN_DIRECTORY or disk:
        raise ValueError(f"{shown(raw_name)} is no entry of this directory")
    if method == _STORED and not flags & _ENCRYPTED and packed != plain:
        raise ValueError(f"{shown(raw_name)} is not compressed, and has two sizes: {packed} and {plain}")
    return _Entry(raw_name, _decoded(raw_name, flags), flags, method, packed, start)


def _decoded(name: bytes, flags: int) -> str:
    try:
        return name.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise ValueError(f"the name {shown(name)} of an entry is not UTF-8, as it says") from error


def _longer(numbers: tuple[int, ...], extra: bytes) -> list[int]:
    """Return numbers of a header, each from the extra field where the header has no room for it."""
    room, found = _longer_numbers(extra), []
    for number in numbers:
        if number != _IS_LONGER:
            found.append(number)
            continue
        if len(room) < 8:
            raise ValueError("a number of 8 bytes is missing in a header")
        found.append(int.from_bytes(room[:8], "little"))
        room = room[8:]
    return found


def _longer_numbers(extra: bytes) -> bytes:
    place = 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, place)
        if kind == _SIZES64:
            return extra[place + 4 : place + 4 + size]
        place += 4 + size
    return b""


def _apart(entries: list[_Entry], end: int) -> Iterator[tuple[_Entry, int]]:
    """Yield entries in the order of their bytes, each with the place at which it must have ended."""
    ordered = sorted(entries, key=lambda entry: entry.start)
    for entry, limit in zip(ordered, [*(entry.start for entry in ordered[1:]), end], strict=True):
        if entry.start + _ENTRY_BYTES + len(entry.raw_name) + entry.size > limit:
            raise ValueError(f"the entry {shown(entry.name)} reaches into what follows it")
        yield entry, limit


def _data(read: Read, entry: _Entry, end: int) -> Cursor:
    """Return a cursor over the bytes of an entry, whose own header must agree with the directory."""
    cursor = Cursor(read, entry.start, end, _LOCAL_WINDOW)
    signature, flags, method, *sizes, name_size, extra_size = struct.unpack("<4s2x2H8x2L2H", cursor.take(_ENTRY_BYTES))
    name, extra = cursor.take(name_size), cursor.take(extra_size)
    if (signature, method, name) != (_ENTRY, entry.method, entry.raw_name):
        raise ValueError(f"the entry {shown(entry.name)} is not where the directory says")
    if not flags & _SIZES_BEHIND and _longer(tuple(sizes[::-1]), extra) != [entry.size, entry.size]:
        raise ValueError(f"the entry {shown(entry.name)} is not as large as the directory says")
    if cursor.place + entry.size > end:
        raise ValueError(f"the entry {shown(entry.name)} reaches into what follows it")
    cursor.end = cursor.place + entry.size
    return cursor
