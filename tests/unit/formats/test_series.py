"""The file of a run's metrics: the same bytes for the same points, and nothing else is taken for one."""

from __future__ import annotations

import json
import struct
from array import array
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from mlreg.errors import IntegrityError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.run import Series
from mlreg.formats.series import MAX_HEADER, decode_series, encode_series
from tests.unit.formats.damage import check_refused_or_exact, check_small_refusal
from tests.unit.formats.journals import names

steps = st.integers(-MAX_INTEGER - 1, MAX_INTEGER)


@st.composite
def series(draw: st.DrawFn) -> Series:
    count = draw(st.integers(1, 5))
    found = Series.empty()
    for _ in range(count):
        found.add(draw(steps), draw(st.integers(0, MAX_INTEGER)), draw(st.floats()))
    return found


metrics = st.dictionaries(names, series(), max_size=4)


def bits(found: dict[str, Series]) -> dict[str, tuple[bytes, bytes, bytes]]:
    """Return the columns as they are, in which a NaN is equal to itself."""
    return {name: (one.steps.tobytes(), one.times.tobytes(), one.values.tobytes()) for name, one in found.items()}


@given(metrics)
def test_metrics_are_read_as_they_were_written(written: dict[str, Series]) -> None:
    data = encode_series(written)

    assert bits(decode_series(data)) == bits(written)
    assert encode_series(dict(reversed(written.items()))) == data


@given(metrics)
def test_safetensors_itself_reads_the_file(written: dict[str, Series]) -> None:
    found = load(encode_series(written))

    assert set(found) == {f"{name}/{column}" for name in written for column in ("step", "time", "value")}
    for name, one in written.items():
        assert found[f"{name}/step"].tolist() == one.steps.tolist()
        assert found[f"{name}/time"].tolist() == one.times.tolist()
        assert found[f"{name}/value"].tobytes() == one.values.tobytes()


def test_any_small_damage_is_refused_or_exact() -> None:
    written = {
        "a/b": Series(array("q", [1, -2]), array("q", [3, 4]), array("d", [0.5, float("nan")])),
        "z": Series.empty(),
    }
    written["z"].add(0, 0, -0.0)

    check_refused_or_exact(decode_series, encode_series, encode_series(written))


def test_a_metric_without_points_is_not_written() -> None:
    assert encode_series({"loss": Series.empty()}) == encode_series({})
    assert decode_series(encode_series({})) == {}


def file(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def column(dtype: str, length: object, begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": [length], "data_offsets": [begin, end]}


WHOLE = {"m/step": column("I64", 1, 0, 8), "m/time": column("I64", 1, 8, 16), "m/value": column("F64", 1, 16, 24)}
HOSTILE = {
    "nothing": b"",
    "no header": struct.pack("<Q", 8),
    "a header longer than anything": struct.pack("<Q", 2**64 - 1) + b"{}",
    "a header longer than may be": struct.pack("<Q", MAX_HEADER + 1) + b"{}",
    "no object": file([]),
    "no JSON": file(b"{"),
    "deep JSON": file(b"[" * 100_000),
    "no UTF-8": file(b'{"\xff/step":1}'),
    "half a character": file(b'{"\\ud800/step":{"shape":[1]}}', bytes(24)),
    "a number with too many digits": file(b'{"m/step":{"shape":[' + b"9" * 5000 + b"]}}"),
    "another type": file({**WHOLE, "m/value": column("F32", 1, 16, 24)}, bytes(24)),
    "another column": file({**WHOLE, "m/x": column("F64", 1, 24, 32)}, bytes(32)),
    "a column too few": file({name: WHOLE[name] for name in ("m/step", "m/time")}, bytes(24)),
    "columns that overlap": file({**WHOLE, "m/value": column("F64", 1, 8, 16)}, bytes(24)),
    "a column before the file": file({**WHOLE, "m/step": column("I64", 1, -8, 0)}, bytes(24)),
    "a gap": file({**WHOLE, "m/value": column("F64", 1, 24, 32)}, bytes(32)),
    "bytes too few": file(WHOLE, bytes(23)),
    "bytes too many": file(WHOLE, bytes(25)),
    "a negative length": file({name: column("I64", -1, 0, 0) for name in WHOLE}),
    "no length": file({name: column("I64", 0, 0, 0) for name in WHOLE}),
    "a length that is true": file({**WHOLE, "m/step": column("I64", length=True, begin=0, end=8)}, bytes(24)),
    "a length that is no number": file({**WHOLE, "m/step": column("I64", "1", 0, 8)}, bytes(24)),
    "two dimensions": file({name: {**facts, "shape": [1, 1]} for name, facts in WHOLE.items()}, bytes(24)),
    "no shape": file({"m/step": {}}),
    "no facts": file({"m/step": None}),
    "a shape that is none": file({"m/step": {"shape": {}}}),
    "columns of different lengths": file(
        {**WHOLE, "m/value": column("F64", 2, 16, 32)},
        bytes(32),
    ),
    "white space": file(json.dumps(WHOLE).encode(), bytes(24)),
    "words of its own": file({"__metadata__": {}, **WHOLE}, bytes(24)),
    "a length of the universe": file({**WHOLE, "m/step": column("I64", 2**62, 0, 2**65)}, bytes(24)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_not_written_by_us_is_refused_in_little_memory(what: str) -> None:
    check_small_refusal(lambda: decode_series(HOSTILE[what]), "bad_series")


def test_the_file_that_the_others_are_made_of_is_read() -> None:
    assert list(decode_series(file(WHOLE, bytes(24)))) == ["m"]


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_exact(data: bytes) -> None:
    with suppress(IntegrityError):
        assert encode_series(decode_series(data)) == data


def test_a_million_points_have_the_size_of_their_columns() -> None:
    count = 1_000_000
    whole = Series(array("q", range(count)), array("q", range(count)), array("d", np.linspace(0, 1, count).tolist()))

    data = encode_series({"loss": whole})

    assert len(data) - 24 * count < 300
    assert bits(decode_series(data)) == bits({"loss": whole})
