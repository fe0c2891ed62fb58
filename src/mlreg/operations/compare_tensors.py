"""What differs between the tensors of two files, by their headers, and if asked for by their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from blake3 import blake3

from mlreg.formats.recipe import Part
from mlreg.ids import ContentId
from mlreg.operations.stored_file import StoredFile
from mlreg.tensors.movement import Meter, Movement, meter_of
from mlreg.tensors.tensor_format import TensorInfo

STRETCH = 1024 * 1024
"""Bytes of a tensor that are compared at once; a whole number of numbers of any width."""

Pair = tuple[TensorInfo, TensorInfo]


class TensorChange(NamedTuple):
    """A tensor that differs."""

    name: str
    before: TensorInfo | None
    after: TensorInfo | None
    before_id: ContentId | None = None
    """Of its bytes; None if they were not read."""
    after_id: ContentId | None = None
    movement: Movement | None = None
    """None if its bytes were not read, or are not numbers that can be compared."""


class Headers(NamedTuple):
    """What two headers say."""

    changes: list[TensorChange]
    """What differs in presence, dtype or shape, sorted by name."""
    alike: list[Pair]
    """What has the same name, dtype and shape, in the order of the bytes before."""


def compare_headers(before: StoredFile, after: StoredFile) -> Headers | None:
    """Return how the headers of two files of tensors differ; None if one of them is not such a file.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`, `bad_recipe`.
    """
    old = before.tensors
    new = after.tensors if old else None
    if old is None or new is None:
        return None
    olds, news = ({tensor.name: tensor for tensor in found.items} for found in (old, new))
    alike = [(was, news[name]) for name, was in olds.items() if name in news and _is_alike(was, news[name])]
    names = sorted((olds.keys() | news.keys()) - {was.name for was, _ in alike})
    return Headers([TensorChange(name, olds.get(name), news.get(name)) for name in names], alike)


def _is_alike(before: TensorInfo, after: TensorInfo) -> bool:
    return (before.dtype, before.shape) == (after.dtype, after.shape)


def compare_bytes(before: StoredFile, after: StoredFile, alike: Sequence[Pair]) -> Iterator[TensorChange]:
    """Yield those tensors whose bytes differ, with the ids of their bytes, and how far their numbers moved.

    What lies in the same pieces of both files is not read. Of the rest, a few pieces of each file are in memory.

    Args:
        before: a file that has tensors.
        after: a file that has tensors.
        alike: tensors of equal dtype and shape.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`, `bad_recipe`.
    """
    for was, becomes in alike:
        if _pieces_of(before, was) == _pieces_of(after, becomes):
            continue
        numbers = before.numbers(was)
        can_move = numbers == after.numbers(becomes) and was.first_is_fastest == becomes.first_is_fastest
        meter = meter_of(numbers) if numbers and can_move else None
        ids = _compared(before, after, (was, becomes), meter)
        if ids[0] != ids[1]:
            yield TensorChange(was.name, was, becomes, *ids, meter.movement() if meter else None)


def _pieces_of(file: StoredFile, tensor: TensorInfo) -> list[Part]:
    """Return the pieces that a tensor lies in, counted from its start."""
    parts = file.parts_between(tensor.start, tensor.end)
    return [Part(part.start - tensor.start, part.end - tensor.start, part.id) for part in parts]


def _compared(before: StoredFile, after: StoredFile, pair: Pair, meter: Meter | None) -> tuple[ContentId, ContentId]:
    """Return the ids of the bytes of two tensors, and give their numbers to the meter."""
    old, new = blake3(), blake3()
    was, becomes = pair
    for stretch in range(0, was.end - was.start, STRETCH):
        size = min(STRETCH, was.end - was.start - stretch)
        first, second = before.read(was.start + stretch, size), after.read(becomes.start + stretch, size)
        old.update(first)
        new.update(second)
        if meter:
            meter.add(first, second)
    return ContentId(old.digest()), ContentId(new.digest())
