"""What differs between the tensors of two files, by their headers, and if asked for by their bytes.

Pieces are verified when they are read. Whether they add up to the file is not: only a few are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from blake3 import blake3

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError
from mlreg.formats.recipe import Part
from mlreg.formats.tree import File
from mlreg.ids import ContentId
from mlreg.repository.objects import Objects
from mlreg.tensors.safetensors import LENGTH_BYTES, Header, header_size, parse_header
from mlreg.tensors.tensor_format import TensorInfo

MAX_HEADER_BYTES = 32 * 1024 * 1024
"""A file with a longer header is compared as a whole: both headers are held in memory."""
MAX_PARTS = 1 << 20
"""Of a file with more pieces all are read: they are held in memory to find those that both files have."""

Pair = tuple[TensorInfo, TensorInfo]


class Stored(NamedTuple):
    """A file of a version, and where its pieces are."""

    objects: Objects
    file: File

    def parts(self) -> Iterator[Part]:
        """Yield its pieces in order."""
        return self.objects.parts_of(self.file.id, self.file.size)


class TensorChange(NamedTuple):
    """A tensor that differs."""

    name: str
    before: TensorInfo | None
    after: TensorInfo | None
    before_id: ContentId | None = None
    """Of its bytes; None if they were not read."""
    after_id: ContentId | None = None


class Headers(NamedTuple):
    """What two headers say."""

    changes: list[TensorChange]
    """What differs in presence, dtype or shape, sorted by name."""
    alike: list[Pair]
    """What has the same name, dtype and shape, in the order of the bytes before."""


def compare_headers(before: Stored, after: Stored) -> Headers | None:
    """Return how the headers of two safetensors files differ; None if one of them is not such a file.

    Only the first pieces are read.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`, `bad_recipe`.
    """
    old = _header(before)
    new = _header(after) if old else None
    if old is None or new is None:
        return None
    olds, news = ({tensor.name: tensor for tensor in header.tensors} for header in (old, new))
    alike = [(was, news[name]) for name, was in olds.items() if name in news and _is_alike(was, news[name])]
    names = sorted((olds.keys() | news.keys()) - {was.name for was, _ in alike})
    return Headers([TensorChange(name, olds.get(name), news.get(name)) for name in names], alike)


def _is_alike(before: TensorInfo, after: TensorInfo) -> bool:
    return (before.dtype, before.shape) == (after.dtype, after.shape)


def _header(stored: Stored) -> Header | None:
    head, pieces = bytearray(), map(stored.objects.read_part, stored.parts())
    try:
        _fill(head, pieces, LENGTH_BYTES)
        size = header_size(bytes(head[:LENGTH_BYTES]))
        if size > min(MAX_HEADER_BYTES, stored.file.size):
            return None
        _fill(head, pieces, size)
        return parse_header(memoryview(head)[:size], stored.file.size)
    except IntegrityError as error:
        if error.code != "bad_safetensors":
            raise
        return None


def _fill(head: bytearray, pieces: Iterator[Buffer], size: int) -> None:
    while len(head) < size and (piece := next(pieces, None)):
        head += piece


def compare_bytes(before: Stored, after: Stored, alike: Sequence[Pair]) -> list[TensorChange]:
    """Return those tensors whose bytes differ, with the ids of their bytes.

    What lies at the same place of pieces that both files have is not read. Of the rest, one piece of each
    file is in memory at a time.

    Args:
        before: a file.
        after: a file.
        alike: tensors of equal dtype and shape.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`, `bad_recipe`.
    """
    unshared = _unshared(before, after)
    unknown = [pair for pair in alike if pair[0].start != pair[1].start or _meets(unshared, pair[0])]
    old = _ids(before, [was for was, _ in unknown])
    new = _ids(after, [becomes for _, becomes in unknown])
    pairs = ((was.name, was, becomes, old[was.name], new[was.name]) for was, becomes in unknown)
    return [TensorChange(*pair) for pair in pairs if pair[3] != pair[4]]


def _unshared(before: Stored, after: Stored) -> list[Part]:
    """Return the parts of the first file that the other one does not have at the same place."""
    old, new = (list(islice(stored.parts(), MAX_PARTS + 1)) for stored in (before, after))
    if max(len(old), len(new)) > MAX_PARTS:
        return [Part(0, before.file.size, before.file.id)]
    shared = frozenset(new)
    return [part for part in old if part not in shared]


def _meets(parts: Sequence[Part], tensor: TensorInfo) -> bool:
    at = bisect_right(parts, tensor.start, key=lambda part: part.end)
    return at < len(parts) and parts[at].start < tensor.end


def _ids(stored: Stored, tensors: Sequence[TensorInfo]) -> dict[str, ContentId]:
    """Return the ids of the bytes of tensors, reading only the pieces that they lie in, each once."""
    ids = {tensor.name: ContentId.of(b"") for tensor in tensors}
    waiting = deque(sorted((tensor for tensor in tensors if tensor.start < tensor.end), key=lambda one: one.start))
    hasher = blake3()
    for part in stored.parts():
        if not waiting or part.end <= waiting[0].start:
            continue
        data = memoryview(stored.objects.read_part(part))
        while waiting and waiting[0].start < part.end:
            tensor = waiting[0]
            hasher.update(data[max(0, tensor.start - part.start) : tensor.end - part.start])
            if tensor.end > part.end:
                break
            ids[tensor.name] = ContentId(hasher.digest())
            waiting.popleft()
            hasher = blake3()
    return ids
