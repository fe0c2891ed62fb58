"""Codecs: reversible transforms of one block. `codec` is the promise, `choose` decides which.

To add one: write a file beside `zstd.py`, give it the next free number, and add it to `CODECS`.
The conformance tests run on every line of the table.
"""

from __future__ import annotations

from mlreg.codecs.codec import Codec
from mlreg.codecs.planes import Planes
from mlreg.codecs.raw import Raw
from mlreg.codecs.zstd import Zstd
from mlreg.errors import UnsupportedError

CODECS: tuple[Codec, ...] = (Raw(), Zstd(), Planes())
"""Append only. The position has no meaning; the codec's own number does."""

_BY_NUMBER = {codec.number: codec for codec in CODECS}


def codec_of(number: int) -> Codec:
    """Return the codec a pack names; `unknown_codec` if this release does not have it."""
    codec = _BY_NUMBER.get(number)
    if codec is None:
        raise UnsupportedError(
            "unknown_codec",
            f"a block is stored with codec {number}, which this mlreg does not know",
            fix="pip install --upgrade mlreg",
        )
    return codec
