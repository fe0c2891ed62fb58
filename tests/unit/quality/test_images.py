"""Images by their headers: what Pillow says of them, and what it would be told by those that lie."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.quality.images import SUFFIXES, Image, image_of

SIZE = (37, 21)
MODES = [
    ("png", "1", "gray 1 bit"),
    ("png", "L", "gray"),
    ("png", "LA", "gray+alpha"),
    ("png", "P", "palette"),
    ("png", "RGB", "rgb"),
    ("png", "RGBA", "rgba"),
    ("png", "I;16", "gray 16 bit"),
    ("jpeg", "L", "gray"),
    ("jpeg", "RGB", "rgb"),
    ("jpeg", "CMYK", "cmyk"),
    ("gif", "P", "palette"),
    ("webp", "RGB", "rgb"),
    ("bmp", "P", "palette"),
    ("bmp", "RGB", "rgb"),
]


def seen(data: bytes, name: str) -> Image:
    return image_of(lambda start, size: data[start : start + size], len(data), name)


def drawn(form: str, mode: str, **options: Any) -> bytes:
    """Return an image with something in it, as Pillow writes it."""
    pillow = pytest.importorskip("PIL.Image")
    image = pillow.radial_gradient("L").resize(SIZE)
    image = image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
    file = io.BytesIO()
    image.save(file, form.upper(), **options)
    return file.getvalue()


@pytest.mark.parametrize(("form", "mode", "word"), MODES)
def test_size_and_mode_are_those_that_were_written(form: str, mode: str, word: str) -> None:
    assert seen(drawn(form, mode), f"a.{form}") == Image(form, *SIZE, word, "")


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": True, "exif": b"Exif\0\0MM"}, {"quality": 50}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_all_three_kinds_of_webp_are_read(mode: str, options: dict[str, object]) -> None:
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.new(mode, SIZE, (1, 2, 3, 99)[: len(mode)]).save(file, "WEBP", **options)

    assert seen(file.getvalue(), "a.webp") == Image("webp", *SIZE, mode.lower(), "")


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": b"Exif\0\0" + b"x" * 60_000}, {"optimize": True}])
def test_the_size_of_a_jpeg_is_found_behind_whatever_stands_before_it(options: dict[str, object]) -> None:
    assert seen(drawn("jpeg", "RGB", **options), "a.jpg") == Image("jpeg", *SIZE, "rgb", "")


def test_what_a_camera_writes_behind_the_end_is_no_damage() -> None:
    assert not seen(drawn("jpeg", "RGB") + b"more" * 99, "a.jpg").problem
    assert not seen(drawn("png", "RGB") + b"more" * 99, "a.png").problem


@pytest.mark.parametrize(
    ("form", "mode"), [("png", "RGB"), ("jpeg", "RGB"), ("gif", "P"), ("webp", "RGB"), ("bmp", "RGB")]
)
def test_an_image_that_is_cut_off_anywhere_is_broken(form: str, mode: str) -> None:
    data = drawn(form, mode)

    assert [at for at in range(len(data)) if not seen(data[:at], f"a.{form}").problem] == []


def png(width: int, height: int, raw: bytes) -> bytes:
    """Return a PNG whose header may say anything."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw)),
        (b"IEND", b""),
    ]
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def test_a_header_that_the_bytes_cannot_keep_is_a_lie() -> None:
    jpeg = bytearray(drawn("jpeg", "RGB"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    bmp = bytearray(drawn("bmp", "RGB"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)

    for data, name in ((png(100_000, 100_000, b""), "a.png"), (bytes(jpeg), "a.jpg"), (bytes(bmp), "a.bmp")):
        assert "cannot hold that" in seen(data, name).problem
    assert "0 x 5" in seen(png(0, 5, b""), "a.png").problem


def test_an_image_of_one_color_is_no_lie() -> None:
    pillow = pytest.importorskip("PIL.Image")
    for form in ("png", "jpeg", "webp", "gif"):
        for options in ({}, {"progressive": True, "optimize": True}) if form == "jpeg" else ({},):
            file = io.BytesIO()
            pillow.new("L", (8000, 8000)).save(file, form, **options)
            assert seen(file.getvalue(), f"a.{form}").problem == ""


def test_a_name_that_does_not_fit_is_told() -> None:
    assert seen(drawn("jpeg", "RGB"), "a.png").problem == "it is jpeg, and its name says png"
    assert seen(b"<svg/>", "a.png").problem == "it is no png"
    assert seen(b"", "a.png").problem == "it is empty"


def test_photographs_that_come_with_a_package_are_read() -> None:
    sklearn = pytest.importorskip("sklearn.datasets")
    for path in (Path(sklearn.__file__).parent / "images").glob("*.jpg"):
        assert seen(path.read_bytes(), path.name) == Image("jpeg", 640, 427, "rgb", "")


STARTS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBPVP8X",
    b"RIFF\0\0\0\0WEBPVP8L",
    b"",
]


@given(st.sampled_from(STARTS), st.binary(max_size=200), st.sampled_from(sorted(SUFFIXES)))
def test_any_bytes_are_an_image_or_are_told_to_be_broken(start: bytes, rest: bytes, suffix: str) -> None:
    found = seen(start + rest, f"a{suffix}")

    assert bool(found.problem) or (found.width > 0 and found.height > 0)
