"""A repository in one file: a tar of its keys, in the one form that is written.

Format page: `docs/format/archive.md`. Every header is a function of a key and a size, so that a reader compares it with
what it would have written: there are no links, no directories, no other forms of names and sizes, and nothing that two
programs could understand differently. Other tars are refused; any tar can unpack one of these.
"""

from __future__ import annotations

import re

from mlreg.errors import IntegrityError

BLOCK = 512
"""Bytes of a header; the bytes of a key are filled up to a whole number of blocks."""
END = bytes(2 * BLOCK)
"""What stands behind the last key, and nothing behind it: a file that was cut does not end so."""
MAX_KEYS = 1 << 21
"""Keys of an archive: all are held in memory."""
MAX_SIZE = 1 << 62
"""Bytes of a key."""

_OCTAL = 8**11
"""Sizes from here on are written in binary, as GNU tar does."""
_HEX = "[0-9a-f]"
_KEY = re.compile(
    r"(?:mlreg|backup|bundle)\.json|(?:log|snapshots|backups)/[0-9]{16}"
    rf"|packs/({_HEX}{{2}})/\1{_HEX}{{30}}\.pack|beside/({_HEX}{{2}})/\2{_HEX}{{62}}",
    re.ASCII,
)


def is_key(name: str) -> bool:
    """Tell whether an archive may have a member of that name."""
    return _KEY.fullmatch(name) is not None


def padded(size: int) -> int:
    """Return how many bytes so many take in an archive."""
    return -(-size // BLOCK) * BLOCK


def encode_header(key: str, size: int) -> bytes:
    """Return the block that stands before the bytes of a key."""
    stored = b"%011o\0" % size if size < _OCTAL else b"\x80" + size.to_bytes(11)
    fields = (
        key.encode("ascii").ljust(100, b"\0"),
        b"0000444\0",  # may be read
        b"0000000\0" * 2,  # user and group
        stored,
        b"%011o\0" % 0,  # time
        b" " * 8,  # sum, as it is counted
        b"0",  # a file
        bytes(100),  # no link
        b"ustar\00000",
    )
    header = b"".join(fields).ljust(BLOCK, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def decode_header(header: bytes) -> tuple[str, int]:
    """Return the key and the size that a header is about.

    Raises:
        IntegrityError: `bad_archive`, it is not what is written for any key and size.
    """
    key, stored = header[:100].rstrip(b"\0").decode("ascii", "replace"), header[124:136]
    if not is_key(key):
        raise bad_archive("it has a member that is no key of a repository, or is cut")
    if stored[:1] == b"\x80":
        size = int.from_bytes(stored[1:])
    else:
        size = int(stored[:11], 8) if re.fullmatch(rb"[0-7]{11}\0", stored) else -1
    if not 0 <= size <= MAX_SIZE or encode_header(key, size) != header:
        raise bad_archive(f"the header of {key} is not in the form that mlreg writes")
    return key, size


def bad_archive(reason: str, name: str = "a file") -> IntegrityError:
    """Return the error for a file that is no archive."""
    return IntegrityError(
        "bad_archive",
        f"{name} is no archive of mlreg, or not all of it",
        why=reason,
        fix=("check the path", "copy it again from where it was made, or have another one made"),
    )
