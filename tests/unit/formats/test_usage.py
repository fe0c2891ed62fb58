"""Usage: files unite in any order, as often as one likes, and what is no record counts for nothing."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats import canonical, origin, usage
from mlreg.formats.journal import checked, line_of
from mlreg.formats.usage import Counts, Key, Reader, decode, encode, line_for, total, united, without_readers

WRITER = "0" * 32
KEY = Key(WRITER, "2026-11-23", "model/net@1.0.0", "get")
RECORD = {"count": 1, **KEY._asdict()}

keys = st.builds(
    Key,
    st.sampled_from([WRITER, "1" * 32]),
    st.sampled_from(["2026-11-23", "2026-11-24", "2026-12-01"]),
    st.sampled_from(["model/net@1.0.0", "data/rows@2026.01.01"]),
    st.sampled_from(usage.WAYS),
)
readers = st.builds(Reader, st.sampled_from(["", "Ann", "Bo"]), st.sampled_from(["", "host"]))
counts = st.dictionaries(keys, st.dictionaries(readers, st.integers(1, 5), min_size=1, max_size=3), max_size=6)


@given(counts)
def test_what_is_written_is_read_and_equal_counts_make_equal_files(some: Counts) -> None:
    assert decode(encode(some)) == some
    assert encode(dict(reversed(list(some.items())))) == encode(some)


@given(counts, counts, counts)
def test_files_unite_in_any_order_and_as_often_as_one_likes(one: Counts, two: Counts, three: Counts) -> None:
    together = united([one, two, three])

    assert united([three, united([two, one])]) == together == united([one, one, together, two, three])
    for key in together:
        most = max(sum(some.get(key, {}).values()) for some in (one, two, three))
        assert sum(together[key].values()) == most


@given(counts)
def test_names_are_taken_out_and_no_read_is(some: Counts) -> None:
    plain = without_readers(some)

    assert total(plain) == total(some)
    assert b"Ann" not in encode(plain)
    assert b"host" not in encode(plain)


@given(st.lists(st.tuples(keys, readers), max_size=10))
def test_lines_of_single_reads_add_up(reads: list[tuple[Key, Reader]]) -> None:
    found = decode(b"".join(b"\n" + line_for(key, reader) for key, reader in reads))

    assert total(found) == len(reads)
    assert set(found) == {key for key, _ in reads}


@given(counts, st.binary(max_size=60))
def test_what_stands_between_hides_no_line(some: Counts, noise: bytes) -> None:
    assert united([decode(noise + b"\n" + encode(some) + noise), some]) == some


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 0},
        {"count": -1},
        {"count": True},
        {"count": 1.0},
        {"count": "1"},
        {"count": usage.MAX_COUNT + 1},
        {"day": "2026-13-01"},
        {"day": "2026-11-23\n"},
        {"day": 20261123},
        {"version": "model/net"},
        {"version": "model/../net@1.0.0"},
        {"version": "net@1.0.0"},
        {"version": None},
        {"way": "stolen"},
        {"way": ["get"]},
        {"writer": "0" * 31},
        {"writer": "A" * 32},
        {"by": ""},
        {"by": "Ann\x1b[2J"},
        {"by": "A" * (origin.MAX_NAME + 1)},
        {"host": 1},
        {"more": 1},
    ],
)
def test_a_record_with_another_value_is_passed_over(changes: dict[str, object]) -> None:
    assert total(decode(line_of(RECORD))) == 1
    assert decode(checked(canonical.encode({**RECORD, **changes}))) == {}


@pytest.mark.parametrize(
    "line",
    [
        b"\x00" * 100,
        b"[" * 2000,
        line_of(RECORD)[:-10],
        line_of(RECORD).replace(b"get", b"cat"),
        b"%08x %s" % (crc32(b"[" * 1500), b"[" * 1500),
        b"%08x %s" % (crc32(b"1" * 2000), b"1" * 2000),
        b"%08x %s" % (crc32(b"\xff\xfe"), b"\xff\xfe"),
        b"%08x null" % crc32(b"null"),
        b"x" * 10_000_000,
        line_of({**RECORD, "by": "A" * 3000}),
    ],
)
def test_a_hostile_line_is_passed_over_and_those_beside_it_are_read(line: bytes) -> None:
    good = line_of(RECORD)

    assert decode(good + line + b"\n" + good) == {KEY: {Reader(): 2}}


def test_a_missing_field_is_none_that_can_be_left_out() -> None:
    for name in RECORD:
        assert decode(line_of({key: value for key, value in RECORD.items() if key != name})) == {}
