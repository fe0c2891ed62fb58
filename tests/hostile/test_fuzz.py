"""Whatever was stored may be other bytes: every decoder refuses them with an error of its own, or says what they are.

What is tried are real bytes that were changed by a few strokes, as a bad disk, a bad program or an attacker would.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.codecs import CODECS
from mlreg.codecs.codec import Codec
from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.planes import Shape
from mlreg.errors import IntegrityError, MlregError, UnsupportedError
from mlreg.formats.commit import Commit
from mlreg.formats.identity import Identity
from mlreg.formats.journal import line_of, read_journal
from mlreg.formats.pack import TRAILER_SIZE, PackIndex, Sort, decode_trailer
from mlreg.formats.recipe import Recipe
from mlreg.formats.run import RunState
from mlreg.formats.series import decode_series, encode_series
from mlreg.formats.snapshot import Snapshot
from mlreg.formats.transaction import Transaction
from mlreg.formats.tree import Node
from mlreg.registry.registry import Registry
from mlreg.tensors import FORMATS
from mlreg.tensors.tensor_format import TensorFormat
from tests.conformance.tensor_files import SAMPLES
from tests.hostile.counting import SCALE, TRIED

GOLDEN = Path(__file__).parents[1] / "golden"
REPOSITORIES = sorted(mark.parent for mark in GOLDEN.glob("*/mlreg.json"))

Check = Callable[[bytes], None]
"""Raises IntegrityError or UnsupportedError, or asserts what decoded bytes promise."""


# What is stored.


def read_all(pattern: str) -> list[bytes]:
    return [path.read_bytes() for root in REPOSITORIES for path in sorted(root.glob(pattern))]


@cache
def objects(sort: Sort) -> list[bytes]:
    """Return the bytes of all objects of a sort in the golden repositories."""
    found: list[bytes] = []
    for root in REPOSITORIES:
        repository = Registry(root, "").repository
        for pack in repository.log.refresh().live_packs():
            items = repository.objects.index(pack.id).items()
            found.extend(bytes(repository.objects.read(sort, item.id)) for item in items if item.sort is sort)
    assert found
    return sorted(set(found))


def indexes() -> list[bytes]:
    found = []
    for pack in read_all("packs/*/*.pack"):
        size, _ = decode_trailer(pack[-TRAILER_SIZE:])
        found.append(pack[-TRAILER_SIZE - size : -TRAILER_SIZE])
    return found


def as_index(data: bytes) -> None:
    index = PackIndex(data, blake3(data).digest())
    index.check()
    for item in index.items():
        assert 0 <= item.start <= item.start + item.size


def as_snapshot(data: bytes) -> None:
    Snapshot.decode(data)


def exact(kind: type[Any]) -> Check:
    """Return a check that there is one form alone of what bytes say."""

    def check(data: bytes) -> None:
        assert kind.decode(data).encode() == data

    return check


# What is encoded, and what has tensors.

WORDS = b"".join(struct.pack("<f", number / 7) for number in range(600))
PLAINS = (b"the same words again and again, " * 40, WORDS, WORDS[:1001], b"", bytes(5000))
BASE = bytes(reversed(WORDS))
SAID = [
    {"start": {"experiment": "churn", "format": 1, "run": "01a20c4f-b500-7000-8203-040506070809"}, "time": 0},
    *({"metrics": {"loss": number / 7, "auc": "NaN"}, "step": number, "time": number} for number in range(20)),
    {"params": {"lr": 0.1, "layers": [1, 2]}, "time": 20},
    {"end": {"status": "failed", "reason": "no memory"}, "time": 21},
]
"""What a journal says."""


def decoding(codec: Codec) -> Check:
    def check(data: bytes) -> None:
        for size in sorted({len(plain) for plain in PLAINS}):
            with suppress(IntegrityError):
                assert len(codec.decode(data, size)) == size

    return check


def as_difference(data: bytes) -> None:
    assert len(DIFFERENCE.decode(data, BASE, len(BASE))) == len(BASE)


def as_tensors(kind: TensorFormat) -> Check:
    def check(data: bytes) -> None:
        def read(start: int, size: int) -> bytes:
            assert start >= 0
            assert size >= 0
            return data[start : start + size]

        reached = 0
        for tensor in kind.tensors(read, len(data)):
            assert reached <= tensor.start <= tensor.end <= len(data)
            reached = tensor.end

    return check


def as_series(data: bytes) -> None:
    assert encode_series(decode_series(data)) == data


def as_journal(data: bytes) -> None:
    # A check of 32 bits may be met by chance, once in many times the age of this test.
    assert all(record in SAID for record in read_journal(data).records)


def differences() -> list[bytes]:
    shapes = [Shape(width, is_rotated=False) for width in (1, 2, 4, 8)]
    return [bytes(DIFFERENCE.encode(WORDS, bytes(32), BASE, shape)) for shape in shapes]


def series() -> list[bytes]:
    state = RunState("")
    for record in SAID:
        state.take(record)
    return [encode_series(state.metrics), encode_series({})]


def encoded(codec: Codec) -> list[bytes]:
    return [bytes(codec.encode(plain)) for plain in PLAINS]


def samples(kind: TensorFormat) -> list[bytes]:
    return [sample.data for sample in SAMPLES[kind.name]]


TARGETS: dict[str, tuple[Check, Callable[[], list[bytes]]]] = {
    "slot": (exact(Transaction), lambda: read_all("log/*")),
    "identity": (exact(Identity), lambda: read_all("mlreg.json")),
    "snapshot": (as_snapshot, lambda: read_all("snapshots/*")),
    "index": (as_index, indexes),
    "recipe": (exact(Recipe), lambda: objects(Sort.RECIPE)),
    "tree": (exact(Node), lambda: objects(Sort.TREE)),
    "commit": (exact(Commit), lambda: objects(Sort.COMMIT)),
    "series": (as_series, series),
    "journal": (as_journal, lambda: [b"".join(map(line_of, SAID))]),
    DIFFERENCE.name: (as_difference, differences),
    **{codec.name: (decoding(codec), partial(encoded, codec)) for codec in CODECS},
    **{kind.name: (as_tensors(kind), partial(samples, kind)) for kind in FORMATS},
}


# How it is changed.

LIES = [
    *(number.to_bytes(width, "little") for width in (1, 2, 4, 8) for number in (0, 1, (1 << 8 * width) - 1)),
    *((1 << bits).to_bytes(8, "little") for bits in (16, 31, 32, 62, 63)),
    *(b"-1", b"null", b"1e9999", b"[" * 200, b'"\xff"', b"..", b"\0", b"\x80"),
]
strokes = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 2, 4, 8, 40]), st.one_of(st.sampled_from(LIES), st.binary())),
    min_size=1,
    max_size=4,
)


def struck(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """Return bytes of which some are replaced: from a place on so many, by others."""
    for where, length, others in changes:
        # Headers are short, and at both ends: half of all strokes are there.
        near = min(len(data), 64)
        at = int(where * 4 * near) if where < 0.25 else len(data) - int((1 - where) * 4 * near)
        at = at if where < 0.25 or where > 0.75 else int((where - 0.25) * 2 * len(data))
        data = data[:at] + others + data[at + length :]
    return data


def refusal_of(check: Check, data: bytes) -> MlregError | None:
    try:
        check(data)
    except MlregError as error:
        return error
    return None


@pytest.mark.parametrize("name", TARGETS)
def test_the_bytes_as_they_are_stored_are_read(name: str) -> None:
    check, seeds = TARGETS[name]

    assert seeds()
    for data in seeds():
        check(data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=SCALE * settings().max_examples)
@given(data=st.data(), changes=strokes)
def test_bytes_that_were_changed_are_refused_or_keep_the_promise(
    name: str, data: st.DataObject, changes: list[tuple[float, int, bytes]]
) -> None:
    check, seeds = TARGETS[name]
    hostile = struck(data.draw(st.sampled_from(seeds())), changes)
    TRIED[name] += 1

    refusal = refusal_of(check, hostile)

    if refusal:
        assert isinstance(refusal, IntegrityError | UnsupportedError)
        assert f"{refusal.code}{refusal.message}{refusal.why}".isprintable()
