"""The format of numpy for one array: where its numbers lie.

    8 bytes    0x93 `NUMPY`, version, 0
    2 or 4     N, little-endian; 4 from version 2 on
    N bytes    the text of a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
    the rest   the array, and whatever follows it

The text is never given to Python: three patterns know all that numpy writes into it.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, format as of numpy 2.
"""

from __future__ import annotations

import math
import re

from mlreg.errors import IntegrityError
from mlreg.tensors.cursor import Cursor, in_order, shown
from mlreg.tensors.tensor_format import Element, Read, TensorInfo

MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}
"""Size of N in each version."""
MAX_HEADER_BYTES = 10_000
"""The largest N; the bound of numpy."""
MAX_DIMENSIONS = 64
"""What numpy 2 can hold."""
NAME = "array"
"""Of the one tensor: the format has no names."""

_FIELD = re.compile(
    r"""\s*(?P<quote>['"])(?P<key>descr|fortran_order|shape)(?P=quote)\s*:\s*"""
    r"""(?P<value>'[^'\\]*'|"[^"\\]*"|True|False|\([\d,\s]*\)|[\[(].*)\s*(?:,|\Z)""",
    re.ASCII | re.DOTALL,
)
_SHAPE = re.compile(r"\((?:|\d{1,19},|\d{1,19}(?:,\d{1,19})+,?)\)", re.ASCII)
_DTYPE = re.compile(
    r"[<>|](?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SUV]\d{1,9}|[mM]8(?:\[[\w/]{1,20}\])?)", re.ASCII
)
_OBJECT = "|O"
"""The dtype of what is pickled."""


class Npy:
    """See `mlreg.tensors.tensor_format.TensorFormat`; arrays of objects and of several fields are no tensor."""

    name = "npy"

    def recognises(self, head: bytes) -> bool:
        return head[:6] == MAGIC and head[6:8] in LENGTH_BYTES

    def tensors(self, read: Read, size: int) -> tuple[TensorInfo, ...]:
        try:
            return in_order(array(NAME, Cursor(read, 0, size)), size)
        except ValueError as error:
            raise IntegrityError("bad_npy", "the bytes are not an array of numpy", why=str(error)) from error

    def element(self, dtype: str) -> Element | None:
        kind, size = dtype[1], _item_size(dtype)
        width = size // 2 if kind == "c" else size  # a complex number is two floats
        if dtype[0] == ">" or kind in "SUV" or width not in {1, 2, 4, 8}:
            return None
        return Element(width, is_float=kind in "fc")

    def numbers(self, dtype: str) -> str:
        # What is wider differs between machines.
        return dtype if dtype[1] in "iuf" and _item_size(dtype) <= 8 else ""


def array(name: str, cursor: Cursor) -> tuple[TensorInfo, ...]:
    """Return the array at the place of a cursor, and pass it; nothing, if it is of objects or of several fields.

    Raises:
        ValueError: with the rule that is broken.
    """
    fields = _fields(_header(cursor))
    descr = fields.get("descr", "")
    if descr[:1] in ("[", "("):
        return ()  # the pattern took it with all that follows
    if fields.keys() != {"descr", "fortran_order", "shape"} or fields["fortran_order"] not in ("True", "False"):
        raise ValueError("the header does not have just 'descr', 'fortran_order' and 'shape'")
    shape, dtype = _shape(fields["shape"]), descr[1:-1]
    if dtype == _OBJECT:
        return ()
    if _DTYPE.fullmatch(dtype) is None:
        raise ValueError(f"the unknown dtype {shown(dtype)}")
    start = cursor.place
    cursor.skip(math.prod(shape) * _item_size(dtype))
    first_is_fastest = fields["fortran_order"] == "True" and len(shape) > 1
    return (TensorInfo(name, dtype, shape, start, cursor.place, first_is_fastest),)


def _header(cursor: Cursor) -> str:
    if cursor.take(len(MAGIC)) != MAGIC or (version := cursor.take(2)) not in LENGTH_BYTES:
        raise ValueError("it does not begin with the word NUMPY and the version 1, 2 or 3")
    size = cursor.number(LENGTH_BYTES[version])
    if size > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {size} bytes, where at most {MAX_HEADER_BYTES} are allowed")
    # What is not ASCII can only be the name of a field, which nobody reads.
    return cursor.take(size).decode("latin-1").strip()


def _fields(header: str) -> dict[str, str]:
    """Return what the header says of each key, as it is written."""
    if header[:1] != "{" or header[-1:] != "}":
        raise ValueError("the header is not one dict")
    text, place = header[1:-1].rstrip(), 0
    fields: dict[str, str] = {}
    while place < len(text):
        found = _FIELD.match(text, place)
        if found is None or found["key"] in fields:
            raise ValueError(f"the header cannot be read, or says something twice: {shown(text[place:])}")
        fields[found["key"]] = found["value"]
        place = found.end()
    return fields


def _shape(written: str) -> tuple[int, ...]:
    packed = "".join(written.split())
    if _SHAPE.fullmatch(packed) is None or packed.count(",") > MAX_DIMENSIONS:
        raise ValueError(f"{shown(written)} is not the shape of an array")
    return tuple(int(length) for length in packed[1:-1].split(",") if length)


def _item_size(dtype: str) -> int:
    """Return the bytes of one element; the number in a dtype of text counts characters of 4 bytes."""
    return int(dtype[2:].partition("[")[0]) * (4 if dtype[1] == "U" else 1)
