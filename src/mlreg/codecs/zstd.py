"""General compression: one Zstandard frame (RFC 8878) with its content size in the header."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError

if TYPE_CHECKING:
    import zstandard

LEVEL = 3
"""What has no numbers in it is text, as a rule, of which this level makes a tenth less than the first one."""
MAX_WINDOW = 1 << 27
"""Bytes of window a frame may ask for; the declared size bounds the memory as well."""


class Zstd:
    """One frame, no dictionary, no checksum: the id of the content is the check."""

    number = 1
    name = "zstd"

    def __init__(self) -> None:
        # zstandard's compressors are reusable but not shareable between threads.
        self._local = threading.local()

    def encode(self, plain: Buffer) -> Buffer:
        compressor: zstandard.ZstdCompressor | None = getattr(self._local, "compressor", None)
        if compressor is None:
            import zstandard

            compressor = self._local.compressor = zstandard.ZstdCompressor(
                level=LEVEL, write_content_size=True, write_checksum=False
            )
        return compressor.compress(plain)

    def decode(self, stored: Buffer, plain_size: int) -> Buffer:
        return decode_frame(stored, plain_size)


_local = threading.local()


def decode_frame(stored: Buffer, plain_size: int) -> bytes:
    """Return the content of one frame that declares exactly `plain_size` bytes and stands alone; else `bad_block`."""
    import zstandard

    try:
        frame = zstandard.get_frame_parameters(stored)
        # The header is read first: nothing is allocated on its word alone.
        if frame.content_size != plain_size or frame.dict_id or frame.window_size > MAX_WINDOW:
            raise IntegrityError("bad_block", f"a zstd block does not declare the {plain_size} bytes it should")
        return _decompressor().decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise IntegrityError("bad_block", "a zstd block cannot be decoded", why=str(error)) from error


def _decompressor() -> zstandard.ZstdDecompressor:
    import zstandard

    decompressor: zstandard.ZstdDecompressor | None = getattr(_local, "decompressor", None)
    if decompressor is None:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return decompressor
