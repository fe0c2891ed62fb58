"""Metrics as a file: a column for the steps, the times and the values of each, in one safetensors file.

Format page: `docs/format/run.md`. Columns of one kind lie together, so that they compress as what they are, and
anything that reads safetensors reads them: the tensors of a metric are `NAME/step`, `NAME/time` and `NAME/value`.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from mlreg.errors import IntegrityError
from mlreg.formats.run import Series

FILE = "metrics.safetensors"
"""Where they stand among the files of a sealed run."""
MAX_HEADER = 100_000_000
_LENGTH = 8
_WIDTH = 8
COLUMNS = (("step", "I64", "q"), ("time", "I64", "q"), ("value", "F64", "d"))
"""Last part of the tensor's name, type in the file, type code of the array."""


def encode_series(metrics: Mapping[str, Series]) -> bytes:
    """Return the file that holds metrics, sorted by name.

    Source: https://huggingface.co/docs/safetensors, "Format".
    """
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    at = 0
    for name, column, dtype, values in _columns(metrics):
        end = at + len(values) * _WIDTH
        header[f"{name}/{column}"] = {"dtype": dtype, "shape": [len(values)], "data_offsets": [at, end]}
        parts.append(_little(values).tobytes())
        at = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # Tensors begin at a multiple of eight.
    text += b" " * (-len(text) % _WIDTH)
    return b"".join((len(text).to_bytes(_LENGTH, "little"), text, *parts))


def _columns(metrics: Mapping[str, Series]) -> Iterator[tuple[str, str, str, array[Any]]]:
    """Yield the columns in the order of the file: all steps, all times, all values."""
    for column, dtype, _ in COLUMNS:
        for name in sorted(metrics):
            series = metrics[name]
            yield name, column, dtype, series.column(column)


def _little(values: array[Any]) -> array[Any]:
    if sys.byteorder == "little":
        return values
    swapped = array(values.typecode, values)
    swapped.byteswap()
    return swapped


def decode_series(data: bytes) -> dict[str, Series]:
    """Return the metrics of a file, by name.

    Raises:
        IntegrityError: `bad_series`, it is not what `encode_series` writes.
    """
    header, start = _header(data)
    if start + sum(map(_size, header.values())) > len(data):
        raise _bad("its columns overlap")
    found: dict[str, dict[str, array[Any]]] = {}
    for tensor, facts in header.items():
        name, _, column = tensor.rpartition("/")
        found.setdefault(name, {})[column] = _column(data, start, column, facts)
    return {name: _series(columns) for name, columns in sorted(found.items())}


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(data[:_LENGTH], "little")
    start = _LENGTH + size
    if len(data) < _LENGTH or size > MAX_HEADER or start > len(data):
        raise _bad("its header is longer than the file")
    try:
        header = json.loads(data[_LENGTH:start])
    except (ValueError, RecursionError) as error:
        raise _bad("its header is not JSON") from error
    if not isinstance(header, dict):
        raise _bad("its header is not an object")
    return header, start


def _size(facts: object) -> int:
    """Return the bytes of a column; 0 of what is none, which is refused later."""
    begin, end = _place(facts) or (0, 0)
    return max(0, end - begin)


def _place(facts: object) -> tuple[int, int] | None:
    offsets = facts.get("data_offsets") if isinstance(facts, dict) else None
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(one) is int for one in offsets)):
        return None
    return offsets[0], offsets[1]


def _column(data: bytes, start: int, column: str, facts: object) -> array[Any]:
    types = {name: (dtype, code) for name, dtype, code in COLUMNS}
    dtype, code = types.get(column, ("", ""))
    if not (dtype and isinstance(facts, dict) and facts.get("dtype") == dtype):
        raise _bad("a column is neither step, time nor value, or of another type")
    if (place := _place(facts)) is None:
        raise _bad("a column has no place")
    begin, end = place
    if not 0 <= begin <= end <= len(data) - start or (end - begin) % _WIDTH:
        raise _bad("a column lies outside of the file")
    values = array(code)
    values.frombytes(memoryview(data)[start + begin : start + end])
    return _little(values)


def _series(columns: Mapping[str, array[Any]]) -> Series:
    if set(columns) != {name for name, _, _ in COLUMNS} or len(set(map(len, columns.values()))) != 1:
        raise _bad("the columns of a metric are not of one length, or one is missing")
    return Series(columns["step"], columns["time"], columns["value"])


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_series", "the metrics of a run cannot be read", why=reason, fix="mlreg verify")
