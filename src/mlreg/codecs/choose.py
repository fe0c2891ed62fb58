"""Which codec for these bytes: what a sample says is smallest, and raw where nothing pays."""

from __future__ import annotations

from mlreg.codecs.codec import Buffer, Codec
from mlreg.codecs.planes import Planes, Shape
from mlreg.codecs.raw import Raw
from mlreg.codecs.zstd import Zstd

RAW, ZSTD, PLANES = Raw(), Zstd(), Planes()

SAMPLE = 32 * 1024
"""Bytes that are tried before a large block is compressed."""
WORTH = 0.90
"""A block is kept compressed by general means only if it shrinks to this share: reading it back costs time."""
WORTH_PLANES = 0.97
"""The same of planes, which are read back as fast as a disk delivers them."""
SNIFFED = 128 * 1024
"""A block of fewer bytes is not searched for numbers."""
TEXT, NOISE = 0.5, 0.995
"""What shrinks to less by general means is no numbers; what shrinks to no less has none that would shrink."""
PHASE = 8
"""Bytes of the widest number."""


def encode_best(plain: Buffer, shape: Shape | None = None) -> tuple[Codec, Buffer]:
    """Return the codec that was chosen for a block, and its stored bytes.

    Args:
        plain: the block.
        shape: how numbers lie in it, if that is known; otherwise a large block is searched for them.
    """
    if len(plain) <= 4 * SAMPLE:
        return _best_of_small(plain, shape)
    sample = _sample(plain)
    general = len(ZSTD.encode(sample)) / len(sample)
    shape = shape or _sniffed(plain, sample, general)
    if shape and _share(sample, shape) < min(general, WORTH_PLANES):
        return _smaller(plain, PLANES, PLANES.encode_as(plain, shape), WORTH_PLANES)
    if general <= WORTH:
        return _smaller(plain, ZSTD, ZSTD.encode(plain), WORTH)
    return RAW, plain


def _best_of_small(plain: Buffer, shape: Shape | None) -> tuple[Codec, Buffer]:
    general = ZSTD.encode(plain)
    planes = PLANES.encode_as(plain, shape) if shape else general
    if len(planes) < len(general):
        return _smaller(plain, PLANES, planes, WORTH_PLANES)
    return _smaller(plain, ZSTD, general, WORTH)


def _smaller(plain: Buffer, codec: Codec, stored: Buffer, worth: float) -> tuple[Codec, Buffer]:
    return (codec, stored) if len(stored) <= worth * len(plain) else (RAW, plain)


def _sniffed(plain: Buffer, sample: bytes, general: float) -> Shape | None:
    """Return how numbers lie in a block, or None if it is too short, or looks like text, or like noise."""
    if len(plain) < SNIFFED or not TEXT < general < NOISE:
        return None
    from mlreg.codecs.sniff import sniff

    return sniff(sample)


def _share(sample: bytes, shape: Shape) -> float:
    return len(PLANES.encode_as(sample, shape)) / len(sample)


def _sample(plain: Buffer) -> bytes:
    """Return the beginning, the middle and the end, so that a header alone does not decide."""
    view = memoryview(plain)
    part = SAMPLE // 4
    # Numbers must stand at the same places of the sample as of the block.
    middle, last = (at // PHASE * PHASE for at in (len(view) // 2, len(view) - part))
    return b"".join((view[:part], view[middle : middle + 2 * part], view[last : last + part]))
