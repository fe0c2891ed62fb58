"""The event files of TensorBoard: records with checksums, each a message.

Source: the TFRecord format, https://www.tensorflow.org/tutorials/load_data/tfrecord: a length (u64), the masked
CRC-32C of its bytes (u32), so many bytes, and their masked CRC-32C (u32), all little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mlreg.errors import explain
from mlreg.importers.foreign import Notices

_LENGTH = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_MASK = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78
MAX_RECORD = 1 << 26
"""Bytes of a record that is read; a picture or a graph may be longer, and is passed."""
MAX_CHECKED = 1 << 16
"""Bytes up to which the checksum of a record is looked at: numbers and params have far fewer."""


def _table() -> tuple[int, ...]:
    found = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)  # noqa: PLW2901 - as the algorithm goes
        found.append(number)
    return tuple(found)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """Return the checksum of bytes as the format has it.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def records(path: Path, notices: Notices) -> Iterator[bytes]:
    """Yield the records of a file, up to its end or to the first that is damaged; a half-written last one is none."""
    try:
        with path.open("rb") as file:
            yield from _records(file, notices)
    except OSError as error:
        raise explain(error, str(path)) from error


def _records(file: IO[bytes], notices: Notices) -> Iterator[bytes]:
    while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
        length, crc = _LENGTH.unpack(head)
        if crc != masked_crc(head[:8]):
            notices.add("an event file is damaged: what stands before the damage is imported")
            return
        if length > MAX_RECORD:
            notices.add("record left out that is too long for a number")
            file.seek(length + _CRC.size, 1)
            continue
        data, end = file.read(length), file.read(_CRC.size)
        if len(end) < _CRC.size:
            return
        if length <= MAX_CHECKED and _CRC.unpack(end)[0] != masked_crc(data):
            notices.add("record left out that is damaged")
            continue
        yield data
