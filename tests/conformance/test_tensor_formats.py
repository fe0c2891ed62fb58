"""Every format of the table keeps the promise of `tensors/tensor_format.py`, also towards hostile bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError
from mlreg.operations.cutting import pieces_of_file, pieces_of_stream
from mlreg.tensors import FORMATS, HEAD, format_of
from mlreg.tensors.layout import stretches
from mlreg.tensors.movement import meter_of
from mlreg.tensors.tensor_format import UNKNOWN_SIZE, Read, TensorFormat, TensorInfo
from tests.conformance.sample import Sample
from tests.conformance.tensor_files import SAMPLES
from tests.hostile.counting import TRIED

NEEDS_THE_END = {"zip", "onnx"}
"""Formats whose tensors are only known when the end of a file is."""
WITHOUT_ORDER = {"bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "float8_e8m0fnu"}
"""Numbers that numpy itself does not have, and that are little-endian."""
MEGABYTE = 1 << 20

EVERY = [(kind, sample) for kind in FORMATS for sample in SAMPLES[kind.name]]
every_format = pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
every_sample = pytest.mark.parametrize(
    ("kind", "sample"), EVERY, ids=[f"{kind.name}: {sample.title}" for kind, sample in EVERY]
)


def reading(data: bytes) -> Read:
    """Return a way to read bytes that keeps the promise of `Read`, and expects sensible places."""

    def read(start: int, size: int) -> bytes:
        assert start >= 0
        assert size >= 0
        return data[start : start + size]

    return read


def found_in(kind: TensorFormat, data: bytes) -> tuple[TensorInfo, ...]:
    return kind.tensors(reading(data), len(data))


def found_or_refused(kind: TensorFormat, data: bytes) -> tuple[TensorInfo, ...] | IntegrityError:
    try:
        return found_in(kind, data)
    except IntegrityError as error:
        return error


def assert_promise(kind: TensorFormat, data: bytes) -> None:
    """Find tensors or refuse; and what is found is in order, within the file, and cut as it should be."""
    TRIED[kind.name] += 1
    tensors = found_or_refused(kind, data)
    if isinstance(tensors, IntegrityError):
        assert tensors.code == f"bad_{kind.name}"
        assert tensors.why.isascii()
        assert 0 < len(tensors.why) < 300
        return
    assert all(0 <= tensor.start <= tensor.end <= len(data) for tensor in tensors)
    assert all(one.end <= other.start for one, other in pairwise(tensors))
    assert len({tensor.name for tensor in tensors}) == len(tensors)
    assert sum(piece.size for piece in stretches(tensors, kind)) == max((tensor.end for tensor in tensors), default=0)


def peak_of(call: Callable[[], object]) -> int:
    """Return the most bytes that Python held at once during a call that may refuse."""
    tracemalloc.start()
    try:
        with suppress(IntegrityError):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Real files.


def test_every_format_has_a_name_of_its_own_and_samples() -> None:
    assert sorted(SAMPLES) == sorted(kind.name for kind in FORMATS)


@every_sample
def test_the_tensors_of_a_real_file_are_found_where_they_are(kind: TensorFormat, sample: Sample) -> None:
    tensors = found_in(kind, sample.data)

    assert {
        tensor.name: (tensor.dtype, tensor.shape, sample.data[tensor.start : tensor.end]) for tensor in tensors
    } == sample.tensors
    assert_promise(kind, sample.data)


@every_sample
def test_a_file_is_recognised_by_its_own_format_and_by_no_part_of_another(kind: TensorFormat, sample: Sample) -> None:
    assert format_of(sample.data) is kind
    assert kind.recognises(sample.data[:HEAD])


@every_format
def test_too_few_bytes_to_tell_are_no_error(kind: TensorFormat) -> None:
    for length in range(HEAD):
        assert kind.recognises(SAMPLES[kind.name][0].data[:length]) in (True, False)
    assert not kind.recognises(b"")
    assert not kind.recognises(bytes(HEAD))


@every_sample
def test_of_an_element_there_is_a_whole_number_in_every_tensor(kind: TensorFormat, sample: Sample) -> None:
    for tensor in found_in(kind, sample.data):
        element = kind.element(tensor.dtype)
        if element is not None:
            assert element.width in {1, 2, 4, 8}
            assert (tensor.end - tensor.start) % element.width == 0


@every_sample
def test_numbers_are_as_wide_as_the_element_and_can_be_measured(kind: TensorFormat, sample: Sample) -> None:
    for tensor in found_in(kind, sample.data):
        numbers, element = kind.numbers(tensor.dtype), kind.element(tensor.dtype)
        data = sample.data[tensor.start : tensor.end]
        if numbers:
            assert numbers.startswith(("<", ">", "|")) == (numbers not in WITHOUT_ORDER)
            meter = meter_of(numbers)
            assert meter
            meter.add(data, data)
            assert meter.movement().share == 0
            # Planes are made of what is little-endian alone.
            assert meter.width == element.width if element else numbers.startswith(">")


@every_sample
def test_a_stream_gives_the_same_tensors_or_is_refused(kind: TensorFormat, sample: Sample) -> None:
    if kind.name in NEEDS_THE_END:
        with pytest.raises(IntegrityError):
            kind.tensors(reading(sample.data), UNKNOWN_SIZE)
    else:
        assert kind.tensors(reading(sample.data), UNKNOWN_SIZE) == found_in(kind, sample.data)


@pytest.mark.parametrize("sample", [sample for _, sample in EVERY], ids=lambda sample: sample.title)
def test_the_pieces_of_a_file_are_its_bytes(sample: Sample, tmp_path: Path) -> None:
    # Behind a megabyte a file is cut; what follows the tensors is its own affair, or makes it no file of tensors.
    data = sample.data + bytes(2 * MEGABYTE)
    path = tmp_path / "file"
    path.write_bytes(data)

    assert b"".join(piece.data for piece in pieces_of_file(path)) == data
    assert b"".join(piece.data for piece in pieces_of_stream([data[:100], data[100:]])) == data


# Hostile files.


@every_sample
def test_a_file_cut_anywhere_keeps_the_promise(kind: TensorFormat, sample: Sample) -> None:
    for length in range(0, len(sample.data), 1 + len(sample.data) // 1000):
        assert_promise(kind, sample.data[:length])


@every_sample
def test_a_file_of_which_any_byte_is_another_keeps_the_promise(kind: TensorFormat, sample: Sample) -> None:
    size = len(sample.data)
    for place in {*range(min(size, 800)), *range(max(0, size - 800), size)}:
        for value in (0, 0xFF, sample.data[place] ^ 1):
            assert_promise(kind, sample.data[:place] + bytes([value]) + sample.data[place + 1 :])


damage = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([(1 << bits).to_bytes(8, "little") for bits in (16, 31, 32, 62, 63)]),
    st.sampled_from([b"\xff" * 2, b"\xff" * 4, b"\xff" * 8]),
)


@every_format
@given(data=st.data())
def test_a_damaged_file_keeps_the_promise(kind: TensorFormat, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([sample.data for sample in SAMPLES[kind.name]]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(whole)))
        length = data.draw(st.sampled_from([0, 1, 2, 4, 8, 30]))
        whole = whole[:start] + data.draw(damage) + whole[start + length :]
    assert_promise(kind, whole)


@every_format
@given(kept=st.integers(0, 64), noise=st.binary(max_size=2000))
def test_noise_behind_the_beginning_of_a_real_file_keeps_the_promise(
    kind: TensorFormat, kept: int, noise: bytes
) -> None:
    assert_promise(kind, SAMPLES[kind.name][0].data[:kept] + noise)


@every_format
@given(data=st.data(), lie=st.sampled_from([b"\0" * 7 + b"\x80", b"\0" * 7 + b"\x40", b"\xff" * 4, b"\0\0\0\x7f"]))
def test_a_number_that_lies_anywhere_takes_no_memory(kind: TensorFormat, data: st.DataObject, lie: bytes) -> None:
    whole = data.draw(st.sampled_from([sample.data for sample in SAMPLES[kind.name]]))
    place = data.draw(st.integers(0, len(whole)))
    lying = whole[:place] + lie + whole[place + len(lie) :]

    assert peak_of(lambda: kind.tensors(reading(lying), len(lying))) < 2 * MEGABYTE
    assert peak_of(lambda: kind.tensors(reading(lying), 1 << 40)) < 2 * MEGABYTE
