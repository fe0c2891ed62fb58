"""Tensors of two files compared: as if both were decoded, but reading little; and whatever the header says."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import IntegrityError
from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Part, Recipe
from mlreg.formats.tree import File, Mode
from mlreg.ids import ContentId
from mlreg.operations import stored_file
from mlreg.operations.compare_tensors import Headers, TensorChange, compare_bytes, compare_headers
from mlreg.operations.stored_file import StoredFile
from mlreg.repository.log import Draft
from mlreg.repository.objects import Objects
from mlreg.repository.packing import PackWriter
from mlreg.tensors import HEAD
from mlreg.tensors.safetensors import encode_arrays
from tests.unit.repository.samples import repository_in

Arrays = dict[str, Any]


def stored(data: bytes, piece: int, missing: bytes = b"") -> StoredFile:
    """Return a file in a repository of its own, cut into pieces of so many bytes; one of them may be missing."""
    repository = repository_in()
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    with PackWriter(repository.store) as writer:
        for content in {ContentId.of(part): part for part in pieces if part != missing}.items():
            writer.add(Sort.PIECE, *content)
        if len(pieces) > 1:
            recipe = Recipe.of([(len(part), ContentId.of(part)) for part in pieces])
            writer.add(Sort.RECIPE, ContentId.of(data), recipe.encode())
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", "put", add=packs))
    return StoredFile(repository.objects, File("f", Mode.FILE, len(data), ContentId.of(data)))


def encoded(arrays: Arrays) -> bytes:
    return b"".join(map(bytes, encode_arrays(arrays)))


def compared(before: Arrays, after: Arrays, piece: int) -> tuple[Headers, list[TensorChange]]:
    pair = stored(encoded(before), piece), stored(encoded(after), piece)
    headers = compare_headers(*pair)
    assert headers
    return headers, list(compare_bytes(*pair, headers.alike))


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    """Return a list that grows with each piece that is read of any file."""
    read: list[Part] = []
    load = Objects.read_part

    def counted(objects: Objects, part: Part) -> Any:
        read.append(part)
        return load(objects, part)

    monkeypatch.setattr(Objects, "read_part", counted)
    return read


arrays = st.builds(
    lambda shape, dtype, fill: np.full(shape, fill, dtype),
    st.sampled_from([(), (0,), (3,), (2, 5), (5, 2)]),
    st.sampled_from(["float32", "int8"]),
    st.integers(0, 1),
)
models = st.dictionaries(st.sampled_from("abcdef"), arrays, max_size=5)


@settings(max_examples=60)
@given(before=models, after=models, piece=st.sampled_from([7, 64, 4096]))
def test_tensors_differ_as_their_arrays_do(before: Arrays, after: Arrays, piece: int) -> None:
    headers, differing = compared(before, after, piece)

    kinds = [{name: (a.dtype, a.shape) for name, a in one.items()} for one in (before, after)]
    names = before.keys() | after.keys()
    assert [one.name for one in headers.changes] == sorted(n for n in names if kinds[0].get(n) != kinds[1].get(n))
    alike = {name for name in before.keys() & after.keys() if kinds[0][name] == kinds[1][name]}
    assert {was.name for was, _ in headers.alike} == alike
    assert {one.name for one in differing} == {n for n in alike if before[n].tobytes() != after[n].tobytes()}
    assert {one.name: (one.before_id, one.after_id) for one in differing} == {
        one.name: tuple(ContentId.of(model[one.name].tobytes()) for model in (before, after)) for one in differing
    }


LARGE = {f"layer.{number:03d}": np.full(256, number, np.uint8) for number in range(100)}


def test_comparing_headers_reads_the_first_pieces_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    files = stored(encoded(LARGE), 16384), stored(encoded({**LARGE, "new": np.zeros(1)}), 16384)
    read = count_reads(monkeypatch)

    assert compare_headers(*files)
    assert [part.start for part in read] == [0, 0]


def test_comparing_bytes_does_not_read_pieces_that_both_files_have(monkeypatch: pytest.MonkeyPatch) -> None:
    files = stored(encoded(LARGE), 512), stored(encoded({**LARGE, "layer.050": np.zeros(256, np.uint8)}), 512)
    headers = compare_headers(*files)
    assert headers
    read = count_reads(monkeypatch)

    assert [one.name for one in compare_bytes(*files, headers.alike)] == ["layer.050"]
    # The tensor lies in one piece or two, and its neighbours reach into those before and behind.
    assert len(read) <= 8


def test_tensors_that_changed_places_in_equal_pieces_differ() -> None:
    def swapped(first: str, second: str) -> bytes:
        kind = '"dtype":"U8","shape":[4],"data_offsets"'
        header = f'{{"{first}":{{{kind}:[0,4]}},"{second}":{{{kind}:[4,8]}}}}'.encode().ljust(120)
        return struct.pack("<Q", len(header)) + header + bytes(4) + b"\1" * 4

    pair = stored(swapped("a", "b"), 64), stored(swapped("b", "a"), 64)
    headers = compare_headers(*pair)

    assert headers
    assert sorted(one.name for one in compare_bytes(*pair, headers.alike)) == ["a", "b"]


def test_a_file_of_too_many_pieces_has_no_tensors_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_file, "MAX_PARTS", 3)
    pair = stored(encoded(LARGE), 512), stored(encoded(LARGE), 512)

    assert compare_headers(*pair) is None


def test_a_piece_that_is_missing_is_an_error_and_no_difference() -> None:
    data = encoded(LARGE)
    damaged = stored(data, 512, missing=data[:512])

    with pytest.raises(IntegrityError) as caught:
        compare_headers(damaged, damaged)
    assert caught.value.code == "object_missing"


GOOD = encoded({"a": np.zeros(3, np.float32)})
NONE = {
    "empty": b"",
    "short": b"\x10",
    "only a length": struct.pack("<Q", 2),
    "a header beyond the file": struct.pack("<Q", 1000) + b"{}",
    "a header beyond all bounds": struct.pack("<Q", 2**63) + b"{}" * 8,
    "a header that is too long to hold": struct.pack("<Q", stored_file.MAX_READ) + b"{}" * 8,
    "text": b"just some text, which says nothing of tensors",
    "deep": struct.pack("<Q", 50_000) + b'{"a":' * 10_000,
    "cut in the header": GOOD[:30],
    "cut in the data": GOOD[:-1],
    "more than the data": GOOD + b"x",
}


@pytest.mark.parametrize("name", NONE)
@pytest.mark.parametrize("piece", [3, 1 << 20])
def test_what_is_no_safetensors_file_has_no_tensors_to_compare(name: str, piece: int) -> None:
    good, bad = stored(GOOD, piece), stored(NONE[name], piece)

    assert compare_headers(good, bad) is compare_headers(bad, good) is None


def test_a_header_that_is_longer_than_should_be_held_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    good = stored(encoded({"a" * 100: np.zeros(3)}), 16)
    monkeypatch.setattr(stored_file, "MAX_READ", 100)
    read = count_reads(monkeypatch)

    assert compare_headers(good, good) is None
    assert max(part.end for part in read) <= HEAD


@given(at=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_gives_an_answer_or_none(at: int, bit: int) -> None:
    flipped = bytearray(GOOD)
    flipped[at] ^= 1 << bit
    pair = stored(GOOD, 16), stored(bytes(flipped), 16)

    if headers := compare_headers(*pair):
        compare_bytes(*pair, headers.alike)
