"""Where a file of tensors is cut, so that what stays the same in the next version is the same piece.

Each tensor is cut for itself, in blocks counted from its own start: what is inserted before it changes
nothing. Small neighbours are joined, so that a piece is worth its row in the recipe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mlreg.tensors.tensor_format import Element, TensorFormat, TensorInfo

BLOCK = 4 * 1024 * 1024
"""Bytes of a piece of a large tensor."""
SMALL = 64 * 1024
"""Bytes of a tensor that is joined with its neighbours."""
RUN = 1024 * 1024
"""Bytes that are joined, at most."""


class Stretch(NamedTuple):
    """Bytes of a file that make one piece."""

    size: int
    element: Element | None
    """What they are made of, from the first byte on; None if that is mixed, or not known."""


def stretches(tensors: Iterable[TensorInfo], kind: TensorFormat) -> Iterator[Stretch]:
    """Yield the pieces of a file in order, without a gap, up to the end of the last tensor."""
    reached = length = 0
    run: list[Stretch] = []
    for tensor in tensors:
        between, reached = tensor.start - reached, tensor.end
        own = Stretch(tensor.end - tensor.start, kind.element(tensor.dtype))
        if between:
            run.append(Stretch(between, None))
            length += between
        # What stands before the first tensor is a header, which changes with every version.
        if run and (own.size >= SMALL or between == tensor.start or length + own.size > RUN):
            yield from _blocks(_joined(run))
            run, length = [], 0
        if own.size >= SMALL:
            yield from _blocks(own)
        elif own.size:
            run.append(own)
            length += own.size
    yield from _blocks(_joined(run))


def _joined(run: list[Stretch]) -> Stretch:
    elements = {stretch.element for stretch in run}
    return Stretch(sum(stretch.size for stretch in run), elements.pop() if len(elements) == 1 else None)


def _blocks(stretch: Stretch) -> Iterator[Stretch]:
    for start in range(0, stretch.size, BLOCK):
        yield Stretch(min(BLOCK, stretch.size - start), stretch.element)
