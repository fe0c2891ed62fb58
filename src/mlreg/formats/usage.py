"""Usage: how often which version was read, on which day and in which way.

Format page: `docs/format/usage.md`. A file is lines, each a record with a check as in a journal. Counts of one writer
only grow, so of two files that tell of the same the larger counts hold, and files unite in any order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from mlreg.formats import canonical
from mlreg.formats.names import Entry, is_entry, is_version_text
from mlreg.formats.origin import MAX_NAME
from mlreg.ids import is_lower_hex

WAYS = ("api", "cat", "get", "pull", "remote")
"""How a version may be read."""
WRITER_DIGITS = 32
MAX_LINE = 2048
"""Bytes of one line."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of one file."""
MAX_COUNT = 2**40
_CHECK = 9
_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_FIELDS = {"count", "day", "version", "way", "writer"}
_OPTIONAL = {"by", "host"}


class Key(NamedTuple):
    """What is counted."""

    writer: str
    """A random id of who counts: one user of one repository on one host."""
    day: str
    """`2026-11-23`, UTC."""
    version: str
    """`model/net@1.0.0`, as the log names it."""
    way: str
    """One of `WAYS`."""

    @property
    def month(self) -> str:
        """`2026-11`."""
        return self.day[:7]


class Reader(NamedTuple):
    """Who read; both are empty where names are not kept."""

    by: str = ""
    host: str = ""


Counts = dict[Key, dict[Reader, int]]
"""How often, by what was read and by whom."""


def line_for(key: Key, reader: Reader, count: int = 1) -> bytes:
    """Return the line of a record."""
    named = {name: value for name, value in reader._asdict().items() if value}
    body = canonical.encode({**key._asdict(), "count": count, **named})
    # Not `journal.line_of`, whose module is slow to import, and each read of the command line would.
    return b"%08x %s\n" % (crc32(body), body)


def encode(counts: Counts) -> bytes:
    """Return the file of some counts; equal counts make equal files."""
    return b"".join(
        line_for(key, reader, count)
        for key, readers in sorted(counts.items())
        for reader, count in sorted(readers.items())
    )


def decode(data: bytes) -> Counts:
    """Return what a file counts; what stands in it twice is added, and a line that is none is passed over."""
    found: Counts = {}
    for line in data[:MAX_BYTES].split(b"\n"):
        if record := _record(line):
            readers = found.setdefault(Key(*(record[name] for name in Key._fields)), {})
            reader = Reader(record.get("by", ""), record.get("host", ""))
            readers[reader] = min(readers.get(reader, 0) + record["count"], MAX_COUNT)
    return found


def _record(line: bytes) -> dict[str, Any] | None:
    check, body = line[:_CHECK], line[_CHECK:]
    if not body or len(line) > MAX_LINE or check != b"%08x " % crc32(body):
        return None
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return record if _is_record(record) else None


def _is_record(record: object) -> bool:
    if not isinstance(record, dict) or not _FIELDS <= record.keys() <= _FIELDS | _OPTIONAL:
        return False
    count, texts = record["count"], [value for name, value in record.items() if name != "count"]
    if type(count) is not int or not 0 < count <= MAX_COUNT or not all(isinstance(text, str) for text in texts):
        return False
    names = [record.get(name, "-") for name in _OPTIONAL]
    return (
        all(0 < len(name) <= MAX_NAME and name.isprintable() for name in names)
        and is_lower_hex(record["writer"], WRITER_DIGITS)
        and _DAY.fullmatch(record["day"]) is not None
        and record["way"] in WAYS
        and is_version(record["version"])
    )


def is_version(text: str) -> bool:
    """Tell whether a text is the name of a version, `model/net@1.0.0`."""
    name, _, version = text.rpartition("@")
    kind, _, entry = name.partition("/")
    return is_entry(Entry(kind, entry)) and is_version_text(version)


def united(some: Iterable[Counts]) -> Counts:
    """Return what files add up to: of each key the larger count, and with equal ones that which names more readers."""
    found: Counts = {}
    for counts in some:
        for key, readers in counts.items():
            if key not in found or _weight(readers) > _weight(found[key]):
                found[key] = readers
    return found


def _weight(readers: Mapping[Reader, int]) -> tuple[int, int, list[tuple[Reader, int]]]:
    return sum(readers.values()), sum(reader != Reader() for reader in readers), sorted(readers.items())


def without_readers(counts: Counts) -> Counts:
    """Return the same counts with no names of people and hosts."""
    return {key: {Reader(): sum(readers.values())} for key, readers in counts.items()}


def total(counts: Counts) -> int:
    """Return how many reads there are in all."""
    return sum(count for readers in counts.values() for count in readers.values())
