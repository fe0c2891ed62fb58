"""Canonical JSON: one spelling for each value, and everything else refused."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, UsageError
from mlreg.formats import canonical
from mlreg.formats.canonical import MAX_DEPTH, MAX_INTEGER
from tests.unit.formats.damage import check_refused_or_exact

LIMIT = 1 << 20

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER - 1, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(scalars, lambda below: st.lists(below) | st.dictionaries(texts, below), max_leaves=20)


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@given(value=values)
@example(value=-0.0)
@example(value={"": [], "a": {}, "😀": 5e-324})
def test_what_was_encoded_is_decoded_with_its_types(value: Any) -> None:
    decoded = canonical.decode(canonical.encode(value), LIMIT)

    # The text tells 1 from 1.0 and from true, which compare equal.
    assert repr(decoded) == repr(json.loads(json.dumps(value, sort_keys=True)))


@given(value=values)
def test_it_is_the_json_that_every_other_program_reads(value: Any) -> None:
    assert json.loads(canonical.encode(value)) == value


@given(value=st.dictionaries(texts, values))
def test_the_order_in_which_keys_came_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical.encode(dict(reversed(value.items()))) == canonical.encode(value)


@given(data=st.binary(max_size=64) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(data=b"-0")
@example(data=b"1.00")
def test_bytes_are_refused_or_are_what_their_value_is_encoded_as(data: bytes) -> None:
    with suppress(IntegrityError):
        assert canonical.encode(canonical.decode(data, LIMIT)) == data


def test_no_small_damage_gives_a_second_spelling_of_a_value() -> None:
    document = {"a": [1, -2.5, 1e-07, True, None], "b": {"ä😀": '\n\\"x', "": {}}}

    check_refused_or_exact(lambda data: canonical.decode(data, LIMIT), canonical.encode, canonical.encode(document))


KEPT = {
    "integer": (1, b"1"),
    "the same as a float": (1.0, b"1.0"),
    "negative zero": (-0.0, b"-0.0"),
    "smallest integer": (-(2**63), b"-9223372036854775808"),
    "largest integer": (2**63 - 1, b"9223372036854775807"),
    "tenth": (0.1, b"0.1"),
    "large float": (1e300, b"1e+300"),
    "small float": (1e-07, b"1e-07"),
    "beyond ASCII": ("é\U0001f600", '"é\U0001f600"'.encode()),
    "control character": ("\x00\x1f\x7f", b'"\\u0000\\u001f\x7f"'),
    "short escapes": ('"\\/\b\f\n\r\t', b'"\\"\\\\/\\b\\f\\n\\r\\t"'),
    "keys by code point": ({"z": 1, "Z": 2, "é": 3, "\U0001f600": 4, "\uffff": 5}, None),
    "tuple": ((1, (2,)), b"[1,[2]]"),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_value_has_this_spelling(name: str) -> None:
    value, expected = KEPT[name]

    assert canonical.encode(value) == (expected or '{"Z":2,"z":1,"é":3,"\uffff":5,"\U0001f600":4}'.encode())


NOT_JSON = {
    "NaN": (math.nan, "$"),
    "infinity": ([0, math.inf], "$[1]"),
    "minus infinity": ({"loss": -math.inf}, "$.loss"),
    "integer of 65 bits": ({"a": [{"b": 2**63}]}, "$.a[0].b"),
    "large negative integer": (-(2**63) - 1, "$"),
    "half of a surrogate pair": ({"a": "\ud800"}, "$.a"),
    "half of a surrogate pair in a key": ({"\udc00": 1}, "$"),
    "number as key": ({1: 2}, "$"),
    "true as key": ({True: 2}, "$"),
    "bytes": ({"a": b"x"}, "$.a"),
    "set": ([{1}], "$[0]"),
    "object": (object(), "$"),
    "too deep": (nested(MAX_DEPTH + 1), "$[0]"),
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_json_cannot_hold_is_refused_and_its_place_is_named(name: str) -> None:
    value, place = NOT_JSON[name]

    with pytest.raises(UsageError) as caught:
        canonical.encode(value)
    assert caught.value.code == "bad_json"
    assert place in caught.value.message


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(UsageError) as caught:
        canonical.encode(loop)
    assert caught.value.code == "bad_json"


def test_a_long_text_in_an_error_is_cut() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH + 1):
        value = {"long " * 100: value}

    with pytest.raises(UsageError) as caught:
        canonical.encode(value)
    assert len(caught.value.message) < 200


def test_the_deepest_value_that_is_allowed_is_read_back() -> None:
    assert canonical.decode(canonical.encode(nested(MAX_DEPTH)), LIMIT) == nested(MAX_DEPTH)


REFUSED = {
    "empty": b"",
    "not JSON": b"model",
    "two values": b"1 2",
    "duplicate keys": b'{"a":1,"a":2}',
    "duplicate keys with equal values": b'{"a":1,"a":1}',
    "duplicate keys, spelt in two ways": b'{"a":1,"\\u0061":1}',
    "keys out of order": b'{"b":1,"a":2}',
    "white space": b'{"a": 1}',
    "trailing newline": b"1\n",
    "escape that is not needed": b'"\\u0061"',
    "escaped slash": b'"\\/"',
    "capital hexadecimal digits": b'"\\u001F"',
    "NaN": b"NaN",
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b"-Infinity",
    "1e999": b"1e999",
    "-1e999": b"[-1e999]",
    "integer of 5,000 digits": b"9" * 5000,
    "float of 5,000 digits": b"1." + b"1" * 5000,
    "integer of 65 bits": b"9223372036854775808",
    "negative zero as integer": b"-0",
    "leading zero": b"01",
    "plus sign": b"+1",
    "1.00": b"1.00",
    "1e5": b"1e5",
    "capital exponent": b"1E+300",
    "100,000 lists": b"[" * 100_000,
    "100,000 lists, closed": b"[" * 100_000 + b"]" * 100_000,
    "100,000 mappings": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "one level too deep": b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2),
    "byte order mark": b"\xef\xbb\xbf1",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without mark": '{"a":1}'.encode("utf-16-le"),
    "invalid UTF-8": b'"\xff"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "escaped half of a surrogate pair": b'"\\ud800"',
    "escaped surrogate pair": b'"\\ud83d\\ude00"',
    "NUL": b"1\0",
    "raw control character": b'"\n"',
    "single quotes": b"{'a':1}",
    "trailing comma": b"[1,]",
    "comment": b"1//",
}


@pytest.mark.parametrize("name", REFUSED)
def test_bytes_that_are_not_canonical_are_refused(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        canonical.decode(REFUSED[name], LIMIT)
    assert caught.value.code == "bad_json"


def test_a_document_over_its_limit_is_refused_unread() -> None:
    assert canonical.decode(b'"abc"', 5) == "abc"
    with pytest.raises(IntegrityError) as caught:
        canonical.decode(b'"abc"', 4)
    assert caught.value.code == "bad_json"
