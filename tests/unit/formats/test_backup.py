"""What backups and bundles say of themselves: read back, and refused in any other form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, MlregError, UnsupportedError
from mlreg.formats import canonical
from mlreg.formats.backup import BesideFile, Point, Record, decode_list, encode_list, is_kept
from mlreg.formats.bundle import Bundle, Need, sum_of
from mlreg.ids import CommitId, ContentId, TransactionHash
from tests.unit.formats.damage import check_refused_or_exact

HEAD = TransactionHash.of(b"head")
RECORD = Record(
    repository="3f" * 16,
    point=Point(7, HEAD),
    since=Point(5, TransactionHash.of(b"since")),
    time="2026-11-23T06:28:00Z",
    author="Ann Lee <ann@example.org>",
    host="ann-laptop",
    is_project=True,
    versions=3,
    size=1000,
    copied=100,
    beside=ContentId.of(b"[]"),
)
BUNDLE = Bundle(
    repository="3f" * 16,
    point=Point(7, HEAD),
    time="2026-11-23T06:28:00Z",
    author="Ann Lee <ann@example.org>",
    host="ann-laptop",
    needs=(Need("model/net@1.0.0", CommitId.of(b"1")),),
    left_out=1,
    sum=sum_of([ContentId.of(b"1")]),
)
FILES = [BesideFile("config.yaml", 3, ContentId.of(b"a: ")), BesideFile("usage/own/x", 0, ContentId.of(b""))]


@pytest.mark.parametrize("record", [RECORD, RECORD._replace(since=None)])
def test_no_damage_gives_a_second_form_of_a_record(record: Record) -> None:
    check_refused_or_exact(Record.decode, Record.encode, record.encode())


def test_no_damage_gives_a_second_form_of_what_a_bundle_says() -> None:
    check_refused_or_exact(Bundle.decode, Bundle.encode, BUNDLE.encode())


def test_no_damage_gives_a_second_form_of_a_list() -> None:
    check_refused_or_exact(decode_list, encode_list, encode_list(FILES))


@given(st.lists(st.sampled_from(["config.yaml", "runs/a", "runs/b/c", "staging/x"]), unique=True))
def test_a_list_is_read_back_sorted(paths: list[str]) -> None:
    files = [BesideFile(path, 1, ContentId.of(path.encode())) for path in paths]

    assert decode_list(encode_list(files)) == sorted(files)


WRONG: dict[str, dict[str, Any]] = {
    "true for a number": {"versions": True},
    "a negative number": {"copied": -1},
    "a number for a text": {"host": 1},
    "text for a truth": {"is_project": "yes"},
    "no slot": {"point": None},
    "a slot without a hash": {"point": {"number": 1}},
    "a negative slot": {"since": {"number": -1, "head": str(HEAD)}},
    "a short id": {"beside": "00"},
    "something more": {"more": 1},
    "something less": {"author": ...},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_record_that_does_not_hold_what_it_should_is_refused(name: str) -> None:
    document = canonical.decode(RECORD.encode(), 10_000) | WRONG[name]
    data = canonical.encode({key: value for key, value in document.items() if value is not ...})

    with pytest.raises(IntegrityError) as caught:
        Record.decode(data)
    assert caught.value.code == "bad_backup"


@pytest.mark.parametrize(("read", "data"), [(Record.decode, RECORD.encode()), (Bundle.decode, BUNDLE.encode())])
def test_a_later_format_is_refused_by_name(read: Any, data: bytes) -> None:
    document = canonical.decode(data, 10_000)

    with pytest.raises(UnsupportedError) as caught:
        read(canonical.encode({**document, "format": 2}))
    assert caught.value.code == "newer_format"
    nothing: list[Any] = [[], {}, {"format": True}]
    for wrong in nothing:
        with pytest.raises(IntegrityError):
            read(canonical.encode(wrong))


PATHS = {
    "leaves the place": "runs/../../evil",
    "absolute": "/etc/passwd",
    "of the repository": "log/0000000000000001",
    "of the repository, too": "mlreg.json",
    "of nothing": "mine",
    "a place itself": "runs",
    "below a file": "config.yaml/x",
    "our own directory": "runs/.mlreg/x",
    "backslashes": "runs\\x",
    "a line break": "runs/a\nb",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_list_with_a_path_that_has_no_place_beside_a_repository_is_refused(name: str) -> None:
    with pytest.raises(MlregError) as caught:
        decode_list(canonical.encode([[PATHS[name], 0, str(ContentId.of(b""))]]))
    assert caught.value.code == "bad_backup"


def test_a_list_with_one_path_twice_or_out_of_order_is_refused() -> None:
    rows = [[path, 0, str(ContentId.of(b""))] for path in ("runs/b", "runs/a")]
    for some in (rows, [rows[0], rows[0]], [rows[1], ["runs/A", *rows[0][1:]]]):
        with pytest.raises(IntegrityError):
            decode_list(canonical.encode(some))


def test_only_some_places_are_kept() -> None:
    assert [
        path for path in ("config.yaml", "usage/x", "remotes/origin.json", "runs/x/y", "staging/x") if is_kept(path)
    ]
    assert not any(map(is_kept, ("plans/x", "config", "mlreg.json", "packs/x", "usage")))


def test_a_sum_does_not_depend_on_the_order() -> None:
    ids = [ContentId.of(data) for data in (b"1", b"2", b"3")]

    assert sum_of(ids) == sum_of(reversed(ids)) != sum_of(ids[:2])
