"""Files of every tensor format, small and real, with what is in them; and writers that can lie."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlreg.tensors.safetensors import encode_arrays
from tests.conformance.onnx_files import onnx_samples
from tests.conformance.sample import Content, Sample

WEIGHTS = np.arange(-20, 20, dtype="<f4").reshape(8, 5)
STEPS = np.arange(7, dtype="<i8")


class GgufTensor(NamedTuple):
    """A line of the list in a GGUF file."""

    name: bytes
    dimensions: Sequence[int]
    """The fastest first, as it is written."""
    kind: int
    offset: int


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, count: int, values: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + values


def gguf(keys: Sequence[bytes], tensors: Sequence[GgufTensor], data: bytes, **lies: int) -> bytes:
    """Return a file; `version`, `tensor_count`, `key_count` and `alignment` may be other than they would be."""
    head = struct.pack(
        "<4sIQQ",
        b"GGUF",
        lies.get("version", 3),
        lies.get("tensor_count", len(tensors)),
        lies.get("key_count", len(keys)),
    )
    rows = [
        text(row.name)
        + struct.pack(f"<I{len(row.dimensions)}QIQ", len(row.dimensions), *row.dimensions, row.kind, row.offset)
        for row in tensors
    ]
    header = head + b"".join(keys) + b"".join(rows)
    return header + bytes(-len(header) % lies.get("alignment", 32)) + data


KEYS = [
    key(b"general.architecture", 8, text(b"llama")),
    key(b"llama.block_count", 4, struct.pack("<I", 2)),
    key(b"tokenizer.ggml.tokens", 9, array(8, 3, text(b"<s>") + text(b"") + text("é".encode()))),
    key(b"tokenizer.ggml.scores", 9, array(6, 3, bytes(12))),
    key(b"tokenizer.nested", 9, array(9, 2, array(0, 2, b"ab") + array(8, 1, text(b"x")))),
    key(b"general.quantized", 7, b"\1"),
]
BLOCKS = bytes(range(144))


def _gguf_samples() -> list[Sample]:
    rows = [
        GgufTensor(b"token_embd.weight", (256,), 12, 0),
        GgufTensor(b"output.weight", (5, 8), 0, 160),
        GgufTensor(b"empty", (0,), 0, 320),
        GgufTensor(b"scale", (), 1, 320),
    ]
    data = BLOCKS + bytes(16) + WEIGHTS.tobytes() + b"\0\x3c"
    aligned = [*KEYS, key(b"general.alignment", 4, struct.pack("<I", 8))]
    back_to_front = [GgufTensor(b"b", (3,), 24, 8), GgufTensor(b"a", (1,), 28, 0)]
    many = [GgufTensor(b"%d" % number, (1,), 30, 32 * number) for number in range(123)]
    return [
        Sample(
            "quantized, floats and nothing",
            gguf(KEYS, rows, data),
            {
                "token_embd.weight": ("Q4_K", (256,), BLOCKS),
                "output.weight": ("F32", (8, 5), WEIGHTS.tobytes()),
                "empty": ("F32", (0,), b""),
                "scale": ("F16", (), b"\0\x3c"),
            },
        ),
        Sample(
            "version 2, own alignment, back to front",
            gguf(aligned, back_to_front, struct.pack("<d", 0.5) + b"abc", version=2, alignment=8),
            {"a": ("F64", (1,), struct.pack("<d", 0.5)), "b": ("I8", (3,), b"abc")},
        ),
        Sample("no tensors", gguf(KEYS, [], b""), {}),
        Sample(
            "123 tensors, which look like the brace of safetensors",
            gguf([], many, b"\x80\x3f".ljust(32, b"\0") * 123),
            {f"{number}": ("BF16", (1,), b"\x80\x3f") for number in range(123)},
        ),
    ]


def _safetensors_samples() -> list[Sample]:
    arrays: dict[str, Any] = {"weights": WEIGHTS, "steps": STEPS, "empty": np.zeros((0, 3), "<f2")}
    return [
        Sample(
            "arrays",
            b"".join(encode_arrays(arrays)),
            {
                "weights": ("F32", (8, 5), WEIGHTS.tobytes()),
                "steps": ("I64", (7,), STEPS.tobytes()),
                "empty": ("F16", (0, 3), b""),
            },
        )
    ]


def npy(value: NDArray[Any], version: tuple[int, int] | None = None) -> bytes:
    """Return what numpy writes."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of readers before version 2
        np.lib.format.write_array(file, value, version)
    return file.getvalue()


ARRAYS: dict[str, NDArray[Any]] = {
    "floats": WEIGHTS,
    "fortran": np.asfortranarray(WEIGHTS),
    "big-endian": STEPS.astype(">i8"),
    "scalar": np.array(1.5),
    "empty": np.zeros((3, 0, 2), "<f2"),
    "flags": np.array([True, False]),
    "complex": np.ones((2, 1), "<c8"),
    "long": np.ones(3, np.longdouble),
    "text": np.array(["a", "bc\u00e9"]),
    "bytes": np.array([b"ab"]),
    "raw": np.zeros(2, "V3"),
    "time": np.array(["2026-01-01"], "M8[D]"),
    "duration": np.array([1, 2], "m8[25us]"),
    "without unit": np.array([1, 2], "m8"),
}


def _npy_samples() -> list[Sample]:
    versions = [
        Sample(f"version {major}", npy(WEIGHTS, (major, 0)), {"array": ("<f4", (8, 5), WEIGHTS.tobytes())})
        for major in (1, 2, 3)
    ]
    arrays = [
        Sample(title, npy(value), {"array": (value.dtype.str, value.shape, value.tobytes("A"))})
        for title, value in ARRAYS.items()
    ]
    no_tensors = {
        "objects": np.array([None, "a"], object),
        "fields": np.zeros(2, [("a", "<f4"), ("b", "<i2", (2,))]),
        "fields of other letters": np.zeros(1, [("\u03b1", "<f4")]),
    }
    return [*versions, *arrays, *(Sample(title, npy(value), {}) for title, value in no_tensors.items())]


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    """Return a zip archive as Python writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in entries.items():
            written.writestr(zipfile.ZipInfo(name), data, method)
        written.comment = comment
    return file.getvalue()


class _Pipe(io.BytesIO):
    """A file that an archive cannot go back in: the size of an entry stands behind it."""

    def seekable(self) -> bool:
        return False


def savez(save: Callable[..., None], arrays: dict[str, NDArray[Any]], file: io.BytesIO) -> bytes:
    save(file, **arrays)
    return file.getvalue()


TORCH = {
    "model/data.pkl": b"\x80\x02}q\0.",
    "model/byteorder": b"little",
    "model/data/0": WEIGHTS.tobytes(),
    "model/data/1": b"\x80\x3f" * 3,
    "model/data/10": b"",
    "model/data/notes.txt": b"none",
    "model/other/0": b"none",
    "model/version": b"3\n",
}
STORAGES: dict[str, Content] = {
    "data/0": ("bytes", (160,), WEIGHTS.tobytes()),
    "data/1": ("bytes", (6,), b"\x80\x3f" * 3),
    "data/10": ("bytes", (0,), b""),
}


def torch_archive(entries: dict[str, bytes]) -> bytes:
    """Return an archive as torch writes it.

    Each entry begins at a multiple of 64 bytes, and its sizes stand in the directory alone; the end is written for
    numbers of 8 bytes, too.
    """
    data, directory = b"", b""
    for name, entry in entries.items():
        named = name.encode()
        pad = -(len(data) + 34 + len(named)) % 64
        extra = struct.pack("<2sH", b"FB", pad) + b"Z" * pad
        sizes = struct.pack("<3L", zlib.crc32(entry), len(entry), len(entry))
        directory += struct.pack("<4s4HL", b"PK\1\2", 0, 0, 0x808, 0, 0) + sizes
        directory += struct.pack("<5H2L", len(named), 0, 0, 0, 0, 0, len(data)) + named
        data += struct.pack("<4s3HL12x2H", b"PK\3\4", 0, 0x808, 0, 0, len(named), len(extra)) + named + extra + entry
        data += b"PK\7\x08" + sizes
    count, size, start = len(entries), len(directory), len(data)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 0x31E, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    return data + directory + end + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, start, 0)


def _zip_samples() -> list[Sample]:
    arrays = {"weights": WEIGHTS, "steps": STEPS, "nested/empty": np.zeros((0, 2)), "objects": np.array([None])}
    found: dict[str, Content] = {
        "weights": ("<f4", (8, 5), WEIGHTS.tobytes()),
        "steps": ("<i8", (7,), STEPS.tobytes()),
        "nested/empty": ("<f8", (0, 2), b""),
    }
    members = {"a.npy": npy(STEPS), "b.txt": b"text", "c.npy": b"none", "d.npy": npy(STEPS) + b"more", "e.npy": b""}
    steps: Content = ("<i8", (7,), STEPS.tobytes())
    return [
        Sample("numpy", savez(np.savez, arrays, io.BytesIO()), found),
        Sample("numpy into a pipe", savez(np.savez, arrays, _Pipe()), found),
        Sample("numpy, compressed", savez(np.savez_compressed, arrays, io.BytesIO()), {}),
        Sample("torch", torch_archive(TORCH), STORAGES),
        Sample("torch by zipfile", archive(TORCH), STORAGES),
        Sample("other things, and a comment", archive(members, comment=b"of PK"), {"a": steps}),
        Sample("letters", archive({"\u00e9.npy": npy(STEPS)}), {"\u00e9": steps}),
        Sample("compressed", archive(TORCH, zipfile.ZIP_DEFLATED), {}),
        Sample("two roots", archive({"a/data.pkl": b"", "b/data.pkl": b"", "a/data/0": b"x"}), {}),
        Sample("no pickle", archive({"model/data/0": b"x"}), {}),
    ]


SAMPLES = {
    "safetensors": _safetensors_samples(),
    "gguf": _gguf_samples(),
    "npy": _npy_samples(),
    "zip": _zip_samples(),
    "onnx": onnx_samples(),
}
"""By the name of the format."""
