"""Every codec of the table keeps the promise of `codecs/codec.py`, also towards hostile bytes."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mlreg.codecs import CODECS, codec_of
from mlreg.codecs.choose import SAMPLE, WORTH, encode_best
from mlreg.codecs.codec import Buffer, Codec
from mlreg.codecs.raw import Raw
from mlreg.codecs.zstd import MAX_WINDOW, Zstd
from mlreg.errors import IntegrityError, UnsupportedError

# Random bytes do not compress; the second strategy makes blocks that do.
words = st.sampled_from([b"weight", b"bias", b"\x00\x00\x80\x3f", b"\n"])
blocks = st.one_of(st.binary(max_size=4096), st.lists(words, max_size=400).map(b"".join))
every_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)

MEGABYTE = 1 << 20
PLAIN = b"the same words again and again, " * 40


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def peak_of(call: Callable[[], object]) -> int:
    """Return the most bytes that Python held at once during a call that may refuse."""
    tracemalloc.start()
    try:
        with suppress(IntegrityError):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# The table.


def test_numbers_and_names_are_given_once() -> None:
    assert len({codec.number for codec in CODECS}) == len(CODECS)
    assert len({codec.name for codec in CODECS}) == len(CODECS)


def test_numbers_that_were_given_stay_and_fit_in_a_byte() -> None:
    assert {codec.name: codec.number for codec in CODECS}.items() >= {"raw": 0, "zstd": 1}.items()
    assert all(0 <= codec.number <= 255 for codec in CODECS)


@every_codec
def test_a_codec_is_found_by_its_number(codec: Codec) -> None:
    assert codec_of(codec.number) is codec


@pytest.mark.parametrize("number", [max(codec.number for codec in CODECS) + 1, 255, -1])
def test_an_unknown_codec_asks_for_a_newer_release(number: int) -> None:
    with pytest.raises(UnsupportedError) as caught:
        codec_of(number)
    assert caught.value.code == "unknown_codec"


# Every codec.


@every_codec
@given(plain=blocks)
def test_decoding_returns_the_plain_bytes(codec: Codec, plain: bytes) -> None:
    assert codec.decode(codec.encode(plain), len(plain)) == plain


@every_codec
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65535, 65536, MEGABYTE + 1])
def test_the_sizes_at_which_headers_grow_are_decoded(codec: Codec, size: int) -> None:
    for plain in (bytes(size), noise(size)):
        assert codec.decode(codec.encode(plain), size) == plain


@every_codec
@given(plain=blocks)
def test_every_kind_of_buffer_gives_the_same_bytes(codec: Codec, plain: bytes) -> None:
    stored = bytes(codec.encode(plain))

    assert codec.encode(bytearray(plain)) == stored
    assert codec.encode(memoryview(plain)) == stored
    assert codec.decode(bytearray(stored), len(plain)) == plain
    assert codec.decode(memoryview(stored), len(plain)) == plain


@every_codec
def test_equal_input_gives_equal_output_on_every_thread(codec: Codec) -> None:
    # Large enough for the interpreter to be let go meanwhile.
    plains = [PLAIN * (100 + size) + noise(100_000, seed=size) for size in range(16)]
    expected = [bytes(codec.encode(plain)) for plain in plains]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(codec.encode, plains * 4)) == expected * 4
        decoded = pool.map(codec.decode, expected * 4, [len(plain) for plain in plains] * 4)
        assert list(decoded) == plains * 4


@every_codec
@given(hostile=st.binary(max_size=512), declared=st.integers(0, 1 << 16))
def test_hostile_bytes_are_refused_or_have_the_declared_size(codec: Codec, hostile: bytes, declared: int) -> None:
    with suppress(IntegrityError):
        assert len(codec.decode(hostile, declared)) == declared


@every_codec
@given(plain=blocks, at=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_keeps_the_declared_size(codec: Codec, plain: bytes, at: int, bit: int) -> None:
    stored = bytearray(codec.encode(plain))
    if stored:
        stored[at % len(stored)] ^= 1 << bit

    with suppress(IntegrityError):
        assert len(codec.decode(stored, len(plain))) == len(plain)


@every_codec
def test_stored_bytes_that_are_cut_are_refused(codec: Codec) -> None:
    stored = bytes(codec.encode(PLAIN))

    for size in range(len(stored)):
        with pytest.raises(IntegrityError) as caught:
            codec.decode(stored[:size], len(PLAIN))
        assert caught.value.code == "bad_block"


@every_codec
@pytest.mark.parametrize("extra", [b"\0", PLAIN], ids=["one byte", "as much again"])
def test_bytes_behind_the_end_are_refused(codec: Codec, extra: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        codec.decode(bytes(codec.encode(PLAIN)) + extra, len(PLAIN))
    assert caught.value.code == "bad_block"


@every_codec
@pytest.mark.parametrize("declared", [0, 1, len(PLAIN) - 1, len(PLAIN) + 1, 1 << 62])
def test_another_size_than_the_declared_one_is_refused(codec: Codec, declared: int) -> None:
    with pytest.raises(IntegrityError) as caught:
        codec.decode(codec.encode(PLAIN), declared)
    assert caught.value.code == "bad_block"


@every_codec
def test_a_small_block_cannot_ask_for_a_large_memory(codec: Codec) -> None:
    bomb = codec.encode(bytes(32 * MEGABYTE))

    assert peak_of(lambda: codec.decode(bomb, 5)) < MEGABYTE


# Zstandard.


def frame_with_size(size: int) -> bytes:
    """Return a frame that claims `size` bytes of content in an 8-byte field, and holds PLAIN."""
    frame = compressed()
    parameters = zstandard.get_frame_parameters(frame)
    header = zstandard.frame_header_size(frame)
    assert parameters.content_size == len(PLAIN)
    # Single segment, content size of 8 bytes, no checksum, no dictionary.
    return frame[:4] + bytes([0b1110_0000]) + struct.pack("<Q", size) + frame[header:]


def test_the_forged_header_is_a_header() -> None:
    assert Zstd().decode(frame_with_size(len(PLAIN)), len(PLAIN)) == PLAIN


@pytest.mark.parametrize("claimed", [1 << 30, 1 << 62])
def test_a_header_that_claims_much_is_refused_before_anything_is_allocated(claimed: int) -> None:
    frame = frame_with_size(claimed)

    assert peak_of(lambda: Zstd().decode(frame, len(PLAIN))) < MEGABYTE
    # The declared size is checked by the caller to be small; a window as large as this is refused even so.
    with pytest.raises(IntegrityError):
        Zstd().decode(frame, claimed)


def compressed(**options: object) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(PLAIN)  # type: ignore[arg-type] # options of several types


def frame_with_dictionary() -> bytes:
    dictionary = zstandard.train_dictionary(2048, [PLAIN[: 200 + n] + noise(64, n) for n in range(64)])
    assert dictionary.dict_id()
    return zstandard.ZstdCompressor(dict_data=dictionary).compress(PLAIN)


def frame_with_wrong_checksum() -> bytes:
    frame = bytearray(compressed(write_checksum=True))
    frame[-1] ^= 1
    return bytes(frame)


SKIPPABLE = struct.pack("<II", 0x184D2A50, len(PLAIN)) + PLAIN

REFUSED: dict[str, Callable[[], bytes]] = {
    "no content size": lambda: compressed(write_content_size=False),
    "a dictionary": frame_with_dictionary,
    "a wrong checksum": frame_with_wrong_checksum,
    "a skippable frame": lambda: SKIPPABLE,
    "a skippable frame in front": lambda: SKIPPABLE + compressed(),
    "a skippable frame behind": lambda: compressed() + SKIPPABLE,
    "an empty frame behind": lambda: compressed() + zstandard.compress(b""),
    "plain bytes": lambda: PLAIN,
}


@pytest.mark.parametrize("form", REFUSED)
def test_a_form_that_zstandard_knows_and_we_never_write_is_refused(form: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Zstd().decode(REFUSED[form](), len(PLAIN))
    assert caught.value.code == "bad_block"


@pytest.mark.parametrize("declared", [len(PLAIN), 2 * len(PLAIN)])
def test_two_frames_are_not_one_block(declared: int) -> None:
    with pytest.raises(IntegrityError) as caught:
        Zstd().decode(compressed() * 2, declared)
    assert caught.value.code == "bad_block"


def test_a_window_larger_than_ours_is_refused() -> None:
    # Descriptor without single segment: the window has a byte of its own, here 2 ** 31.
    header = b"\x28\xb5\x2f\xfd" + bytes([0b1000_0000, 21 << 3]) + struct.pack("<I", 5)
    frame = header + struct.pack("<I", 5 << 3 | 1)[:3] + b"abcde"
    assert zstandard.get_frame_parameters(frame).window_size > MAX_WINDOW

    with pytest.raises(IntegrityError):
        Zstd().decode(frame, 5)


# The choice.


@given(plain=blocks)
def test_the_chosen_form_decodes_to_the_plain_bytes_and_is_never_longer(plain: bytes) -> None:
    codec, stored = encode_best(plain)

    assert codec.decode(stored, len(plain)) == plain
    assert len(stored) <= len(plain)


@pytest.mark.parametrize("size", [1, 1000, 4 * SAMPLE, 4 * SAMPLE + 1, 4 * MEGABYTE])
def test_noise_is_stored_as_it_is(size: int) -> None:
    plain = noise(size)
    codec, stored = encode_best(plain)

    assert isinstance(codec, Raw)
    assert stored is plain


@pytest.mark.parametrize("size", [100, 4 * SAMPLE, 4 * SAMPLE + 1, MEGABYTE])
def test_what_repeats_itself_is_compressed(size: int) -> None:
    codec, stored = encode_best((PLAIN * (1 + size // len(PLAIN)))[:size])

    assert isinstance(codec, Zstd)
    assert len(stored) <= WORTH * size


def test_a_header_alone_does_not_decide() -> None:
    assert isinstance(encode_best(noise(SAMPLE) + bytes(MEGABYTE))[0], Zstd)
    assert isinstance(encode_best(bytes(SAMPLE) + noise(MEGABYTE))[0], Raw)


def test_only_a_sample_of_large_noise_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    encode = Zstd.encode

    def counting(codec: Zstd, plain: Buffer) -> Buffer:
        tried.append(len(plain))
        return encode(codec, plain)

    monkeypatch.setattr(Zstd, "encode", counting)
    encode_best(noise(MEGABYTE))

    assert tried == [SAMPLE]


def test_a_block_that_shrinks_too_little_is_stored_as_it_is() -> None:
    plain: Buffer = bytes(4 * SAMPLE // 20) + noise(4 * SAMPLE * 19 // 20)

    assert WORTH * len(plain) < len(Zstd().encode(plain)) < len(plain)
    assert isinstance(encode_best(plain)[0], Raw)
