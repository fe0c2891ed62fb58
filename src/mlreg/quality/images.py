"""Images by their headers: size, mode, and whether the file can be what it says. No pixel is decoded.

A file is broken if it is cut off, is of another format than its name says, or declares a size that its bytes cannot
hold: decoders that believe such a header run out of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""Returns bytes from a place on, fewer at the end."""

SUFFIXES = {
    **dict.fromkeys((".jpg", ".jpeg"), "jpeg"),
    **{f".{name}": name for name in ("png", "gif", "webp", "bmp")},
}
"""Formats, by how names end."""
HEAD = 64
TAIL = 64 * 1024
"""Bytes at the end in which the mark of the end must stand; some cameras write more behind it."""
MOST_GIF = 64 * 1024 * 1024
"""Bytes of a GIF that are looked at."""
MOST_PARTS = 100_000
"""Chunks or segments that are looked at."""
PNG_RATIO = 1032
"""Bytes that one byte of deflate makes at most."""
JPEG_RATIO = 1024
"""Pixels that one byte makes at most: a bit for each block of 8 x 8, and two such blocks in each direction."""


class Image(NamedTuple):
    """What the header of an image says."""

    format: str
    """`png`, `jpeg`, `gif`, `webp` or `bmp`; empty if it is none of them."""
    width: int
    height: int
    mode: str
    """`gray`, `gray+alpha`, `palette`, `rgb`, `rgba` or `cmyk`, with the bits of a channel if these are not 8."""
    problem: str
    """Why it is broken; empty if nothing is known against it."""


class _Broken(Exception):
    """What is wrong."""


class _File(NamedTuple):
    read: Read
    head: bytes
    size: int


class _Header(NamedTuple):
    width: int
    height: int
    mode: str
    problem: str = ""


def format_by_name(name: str) -> str:
    """Return the format that a name promises; empty if it is no name of an image.

    >>> format_by_name("train/cat/1.JPG"), format_by_name("rows.csv")
    ('jpeg', '')
    """
    return SUFFIXES.get(PurePosixPath(name).suffix.lower(), "")


def image_of(read: Read, size: int, name: str) -> Image:
    """Return what the header of a file says whose name is that of an image.

    Args:
        read: reads the file.
        size: of the file in bytes.
        name: of the file.
    """
    head = read(0, HEAD)
    kind = _format_of(head)
    if not kind:
        return Image("", 0, 0, "", "it is empty" if not size else f"it is no {format_by_name(name)}")
    try:
        found = _READERS[kind](_File(read, head, size))
    except _Broken as error:
        return Image(kind, 0, 0, "", str(error))
    except IndexError:
        return Image(kind, 0, 0, "", "it is cut off in its header")
    problem = found.problem
    if not found.width or not found.height:
        problem = f"it says that it is {found.width} x {found.height}"
    elif not problem and kind != format_by_name(name):
        problem = f"it is {kind}, and its name says {format_by_name(name)}"
    return Image(kind, found.width, found.height, found.mode, problem)


def _format_of(head: bytes) -> str:
    if head[:4] == b"RIFF":
        return "webp" if head[8:12] == b"WEBP" else ""
    marks = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif", b"BM": "bmp"}
    return next((kind for mark, kind in marks.items() if head.startswith(mark)), "")


def _number(data: bytes, at: int, size: int, *, big: bool = False) -> int:
    if len(data) < at + size:
        raise IndexError
    return int.from_bytes(data[at : at + size], "big" if big else "little")


def _mode(word: str, bits: int) -> str:
    return word if bits == 8 or word == "palette" else f"{word} {bits} bit"


def _cannot_hold(width: int, height: int, size: int) -> str:
    return f"it says that it is {width} x {height}, and its {size} bytes cannot hold that"


# PNG.

_PNG = {0: ("gray", 1), 2: ("rgb", 3), 3: ("palette", 1), 4: ("gray+alpha", 2), 6: ("rgba", 4)}


def _png(file: _File) -> _Header:
    if file.head[12:16] != b"IHDR" or len(file.head) < 26:
        raise _Broken("it is cut off in its header" if len(file.head) < 26 else "it does not begin with a header")
    width, height = _number(file.head, 16, 4, big=True), _number(file.head, 20, 4, big=True)
    bits, color = file.head[24], file.head[25]
    if color not in _PNG or bits not in (1, 2, 4, 8, 16):
        raise _Broken(f"there is no PNG of color type {color} and {bits} bits")
    word, channels = _PNG[color]
    raw = height * ((width * channels * bits + 7) // 8)
    problem = _cannot_hold(width, height, file.size) if raw > PNG_RATIO * file.size else _png_end(file.read, file.size)
    return _Header(width, height, _mode(word, bits), problem)


def _png_end(read: Read, size: int) -> str:
    at = 8
    for _ in range(MOST_PARTS):
        chunk = read(at, 8)
        if len(chunk) < 8:
            return "it is cut off"
        at += 12 + _number(chunk, 0, 4, big=True)
        if at > size:
            return "it is cut off"
        if chunk[4:] == b"IEND":
            return ""
    return "it has too many chunks"


# JPEG.

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""Marks of segments that have no length."""


def _jpeg(file: _File) -> _Header:
    at = 2
    for _ in range(MOST_PARTS):
        mark = file.read(at, 10)
        if len(mark) < 10 or mark[0] != 0xFF:
            raise _Broken("it is cut off in its header" if len(mark) < 10 else "there is no mark where one must be")
        if mark[1] in _FRAMES:
            return _jpeg_frame(mark, file, at)
        if mark[1] in (0xD9, 0xDA):
            raise _Broken("it says nowhere how large it is")
        # A mark may have bytes of 255 in front.
        at += 1 if mark[1] == 0xFF else 2 if mark[1] in _ALONE else 2 + max(2, _number(mark, 2, 2, big=True))
    raise _Broken("it has too many segments")


def _jpeg_frame(mark: bytes, file: _File, at: int) -> _Header:
    height, width, channels = _number(mark, 5, 2, big=True), _number(mark, 7, 2, big=True), mark[9]
    word = {1: "gray", 3: "rgb", 4: "cmyk"}.get(channels)
    if word is None:
        raise _Broken(f"there is no JPEG of {channels} channels")
    problem = ""
    if width * height > JPEG_RATIO * file.size:
        problem = _cannot_hold(width, height, file.size)
    # In what stands for pixels there is no such mark.
    elif b"\xff\xd9" not in file.read(max(at, file.size - TAIL), TAIL):
        problem = "it is cut off"
    return _Header(width, height, _mode(word, mark[4]), problem)


# GIF, WebP, BMP.


def _gif(file: _File) -> _Header:
    width, height = _number(file.head, 6, 2), _number(file.head, 8, 2)
    at = 13 + _colors(_number(file.head, 10, 1))
    return _Header(width, height, "palette", "" if _gif_ends(file.read(0, MOST_GIF), at) else "it is cut off")


def _colors(flags: int) -> int:
    """Return the bytes of a table of colors, if the flags say that there is one."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_ends(data: bytes, at: int) -> bool:
    """Tell whether the blocks of a GIF lead to its end, or are too many to be looked at."""
    while at < len(data):
        if data[at] == 0x3B:
            return True
        # An extension has a label; an image a place, a size, perhaps colors, and the width of its codes.
        at += 2 if data[at] == 0x21 else 11 + _colors(data[at + 9]) if at + 9 < len(data) else len(data)
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return len(data) == MOST_GIF


def _webp(file: _File) -> _Header:
    problem = "it is cut off" if _number(file.head, 4, 4) + 8 > file.size else ""
    kind = file.head[12:16]
    if kind == b"VP8X":
        mode = "rgba" if file.head[20] & 0x10 else "rgb"
        return _Header(_number(file.head, 24, 3) + 1, _number(file.head, 27, 3) + 1, mode, problem)
    if kind == b"VP8L":
        bits = _number(file.head, 21, 4)
        return _Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, "rgba" if bits >> 28 & 1 else "rgb", problem)
    if kind == b"VP8 " and file.head[23:26] == b"\x9d\x01\x2a":
        return _Header(_number(file.head, 26, 2) & 0x3FFF, _number(file.head, 28, 2) & 0x3FFF, "rgb", problem)
    raise _Broken("it is cut off in its header" if len(file.head) < 30 else "there is no image where one must be")


def _bmp(file: _File) -> _Header:
    start, header = _number(file.head, 10, 4), _number(file.head, 14, 4)
    if header == 12:
        width, height, bits, packing = (
            _number(file.head, 18, 2),
            _number(file.head, 20, 2),
            _number(file.head, 24, 2),
            0,
        )
    else:
        width, height = (int.from_bytes(file.head[at : at + 4], "little", signed=True) for at in (18, 22))
        bits, packing = _number(file.head, 28, 2), _number(file.head, 30, 4)
    if width < 0 or bits not in (1, 2, 4, 8, 16, 24, 32):
        raise _Broken(f"there is no BMP of {bits} bits, and {width} wide")
    # Rows may stand upside down; packed ones (1, 2) have no file.size of their own.
    height = abs(height)
    raw = height * ((width * bits + 31) // 32 * 4)
    problem = _cannot_hold(width, height, file.size) if packing in (0, 3, 6) and start + raw > file.size else ""
    return _Header(width, height, "palette" if bits <= 8 else "rgba" if bits == 32 else "rgb", problem)


_READERS: dict[str, Callable[[_File], _Header]] = {
    "png": _png,
    "jpeg": _jpeg,
    "gif": _gif,
    "webp": _webp,
    "bmp": _bmp,
}
