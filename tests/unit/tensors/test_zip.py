"""Zip archives: directories and headers that lie, and entries that are nobody's tensor."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mlreg.errors import IntegrityError
from mlreg.tensors import npy as npy_format
from mlreg.tensors.tensor_format import UNKNOWN_SIZE, TensorInfo
from mlreg.tensors.zip import MAX_ENTRIES, Zip
from tests.conformance.tensor_files import TORCH, archive, npy, savez, torch_archive

KIND = Zip()
PLAIN = archive({"a.npy": npy(np.arange(40.0)), "b.npy": npy(np.arange(4))})
TORCHED = torch_archive(TORCH)
END = PLAIN.rindex(b"PK\5\6")
END64 = TORCHED.rindex(b"PK\6\6")
LOCATOR = TORCHED.rindex(b"PK\6\7")
FIRST = PLAIN.index(b"PK\1\2")
"""The line of the first entry in the directory."""


def found(data: bytes, size: int | None = None) -> tuple[TensorInfo, ...]:
    return KIND.tensors(lambda start, count: data[start : start + count], len(data) if size is None else size)


def at(data: bytes, place: int, lie: bytes) -> bytes:
    return data[:place] + lie + data[place + len(lie) :]


def word(number: int) -> bytes:
    return struct.pack("<L", number)


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return an archive in which the directory alone calls an entry otherwise."""
    return at(data, data.rindex(old), new)


def overlapping() -> bytes:
    """Return an archive whose second entry is within the bytes of the first: a bomb that unpacks to more."""
    inner = archive({"b.npy": npy(np.arange(4))})
    outer = archive({"a.npy": inner[: inner.index(b"PK\1\2")], "b.npy": npy(np.arange(4))})
    line = outer.rindex(b"PK\1\2")
    return at(outer, line + 42, word(outer.index(b"PK\3\4", 4)))


# What an archive is, what the reason says about it, and its bytes.
HOSTILE: dict[str, tuple[str, bytes]] = {
    "nothing but its beginning": ("no end", b"PK\3\4"),
    "cut": ("no end", PLAIN[:-30]),
    "cut within the end": ("no end", PLAIN[:-1]),
    "more behind it": ("does not end", PLAIN + b"x"),
    "a longer comment": ("does not end", at(PLAIN, END + 20, b"\1\0")),
    "more in front of it": ("not where its end says", b"PK\3\4" + PLAIN),
    "two disks": ("several parts", at(PLAIN, END + 4, b"\1\0")),
    "a directory on another disk": ("several parts", at(PLAIN, END + 6, b"\1\0")),
    "entries on another disk": ("several parts", at(PLAIN, END + 8, b"\1\0")),
    "one entry too few": ("does not end behind", at(PLAIN, END + 8, b"\1\0\1\0")),
    "one entry too many": ("reach beyond", at(PLAIN, END + 8, b"\3\0\3\0")),
    "65535 entries": ("reach beyond", at(PLAIN, END + 8, b"\xff" * 4)),
    "a directory of 4 GB": ("more than is allowed", at(PLAIN, END + 12, b"\xff" * 4)),
    "a directory beyond the end": ("not where its end says", at(PLAIN, END + 16, b"\xff" * 4)),
    "2**63 entries": ("more than is allowed", at(TORCHED, END64 + 24, struct.pack("<2Q", 1 << 63, 1 << 63))),
    "too many entries": ("more than is allowed", at(TORCHED, END64 + 24, struct.pack("<2Q", *[MAX_ENTRIES + 1] * 2))),
    "a directory of 2**62 bytes": ("more than is allowed", at(TORCHED, END64 + 40, struct.pack("<Q", 1 << 62))),
    "a directory at 2**63": ("not where its end says", at(TORCHED, END64 + 48, struct.pack("<Q", 1 << 63))),
    "an end that is longer": ("longer end", at(TORCHED, END64 + 4, struct.pack("<Q", 45))),
    "an end at 2**63": ("reach beyond", at(TORCHED, LOCATOR + 8, struct.pack("<Q", 1 << 63))),
    "an end elsewhere": ("longer end", at(TORCHED, LOCATOR + 8, struct.pack("<Q", 0))),
    "no line in the directory": ("no entry", at(PLAIN, FIRST, b"PK\1\3")),
    "an entry on another disk": ("no entry", at(PLAIN, FIRST + 34, b"\1\0")),
    "a size that is smaller": ("two sizes", at(PLAIN, FIRST + 20, word(10))),
    "a size that is larger": ("two sizes", at(PLAIN, FIRST + 24, word(1000))),
    "sizes that are smaller": ("not as large", at(PLAIN, FIRST + 20, word(10) * 2)),
    "sizes that are larger": ("reaches into", at(PLAIN, FIRST + 20, word(1000) * 2)),
    "sizes of 8 bytes that are not there": ("missing", at(PLAIN, FIRST + 20, b"\xff" * 8)),
    "an offset that is not there": ("missing", at(PLAIN, FIRST + 42, b"\xff" * 4)),
    "no header at an entry": ("not where", at(PLAIN, 2, b"\5")),
    "an entry within another": ("reaches into", overlapping()),
    "one entry twice": ("reaches into", at(PLAIN, PLAIN.rindex(b"PK\1\2") + 42, word(0))),
    "another name": ("not where", renamed(PLAIN, b"a.npy", b"c.npy")),
    "another method": ("not where", at(PLAIN, 8, b"\x08\0")),
    "another size": ("not as large", at(PLAIN, 18, word(447))),
    "a name beyond the directory": ("reach beyond", at(PLAIN, FIRST + 28, b"\xff\xff")),
    "a comment beyond the directory": ("reach beyond", at(PLAIN, FIRST + 32, b"\xff\xff")),
    "a header beyond the entry": ("reaches into", at(PLAIN, 28, b"\1\0")),
    "a header beyond the archive": ("reach beyond", at(PLAIN, 28, b"\xff\xff")),
    "no UTF-8": ("UTF-8", TORCHED.replace(b"model/data/0", b"model/data/\xff")),
    "a name twice": ("two tensors", PLAIN.replace(b"b.npy", b"a.npy")),
}


@pytest.mark.parametrize(("reason", "data"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_refused_for_the_right_reason(reason: str, data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        found(data)
    assert caught.value.code == "bad_zip"
    assert reason in caught.value.why


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_takes_no_memory_even_if_it_is_huge(name: str) -> None:
    """A file with a hole in the middle, so that its end is what the lie says."""
    data, hole, asked = HOSTILE[name][1], 1 << 40, [0]

    def read(start: int, size: int) -> bytes:
        asked.append(size)
        return data[max(0, start - hole) :][:size].rjust(size, b"\0")

    tracemalloc.start()
    with suppress(IntegrityError):
        KIND.tensors(read, len(data) + hole)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert max(asked) <= 1 << 17


def test_an_archive_whose_end_was_not_seen_is_refused_before_a_byte_is_read() -> None:
    with pytest.raises(IntegrityError) as caught:
        KIND.tensors(lambda *_: pytest.fail("a byte was read"), UNKNOWN_SIZE)
    assert "not seen" in caught.value.why


class Trap:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return exec, ("raise SystemExit('unpickled')",)


def test_a_pickle_is_never_opened() -> None:
    trap = pickle.dumps(Trap())
    objects = npy(np.array([None]))

    assert [tensor.name for tensor in found(archive({"m/data.pkl": trap, "m/data/0": trap}))] == ["data/0"]
    assert found(archive({"a.npy": objects[: objects.index(b"\n") + 1] + trap})) == ()


def test_an_encrypted_entry_is_no_tensor() -> None:
    flagged = at(at(PLAIN, FIRST + 8, b"\1\0"), 6, b"\1\0")

    assert [tensor.name for tensor in found(flagged)] == ["b"]


def test_an_array_that_is_none_leaves_the_others_alone() -> None:
    for broken in (
        b"",
        b"\x93NUMPY",
        npy(np.arange(4))[:-1],
        npy(np.arange(4)) + b"x",
        b"\x93NUMPY\2\0\xff\xff\xff\xff",
    ):
        data = archive({"a.npy": broken, "b.npy": npy(np.arange(4))})
        assert [tensor.name for tensor in found(data)] == ["b"]


def test_sizes_of_8_bytes_are_taken_from_the_extra_field() -> None:
    """As every archive has them whose directory was written for entries beyond 4 GB."""
    data = npy(np.arange(4))
    crc = zlib.crc32(data)
    sizes = struct.pack("<2H2Q", 1, 16, len(data), len(data))
    other = struct.pack("<2H4s", 0x5455, 4, b"time")
    entry = (
        struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 0, crc, *[0xFFFFFFFF] * 2, 5, 28) + b"a.npy" + other + sizes
    )
    line = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 0, 0, 0, crc, *[0xFFFFFFFF] * 2, 5, 36, 0, 0, 0, 0, 0xFFFFFFFF
    )
    line += b"a.npy" + other + struct.pack("<2H3Q", 1, 24, len(data), len(data), 0)
    start = len(entry) + len(data)
    whole = entry + data + line + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(line), start, 0)

    assert zipfile.ZipFile(io.BytesIO(whole)).read("a.npy") == data
    assert [(tensor.name, tensor.end) for tensor in found(whole)] == [("a", start)]
    with pytest.raises(IntegrityError):
        found(whole.replace(sizes, struct.pack("<2H2Q", 1, 16, len(data), 1 << 62)))


def test_little_of_a_large_archive_is_read() -> None:
    data = savez(np.savez, {f"{number}": np.zeros(10_000) for number in range(50)}, io.BytesIO())
    asked = 0

    def read(start: int, size: int) -> bytes:
        nonlocal asked
        asked += size
        return data[start : start + size]

    assert len(KIND.tensors(read, len(data))) == 50
    assert asked < 200_000


def test_an_element_is_that_of_the_array() -> None:
    assert KIND.element("bytes") is None
    assert KIND.element("<f4") == npy_format.Npy().element("<f4")


def test_what_torch_writes_is_read_and_what_stands_here_is_what_torch_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.arange(40.0), "b": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "model.pt")
    data = (tmp_path / "model.pt").read_bytes()

    assert [(tensor.name, tensor.shape) for tensor in found(data)] == [("data/0", (160,)), ("data/1", (6,))]
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert torch_archive({name: opened.read(name) for name in opened.namelist()}) == data
