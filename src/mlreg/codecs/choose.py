"""Which codec for these bytes: compress where a sample says that it pays."""

from __future__ import annotations

from mlreg.codecs import CODECS
from mlreg.codecs.codec import Buffer, Codec

RAW, ZSTD = CODECS[0], CODECS[1]

SAMPLE = 32 * 1024
"""Bytes that are tried before a large block is compressed."""
WORTH = 0.90
"""A block is kept compressed only if it shrinks to this share or less: reading it back costs time."""


def encode_best(plain: Buffer) -> tuple[Codec, Buffer]:
    """Return the codec that was chosen for a block, and its stored bytes."""
    if len(plain) > 4 * SAMPLE and not _pays(_sample(plain)):
        return RAW, plain
    stored = ZSTD.encode(plain)
    if len(stored) <= WORTH * len(plain):
        return ZSTD, stored
    return RAW, plain


def _pays(sample: Buffer) -> bool:
    return len(ZSTD.encode(sample)) <= WORTH * len(sample)


def _sample(plain: Buffer) -> bytes:
    """Return the beginning, the middle and the end, so that a header alone does not decide."""
    view = memoryview(plain)
    part = SAMPLE // 4
    middle = len(view) // 2
    return b"".join((view[:part], view[middle : middle + 2 * part], view[-part:]))
