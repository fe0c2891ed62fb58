"""Metrics as a file: a column for the steps, the times and the values of each, in one safetensors file.

Format page: `docs/format/run.md`. Columns of one kind lie together, so that they compress as what they are, and
anything that reads safetensors reads them: the tensors of a metric are `NAME/step`, `NAME/time` and `NAME/value`.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
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
    """Return the file that holds metrics, sorted by name; one without points is not in it.

    Source: https://huggingface.co/docs/safetensors, "Format".
    """
    lengths = {name: len(series) for name, series in metrics.items() if len(series)}
    columns = (_little(metrics[name].column(column)).tobytes() for name, column, _ in _layout(lengths))
    return b"".join((_header_of(lengths), *columns))


def _layout(names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield metric, column and type code in the order of the file: all steps, all times, all values."""
    ordered = sorted(names)
    return ((name, column, code) for column, _, code in COLUMNS for name in ordered)


def _header_of(lengths: Mapping[str, int]) -> bytes:
    """Return all that stands before the columns, by how many points each metric has."""
    types = {column: dtype for column, dtype, _ in COLUMNS}
    header: dict[str, Any] = {}
    at = 0
    for name, column, _ in _layout(lengths):
        end = at + lengths[name] * _WIDTH
        header[f"{name}/{column}"] = {"dtype": types[column], "shape": [lengths[name]], "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # Tensors begin at a multiple of eight.
    text += b" " * (-len(text) % _WIDTH)
    return len(text).to_bytes(_LENGTH, "little") + text


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
    size = int.from_bytes(data[:_LENGTH], "little")
    at = _LENGTH + size
    if len(data) < _LENGTH or size > MAX_HEADER or at > len(data):
        raise _bad("its header is longer than the file")
    lengths = _lengths(data[_LENGTH:at])
    if len(data) - at != sum(lengths.values()) * len(COLUMNS) * _WIDTH:
        raise _bad("its columns are not as long as the header says")
    if data[:at] != _header_of(lengths):
        raise _bad("its header is not what is written for these metrics")
    found: dict[str, list[array[Any]]] = {name: [] for name in sorted(lengths)}
    for name, _, code in _layout(lengths):
        end = at + lengths[name] * _WIDTH
        values = array(code)
        values.frombytes(memoryview(data)[at:end])
        found[name].append(_little(values))
        at = end
    return {name: Series(*columns) for name, columns in found.items()}


def _lengths(text: bytes) -> dict[str, int]:
    """Return the metrics that a header names, and of how many points; whether it is right in all is for others."""
    first = f"/{COLUMNS[0][0]}"
    try:
        header = json.loads(text)
        found = {name.removesuffix(first): facts["shape"][0] for name, facts in header.items() if name.endswith(first)}
        for name in found:
            name.encode()
    except (ValueError, RecursionError, TypeError, LookupError, AttributeError) as error:
        raise _bad("its header is not one of metrics") from error
    if not all(type(length) is int and length > 0 for length in found.values()):
        raise _bad("a column has no points")
    return found


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_series", "the metrics of a run cannot be read", why=reason, fix="mlreg verify")
